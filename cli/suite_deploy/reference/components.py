# SPDX-License-Identifier: MIT
"""docs/reference/<component>.md: options, and what runs, listens, is stored and is kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..model.component import ComponentFile, Option, Route
from ..model.components import describe, folder, slugs
from ..model.deployment import Component, Deployment, HostPlan
from ..model.suite import SuiteFile
from .markdown import code, table

_KINDS = {
    "string": "text",
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "hostname": "a host name",
    "peers": "`closed`, `open`, or a list of server names",
}
EXAMPLE_DOMAIN = "suite.example"


def example() -> Deployment:
    """All components on one host, to derive ports, ranges and secrets as a deployment does."""
    content = {
        "schema": 1,
        "suite": "example",
        "domain": EXAMPLE_DOMAIN,
        "profile": "dev",
        "infrastructure": {"driver": "local"},
        "components": {slug: {} for slug in slugs()},
    }
    host = HostPlan("suite-1", ("edge", "apps", "data", "media"))
    built = {}
    for slug in slugs():
        item = describe(slug)
        name = f"{item.hostname}.{EXAMPLE_DOMAIN}" if item.hostname else None
        built[slug] = Component(slug, item, folder(slug), {}, name, host.name)
    nowhere = Path("/nonexistent")
    return Deployment(
        name="example",
        given="example",
        directory=nowhere,
        files=(),
        suite=SuiteFile.model_validate(content),
        hosts=(host,),
        components=built,
        state_dir=nowhere,
        secrets_file=nowhere,
        images_lock=nowhere,
        waivers_file=nowhere,
    )


def page(slug: str) -> str:
    """The text of one component's page."""
    deployment = example()
    return "\n\n".join(_parts(deployment, deployment.components[slug])) + "\n"


def _parts(deployment: Deployment, component: Component) -> Iterator[str]:
    item, slug = component.description, component.slug
    yield f"# {item.title}"
    yield f"Described in `roles/{slug}/component.yml`. Shown for a suite with the domain `{EXAMPLE_DOMAIN}`."
    yield table(("", ""), _facts(deployment, component))
    yield f"## Options\n\nUnder `components.{slug}` in [suite.yml](suite.md)."
    yield table(("Key", "Accepted", "Default", "What it is"), _options(item))
    yield "## Images"
    yield table(
        ("Name", "Upstream image", "Version"), [(code(n), code(i.name), code(i.tag)) for n, i in item.images.items()]
    )
    yield _recipe(component)
    yield "## Services"
    yield table(
        ("Unit", "Port in the container", "Port on the host", "User", "Memory limit", "Ready when"),
        _services(component),
    )
    if item.jobs:
        yield "## Jobs"
        rows = [
            (code(f"{slug}-{name}.service"), job.when, job.once, code(" ".join(job.command)))
            for name, job in item.jobs.items()
        ]
        yield table(("Unit", "When", "Once", "Command"), rows)
    yield (
        "The port on the host is open on its loopback only; where edge is another host, on the private address, to"
        " edge alone."
    )
    yield "## Addresses\n\nWhat edge serves; whatever is not named here does not lead to the component."
    yield table(("Host", "Path", "Match", "What happens"), [_route(component, route) for route in item.routes])
    if item.closed_paths:
        yield "Paths that `suite-deploy verify` tries from outside and that must not answer:"
        yield "\n".join(f"- `{path}`" for path in item.closed_paths)
    yield "## Secrets\n\nNames only; `suite-deploy secrets list NAME` says which are there."
    wanted = [one for one in deployment.secrets_wanted if one.name.startswith(f"{slug}.")]
    yield table(
        ("Name", "Kind", "What it is for"),
        [(code(one.name), one.kind, _purpose(item, one.name, one.purpose)) for one in wanted],
    )
    yield "## Outbound calls"
    yield "Hosts it may call: " + (", ".join(code(host) for host in item.egress) + "." if item.egress else "none.")
    if item.leaks:
        yield "Upstream settings that would call out, and what the rendered configuration must hold (policy EGR-002):"
        leaks = [(leak.id, code(leak.where), code(leak.key), _wanted(leak.value), leak.why) for leak in item.leaks]
        yield table(("", "Where", "Key", "Wanted", "Why"), leaks)
    yield "## Data and backup set"
    yield table(("What", "Where", "In the backup set as"), _data(component))
    yield "## Size"
    sizes = {"cpu": "processors", "memory_mib": "memory (MiB)", "disk_gib": "disk (GiB)"}
    by_size = [
        (sizes[key], f"{value:g}", f"{item.sizing.per_100_users.get(key, 0):g}")
        for key, value in item.sizing.base.items()
    ]
    yield table(("", "Base", "Per 100 users more"), by_size)


