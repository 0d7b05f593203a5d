# SPDX-License-Identifier: MIT
"""Local hosts for real: made, reached, broken, brought back, removed without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.local import HostWanted, LocalDriver, hostsfile
from stacks.local.bridge import bridge_name
from stacks.local.machine import Machine
from stacks.local.system import command_lines, mount_points, wait_until
from suite_deploy.model.outputs import StackOutputs
from tests.checkout import ROOT

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
SUITE = "test-hosts"
NAME = "chat.test-hosts.example"


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A state directory on a file system of the machine's own: a temporary one may lie in memory."""
    directory = Path("/var/lib/suite-deploy") / SUITE
    if directory.exists():
        driver(directory, 1).destroy(print, with_data=True)
    directory.mkdir(parents=True, exist_ok=True)
    yield directory
    driver(directory, 1).destroy(print, with_data=True)
    shutil.rmtree(directory)


def driver(state: Path, hosts: int) -> LocalDriver:
    wanted = [HostWanted(f"one-{number}", ("apps",), {"backup": "1GiB"}) for number in range(1, hosts + 1)]
    return LocalDriver(suite=SUITE, hosts=wanted, names={NAME: "one-1", "inside.only": None}, state_dir=state)


@pytest.fixture
def outputs(state: Path) -> StackOutputs:
    return driver(state, 1).apply(print)


