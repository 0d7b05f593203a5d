# SPDX-License-Identifier: MIT
"""What tests of Outscale share: a served double, a provider process beside it, an inventory that points there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cloud import Cloud
from .engine import Engine, running
from .server import ACCESS_KEY, SECRET_KEY, Server

REGION = "cloudgouv-eu-west-1"
ZONE = f"{REGION}a"
#: a made-up key; its private half never existed
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ test"
INVENTORY = """
schema: 1
suite: agency
domain: suite.agency.example
profile: dev
infrastructure:
  driver: outscale
  offer: outscale/iaas-cloud-on-demand
  region: {region}
  endpoint: {endpoint}
  image: {{id: ami-0a1b2c3d}}
  volumes: {{encrypted: true}}
{store}  hosts:
    app-1: {{flavor: tinav6.c4r16p2, groups: [edge, apps], public: true}}
    data-1: {{flavor: tinav6.c4r32p2, groups: [data], volumes: {{postgresql: {size}GiB, valkey: 10GiB}}}}
ssh: {{from: [192.0.2.0/24], key: {key}}}
components:
  keycloak: {{}}
  synapse: {{server_name: agency.example}}
"""


@dataclass
class Bench:
    """A double, and a process that serves providers; `common`: properties that every resource has."""

    cloud: Cloud
    server: Server
    engine: Engine

    def common(self, name: str, **tags: str) -> dict[str, Any]:
        return {
            "region": self.cloud.region,
            "endpoint": self.server.endpoint,
            "tags": {"Name": f"agency-{name}", "suite": "agency", **tags},
        }

    def said(self) -> str:
        """Everything that went over the wire or into the log."""
        return b"\n".join(self.server.raw).decode() + "\n".join(self.engine.log)


def environment(access: str = ACCESS_KEY, secret: str = SECRET_KEY) -> dict[str, str]:
    """What a run is given: keys, and a home without profiles."""
    return {
        "OSC_ACCESS_KEY": access,
        "OSC_SECRET_KEY": secret,
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def bench(
    *,
    lag: float = 0.0,
    delay: float = 0.0,
    keys: Mapping[str, str] | None = None,
    pace: Mapping[str, float] | None = None,
) -> Iterator[Bench]:
    """Serve a double for as long as the block lasts; requests or answers against the description fail the test."""
    cloud = Cloud(lag=lag, delay=delay)
    cloud.region = REGION
    server = Server(cloud).start()
    try:
        with running(environment() if keys is None else keys, pace) as engine:
            yield Bench(cloud, server, engine)
        assert server.violations == [], "against Outscale's published API description"
    finally:
        server.stop()


def inventory(folder: Path, endpoint: str, *, store: str = "", size: int = 100) -> Path:
    """An inventory whose API is the double; `store`: URL of an object store."""
    (folder / "id").write_text("made up", encoding="utf-8")
    (folder / "id.pub").write_text(PUBLIC_KEY + "\n", encoding="utf-8")
    named = f"  object_store: {{endpoint: '{store}', region: {REGION}}}\n" if store else ""
    text = INVENTORY.format(region=REGION, endpoint=endpoint, store=named, key=folder / "id", size=size)
    (folder / "suite.yml").write_text(text, encoding="utf-8")
    return folder
