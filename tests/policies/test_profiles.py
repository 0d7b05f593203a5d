# SPDX-License-Identifier: MIT
"""What each profile asks for: place, label, control, evidence, and of whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.policy import profiles
from suite_deploy.policy.register import builtin

from .support import failing, subject, verdict

PUBLIC = {"offer": "ovhcloud/public-cloud", "region": "GRA11", "auth_url": "https://auth.cloud.ovh.net/v3"}
CLEURA = {"offer": "cleura/public-cloud", "region": "Sto2", "auth_url": "https://sto2.citycloud.com:5000/v3/"}
ZETTA = {"offer": "zetta/io", "region": "no-osl1", "auth_url": "https://identity.api.zetta.io/v3"}
INFOMANIAK = {
    "offer": "infomaniak/public-cloud",
    "region": "dc3-a",
    "auth_url": "https://api.pub1.infomaniak.cloud/identity/v3",
}
STATE, HEALTH, COMMUNE = (
    {"entity": "state", "sensitivity": "particular"},
    {"entity": "hospital", "sensitivity": "health"},
    {"entity": "commune", "sensitivity": "particular"},
)


def blocking(
    profile: str, infrastructure: dict[str, Any], data: dict[str, str] | None = None, base: str = "snc"
) -> set[str]:
    lines = {"profile": profile, "infrastructure": infrastructure, "data": data}
    return failing(verdict(subject(base, suite=lines)), blocking=True)


@pytest.mark.parametrize("name", ["fr-snc", "fr-hds", "eu-strict", "eu", "dev"])
def test_every_profile_of_the_schema_is_there(name: str) -> None:
    assert profiles.load(name).name == name
    assert name in profiles.names()


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="Profiles: dev, eu, eu-strict, fr-hds, fr-snc"):
        profiles.load("fr-secret")


def test_only_fr_hds_is_provisional() -> None:
    assert [name for name in profiles.names() if profiles.load(name).provisional] == ["fr-hds"]


def test_lists_of_hosts_are_resolved() -> None:
    for name in profiles.names():
        profile = profiles.load(name)
        for group in (profile.allow, profile.refuse):
            for items in group.model_dump().values():
                assert all("." in item or ":" in item for item in items), name


@pytest.mark.parametrize(
    ("profile", "infrastructure", "data", "rules"),
    [
        ("fr-snc", {}, STATE, set()),
        ("fr-snc", PUBLIC, STATE, {"REG-001"}),
        ("fr-snc", PUBLIC, COMMUNE, set()),
        ("fr-snc", PUBLIC, None, {"REG-001", "QUA-006"}),
        ("fr-snc", ZETTA, COMMUNE, {"REG-008"}),
        ("eu-strict", PUBLIC, None, set()),
        ("eu-strict", {}, None, set()),
        ("eu-strict", {"evidence": None}, None, {"REG-001"}),
        ("eu-strict", CLEURA | {"evidence": None}, None, {"REG-001"}),
        ("eu-strict", CLEURA, None, set()),
        ("eu-strict", ZETTA, None, {"REG-008"}),
        ("eu-strict", INFOMANIAK, None, {"REG-008"}),
        ("eu", PUBLIC | {"evidence": None}, None, set()),
        ("eu", CLEURA | {"evidence": None}, None, set()),
        ("eu", ZETTA, None, set()),
        ("eu", INFOMANIAK, None, {"REG-008"}),
        ("dev", INFOMANIAK, None, set()),
    ],
)
def test_what_blocks_where(profile: str, infrastructure: dict[str, Any], data: Any, rules: set[str]) -> None:
    assert blocking(profile, infrastructure, data) == rules


def test_health_data_needs_a_certified_host() -> None:
    assert blocking("fr-hds", {}, HEALTH, base="outscale") == set()
    assert blocking("fr-hds", PUBLIC, HEALTH) == {"REG-001"}
    assert blocking("fr-hds", PUBLIC, {"entity": "hospital", "sensitivity": "ordinary"}) == set()


def test_a_provider_outside_the_union_fails_strict_control_wherever_its_disks_are() -> None:
    assert blocking("eu-strict", {"endpoint": "ovh-us"}, base="public") == {"REG-003", "REG-008"}


def test_before_the_decree_nobody_was_bound() -> None:
    lines = {"infrastructure": PUBLIC, "data": STATE}
    assert "REG-001" not in failing(verdict(subject(suite=lines, on=date(2026, 4, 16))), blocking=True)
    assert "REG-001" in failing(verdict(subject(suite=lines, on=date(2026, 4, 17))), blocking=True)


@pytest.mark.parametrize(
    ("dates", "link", "auth", "delivered", "confidence"),
    [
        ("A", "A", "A", False, "A"),
        ("B", "A", "A", False, "B"),
        ("A", "B", "A", False, "B"),
        ("A", "A", "C", False, "C"),
        ("A", "C", "A", False, "C"),
        ("C", "A", "A", False, "C"),
        ("K", "A", "A", False, "K"),
        # a host that only the contract names is the operator's word
        ("A", "A", "A", True, "C"),
    ],
)
def test_the_lowest_confidence_decides(dates: Any, link: Any, auth: Any, delivered: bool, confidence: str) -> None:
    data = builtin().data
    offers = tuple(
        row.model_copy(update={"confidence": row.confidence.model_copy(update={"dates": dates, "decision": "C"})})
        for row in data.offers
    )
    hosts = "delivered" if delivered else ("auth.region-x.snc.example",)
    regions = tuple(
        row.model_copy(update={"link": link, "auth_confidence": auth, "auth_hosts": hosts})
        if "eu-west-sbg-snc" in row.ids
        else row
        for row in data.regions
    )
    register = replace(builtin(), data=data.model_copy(update={"offers": offers, "regions": regions}))
    without = subject(suite={"infrastructure": {"evidence": None}}, register=register)
    assert without.confidence == confidence
    asked = [item for item in verdict(without).findings if item.clause == "evidence_where_unsure" and item.is_blocking]
    assert bool(asked) == (confidence in ("C", "K"))


def test_a_decision_number_seen_once_is_shown_and_does_not_block() -> None:
    found = verdict(subject())
    assert not found.blocking
    assert "decision number of confidence C" in found.evidence["hosting"][0]
