# SPDX-License-Identifier: MIT
"""The register is sound, says where it is from, and only a newer, unaltered one replaces it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.errors import InvalidInput
from suite_deploy.policy.register import Register, builtin, supplied
from suite_deploy.policy.register_invariants import contradictions
from suite_deploy.policy.register_report import export_text, rows, text
from suite_deploy.policy.register_schema import EU, RegisterFile

from .support import REGISTER_DAY

REGISTER = builtin()


def changed(change: Callable[[dict[str, Any]], None]) -> list[str]:
    """What is wrong after a change of the built-in data."""
    data = REGISTER.data.model_dump(mode="json", by_alias=True)
    change(data)
    return contradictions(RegisterFile.model_construct(**parts(data)))


def parts(data: dict[str, Any]) -> dict[str, Any]:
    """The typed parts without the check of the whole."""
    fields = RegisterFile.model_fields
    from pydantic import TypeAdapter

    return {
        name: TypeAdapter(field.annotation).validate_python(data[field.alias or name]) for name, field in fields.items()
    }


def offer(data: dict[str, Any], key: str) -> dict[str, Any]:
    return next(item for item in data["offers"] if item["offer"] == key)


def test_the_built_in_register_contradicts_nothing() -> None:
    assert contradictions(REGISTER.data) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["regions"][0].update(offer="nobody/nothing"), "which is no offer"),
        (lambda data: data["regions"][0].update(provider="ovhcloud"), "is not that of outscale/iaas-cloud-on-demand"),
        (lambda data: data["regions"][0].update(source=["rumour"]), "source 'rumour' is not described"),
        (lambda data: data["offers"][0].update(since="2027-01-01"), "is after until"),
        (lambda data: data["offers"][0].update(until=None), "qualified without both dates"),
        (lambda data: data["offers"][0].update(decision=None), "qualified without a decision number"),
        (
            lambda data: data["offers"].append({**data["offers"][0], "since": "2026-11-30", "until": "2029-11-30"}),
            "overlaps",
        ),
        (lambda data: data["regions"][0].update(country="CH"), "says in the EU, its country is CH"),
        (lambda data: data["regions"].append(data["regions"][0]), "is listed twice"),
        (lambda data: data["regions"][0].update(auth_hosts=["https://api.example/"]), "is no host name"),
        (lambda data: data.update(checked_on="2026-09-14"), "before the catalogue's own date"),
    ],
)
def test_a_contradiction_is_found(change: Callable[[dict[str, Any]], None], said: str) -> None:
    found = changed(change)
    assert any(said in problem for problem in found), found


def test_a_renewal_is_a_second_row_that_follows() -> None:
    renewal = {"since": "2026-12-01", "until": "2029-11-30", "decision": "9999"}
    assert changed(lambda data: data["offers"].append({**data["offers"][0], **renewal, "since": "2026-12-01"})) == [
        "outscale/iaas-cloud-on-demand (secnumcloud): starts after the register was last checked"
    ]


def test_a_name_that_begins_with_eu_is_in_the_eu_only_when_its_country_is() -> None:
    named = [row for row in REGISTER.data.regions for name in row.ids if name.lower().startswith("eu")]
    assert len(named) > 20
    for row in named:
        assert row.eu == (row.country in EU), row.ids
    outside = {name for row in named if not row.eu for name in row.ids}
    assert {"eu-west-lz-zrh", "eu-north-lz-osl", "eu-west-eri", "eu-ch2"} <= outside


def test_every_row_has_source_date_and_confidence() -> None:
    for row in REGISTER.data.offers:
        assert row.source and row.date and row.confidence.status, row.offer
        assert all(REGISTER.source_text(name) for name in row.source)
        assert row.legal_entity is not None, row.offer
    for region in REGISTER.data.regions:
        assert region.source and region.date and region.confidence and region.link, region.ids


def test_every_decision_of_the_facts_is_there_with_its_confidence() -> None:
    found = {
        row.decision: row.confidence.decision
        for row in REGISTER.data.offers
        if row.label == "secnumcloud" and row.decision
    }
    single = {"3393", "559", "2279", "3389", "919", "3395", "1147", "2057", "1951"}
    assert found == {"2118": "B"} | dict.fromkeys(single, "C")


def test_dates_are_those_of_the_facts() -> None:
    ends = {row.offer: row.until for row in REGISTER.data.offers if row.label == "secnumcloud" and row.until}
    assert ends["outscale/iaas-cloud-on-demand"] == date(2026, 11, 30)
    assert ends["ovhcloud/hosted-private-cloud-vmware"] == date(2026, 12, 29)
    assert ends["ovhcloud/snc-cloud-platform"] == date(2029, 7, 31)
    assert ends["worldline/secured-iaas"] == date(2028, 3, 31)


def test_offers_often_taken_for_qualified_are_listed_as_what_they_are() -> None:
    status = {row.offer: row.status for row in REGISTER.data.offers if row.label == "secnumcloud"}
    assert status["scaleway/public-cloud"] == status["bleu/cloud"] == "in_progress"
    assert status["ovhcloud/public-cloud"] == status["outscale/public-cloud"] == "not_qualified"
    assert status["oodrive/meet-work-share"] == "unverified"


def test_a_region_is_looked_up_by_provider_and_host_not_by_name_alone() -> None:
    assert REGISTER.find_regions("eu-west-2", provider="outscale")[0].city == "Paris"
    assert REGISTER.find_regions("eu-west-2", provider="aws") == []
    assert REGISTER.find_regions("GRA11", auth_host="auth.cloud.ovh.us") == []
    assert REGISTER.find_regions("GRA11", auth_host="AUTH.cloud.ovh.net.")[0].city == "Gravelines"
    assert REGISTER.find_regions("cloudgouv-west-1") == []


def test_a_delivered_host_is_none_that_another_row_claims() -> None:
    (row,) = REGISTER.find_regions("eu-west-sbg-snc")
    assert REGISTER.has_auth_host(row, "keystone.delivered.example")
    assert not REGISTER.has_auth_host(row, "auth.cloud.ovh.net")


@pytest.mark.parametrize(
    ("key", "control"),
    [
        ("exaion/cloud", "non_eu"),
        ("exoscale/cloud", "non_eu"),
        ("ciril/cloud", "eu"),
        ("solvinity/cloud", "unknown"),
        ("bleu/cloud", "eu"),
        ("worldline/secured-iaas", "eu"),
        ("aws/public", "non_eu"),
    ],
)
def test_control_follows_closed_events_only(key: str, control: str) -> None:
    assert REGISTER.rows(key)[0].control_is == control


def written(tmp_path: Path, change: Callable[[dict[str, Any]], None] = lambda data: None) -> tuple[Path, str]:
    data = yaml.safe_load(export_text(REGISTER))
    change(data)
    path = tmp_path / "register.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, sha256: str) -> Register:
    return supplied(path, sha256, shown="suite.yml", line=3)


def test_the_export_reads_back_as_the_same_register(tmp_path: Path) -> None:
    assert load(*written(tmp_path)).digest == REGISTER.digest


def test_a_newer_register_counts(tmp_path: Path) -> None:
    def renew(data: dict[str, Any]) -> None:
        data["as_of"], data["checked_on"] = "2026-12-15", "2026-12-20"
        row = offer(data, "outscale/iaas-cloud-on-demand")
        data["offers"].append({**row, "since": "2026-12-01", "until": "2029-11-30", "decision": "9999"})

    found = load(*written(tmp_path, renew)).decision("outscale/iaas-cloud-on-demand", "secnumcloud", date(2026, 12, 20))
    assert found is not None and found.decision == "9999"


@pytest.mark.parametrize(
    ("change", "sha256", "said"),
    [
        (lambda data: None, "0" * 64, "one of the two is wrong"),
        (lambda data: data.update(as_of="2026-09-14"), None, "older than the built-in register of 2026-09-15"),
        (lambda data: data.pop("regions"), None, "Field required"),
        (lambda data: data["regions"][0].update(country="CH"), None, "says in the EU"),
        (lambda data: data.update(surprise=1), None, "Extra inputs are not permitted"),
    ],
)
def test_another_register_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], sha256: str | None, said: str
) -> None:
    path, actual = written(tmp_path, change)
    with pytest.raises(InvalidInput, match=said):
        load(path, sha256 or actual)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[1, 2]", b"a: [", b"- x"])
def test_an_unreadable_register_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "register.yml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        load(path, hashlib.sha256(content).hexdigest())


def test_a_missing_register_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load(tmp_path / "none.yml", "0" * 64)


def test_the_list_says_what_ends_when_and_how_old_the_register_is() -> None:
    said = text(REGISTER, date(2026, 12, 1))
    assert "outscale/iaas-cloud-on-demand  qualified  until 2026-11-30 ENDED" in said
    assert "until 2026-12-29 (28 days left)" in said
    assert f"register of {REGISTER_DAY}, 77 days before 2026-12-01" in said
    assert "scaleway" not in said


def test_the_whole_list_shows_what_is_not_qualified_too() -> None:
    keys = {row["offer"] for row in rows(REGISTER, REGISTER_DAY, everything=True)}
    assert keys == {item.offer for item in REGISTER.data.offers}
