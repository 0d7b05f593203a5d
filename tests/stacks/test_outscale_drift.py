# SPDX-License-Identifier: MIT
"""What somebody changed by hand at Outscale is in the state after a refresh, and every later run goes on from there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks.outscale import providers
from stacks.outscale.providers.base import Provider
from tests.stacks.outscale_double.bench import Bench, bench, inventory
from tests.stacks.outscale_double.cloud import Data, Thing
from tests.stacks.outscale_double.engine import Made
from tests.stacks.outscale_double.realise import Kept, Realised, up

#: buckets have a store of their own: tests/stacks/test_outscale_bucket.py
KINDS: dict[str, Provider[Any]] = {
    name: getattr(providers, name).provider for name in providers.__all__ if name not in ("OutscaleResource", "Bucket")
}
#: Encapsulating Security Payload and ping, as the API may hold rules that no inventory asks for
_ESP = {"IpProtocol": "50", "IpRanges": ["198.51.100.0/24"]}
_PING = {"IpProtocol": "icmp", "FromPortRange": 8, "ToPortRange": -1, "IpRanges": ["0.0.0.0/0"]}
_WHOLE = {"IpProtocol": "tcp", "IpRanges": ["198.51.100.0/24"]}


def _untag(key: str) -> Callable[[Data], None]:
    def remove(live: Data) -> None:
        live["Tags"] = [tag for tag in live["Tags"] if tag["Key"] != key]

    return remove


def _to_a_host(live: Data) -> None:
    """A route that leads to a VM, which inputs have no word for."""
    kept = [route for route in live["Routes"] if route.get("GatewayId") == "local"]
    live["Routes"] = [*kept, {"DestinationIpRange": "0.0.0.0/0", "VmId": "i-0000000a", "State": "active"}]


def _of_no_group(live: Data) -> None:
    live["SecurityGroups"] = []


def _set(**changed: Any) -> Callable[[Data], None]:
    return lambda live: live.update(changed)


def _drop(*names: str) -> Callable[[Data], None]:
    def remove(live: Data) -> None:
        for name in names:
            del live[name]

    return remove


def _rule(flow: str, *rules: Data) -> Callable[[Data], None]:
    return lambda live: live.update({f"{flow}Rules": [*live[f"{flow}Rules"], *({**rule} for rule in rules)]})


_TAGS = {"tags": [_untag("Name"), _untag("suite"), _set(Tags=[])]}
#: kind → property that can change without us → how
DRIFT: dict[str, dict[str, list[Callable[[Data], None]]]] = {
    "Net": _TAGS,
    "Subnet": _TAGS,
    "InternetService": {**_TAGS, "netId": [_drop("NetId", "State")]},
    "NatService": _TAGS,
    "PublicIp": {**_TAGS, "vmId": [_drop("VmId", "LinkPublicIpId")]},
    "RouteTable": {
        **_TAGS,
        "routes": [_to_a_host, lambda live: live["Routes"].clear()],
        "subnetIds": [_set(LinkRouteTables=[])],
    },
    "SecurityGroup": {
        **_TAGS,
        "inboundRules": [_rule("Inbound", _ESP), _rule("Inbound", _PING), _rule("Inbound", _WHOLE)],
        "outboundRules": [_set(OutboundRules=[]), _rule("Outbound", _ESP)],
    },
    "Keypair": {**_TAGS, "publicKey": [_set(KeypairFingerprint="00:11")]},
    "Vm": {
        **_TAGS,
        "vmType": [_set(VmType="tinav6.c2r8p2"), _set(VmType="x")],
        "securityGroupIds": [_of_no_group],
        "keypairName": [_set(KeypairName="other"), _drop("KeypairName")],
        "state": [_set(State="stopped")],
    },
    "Volume": {**_TAGS, "volumeType": [_set(VolumeType="io1", Iops=500), _set(VolumeType="gp3")]},
    # another host's link is not ours: tests/stacks/test_outscale_links.py
    "VolumeLink": {},
}
#: shown by the API and the same for as long as the resource lives
_FOR_LIFE = {
    "Net": {"ipRange"},
    "Subnet": {"netId", "ipRange", "subregionName"},
    "NatService": {"subnetId", "publicIpId"},
    "RouteTable": {"netId"},
    "SecurityGroup": {"netId", "groupName", "description"},
    "Keypair": {"keypairName"},
    "Vm": {"subnetId", "subregionName"},
    # grown by hand, it is left so: it can't shrink again
    "Volume": {"subregionName", "size"},
    "VolumeLink": {"volumeId", "vmId"},
}
CASES = [
    pytest.param(kind, name, how, id=f"{kind}-{name}-{number}")
    for kind, drifts in DRIFT.items()
    for name, ways in drifts.items()
    for number, how in enumerate(ways, start=1)
]


@dataclass(frozen=True)
class Standing:
    """A suite that stands: its inventory, the engine's state, and what the cloud holds."""

    folder: Path
    state: dict[str, Kept]
    things: dict[str, Thing]


