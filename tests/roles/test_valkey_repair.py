# SPDX-License-Identifier: MIT
"""Role `valkey` finds a host in disorder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
ONLY_RESTART = ("valkey : Start or restart each instance",)


@pytest.fixture(scope="module")
def variables(ready: None, box: Box, authority: Authority) -> Variables:
    variables = situations.valkey(box, authority)["default"]
    box.converge("valkey", "default", variables, run="again")
    return variables


def test_check_mode_changes_and_announces_nothing(box: Box, variables: Variables) -> None:
    assert box.converge("valkey", "default", variables, run="check", arguments=["--check"]).changed == ()


def test_only_instances_with_older_settings_are_restarted(box: Box, variables: Variables) -> None:
    one, other = (instance["name"] for instance in variables["valkey_instances"])

    def pid(name: str) -> str:
        return box.succeed(f"systemctl show --property=MainPID --value valkey-server@{name}")

    before = pid(one), pid(other)
    # what a run leaves that was interrupted after it wrote the settings
    box.succeed(f"sleep 1.1; touch /etc/valkey/valkey-{one}.conf")
    assert box.converge("valkey", "default", variables, run="resumed").changed == ONLY_RESTART
    after = pid(one), pid(other)
    assert after[0] != before[0]
    assert after[1] == before[1]
