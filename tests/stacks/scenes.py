# SPDX-License-Identifier: MIT
"""A suite on each cloud's double, driven by the product's own driver; what can be wrong, and how it is mended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.components import reach
from stacks.outscale.providers.pace import PACE
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.model.values import OVH_AUTH
from suite_deploy.secrets.ensure import add_missing, open_store
from tests.stacks.memory_cloud import Ending, MemoryCloud, MemoryOvh, Trouble
from tests.stacks.outscale_double import Fault, bench
from tests.stacks.outscale_double.cloud import Cloud as OutscaleCloud
from tests.stacks.outscale_double.engine import PACE as HURRIED
from tests.stacks.outscale_double.server import ACCESS_KEY, SECRET_KEY, Server
from tests.stacks.outscale_realiser import OutscaleRealiser
from tests.stacks.realiser import Realiser
from tests.stacks.realising import standing_on
from tests.unit.keystone_double import PASSWORD, PROJECT, USER, Keystone, serve
from tests.unit.ovh_double import KEYS, OvhApi, serve_ovh

NAME = "again"
#: a secret that no text or file may hold
WRONG = "a-wrong-secret-0123456789"
#: nobody listens there
NOWHERE = "http://127.0.0.1:9"
#: the engine found is a double too: it says its version and nothing else
ENGINE = "#!/bin/sh\necho v3.272.0\n"
#: puts right what was made wrong
Mend = Callable[[], None]


class Scene:
    """One suite on one cloud.

    infrastructure, hosts, components, users: what the inventory says. said: all progress. secrets: nothing may repeat
    them.
    """

    driver = ""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.said: list[str] = []
        self.secrets = [WRONG]
        self.infrastructure: dict[str, Any] = {}
        self.hosts: dict[str, Any] = {
            "app-1": {"flavor": "b3-8", "groups": ["edge", "apps"], "public": True},
            "data-1": {"flavor": "b3-8", "groups": ["data"], "volumes": {"postgresql": "10GiB"}},
        }
        self.components: dict[str, Any] = {"keycloak": {}}
        self.users: int | None = None
        self.vault = folder / "vault-password"
        self.vault.write_text("vault")
        self.vault.chmod(0o600)
        (folder / "inventory").mkdir()
        (folder / "id").write_text("made up")
        (folder / "id.pub").write_text(bench.PUBLIC_KEY + "\n")
        program = folder / "bin" / "pulumi"
        program.parent.mkdir()
        program.write_text(ENGINE)
        program.chmod(0o755)
        for name in list(os.environ):
            if name.startswith(("OS_", "OVH_", "OSC_", "AWS_", "PULUMI_")) or name.lower().endswith("_proxy"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setattr(reach, "wait_for_ssh", lambda *given: None)

    @property
    def realiser(self) -> Realiser:
        raise NotImplementedError

    @property
    def created(self) -> list[str]:
        """Logical name of everything ever made on the cloud, in order."""
        raise NotImplementedError

    def there_is(self) -> list[str]:
        """What the cloud has now, by name: a name that comes twice was made twice."""
        raise NotImplementedError

    def cloud_driver(self) -> CloudDriver:
        """The product's driver of the inventory as it is now, as a new process would have it."""
        content = {
            "schema": 1,
            "suite": NAME,
            "domain": "again.example",
            "profile": "dev",
            "infrastructure": {**self.infrastructure, "driver": self.driver, "hosts": self.hosts},
            "ssh": {"from": ["192.0.2.0/24"], "key": str(self.folder / "id")},
            "components": self.components,
        } | ({"users": self.users} if self.users else {})
        inventory = self.folder / "inventory"
        (inventory / "suite.yml").write_text(yaml.safe_dump(content))
        deployment = load(str(inventory))
        if not deployment.secrets_file.exists():
            add_missing(open_store(deployment, self.vault), deployment.secrets_wanted)
        return CloudDriver(deployment, self.vault)

    def up(self) -> StackOutputs:
        """`apply`, as `up` calls it."""
        return self.cloud_driver().apply(self.said.append)

    @property
    def state(self) -> Path:
        """The suite's state directory."""
        return self.folder / "state" / "suite-deploy" / NAME

    def spoil(self, what: str) -> Mend:
        """Make something wrong: credentials, region, flavor, quota, silence, connection, interrupt."""
        spoiled: Mend = getattr(self, f"_spoil_{what}")()
        return spoiled

    def _spoil_flavor(self) -> Mend:
        return self._instead(self.hosts["data-1"], "flavor", "b3-9")

    def _instead(self, place: dict[str, Any], key: str, value: Any) -> Mend:
        before = place[key]
        place[key] = value
        return lambda: place.update({key: before})

    def _variable(self, name: str, value: str) -> Mend:
        before = os.environ[name]
        self.secrets.append(before)
        self.monkeypatch.setenv(name, value)
        return lambda: self.monkeypatch.setenv(name, before)