@pytest.fixture(scope="module")
def served() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.fixture(scope="module")
def standing(served: Bench, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    realised, folder = Realised(served.engine), tmp_path_factory.mktemp("inventory")
    up(realised, inventory(folder, served.server.endpoint))
    return Standing(folder, realised.state, copy.deepcopy(served.cloud.things))


@pytest.fixture
def realised(served: Bench, standing: Standing) -> Realised:
    """The suite as it was made, whatever the test before did to it."""
    served.cloud.things.clear()
    served.cloud.things |= copy.deepcopy(standing.things)
    return Realised(served.engine, dict(standing.state))


def one(realised: Realised, kind: str) -> Kept:
    """A resource of this kind; of public addresses one that leads to a host."""
    found = [kept for kept in realised.state.values() if kept.kind == kind]
    return next((kept for kept in found if kept.inputs.get("vmId")), found[0])


def test_every_property_that_can_drift_is_looked_at(realised: Realised, served: Bench) -> None:
    for kind, provider in KINDS.items():
        kept = one(realised, kind)
        shown = provider.observed(served.cloud.things[kept.made.id].data, kept.made.outs).keys() | {"tags"}
        compared = shown & {field.alias or name for name, field in provider.inputs.model_fields.items()}
        assert compared - provider.ignored - _FOR_LIFE.get(kind, set()) <= DRIFT[kind].keys(), kind


@pytest.mark.parametrize(("kind", "name", "how"), CASES)
def test_what_was_changed_by_hand_is_read_again_seen_and_put_right(
    realised: Realised, served: Bench, kind: str, name: str, how: Callable[[Data], None]
) -> None:
    """A destroy that keeps data refreshes and writes what it saw; the next run reads from there."""
    kept, engine = one(realised, kind), served.engine
    how(served.cloud.things[kept.made.id].data)
    seen = engine.read(kept.provider, kept.made)
    assert seen is not None and seen.outs.get(name) != kept.made.outs[name]
    again = engine.read(kept.provider, seen)
    assert again == seen, "a second look shows the same"
    difference = engine.diff(kept.provider, again, kept.inputs)
    assert difference.changes
    if difference.replaces:
        assert set(difference.replaces) <= KINDS[kind].fixed and name in difference.replaces
        return
    after = engine.update(kept.provider, again, kept.inputs)
    assert not engine.diff(kept.provider, after, kept.inputs).changes
    assert engine.read(kept.provider, after) == after


def test_a_run_after_two_refreshes_puts_right_what_drifted_between(
    realised: Realised, served: Bench, standing: Standing
) -> None:
    changed = 0
    for name, kept in list(realised.state.items()):
        if kept.kind in ("SecurityGroup", "Volume", "Vm"):
            live = served.cloud.things[kept.made.id].data
            _untag("Name")(live)
            if kept.kind == "SecurityGroup":
                _rule("Inbound", _ESP)(live)
            changed += 1
        seen = served.engine.read(kept.provider, kept.made)
        assert seen is not None
        realised.state[name] = Kept(kept.kind, kept.provider, kept.inputs, seen)
    up(realised, standing.folder)
    assert realised.did == {"change": changed, "same": len(realised.state) - changed}
    up(realised, standing.folder)
    assert set(realised.did) == {"same"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_read_whatever_stands_in_it(realised: Realised, served: Bench, kind: str) -> None:
    """Only what is asked for is judged; an older version, or the API, may have said otherwise."""
    kept = one(realised, kind)
    # whose link it is decides whether there is one
    for name in kept.inputs.keys() - {"region", "endpoint", "publicKey", *(("vmId",) if kind == "VolumeLink" else ())}:
        for value in ({}, {"strange": "words"}, *(("strange words", ["strange"], -1) if name != "tags" else ())):
            state = Made(kept.made.id, {**kept.made.outs, name: value})
            assert served.engine.read(kept.provider, state) is not None, f"{name}: {value}"
