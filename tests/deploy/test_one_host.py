# SPDX-License-Identifier: MIT
"""The life of a suite on one local host, in order: made, looked at, damaged, repaired, interrupted, removed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from suite_deploy.images.lock import ALLOW_DOUBLES, read_lock
from suite_deploy.model.loader import load
from tests.checkout import ROOT
from tests.deploy.product import Ran, Suite, Watcher, command_lines, holders, leftovers, suite_deploy

pytestmark = pytest.mark.needs_root

SUITE = Suite("one")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def watched() -> Iterator[Watcher]:
    """Looks at every process from before the suite exists until the last test."""
    watcher = Watcher()
    with watcher:
        yield watcher


@pytest.fixture(scope="module")
def first(watched: Watcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The first `up`, with nothing but what registries and recipes give."""
    with SUITE.life():
        with SUITE.doubles_in_the_making(tmp_path_factory.mktemp("doubles") / "images.lock.yml"):
            ran = SUITE.run("up", "--format", "json", SUITE_DEPLOY_ALLOW_DOUBLES="")
        yield ran


@pytest.fixture(scope="module")
def whole(first: Ran) -> Ran:
    """The next `up`, with doubles of the images that cannot be had."""
    assert first.code == 0, first.said()
    print(f"doubles: {SUITE.pin_doubles():.0f} s")
    return SUITE.run("up", "--format", "json")


@pytest.fixture(scope="module")
def suite(whole: Ran) -> Suite:
    """The whole suite, up."""
    assert whole.code == 0, whole.said()
    return SUITE


def test_without_images_components_are_left_out_loudly_and_the_rest_is_up(first: Ran) -> None:
    assert first.code == 0, first.said()
    summary = first.json
    left_out = {item["component"]: item["reason"] for item in summary["skipped"]}
    up = {item["component"] for item in summary["components"]}
    assert up.isdisjoint(left_out) and up | set(left_out) == SUITE.components
    assert {"keycloak", "synapse", "objectstore"} <= up, "these have a recipe"
    for component, reason in left_out.items():
        assert f"SKIPPED {component}" in first.err, first.said()
        assert "there is no recipe for it" in reason or any(f"{other} " in f"{reason} " for other in left_out), reason
    assert summary["verification"]["failed"] == 0 and summary["verification"]["passed"] > 50
    assert summary["verification"]["on_doubles"] == 0
    print("stages of the first up:", json.dumps(summary["seconds"]))
    if summary["seconds"]["images"] < 30 and summary["seconds"]["hosts"] < 30:
        assert first.seconds < 360, "with warm caches a suite is up and verified within six minutes"
    status = SUITE.run("status", "--format", "json").json
    assert set(status["skipped"]) == set(left_out)


def test_a_lock_with_doubles_is_refused_outside_tests(suite: Suite) -> None:
    ran = suite.run("up", SUITE_DEPLOY_ALLOW_DOUBLES="")
    assert ran.code == 2
    assert "test double" in ran.err


def test_the_whole_suite_comes_up_and_every_journey_passes(suite: Suite, whole: Ran) -> None:
    summary = whole.json
    assert {item["component"] for item in summary["components"]} == suite.components
    assert all(item["version"] and item["host"] == "demo" for item in summary["components"])
    assert summary["skipped"] == []
    assert summary["verification"]["failed"] == 0 and summary["verification"]["on_doubles"] > 10
    assert {"policies", "hosts", "images", "roles", "verification"} <= set(summary["seconds"])
    print("stages of the up with doubles:", json.dumps(summary["seconds"]))


def test_the_portal_answers_on_its_name_with_the_suites_own_authority(suite: Suite) -> None:
    page = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--cacert",
            str(suite.state / "ca.crt"),
            f"https://{suite.domain}/fr/",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.endswith("_CA_BUNDLE")},
    ).stdout
    assert '<html lang="fr"' in page


def test_the_second_up_changes_nothing(suite: Suite) -> None:
    # verified just before, and again by the tests that follow
    ran = suite.run("up", "--skip-verify", "--format", "json")
    assert ran.code == 0, ran.said()
    assert ran.json["changed_tasks"] == {}
    assert ran.json["changed"] == 0
    print(f"second up: {ran.seconds:.0f} s:", json.dumps(ran.json["seconds"]))
    assert ran.seconds < 300, "a run that changes nothing in ten components ends within five minutes"


