# SPDX-License-Identifier: MIT
"""The unmodified program on a real OpenStack: from an empty tenant to hosts that roles run on, and back to nothing.

The tests tell one story and run in this order; a failure ends it. Where servers are emulated it takes half an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.openstack.lab import NAME, left_over, port_answers, until_true

FILE = "/srv/postgresql/kept-by-the-volume"


@pytest.fixture(autouse=True)
def one_story(request: pytest.FixtureRequest) -> Iterator[None]:
    """What comes after a failed test would only fail in its wake."""
    if request.session.testsfailed:
        pytest.skip("NOT RUN: an earlier part of the story failed")
    started = time.monotonic()
    yield
    print(f"[{time.monotonic() - started:7.1f} s] {request.node.name}", flush=True)


def test_the_tenant_is_empty_at_first(connection: Any, lab: Any) -> None:
    assert left_over(connection, NAME) == []


def test_the_program_makes_everything(connection: Any, lab: Any) -> None:
    run = lab.up()
    assert run.count("created") == len(run.steps) > 20
    print(f"{run.count('created')} created in {run.seconds:.0f} s")
    (provider,) = lab.cloud.providers
    assert provider["authUrl"] == os.environ["OS_AUTH_URL"] and str(provider["insecure"]).lower() == "false"


def test_the_hosts_answer_and_let_the_deployment_in(lab: Any) -> None:
    print(f"every host answers on SSH {lab.wait():.0f} s after the program ended")
    for host in ("edge-1", "data-1"):
        assert lab.ssh(host, "hostname; id --user --name; sudo --non-interactive id --user; python3 -c 'print(1)'") == (
            f"{host}\nsuite\n0\n1"
        )
        assert lab.ssh(host, "getent hosts $(hostname)").startswith("127.0.1.1")
        assert lab.ssh(host, "sudo passwd --status suite").split()[1] == "L"
        assert lab.ssh(host, "getent passwd debian", check=False) == ""


def test_a_second_run_changes_nothing(lab: Any) -> None:
    run = lab.up()
    assert run.count("same") == len(run.steps)
    print(f"{run.count('same')} looked at in {run.seconds:.0f} s")


def test_the_security_groups_open_what_is_declared_and_nothing_else(connection: Any, lab: Any) -> None:
    address = lab.outputs.public_address
    for port in (443, 8081):
        lab.ssh("edge-1", f"sudo systemd-run --unit=probe-{port} python3 -m http.server {port}")
    for port in (5432, 8081):
        lab.ssh("data-1", f"sudo systemd-run --unit=probe-{port} python3 -m http.server {port}")
    assert until_true(lambda: port_answers(address, 443))
    assert not port_answers(address, 8081)
    # The group alone stands in the way: with a rule of another's making the same port answers.
    group = lab.cloud.id_of("networking/secGroup:SecGroup", "security-group-edge-1")
    rule = connection.network.create_security_group_rule(
        security_group_id=group, direction="ingress", protocol="tcp", port_range_min=8081, port_range_max=8081
    )
    assert until_true(lambda: port_answers(address, 8081))
    connection.network.delete_security_group_rule(rule)
    assert until_true(lambda: not port_answers(address, 8081))
    inside = next(host.private_address for host in lab.outputs.hosts if host.name == "data-1")
    assert reaches(lab, inside, 5432)
    assert not reaches(lab, inside, 8081)
    for host, ports in (("edge-1", (443, 8081)), ("data-1", (5432, 8081))):
        lab.ssh(host, "; ".join(f"sudo systemctl stop probe-{port}" for port in ports))


def reaches(lab: Any, address: str, port: int) -> bool:
    """Whether edge reaches a port of another host."""
    probe = f"import socket; socket.create_connection(('{address}', {port}), timeout=15); print('yes')"
    return bool(lab.ssh("edge-1", f'python3 -c "{probe}" 2>/dev/null', check=False) == "yes")


def test_the_bucket_answers_to_the_key_the_stack_made(lab: Any) -> None:
    store = lab.object_store
    if not store:
        pytest.skip("NOT RUN: SUITE_DEPLOY_LAB_OBJECT_STORE names no S3 endpoint")
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config
    from botocore.exceptions import ClientError

    (slug,) = [name.removesuffix(".bucket") for name in lab.secrets if name.endswith(".bucket")]
    options = {
        "endpoint_url": store,
        "region_name": lab.region,
        "config": Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    }
    access, secret = lab.secrets[f"{slug}.bucket_access_key"], lab.secrets[f"{slug}.bucket"]
    client = boto3.client("s3", aws_access_key_id=access, aws_secret_access_key=secret, **options)
    bucket, key = f"{NAME}-{slug}", f"document-{time.time_ns()}"
    for content in (b"first", b"second"):
        client.put_object(Bucket=bucket, Key=key, Body=content)
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"second"
    versions = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    assert len(versions) == 2, "the old version is kept"
    older = next(item["VersionId"] for item in versions if not item["IsLatest"])
    assert client.get_object(Bucket=bucket, Key=key, VersionId=older)["Body"].read() == b"first"
    stranger = boto3.client("s3", aws_access_key_id=access, aws_secret_access_key="x" * 32, **options)
    with pytest.raises(ClientError):
        stranger.get_object(Bucket=bucket, Key=key)


def test_a_rule_deleted_behind_our_back_comes_back(connection: Any, lab: Any) -> None:
    rule = lab.cloud.id_of("networking/secGroupRule:SecGroupRule", "rule-edge-1-tcp-443-everyone")
    connection.network.delete_security_group_rule(rule)
    run = lab.up()
    assert {step.name for step in run.steps if step.what != "same"} == {"rule-edge-1-tcp-443-everyone"}
    print(f"one made anew, {run.count('same')} looked at in {run.seconds:.0f} s")


def test_the_volume_is_mounted_by_role_host_over_the_generated_inventory(lab: Any) -> None:
    # the host behind edge: the play reaches it through the jump
    play = lab.converge("volumes", limit="data-1")
    device = lab.ssh("data-1", "findmnt --noheadings --output SOURCE --mountpoint /srv/postgresql")
    given = next(host.volumes["postgresql"] for host in lab.outputs.hosts if host.name == "data-1")
    assert lab.ssh("data-1", f"readlink --canonicalize {given}") == device
    assert "UUID=" in lab.ssh("data-1", "grep /srv/postgresql /etc/fstab")
    lab.ssh("data-1", f"echo kept | sudo tee {FILE}")
    again = lab.converge("volumes", limit="data-1")
    print(f"volumes: {play.changed} changes in {play.seconds:.0f} s, then {again.changed} in {again.seconds:.0f} s")
    assert play.changed == 2 and again.changed == 0, again.output[-4000:]


def test_all_of_role_host_runs_on_such_a_host(lab: Any) -> None:
    lab.make_ordinary("data-1")
    play = lab.converge("host", limit="data-1")
    print(f"role host on data-1: {play.changed} changes in {play.seconds:.0f} s")
    assert "table inet suite" in lab.ssh("data-1", "sudo nft list tables")


def test_a_server_deleted_behind_our_back_comes_back_with_its_volume(connection: Any, lab: Any) -> None:
    server = lab.cloud.id_of("compute/instance:Instance", "host-data-1")
    volume = lab.cloud.id_of("blockstorage/volume:Volume", "volume-data-1-postgresql")
    lab.ssh("data-1", "sync", check=False)
    lab.cloud.makers.by_type["compute/instance:Instance"].remove(server, {})
    run = lab.up()
    made = {step.name for step in run.steps if step.what != "same"}
    assert made == {"host-data-1", "attachment-data-1-postgresql"}
    assert lab.cloud.id_of("blockstorage/volume:Volume", "volume-data-1-postgresql") == volume
    print(f"put right in {run.seconds:.0f} s")


def test_the_volume_of_a_host_made_anew_still_holds_its_data(lab: Any) -> None:
    print(f"the host answers {lab.wait():.0f} s after the program ended")
    play = lab.converge("volumes", limit="data-1")
    assert lab.ssh("data-1", f"cat {FILE}") == "kept"
    print(f"volumes: {play.changed} changes in {play.seconds:.0f} s")
    assert play.changed == 1, "a file system that is there is mounted, not made"


def test_what_is_removed_leaves_the_data_until_that_is_asked_for_too(connection: Any, lab: Any) -> None:
    started = time.monotonic()
    kept = lab.cloud.destroy(with_data=False)
    assert "volume-data-1-postgresql" in kept
    assert {name.partition(" ")[0] for name in left_over(connection, NAME)} <= {"volume", "container"}
    print(f"removed in {time.monotonic() - started:.0f} s, kept: {', '.join(sorted(kept))}")
    lab.cloud.destroy(with_data=True)
    assert left_over(connection, NAME) == []
