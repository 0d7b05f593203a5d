# SPDX-License-Identifier: MIT
"""DNS records that a suite wants and nobody made for it: what the operator publishes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from ..model.outputs import StackOutputs
from .console import table

_TYPES = {4: "A", 6: "AAAA"}


def records_to_publish(outputs: StackOutputs) -> list[dict[str, str]]:
    """`name`, `type` and `value` of each record wanted that the driver did not make, in its order."""
    return [
        {"name": name, "type": type_of(value), "value": value}
        for name, value in outputs.dns_records.items()
        if name not in outputs.dns_created
    ]


def type_of(value: str) -> str:
    """The type of record that leads to an address, or to another name."""
    try:
        return _TYPES[ipaddress.ip_address(value).version]
    except ValueError:
        return "CNAME"


def records_text(records: Sequence[dict[str, str]]) -> str:
    """The records as an operator copies them."""
    rows = [(item["name"], item["type"], item["value"]) for item in records]
    return "DNS records to publish, where they are not there yet:\n" + "\n".join(
        f"  {line}" for line in table(("name", "type", "value"), rows).splitlines()
    )
