# SPDX-License-Identifier: MIT
"""What an operator reads when something is wrong, and that nothing is lost by it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from stacks.outscale import providers
from stacks.outscale.providers import credentials
from stacks.outscale.providers.errors import CredentialsMissing
from stacks.outscale.providers.inputs import UNKNOWN, has_unknown
from stacks.outscale.providers.keypair import KeypairProvider
from stacks.outscale.providers.net import NetProvider, SubnetProvider
from stacks.outscale.providers.pace import Pace
from stacks.outscale.providers.security import SecurityGroupProvider
from stacks.outscale.providers.vm import VmProvider
from stacks.outscale.providers.volume import VolumeProvider
from tests.stacks.outscale_double import Fault
from tests.stacks.outscale_double.bench import PUBLIC_KEY, REGION, Bench, bench, environment
from tests.stacks.outscale_double.engine import Engine, Made, Refused
from tests.stacks.outscale_double.server import ACCESS_KEY, SECRET_KEY

NET = {"ipRange": "10.64.0.0/24"}
VM = {
    "imageId": "ami-0a1b2c3d",
    "vmType": "tinav6.c4r16p2",
    "subnetId": "subnet-1",
    "subregionName": f"{REGION}a",
    "securityGroupIds": ["sg-1"],
    "keypairName": "agency",
}


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench() as made:
        yield made


def net(stand: Bench) -> dict[str, Any]:
    return {**stand.common("net"), **NET}


def test_wrong_credentials_are_said_once_and_not_tried_again() -> None:
    """Outscale locks an account after some wrong sign-ins, for good after many."""
    with bench(keys=environment(secret="not the secret key")) as stand:
        with pytest.raises(Refused, match="ReadNets: Outscale refuses: AccessDenied 1. Check OSC_ACCESS_KEY") as caught:
            stand.engine.create(NetProvider(), net(stand))
        assert "request " in str(caught.value)
        assert stand.server.asked == ["ReadNets"]


def test_credentials_of_another_region_are_refused_readably(stand: Bench) -> None:
    stand.cloud.region = "eu-west-2"
    with pytest.raises(Refused, match="are they of this region"):
        stand.engine.create(NetProvider(), {**net(stand), "region": REGION})


def test_credentials_of_another_account_do_not_make_everything_a_second_time(stand: Bench) -> None:
    made = stand.engine.create(NetProvider(), net(stand))
    other = Made(made.id, {**made.outs, "accountId": "999999999999"})
    for ask in (
        lambda: stand.engine.read(NetProvider(), other),
        lambda: stand.engine.delete(NetProvider(), other),
        lambda: stand.engine.update(NetProvider(), other, net(stand)),
    ):
        with pytest.raises(Refused, match="is in the account 999999999999, the access key is of 123456789012"):
            ask()
    assert len(stand.cloud.living("Net")) == 1


def test_keys_that_may_not_ask_for_their_account_still_work(stand: Bench) -> None:
    denied = (401, "4", "AccessDenied", "")
    stand.server.faults = [Fault("ReadAccounts", "refuse", times=9, error=denied)]
    made = stand.engine.create(NetProvider(), net(stand))
    assert made.outs["accountId"] == "" and stand.engine.read(NetProvider(), made) == made


def test_an_unknown_vm_type_is_said_and_leaves_what_was_made(stand: Bench) -> None:
    stand.engine.create(NetProvider(), net(stand))
    unknown = (400, "5024", "InvalidResource", "no-such-instance-type")
    stand.server.faults = [Fault("CreateVms", "refuse", error=unknown)]
    with pytest.raises(Refused, match="No such VM type: `flavor` of the host is one of Outscale's, like tinav6"):
        stand.engine.create(VmProvider(), {**stand.common("app-1"), **VM, "vmType": "b3-16"})
    assert len(stand.cloud.living("Net")) == 1


def test_a_used_up_quota_is_said_and_not_tried_again(stand: Bench) -> None:
    stand.cloud.quota["Net"] = 0
    with pytest.raises(
        Refused, match=r"TooManyResources \(QuotaExceded\) 10010, .*quota is used up.*HTTP 400, request"
    ):
        stand.engine.create(NetProvider(), net(stand))
    assert stand.server.asked.count("CreateNet") == 1
    stand.cloud.quota.clear()
    assert stand.engine.create(NetProvider(), net(stand)).id.startswith("vpc-")


def test_an_endpoint_nobody_answers_at_is_said(stand: Bench) -> None:
    dead = {**net(stand), "endpoint": "http://127.0.0.1:9/api/v1"}
    with pytest.raises(Refused, match=r"ReadNets: http://127.0.0.1:9/api/v1 cannot be reached: .*refused"):
        stand.engine.create(NetProvider(), dead)


def test_throttling_that_lasts_is_an_error_and_not_an_endless_wait(stand: Bench) -> None:
    stand.server.faults = [Fault("CreateNet", "throttle", times=100)]
    with pytest.raises(Refused, match="AccessDenied 6, Request rate exceeded"):
        stand.engine.create(NetProvider(), net(stand))
    assert not stand.cloud.living("Net")


def test_a_connection_that_breaks_for_good_says_that_it_may_have_been_done(stand: Bench) -> None:
    stand.server.faults = [Fault("CreateNet", "drop", times=100)]
    with pytest.raises(Refused, match="gave no answer; it may have done what was asked"):
        stand.engine.create(NetProvider(), net(stand))


def test_missing_credentials_are_said_before_anything_is_asked() -> None:
    with bench(keys={"HOME": "/nonexistent"}) as stand:
        with pytest.raises(Refused, match="no access key: set OSC_ACCESS_KEY and OSC_SECRET_KEY, or write the profile"):
            stand.engine.create(NetProvider(), net(stand))
        assert stand.server.asked == []


def test_a_profile_serves_where_the_environment_says_nothing(tmp_path: Path) -> None:
    profile = {"ops": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": "us-east-2"}}
    (tmp_path / "config.json").write_text(json.dumps(profile), encoding="utf-8")
    keys = {"HOME": "/nonexistent", "OSC_CONFIG_FILE": str(tmp_path / "config.json"), "OSC_PROFILE": "ops"}
    with bench(keys=keys) as stand:
        made = stand.engine.create(NetProvider(), net(stand))
        assert made.outs["region"] == REGION, "the profile's region is not looked at"


def test_the_environment_wins_over_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"default": {"access_key": "F", "secret_key": "F"}}), "utf-8")
    monkeypatch.setenv("OSC_CONFIG_FILE", str(tmp_path / "config.json"))
    monkeypatch.setenv("OSC_ACCESS_KEY", "E")
    monkeypatch.setenv("OSC_SECRET_KEY", "S")
    assert credentials.keys().access == "E" and "S" not in repr(credentials.keys())
    monkeypatch.delenv("OSC_SECRET_KEY")
    with pytest.raises(CredentialsMissing, match="OSC_SECRET_KEY is not set"):
        credentials.keys()


REFUSED = [
    (NetProvider(), NET | {"ipRange": "10.64.0.1/24"}, "ipRange", "has host bits set"),
    (NetProvider(), NET | {"region": "Paris"}, "region", "should match pattern"),
    (NetProvider(), NET | {"endpoint": "http://api.example.org/api/v1"}, "endpoint", "is not encrypted"),
    (NetProvider(), NET | {"endpoint": "https://api.eu-west-2.outscale.com"}, "region", "of the region eu-west-2, not"),
    (NetProvider(), NET | {"tags": {"Name": "x"}}, "tags", "lack suite"),
    (NetProvider(), NET | {"netmask": 24}, "netmask", "is no property of this resource"),
    (NetProvider(), {}, "ipRange", "is missing"),
    (VmProvider(), VM | {"imageId": "Debian 13"}, "imageId", "should match pattern"),
    (VmProvider(), VM | {"securityGroupIds": []}, "securityGroupIds", "at least 1 item"),
    (VolumeProvider(), {"subregionName": f"{REGION}a", "size": 20000}, "size", "less than or equal to 14901"),
    (VolumeProvider(), {"subregionName": f"{REGION}a", "size": 9, "volumeType": "io1"}, "region", "io1 needs iops"),
    (KeypairProvider(), {"keypairName": "k", "publicKey": "-----BEGIN PRIVATE KEY-----"}, "publicKey", "no public key"),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with bench() as made:
        yield made.engine


@pytest.mark.parametrize(("provider", "given", "key", "text"), REFUSED)
def test_inputs_that_cannot_be_right_are_refused_before_anything_is_made(
    engine: Engine, provider: Any, given: dict[str, Any], key: str, text: str
) -> None:
    common = {"region": REGION, "endpoint": f"https://api.{REGION}.outscale.com/api/v1"}
    properties = {**common, "tags": {"Name": "agency-x", "suite": "agency"}, **given}
    _, failures = engine.check(provider, properties)
    assert [name for name, _ in failures] == [key], failures
    assert text in failures[0][1] and failures[0][1].startswith(f"{provider.kind} ")


def test_a_private_key_is_not_repeated_by_the_refusal(engine: Engine) -> None:
    common = {"region": REGION, "endpoint": "https://x.example/api/v1", "tags": {"Name": "k", "suite": "s"}}
    _, failures = engine.check(KeypairProvider(), {**common, "keypairName": "k", "publicKey": "PRIVATE very-secret"})
    assert failures and "very-secret" not in str(failures)


def test_what_is_not_known_yet_is_not_judged(engine: Engine) -> None:
    """In a preview the ids of what will be made are unknown."""
    common = {"region": REGION, "endpoint": f"https://api.{REGION}.outscale.com/api/v1"}
    subnet = {"netId": UNKNOWN, "ipRange": "10.64.0.0/27", "subregionName": f"{REGION}a"}
    properties = {**common, "tags": {"Name": "agency-x", "suite": "agency"}, **subnet}
    inputs, failures = engine.check(SubnetProvider(), properties)
    assert failures == [] and has_unknown(inputs["netId"])
    group = {"netId": UNKNOWN, "groupName": UNKNOWN, "description": "x", "inboundRules": [{"protocol": UNKNOWN}]}
    assert (
        engine.check(SecurityGroupProvider(), {**properties, **group} | {"ipRange": None, "subregionName": None})[1]
        == []
    )


def test_a_preview_does_not_replace_a_host_because_its_group_is_new(engine: Engine) -> None:
    outs = {"region": REGION, "endpoint": "https://x", "tags": {"Name": "a", "suite": "s"}, **VM, "state": "running"}
    difference = engine.diff(VmProvider(), Made("i-1", outs), {**outs, "securityGroupIds": [UNKNOWN]})
    assert difference.changes and difference.replaces == ()


def test_pauses_grow_differ_and_end() -> None:
    pace = Pace()
    runs = [list(pace.pauses()) for _ in range(5)]
    assert len({run[0] for run in runs}) > 1, "each client waits differently"
    for run in runs:
        assert len(run) == pace.attempts - 1 and max(run) <= pace.longest
        assert all(later > earlier for earlier, later in zip(run[:4], run[1:5], strict=True))


def test_providers_are_pickled_by_reference_under_names_that_stay() -> None:
    """What states hold must be readable by later versions: module and class names are part of our promise."""
    expected = {
        "Bucket": b"stacks.outscale.providers.bucket",
        "InternetService": b"stacks.outscale.providers.internet",
        "Keypair": b"stacks.outscale.providers.keypair",
        "NatService": b"stacks.outscale.providers.internet",
        "Net": b"stacks.outscale.providers.net",
        "PublicIp": b"stacks.outscale.providers.internet",
        "RouteTable": b"stacks.outscale.providers.routes",
        "SecurityGroup": b"stacks.outscale.providers.security",
        "Subnet": b"stacks.outscale.providers.net",
        "Vm": b"stacks.outscale.providers.vm",
        "Volume": b"stacks.outscale.providers.volume",
        "VolumeLink": b"stacks.outscale.providers.volume",
    }
    classes = {name: getattr(providers, name) for name in providers.__all__ if name != "OutscaleResource"}
    assert set(classes) == set(expected)
    for name, kind in classes.items():
        assert kind._resource_type_name == f"dynamic/outscale:{name}"
        pickled = base64.b64decode(serialize_provider(kind.provider))
        assert expected[name] in pickled and f"{name}Provider".encode() in pickled
        assert len(pickled) < 120, "more than a reference"


def test_an_access_key_reaches_neither_log_nor_state(stand: Bench) -> None:
    made = stand.engine.create(NetProvider(), net(stand))
    stand.server.faults = [Fault("ReadNets", "refuse", times=3, error=(400, "4000", "InvalidParameterValue", "x"))]
    with pytest.raises(Refused):
        stand.engine.create(NetProvider(), net(stand))
    with pytest.raises(Refused):
        stand.engine.create(KeypairProvider(), {**stand.common("key"), "keypairName": "", "publicKey": PUBLIC_KEY})
    assert stand.engine.log
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert secret not in f"{made} {stand.said()}"
