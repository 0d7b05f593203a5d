# SPDX-License-Identifier: MIT
"""What the lane `engine` asks of the real engine, asked of the stand-in here: the same stories, the same driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite_deploy.policy import coverage, pulumi_pack
from tests.engine.outscale_suite import STORIES, Suite, served, stack_folder
from tests.policies.pack import violations
from tests.stacks.outscale_mocks import Ids
from tests.stacks.outscale_realiser import OutscaleRealiser
from tests.stacks.realising import standing_on
from tests.stacks.support import run_program


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho v3.272.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    realiser = OutscaleRealiser()
    monkeypatch.setattr("suite_deploy.runners.pulumi.EngineStack", standing_on(realiser))
    try:
        with served(tmp_path, monkeypatch) as made:
            yield made
    finally:
        realiser.close()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(suite: Suite, story: Callable[[Suite], None]) -> None:
    story(suite)


def test_the_policies_let_the_stories_inventory_pass(suite: Suite, tmp_path: Path) -> None:
    """Under the real engine the pack is asked too: it must not be what ends a story."""
    chosen = {"SUITE_DEPLOY_INVENTORY": str(suite.inventory)}
    recorded = run_program(stack_folder(tmp_path), Ids(), stack="agency", environment=chosen)
    judge = pulumi_pack.judge_for(str(suite.inventory), {}, tmp_path)
    ours = [item for item in recorded.resources if item.custom]
    assert len(ours) > 15 and all(coverage.covered(item.type) for item in recorded.resources)
    mandatory = {
        policy.name for policy in pulumi_pack.policies_for(judge) if "ADVISORY" not in str(policy.enforcement_level)
    }
    assert mandatory
    for item in ours:
        assert mandatory.isdisjoint(violations(item.type, item.inputs, {}, given=judge)), item.name