class OpenStackScene(Scene):
    """An OpenStack: questions over HTTP, things in memory."""

    driver = "openstack"
    region = "se-sto"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, keystone: Keystone) -> None:
        super().__init__(folder, monkeypatch)
        self.keystone = keystone
        keystone.region, keystone.others = self.region, ("no-osl",)
        keystone.images, keystone.external_networks = ("Debian 13",), ("Ext-Net",)
        self._on(MemoryCloud())
        self.infrastructure = {
            "offer": "laboratory/openstack",
            "region": self.region,
            "auth_url": f"{keystone.url}/v3",
            "image": {"name": "Debian 13"},
            "object_store": {"endpoint": "https://store.example", "region": self.region},
        }
        self.components = {"keycloak": {}, "docs": {}}
        for name, value in {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_PROJECT_ID": PROJECT}.items():
            monkeypatch.setenv(name, value)

    def _on(self, cloud: MemoryCloud) -> None:
        self.cloud, self.keystone.things = cloud, cloud.listed

    @property
    def realiser(self) -> Realiser:
        return self.cloud

    @property
    def created(self) -> list[str]:
        return self.cloud.created

    def there_is(self) -> list[str]:
        return [f"{thing.type} {thing.name or thing.inputs}" for thing in self.cloud.things.values()]

    def _spoil_credentials(self) -> Mend:
        return self._variable("OS_PASSWORD", WRONG)

    def _spoil_region(self) -> Mend:
        return self._instead(self.infrastructure, "region", "se-stockholm")

    def _spoil_quota(self) -> Mend:
        before, self.keystone.cores = self.keystone.cores, (20, 18)
        return lambda: setattr(self.keystone, "cores", before)

    def _spoil_silence(self) -> Mend:
        return self._instead(self.infrastructure, "auth_url", f"{NOWHERE}/v3")

    def _spoil_connection(self, ending: Ending = "drop") -> Mend:
        self.cloud.trouble = [Trouble("Instance", ending)]
        return self.cloud.trouble.clear

    def _spoil_interrupt(self) -> Mend:
        return self._spoil_connection("interrupt")

    def _spoil_answer(self) -> Mend:
        return self._spoil_connection("lose")


class OvhScene(OpenStackScene):
    """OVHcloud: the same, and its own interface in memory."""

    driver = "ovh"
    region = "GRA11"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, keystone: Keystone, own: OvhApi) -> None:
        super().__init__(folder, monkeypatch, keystone)
        self.own = own
        self._on(MemoryOvh(own=own))
        self.infrastructure = {
            "offer": "ovhcloud/public-cloud",
            "region": self.region,
            "project": PROJECT,
            "image": {"name": "Debian 13"},
        }
        self.components = {"keycloak": {}}
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("OS_PROJECT_ID")
        monkeypatch.setitem(OVH_AUTH, "ovh-eu", f"{keystone.url}/v3")

    def _spoil_key(self) -> Mend:
        return self._variable("OVH_CONSUMER_KEY", WRONG)

    def _spoil_silence(self) -> Mend:
        before = OVH_AUTH["ovh-eu"]
        self.monkeypatch.setitem(OVH_AUTH, "ovh-eu", f"{NOWHERE}/v3")
        return lambda: self.monkeypatch.setitem(OVH_AUTH, "ovh-eu", before)


