# SPDX-License-Identifier: MIT
"""What `up` prints at its end: commands that can be typed as they stand."""

from __future__ import annotations

import shlex

from suite_deploy.commands.up import _text

SUMMARY = {
    "inventory": "region",
    "components": [],
    "skipped": [],
    "seconds": {},
    "changed": 0,
    "verification": None,
    "released": [],
    "dns_records": [],
    "publish": [],
    "links": {"portal": "https://region-x.example/"},
    "ca": None,
}


def test_the_next_commands_name_the_inventory_as_it_was_given() -> None:
    given = shlex.quote("inventories of mine/region/suite.yml")
    following = _text(SUMMARY, given).partition("Next:\n")[2].splitlines()
    assert [line.split("   ")[0].strip() for line in following] == [
        f"suite-deploy {command} {given}" for command in ("status", "verify", "secrets list", "destroy")
    ]
    columns = {
        line.index(what)
        for line in following
        for what in ("what runs", "check it", "the names", "remove it")
        if what in line
    }
    assert len(columns) == 1
