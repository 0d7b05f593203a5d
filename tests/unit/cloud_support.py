# SPDX-License-Identifier: MIT
"""An inventory on a cloud, its secrets and a double of the engine, for tests of the driver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.cloud import asking, strays
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.need import Size
from suite_deploy.cloud.room import Left, Room
from suite_deploy.images.lock import Pin, now, used_images, write_lock
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.secrets.ensure import add_missing, open_store

from .engine_double import EngineDouble

OPENSTACK: dict[str, Any] = {
    "schema": 1,
    "suite": "cloudy",
    "domain": "cloudy.example",
    "profile": "eu",
    "infrastructure": {
        "driver": "openstack",
        "offer": "elastx/public-cloud",
        "region": "se-sto",
        "auth_url": "https://ops.elastx.cloud:5000/v3",
        "external_network": "public",
        "image": {"id": "0a1b2c3d-0a1b-4c3d-8e5f-0a1b2c3d4e5f"},
        "hosts": {"one": {"groups": ["edge", "apps", "data"], "flavor": "m1", "volumes": {"postgresql": "10GiB"}}},
    },
    "ssh": {"from": ["192.0.2.0/24"]},
    "components": {"keycloak": {}},
}
CREDENTIALS = {"OS_USERNAME": "ops", "OS_PASSWORD": "not-for-anyone", "OS_PROJECT_NAME": "p"}
AMPLE = Room(
    {"m1": Size("m1", 2, 4096), "m1-id": Size("m1", 2, 4096)},
    {"hosts": Left(10, 0), "vCPU": Left(20, 4), "memory MiB": Left(51200, 0), "volume GiB": Left(1000, 0)},
)
EXPORTS: dict[str, Any] = {
    "outputs": {
        "driver": "openstack",
        "suite": "cloudy",
        "hosts": [
            {
                "name": "one",
                "address": "192.0.2.10",
                "private_address": "10.64.0.10",
                "public_address": "192.0.2.10",
                "groups": ["edge", "apps", "data"],
                "ssh_user": "suite",
                "ssh_port": 22,
                "jump": "",
                "identity": "server-1",
                "volumes": {"postgresql": "/dev/disk/by-id/virtio-1"},
            }
        ],
        "private_networks": ["10.64.0.0/24"],
        "public_address": "192.0.2.10",
        "dns_records": {"cloudy.example": "192.0.2.10"},
        "host_vars": {},
        "facts": {"region": "se-sto"},
    },
    "stack_secrets": {"docs.bucket": "key-of-the-bucket", "docs.bucket_access_key": "account"},
}


@dataclass
class Bench:
    """What a test of the driver works with."""

    folder: Path
    deployment: Deployment
    engine: EngineDouble
    driver: CloudDriver
    vault: Path

    @property
    def state(self) -> Path:
        return self.deployment.state_dir

    def up_script(self, **more: Any) -> dict[str, Any]:
        """What a successful `up` answers."""
        from .engine_double import step, summary

        events = [step("create", "openstack:compute/instance:Instance", "host-one", inputs={"flavorId": "m1-id"})]
        masked = EXPORTS | {"stack_secrets": "[secret]"}
        answers = {
            "preview": {"events": [*events, summary()]},
            "up": {"events": events},
            "stack output": {"stdout": json.dumps(masked)},
            "stack output --json --show-secrets": {"stdout": json.dumps(EXPORTS)},
        }
        return answers | more


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A suite on OpenStack with all its secrets and pins; the cloud has ample room; hosts answer at once."""
    for name in [*CREDENTIALS, "OS_CLOUD", "OS_AUTH_URL", "OS_REGION_NAME", "PULUMI_HOME", "OS_PROJECT_ID"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    (tmp_path / "home" / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA ops\n")
    engine = EngineDouble(tmp_path)
    monkeypatch.setenv("PATH", f"{engine.folder}:/usr/bin:/bin")
    inventory = write_inventory(tmp_path, OPENSTACK)
    vault = tmp_path / "vault-password"
    vault.write_text("vault")
    vault.chmod(0o600)
    deployment = load(str(inventory))
    add_missing(open_store(deployment, vault), deployment.secrets_wanted)
    pin_images(deployment)
    monkeypatch.setattr(asking, "ask", lambda deployment, credentials: AMPLE)
    monkeypatch.setattr(strays, "find_strays", lambda *given: [])
    monkeypatch.setattr(CloudDriver, "_meet_hosts", lambda self, outputs, progress: None)
    return Bench(tmp_path, deployment, engine, CloudDriver(deployment, vault), vault)


def write_inventory(folder: Path, content: dict[str, Any]) -> Path:
    """suite.yml in a folder of its own below `folder`."""
    inventory = folder / "inventory"
    inventory.mkdir(exist_ok=True)
    (inventory / "suite.yml").write_text(yaml.safe_dump(content))
    return inventory


def pin_images(deployment: Deployment, number: int = 1) -> None:
    """Pin every image the inventory uses to one digest. number: another gives another digest."""
    pin = Pin(digest=f"sha256:{number:064x}", origin="registry", resolved=now())
    write_lock(deployment.images_lock, dict.fromkeys(used_images(deployment), pin))


def on_ovh(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, hosts: dict[str, Any] | None = None, **components: Any
) -> Deployment:
    """The same suite on OVHcloud with buckets in its object store. components: further ones. hosts: others."""
    for name in ("OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY"):
        monkeypatch.setenv(name, f"value of {name}")
    cloud = {
        "driver": "ovh",
        "offer": "ovhcloud/public-cloud",
        "region": "GRA11",
        "project": "0123",
        "object_store": {"endpoint": "https://s3.gra.io.cloud.ovh.net", "region": "gra"},
        "hosts": hosts or OPENSTACK["infrastructure"]["hosts"],
    }
    content = OPENSTACK | {"infrastructure": cloud, "components": {"keycloak": {}, **components}}
    deployment = load(str(write_inventory(bench.folder, content)))
    pin_images(deployment)
    return deployment
