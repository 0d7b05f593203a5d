# SPDX-License-Identifier: MIT
"""Deployment → the variables of the roles: who listens where, who may reach whom, which sites edge serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..model.component import Route
from ..model.deployment import POSTGRESQL_PORT, Component, Deployment, HostPlan
from ..model.suite import Apt
from .vocabulary import Addresses, context, evaluate, evaluate_deep

if TYPE_CHECKING:
    from .tree import RenderedTree

ANY = "any"


def secret(name: str) -> str:
    """An Ansible expression for a secret; its value never stands in the inventory."""
    return "{{ suite_secrets['" + name + "'] }}"


def all_vars(deployment: Deployment, addresses: Addresses) -> dict[str, Any]:
    """Variables of every host."""
    suite = deployment.suite
    edge, data = addresses.private[deployment.host_of("edge").name], addresses.private[deployment.host_of("data").name]
    names = dict.fromkeys(deployment.public_names, edge) | dict.fromkeys(deployment.data_names, data)
    return {
        "suite_name": suite.suite,
        "suite_domain": suite.domain,
        "suite_profile": suite.profile,
        "suite_driver": deployment.driver,
        "suite_users": suite.users,
        "suite_hosts": [
            {"name": host.name, "private_address": addresses.private[host.name], "groups": list(host.groups)}
            for host in deployment.hosts
        ],
        "suite_names": names,
        "suite_container_subnets": {
            slug: deployment.container_subnet(component) for slug, component in sorted(deployment.components.items())
        },
        "suite_ca_cert": secret("suite.ca_cert"),
        "suite_components": {
            component.slug: _component_facts(component)
            for component in sorted(deployment.ordered, key=lambda c: c.slug)
        },
        "suite_oidc_clients": [
            _oidc_client(component) for component in deployment.ordered if component.description.needs.oidc_client
        ],
        "host_ntp_servers": list(suite.network.ntp),
        "host_dns_servers": list(suite.network.dns),
        "host_ssh_admin_user": suite.ssh.user,
        "host_ssh_port": suite.ssh.port,
        "host_ssh_sources": list(suite.ssh.from_) or [ANY],
        "host_apt_sources": _apt_sources(suite.apt),
    }


def _apt_sources(apt: Apt) -> str:
    """Package sources in deb822 form, or nothing: the host keeps its own."""
    if not apt.mirror:
        return ""
    mirror = apt.mirror.rstrip("/")
    security = (apt.security_mirror or f"{mirror}-security").rstrip("/")
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    stanza = f"Types: deb\nURIs: {{}}\nSuites: {{}}\nComponents: main\nSigned-By: {keyring}\n"
    return stanza.format(mirror, "trixie trixie-updates") + "\n" + stanza.format(security, "trixie-security")


def _component_facts(component: Component) -> dict[str, Any]:
    ports = {
        name: {
            str(port): component.loopback_port(name, port)
            for port in (service.port, service.probe.port if service.probe else None)
            if port
        }
        for name, service in component.description.services.items()
    }
    return {
        "title": component.description.title,
        "hostname": component.hostname,
        "url": component.url,
        "host": component.host,
        "options": dict(component.options),
        "ports": ports,
        "uid_base": component.uid_base,
    }


def _oidc_client(component: Component) -> dict[str, Any]:
    need = component.description.needs.oidc_client
    assert need is not None
    base = component.url
    return {
        "client_id": component.slug,
        "name": component.description.title,
        "secret": secret(f"{component.slug}.oidc"),
        "root_url": base,
        "redirect_uris": [f"{base}{path}" for path in need.redirect],
        "post_logout_redirect_uris": [f"{base}{path}" for path in need.post_logout],
        "backchannel_logout_url": f"{base}{need.backchannel_logout}" if need.backchannel_logout else "",
        "web_origins": [],
        "pkce": need.pkce,
        "scopes": list(need.scopes),
    }


def host_vars(deployment: Deployment, tree: RenderedTree, host: HostPlan, addresses: Addresses) -> dict[str, Any]:
    """Variables of one host, by the groups it is in."""
    here = [component for component in deployment.ordered if component.host == host.name]
    variables: dict[str, Any] = {
        "host_firewall_input": _firewall_input(deployment, host, here, addresses),
        "host_firewall_forward": _firewall_forward(deployment, host, here, addresses),
        "host_firewall_published": _firewall_published(deployment, host, here, addresses),
    }
    if "data" in host.groups:
        variables |= _data(deployment, addresses)
    if "edge" in host.groups:
        variables |= _edge(deployment, addresses)
    if here:
        variables["app_components"] = [_app_component(component, tree) for component in here]
    return variables


def _sources(deployment: Deployment, component: Component, target: HostPlan, addresses: Addresses) -> list[str]:
    """As whom a component's containers are seen on `target`: their subnet at home, their host's address elsewhere."""
    if component.host == target.name:
        return [deployment.container_subnet(component)]
    return [f"{addresses.private[component.host]}/32"]


def _data(deployment: Deployment, addresses: Addresses) -> dict[str, Any]:
    host = deployment.host_of("data")
    databases, instances = [], []
    for component in deployment.ordered:
        needs, sources = component.description.needs, _sources(deployment, component, host, addresses)
        if needs.postgresql:
            databases.append(
                {
                    "name": needs.postgresql.database,
                    "owner": needs.postgresql.database,
                    "password": secret(f"{component.slug}.postgresql"),
                    "locale": needs.postgresql.locale,
                    "extensions": list(needs.postgresql.extensions),
                    "sources": sources,
                }
            )
        if needs.valkey:
            instances.append(
                {
                    "name": component.slug,
                    "port": component.valkey_port,
                    "password": secret(f"{component.slug}.valkey"),
                    "sources": sources,
                    "memory": "64mb",
                }
            )
    address = addresses.private[host.name]
    return {
        "postgresql_server_name": deployment.postgresql_name,
        "postgresql_listen_address": address,
        "postgresql_databases": databases,
        "valkey_server_name": deployment.valkey_name,
        "valkey_listen_address": address,
        "valkey_instances": instances,
    }


def _firewall_input(
    deployment: Deployment, host: HostPlan, here: list[Component], addresses: Addresses
) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if "edge" in host.groups:
        rules.append({"proto": "tcp", "ports": ["80", "443"], "sources": [ANY], "comment": "web"})
    if "data" in host.groups:
        for component in deployment.ordered:
            sources = _sources(deployment, component, host, addresses)
            if component.description.needs.postgresql:
                port = str(POSTGRESQL_PORT)
                rules.append(
                    {"proto": "tcp", "ports": [port], "sources": sources, "comment": f"{component.slug} database"}
                )
            if component.description.needs.valkey:
                port = str(component.valkey_port)
                rules.append(
                    {"proto": "tcp", "ports": [port], "sources": sources, "comment": f"{component.slug} cache"}
                )
    for component in here:
        for name, service in component.description.services.items():
            if service.network != "host":
                continue
            for listen in service.listen:
                sources = [ANY] if listen.public else [f"{address}/32" for address in addresses.private.values()]
                comment = f"{component.slug} {name}"
                rules.append({"proto": listen.proto, "ports": [listen.ports], "sources": sources, "comment": comment})
    return rules


def _firewall_forward(
    deployment: Deployment, host: HostPlan, here: list[Component], addresses: Addresses
) -> list[dict[str, Any]]:
    """Container traffic that leaves the host; what stays on it passes input."""
    rules: list[dict[str, Any]] = []
    edge, data = deployment.host_of("edge"), deployment.host_of("data")
    for component in here:
        source, needs = deployment.container_subnet(component), component.description.needs
        wanted: list[tuple[HostPlan, list[str], str]] = [(edge, ["443"], "other components through edge")]
        if needs.postgresql:
            wanted.append((data, [str(POSTGRESQL_PORT)], "database"))
        if needs.valkey:
            wanted.append((data, [str(component.valkey_port)], "cache"))
        for target, ports, what in wanted:
            if target.name != host.name:
                destination = f"{addresses.private[target.name]}/32"
                rules.append(
                    {
                        "source": source,
                        "destination": destination,
                        "proto": "tcp",
                        "ports": ports,
                        "comment": f"{component.slug}: {what}",
                    }
                )
    return rules


def _firewall_published(
    deployment: Deployment, host: HostPlan, here: list[Component], addresses: Addresses
) -> list[dict[str, Any]]:
    """Container ports that edge reaches from its own host."""
    edge = deployment.host_of("edge")
    if edge.name == host.name:
        return []
    ports = sorted(
        {
            str(component.loopback_port(name, service.port))
            for component in here
            for name, service in component.description.services.items()
            if service.port and service.network == "own"
        }
    )
    source = f"{addresses.private[edge.name]}/32"
    return [{"proto": "tcp", "destination_ports": ports, "sources": [source]}] if ports else []


def _edge(deployment: Deployment, addresses: Addresses) -> dict[str, Any]:
    sites: dict[str, list[dict[str, Any]]] = {deployment.domain: [{"path": "/", "match": "prefix", "kind": "portal"}]}
    for component in deployment.ordered:
        words = context(deployment, component, addresses)
        for index, route in enumerate(component.description.routes):
            hostname = deployment.domain if route.host == "domain" else component.hostname
            assert hostname is not None, "the registry refuses a route on a host name that is not there"
            where = f"roles/{component.slug}/component.yml: routes[{index}]"
            sites.setdefault(hostname, []).append(_route(deployment, component, route, words, addresses, where))
    tls: dict[str, Any] = {"issuer": deployment.suite.tls.issuer}
    if deployment.suite.tls.issuer == "provided":
        tls |= {
            "certificate": str(deployment.directory / deployment.suite.tls.certificate),
            "key": secret("suite.tls_key"),
        }
    identity = deployment.provider_of("identity")
    return {
        "edge_sites": [{"hostname": name, "routes": routes} for name, routes in sites.items()],
        "edge_tls": tls,
        "edge_portal": {
            "domain": deployment.domain,
            "title": deployment.suite.suite,
            "account_url": f"{identity.url}/realms/suite/account/" if identity else "",
            "applications": [
                {
                    "name": dict(portal.name),
                    "description": dict(portal.description),
                    "url": f"{component.url}{portal.path}",
                }
                for component in deployment.ordered
                if (portal := component.description.portal)
            ],
        },
    }


def _route(
    deployment: Deployment,
    component: Component,
    route: Route,
    words: Mapping[str, Any],
    addresses: Addresses,
    where: str,
) -> dict[str, Any]:
    common = {"path": evaluate(route.path, words, where), "match": route.match}
    if route.deny:
        return common | {"kind": "deny"}
    if route.redirect:
        return common | {"kind": "redirect", "redirect": evaluate(route.redirect, words, where)}
    if route.respond is not None:
        return common | {"kind": "respond", "respond": evaluate_deep(route.respond, words, where), "cors": route.cors}
    if route.to == "bucket":
        upstream = "bucket"
    else:
        assert route.to is not None
        port = component.description.services[route.to].port
        assert port is not None, f"{where}: the service has no port"
        same = deployment.host_of("edge").name == component.host
        address = "127.0.0.1" if same else addresses.private[component.host]
        upstream = f"http://{address}:{component.loopback_port(route.to, port)}"
    return common | {
        "kind": "proxy",
        "upstream": upstream,
        "websocket": route.websocket,
        "body_size": evaluate(route.body_size, words, where),
        "timeout": route.timeout,
        "raw_uri": route.raw_uri,
        "cors": route.cors,
        "auth": route.auth or "",
    }


def _app_component(component: Component, tree: RenderedTree) -> dict[str, Any]:
    """What role app needs: where files come from and go to, directories, images, units."""
    description, slug = component.description, component.slug
    files = [item for item in tree.files if item.component == slug]
    services = [item for item in tree.services if item.component == slug]
    main = next(iter(description.images.values()))
    return {
        "slug": slug,
        "title": description.title,
        "stage": component.stage,
        "version": main.tag,
        "database": description.needs.postgresql.database if description.needs.postgresql else "",
        "files": [
            {
                "source": item.build_path,
                "path": item.path,
                "mode": item.mode,
                "owner": item.owner,
                "group": item.group,
                "restarts": list(item.restarts),
            }
            for item in files
        ],
        "secrets": sorted({name for item in files for name in item.secrets}),
        "volumes": [
            {"path": f"/srv/{slug}/{name}", "owner": component.uid_base + description.services[volume.services[0]].user}
            for name, volume in description.volumes.items()
        ],
        "images": sorted({item.image for item in services}),
        "services": [item.unit for item in services if not item.is_job],
        "jobs": [
            {"name": name, "unit": f"{slug}-{name}.service", "when": job.when, "once": job.once}
            for name, job in description.jobs.items()
        ],
        "tasks": (component.folder / "tasks" / "main.yml").is_file(),
    }
