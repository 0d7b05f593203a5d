# SPDX-License-Identifier: MIT
"""A run as a whole: selection, settings of the caller, components' own checks, secrets, interruption."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from suite_deploy.errors import SuiteError
from suite_deploy.images.lock import ORIGINS, Origin, Pin, now, origins, write_lock
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import Progress
from suite_deploy.secrets.value import Secret
from suite_deploy.verify import VerifyResult, run_verify
from tests.unit.verify_fakes import connect, healthy, outputs_of

CHECK = """
import pytest
from suite_deploy.verify.people import Person

def test_good(component):
    assert component.slug == "SLUG"

def test_bad(component, secret, look):
    look.hint("the manual")
    print("noise " + secret("x.y"))
    assert False, f"the password {secret('x.y')} came back in https://x/?code=abcdef"

def test_crash(component):
    raise ValueError("what is this")

def test_without_words(component):
    wanted = 2
    assert wanted == 1

def test_skipped(component):
    pytest.skip("not on Sundays")

def test_own_fixture(gadget):
    assert gadget == 42

def test_no_setup(broken):
    pass

@pytest.fixture
def broken():
    raise RuntimeError("no fixture today")
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """The demo with one component whose folder holds checks of every ending."""
    found = load("demo")
    first = found.ordered[0]
    folder = tmp_path / "roles" / first.slug
    (folder / "verify").mkdir(parents=True)
    (folder / "verify" / "test_endings.py").write_text(CHECK.replace("SLUG", first.slug))
    (folder / "verify" / "fixtures.py").write_text("import pytest\n\n@pytest.fixture\ndef gadget():\n    return 42\n")
    components = {first.slug: replace(first, folder=folder)}
    return replace(found, components=components, state_dir=tmp_path, images_lock=tmp_path / "images.lock.yml")


@pytest.fixture
def verify(deployment: Deployment) -> Callable[..., VerifyResult]:
    outputs = outputs_of(deployment)
    secrets = {"x.y": Secret("x.y", "open-sesame-open-sesame")}
    machines = connect({host.name: healthy(deployment, host) for host in outputs.hosts})

    def run(only: str | None = None, progress: Progress = lambda _: None) -> VerifyResult:
        state = deployment.state_dir
        return run_verify(deployment, outputs, secrets, state, only=only, progress=progress, connect=machines)

    return run


