# SPDX-License-Identifier: MIT
"""What is read back from a stack, what a host is told at first, and how the first visit goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stacks.components import reach
from stacks.components.outputs import OUTPUTS, read_outputs, read_secrets
from stacks.components.spec import gibibytes
from stacks.components.userdata import user_data
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import HostOutput

HOSTS = (
    HostOutput("data-1", "10.64.0.12", "10.64.0.12", ("data",), jump="edge-1", identity="d"),
    HostOutput("edge-1", "198.51.100.11", "10.64.0.11", ("edge",), identity="e"),
)


@pytest.mark.parametrize("exports", [{}, {OUTPUTS: {}}, {OUTPUTS: {"driver": "x", "hosts": [{}]}}, {OUTPUTS: None}])
def test_a_stack_that_never_came_up_is_said_to_be_that(exports: dict[str, object]) -> None:
    with pytest.raises(CouldNotRun, match="never brought up to its end"):
        read_outputs(exports, ssh_private_key=Path("k"), ssh_known_hosts=Path("h"))


def test_a_stack_without_secrets_has_none() -> None:
    assert read_secrets({}) == {} and read_secrets({"stack_secrets": None}) == {}


@pytest.mark.parametrize(("size", "whole"), [("100GiB", 100), ("1TiB", 1024), ("512MiB", 1), ("1500MiB", 2)])
def test_sizes_are_whole_gibibytes_rounded_up(size: str, whole: int) -> None:
    assert gibibytes(size) == whole


def test_another_port_of_ssh_reaches_the_host_with_its_first_boot() -> None:
    content = yaml.safe_load(user_data(hostname="a", user="suite", public_key="ssh-ed25519 A", ssh_port=2222))
    (file,) = content["write_files"]
    assert file["content"] == "Port 2222\n" and ["systemctl", "restart", "ssh"] in content["runcmd"]


def test_the_way_in_is_met_before_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[str] = []
    monkeypatch.setattr(reach, "_refusal", lambda config, host: met.append(host))
    reach.wait_for_ssh(Path("c"), HOSTS, lambda text: None)
    assert met == ["edge-1", "data-1"]


def test_a_host_that_answers_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["Connection refused", "Connection timed out", None, None])
    monkeypatch.setattr(reach, "_refusal", lambda config, host: next(answers))
    monkeypatch.setattr(reach, "PAUSE", 0.0)
    reach.wait_for_ssh(Path("c"), HOSTS, lambda text: None)
    assert next(answers, "all asked") == "all asked"


def test_a_host_that_never_answers_is_named_with_sshs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_refusal", lambda config, host: "Permission denied (publickey).")
    monkeypatch.setattr(reach, "PAUSE", 0.0)
    with pytest.raises(CouldNotRun, match="(?s)edge-1 .*sign in.*Permission denied") as refused:
        reach.wait_for_ssh(Path("c"), HOSTS, lambda text: None, limit=0)
    step = str(refused.value).splitlines()[-1]
    assert "security group" in step and "`ssh.from`" in step and "port 22" in step and "console log" in step
    assert "`ssh.key`" in step and step.endswith("Then run the same command again.")


def test_a_changed_key_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
    monkeypatch.setattr(reach, "_refusal", lambda config, host: words)
    with pytest.raises(CouldNotRun, match="not the one it had") as refused:
        reach.wait_for_ssh(Path("/state/of it/ssh.config"), HOSTS, lambda text: None, limit=600)
    step = str(refused.value).splitlines()[-1]
    assert "Find out which" in step and "`ssh-keygen -R edge-1-e -f '/state/of it/known_hosts'`" in step
