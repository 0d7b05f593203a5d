# SPDX-License-Identifier: MIT
"""Deployment → what edge serves, takes by name, and passes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..model.component import Route
from ..model.deployment import Component, Deployment
from .variables import secret
from .vocabulary import HTTPS_PORT, Addresses, bucket_name, bucket_of, context, evaluate, evaluate_deep, template_text


def outbound_names(deployment: Deployment, component: Component) -> tuple[str, ...]:
    """Names outside the suite that a component's containers may call; they reach them through edge alone."""
    names = list(egress(deployment, component))
    if component.description.needs.bucket and deployment.object_store:
        place = bucket_of(deployment, component)
        names += [urlsplit(url).hostname or "" for url in (place.endpoint, place.auth_url)]
    if component.description.needs.smtp and deployment.suite.mail:
        names.append(deployment.suite.mail.relay)
    return tuple(dict.fromkeys(filter(None, names)))


def egress(deployment: Deployment, component: Component) -> tuple[str, ...]:
    """Hosts outside the suite that the component itself asks for."""
    words = context(deployment, component, Addresses.unknown(deployment))
    where = f"roles/{component.folder.name}/component.yml: egress"
    hosts = [evaluate(host, words, where) for host in component.description.egress]
    return tuple(host for host in dict.fromkeys(hosts) if host and host not in deployment.public_names)


def mail_port(deployment: Deployment) -> int:
    """TCP port of the mail relay, the same on edge."""
    assert deployment.suite.mail is not None
    return deployment.suite.mail.port


def edge_vars(deployment: Deployment, addresses: Addresses) -> dict[str, Any]:
    """Variables of role edge."""
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
        "edge_internal_sources": _own_addresses(deployment, addresses),
        "edge_tls_names": _tls_names(deployment, addresses),
        "edge_passthrough": _passthrough(deployment, addresses),
        "edge_relays": _relays(deployment, addresses),
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
    common: dict[str, Any] = {
        "path": evaluate(route.path, words, where),
        "match": route.match,
        "internal": route.internal,
        "headers": {name: evaluate(value, words, where) for name, value in route.headers.items()},
    }
    if route.deny:
        return common | {"kind": "deny"}
    if route.redirect:
        return common | {"kind": "redirect", "redirect": evaluate(route.redirect, words, where)}
    if route.respond is not None:
        return (
            common
            | {"kind": "respond", "respond": _answer(component, route.respond, words, where)}
            | {"cors": route.cors}
        )
    served = _from_bucket if route.to == "bucket" else _from_service
    return (
        common
        | {
            "kind": "proxy",
            "websocket": route.websocket,
            "body_size": evaluate(route.body_size, words, where),
            "timeout": route.timeout,
            "raw_uri": route.raw_uri,
            "verbatim": route.verbatim,
            "cors": route.cors,
            "hash_by": route.hash_by or "",
        }
        | served(deployment, component, route, addresses)
    )


def _answer(component: Component, respond: Mapping[str, Any], words: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What edge answers itself; `template` names a file whose rendered text is the body."""
    answer = dict(evaluate_deep({key: value for key, value in respond.items() if key != "template"}, words, where))
    if "template" in respond:
        path = f"roles/{component.folder.name}/templates/{respond['template']}"
        answer["text"] = " ".join(template_text(path, words).split())
    return answer


def _from_service(deployment: Deployment, component: Component, route: Route, addresses: Addresses) -> dict[str, Any]:
    assert route.to is not None
    upstream = _upstream(deployment, component, route.to, addresses)
    return {"upstream": upstream, "auth": {}, "host_header": "", "rewrite_from": "", "rewrite_to": ""}


def _from_bucket(deployment: Deployment, component: Component, route: Route, addresses: Addresses) -> dict[str, Any]:
    store, own = deployment.object_store, deployment.provider_of("objectstore")
    name = bucket_name(deployment, component)
    if store:
        url = urlsplit(store.endpoint)
        upstream, host = f"{url.scheme}://{url.netloc}", url.netloc
    else:
        assert own is not None and own.hostname is not None
        service = next(name for name, item in own.description.services.items() if item.port)
        upstream, host = _upstream(deployment, own, service, addresses), own.hostname
    auth = {}
    if route.auth:
        asked = _upstream(deployment, component, route.auth.service, addresses)
        auth = {"upstream": asked, "path": route.auth.path}
    return {
        "upstream": upstream,
        "auth": auth,
        "host_header": host,
        "rewrite_from": route.strip or route.path,
        "rewrite_to": f"/{name}/",
    }


def _upstream(deployment: Deployment, component: Component, service: str, addresses: Addresses) -> str:
    """Where edge reaches a service: on its own loopback, or at the private address of the service's host."""
    port = component.description.services[service].port
    assert port is not None, f"{component.slug}: the service {service} has no port"
    same = deployment.host_of("edge").name == component.host
    address = "127.0.0.1" if same else addresses.private[component.host]
    return f"http://{address}:{component.loopback_port(service, port)}"


def _own_addresses(deployment: Deployment, addresses: Addresses) -> list[str]:
    """As whom the suite's own hosts and containers are seen on edge."""
    hosts = [f"{address}/32" for address in addresses.private.values()]
    return ["127.0.0.1/32", *dict.fromkeys(hosts), str(deployment.container_network)]


def _tls_names(deployment: Deployment, addresses: Addresses) -> list[dict[str, str]]:
    """Names whose TLS edge ends without speaking HTTP, and the plain TCP port behind each."""
    return [
        {"name": component.hostnames[listen.sni], "upstream": f"{addresses.private[component.host]}:{listen.ports}"}
        for component in deployment.ordered
        for service in component.description.services.values()
        for listen in service.listen
        if listen.sni
    ]


def _passthrough(deployment: Deployment, addresses: Addresses) -> list[dict[str, Any]]:
    """Outbound TLS by name, from the suite's own addresses only; edge never opens it."""
    relay = deployment.suite.mail.relay if deployment.suite.mail else None
    names = {name for item in deployment.ordered for name in outbound_names(deployment, item) if name != relay}
    sources = _own_addresses(deployment, addresses)
    return [{"name": name, "upstream": f"{name}:{HTTPS_PORT}", "sources": sources} for name in sorted(names)]


def _relays(deployment: Deployment, addresses: Addresses) -> list[dict[str, Any]]:
    """Plain TCP from the suite's own addresses to the mail relay, where somebody sends mail."""
    mail = deployment.suite.mail
    if mail is None or not any(item.description.needs.smtp for item in deployment.ordered):
        return []
    return [
        {"port": mail.port, "upstream": f"{mail.relay}:{mail.port}", "sources": _own_addresses(deployment, addresses)}
    ]
