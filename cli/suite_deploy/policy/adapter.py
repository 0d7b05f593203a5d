# SPDX-License-Identifier: MIT
"""Deployment and rendered tree → the subject that rules judge. The only place that knows both shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

from ..images.lock import read_lock
from ..model.deployment import Component, Deployment
from .imageref import parse_reference
from .profiles import Profile
from .register import Register
from .subject import ComponentView, ImageUse, LeakKey, Subject

if TYPE_CHECKING:
    from ..render.tree import RenderedService, RenderedTree

#: how the renderer writes an image whose digest is not known yet
UNRESOLVED = "@image:"
UNITS = "/etc/containers/systemd/"
#: how findings call what a component has the edge answer
ROUTES = "routes.json"
_IMAGE_LINE = re.compile(r"^\s*Image=(\S+)\s*$", re.MULTILINE)


def subject_of(
    deployment: Deployment,
    tree: RenderedTree | None,
    *,
    register: Register,
    profile: Profile,
    on: date,
    ambient: Mapping[str, str],
) -> Subject:
    """The subject of a deployment. tree: None leaves rendered configuration out (the pack has none)."""
    pins = {} if deployment.is_local else {name: pin.digest for name, pin in read_lock(deployment.images_lock).items()}
    components = tuple(_component(deployment, item, tree, pins) for item in deployment.ordered)
    written = deployment.suite.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def locate(key: tuple[str, ...]) -> tuple[str, int]:
        place = deployment.place(*_path(key))
        return place.file, place.line

    return Subject(
        name=deployment.suite.suite,
        document=written,
        register=register,
        profile=profile,
        on=on,
        components=components,
        shared_files=_shared(tree),
        ambient=ambient,
        public_names=(*deployment.public_names, *deployment.data_names),
        derived_hosts={} if deployment.suite.infrastructure.hosts else _derived(deployment),
        locate=locate,
    )


def _derived(deployment: Deployment) -> dict[str, dict[str, object]]:
    """Hosts that nobody wrote, in the words of those that somebody does."""
    return {
        host.name: {"groups": list(host.groups), "public": host.public, "volumes": dict(host.volumes)}
        for host in deployment.hosts
    }


def _component(
    deployment: Deployment, item: Component, tree: RenderedTree | None, pins: Mapping[str, str]
) -> ComponentView:
    from ..render.edgevars import egress

    described, mirror = item.description, deployment.suite.images.mirror
    services = [service for service in tree.services if service.component == item.slug] if tree else []
    files: dict[str, str] = {}
    if tree:
        files |= tree.config_files(item.slug)
        files |= {
            file.path.removeprefix(UNITS): file.content
            for file in tree.files
            if file.component == item.slug and file.path.startswith(UNITS)
        }
    said = [{"redirect": route.redirect, "respond": route.respond} for route in described.routes]
    if any(route["redirect"] or route["respond"] for route in said):
        # what the edge answers in the component's name; expressions in it only ever name the suite's own
        files[ROUTES] = json.dumps(said, ensure_ascii=False)
    return ComponentView(
        slug=item.slug,
        title=described.title,
        provides=tuple(described.provides),
        options=item.options,
        egress=egress(deployment, item),
        leaks=tuple(LeakKey(leak.id, leak.where, leak.key, leak.value, leak.why) for leak in described.leaks),
        files=files,
        env={service.name: service.env for service in services},
        images=(*_images(services, pins, mirror), *_images_in_units(files, services)),
        host_network=tuple(_unconfined(item, tree)),
        public_ports=tuple(
            f"{port.proto}/{port.ports}"
            for service in described.services.values()
            for port in service.listen
            if port.public
        ),
        needs_bucket=described.needs.bucket is not None,
        declared_hosts=tuple(_option_hosts(item)),
    )


def _unconfined(item: Component, tree: RenderedTree | None) -> Iterator[str]:
    """Services on the host's network whose way out the packet filter does not confine."""
    rules = tree.host_vars.get(item.host, {}).get("host_firewall_output", []) if tree else []
    if not any(rule["first_uid"] == item.uid_base for rule in rules):
        yield from (name for name, service in item.description.services.items() if service.network == "host")


def _images(services: list[RenderedService], pins: Mapping[str, str], mirror: str | None) -> Iterator[ImageUse]:
    """Each image as its unit names it; before it is resolved, as the lock and the mirror will have it."""
    for service in services:
        owner = f"{'job' if service.is_job else 'service'} {service.name}"
        pinned = pins.get(service.upstream_image)
        if not service.image.startswith(UNRESOLVED):
            yield ImageUse(owner, service.image, service.image.rpartition("@")[2] == pinned)
            continue
        upstream = parse_reference(service.upstream_image)
        name = f"{mirror.rstrip('/')}/{upstream.path}" if mirror else upstream.repository
        yield ImageUse(owner, f"{name}@{pinned}" if pinned else f"{name}:{upstream.tag}", pinned is not None)


def _images_in_units(files: Mapping[str, str], services: list[RenderedService]) -> Iterator[ImageUse]:
    """Images that a unit names and no service does: what is judged is what will be installed."""
    known = {service.image for service in services}
    for name, text in files.items():
        for match in _IMAGE_LINE.finditer(text):
            if name.endswith((".container", ".image", ".volume")) and match.group(1) not in known:
                yield ImageUse(f"unit {name}", match.group(1), False)


def _option_hosts(item: Component) -> Iterator[str]:
    for name, option in item.description.options.items():
        value = item.options.get(name)
        if option.type in ("hostname", "peers") and value:
            yield from (value,) if isinstance(value, str) else value


def _shared(tree: RenderedTree | None) -> dict[str, str]:
    if tree is None:
        return {}
    texts = {f"variables of {host}": _text(values) for host, values in tree.host_vars.items()}
    return {**texts, "variables of every host": _text(tree.all_vars)}


def _text(values: Mapping[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False, default=str, sort_keys=True)


def _path(key: tuple[str, ...]) -> tuple[str | int, ...]:
    """`("ssh", "from[0]")` → `("ssh", "from", 0)`."""
    parts: list[str | int] = []
    for part in key:
        name, _, index = part.partition("[")
        parts.append(name)
        if index:
            parts.append(int(index.rstrip("]")) if index.rstrip("]").isdigit() else index)
    return tuple(parts)
