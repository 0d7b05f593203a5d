# SPDX-License-Identifier: MIT
"""Child processes: what they see, what is kept of what they say, and that none is left behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite_deploy.errors import CouldNotRun
from suite_deploy.runners import process
from tests.checkout import ROOT


def alive(pid: int) -> bool:
    try:
        # A child of nobody's, waiting to be collected, has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize(
    "name", ["OS_AUTH_URL", "OSC_REGION", "AWS_PROFILE", "PULUMI_HOME", "ANSIBLE_CONFIG", "KUBECONFIG", "PYTHONPATH"]
)
def test_ambient_settings_do_not_reach_a_child(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "elsewhere")
    assert name not in process.clean_environment()
    assert process.clean_environment(allow=[name])[name] == "elsewhere"
    assert process.clean_environment({name: "chosen"})[name] == "chosen"


def test_what_a_child_needs_of_the_machine_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "HOME", "LANG", "https_proxy", "SSL_CERT_FILE", "PIP_CERT"):
        monkeypatch.setenv(name, "kept")
        assert process.clean_environment()[name] == "kept"


def test_a_beginning_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "x")
    assert "OS_CLOUD" in process.clean_environment(allow=["OS_*"])


def test_lines_come_one_by_one_from_both_streams(tmp_path: Path) -> None:
    lines: list[str] = []
    done = process.run(["sh", "-c", "echo one; echo two >&2; printf 'three\\r\\nlast'"], on_line=lines.append)
    assert lines == ["one", "two", "three", "last"]
    assert done.status == 0


def test_bytes_that_are_no_text_do_no_harm() -> None:
    lines: list[str] = []
    process.run(["printf", "caf\\351\\n"], on_line=lines.append)
    assert lines == ["caf\N{REPLACEMENT CHARACTER}"]


def test_nothing_unredacted_leaves(tmp_path: Path) -> None:
    log = tmp_path / "logs/run.log"
    lines: list[str] = []
    with pytest.raises(CouldNotRun) as caught:
        process.run(
            ["sh", "-c", "echo s3cret; exit 4"],
            on_line=lines.append,
            log=log,
            redact=lambda line: line.replace("s3cret", "***"),
        )
    assert "s3cret" not in f"{lines} {log.read_text()} {caught.value}"
    assert "***" in log.read_text()
    assert "ended with status 4" in str(caught.value)
    assert str(log) in str(caught.value)


def test_the_log_is_private_also_when_it_was_not(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.touch(mode=0o644)
    process.run(["echo", "hello"], log=log)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert log.read_text() == "hello\n"


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "run.log").symlink_to(target)
    with pytest.raises(CouldNotRun, match="cannot be written"):
        process.run(["echo", "x"], log=tmp_path / "run.log")
    assert target.read_text() == "precious"


def test_a_failure_may_be_a_result() -> None:
    assert process.run(["false"], check=False).status == 1


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CouldNotRun, match="no-such-program: not installed"):
        process.run(["no-such-program"])
    with pytest.raises(CouldNotRun, match="no-such-program: not installed"):
        process.capture(["no-such-program"])


def test_a_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="could not be started"):
        process.run(["true"], directory=tmp_path / "absent")


def test_input_of_any_size_reaches_the_child() -> None:
    lines: list[str] = []
    process.run(["wc", "-c"], stdin="x" * 1_000_000, on_line=lines.append)
    assert lines == ["1000000"]


def test_a_memory_file_is_read_by_a_child_and_is_in_no_argument(tmp_path: Path) -> None:
    with process.memory_file("a: secret\n") as descriptor:
        lines: list[str] = []
        command = ["cat", f"/dev/fd/{descriptor}"]
        process.run(command, pass_fds=[descriptor], on_line=lines.append)
    assert lines == ["a: secret"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_child_that_takes_too_long_ends_with_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(CouldNotRun, match=r"did not end within 0\.5 s"):
        process.run(["sh", "-c", f"sleep 60 & echo $! >{pid}; wait"], timeout=0.5)
    assert gone(int(pid.read_text()))


def test_a_child_that_closed_its_output_still_has_its_limit() -> None:
    started = time.monotonic()
    with pytest.raises(CouldNotRun, match="did not end"):
        process.run(["sh", "-c", "exec >&- 2>&-; exec sleep 60"], timeout=0.5)
    assert time.monotonic() - started < 5


def test_a_process_left_behind_does_not_keep_us_waiting() -> None:
    lines: list[str] = []
    started = time.monotonic()
    process.run(["sh", "-c", "echo done; sleep 20 &"], on_line=lines.append)
    assert time.monotonic() - started < 10
    assert lines == ["done"]


def test_an_interrupt_ends_the_child_and_all_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", f"sleep 60 & echo $! >{pid}; echo ready; wait"], on_line=interrupt)
    assert gone(int(pid.read_text()))


def test_a_child_that_ignores_the_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; sleep 60"], stdout=-1, start_new_session=True)
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    process.stop(child, grace=0.2)
    assert child.returncode is not None
    child.stdout.close()


def test_a_stop_signal_to_the_command_line_ends_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = (
        "import sys, click\n"
        "from suite_deploy import main\n"
        "from suite_deploy.runners.process import run\n"
        f"child = lambda: run(['sh', '-c', 'echo $$ >{pid}; echo ready; exec sleep 60'], on_line=print)\n"
        "main.cli.get_command = lambda ctx, name: click.Command('up', callback=child)\n"
        "sys.argv = ['suite-deploy', 'up']\n"
        "main.run()\n"
    )
    variables = os.environ | {"PYTHONPATH": str(ROOT / "cli"), "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    running.terminate()
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert gone(int(pid.read_text()))


def test_capture_gives_standard_output_alone() -> None:
    assert process.capture(["sh", "-c", "echo out; echo err >&2"]) == "out\n"
    assert process.capture(["cat"], stdin="in") == "in"


def test_capture_fails_with_the_childs_errors() -> None:
    with pytest.raises(CouldNotRun, match=r"(?s)ended with status 7.*broken"):
        process.capture(["sh", "-c", "echo broken >&2; exit 7"])


def test_a_python_child_leaves_no_byte_code(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    process.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import module"])
    assert [path.name for path in tmp_path.iterdir()] == ["module.py"]
