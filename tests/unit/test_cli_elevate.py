# SPDX-License-Identifier: MIT
"""Starting over as root: what is said, what is kept, and what never stands in the process list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite_deploy.errors import CouldNotRun
from suite_deploy.runners import elevate
from tests.checkout import ROOT


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An ordinary user with a PATH of their own; what is set for the elevated run is undone."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    monkeypatch.setitem(os.environ, "HOME", str(tmp_path))
    monkeypatch.delitem(os.environ, "XDG_CONFIG_HOME", raising=False)
    monkeypatch.delitem(os.environ, "PIP_CONFIG_FILE", raising=False)
    return tmp_path


def sudo(folder: Path, status: int) -> None:
    (folder / "sudo").write_text(f"#!/bin/sh\nexit {status}\n")
    (folder / "sudo").chmod(0o755)


def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def execv(program: str, words: list[str]) -> None:
        calls.append(words)

    monkeypatch.setattr(os, "execv", execv)
    return calls


def test_root_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    calls = executed(monkeypatch)
    elevate.become_root("the local host", ["up", "demo"])
    assert calls == []


def test_without_sudo_the_message_says_what_to_do(user: Path) -> None:
    with pytest.raises(CouldNotRun, match=r"(?s)the local host needs root, and sudo is not installed.*as root"):
        elevate.become_root("the local host", ["up", "demo"])


def test_the_same_command_starts_again_and_it_is_said_once(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sudo(user, 0)
    calls = executed(monkeypatch)
    elevate.become_root("the local host", ["up", "a b"])
    (words,) = calls
    assert words[0] == str(user / "sudo")
    assert "-n" in words[: words.index("--")]
    assert words[-2:] == ["up", "a b"]
    assert words[-3].endswith("/suite_deploy/__main__.py")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("through sudo") == 1


def test_with_a_terminal_sudo_may_ask(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sudo(user, 1)
    monkeypatch.setattr(elevate, "_has_terminal", lambda: True)
    calls = executed(monkeypatch)
    elevate.become_root("the local host", [])
    assert "-n" not in calls[0]


def test_without_a_terminal_a_password_cannot_be_asked(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sudo(user, 1)
    monkeypatch.setattr(elevate, "_has_terminal", lambda: False)
    with pytest.raises(CouldNotRun, match="no terminal to ask on"):
        elevate.become_root("the local host", [])


def test_names_are_kept_and_values_stay_out_of_the_process_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:s3cret@proxy.example:3128")
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", "/somewhere")
    words = elevate.sudo_command("/usr/bin/sudo", ["up"], ask=False)
    assert "s3cret" not in " ".join(words)
    (kept,) = [word for word in words if word.startswith("--preserve-env=")]
    assert {"https_proxy", "SUITE_DEPLOY_STATE_ROOT"} <= set(kept.partition("=")[2].split(","))


@pytest.mark.parametrize(
    "name", ["HOME", "XDG_CACHE_HOME", "PYTHONPATH", "LD_PRELOAD", "OS_CLOUD", "AWS_PROFILE", "PATH"]
)
def test_what_would_lead_root_astray_is_not_kept(name: str) -> None:
    assert elevate.kept_names([name]) == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "no_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE", "NO_COLOR", "GOPROXY"])
def test_what_reaches_package_sources_is_kept(name: str) -> None:
    assert elevate.kept_names([name]) == [name]


def test_the_callers_package_settings_are_found_by_root(user: Path) -> None:
    assert elevate.configured_files() == {}
    (user / ".config/pip").mkdir(parents=True)
    (user / ".config/pip/pip.conf").write_text("[global]\n")
    assert elevate.configured_files() == {"PIP_CONFIG_FILE": str(user / ".config/pip/pip.conf")}
    os.environ["PIP_CONFIG_FILE"] = "/chosen"
    assert elevate.configured_files() == {}


def test_a_sudo_that_gives_another_user_is_asked_once(user: Path) -> None:
    """The whole way through a real exec: the second start finds itself not root, and says so."""
    (user / "sudo").write_text(
        '#!/bin/sh\n[ "$*" != "-n true" ] || exit 0\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    (user / "sudo").chmod(0o755)
    program = (
        "import os, sys\n"
        "os.geteuid = lambda: 1000\n"
        f"sys.path.insert(0, {str(ROOT / 'cli')!r})\n"
        "from pathlib import Path\n"
        "from suite_deploy.runners import elevate\n"
        "elevate.__file__ = str(Path(sys.argv[1]) / 'suite_deploy/runners/elevate.py')\n"
        "elevate.BYTE_CODE = Path.home() / 'pycache'\n"
        "elevate.become_root('the local host', ['a b'])\n"
    )
    (user / "suite_deploy").mkdir()
    (user / "suite_deploy/__main__.py").write_text(
        program.replace("['a b']", "sys.argv[1:]").replace("Path(sys.argv[1])", "Path('unused')")
    )
    variables = {"PATH": f"{user}:/usr/bin:/bin", "HOME": str(user)}
    done = subprocess.run([sys.executable, "-c", program, str(user)], env=variables, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("starting again through sudo") == 1
    assert "sudo gave another user" in done.stderr


def test_roots_byte_code_goes_to_roots_own_place() -> None:
    words = elevate.sudo_command("sudo", [], ask=False)
    assert f"pycache_prefix={elevate.BYTE_CODE}" in words
    assert "-I" in words
