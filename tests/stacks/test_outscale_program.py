# SPDX-License-Identifier: MIT
"""What the program for Outscale registers, under the engine's mocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from stacks.components.outputs import read_outputs
from stacks.components.spec import BucketSpec, stack_spec
from stacks.outscale import program
from stacks.outscale.network import ZONES, subnet_range
from stacks.outscale.providers import OutscaleResource
from suite_deploy.cloud.need import disks_of, needs
from suite_deploy.cloud.plan import Step
from tests.policies.pack import judge, violations
from tests.stacks.outscale_double.bench import PUBLIC_KEY, REGION, bench, environment, inventory
from tests.stacks.outscale_mocks import Ids
from tests.stacks.support import Recorded, project_of, run_program

ENDPOINT = f"https://api.{REGION}.outscale.com/api/v1"
STORE = f"https://oos.{REGION}.outscale.com"
PREFIX = "pulumi-python:dynamic/outscale:"


def run(folder: Path | str, *, preview: bool = False, **config: str) -> Recorded:
    chosen = {"SUITE_DEPLOY_INVENTORY": str(folder)}
    settings = {f"suite:{key}": value for key, value in config.items()}
    return run_program(
        project_of("outscale"), Ids(), stack="agency", environment=chosen, config=settings, preview=preview
    )


def ours(recorded: Recorded) -> list[Any]:
    return [item for item in recorded.resources if item.custom]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """An inventory with `infrastructure` changed: None removes a key."""

    def write(**infrastructure: Any) -> Path:
        folder = inventory(tmp_path, ENDPOINT, store=STORE)
        content = yaml.safe_load((folder / "suite.yml").read_text(encoding="utf-8"))
        for key, value in infrastructure.items():
            content["infrastructure"][key] = value
            if value is None:
                del content["infrastructure"][key]
        (folder / "suite.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def made(changed: Callable[..., Path]) -> Recorded:
    return run(changed())


def test_every_resource_is_one_of_ours_with_region_endpoint_and_tags(made: Recorded) -> None:
    assert len(ours(made)) > 15
    for item in ours(made):
        assert item.type.startswith(PREFIX) and item.type != f"{PREFIX}Resource", item.name
        assert item.inputs["region"] == REGION, item.name
        assert item.inputs["endpoint"] == (STORE if item.type.endswith(":Bucket") else ENDPOINT), item.name
        assert item.inputs["tags"]["suite"] == "agency", item.name


def test_names_by_which_things_are_found_again_are_unique(made: Recorded) -> None:
    found = [(item.type, item.inputs["tags"]["Name"]) for item in ours(made)]
    assert len(found) == len(set(found))


def test_buckets_are_made_where_the_clouds_store_is_named(
    changed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = (BucketSpec("docs", "agency-docs"), BucketSpec("grist", "agency-grist", versioning=False))
    monkeypatch.setattr(program, "stack_spec", lambda deployment: replace(stack_spec(deployment), buckets=wanted))
    recorded = run(changed())
    found = {item.inputs["bucketName"]: item for item in recorded.of("Bucket")}
    assert set(found) == {"agency-docs", "agency-grist"}
    assert found["agency-docs"].inputs["versioning"] is True and found["agency-grist"].inputs["versioning"] is False
    for item in found.values():
        assert item.protect and item.inputs["forceDestroy"] is False
        assert item.inputs["endpoint"] == STORE and item.inputs["region"] == REGION
        assert violations(item.type, item.inputs, {}, given=judge(base="outscale")) == {}


def test_data_is_protected_and_nothing_else_is(made: Recorded) -> None:
    assert {item.type.removeprefix(PREFIX) for item in ours(made) if item.protect} == {"Volume"}
    assert all(item.protect and item.inputs["encrypted"] is True for item in made.of("Volume"))


def test_protection_ends_when_that_is_asked_for(changed: Callable[..., Path]) -> None:
    assert not [item.name for item in ours(run(changed(), unprotect="true")) if item.protect]


def test_quota_and_cost_count_the_disks_of_the_system_too(made: Recorded) -> None:
    steps = [Step("create", item.type, item.urn, item.name, inputs=item.inputs) for item in ours(made)]
    wanted, unknown = needs(steps, {})
    assert not unknown
    assert (wanted["hosts"], wanted["vCPU"], wanted["memory MiB"]) == (2, 8, 48 * 1024)
    assert wanted["volumes"] == 4, "a system disk per host, and two for data"
    assert wanted["volume GiB"] == 2 * 20 + 100 + 10
    assert {disk.type for item in made.of("Vm") for disk in disks_of(item.type, item.inputs)} == {"gp2"}


def test_a_volume_depends_on_no_host(made: Recorded) -> None:
    """So that everything but the data can go."""
    for item in made.of("Volume"):
        assert not item.dependencies, item.name
    assert len(made.of("VolumeLink")) == 2
    assert not [item for item in made.of("VolumeLink") if item.inputs.get("deviceName")], "whichever letter is free"


def test_more_volumes_than_a_vm_has_names_for_are_refused_before_anything_is_made(changed: Callable[..., Path]) -> None:
    edge = {"flavor": "tinav6.c4r16p2", "groups": ["edge", "apps"], "public": True}
    data = {"flavor": "tinav6.c4r32p2", "groups": ["data"], "volumes": {f"data{n}": "10GiB" for n in range(26)}}
    folder = changed(hosts={"app-1": edge, "data-1": data})
    with pytest.raises(pulumi.RunError) as refused:
        run(folder)
    assert "infrastructure.hosts.data-1.volumes: 26 volumes; a VM has device names for 25." in str(refused.value)


def test_only_declared_ports_are_open_to_everyone(made: Recorded) -> None:
    opened = {
        (item.name, int(rule["fromPortRange"]), int(rule["toPortRange"]))
        for item in made.of("SecurityGroup")
        for rule in item.inputs["inboundRules"]
        if rule.get("ipRange") == "0.0.0.0/0"
    }
    assert opened == {("security-group-app-1", 80, 80), ("security-group-app-1", 443, 443)}


def test_what_leaves_is_open_by_port_and_inside_the_network_only(made: Recorded) -> None:
    for item in made.of("SecurityGroup"):
        rules = item.inputs["outboundRules"]
        anything = [rule["ipRange"] for rule in rules if rule["protocol"] == "-1"]
        assert anything == ["10.64.0.0/24"], item.name
        ports = {(rule["protocol"], rule["fromPortRange"]) for rule in rules if rule["ipRange"] == "0.0.0.0/0"}
        assert ports == {("tcp", 53), ("udp", 53), ("tcp", 80), ("udp", 123), ("tcp", 443)}, item.name


def test_hosts_without_a_public_address_are_reached_through_edge_only(made: Recorded) -> None:
    rules = made.named("security-group-data-1").inputs["inboundRules"]
    assert rules and {rule.get("remoteGroupId") for rule in rules} == {"hosts-of-agency-app-1"}
    assert made.named("host-data-1").inputs["subnetId"].startswith("subnet-private-")
    assert made.named("host-app-1").inputs["subnetId"].startswith("subnet-public-")
    assert {item.name for item in made.of("PublicIp")} == {"address-app-1", "address-nat-private"}


def test_without_private_hosts_there_is_no_nat_service(changed: Callable[..., Path]) -> None:
    host = {"flavor": "tinav6.c4r16p2", "groups": ["edge", "apps", "data"], "public": True}
    recorded = run(changed(hosts={"all-1": host}))
    assert not recorded.of("NatService") and len(recorded.of("Subnet")) == 1


def test_each_zone_has_its_own_subnets_and_volumes_follow_their_host(changed: Callable[..., Path]) -> None:
    hosts = {
        "app-1": {"flavor": "tinav6.c4r16p2", "groups": ["edge", "apps"], "public": True, "zone": f"{REGION}b"},
        "data-1": {
            "flavor": "tinav6.c4r32p2",
            "groups": ["data"],
            "volumes": {"postgresql": "1TiB"},
            "zone": f"{REGION}c",
        },
    }
    recorded = run(changed(hosts=hosts))
    zones = {item.name: item.inputs["subregionName"] for kind in ("Vm", "Volume") for item in recorded.of(kind)}
    assert zones == {"host-app-1": f"{REGION}b", "host-data-1": f"{REGION}c", "volume-data-1-postgresql": f"{REGION}c"}
    assert recorded.named("volume-data-1-postgresql").inputs["size"] == 1024
    assert {item.inputs["subregionName"] for item in recorded.of("Subnet")} == {f"{REGION}b", f"{REGION}c"}


def test_subnets_of_all_zones_fit_beside_each_other() -> None:
    parts = [IPv4Network(subnet_range("10.64.0.0/24", side, zone)) for side in ("public", "private") for zone in ZONES]
    assert len(set(parts)) == len(parts) == 8
    assert not [pair for pair in zip(parts, parts[1:], strict=False) if pair[0].overlaps(pair[1])]


def test_user_data_holds_the_public_key_and_nothing_secret(made: Recorded) -> None:
    for item in made.of("Vm"):
        content = yaml.safe_load(item.inputs["userData"])
        assert content["users"][0]["ssh_authorized_keys"] == [PUBLIC_KEY]


def test_the_outputs_are_those_of_every_driver(made: Recorded, tmp_path: Path) -> None:
    outputs = read_outputs(made.outputs, ssh_private_key=tmp_path / "id", ssh_known_hosts=tmp_path / "known")
    hosts = {host.name: host for host in outputs.hosts}
    assert outputs.driver == "outscale" and outputs.suite == "agency"
    assert hosts["app-1"].address == hosts["app-1"].public_address == outputs.public_address
    assert hosts["data-1"].jump == "app-1" and hosts["data-1"].identity == "host-data-1-id"
    assert hosts["data-1"].volumes["postgresql"] == "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_sdb"
    assert set(outputs.dns_records.values()) == {outputs.public_address}
    assert outputs.facts["region"] == REGION and outputs.facts["endpoint"] == ENDPOINT


def test_a_preview_with_unknown_ids_registers_the_same(changed: Callable[..., Path]) -> None:
    folder = changed()
    planned, real = run(folder, preview=True), run(folder)
    assert {item.name for item in planned.resources} == {item.name for item in real.resources}


def test_policies_find_nothing_in_what_the_program_registers(made: Recorded) -> None:
    given = judge(base="outscale")
    assert len(ours(made)) > 15
    for item in ours(made):
        assert violations(item.type, item.inputs, {}, given=given) == {}, item.name


def test_a_zone_of_another_region_is_refused(changed: Callable[..., Path]) -> None:
    host = {"flavor": "tinav6.c4r16p2", "groups": ["edge", "apps", "data"], "public": True, "zone": "eu-west-2a"}
    with pytest.raises(pulumi.RunError, match=f"hosts.all-1.zone: 'eu-west-2a' is no subregion of {REGION}"):
        run(changed(hosts={"all-1": host}))


@pytest.mark.parametrize(
    ("image", "text"),
    [(None, "is missing"), ({"url": "https://x.example/i.qcow2", "sha256": "a" * 64}, "boots images of")],
)
def test_an_image_that_cannot_be_booted_is_refused(changed: Callable[..., Path], image: Any, text: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"infrastructure.image: .*{text}"):
        run(changed(image=image))


def image(identity: str, name: str, owner: str, day: int, alias: str = "") -> dict[str, Any]:
    shown = {"AccountAlias": alias} if alias else {}
    return {
        "ImageId": identity,
        "ImageName": name,
        "AccountId": owner,
        "CreationDate": f"2026-09-{day:02}T00:00:00.000Z",
        **shown,
    }


def test_a_named_image_is_the_newest_of_outscales_or_our_own(
    changed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may publish an image under any name."""
    with bench() as stand:
        stand.cloud.catalogue = [
            image("ami-00000001", "Debian-13", "000000000001", 1, "Outscale"),
            image("ami-00000002", "Debian-13", stand.cloud.account, 2),
            image("ami-00000003", "Debian-13", "666666666666", 3),
        ]
        for key, value in environment().items():
            monkeypatch.setenv(key, value)
        given = {"endpoint": stand.server.endpoint, "object_store": None}
        recorded = run(changed(image={"name": "Debian-13"}, **given))
        assert {item.inputs["imageId"] for item in recorded.of("Vm")} == {"ami-00000002"}
        with pytest.raises(pulumi.RunError, match=r"named 'Debian-12' in .*\n.*There is: Debian-13\."):
            run(changed(image={"name": "Debian-12"}, **given))
        monkeypatch.setenv("OSC_SECRET_KEY", "wrong")
        with pytest.raises(
            pulumi.RunError, match="ReadAccounts: Outscale refuses: AccessDenied 1|ReadImages: Outscale"
        ):
            run(changed(image={"name": "Debian-13"}, **given))


def test_another_drivers_inventory_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="the inventory's driver is local"):
        run("demo")


def test_every_type_is_on_the_policy_packs_list() -> None:
    listed = yaml.safe_load((project_of("../policies/pack") / "resource-types.yml").read_text(encoding="utf-8"))[
        "types"
    ]
    types = {f"pulumi-python:{kind._resource_type_name}" for kind in OutscaleResource.__subclasses__()}
    assert types <= set(listed), types - set(listed)
    assert {name for name in listed if name.startswith(PREFIX)} == types
