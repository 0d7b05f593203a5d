# SPDX-License-Identifier: MIT
"""Which words of a cloud mean "there is one already", and which only that something else is in the way."""

from __future__ import annotations

import pytest

from suite_deploy.cloud.failures import explain

REMOVE, FREE = "If nobody uses it, remove it", "nothing has to be removed"
NOVA = "Expected HTTP response code [202] when accessing [DELETE https://x/v2.1/servers/1], but got 409 instead: "


@pytest.mark.parametrize(
    "said",
    [
        "but got 409 instead: Security group rule already exists. Rule id is 0a1b.",
        "several Nets are named agency-private: vpc-1, vpc-2. Remove all but the one in use",
        "Net agency-private exists (vpc-1) with ipRange '10.0.0.0/24' instead of '10.64.0.0/24'. Rename or remove it",
        "CreateKeypair: Outscale refuses: ResourceConflict 9011, duplicate-key. (HTTP 409, request 1)",
        'got 409 instead: {"message": "Key pair \'agency\' already exists."}',
    ],
)
def test_what_is_there_under_that_name_may_be_removed(said: str) -> None:
    text = explain(said, doing="up")
    assert "the cloud already has one of these" in text and REMOVE in text


@pytest.mark.parametrize(
    "said",
    [
        "LinkVolume: Outscale refuses: ResourceConflict 9003, device-conflict. (HTTP 409, request 1)",
        NOVA + "Cannot 'delete' instance 1 while it is in task_state deleting",
        "got 409 instead: Image 0a1b could not be deleted because it is in use: The image cannot be deleted because"
        " it is in use through the backend store outside of Glance.",
        "got 409 instead: Unable to complete operation on network 0a1b. There are one or more ports still in use on it",
    ],
)
def test_what_is_in_use_is_not_advised_to_be_removed(said: str) -> None:
    text = explain(said, doing="up")
    assert "something else uses it, or is in its way" in text and FREE in text and REMOVE not in text


def test_what_nobody_has_explained_has_a_next_step_too() -> None:
    text = explain("error: something nobody has seen before", doing="up")
    assert text.splitlines()[0] == "the engine could not finish (up)"
    assert "What was made is recorded. Run the same command again" in text and "suite-deploy preview NAME" in text
