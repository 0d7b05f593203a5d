# SPDX-License-Identifier: MIT
"""The registry of components: every `roles/<slug>/component.yml`, and the typed options an operator may write."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, create_model

from ..errors import InvalidInput, Problem
from ..paths import resource_root
from .component import ComponentFile, Option
from .strict import Strict
from .validation import nearest, validate
from .values import HostName, Hostname, hostname
from .yamlfile import Place, load_yaml

DESCRIPTION_FILE = "component.yml"


@lru_cache(maxsize=1)
def slugs() -> tuple[str, ...]:
    """Every component there is, by name. Reads folder names only."""
    return tuple(sorted(path.parent.name for path in (resource_root() / "roles").glob(f"*/{DESCRIPTION_FILE}")))


@lru_cache(maxsize=64)
def describe(slug: str, instance: str | None = None) -> ComponentFile:
    """The validated description of one component, or of one of its instances.

    Raises InvalidInput with every problem in its file.
    """
    path = folder(slug) / DESCRIPTION_FILE
    loaded = load_yaml(path)
    data = _with_ports(_of_instance(loaded.data, instance))
    description, problems = validate(ComponentFile, data, loaded.place)
    if description is None or problems:
        raise InvalidInput(problems)
    problems = _contradictions(loaded.name, description)
    if problems:
        raise InvalidInput(problems)
    return description


def _of_instance(data: Any, instance: str | None) -> Any:
    """The description with what one instance replaces in it."""
    if instance is None:
        return data
    own = {key: value for key, value in data["instances"][instance].items() if key != "need"}
    merged = {key: {**data.get(key, {}), **value} if isinstance(value, dict) else value for key, value in own.items()}
    return {**data, **merged}


def _with_ports(data: Any) -> Any:
    """The description with `ports.<name>` replaced by that port, wherever it is a value."""
    ports = data.get("ports") if isinstance(data, dict) else None
    if not isinstance(ports, dict):
        return data

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        name = value.removeprefix("ports.") if isinstance(value, str) and value.startswith("ports.") else None
        return ports.get(name, value) if name else value

    return replaced(data)


def folder(slug: str) -> Path:
    """Where everything about a component is kept."""
    return resource_root() / "roles" / slug


def _contradictions(name: str, item: ComponentFile) -> list[Problem]:
    """References inside one description that lead nowhere."""
    problems = []

    def check(key: str, target: str, known: Mapping[str, Any] | tuple[str, ...], kind: str) -> None:
        if target not in known:
            near = f"{kind} there are: {', '.join(known) or 'none'}."
            problems.append(Problem(name, 0, key, f"{target!r} is no {kind} of this component.", near))

    for service, value in item.services.items():
        check(f"services.{service}.image", value.image, item.images, "image")
        for index, listen in enumerate(value.listen):
            if listen.sni:
                check(f"services.{service}.listen[{index}].sni", listen.sni, item.hostnames, "host name")
    for job, task in item.jobs.items():
        check(f"jobs.{job}.image", task.image, item.images, "image")
    for file, text in item.files.items():
        for service in text.services:
            check(f"files.{file}.services", service, item.services, "service")
    for volume, data in item.volumes.items():
        for service in data.services:
            check(f"volumes.{volume}.services", service, item.services, "service")
    if item.needs.bucket and "s3" not in item.needs.bucket.interfaces:
        found = "lacks `s3`, and the suite's own object store speaks nothing else."
        problems.append(Problem(name, 0, "needs.bucket.interfaces", found))
    for index, route in enumerate(item.routes):
        if route.auth:
            check(f"routes[{index}].auth.service", route.auth.service, item.services, "service")
        if route.to and route.to != "bucket":
            check(f"routes[{index}].to", route.to, item.services, "service")
        elif route.to == "bucket" and not item.needs.bucket:
            problems.append(Problem(name, 0, f"routes[{index}].to", "leads to a bucket that `needs` does not name."))
        elif route.to == "bucket" and item.needs.bucket and "swift" in item.needs.bucket.interfaces:
            found = "edge asks buckets in S3's way, and `needs.bucket.interfaces` has `swift`."
            problems.append(Problem(name, 0, f"routes[{index}].to", found))
        if route.host == "self" and not item.hostname:
            problems.append(Problem(name, 0, f"routes[{index}].host", "is `self`, but the component has no hostname."))
    for index, leak in enumerate(item.leaks):
        kind, _, target = leak.where.partition(":")
        check(f"leaks[{index}].where", target, item.files if kind == "file" else item.services, kind)
    for name_ in item.backup.volumes:
        check("backup.volumes", name_, item.volumes, "volume")
    return problems


def options_model(slug: str, description: ComponentFile) -> type[Strict]:
    """A pydantic model of what may stand under `components.<slug>`, with common keys."""
    fields: dict[str, Any] = {name: _field(option) for name, option in description.options.items()}
    fields["host"] = (HostName | None, Field(default=None, description="host it runs on"))
    if description.hostname and not description.instances:
        fields["hostname"] = (Hostname | None, Field(default=None, description="its public host name"))
    return create_model(f"Options_{slug}", __base__=Strict, **fields)


def _field(option: Option) -> tuple[Any, Any]:
    kinds: dict[str, Any] = {
        "string": Annotated[str, Field(min_length=1)],
        "boolean": bool,
        "integer": int,
        "hostname": Hostname,
        "peers": Annotated[Any, AfterValidator(_peers), WithJsonSchema(_PEERS_SCHEMA)],
    }
    kind = Literal[option.choices] if option.type == "choice" else kinds[option.type]
    if option.required:
        return kind, Field(description=option.description)
    # defaults may be expressions over the suite; the loader resolves them
    return kind | None, Field(default=None, description=option.description)


_PEERS_SCHEMA = {"anyOf": [{"enum": ["closed", "open"]}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}


def _peers(value: Any) -> str | tuple[str, ...]:
    if value in ("closed", "open"):
        return str(value)
    if value == []:
        raise ValueError("an empty list of peers: write `closed` instead")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{value!r} is not accepted. Accepted: closed, open, or a list of server names")
    return tuple(hostname(item) for item in value)


def read_options(
    written: Mapping[str, dict[str, Any] | None], place: Any
) -> tuple[dict[str, tuple[ComponentFile, dict[str, Any]]], list[Problem]]:
    """Validate `components:`; returns per slug its description and what the operator set (None where unset)."""
    result: dict[str, tuple[ComponentFile, dict[str, Any]]] = {}
    problems: list[Problem] = []
    for slug, options in written.items():
        path: tuple[Hashable, ...] = ("components", slug)
        where: Place = place(path)
        if slug not in slugs():
            near = nearest(slug, slugs())
            found = f"no such component. Did you mean `{near}`?" if near else "no such component."
            accepted = f"Components: {', '.join(slugs())}."
            problems.append(Problem(where.file, where.line, f"components.{slug}", found, accepted))
            continue
        description = describe(slug)
        model, found_problems = validate(
            options_model(slug, description), options, place, under=path, reference=f"See docs/reference/{slug}.md."
        )
        problems += found_problems
        if model is not None:
            result[slug] = (description, model.model_dump())
    return result, problems


def implied_provider(kind: str) -> str | None:
    """The component that is enabled by itself when somebody needs this kind."""
    able = [slug for slug in slugs() if kind in describe(slug).provides and describe(slug).implied]
    return able[0] if able else None


def able_to_provide(kind: str) -> list[str]:
    """Every component that provides a kind."""
    return [slug for slug in slugs() if kind in describe(slug).provides]


def default_of(option: Option, domain: str) -> Any:
    """An option's default; `{{ suite.domain }}` is the one expression a default may hold."""
    if isinstance(option.default, str):
        return option.default.replace("{{ suite.domain }}", domain)
    return option.default


def full_hostname(written: str | None, label: str | None, domain: str) -> str | None:
    """The component's public name: as written, or its label under the domain."""
    if written:
        return written
    return hostname(f"{label}.{domain}") if label else None