def test_preview_after_up_has_nothing_to_do(suite: Suite) -> None:
    ran = suite.run("preview", "--exit-code", "--format", "json")
    assert ran.code == 0, ran.said()
    assert {item["action"] for item in ran.json["files"]} == {"keep"}


def test_preview_shows_a_change_and_masks_secrets(suite: Suite, tmp_path: Path) -> None:
    changed = tmp_path / "suite.yml"
    changed.write_text(
        f"extends: {suite.path}\ncomponents: {{synapse: {{presence: true}}, keycloak: {{heap_mib: 400}}}}\n"
    )
    ran = suite_deploy("preview", str(changed), "--diff", "--exit-code")
    assert ran.code == 3, ran.said()
    assert "-Xmx400m" in ran.out and "homeserver.yaml" in ran.out
    assert holders(suite.secrets(), {"preview": (ran.out + ran.err).encode()}) == []


def test_status_is_healthy_and_machine_readable(suite: Suite) -> None:
    ran = suite.run("status", "--format", "json")
    assert ran.code == 0, ran.said()
    assert ran.json["healthy"] and set(ran.json["versions"]) == suite.components
    assert {unit["state"] for unit in ran.json["units"]} == {"active"}


def test_verify_writes_junit_and_can_be_narrowed(suite: Suite, tmp_path: Path) -> None:
    report = tmp_path / "verify.xml"
    ran = suite.run("verify", "--junit", str(report), "--format", "json", "--only", "tls")
    assert ran.code == 0, ran.said()
    cases = ElementTree.parse(report).getroot().findall(".//testcase")
    assert 0 < len(cases) < 150, "all of them are twice as many"
    assert holders(suite.secrets(), {"junit": report.read_bytes(), "json": ran.out.encode()}) == []
    assert suite.run("verify", "--only", "no such check").code != 0, "a run that looked at nothing must not pass"


def test_each_finding_of_a_component_says_what_it_ran_on(suite: Suite, tmp_path: Path) -> None:
    pins = read_lock(suite.state / "images.lock.yml")
    deployment = load(suite.path)
    report = tmp_path / "verify.xml"
    ran = suite.run("verify", "--format", "json", "--junit", str(report))
    assert ran.code == 0, ran.said()
    looked_at = set()
    for slug, component in deployment.components.items():
        images = component.description.images.values()
        kinds = {pins[f"{image.name}:{image.tag}"].origin for image in images}
        own = [finding for finding in ran.json["findings"] if finding["id"].startswith(f"{slug}/")]
        looked_at |= {slug} if own else set()
        assert {finding["image"] for finding in own} <= ({"double"} if "double" in kinds else kinds), slug
    assert {"keycloak", "synapse", "docs", "meet", "grist", "element-web"} <= looked_at
    names = [case.get("name", "") for case in ElementTree.parse(report).getroot().findall(".//testcase")]
    marked = [finding for finding in ran.json["findings"] if finding["image"] == "double"]
    assert sum("(on A TEST DOUBLE)" in name for name in names) == len(marked) > 10


def test_the_suite_on_doubles_fits_into_two_and_a_half_gib(suite: Suite) -> None:
    """Memory of all processes of the host, shared pages counted once."""
    total = suite.ssh("demo", "awk '/^Pss:/ {sum += $2} END {print sum}' /proc/[0-9]*/smaps_rollup 2>/dev/null")
    used = int(total) * 1024
    print(f"memory of the host's processes: {used / MIB:.0f} MiB")
    assert used < 2560 * MIB


