# SPDX-License-Identifier: MIT
"""What `up` tells the operator to publish: the records wanted that no driver made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite_deploy.commands import up
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.report.dns import records_text, records_to_publish, type_of

SUMMARY: dict[str, Any] = {
    "inventory": "x",
    "components": [{"component": "a", "title": "A", "version": "1", "host": "h", "url": None, "image": None}],
    "skipped": [],
    "seconds": {},
    "verification": None,
    "changed": 0,
    "publish": [],
    "released": [],
    "dns_records": [],
    "links": {"portal": "https://x/"},
    "ca": None,
}


def outputs(created: tuple[str, ...] = ()) -> StackOutputs:
    records = {"suite.example": "198.51.100.7", "a-long-name.suite.example": "198.51.100.7"}
    address, keys = "198.51.100.7", (Path("k"), Path("h"))
    return StackOutputs("openstack", "x", (), (), address, *keys, dns_records=records, dns_created=created)


def test_what_the_driver_made_is_not_asked_of_the_operator() -> None:
    assert [item["name"] for item in records_to_publish(outputs())] == ["suite.example", "a-long-name.suite.example"]
    (left,) = records_to_publish(outputs(("suite.example",)))
    assert left == {"name": "a-long-name.suite.example", "type": "A", "value": "198.51.100.7"}
    assert records_to_publish(outputs(("suite.example", "a-long-name.suite.example"))) == []


def test_up_shows_name_type_and_value_in_columns() -> None:
    records = records_to_publish(outputs())
    assert records_text(records).splitlines() == [
        "DNS records to publish, where they are not there yet:",
        "  name                       type  value",
        "  suite.example              A     198.51.100.7",
        "  a-long-name.suite.example  A     198.51.100.7",
    ]
    assert records_text(records) in up._text(SUMMARY | {"dns_records": records}, "made")
    assert "DNS" not in up._text(SUMMARY, "made"), "nothing to publish is nothing to read"


@pytest.mark.parametrize(
    ("value", "wanted"), [("192.0.2.1", "A"), ("2001:db8::1", "AAAA"), ("edge.example.org", "CNAME")]
)
def test_the_type_fits_the_value(value: str, wanted: str) -> None:
    assert type_of(value) == wanted
