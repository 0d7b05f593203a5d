# SPDX-License-Identifier: MIT
"""The unmodified program on a real OpenStack: from an empty tenant to hosts that roles run on, and back to nothing.

The tests tell one story and run in this order; a failure ends it. Where servers are emulated it takes an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from suite_deploy.errors import SuiteError
from tests.openstack.census import absent, census, twice, unknown
from tests.openstack.lab import NAME, port_answers, until_true
from tests.openstack.relay import Relay

FILE = "/srv/postgresql/kept-by-the-volume"
VOLUME = "volume-data-1-postgresql"
#: what is wrong → words that say so, and the next step
WRONG = {
    "password": ("the cloud does not accept the credentials", "suite-deploy doctor"),
    "region": (
        "the cloud has no region 'no-such-region' for this account",
        "There is: ",
        "Compare infrastructure.region",
    ),
    "flavor": ("the cloud has no flavor 'no-such'", "infrastructure.hosts.data-1.flavor", "There is: "),
    "quota": ("nothing was created", "Ask the cloud for a larger quota", " left of "),
}
#: the same, where the suite lies on the cloud: it does not leave its region
WRONG_LATER = WRONG | {"region": ("'no-such-region', but the suite", "lies on a cloud with", "--with-data")}


@contextmanager
def wrong(what: str, connection: Any, lab: Any) -> Iterator[None]:
    """Something the operator may get wrong, for as long as the block lasts."""
    hosts = lab.settings["infrastructure"]["hosts"]
    with ExitStack() as stack:
        if what == "password":
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv("OS_PASSWORD", "no-such-password")
        elif what == "region":
            stack.enter_context(lab.written(region="no-such-region"))
        elif what == "flavor":
            other = {**hosts["data-1"], "flavor": "no-such"}
            stack.enter_context(lab.written(hosts={**hosts, "data-1": other}))
        else:
            limits = connection.compute.get_limits().absolute
            more = limits.instances - limits.instances_used + 1
            flavor = hosts["data-1"]["flavor"]
            further = {f"more-{number}": {"flavor": flavor, "groups": ["apps"]} for number in range(more)}
            stack.enter_context(lab.written(hosts={**hosts, **further}))
        yield


@pytest.fixture
def relay(lab: Any) -> Iterator[Relay]:
    """What the provider reaches the cloud through, for one test."""
    if os.environ["OS_AUTH_URL"].startswith("https"):
        pytest.skip("NOT RUN: the relay that is cut passes no TLS on")
    made = Relay()
    with made.running() as url:
        lab.cloud.relay = url
        try:
            yield made
        finally:
            lab.cloud.relay = ""


def refused(lab: Any, *words: str) -> str:
    """What `up` says as it fails: one message of the product's, with these words."""
    with pytest.raises(SuiteError) as caught:
        lab.up()
    said = str(caught.value)
    print("\n".join(f"    | {line}" for line in said.splitlines()), flush=True)
    assert all(word in said for word in words), said
    assert os.environ["OS_PASSWORD"] not in said.split() and "Traceback" not in said
    return said


def assert_state_and_cloud_agree(connection: Any, lab: Any) -> None:
    """Nothing there twice, nothing that nobody knows, nothing known that is not there."""
    found, known = census(connection), [kept.id for kept in lab.kept.values()]
    assert not twice(found)
    assert not unknown(found, known + rules_of_begun(found, lab))
    assert not absent(found, known)


def rules_of_begun(found: dict[str, str], lab: Any) -> list[str]:
    """Ids of the cloud's own rules in security groups whose making did not end: they go as it is taken up again."""
    begun = tuple(f"rule {kept.id} " for kept in lab.kept.values() if kept.begun)
    return [id_ for id_, name in found.items() if name.startswith(begun)]


def test_the_tenant_is_empty_at_first(connection: Any, lab: Any) -> None:
    assert census(connection) == {} and lab.kept == {}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_before_anything_is_made(what: str, connection: Any, lab: Any) -> None:
    with wrong(what, connection, lab):
        refused(lab, *WRONG[what])
    assert census(connection) == {} and lab.kept == {}


