# SPDX-License-Identifier: MIT
"""Deployment → the variables of the roles: who listens where, who may reach whom, which sites edge serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.deployment import POSTGRESQL_PORT, UIDS_PER_COMPONENT, Component, Deployment, HostPlan
from ..model.suite import Apt
from .edgevars import edge_vars, mail_port
from .variables import secret
from .vocabulary import Addresses, bucket_name

if TYPE_CHECKING:
    from .tree import RenderedTree

ANY = "any"


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
        "suite_buckets": [
            _bucket(deployment, component) for component in deployment.ordered if component.description.needs.bucket
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


def _bucket(deployment: Deployment, component: Component) -> dict[str, Any]:
    need = component.description.needs.bucket
    assert need is not None
    elsewhere = deployment.object_store is not None
    return {
        "slug": component.slug,
        "name": bucket_name(deployment, component),
        "access_key": secret(f"{component.slug}.bucket_access_key") if elsewhere else component.slug,
        "secret": secret(f"{component.slug}.bucket"),
        "versioning": need.versioning == "required",
        "cors_origins": [component.url] if need.cors else [],
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
        "host_firewall_output": _firewall_output(deployment, here, addresses),
        "host_containers": bool(here),
    }
    if "data" in host.groups:
        variables |= _data(deployment, addresses)
    if "edge" in host.groups:
        variables |= edge_vars(deployment, addresses)
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
        mailing = [item for item in deployment.ordered if item.description.needs.smtp and deployment.suite.mail]
        if mailing:
            relayed = sorted({source for item in mailing for source in _sources(deployment, item, host, addresses)})
            port = str(mail_port(deployment))
            rules.append({"proto": "tcp", "ports": [port], "sources": relayed, "comment": "mail relay"})
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
            # what edge passes on, HTTP and what it took by name, comes from edge alone
            from_edge = [f"{addresses.private[deployment.host_of('edge').name]}/32"]
            if service.port:
                comment = f"{component.slug} {name} from edge"
                rules.append({"proto": "tcp", "ports": [str(service.port)], "sources": from_edge, "comment": comment})
            for listen in service.listen:
                hosts = from_edge if listen.sni else [f"{address}/32" for address in addresses.private.values()]
                sources = [ANY] if listen.public else hosts
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
        if needs.smtp and deployment.suite.mail:
            wanted.append((edge, [str(mail_port(deployment))], "mail relay"))
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


def _firewall_output(deployment: Deployment, here: list[Component], addresses: Addresses) -> list[dict[str, Any]]:
    """What containers on the host's own network may send: media from their declared ports, and calls to edge."""
    rules: list[dict[str, Any]] = []
    for component in here:
        shared = [service for service in component.description.services.values() if service.network == "host"]
        if shared:
            media = [listen.ports for service in shared for listen in service.listen if listen.proto == "udp"]
            rules.append(
                {
                    "first_uid": component.uid_base,
                    "last_uid": component.uid_base + UIDS_PER_COMPONENT - 1,
                    "udp_source_ports": media,
                    "destinations": [f"{addresses.private[deployment.host_of('edge').name]}/32"],
                    "comment": component.slug,
                }
            )
    return rules


def _app_component(component: Component, tree: RenderedTree) -> dict[str, Any]:
    """What role app needs: where files come from and go to, directories, images, units."""
    description, slug = component.description, component.slug
    files = [item for item in tree.files if item.component == slug]
    services = [item for item in tree.services if item.component == slug]
    main = next(iter(description.images.values()))
    return {
        "slug": slug,
        "role": component.folder.name,
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