def ssh(outputs: StackOutputs, command: str, host: int = 0) -> str:
    where = outputs.hosts[host]
    options = [f"UserKnownHostsFile={outputs.ssh_known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    words = [word for option in options for word in ("-o", option)]
    argv = ["ssh", "-i", str(outputs.ssh_private_key), *words, f"{where.ssh_user}@{where.address}", command]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout.strip()


def traces() -> list[str]:
    """Everything of the suite that can be seen on this machine, but files."""
    found = [" ".join(argv) for _, argv in command_lines() if any(f"sd-{SUITE}-" in word for word in argv)]
    found += [" ".join(argv) for _, argv in command_lines() if any(f"/suite-deploy/{SUITE}/" in word for word in argv)]
    found += [str(point) for point in mount_points() if f"/{SUITE}/" in str(point)]
    found += [str(path) for path in Path("/run/systemd/nspawn").glob(f"*/*{SUITE}*")]
    found += [path.name for path in Path("/sys/class/net").iterdir() if path.name == bridge_name(SUITE)]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{SUITE}*")]
    found += [line for line in hostsfile.HOSTS_FILE.read_text().splitlines() if SUITE in line]
    routes = subprocess.run(["ip", "route", "show", "type", "blackhole"], capture_output=True, text=True, check=True)
    record = Path("/var/lib/suite-deploy") / SUITE / "network.json"
    subnet = record.read_text().split('"subnet": "')[1].split('"')[0] if record.exists() else "none"
    return found + [line for line in routes.stdout.splitlines() if subnet in line]


def test_a_host_runs_without_a_failed_unit(outputs: StackOutputs) -> None:
    assert ssh(outputs, "systemctl is-system-running --wait || systemctl --failed") == "running"
    assert ssh(outputs, "sudo id -un; hostname") == "root\none-1"
    # Neither of what every host would otherwise share.
    assert ssh(outputs, "cat /etc/machine-id") != ""
    assert ssh(outputs, "ls /etc/ssh/ssh_host_*_key") == "/etc/ssh/ssh_host_ed25519_key"


def test_a_second_apply_changes_nothing_and_is_quick(outputs: StackOutputs, state: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in state.glob("*")}
    said: list[str] = []
    started = time.monotonic()
    assert driver(state, 1).apply(said.append) == outputs
    assert time.monotonic() - started < 3
    assert said == []
    assert {path: path.stat().st_mtime_ns for path in state.glob("*")} == before
    assert {item.action for item in driver(state, 1).preview()} == {"keep"}


def test_outputs_can_be_read_back_by_anyone(outputs: StackOutputs, state: Path) -> None:
    assert driver(state, 1).outputs() == outputs
    assert (state / "outputs.json").stat().st_mode & 0o044 == 0o044
    assert (state / "id_ed25519").stat().st_mode & 0o077 == 0


def test_names_resolve_on_this_machine(outputs: StackOutputs) -> None:
    lines = [line.split("#")[0].split() for line in hostsfile.HOSTS_FILE.read_text().splitlines()]
    assert [outputs.hosts[0].address, NAME] in lines
    assert "inside.only" not in hostsfile.HOSTS_FILE.read_text()


def test_packages_come_through_the_cache_and_nothing_else_goes_out(outputs: StackOutputs) -> None:
    assert "hello" in ssh(outputs, "sudo apt-get update -q && apt-cache policy hello")
    # By any address of the outer machine's own way out, even with a route made inside.
    reach = "import socket,sys; socket.create_connection((sys.argv[1], 53), 2)"
    gateway = outputs.private_networks[0].replace(".0/24", ".1")
    for prepare in ("true", f"sudo ip route replace default via {gateway}"):
        tried = ssh(outputs, f'{prepare}; python3 -c "{reach}" 198.51.100.1 2>&1 || true')
        assert "unreachable" in tried or "timed out" in tried, tried
    ssh(outputs, "sudo ip route delete default")


def test_containers_get_user_namespaces_and_names(outputs: StackOutputs) -> None:
    copy_libraries = (
        "for f in $(ldd bin/sh | grep -o '/[^ ]*'); do sudo mkdir -p .$(dirname $f); sudo cp -L $f .$f; done"
    )
    ssh(outputs, f"sudo mkdir -p /tmp/i/bin && sudo cp -L /bin/dash /tmp/i/bin/sh && cd /tmp/i && {copy_libraries}")
    ssh(outputs, "sudo tar -C /tmp/i -c . | sudo podman import - localhost/tiny 2>&1")
    mapped = (
        "podman run --rm --uidmap 0:2000000:65536 localhost/tiny /bin/sh -c 'read a b c < /proc/self/uid_map; echo $b'"
    )
    assert ssh(outputs, f"sudo {mapped}") == "2000000"
    assert ssh(outputs, "sudo podman info --format '{{.Store.GraphDriverName}}'") == "overlay"


def test_a_host_that_died_is_brought_back_with_its_data(outputs: StackOutputs, state: Path) -> None:
    ssh(outputs, "echo kept | sudo tee /srv/backup/note /etc/note; sync")
    for pid in Machine(driver(state, 1).layout, "one-1").supervisors():
        os.kill(pid, signal.SIGKILL)
    said: list[str] = []
    assert driver(state, 1).apply(said.append) == outputs, "the same address, the same host key"
    assert any("one-1" in line for line in said)
    assert ssh(outputs, "cat /srv/backup/note /etc/note") == "kept\nkept"


def test_a_host_whose_base_is_gone_is_made_anew_around_its_volumes(outputs: StackOutputs, state: Path) -> None:
    ssh(outputs, "echo kept | sudo tee /srv/backup/note /etc/note; sync")
    host = Machine(driver(state, 1).layout, "one-1")
    host.stop()
    host.record.write_text('{"base": "0123456789abcdef"}')
    assert [item.action for item in driver(state, 1).preview() if item.kind == "host"] == ["replace"]
    again = driver(state, 1).apply(print)
    assert ssh(again, "cat /srv/backup/note; ls /etc/note 2>&1 | grep -c 'No such'") == "kept\n1"


def test_a_host_can_reboot_itself(outputs: StackOutputs) -> None:
    first = ssh(outputs, "cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1")
    subprocess.run(["ssh", "-i", outputs.ssh_private_key, "-o", f"UserKnownHostsFile={outputs.ssh_known_hosts}",
                    f"suite@{outputs.hosts[0].address}", "sudo systemctl reboot"], timeout=30, check=False)  # fmt: skip

    def back() -> bool:
        try:
            return ssh(outputs, "cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1") != first
        except AssertionError:
            return False

    assert wait_until(back, 60, every=0.5)


def test_services_that_died_are_brought_back(outputs: StackOutputs, state: Path) -> None:
    for pid, argv in list(command_lines()):
        if argv[-1].startswith(f"{state}/services/"):
            os.kill(pid, signal.SIGKILL)
    driver(state, 1).apply(print)
    ssh(outputs, "sudo apt-get update -q")
    registry = outputs.facts["registry"]
    assert ssh(outputs, f"curl -sf http://{registry}/v2/") == "{}"


def test_memory_in_use_is_counted(outputs: StackOutputs, state: Path) -> None:
    if all("memory" not in path.read_text() for path in Path("/sys/fs/cgroup").glob("cgroup.controllers")) and (
        not Path("/sys/fs/cgroup/memory").exists()
    ):
        pytest.skip("this machine's kernel gives nobody a memory controller")
    assert 5_000_000 < driver(state, 1).memory_used("one-1") < 1_500_000_000


def test_hosts_are_added_and_removed_while_others_stay(outputs: StackOutputs, state: Path) -> None:
    uptime = ssh(outputs, "stat -c %Z /proc/1")
    two = driver(state, 2).apply(print)
    assert ssh(two, f"sudo ping -c1 -W2 {two.hosts[0].private_address} > /dev/null && hostname", host=1) == "one-2"
    assert ssh(two, "stat -c %Z /proc/1") == uptime
    assert ssh(two, "cat /etc/machine-id", host=1) != ssh(two, "cat /etc/machine-id")
    assert driver(state, 1).apply(print) == outputs
    assert not any("one-2" in trace for trace in traces())
    assert (state / "volumes" / "one-2" / "backup").is_dir(), "volumes of a removed host are kept"


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 4.0])
def test_an_interrupted_apply_can_be_repeated_or_destroyed(state: Path, seconds: float) -> None:
    driver(state, 1).destroy(print, with_data=False)
    script = (
        "import sys; from pathlib import Path; from stacks.local import HostWanted, LocalDriver;"
        f"LocalDriver(suite='{SUITE}', hosts=[HostWanted('one-1', ('apps',), {{'backup': '1GiB'}})],"
        f" names={{'{NAME}': 'one-1'}}, state_dir=Path('{state}')).apply(print)"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    running = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path})
    time.sleep(seconds)
    running.kill()
    running.wait()
    if seconds < 2:
        driver(state, 1).destroy(print, with_data=False)
        assert traces() == []
    assert ssh(driver(state, 1).apply(print), "hostname") == "one-1"


def test_destroy_keeps_volumes_and_leaves_nothing_else(outputs: StackOutputs, state: Path) -> None:
    ssh(outputs, "echo kept | sudo tee /srv/backup/note; sync")
    kept = driver(state, 1).destroy(print, with_data=False)
    assert traces() == []
    assert any(line.endswith("volumes/one-1/backup") for line in kept)
    assert driver(state, 1).outputs() is None
    again = driver(state, 1).apply(print)
    assert ssh(again, "cat /srv/backup/note") == "kept"
    assert again.private_networks == outputs.private_networks


def test_destroy_with_data_leaves_nothing(outputs: StackOutputs, state: Path) -> None:
    (state / "lock").touch()
    assert driver(state, 1).destroy(print, with_data=True) == []
    assert traces() == []
    assert [path.name for path in state.iterdir()] == ["lock"]
    assert driver(state, 1).destroy(print, with_data=True) == [], "of nothing, too"