class OutscaleScene(Scene):
    """Outscale: real providers, the double of its API."""

    driver = "outscale"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        super().__init__(folder, monkeypatch)
        self.server = server
        self._realiser = OutscaleRealiser()
        self.infrastructure = {
            "offer": "outscale/iaas-cloud-on-demand",
            "region": bench.REGION,
            "endpoint": server.endpoint,
            "image": {"id": "ami-0a1b2c3d"},
            "volumes": {"encrypted": True},
        }
        for host in self.hosts.values():
            host["flavor"] = "tinav6.c2r8p2"
        for name, value in HURRIED.items():
            monkeypatch.setattr(PACE, name, value)
        monkeypatch.setenv("OSC_ACCESS_KEY", ACCESS_KEY)
        monkeypatch.setenv("OSC_SECRET_KEY", SECRET_KEY)

    @property
    def realiser(self) -> OutscaleRealiser:
        return self._realiser

    @property
    def created(self) -> list[str]:
        return self._realiser.created

    def there_is(self) -> list[str]:
        kinds = ("Net", "Subnet", "InternetService", "NatService", "RouteTable", "SecurityGroup", "PublicIp", "Vm")
        return [
            f"{kind} {tags['Name']}"
            for kind in (*kinds, "Volume", "Keypair")
            for item in self.server.cloud.living(kind)
            if (tags := {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}).get("Name")
        ]

    def _spoil_flavor(self) -> Mend:
        # rightly written, and of a generation that nobody has: only the cloud can tell
        return self._instead(self.hosts["data-1"], "flavor", "tinav9.c4r16p2")

    def _spoil_credentials(self) -> Mend:
        return self._variable("OSC_SECRET_KEY", WRONG)

    def _spoil_region(self) -> Mend:
        """The region is part of the API's address, where the inventory does not write it."""
        endpoint = self.infrastructure.pop("endpoint")
        mend = self._instead(self.infrastructure, "region", "eu-west-9")
        return lambda: (mend(), self.infrastructure.update(endpoint=endpoint))[0]

    def _spoil_quota(self) -> Mend:
        before, self.server.cloud.quotas = self.server.cloud.quotas, {"core_limit": (10, 8)}
        return lambda: setattr(self.server.cloud, "quotas", before)

    def _spoil_silence(self) -> Mend:
        return self._instead(self.infrastructure, "endpoint", f"{NOWHERE}/api/v1")

    def _spoil_connection(self) -> Mend:
        self.server.faults = [Fault("CreateVms", "drop", times=99)]
        return self.server.faults.clear

    def _spoil_answer(self) -> Mend:
        self.server.faults = [Fault("CreateVms", "lose", times=99)]
        return self.server.faults.clear

    def _spoil_interrupt(self) -> Mend:
        self._realiser.interrupt_at = "host-app-1"
        return lambda: setattr(self._realiser, "interrupt_at", "")


@contextmanager
def on_openstack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with serve(Keystone()) as keystone:
        yield _driven(OpenStackScene(folder, monkeypatch, keystone))


@contextmanager
def on_ovh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with serve(Keystone()) as keystone, serve_ovh(OvhApi(), monkeypatch) as own:
        yield _driven(OvhScene(folder, monkeypatch, keystone, own))


@contextmanager
def on_outscale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    cloud = OutscaleCloud()
    cloud.region = bench.REGION
    server = Server(cloud).start()
    scene = OutscaleScene(folder, monkeypatch, server)
    try:
        yield _driven(scene)
        assert server.violations == [], "against Outscale's published API description"
    finally:
        scene.realiser.close()
        server.stop()


def _driven(scene: Scene) -> Scene:
    scene.monkeypatch.setattr("suite_deploy.runners.pulumi.EngineStack", standing_on(scene.realiser))
    # No store answers here; tests/unit/test_cloud_versions.py has one that does.
    scene.monkeypatch.setattr("suite_deploy.cloud.s3.set_versioning", lambda bucket, client: False)
    return scene


SCENES = {"openstack": on_openstack, "ovh": on_ovh, "outscale": on_outscale}
