# SPDX-License-Identifier: MIT
"""The register as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

from .clock import days_left, in_force
from .register import Register
from .register_schema import RegisterFile


def rows(register: Register, on: date, *, everything: bool = False) -> list[dict[str, Any]]:
    """One mapping per offer and label, with its regions; those in force on `on`, or all."""
    found = []
    for offer in register.data.offers:
        valid = offer.status == "qualified" and in_force(offer.since, offer.until, on)
        if not everything and not offer.until:
            continue
        if not everything and offer.status != "qualified":
            continue
        found.append(
            {
                "offer": offer.offer,
                "label": offer.label,
                "title": offer.title,
                "status": offer.status,
                "in_force": valid,
                "since": offer.since.isoformat() if offer.since else None,
                "until": offer.until.isoformat() if offer.until else None,
                "days_left": days_left(offer.until, on) if offer.until else None,
                "decision": offer.decision,
                "confidence": offer.confidence.model_dump(),
                "services": {name: scope.status for name, scope in offer.services.items()},
                "regions": [
                    {
                        "id": identifier,
                        "country": region.country,
                        "eu": region.eu,
                        "link_confidence": region.link,
                        "drivers": list(region.drivers),
                        "auth_hosts": region.auth_hosts
                        if isinstance(region.auth_hosts, str)
                        else list(region.auth_hosts),
                    }
                    for region in register.regions_of(offer.offer)
                    for identifier in region.ids
                ],
                "source": [register.source_text(name) for name in offer.source],
                "source_date": offer.date.isoformat(),
                "note": offer.note,
            }
        )
    return sorted(found, key=lambda row: (row["label"] != "secnumcloud", str(row["until"] or "9999"), row["offer"]))


def text(register: Register, on: date, *, everything: bool = False) -> str:
    """The list for a terminal: soonest end first, and the register's age at the end."""
    return "\n".join(_lines(register, on, everything)) + "\n"


def _lines(register: Register, on: date, everything: bool) -> Iterator[str]:
    for row in rows(register, on, everything=everything):
        until = f"until {row['until']}" if row["until"] else "no dates"
        left = row["days_left"]
        ending = "" if left is None else " ENDED" if left < 0 else f" ({left} days left)" if left <= 180 else ""
        decision = f"decision {row['decision']} ({row['confidence']['decision']})" if row["decision"] else "no decision"
        yield f"{row['label']}  {row['offer']}  {row['status']}  {until}{ending}  {decision}"
        regions = [item["id"] + ("" if item["drivers"] else " (no driver)") for item in row["regions"]]
        if regions:
            yield f"    regions: {', '.join(regions)}"
        waiting = [name for name, status in row["services"].items() if status != "in_scope"]
        if waiting:
            named = [f"{name} ({row['services'][name]})" for name in waiting]
            yield f"    not covered: {', '.join(named)}"
        if row["note"]:
            yield f"    {row['note']}"
    yield ""
    yield (
        f"register of {register.as_of}, {register.age(on)} days before {on}; last looked for something newer on "
        f"{register.data.checked_on}; confidence A primary text, B two sources, C one, K general knowledge, ? not found"
    )


def export_text(register: Register) -> str:
    """The register as one YAML file that `register.file` reads back."""
    data = register.data.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data = {"schema": 1, **data}
    header = "# A register of qualified offers. Change it, then declare file and sha256sum under `register`.\n"
    return header + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=160)


def schema_text() -> str:
    """The JSON Schema of a register file, for editors."""
    return json.dumps(RegisterFile.model_json_schema(by_alias=True), indent=2, ensure_ascii=False) + "\n"
