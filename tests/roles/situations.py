# SPDX-License-Identifier: MIT
"""Two situations per role: `default`, and `alternative`, where almost everything differs."""

from __future__ import annotations

from typing import Any

from tests.roles.authority import Authority
from tests.roles.box import Box

DOMAIN = "suite.example"
ALPHA, BETA = "10.89.1.0/24", "10.89.2.0/24"
SITUATIONS = ("default", "alternative")
Variables = dict[str, Any]


def secrets(authority: Authority) -> Variables:
    return {"suite_secrets": {"suite.ca_cert": authority.certificate, "suite.ca_key": authority.key}}


def host(box: Box, authority: Authority, further: Authority, operator_key: str) -> dict[str, Variables]:
    """Role host. further: another authority, trusted in the alternative. operator_key: a public SSH key."""
    names = {f"{name}.{DOMAIN}": box.address for name in ("id", "postgresql", "valkey")}
    everywhere = {"suite_ca_cert": authority.certificate, "suite_container_subnets": {"alpha": ALPHA, "beta": BETA}}
    data_ports = {
        "proto": "tcp",
        "ports": [5432, "6401-6410"],
        "sources": [box.network, ALPHA],
        "comment": "data services",
    }
    return {
        "default": everywhere
        | {
            "suite_names": names,
            "host_firewall_input": [
                {"proto": "tcp", "ports": [80, 443], "sources": "any", "comment": "edge"},
                data_ports,
            ],
            "host_firewall_forward": [
                {
                    "source": ALPHA,
                    "destination": f"{box.outside}/32",
                    "proto": "tcp",
                    "ports": [18080],
                    "comment": "declared",
                },
            ],
            "host_firewall_published": [
                {
                    "destination_ports": ["20020-20029"],
                    "proto": "tcp",
                    "sources": [box.network],
                    "comment": "published",
                },
            ],
        },
        "alternative": everywhere
        | {
            "suite_names": {f"chat.{DOMAIN}": box.address},
            "host_extra_cas": [further.certificate],
            "host_operators": [{"name": "olga", "ssh_keys": [operator_key]}],
            "host_ssh_sources": [box.network, "2001:db8::/32"],
            "host_ntp_servers": ["192.0.2.1", "192.0.2.2"],
            "host_dns_servers": ["192.0.2.53"],
            "host_upgrades_held": ["postgresql", "linux-image"],
            "host_journal_max_use": "128M",
            "host_journal_retention": "7day",
            "host_sysctl": {"net.core.somaxconn": 1024},
            "host_firewall_input": [
                data_ports,
                {"proto": "udp", "ports": ["3478"], "sources": ["2001:db8::/32", ALPHA]},
            ],
        },
    }


def postgresql(box: Box, authority: Authority) -> dict[str, Variables]:
    everywhere = secrets(authority) | {
        "postgresql_server_name": f"postgresql.{DOMAIN}",
        "postgresql_listen_address": box.address,
    }
    alpha = {"name": "alpha", "owner": "alpha", "password": "alpha-secret-of-the-default"}
    beta = {"name": "beta", "owner": "beta_owner", "password": "beta-secret-of-the-default", "locale": "C"}
    return {
        "default": everywhere
        | {
            "postgresql_databases": [
                alpha | {"extensions": ["pg_trgm", "unaccent"], "sources": [box.network, ALPHA]},
                beta | {"sources": [box.network]},
            ],
        },
        "alternative": everywhere
        | {
            "postgresql_databases": [
                alpha | {"password": "alpha-secret-changed", "extensions": ["pg_trgm"], "sources": [box.network]},
                beta | {"sources": [BETA]},
                {"name": "gamma", "owner": "gamma", "password": "gamma-secret-of-its-own", "sources": [box.network]},
            ],
            "postgresql_port": 5432,
            "postgresql_max_connections": 60,
            "postgresql_memory_mb": 256,
            "postgresql_tls_min_version": "TLSv1.2",
            "postgresql_settings": {"statement_timeout": "77s"},
        },
    }


def valkey(box: Box, authority: Authority) -> dict[str, Variables]:
    everywhere = secrets(authority) | {
        "valkey_server_name": f"valkey.{DOMAIN}",
        "valkey_listen_address": box.address,
    }
    alpha = {"name": "alpha", "port": 6401, "password": "alpha-cache-of-the-default", "sources": [box.network]}
    beta = {"name": "beta", "port": 6402, "password": "beta-cache-of-the-default", "sources": [box.network]}
    return {
        "default": everywhere | {"valkey_instances": [alpha | {"memory": "32mb"}, beta]},
        "alternative": everywhere
        | {
            "valkey_instances": [
                alpha | {"password": "alpha-cache-changed", "memory": "48mb"},
                {"name": "gamma-two", "port": 6403, "password": "gamma-cache-of-its-own", "sources": [box.network]},
            ],
            "valkey_tls_protocols": "TLSv1.2 TLSv1.3",
            "valkey_persistent": False,
        },
    }