def _facts(deployment: Deployment, component: Component) -> Iterator[tuple[str, str]]:
    item = component.description
    if component.hostname:
        yield "Host name", f"`{component.hostname}`"
    yield "Runs on", f"the first host of the group `{item.placement}`, or `host`"
    if item.provides:
        yield "Provides", ", ".join(code(kind) for kind in item.provides)
    yield "Container network", code(deployment.container_subnet(component))
    yield "User ids on the host", f"`{component.uid_base}` to `{component.uid_base + 65_535}`"
    if item.needs.postgresql:
        extensions = ", ".join(item.needs.postgresql.extensions)
        yield "Database", code(item.needs.postgresql.database) + (f" with {extensions}" if extensions else "")
    if item.needs.valkey:
        yield "Cache", f"an instance of its own on port {component.valkey_port}"
    if item.needs.bucket:
        pages = ", reached by the application's pages (CORS)" if item.needs.bucket.cors else ""
        yield "Bucket", f"versions {item.needs.bucket.versioning}{pages}"
    if item.needs.oidc_client:
        yield "Sign-in", f"a client of the identity provider, PKCE {item.needs.oidc_client.pkce}"
    if item.chart == "not-yet":
        yield "Kubernetes", "not yet"


def _options(item: ComponentFile) -> Iterator[tuple[str, str, str, str]]:
    for name, option in item.options.items():
        immutable = " Immutable." if option.immutable else ""
        yield code(name), _option_accepts(option), _option_default(option), option.description.strip() + immutable
    yield "`host`", "a host of its group", "the first one", "Host it runs on."
    if item.hostname:
        yield "`hostname`", "a host name", f"`{item.hostname}.<domain>`", "Its public host name. Immutable."


def _option_accepts(option: Option) -> str:
    if option.type == "choice":
        return ", ".join(code(choice) for choice in option.choices)
    return _KINDS[option.type]


def _option_default(option: Option) -> str:
    if option.required:
        return "required"
    value = str(option.default).lower() if isinstance(option.default, bool) else option.default
    return code(str(value).replace("{{ suite.domain }}", "<domain>")) if value is not None else "not set"


def _recipe(component: Component) -> str:
    if (component.folder / "image.yml").is_file():
        return (
            f"Where that registry cannot be reached, `local` builds the image from `roles/{component.slug}/image.yml`."
        )
    return "There is no recipe: where that registry cannot be reached, the component is skipped on `local`."


def _services(component: Component) -> Iterator[tuple[object, ...]]:
    for name, service in component.description.services.items():
        probe = service.probe
        ports = sorted({port for port in (service.port, probe.port if probe else None) if port})
        inside = ", ".join(str(port) for port in ports)
        outside = ", ".join(str(component.loopback_port(name, port)) for port in ports)
        ready = f"`{probe.http}` answers {probe.status} (within {probe.timeout} s)" if probe else "it runs"
        yield code(f"{component.slug}-{name}.service"), inside, outside, service.user, service.memory, ready


def _route(component: Component, route: Route) -> tuple[str, str, str, str]:
    host = f"`{component.hostname}`" if route.host == "self" else f"`{EXAMPLE_DOMAIN}`"
    if route.deny:
        what = "refused (404)"
    elif route.redirect:
        what = f"redirect to `{route.redirect}`"
    elif route.respond is not None:
        what = "answered by edge itself"
    else:
        what = f"to `{route.to}`" + (", websockets" if route.websocket else "")
    return host, code(route.path), route.match, what


def _purpose(item: ComponentFile, name: str, purpose: str) -> str:
    secret = item.secrets.get(name.split(".", 1)[1])
    return f"{purpose} (profile `dev` only)" if secret and secret.dev_only else purpose


def _wanted(value: Any) -> str:
    if value == "absent":
        return "absent"
    return code(str(value).lower() if isinstance(value, bool) else value)


def _data(component: Component) -> Iterator[tuple[str, str, str]]:
    item, slug = component.description, component.slug
    if item.needs.postgresql:
        yield (
            f"database `{item.needs.postgresql.database}`",
            "`/srv/postgresql` on the data host",
            item.backup.database or "not",
        )
    for name in item.volumes:
        yield f"volume `{name}`", f"`/srv/{slug}/{name}`", "files" if name in item.backup.volumes else "not"
    if item.needs.bucket:
        yield "bucket", "object store", item.backup.bucket or "not"
    for name in item.backup.secrets:
        yield f"secret `{slug}.{name}`", "`secrets.yml`", "secret"
