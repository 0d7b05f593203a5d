# SPDX-License-Identifier: MIT
"""How hosts and services are started, and what their control groups are."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from stacks.local import cgroups, machine, services, system
from stacks.local.layout import HostWanted, Layout
from stacks.local.machine import Machine
from stacks.local.sources import Mirrors
from suite_deploy.errors import CouldNotRun

LAYOUT = Layout("demo", Path("/var/lib/suite-deploy/demo"), Path("/var/cache/suite-deploy"))
WANTED = HostWanted("one", ("edge", "data"), {"postgresql": "10GiB", "backup": "1GiB"})
MIRRORS = Mirrors({"": "https://login:secret@m.example/debian/"}, None, {}, None, {})

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


def test_a_hybrid_tree_counts_memory_in_the_old_hierarchy() -> None:
    layout = cgroups.hierarchy(HYBRID)
    assert layout.directories("m") == [Path("/sys/fs/cgroup/unified/m"), Path("/sys/fs/cgroup/memory/m")]
    assert Path("/sys/fs/cgroup/systemd/m") in layout.traces("m"), "nspawn makes that one itself"


def test_a_pure_tree_has_one_group_per_host() -> None:
    layout = cgroups.hierarchy("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n")
    assert layout.directories("m") == [Path("/sys/fs/cgroup/m")]


def test_a_machine_without_the_new_tree_is_told_how_to_get_it() -> None:
    with pytest.raises(CouldNotRun, match="mount -t cgroup2"):
        cgroups.hierarchy("cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n")


@pytest.mark.parametrize(
    ("file", "stat"),
    [
        ("memory.current", "anon 1\ninactive_file 30\n"),
        ("memory.usage_in_bytes", "inactive_file 1\ntotal_inactive_file 30\n"),
    ],
)
def test_memory_in_use_leaves_out_cache_that_can_be_dropped(tmp_path: Path, file: str, stat: str) -> None:
    (tmp_path / file).write_text("100\n")
    (tmp_path / "memory.stat").write_text(stat)
    assert cgroups.memory_used(tmp_path) == 70


def test_memory_is_unknown_where_nothing_counts(tmp_path: Path) -> None:
    assert cgroups.memory_used(tmp_path) is None


def test_every_volume_is_mounted_from_the_state_directory() -> None:
    argv = Machine(LAYOUT, "one").argv(WANTED)
    for kind in WANTED.volumes:
        assert f"--bind=/var/lib/suite-deploy/demo/volumes/one/{kind}:/srv/{kind}" in argv


def test_container_storage_is_not_inside_the_overlay() -> None:
    assert any(word.endswith(":/var/lib/containers") for word in Machine(LAYOUT, "one").argv(WANTED))


def test_machines_of_suites_side_by_side_have_names_of_their_own() -> None:
    other = Layout("demo-2", Path("/var/lib/suite-deploy/demo-2"), LAYOUT.cache_dir)
    names = {Machine(LAYOUT, "one").name, Machine(other, "one").name}
    units = {Machine(LAYOUT, "one").unit, Machine(other, "one").unit}
    assert len(names) == len(units) == 2


def test_both_ways_to_start_run_the_same_command() -> None:
    host = Machine(LAYOUT, "one")
    unit = host.unit_command(WANTED)
    assert unit[-len(host.argv(WANTED)) :] == host.argv(WANTED)
    assert "--property=Delegate=yes" in unit
    for name, value in machine.ENVIRONMENT.items():
        assert f"--setenv={name}={value}" in unit


def test_a_host_of_the_same_machine_name_prefix_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        (10, ["/usr/bin/systemd-nspawn", "--machine=sd-demo-one"]),
        (11, ["/usr/bin/systemd-nspawn", "--machine=sd-demo-one"]),
        (12, ["/usr/bin/systemd-nspawn", "--machine=sd-demo-one2"]),
        (13, ["less", "--machine=sd-demo-one"]),
    ]
    monkeypatch.setattr(machine, "command_lines", lambda: iter(lines))
    monkeypatch.setattr(machine, "parent_of", lambda pid: 10 if pid == 11 else 1)
    assert list(Machine(LAYOUT, "one").supervisors()) == [10]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_host_without_a_whole_record_is_half_made(tmp_path: Path, text: str) -> None:
    host = Machine(Layout("demo", tmp_path, tmp_path), "one")
    host.directory.mkdir(parents=True)
    host.record.write_text(text)
    assert host.base() is None


def test_services_listen_on_the_bridge_only() -> None:
    for service in services.wanted(LAYOUT, "10.231.1.1", MIRRORS):
        assert service.address[0] == "10.231.1.1"
        assert "10.231.1.1" in service.configuration


@pytest.mark.parametrize("systemd", [True, False])
def test_a_mirrors_login_is_in_no_argument(systemd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_group", lambda user: "65534")
    for service in services.wanted(LAYOUT, "10.231.1.1", MIRRORS):
        words = " ".join(services.launcher(service, LAYOUT, systemd))
        assert "secret" not in words
        assert service.user in words, "services do not run as root"


def test_another_configuration_is_another_command_line() -> None:
    one = services.wanted(LAYOUT, "10.231.1.1", MIRRORS)[0]
    other = services.wanted(LAYOUT, "10.231.1.1", Mirrors({"": "http://n/debian"}, None, {}, None, {}))[0]
    assert one.argv(LAYOUT) != other.argv(LAYOUT)


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(CouldNotRun, match=r"could not count: sh said:\n  no beans"):
        system.run(["sh", "-c", "echo no beans >&2; exit 3"], doing="count")
    with pytest.raises(CouldNotRun, match="no-such-program is not installed"):
        system.run(["no-such-program"], doing="count")
    with pytest.raises(CouldNotRun, match="did not end within"):
        system.run(["sleep", "5"], doing="wait", timeout=0.05)


def test_commands_get_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_TOKEN", "secret")
    assert "secret" not in system.run(["env"], doing="look").stdout


def test_a_process_that_does_not_listen_is_killed() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    stubborn = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    started = time.monotonic()
    system.stop_processes([stubborn.pid], seconds=0.2)
    assert stubborn.wait(timeout=5) == -9
    assert time.monotonic() - started < 5


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "file"
    system.write_atomically(path, "one", 0o600)
    reader = path.open()
    system.write_atomically(path, "two", 0o640)
    assert reader.read() == "one", "whoever had it open still reads the old text"
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_nothing_mounted_below_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host" / "root").mkdir(parents=True)
    monkeypatch.setattr(system, "mount_points", lambda: [tmp_path / "host" / "root"])
    with pytest.raises(CouldNotRun, match="still mounted"):
        system.remove_tree(tmp_path / "host")
    assert (tmp_path / "host" / "root").is_dir()