def test_no_secret_is_anywhere_but_in_its_place(suite: Suite, watched: Watcher) -> None:
    secrets = suite.secrets()
    texts = {f"process list: {line[:60]}": line.encode() for line in watched.seen | command_lines()}
    for path in suite.state.rglob("*"):
        inside = path.relative_to(suite.state).parts[0]
        if inside not in ("hosts", "volumes", "secrets.yml") and path.is_file() and not path.is_symlink():
            texts[str(path)] = path.read_bytes()
    assert any("ansible.log" in place for place in texts) and any("/build/" in place for place in texts)
    assert holders(secrets, texts) == []
    assert (suite.state / "secrets.yml").stat().st_mode & 0o777 == 0o600
    for folder in ("build", "ansible", "logs"):
        for path in (suite.state / folder).rglob("*"):
            assert folder == "logs" or not path.is_file() or (suite.state / folder).stat().st_mode & 0o077 == 0


#: where nothing of the suite is, and what is too much to read
ELSEWHERE = ("/proc", "/sys", "/usr/share", "/usr/lib", "/var/lib/containers", "/var/lib/apt", "/var/lib/dpkg")
#: the object store's accounts with their keys, and what they were before the last change
ACCOUNTS = ("/srv/objectstore/iam/users.json", "/srv/objectstore/iam/users.json.backup")


def contents(suite: Suite, find: str) -> dict[str, bytes]:
    """What the files hold that a `find` of the host lists; files of 2 MB and more are left out."""
    paths = sorted(set(suite.ssh("demo", f"{find} -size -2000k -print").splitlines()))
    script = (
        "while IFS= read -r path; do printf '== %s\\n' \"$path\"; "
        "cat -- \"$path\" 2>/dev/null | base64 -w0; echo; done <<'END'\n"
    )
    out = suite.ssh("demo", script + "\n".join(paths) + "\nEND\n")
    texts, place = {}, ""
    for line in out.splitlines():
        if line.startswith("== "):
            place = line[3:]
        elif line:
            texts[place] = base64.b64decode(line)
    return texts


def test_no_file_of_the_host_that_everyone_can_read_holds_a_secret(suite: Suite) -> None:
    pruned = " -o ".join(f"-path {path}" for path in ELSEWHERE)
    # data is on mounts of its own, which `-xdev` enters only where it starts there
    texts = contents(suite, f"find / /srv/*/ -xdev \\( {pruned} \\) -prune -o -type f -perm -004")
    assert len(texts) > 50
    journal = suite.ssh("demo", "journalctl --no-pager --output=export --boot | base64 -w0")
    texts["journal of the host"] = base64.b64decode(journal)
    assert holders(suite.secrets(), texts) == []


def test_no_object_holds_a_secret_and_only_the_store_reads_its_accounts(suite: Suite) -> None:
    allowed = " ".join(f"! -path {path}" for path in ACCOUNTS)
    texts = contents(suite, f"find /srv/objectstore -type f {allowed}")
    assert any(path.startswith("/srv/objectstore/data/") for path in texts), "there are objects"
    assert holders(suite.secrets(), texts) == []
    modes = suite.ssh("demo", f"stat -c '%a %n' {' '.join(ACCOUNTS)}").splitlines()
    assert modes == [f"600 {path}" for path in ACCOUNTS]