def test_up_makes_everything(connection: Any, lab: Any) -> None:
    run = lab.up()
    assert run.names("create") == set(run.did) == set(lab.kept) and len(run.did) > 20
    print(f"{len(run.did)} created in {run.program:.0f} s, every host answers {run.hosts:.0f} s later")
    assert_state_and_cloud_agree(connection, lab)
    assert lab.cloud.provided["authUrl"] == os.environ["OS_AUTH_URL"]
    assert str(lab.cloud.provided["insecure"]).lower() == "false"


def test_the_hosts_let_the_deployment_in_and_nobody_else(lab: Any) -> None:
    for host in ("edge-1", "data-1"):
        assert lab.ssh(host, "hostname; id --user --name; sudo --non-interactive id --user; python3 -c 'print(1)'") == (
            f"{host}\nsuite\n0\n1"
        )
        assert lab.ssh(host, "getent hosts $(hostname)").startswith("127.0.1.1")
        assert lab.ssh(host, "sudo passwd --status suite").split()[1] == "L"
        assert lab.ssh(host, "getent passwd debian", check=False) == ""


def test_a_second_up_changes_nothing(connection: Any, lab: Any) -> None:
    before = census(connection)
    run = lab.up()
    assert run.changed == set() and census(connection) == before
    print(f"{len(run.did)} looked at in {run.program:.0f} s, the hosts answer {run.hosts:.0f} s later")


@pytest.mark.parametrize("what", WRONG_LATER)
def test_a_suite_that_runs_survives_what_is_wrong_and_the_next_up_changes_nothing(
    what: str, connection: Any, lab: Any
) -> None:
    before, outputs = census(connection), lab.driver().outputs()
    with wrong(what, connection, lab):
        refused(lab, *WRONG_LATER[what])
    assert census(connection) == before and lab.driver().outputs() == outputs
    assert lab.up().changed == set() and census(connection) == before


def test_the_security_groups_open_what_is_declared_and_nothing_else(connection: Any, lab: Any) -> None:
    address = lab.outputs.public_address
    for port in (443, 8081):
        lab.ssh("edge-1", f"sudo systemd-run --unit=probe-{port} python3 -m http.server {port}")
    for port in (5432, 8081):
        lab.ssh("data-1", f"sudo systemd-run --unit=probe-{port} python3 -m http.server {port}")
    assert until_true(lambda: port_answers(address, 443))
    assert not port_answers(address, 8081)
    # The group alone stands in the way: with a rule of another's making the same port answers.
    group = lab.kept["security-group-edge-1"].id
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


@pytest.fixture
def s3(lab: Any) -> Any:
    """Makes clients of the cloud's S3 with the bucket's key, or with another secret."""
    if not lab.object_store:
        pytest.skip("NOT RUN: SUITE_DEPLOY_LAB_OBJECT_STORE names no S3 endpoint")
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config

    sums = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    return partial(
        boto3.client,
        "s3",
        endpoint_url=lab.object_store,
        region_name=lab.region,
        config=Config(s3={"addressing_style": "path"}, **sums),
        aws_access_key_id=lab.secrets[f"{lab.bucket_slug}.bucket_access_key"],
        aws_secret_access_key=lab.secrets[f"{lab.bucket_slug}.bucket"],
    )


def test_the_bucket_answers_to_the_key_the_stack_made(lab: Any, s3: Any) -> None:
    from botocore.exceptions import ClientError

    client, bucket, key = s3(), f"{NAME}-{lab.bucket_slug}", f"document-{time.time_ns()}"
    for content in (b"first", b"second"):
        client.put_object(Bucket=bucket, Key=key, Body=content)
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"second"
    versions = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    assert len(versions) == 2, "the old version is kept"
    older = next(item["VersionId"] for item in versions if not item["IsLatest"])
    assert client.get_object(Bucket=bucket, Key=key, VersionId=older)["Body"].read() == b"first"
    with pytest.raises(ClientError):
        s3(aws_secret_access_key="x" * 32).get_object(Bucket=bucket, Key=key)