def test_endings_of_a_components_own_checks(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    slug = deployment.ordered[0].slug
    result = verify(f"{slug}/endings")
    found = {finding.id: finding for finding in result.findings}
    assert {identity: finding.status for identity, finding in found.items()} == {
        f"{slug}/endings/good": "passed",
        f"{slug}/endings/bad": "failed",
        f"{slug}/endings/crash": "failed",
        f"{slug}/endings/without_words": "failed",
        f"{slug}/endings/skipped": "skipped",
        f"{slug}/endings/own_fixture": "passed",
        f"{slug}/endings/no_setup": "failed",
    }
    bad = found[f"{slug}/endings/bad"]
    assert bad.message == "the password [secret:x.y] came back in https://x/?code=[hidden]"
    assert bad.look_at[0] == "the manual" and f"journalctl -u {slug}-" in bad.look_at[1], bad.look_at
    assert "a line of the journal" in bad.journal
    assert found[f"{slug}/endings/crash"].message == "ValueError: what is this"
    assert found[f"{slug}/endings/without_words"].message == "this does not hold: assert wanted == 1"
    assert found[f"{slug}/endings/skipped"].message == "not on Sundays"
    assert found[f"{slug}/endings/no_setup"].message == "could not be looked at: RuntimeError: no fixture today"


@pytest.mark.parametrize("origin", ORIGINS)
def test_each_finding_of_a_component_says_what_it_ran_on(
    deployment: Deployment, verify: Callable[..., VerifyResult], origin: Origin
) -> None:
    component = deployment.ordered[0]
    images = [f"{image.name}:{image.tag}" for image in component.description.images.values()]
    write_lock(deployment.images_lock, {name: pin_of(origin) for name in images})
    result = verify("endings")
    assert {finding.image for finding in result.findings} == {origin}
    assert result.on_doubles == (6 if origin == "double" else 0), "what was skipped ran on nothing"
    assert {finding.image for finding in verify("facts/clocks").findings} == {""}


def test_one_double_among_its_images_makes_a_component_one(deployment: Deployment) -> None:
    component = deployment.ordered[0]
    image = next(iter(component.description.images.values()))
    two = {"one": image, "two": image.model_copy(update={"tag": "other"})}
    changed = replace(component, description=component.description.model_copy(update={"images": two}))
    with_two = replace(deployment, components={component.slug: changed})
    pins = {f"{image.name}:{image.tag}": pin_of("registry"), f"{image.name}:other": pin_of("double")}
    write_lock(deployment.images_lock, pins)
    assert origins(with_two) == {component.slug: "double"}
    write_lock(deployment.images_lock, dict([pins.popitem()]))
    assert origins(with_two) == {}, "an image that is not pinned makes no statement"
    assert origins(replace(deployment, components={})) == {}


def pin_of(origin: Origin) -> Pin:
    return Pin(digest=f"sha256:{'1' * 64}", origin=origin, resolved=now())


def test_copies_of_one_component_are_each_looked_at(deployment: Deployment) -> None:
    first = deployment.ordered[0]
    path = first.folder / "verify" / "test_endings.py"
    path.write_text("def test_it(component):\n    pass\n\ndef test_once():\n    pass\n")
    copy = replace(first, slug=f"{first.slug}-copy")
    both = replace(deployment, components={first.slug: first, copy.slug: copy})
    outputs = outputs_of(both)
    machines = connect({host.name: healthy(both, host) for host in outputs.hosts})
    result = run_verify(both, outputs, {}, both.state_dir, only="endings", connect=machines)
    assert sorted(finding.id for finding in result.findings) == [
        f"{copy.slug}/endings/it",
        f"{first.slug}/endings/it",
        f"{first.slug}/endings/once",
    ]


def test_pattern_that_matches_nothing_is_not_fine(verify: Callable[..., VerifyResult]) -> None:
    result = verify("no-such-check")
    assert not result.findings and not result.ok


def test_callers_pytest_settings_do_not_count(
    verify: Callable[..., VerifyResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert verify("facts/clocks").ok
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option", "the caller's environment was changed"


def test_nothing_is_written_beside_the_checks(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    folder = deployment.ordered[0].folder
    before, writes = sorted(folder.rglob("*")), sys.dont_write_bytecode
    verify(f"{deployment.ordered[0].slug}/")
    assert sorted(folder.rglob("*")) == before
    assert sys.dont_write_bytecode == writes


def test_nothing_is_printed(verify: Callable[..., VerifyResult], capfd: pytest.CaptureFixture[str]) -> None:
    verify("endings")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_progress_names_each_check(verify: Callable[..., VerifyResult]) -> None:
    said: list[str] = []
    verify("facts/clocks", progress=said.append)
    assert len(said) == 1 and said[0].startswith("clock agrees with the operators")


def test_interrupt_gets_through(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    path = deployment.ordered[0].folder / "verify" / "test_endings.py"
    path.write_text("def test_stop():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        verify("endings")


def test_unreadable_check_is_red(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    path = deployment.ordered[0].folder / "verify" / "test_endings.py"
    path.write_text("import no_such_module\n")
    result = verify("endings")
    assert not result.ok
    assert any("no_such_module" in finding.message for finding in result.failures)


def test_broken_fixtures_file_is_one_clear_error(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    path = deployment.ordered[0].folder / "verify" / "fixtures.py"
    path.write_text("import no_such_module\n")
    with pytest.raises((SuiteError, ModuleNotFoundError), match="no_such_module"):
        verify("endings")


def test_without_accounts_journeys_are_skipped_with_a_reason(
    deployment: Deployment, verify: Callable[..., VerifyResult]
) -> None:
    path = deployment.ordered[0].folder / "verify" / "test_endings.py"
    path.write_text("def test_people(people):\n    pass\n")
    result = verify("endings")
    assert [finding.status for finding in result.findings] == ["skipped"]
    assert "no enabled component provides accounts" in result.findings[0].message


def test_secret_made_during_the_run_is_hidden(deployment: Deployment, verify: Callable[..., VerifyResult]) -> None:
    path = deployment.ordered[0].folder / "verify" / "test_endings.py"
    path.write_text(
        "from suite_deploy.secrets.value import Secret\n\n"
        "def test_made(conceal):\n"
        "    conceal(Secret('verify.one', 'made-just-now-made-just-now'))\n"
        "    assert False, 'it is made-just-now-made-just-now'\n"
    )
    assert [finding.message for finding in verify("endings").failures] == ["it is [secret:verify.one]"]
