# SPDX-License-Identifier: MIT
"""The launcher: an environment that is there completely or not at all, and nothing written to the checkout."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.signals import hear_signals

#: Stands in for a base Python: answers the launcher's question, makes environments quickly, counts its starts.
STUB = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in
*"-m venv "*)
    for last; do :; done
    {before}
    "{real}" "$@" --without-pip && cd "$last"/lib/python3.*/site-packages &&
        mkdir pip && echo "{pip}" >pip/__main__.py ;;
*) echo "{version} {state} $0" ;;
esac
"""
PROGRAM = "import json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(len(sys.argv) - 1)\n"
HERE = f"{sys.version_info[0]} {sys.version_info[1]}"


@dataclass
class Bench:
    """A checkout of its own with a small program, an own cache and stubs first on PATH."""

    folder: Path
    checkout: Path
    bin: Path

    @property
    def log(self) -> Path:
        return self.folder / "starts"

    @property
    def cache(self) -> Path:
        return self.folder / "my cache"

    @property
    def variables(self) -> dict[str, str]:
        path = f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.cache)}

    def stub(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def python(
        self,
        name: str = "python3",
        *,
        version: str = HERE,
        state: str = "complete",
        before: str = ":",
        pip: str = "pass",
    ) -> None:
        real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        script = STUB.format(log=self.log, real=real, version=version, state=state, before=before, pip=pip)
        self.stub(name, script)

    def command(self, *arguments: str) -> list[str]:
        return [str(self.checkout / "suite-deploy"), *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_signals,
        )

    def starts(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def environments(self) -> list[str]:
        return sorted(path.name for path in self.cache.glob("suite-deploy/env-*") if path.is_dir())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, tmp_path / "a checkout", tmp_path / "bin")
    (bench.checkout / "cli/suite_deploy").mkdir(parents=True)
    bench.bin.mkdir()
    for name in ("suite-deploy", "cli/environment.sh"):
        shutil.copy(ROOT / name, bench.checkout / name)
    (bench.checkout / "cli/suite_deploy/__main__.py").write_text(PROGRAM)
    (bench.checkout / "requirements.lock").write_text("# nothing\n")
    for minor in range(11, 15):
        bench.stub(f"python3.{minor}", "#!/bin/sh\nexit 127\n")
    bench.python()
    return bench


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_arguments_and_exit_status_pass_through_unchanged(bench: Bench) -> None:
    done = bench.run("a b", "*", "")
    assert done.stdout == '["a b", "*", ""]\n'
    assert done.returncode == 3


def test_the_second_run_starts_no_python_but_the_program(bench: Bench) -> None:
    bench.run()
    before = bench.starts()
    assert before
    assert bench.run().stderr == ""
    assert bench.starts() == before


def test_nothing_is_written_to_the_checkout(bench: Bench) -> None:
    (bench.checkout / "cli/suite_deploy/__main__.py").write_text("import other")
    (bench.checkout / "cli/suite_deploy/other.py").write_text("print('imported')")
    (bench.checkout / "cli/suite_deploy/__main__.py").write_text(
        f"import sys\nsys.path.insert(0, {str(bench.checkout / 'cli/suite_deploy')!r})\nimport other\n"
    )
    before = sorted(bench.checkout.rglob("*"))
    assert bench.run().stdout == "imported\n"
    assert sorted(bench.checkout.rglob("*")) == before


def test_the_environment_names_only_its_final_place(bench: Bench) -> None:
    bench.run()
    (name,) = bench.environments()
    environment = bench.cache / "suite-deploy" / name
    for file in environment.rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert f"{name}.tmp".encode() not in file.read_bytes(), file


def test_a_link_to_the_launcher_works(bench: Bench) -> None:
    link = bench.folder / "link"
    link.symlink_to("a checkout/suite-deploy")
    done = subprocess.run([link], env=bench.variables, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


def test_two_at_once_make_one_environment(bench: Bench) -> None:
    mark = bench.folder / "making"
    bench.python(before=f'touch "{mark}"; sleep 1')
    first = bench.start()
    wait_for(mark)
    second = bench.start()
    assert second.communicate(timeout=60) and second.returncode == 0
    assert first.communicate(timeout=60) and first.returncode == 0
    assert bench.log.read_text().count("-m venv") == 1


def test_the_second_says_that_it_waits(bench: Bench) -> None:
    mark = bench.folder / "making"
    bench.python(before=f'touch "{mark}"; sleep 1')
    first = bench.start()
    wait_for(mark)
    assert "another run is making" in bench.run().stderr
    first.communicate(timeout=60)


HALF = 'mkdir -p "$last/bin"; ln -s /bin/true "$last/bin/python"; touch "{mark}"; sleep {seconds}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_creation_leaves_nothing_and_the_next_run_makes_it(bench: Bench, number: signal.Signals) -> None:
    mark = bench.folder / "making"
    bench.python(before=HALF.format(mark=mark, seconds=30))
    running = bench.start()
    wait_for(mark)
    started = time.monotonic()
    os.kill(running.pid, number)
    # The output ends only when every process that was started has ended.
    _, errors = running.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert running.returncode == 130
    assert "run the same command again" in errors
    assert bench.environments() == []
    bench.python()
    assert bench.run().stdout == "[]\n"


def test_a_killed_creation_leaves_no_environment_in_use(bench: Bench) -> None:
    mark = bench.folder / "making"
    bench.python(before=HALF.format(mark=mark, seconds=2))
    running = bench.start()
    wait_for(mark)
    running.kill()
    bench.python()
    done = bench.run()
    assert done.stdout == "[]\n", done.stderr
    running.communicate(timeout=20)


def test_packages_that_cannot_be_had_leave_no_environment(bench: Bench) -> None:
    bench.python(pip="raise SystemExit('the index does not answer')")
    done = bench.run()
    assert done.returncode == 1
    assert "the index does not answer" in done.stderr
    assert "could not be installed" in done.stderr
    assert bench.environments() == []


def test_another_lock_means_another_environment(bench: Bench) -> None:
    bench.run()
    (bench.checkout / "requirements.lock").write_text("# something else\n")
    bench.run()
    assert len(bench.environments()) == 2


def test_an_environment_whose_python_is_gone_is_made_again(bench: Bench) -> None:
    bench.run()
    (name,) = bench.environments()
    python = bench.cache / "suite-deploy" / name / "bin/python"
    for link in python.parent.glob("python*"):
        link.unlink()
        link.symlink_to("/nonexistent/python")
    assert bench.run().stdout == "[]\n"


def test_a_python_with_everything_is_preferred_to_a_bare_one(bench: Bench) -> None:
    bench.python(state="bare")
    bench.python("python3.13", version="3 13")
    done = bench.run()
    assert "3.13" in bench.environments()[0], done.stderr


def test_a_user_without_the_venv_module_is_told_the_command(bench: Bench) -> None:
    bench.python(version="3 13", state="bare")
    bench.stub("id", "#!/bin/sh\necho 1000\n")
    done = bench.run()
    assert done.returncode == 1
    assert "sudo apt-get install python3.13-venv" in done.stderr
    assert bench.environments() == []


def test_root_without_the_venv_module_gets_it_and_is_told(bench: Bench) -> None:
    bench.python(state="bare")
    bench.stub("id", "#!/bin/sh\necho 0\n")
    bench.stub("apt-get", f'#!/bin/sh\necho "$*" >>"{bench.folder}/apt"\n')
    done = bench.run()
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert f"installing the Debian package {package}" in done.stderr
    assert package in (bench.folder / "apt").read_text()
    assert done.stdout == "[]\n"


def test_a_python_too_old_is_refused_with_what_was_found(bench: Bench) -> None:
    bench.python(version="3 9")
    done = bench.run()
    assert done.returncode == 1
    assert "Python 3.11 to 3.14 is needed, found: python3 (3.9)." in done.stderr


def test_roots_run_with_another_users_home_writes_nothing_there(bench: Bench) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: gives a directory to another user")
    home, roots = bench.folder / "theirs", bench.folder / "roots"
    home.mkdir()
    roots.mkdir()
    os.chown(home, 65534, 65534)
    bench.stub("getent", f'#!/bin/sh\necho "root:x:0:0:root:{roots}:/bin/sh"\n')
    variables = bench.variables | {"HOME": str(home)}
    del variables["XDG_CACHE_HOME"]
    done = subprocess.run(bench.command(), env=variables, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
    assert not list(home.iterdir())
    assert list(roots.glob(".cache/suite-deploy/env-*"))


def test_a_cache_that_cannot_be_written_is_said(bench: Bench) -> None:
    (bench.folder / "my cache").write_text("a file where a directory should be")
    done = bench.run()
    assert done.returncode == 1
    assert "set XDG_CACHE_HOME" in done.stderr
