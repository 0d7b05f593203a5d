# SPDX-License-Identifier: MIT
"""Every shipped inventory, with one thing flipped: exactly the declared rules see it, and no other.

What is compared are findings that were not there before, so that refused examples are mutated too. Wanted values of
leaks stay as component.yml has them: only the rendered tree is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest
import yaml

from suite_deploy.policy.findings import Status, Verdict
from suite_deploy.policy.scan import ABSENT, MISSING, setting
from suite_deploy.render.render import render
from suite_deploy.render.tree import RenderedTree

from .support import EXAMPLES, REGISTER_DAY, deployment, judge, with_file

#: example → (region put in its place, rules that see it)
REGIONS: dict[str, tuple[str, set[str]]] = {
    "example-existing-accepted": ("eu-west-2", {"REG-001"}),
    "example-openstack-accepted": ("GRA11", {"REG-001", "REG-003"}),
    "example-openstack-refused": ("BHS5", {"REG-008"}),
    "example-ovh-accepted": ("UK1", {"REG-008"}),
    "example-ovh-refused": ("US-EAST-VA-1", {"REG-001", "REG-008"}),
    "example-outscale-accepted": ("eu-west-2", {"REG-001", "REG-003"}),
    "example-outscale-refused": ("us-east-2", {"REG-001", "REG-008"}),
}
#: example → (key, endpoint put in its place, rules that see it)
ENDPOINTS: dict[str, tuple[str, str, set[str]]] = {
    "example-openstack-accepted": ("auth_url", "https://auth.cloud.ovh.us/v3", {"REG-003", "REG-008"}),
    "example-openstack-refused": ("auth_url", "http://auth.cloud.ovh.net/v3", {"REG-009"}),
    "example-ovh-accepted": ("endpoint", "ovh-us", {"REG-003", "REG-008"}),
    "example-ovh-refused": ("endpoint", "ovh-eu", set()),
    "example-outscale-accepted": ("endpoint", "https://api.us-east-2.outscale.com/api/v1", {"REG-003"}),
    "example-outscale-refused": ("endpoint", "http://api.eu-west-2.outscale.com/api/v1", {"REG-009"}),
}
#: example → (day, rules that see it)
DATES: dict[str, tuple[date, set[str]]] = {
    "example-existing-accepted": (date(2028, 5, 31), {"QUA-003"}),
    "example-openstack-accepted": (date(2029, 8, 1), {"QUA-002", "QUA-003"}),
    "example-openstack-refused": (date(2029, 8, 1), {"QUA-003"}),
    "example-ovh-accepted": (date(2029, 8, 1), {"QUA-003"}),
    "example-ovh-refused": (date(2029, 8, 1), {"QUA-003"}),
    "example-outscale-accepted": (date(2026, 12, 1), {"QUA-002", "QUA-003"}),
    "example-outscale-refused": (date(2026, 12, 1), {"QUA-002", "QUA-003"}),
    "example-existing-refused": (date(2029, 8, 1), set()),
    "example-local-accepted": (date(2029, 8, 1), set()),
    "example-local-refused": (date(2029, 8, 1), set()),
    "demo": (date(2029, 8, 1), set()),
}
#: nothing in them can be flipped: hosts on this machine, or hosts that name no place
WITHOUT_REGION = {"demo", "example-local-accepted", "example-local-refused", "example-existing-refused"}
WITHOUT_ENDPOINT = WITHOUT_REGION | {"example-existing-accepted"}
#: leak keys that more than one rule watches: key → further rules that see the flipped value
ALSO_SEEN_BY: dict[str, set[str]] = {
    "MISTRAL_SDK_API_KEY": {"EGR-007"},
    "OPENAI_API_KEY": {"EGR-007"},
}


def failures(given: Verdict) -> set[tuple[str, str, str]]:
    return {
        (item.rule, item.target, item.message) for item in given.findings if item.status in (Status.FAIL, Status.ERROR)
    }


@cache
def rendered(name: str) -> RenderedTree:
    return render(deployment(name))


@cache
def before(name: str) -> frozenset[tuple[str, str, str]]:
    return frozenset(failures(judge(deployment(name), rendered(name))))


def newly(name: str, after: Verdict) -> set[str]:
    """Rules with a finding that the untouched example does not have."""
    return {rule for rule, _, _ in failures(after) - before(name)}


def test_no_shipped_inventory_is_left_out() -> None:
    assert set(REGIONS) | WITHOUT_REGION == set(EXAMPLES)
    assert set(ENDPOINTS) | WITHOUT_ENDPOINT == set(EXAMPLES)
    assert set(DATES) == set(EXAMPLES)


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_a_flipped_region_is_seen(name: str) -> None:
    region, rules = REGIONS[name]
    changed = deployment(name, **{"infrastructure.region": region})
    assert newly(name, judge(changed)) == rules


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_a_flipped_endpoint_is_seen(name: str) -> None:
    key, endpoint, rules = ENDPOINTS[name]
    changed = deployment(name, **{f"infrastructure.{key}": endpoint})
    assert newly(name, judge(changed)) == rules


@pytest.mark.parametrize("name", sorted(DATES))
def test_a_flipped_date_is_seen(name: str) -> None:
    day, rules = DATES[name]
    assert newly(name, judge(deployment(name), rendered(name), on=day)) == rules


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    "registry", ["registry.example.evil.example", "docker.io.evil.example", "registry.demo.test.evil"]
)
def test_a_flipped_image_registry_is_seen(name: str, registry: str) -> None:
    given, tree = deployment(name), rendered(name)
    for service in tree.services:
        upstream = service.upstream_image
        pinned = (
            [line.strip() for line in given.images_lock.read_text().splitlines()] if given.images_lock.is_file() else []
        )
        digest = next((pinned[i + 1].split(": ")[1] for i, line in enumerate(pinned) if line == f"{upstream}:"), "")
        reference = f"{registry}/{upstream.partition('/')[2].rpartition(':')[0]}@{digest or 'sha256:' + '0' * 64}"
        services = tuple(replace(item, image=reference) if item is service else item for item in tree.services)
        unit = f"/etc/containers/systemd/{service.unit.removesuffix('.service')}.container"
        text = next(item.content for item in tree.files if item.path == unit)
        changed = with_file(replace(tree, services=services), unit, text.replace(service.image, reference))
        after = newly(name, judge(given, changed))
        # without a lock the digest is nobody's, which is another rule's to say
        assert after - {"IMG-002"} == {"IMG-001"}, (service.name, after)
        assert digest == "" or "IMG-002" not in after


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_image_that_only_a_unit_names_is_seen(name: str) -> None:
    tree = rendered(name)
    unit = next(item for item in tree.files if item.path.endswith(".container"))
    changed = with_file(tree, unit.path, unit.content + "\n[Container]\nImage=evil.example/x:1\n")
    assert "IMG-001" in newly(name, judge(deployment(name), changed))


def leaks(name: str) -> Iterator[tuple[str, Any]]:
    for component in deployment(name).ordered:
        for leak in component.description.leaks:
            yield component.slug, leak


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_flipped_leak_key_is_seen(name: str) -> None:
    given, tree, seen = deployment(name), rendered(name), 0
    for slug, leak in leaks(name):
        changed = mutated(tree, slug, leak.where, leak.key, other(leak.value))
        after = newly(name, judge(given, changed))
        assert after == {"EGR-002"} | ALSO_SEEN_BY.get(leak.key, set()), (slug, leak.id, after)
        seen += 1
    assert seen


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_removed_leak_key_is_seen(name: str) -> None:
    given, tree = deployment(name), rendered(name)
    for slug, leak in leaks(name):
        if leak.value == ABSENT:
            continue
        changed = mutated(tree, slug, leak.where, leak.key, MISSING)
        assert newly(name, judge(given, changed)) == {"EGR-002"}, (slug, leak.id)


def other(wanted: Any) -> Any:
    """A value that is not the wanted one, and that names no host."""
    if isinstance(wanted, bool):
        return not wanted
    if isinstance(wanted, (int, float)):
        return wanted + 1
    if isinstance(wanted, list):
        return [*wanted, "mutated"]
    if isinstance(wanted, dict):
        return {**wanted, "mutated": True}
    return "mutated"


def mutated(tree: RenderedTree, slug: str, where: str, key: str, value: Any) -> RenderedTree:
    """The tree with one setting changed, or removed (MISSING), in the place a leak names."""
    kind, _, name = where.partition(":")
    if kind == "env":
        services = []
        for service in tree.services:
            if (service.component, service.name) == (slug, name):
                env = {item: text for item, text in service.env.items() if item != key}
                service = replace(service, env=env if value is MISSING else {**env, key: str(value)})
            services.append(service)
        assert tuple(services) != tree.services, f"{slug} {where} {key} was not changed"
        return replace(tree, services=tuple(services))
    path = f"/etc/suite/{slug}/files/{name}"
    text = next(item.content for item in tree.files if item.path == path)
    data = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    put(data, key, value)
    assert setting(data, key) == value
    return with_file(tree, path, json.dumps(data) if name.endswith(".json") else yaml.safe_dump(data))


def put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set or remove a dotted key; a key written with dots is taken whole first."""
    if key in data or "." not in key:
        if value is MISSING:
            data.pop(key, None)
        else:
            data[key] = value
        return
    head, _, rest = key.partition(".")
    put(data.setdefault(head, {}), rest, value)


def test_the_clock_of_these_tests_is_the_registers() -> None:
    assert date(2026, 9, 15) == REGISTER_DAY