def test_old_versions_that_somebody_switched_off_are_kept_again_after_up(lab: Any, s3: Any) -> None:
    client, bucket = s3(), f"{NAME}-{lab.bucket_slug}"
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert lab.up().changed == set(), "no resource is made or changed for it"
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_a_rule_deleted_behind_our_back_comes_back(connection: Any, lab: Any) -> None:
    connection.network.delete_security_group_rule(lab.kept["rule-edge-1-tcp-443-everyone"].id)
    run = lab.up()
    assert run.changed == run.names("create") == {"rule-edge-1-tcp-443-everyone"}
    assert_state_and_cloud_agree(connection, lab)
    print(f"one made anew of {len(run.did)} in {run.program:.0f} s")


def test_a_rule_whose_making_was_never_answered_is_named_and_not_made_twice(
    connection: Any, lab: Any, relay: Relay
) -> None:
    name = "rule-edge-1-tcp-443-everyone"
    connection.network.delete_security_group_rule(lab.kept[name].id)
    relay.cut_at("POST", "/security-group-rules", answered=False)
    refused(lab, "the connection to the cloud was lost", name)
    relay.mend()
    (lost,) = set(census(connection)) - {kept.id for kept in lab.kept.values()} - boot_volumes(connection)
    said = refused(lab, name, lost)
    print(f"the cloud made {lost} and its answer was lost; the next up names it: {lost in said}")
    connection.network.delete_security_group_rule(lost)
    assert lab.up().changed == {name}
    assert_state_and_cloud_agree(connection, lab)


def boot_volumes(connection: Any) -> set[str]:
    return {id_ for id_, name in census(connection).items() if name == "boot volume"}


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


def test_role_host_runs_to_its_end_and_a_second_time_changes_nothing(lab: Any) -> None:
    lab.make_ordinary("data-1")
    play = lab.converge("host", limit="data-1")
    print(f"role host on data-1: {play.changed} changes in {play.seconds:.0f} s", flush=True)
    assert "table inet suite" in lab.ssh("data-1", "sudo nft list tables")
    assert lab.ssh("data-1", "systemctl is-active systemd-timesyncd suite-firewall ssh").split() == ["active"] * 3
    again = lab.converge("host", limit="data-1")
    print(f"role host on data-1 again: {again.changed} changes in {again.seconds:.0f} s")
    assert play.changed > 0 and again.changed == 0, again.output[-6000:]


def test_a_server_deleted_behind_our_back_comes_back_with_its_volume(connection: Any, lab: Any) -> None:
    server, volume = lab.kept["host-data-1"], lab.kept[VOLUME].id
    lab.ssh("data-1", "sync", check=False)
    connection.compute.delete_server(server.id)
    assert until_true(lambda: server.id not in census(connection))
    run = lab.up()
    # the attachment went with the server
    assert run.changed == {"host-data-1", "attachment-data-1-postgresql"}
    assert lab.kept[VOLUME].id == volume != "" and lab.kept["host-data-1"].id != server.id
    assert_state_and_cloud_agree(connection, lab)
    print(f"put right in {run.program:.0f} s, the hosts answer {run.hosts:.0f} s later")


def test_the_volume_of_a_host_made_anew_still_holds_its_data(lab: Any) -> None:
    play = lab.converge("volumes", limit="data-1")
    assert lab.ssh("data-1", f"cat {FILE}") == "kept"
    print(f"volumes: {play.changed} changes in {play.seconds:.0f} s")
    assert play.changed == 1, "a file system that is there is mounted, not made"


def test_destroy_leaves_the_data(connection: Any, lab: Any) -> None:
    volume, started = lab.kept[VOLUME].id, time.monotonic()
    kept = lab.destroy(with_data=False)
    print(f"removed in {time.monotonic() - started:.0f} s, kept: {', '.join(kept)}")
    assert f"volume {volume} ({VOLUME})" in kept
    left = census(connection)
    assert volume in left and {name.split()[0] for name in left.values()} <= {"volume", "container"}
    assert_state_and_cloud_agree(connection, lab)


