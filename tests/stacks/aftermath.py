# SPDX-License-Identifier: MIT
"""What is looked at after an `up` that failed, and after the next one that does not."""

from __future__ import annotations

import json

from suite_deploy.render.inventory import SSH_CONFIG
from tests.stacks.realising import RealisingStack
from tests.stacks.scenes import Scene


def nothing_is_claimed(scene: Scene) -> None:
    """Where no `up` came to its end, nothing says that hosts are there."""
    assert not (scene.state / "outputs.json").exists()
    assert not (scene.state / "stack-secrets.yml").exists()
    assert scene.cloud_driver().outputs() is None


def no_secret_is_anywhere(scene: Scene, said: str) -> None:
    """Neither right nor wrong ones: in what is said, in progress, in files."""
    assert len(scene.secrets) >= 1
    files = [path for path in scene.state.rglob("*") if path.is_file()]
    texts = {"the error": said, "progress": "\n".join(scene.said)}
    texts |= {str(path): path.read_text(errors="replace") for path in files}
    assert [(where, secret) for where, text in texts.items() for secret in scene.secrets if secret in text] == []


def comes_up_once(scene: Scene, first: list[str]) -> None:
    """The next `up` makes what is missing and nothing twice, the one after that changes nothing."""
    planned = {step.name for step in scene.cloud_driver().steps() if step.action == "create"}
    assert planned.isdisjoint(first), "what was made is remembered"
    outputs = scene.up()
    did = dict(RealisingStack.did)
    assert {name for name, what in did.items() if what == "create"} == planned
    assert set(did.values()) <= {"create", "same"} and set(first) <= did.keys()
    assert len(scene.created) == len(set(scene.created)) == len(did)
    assert len(scene.there_is()) == len(set(scene.there_is())), "no name is there twice"
    assert [host.name for host in outputs.hosts] == list(scene.hosts)
    assert scene.cloud_driver().outputs() == outputs and not scene.cloud_driver().unfinished
    assert all(f"Host {name}\n" in (scene.state / SSH_CONFIG).read_text() for name in scene.hosts)
    recorded = json.loads((scene.state / "outputs.json").read_text())
    assert scene.up() == outputs
    assert set(RealisingStack.did.values()) == {"same"} and len(RealisingStack.did) == len(did)
    assert json.loads((scene.state / "outputs.json").read_text()) == recorded
    assert len(scene.created) == len(did)