def test_a_second_run_at_the_same_time_is_told_who_holds_the_lock(suite: Suite) -> None:
    running = subprocess.Popen(
        [str(ROOT / "suite-deploy"), "up", suite.path, "--skip-verify"],
        cwd=ROOT,
        env={**os.environ, ALLOW_DOUBLES: "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert running.stderr
        for line in running.stderr:
            if line.startswith("roles: "):
                break
        second = suite.run("up")
        assert second.code == 1
        assert "held by" in second.err and "suite-deploy up" in second.err and f"pid {running.pid}" in second.err
        # interrupt the first one in the middle of its roles, as a person does with ctrl-c
        time.sleep(8)
        os.killpg(running.pid, signal.SIGINT)
        _, rest = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "run the same command again" in rest
        assert not [line for line in command_lines() if "ansible" in line and suite.name in line]
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)


DAMAGE = r"""
set -e
echo '# tampered' >> /etc/suite/synapse/files/homeserver.yaml
chmod 0666 /etc/suite/keycloak/server.env
systemctl disable --now --quiet nginx
systemctl stop valkey-server@synapse docs-backend
sed -i 's/MemoryMax=.*/MemoryMax=1M/' /etc/containers/systemd/synapse-homeserver.container
DEBIAN_FRONTEND=noninteractive apt-get remove -qq -y unattended-upgrades >/dev/null
nft delete table inet suite
"""


def test_damage_is_seen_by_verify_with_the_journal_of_the_unit(suite: Suite) -> None:
    suite.ssh("demo", DAMAGE)
    status = suite.run("status", "--format", "json")
    assert status.code == 3
    assert {unit["unit"] for unit in status.json["units"] if unit["state"] != "active"} == {
        "docs-backend.service",
        "nginx.service",
        "valkey-server@synapse.service",
    }
    ran = suite.run("verify", "--format", "json")
    assert ran.code == 3
    text = ran.out
    for word in ("nginx", "valkey-server@synapse", "docs-backend", "homeserver.yaml", "server.env", "inet suite"):
        assert word in text, f"verify does not name {word}"
    assert "Stopped" in text, "the journal of a stopped unit is shown"


def test_one_up_repairs_file_mode_unit_package_and_firewall(suite: Suite) -> None:
    ran = suite.run("up", "--format", "json")
    assert ran.code == 0, ran.said()
    assert ran.json["changed"] > 0
    assert ran.json["verification"]["failed"] == 0
    assert "tampered" not in suite.ssh("demo", "cat /etc/suite/synapse/files/homeserver.yaml")
    assert suite.ssh("demo", "stat -c %a /etc/suite/keycloak/server.env").strip() == "400"
    assert suite.ssh("demo", "dpkg-query -W -f '${Status}' unattended-upgrades").strip() == "install ok installed"
    assert "table inet suite" in suite.ssh("demo", "nft list tables")
    assert suite.ssh("demo", "systemctl is-enabled nginx").strip() == "enabled"


def test_the_playbook_by_hand_is_gated(suite: Suite) -> None:
    """An inventory without a verdict, or with an edited one, is refused before any host is asked."""
    inventory = yaml.safe_load((suite.state / "ansible" / "inventory.yml").read_text())
    ansible = [
        str(next(Path(os.environ["PATH"].split(":")[1]).glob("python3"), "python3")),
        "-m",
        "ansible",
        "playbook",
    ]
    for damage in ("absent", "altered", "failed", "stale"):
        content = json.loads(json.dumps(inventory))
        verdict = content["all"]["vars"]["suite_verdict"]
        if damage == "absent":
            del content["all"]["vars"]["suite_verdict"]
        elif damage == "altered":
            verdict["judged_on"] = "2030-01-01"
        elif damage == "failed":
            verdict["allowed"] = False
        else:
            content["all"]["vars"]["suite_inputs"] = "0" * 64
        path = suite.state / "ansible" / f"{damage}.yml"
        path.write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [*ansible, "-i", str(path), "-e", f"@{suite.state / 'secrets.yml'}", str(ROOT / "roles" / "site.yml")],
            env={**os.environ, "ANSIBLE_CONFIG": str(suite.state / "ansible" / "ansible.cfg")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        path.unlink()
        assert done.returncode != 0, damage
        assert "no verdict of the policies that allows it" in done.stdout + done.stderr, done.stdout
        assert "Every host" not in done.stdout, damage


def test_destroy_asks_for_the_name(suite: Suite) -> None:
    assert suite.run("destroy").code == 2
    assert suite.run("destroy", "--yes", "--confirm", "other").code == 2
    assert suite.run("status").code == 0


def test_destroy_keeps_data_and_secrets_and_nothing_else(suite: Suite) -> None:
    before = (suite.state / "secrets.yml").read_bytes()
    ran = suite.destroy()
    assert ran.code == 0, ran.said()
    assert "kept" in ran.out
    assert (suite.state / "secrets.yml").read_bytes() == before
    assert any((suite.state / "volumes").rglob("PG_VERSION"))
    assert leftovers(suite.name) == []


def test_destroy_with_data_leaves_nothing(suite: Suite) -> None:
    ran = suite.destroy("--with-data")
    assert ran.code == 0, ran.said()
    assert leftovers(suite.name) == []
    assert not suite.state.exists() or [path.name for path in suite.state.iterdir()] in ([], ["lock"])
