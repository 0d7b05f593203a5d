# SPDX-License-Identifier: MIT
"""What fails on a cloud says what happened and what to do; the next run goes on; locks and interrupts lose nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback

import pytest

from suite_deploy.cloud.failures import innermost, without_frames
from suite_deploy.errors import CouldNotRun
from suite_deploy.paths import share_import

from .cloud_support import Bench, bench
from .engine_double import error, summary, urn

__all__ = ["bench"]


@pytest.mark.parametrize(
    ("message", "happened"),
    [
        ("Authentication failed", "does not accept the credentials"),
        ("No suitable endpoint could be found in the service catalog.", "no such region"),
        ("Quota exceeded for instances: Requested 1, but already used 10 of 10", "no room left"),
        ('Post "https://x/v2.1/servers": dial tcp: connection refused', "Run the same command again once the cloud"),
        ('Post "https://x/v2.1/servers": EOF', "the connection to the cloud was lost"),
        (
            "Error creating openstack_compute_instance_v2: Expected HTTP response code [200 202] when accessing [POST"
            ' https://x/v2.1/servers], but got 403 instead: {"forbidden": {"code": 403, "message": "Quota exceeded for'
            ' cores: Requested 4, but already used 18 of 20 cores"}}',
            "no room left",
        ),
        ("Policy doesn't allow os_compute_api:os-quota-sets to be performed. (HTTP 403)", "does not let this account"),
        (
            "but got 409 instead: Security group rule already exists. Rule id is 0a1b.",
            "already has one of these, which this suite does not know of",
        ),
        ('got 409 instead: {"code": 409, "type": "duplicate_recordset"}', "this suite did not make it"),
        ("got 403 instead: not allowed for managing additional application credentials", "made with --unrestricted"),
        ("Flavor m9 could not be found.", "no such flavor"),
        ("incorrect passphrase", "another passphrase"),
        ("incorrect passphrase", "suite.engine_passphrase in secrets.yml that this suite was made with, from version"),
        ("could not download plugin openstack", "--fix. Without a way out, set"),
        ("no language plugin 'pulumi-language-python' found in the workspace", "--fix. Without a way out, set"),
        ("1 validation error for VolumeInputs\nname\n  Field required", "running the same command again does not help"),
        ("something nobody has seen before", "the engine could not finish (up)"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(bench: Bench, message: str, happened: str) -> None:
    failed = {"events": [error(message, "host-one")], "status": 255, "stderr": "error: update failed"}
    bench.engine.script(bench.up_script(up=failed))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    text = str(refused.value)
    assert happened in text
    assert "suite-deploy " not in text or str(bench.deployment.given) in text, "a command names the inventory"
    assert all(line in text for line in f"host-one: {message}".splitlines())
    assert str(bench.state / "logs" / "engine.log") in text


def test_a_problem_of_the_inventory_is_said_as_the_program_says_it(bench: Bench) -> None:
    said = "/x/suite.yml:9: infrastructure.image.name: image 'Debian 14' is not known there.\n  There is: Debian 13."
    bench.engine.script(bench.up_script(preview={"events": [error(said)], "status": 255, "stderr": "error: x"}))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    assert str(refused.value) == said


@pytest.mark.parametrize("command", ["stack export", "preview", "stack output --json --show-secrets"])
def test_an_engine_that_answers_nonsense_is_said_without_a_traceback(bench: Bench, command: str) -> None:
    bench.engine.script(bench.up_script(**{command: {"stdout": "v3.272.0\n"}}))
    with pytest.raises(CouldNotRun, match=r"answer that can be read (.|\n)*bin/pulumi the official program"):
        bench.driver.apply(lambda text: None)


def test_of_a_failed_connection_the_reason_is_said_and_no_objects() -> None:
    pool = "HTTPSConnectionPool(host='x.example', port=443): Max retries exceeded with url: /v3 (Caused by "
    said = "HTTPSConnection(host='x.example', port=443): Failed to resolve 'x.example' ([Errno -2])"
    assert innermost(f'{pool}NameResolutionError("{said}"))') == "Failed to resolve 'x.example' ([Errno -2])"
    assert innermost(f"{pool}NewConnectionError('[Errno 111] Connection refused'))") == "[Errno 111] Connection refused"
    assert innermost("HTTP 401: no (Caused by nothing)") == "HTTP 401: no (Caused by nothing)"
    away = "NewConnectionError(\"HTTPSConnection(host='10.0.0.1', port=3128): [Errno 111] Connection refused\")"
    proxy = f"{pool}ProxyError('Unable to connect to proxy', "
    assert innermost(f"{proxy}{away}))") == "the proxy 10.0.0.1:3128 does not help: [Errno 111] Connection refused"
    refused = "OSError('Tunnel connection failed: 403 Forbidden')"
    assert innermost(f"{proxy}{refused}))") == "the proxy does not help: Tunnel connection failed: 403 Forbidden"


def refused_by_outscale(status: int, code: str, kind: str, details: str, *, depth: int = 12) -> str:
    """What the SDK of the engine sends when Outscale refuses something deep inside a provider."""

    def deeper(left: int) -> None:
        if left:
            return further(left - 1)
        errors = share_import("stacks.outscale.providers.errors")
        raise errors.ApiError("CreateVms", status, code, kind, details, "0a1b2c3d-request")

    def further(left: int) -> None:
        # two that take turns: Python sums up a function that calls itself
        return deeper(left)

    try:
        deeper(depth)
    except Exception:
        return traceback.format_exc()
    raise AssertionError("it raises")


@pytest.mark.parametrize(
    ("status", "code", "kind", "details", "happened", "never"),
    [
        (401, "1", "AccessDenied", "", "does not accept the credentials", "let this account"),
        (401, "4", "AccessDenied", "", "does not let this account do that", "accept the credentials"),
        (503, "6", "AccessDenied", "Request rate exceeded.", "takes no more requests", "the right"),
        (429, "24", "AccessDenied", "", "takes no more requests", "the right"),
        (400, "10019", "TooManyResources (QuotaExceded)", "", "no room left", "credentials"),
        (400, "10001", "InsufficientCapacity", "", "no room left", "credentials"),
        (400, "5024", "InvalidResource", "", "no such flavor", "credentials"),
    ],
)
def test_an_error_of_a_dynamic_provider_is_said_without_its_frames(
    bench: Bench, status: int, code: str, kind: str, details: str, happened: str, never: str
) -> None:
    sent = refused_by_outscale(status, code, kind, details)
    assert sent.count("  File ") > 12, "the first lines are frames"
    failed = {"events": [error(sent, "host-one")], "status": 255, "stderr": "error: update failed"}
    bench.engine.script(bench.up_script(up=failed))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    text = str(refused.value)
    assert happened in text and never not in text
    assert f"  host-one: CreateVms: Outscale refuses: {kind} {code}" in text
    assert f"(HTTP {status}, request 0a1b2c3d-request)" in text
    assert "File " not in text and "Traceback" not in text and "ApiError" not in text


def test_only_frames_go_and_nothing_else() -> None:
    head = 'Traceback (most recent call last):\n  File "/a.py", line 1, in f\n    f()\n    ~^^\n'
    chained = f"{head}ValueError: first\n\nDuring handling of the above exception, another exception occurred:\n\n"
    assert without_frames("no frames: at all\n  File it under x") == "no frames: at all\n  File it under x"
    assert without_frames(f"{head}a.b.Refused: one\n  two\nthree") == "one\n  two\nthree"
    assert without_frames(f"{chained}{head}a.b.Refused: second") == "second"
    assert without_frames(f"{head}KeyError: 'x'") == "KeyError: 'x'", "the class is what says something"
    assert without_frames("Traceback (most recent call last):\ncut").startswith("Traceback"), "no frame, nothing to go"


def test_a_second_up_after_a_failure_goes_on(bench: Bench) -> None:
    lost = {"events": [error("connection refused", "host-one")], "status": 255, "stderr": "error: update failed"}
    bench.engine.script(bench.up_script(up=[lost, {"events": []}]))
    with pytest.raises(CouldNotRun):
        bench.driver.apply(lambda text: None)
    assert not (bench.state / "outputs.json").exists()
    assert bench.driver.apply(lambda text: None).hosts


def test_no_secret_is_in_an_error_or_in_the_log(bench: Bench) -> None:
    leaking = {
        "events": [error("refused: password not-for-anyone")],
        "stdout": "body: not-for-anyone\n",
        "stderr": "error: x",
        "status": 255,
    }
    bench.engine.script(bench.up_script(up=leaking))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    assert "not-for-anyone" not in str(refused.value)
    log = bench.state / "logs" / "engine.log"
    assert "body: [secret:" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_somebody_elses_is_refused_before_the_engine_changes_anything(bench: Bench) -> None:
    log = bench.state / "logs" / "engine.log"
    log.parent.mkdir(parents=True)
    log.symlink_to(bench.state / "elsewhere")
    bench.engine.script(bench.up_script())
    with pytest.raises(CouldNotRun, match=f"{log}: the log cannot be written"):
        bench.driver.apply(lambda text: None)
    assert not [words for words in bench.engine.words() if words[0] in ("up", "preview")]
    assert not (bench.state / "elsewhere").exists()


def test_what_an_earlier_run_was_cut_off_at_is_said(bench: Bench) -> None:
    pending = [{"type": "creating", "resource": {"urn": urn("a:b:C", "host-one")}}]
    exported = {"deployment": {"pending_operations": pending}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(exported)}}))
    lines: list[str] = []
    bench.driver.apply(lines.append)
    assert any("cut off while creating host-one" in line for line in lines)


LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the"
    " lock file with `pulumi cancel`.\n  file:///x/lock.json: created by {who} (pid {pid}) at 2026-11-22T08:00:00Z"
)


def test_a_lock_of_another_machine_is_explained(bench: Bench) -> None:
    locked = {"stderr": LOCKED.format(who="ann@far-away", pid=7), "status": 255}
    bench.engine.script(bench.up_script(preview=locked))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.preview()
    text = str(refused.value)
    assert "by ann@far-away since 2026-11-22T08:00:00Z (process 7)" in text
    assert "suite-deploy doctor" in text and "--unlock" in text
    assert ["cancel", "--yes"] not in [words[:2] for words in bench.engine.words()]


def test_a_lock_of_a_dead_process_of_this_machine_is_removed(bench: Bench) -> None:
    gone = LOCKED.format(who=f"ann@{os.uname().nodename}", pid=2**22 + 1)
    bench.engine.script(bench.up_script(preview=[{"stderr": gone, "status": 255}, {"events": [summary()]}]))
    bench.driver.preview()
    assert any(words[0] == "cancel" for words in bench.engine.words())


def test_a_lock_in_a_shared_state_is_never_removed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two containers may have one name, and neither sees the other's processes."""
    monkeypatch.setattr("suite_deploy.cloud.driver.backend_url", lambda deployment: "s3://states?region=r1")
    gone = LOCKED.format(who=f"ann@{os.uname().nodename}", pid=2**22 + 1)
    bench.engine.script(bench.up_script(preview={"stderr": gone, "status": 255}))
    with pytest.raises(CouldNotRun, match="--unlock"):
        bench.driver.preview()
    assert not any(words[0] == "cancel" for words in bench.engine.words())


def test_an_interrupt_lets_the_engine_finish_what_is_under_way(bench: Bench) -> None:
    bench.engine.script(bench.up_script(up={"sleep": 60}))
    sleeping = bench.engine.folder / "sleeping"

    def interrupt() -> None:
        deadline = time.monotonic() + 120
        while not sleeping.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        bench.driver.apply(lines.append)
    assert (bench.engine.folder / "interrupted").read_text() == str(int(signal.SIGINT))
    assert any("waiting for what is under way" in line for line in lines)