def test_a_network_whose_making_was_never_answered_is_named_and_not_made_twice(
    connection: Any, lab: Any, relay: Relay
) -> None:
    relay.cut_at("POST", "/networks", answered=False)
    refused(lab, "the connection to the cloud was lost", "network-private", "the cloud may hold one")
    relay.mend()
    before = census(connection)
    (lost,) = set(before) - {kept.id for kept in lab.kept.values()} - set(rules_of_begun(before, lab))
    # the cloud would take the name twice without a word
    refused(lab, "nothing was created", f"network {NAME}-private ({lost})", "remove it there")
    assert census(connection) == before
    connection.network.delete_network(lost)
    assert_state_and_cloud_agree(connection, lab)


def test_quota_that_is_gone_half_way_stops_up_and_what_was_made_stays_known(connection: Any, lab: Any) -> None:
    data = {id_ for id_, name in census(connection).items() if name.split()[0] in ("volume", "container")}
    # one that the failure before this left would leave none to make
    for group in connection.compute.server_groups():
        connection.compute.delete_server_group(group)
    limits = connection.compute.get_limits().absolute
    taken: list[Any] = []

    def take_the_rest(name: str) -> None:
        """Somebody else takes it after `up` asked and before it makes its own."""
        if name.startswith("host-group-"):
            for number in range(limits.server_groups - limits.server_groups_used):
                made = connection.compute.create_server_group(name=f"other-{number}", policies=["soft-anti-affinity"])
                taken.append(made)

    lab.cloud.before = take_the_rest
    try:
        refused(lab, "the cloud has no room left for that", "host-group-suite", "suite-deploy preview")
    finally:
        lab.cloud.before = lambda name: None
        for group in taken:
            connection.compute.delete_server_group(group)
    assert_state_and_cloud_agree(connection, lab)
    left = census(connection)
    assert taken and len(data) == 2 and data < set(left), "the data and more are there"
    assert not any(name.startswith("server") for name in left.values())
    print(f"{len(left) - len(data)} more than the data were made and stay known")


def test_a_connection_lost_half_way_loses_nothing_and_the_next_up_makes_only_what_is_missing(
    connection: Any, lab: Any, relay: Relay
) -> None:
    # both servers are asked for, neither is ready
    relay.cut_at("POST", "/servers", times=2)
    refused(lab, "the connection to the cloud was lost", "Run the same command again once the cloud answers")
    assert relay.refused
    relay.mend()
    before, known = census(connection), dict(lab.kept)
    assert_state_and_cloud_agree(connection, lab)
    assert {"host-edge-1", "host-data-1"} <= set(known), "what the cloud gave an id is known"
    assert "attachment-data-1-postgresql" not in known, "not everything was made"
    run = lab.up()
    assert run.names("create") == set(run.did) - set(known), "only what was missing is made"
    assert {kept.id for kept in known.values()} <= {kept.id for kept in lab.kept.values()}
    assert set(before) <= set(census(connection))
    assert_state_and_cloud_agree(connection, lab)
    assert lab.up().changed == set()
    print(f"{len(known)} were known, {len(run.names('create'))} made in {run.program:.0f} s; hosts {run.hosts:.0f} s")


def test_the_data_outlived_destroy_and_both_failures(lab: Any) -> None:
    if "host-data-1" not in lab.kept:
        lab.up()
    device = next(host.volumes["postgresql"] for host in lab.outputs.hosts if host.name == "data-1")
    read = f"sudo mount -o ro {device} /mnt && cat /mnt/{FILE.rpartition('/')[2]} && sudo umount /mnt"
    assert lab.ssh("data-1", read) == "kept"


def test_destroy_with_data_leaves_nothing(connection: Any, lab: Any) -> None:
    started = time.monotonic()
    assert lab.destroy(with_data=True) == []
    assert census(connection) == {} and lab.kept == {}
    assert lab.driver().outputs() is None
    print(f"removed in {time.monotonic() - started:.0f} s")
