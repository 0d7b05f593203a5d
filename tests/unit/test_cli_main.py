# SPDX-License-Identifier: MIT
"""The command line as a whole: what it loads, what it offers, and the exit code of each way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from suite_deploy import __version__, main
from suite_deploy.errors import CouldNotRun, FoundFailures, InvalidInput, Problem
from suite_deploy.settings import Settings, common_options
from tests.checkout import ROOT
from tests.signals import hear_signals

HEAVY = {"pulumi", "ansible", "pydantic", "jinja2", "yaml", "rich"}


def python(program: str, **options: object) -> subprocess.Popen[str]:
    variables = os.environ | {"PYTHONPATH": str(ROOT / "cli")}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        preexec_fn=hear_signals,
    )


def ending(monkeypatch: pytest.MonkeyPatch, body: object) -> int:
    """The exit code when the verb `up` does this."""

    @click.command()
    def command() -> int | None:
        if isinstance(body, BaseException):
            raise body
        return body if isinstance(body, int) else None

    monkeypatch.setattr(main.cli, "get_command", lambda ctx, name: command)
    return main.main(["up"])


def test_help_loads_nothing_heavy_and_nothing_of_ours_but_main() -> None:
    child = python("import sys\nfrom suite_deploy.main import main\nassert main(['--help']) == 0\nprint(*sys.modules)")
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    loaded = set(output.splitlines()[-1].split())
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("suite_deploy")} == {"suite_deploy", "suite_deploy.main"}


def test_help_offers_exactly_the_verbs_that_exist() -> None:
    result = CliRunner().invoke(main.cli, ["--help"])
    verbs = {path.stem for path in (ROOT / "cli/suite_deploy/commands").glob("[a-z]*.py")}
    offered = {line.split()[0] for line in result.output.partition("Commands:\n")[2].splitlines() if line[2:3].strip()}
    assert offered == verbs & set(main.COMMANDS)
    assert verbs <= set(main.COMMANDS), "a command module that no verb leads to"


def test_every_verb_on_offer_loads_and_explains_itself() -> None:
    context = click.Context(main.cli)
    for verb in main.cli.list_commands(context):
        result = CliRunner().invoke(main.cli, [verb, "--help"])
        assert result.exit_code == 0, f"{verb}: {result.output}{result.exception!r}"


def test_a_verb_without_its_module_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.COMMANDS, "fly", ("suite_deploy.commands.fly:command", "Take off."))
    assert "fly" not in CliRunner().invoke(main.cli, ["--help"]).output
    assert main.main(["fly"]) == 2


def test_version_is_the_packages() -> None:
    assert __version__ in CliRunner().invoke(main.cli, ["--version"]).output


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, 0),
        (3, 3),
        (CouldNotRun("no disk"), 1),
        (InvalidInput([Problem("suite.yml", 4, "domain", "missing")]), 2),
        (FoundFailures("two checks failed"), 3),
        (click.UsageError("what?"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_each_ending_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, body: object, code: int) -> None:
    assert ending(monkeypatch, body) == code


def test_an_expected_error_is_its_message_on_stderr_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ending(monkeypatch, InvalidInput([Problem("suite.yml", 4, "domain", "missing", next_step="Add it.")]))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "suite.yml:4: domain: missing\n  Add it.\n"


def test_one_step_for_several_problems_is_said_once_after_them() -> None:
    steps = {"a": "Run: it", "b": "Run: it", "c": "", "d": "Run: it"}
    said = str(InvalidInput([Problem("s.yml", 0, key, "missing", "x or y", step) for key, step in steps.items()]))
    assert said.splitlines() == [
        "s.yml: a: missing",
        "  x or y",
        "s.yml: b: missing",
        "  x or y",
        "  Run: it",
        "s.yml: c: missing",
        "  x or y",
        "s.yml: d: missing",
        "  x or y",
        "  Run: it",
    ]


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ending(monkeypatch, KeyboardInterrupt())
    assert capsys.readouterr().err.lstrip() == "interrupted; run the same command again to go on\n"


def test_an_unexpected_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        ending(monkeypatch, ZeroDivisionError("a bug"))


def test_a_misspelt_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["secrts"]) == 2
    assert "secrts" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_interrupt(number: signal.Signals) -> None:
    child = python(
        "import sys, time, click\n"
        "from suite_deploy import main\n"
        "def wait():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "main.cli.get_command = lambda ctx, name: click.Command('up', callback=wait)\n"
        "sys.argv = ['suite-deploy', 'up']\n"
        "main.run()\n"
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    child.send_signal(number)
    _, errors = child.communicate(timeout=20)
    assert child.returncode == 130
    assert errors.lstrip() == "interrupted; run the same command again to go on\n"


@pytest.mark.parametrize("target", ["/dev/full", "closed pipe", "closed"])
def test_output_that_cannot_be_written_gives_no_traceback(target: str) -> None:
    program = "from suite_deploy.main import run; import sys; sys.argv = ['suite-deploy', '--help']; run()"
    redirect = {"/dev/full": ">/dev/full", "closed pipe": "| true", "closed": ">&-"}[target]
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirect}', sys.executable, program],
        env=os.environ | {"PYTHONPATH": str(ROOT / "cli")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_the_shared_options_arrive_as_one_settings_object(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("x")
    seen: list[Settings] = []

    @click.command()
    @common_options
    def command(settings: Settings) -> None:
        seen.append(settings)

    CliRunner().invoke(command, [], env={"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}, catch_exceptions=False)
    CliRunner().invoke(command, ["--format", "json", "-q"], env={"ANSIBLE_VAULT_PASSWORD_FILE": None})
    assert seen == [Settings("text", False, password), Settings("json", True, None)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "cli/suite_deploy/__main__.py"), "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "No space left on device\n"
