# SPDX-License-Identifier: MIT
"""What holds for every kind of resource at Outscale: seen when gone, replaced only where it must be, waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks.outscale import providers
from stacks.outscale.providers import power
from stacks.outscale.providers.base import Provider
from stacks.outscale.providers.errors import TimedOut
from stacks.outscale.providers.internet import PublicIpProvider
from stacks.outscale.providers.keypair import KeypairProvider
from stacks.outscale.providers.pace import PACE, until
from stacks.outscale.providers.vm import VmProvider
from tests.stacks.outscale_double import description
from tests.stacks.outscale_double.bench import PUBLIC_KEY, Bench, bench, environment, inventory
from tests.stacks.outscale_double.engine import PACE as HURRIED
from tests.stacks.outscale_double.engine import Engine, Made
from tests.stacks.outscale_double.realise import Realised, up
from tests.stacks.outscale_double.tenant import Tenant
from tests.stacks.support import variables

KINDS: dict[str, Provider[Any]] = {
    name: getattr(providers, name).provider for name in providers.__all__ if name != "OutscaleResource"
}
#: kind → the API's word for it, where a test asks the description what the API can change
NAMED_BY_API = {name: name for name in KINDS if name not in ("Bucket", "VolumeLink")}
NUMBERS = ("size", "rootSize", "iops")
#: inputs that are fixed although something at the API could change them, and why
UNCHANGEABLE = {"region": "another region is another API"}


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """For questions that need no cloud."""
    with bench() as made:
        yield made.engine


@pytest.fixture
def tenant(stand: Bench) -> Tenant:
    return Tenant(stand)


def inputs_of(provider: Provider[Any]) -> set[str]:
    return {field.alias or name for name, field in provider.inputs.model_fields.items()}


@pytest.mark.parametrize("kind", NAMED_BY_API)
def test_only_what_no_action_of_the_api_can_change_means_another_resource(kind: str) -> None:
    """The description's own `Update…` says what can be changed; rules, routes and links have actions of their own."""
    provider = KINDS[kind]
    schema = description.document()["components"]["schemas"].get(f"Update{NAMED_BY_API[kind]}Request", {})
    changeable = {name[0].lower() + name[1:] for name in schema.get("properties", {})} - {f"{kind.lower()}Id"}
    assert provider.fixed <= inputs_of(provider)
    assert not provider.fixed & changeable - UNCHANGEABLE.keys(), "it would be replaced for nothing"
    by_other_actions = {"inboundRules", "outboundRules", "routes", "subnetIds", "netId", "vmId", "tags", "endpoint"}
    changed_in_place = inputs_of(provider) - provider.fixed - provider.ignored - by_other_actions
    assert changed_in_place <= changeable, "nothing could carry this change out"


@pytest.mark.parametrize("kind", KINDS)
def test_each_input_is_compared_as_its_kind_says(engine: Engine, kind: str) -> None:
    provider = KINDS[kind]
    if kind == "Bucket":
        assert provider.fixed == {"region", "bucketName"}
    old: dict[str, Any] = {name: 10 if name in NUMBERS else f"before-{name}" for name in inputs_of(provider)}
    old["tags"] = {"Name": "x", "suite": "y"}
    for name in inputs_of(provider) - {"tags"}:
        news = {**old, name: 20 if name in NUMBERS else f"after-{name}"}
        difference = engine.diff(provider, Made("id", old), news)
        assert difference.replaces == ((name,) if name in provider.fixed else ()), name
        assert difference.changes is (name not in provider.ignored), name


def test_whatever_somebody_deletes_is_seen_as_gone(stand: Bench, tmp_path: Path) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    looked_at = set()
    for name, kept in realised.state.items():
        stored = stand.cloud.things.pop(kept.made.id)
        assert stand.engine.read(kept.provider, kept.made) is None, f"{name} was deleted, and nobody noticed"
        stand.cloud.things[kept.made.id] = stored
        seen = stand.engine.read(kept.provider, kept.made)
        assert seen is not None and not stand.engine.diff(kept.provider, seen, kept.inputs).changes, name
        looked_at.add(kept.kind)
    assert looked_at == set(KINDS) - {"Bucket"}, "buckets have a store of their own"


def test_another_key_or_group_changes_a_host_in_place(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    made = engine.create(VmProvider(), given)
    tenant.make(KeypairProvider(), "key2", keypairName="other", publicKey=PUBLIC_KEY.replace("IJdD", "IJdE"))
    news = {**given, "keypairName": "other", "securityGroupIds": [tenant.group("other").id]}
    difference = engine.diff(VmProvider(), made, news)
    assert difference.changes and not difference.replaces
    after = engine.update(VmProvider(), made, news)
    assert after.id == made.id and not tenant.stand.server.count("StopVms")
    assert (after.outs["keypairName"], after.outs["securityGroupIds"]) == ("other", news["securityGroupIds"])


def test_an_address_follows_its_inventory_to_another_host_and_back_to_nobody(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    first = engine.create(VmProvider(), given)
    second = engine.create(VmProvider(), {**given, "tags": tenant.stand.common("app-2")["tags"]})
    made = tenant.make(PublicIpProvider(), "address", vmId=first.id)
    for host in (second.id, None):
        news = tenant.properties("address", **({"vmId": host} if host else {}))
        difference = engine.diff(PublicIpProvider(), made, news)
        assert difference.changes and not difference.replaces
        made = engine.update(PublicIpProvider(), made, news)
        holders = [item["VmId"] for item in tenant.stand.cloud.living("Vm") if item.get("PublicIp")]
        assert holders == ([host] if host else [])


def test_what_takes_too_long_is_said_and_taken_up_by_the_next_run(
    stand: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, where limits can be shortened: nobody waits without end, and nothing is made twice."""
    for name, value in HURRIED.items():
        monkeypatch.setattr(PACE, name, value)
    monkeypatch.setattr(VmProvider, "limit", 0.3)
    monkeypatch.setattr(power, "START", 0.3)
    given = Tenant(stand).of_vm()
    stand.cloud.delay = 3600.0
    with variables(environment()):
        with pytest.raises(TimedOut, match=r"waited 0 s for VM agency-app-1 \(i-\w+\) to be ready; run it again to go"):
            VmProvider().create(given)
        (slow,) = stand.cloud.living("Vm")
        slow["State"] = "running"
        assert VmProvider().create(given).id == slow["VmId"]
        with pytest.raises(TimedOut, match=r"waited 0 s for VM i-\w+ to be switched off"):
            VmProvider().delete(slow["VmId"], {**given, "accountId": ""})
    assert stand.server.count("CreateVms") == 1


def test_a_wait_ends_with_the_first_answer_or_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PACE, "poll", 0.01)
    answers = iter([None, None, "there"])
    assert until(lambda: next(answers), "it", 5.0) == "there"
    with pytest.raises(TimedOut, match="waited 0 s for it; run it again"):
        until(lambda: None, "it", 0.0)


def test_every_wait_has_a_limit_in_minutes() -> None:
    for kind, provider in KINDS.items():
        assert 60 <= provider.limit <= 1800, kind
    assert 60 <= PACE.shutdown < power.START <= 1800
