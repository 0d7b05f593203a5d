# SPDX-License-Identifier: MIT
"""OVHcloud's two interfaces, served: a region that the project has not opened yet, and what opening it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud import asking, ovh_room
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.model.loader import load
from suite_deploy.model.values import OVH_AUTH

from .cloud_support import EXPORTS, OPENSTACK, Bench, write_inventory
from .engine_double import step, summary
from .keystone_double import PASSWORD, PROJECT, USER, Keystone, serve
from .ovh_double import KEYS, OvhApi, serve_ovh

ASK = asking.ask
PARIS = "EU-WEST-PAR"
OPENS = step("create", "ovh:CloudProject/projectRegion:ProjectRegion", f"region-{PARIS}", inputs={"region": PARIS})
HOST = step("create", "openstack:compute/instance:Instance", "host-one", inputs={"flavorId": "id-of-b3-8"})
NOTE = {
    "diagnosticEvent": {"severity": "warning", "message": f"the region {PARIS} has to be opened first", "color": "raw"}
}


@dataclass
class Clouds:
    """OVHcloud's own interface, OpenStack's, and what leads to them."""

    bench: Bench
    api: OvhApi
    keystone: Keystone

    def driver(self, **more: Any) -> CloudDriver:
        return CloudDriver(load(str(self.inventory(**more))), self.bench.vault)

    def inventory(self, **more: Any) -> Path:
        hosts = {"hosts": {"one": {**OPENSTACK["infrastructure"]["hosts"]["one"], "flavor": "b3-8"}}}
        cloud = {"driver": "ovh", "offer": "ovhcloud/public-cloud", "region": PARIS, "project": PROJECT}
        image = {"image": OPENSTACK["infrastructure"]["image"]}
        return write_inventory(self.bench.folder, OPENSTACK | {"infrastructure": {**cloud, **image, **hosts, **more}})

    def script(self) -> None:
        """The engine's answers: first the region is opened, then the rest is made."""
        again = {"stdout": json.dumps({"again": f"the region {PARIS} was opened"})}
        last = {"stdout": json.dumps(EXPORTS)}
        masked = {"stdout": json.dumps({"again": "x", "outputs": {}, "stack_secrets": "[secret]"})}
        previews = [{"events": [OPENS, NOTE, summary()]}, {"events": [HOST, summary()]}]
        answers = {"preview": previews, "up": [{"events": [OPENS]}, {"events": [HOST]}], "stack output": masked}
        # asked twice after each run: by the SDK and by us
        self.bench.engine.script(answers | {"stack output --json --show-secrets": [again, again, last]})

    def told(self, text: str) -> None:
        """What the clouds do once the region was asked for: it takes them a while."""
        if text == f"the region {PARIS} was opened":
            self.api.opened.add(PARIS)
            self.api.busy = 1
        if text == f"waiting for the region {PARIS}":
            self.keystone.others = (PARIS,)

    def runs(self) -> list[str]:
        return [words[0] for words in self.bench.engine.words() if words[0] in ("preview", "up")]


@pytest.fixture
def clouds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "OS_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, **KEYS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(asking, "ask", ASK)
    monkeypatch.setattr(ovh_room, "PAUSE", 0.01)
    with serve(Keystone(region="SBG5")) as keystone, serve_ovh(OvhApi(), monkeypatch) as api:
        monkeypatch.setitem(OVH_AUTH, "ovh-eu", f"{keystone.url}/v3")
        yield Clouds(bench, api, keystone)
