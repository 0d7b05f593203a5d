# SPDX-License-Identifier: MIT
"""The same rules as policies of the engine: judged in this process, without an engine."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from suite_deploy.policy import coverage, ruleset
from suite_deploy.policy.waivers import from_entry
from tests.checkout import ROOT

from .pack import PROVIDER, judge, proxy, pulumi_pack, violations
from .support import one_rule, raises, subject

pulumi_policy = pytest.importorskip("pulumi_policy")

UNKNOWN = proxy.UNKNOWN_STRING_VALUE
NETWORK = "openstack:networking/network:Network"


def test_a_resource_in_the_declared_region_passes() -> None:
    assert violations(NETWORK, {"name": "n"}) == {}


def test_a_resource_elsewhere_is_a_violation() -> None:
    found = violations(NETWORK, {"region": "GRA11"})
    assert list(found) == ["REG-004.region_declared"]
    assert found["REG-004.region_declared"] == "REG-004: thing: lies in GRA11; the inventory declares eu-west-sbg-snc."


def test_an_unknown_region_is_a_violation_and_not_mere_advice() -> None:
    assert "REG-005.place_known" in violations(NETWORK, {"region": UNKNOWN})
    assert "REG-005.place_known" in violations(NETWORK, {}, {**PROVIDER, "region": UNKNOWN})
    assert "REG-005.place_known" in violations(NETWORK, {"availabilityZoneHints": [UNKNOWN]})


@pytest.mark.parametrize("deep", [UNKNOWN, {"a": UNKNOWN}, [UNKNOWN], [{"a": [UNKNOWN]}]])
def test_no_unknown_value_escapes_a_rule(deep: Any) -> None:
    """The SDK answers an escaping unknown with advice, whatever the level."""
    for kind in coverage.types():
        violations(kind, {"anything": deep, "volumeType": deep, "securityGroupId": deep, "remoteIpPrefix": deep})


def test_a_type_nobody_looked_at_is_a_violation() -> None:
    assert "REG-006.type_listed" in violations("openstack:dns/zone:Zone", {})


def test_a_waiver_covers_exactly_its_resource() -> None:
    entry = {
        "rule": "REG-006",
        "target": "urn:pulumi:region-x::suite-openstack::openstack:dns/zone:Zone::thing",
        "reason": "looked at in change 17",
        "approver": "CISO",
        "ticket": "SEC-1",
        "created": date(2026, 9, 1),
        "expires": date(2026, 12, 1),
    }
    given = judge((from_entry(entry, 0),))
    assert "REG-006.type_listed" not in violations("openstack:dns/zone:Zone", {}, given=given)
    other = judge((from_entry(entry | {"target": f"{entry['target']}2"}, 0),))
    assert "REG-006.type_listed" in violations("openstack:dns/zone:Zone", {}, given=other)


def test_levels_are_those_of_the_profile() -> None:
    levels = {policy.name: policy.enforcement_level for policy in pulumi_pack.policies_for(judge())}
    assert levels["REG-004.region_declared"] is pulumi_policy.EnforcementLevel.MANDATORY
    assert levels["ENC-001.volume_encrypted"] is pulumi_policy.EnforcementLevel.ADVISORY
    relaxed = {item.name: item for item in pulumi_pack.policies_for(judge(base="public"))}
    assert relaxed["REG-005.place_known"].enforcement_level is pulumi_policy.EnforcementLevel.ADVISORY
    assert "QUA-004.resource_service" not in relaxed


def test_every_clause_on_resources_is_in_the_pack_and_nothing_else() -> None:
    wanted = {
        f"{rule.id}.{clause.name}" for rule in ruleset.load().rules for clause in rule.clauses if clause.on_resources
    }
    assert {policy.name for policy in pulumi_pack.policies_for(judge())} == wanted | {"inventory"}


def test_a_refused_inventory_refuses_every_update() -> None:
    given = pulumi_pack.Judge(subject(), (), ruleset.load(), ("REG-001: infrastructure.region: no.",))
    assert violations("pulumi:pulumi:Stack", {}, {}, given=given) == {
        "inventory": "REG-001: infrastructure.region: no."
    }


def test_a_rule_that_raises_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given = pulumi_pack.Judge(subject(), (), one_rule(raises, ("*",)), ())
    with pytest.raises(RuntimeError, match="KeyError"):
        violations(NETWORK, {}, given=given)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"SUITE_DEPLOY_INVENTORY": "a"}, "a"),
        ({"PULUMI_CONFIG": '{"suite:inventory": "b"}'}, "b"),
        ({"PULUMI_CONFIG": '{"suite:inventory": "b", "x:inventory": "c"}'}, "b"),
        ({"PULUMI_CONFIG": '{"x:inventory": "c"}'}, None),
        ({"PULUMI_CONFIG": "no json"}, None),
        ({}, None),
    ],
)
def test_the_inventory_is_named_by_the_environment_or_the_stack(environ: dict[str, str], name: str | None) -> None:
    assert pulumi_pack.inventory_named(environ) == name


@pytest.mark.parametrize("environ", [{}, {"SUITE_DEPLOY_INVENTORY": "no-such-inventory"}])
def test_without_an_inventory_everything_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    (policy,) = pulumi_pack.policies(environ, tmp_path)
    said: list[str] = []
    policy.validate(
        SimpleNamespace(resource_type="random:index/randomId:RandomId"), lambda message: said.append(message)
    )
    assert said
    assert policy.enforcement_level is pulumi_policy.EnforcementLevel.MANDATORY


def test_every_listed_type_is_marked_and_judged_as_marked() -> None:
    rules = ruleset.load().rules
    for kind, item in coverage.types().items():
        exact = [
            rule.id
            for rule in rules
            for clause in rule.clauses
            if clause.types
            and any(kind == known or (known.endswith(":") and kind.startswith(known)) for known in clause.types)
        ]
        assert item.judged == "harmless" or exact, f"{kind} is marked checked and no rule names it"
        assert item.judged == "checked" or item.why or kind.startswith(("ovh:", "pulumi:providers:random")), kind


def test_types_our_stacks_create_are_listed() -> None:
    """Grows with the stacks: every resource class that a stack's program names is on the list."""
    import re

    used = set()
    for path in (ROOT / "stacks").rglob("*.py"):
        used |= set(re.findall(r"\b(openstack|ovh)\.(\w+)\.([A-Z]\w+)\(", path.read_text()))
    listed = {
        (kind.partition(":")[0], kind.split(":")[1].partition("/")[0].lower(), kind.rpartition(":")[2])
        for kind in coverage.types()
    }
    missing = {
        item
        for item in used
        if (item[0], item[1].replace("_", ""), item[2]) not in listed and not item[2].endswith("Args")
    }
    assert not missing


def test_the_pack_names_its_version_and_runtime() -> None:
    described = yaml.safe_load((ROOT / "policies/pack/PulumiPolicy.yaml").read_text())
    assert described["runtime"]["name"] == "python"
    assert described["version"]
