# SPDX-License-Identifier: MIT
"""Removing a suite from a cloud: data stays unless asked, and then goes whole."""

from __future__ import annotations

import json

import pytest

from suite_deploy.cloud.driver import CloudDriver

from .cloud_support import Bench, bench, on_ovh
from .engine_double import urn

__all__ = ["bench"]
VOLUME = "openstack:blockstorage/volume:Volume"


def test_destroy_keeps_what_is_protected_and_says_so(bench: Bench) -> None:
    left = [
        {"urn": urn(VOLUME, "volume-one-postgresql"), "type": VOLUME, "id": "vol-1", "custom": True, "protect": True},
        {
            "urn": urn("pulumi:providers:openstack", "p"),
            "type": "pulumi:providers:openstack",
            "id": "p",
            "custom": True,
        },
        # stays for the bucket it opens: no data, and its id is half of a key
        {
            "urn": urn("ovh:CloudProject/s3Credential:S3Credential", "credential-docs"),
            "type": "ovh:CloudProject/s3Credential:S3Credential",
            "id": "half-of-a-key",
            "custom": True,
            "protect": True,
        },
    ]
    bench.engine.script(
        bench.up_script(**{"stack export": {"stdout": json.dumps({"deployment": {"resources": left}})}})
    )
    kept = bench.driver.destroy(lambda text: None, with_data=False)
    assert kept == ["volume vol-1 (volume-one-postgresql)"]
    assert "--exclude-protected" in bench.engine.call("destroy")["words"]
    assert not any(words[:2] == ["stack", "rm"] for words in bench.engine.words())


def test_destroy_with_data_takes_the_protection_off_and_empties_buckets(bench: Bench) -> None:
    bucket = {"urn": urn("openstack:objectstorage/container:Container", "b"), "protect": True}
    bucket |= {"inputs": {"forceDestroy": False}, "outputs": {"forceDestroy": False, "secret": {"4dabf": "cipher"}}}
    state = {"version": 3, "deployment": {"resources": [bucket]}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(state)}}))
    assert bench.driver.destroy(lambda text: None, with_data=True) == []
    imported = json.loads((bench.engine.folder / "imported.json").read_text())["deployment"]["resources"][0]
    assert "protect" not in imported
    assert imported["inputs"]["forceDestroy"] is True and imported["outputs"]["forceDestroy"] is True
    assert imported["outputs"]["secret"] == {"4dabf": "cipher"}
    order = [words[:2] for words in bench.engine.words()]
    assert order.index(["stack", "import"]) < [words[0] for words in bench.engine.words()].index("destroy")
    assert "--exclude-protected" not in bench.engine.call("destroy")["words"]
    assert "--show-secrets" not in bench.engine.call("stack", "export")["words"]


def test_what_the_engine_forgets_and_leaves_in_the_cloud_is_named(bench: Bench) -> None:
    image = {"urn": urn("openstack:images/image:Image", "image-0a1b"), "type": "openstack:images/image:Image"}
    image |= {"id": "image-1", "custom": True, "retainOnDelete": True}
    state = json.dumps({"deployment": {"resources": [image]}})
    for with_data, left in ((True, "{}"), (False, "{}"), (False, state)):
        export = [{"stdout": state}] * 2 + [{"stdout": left}]
        bench.engine.script(bench.up_script(**{"stack export": export}))
        kept = CloudDriver(bench.deployment, bench.vault).destroy(lambda text: None, with_data=with_data)
        assert kept == ([] if left == state else ["image image-1 (image-0a1b)"]), (with_data, left)


def test_destroying_what_was_never_made_is_fine(bench: Bench) -> None:
    bench.engine.script({"stack select": {"status": 255, "stderr": "error: no stack named 'cloudy' found"}})
    assert bench.driver.destroy(lambda text: None, with_data=True) == []


def test_what_described_the_suite_goes_and_the_engines_state_stays_with_the_data(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    bench.driver.destroy(lambda text: None, with_data=False)
    assert not (bench.state / "outputs.json").exists() and not (bench.state / "stack-secrets.yml").exists()
    assert (bench.state / "engine" / "state").is_dir(), "without it nobody would know of the volumes that are kept"
    CloudDriver(bench.deployment, bench.vault).destroy(lambda text: None, with_data=True)
    assert not (bench.state / "engine").exists()


def test_ovhs_buckets_are_emptied_before_they_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = on_ovh(bench, monkeypatch)
    bucket = {"urn": urn("ovh:CloudProject/storage:Storage", "bucket-docs"), "type": "ovh:CloudProject/storage:Storage"}
    state = {"deployment": {"resources": [bucket | {"inputs": {"name": "cloudy-docs"}, "protect": True}]}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(state)}}))
    emptied: list[tuple[str, str, str]] = []

    def empty(name: str, *, endpoint: str, access_key: str, **more: object) -> int:
        emptied.append((name, endpoint, access_key))
        assert not any(words[0] == "destroy" for words in bench.engine.words()), "before the bucket goes"
        return 0

    monkeypatch.setattr("suite_deploy.cloud.emptying.empty_bucket", empty)
    driver = CloudDriver(deployment, bench.vault)
    driver.destroy(lambda text: None, with_data=False)
    assert emptied == [], "data that stays is not touched"
    (bench.engine.folder / "calls.jsonl").unlink()
    driver.destroy(lambda text: None, with_data=True)
    assert emptied == [("cloudy-docs", "https://s3.gra.io.cloud.ovh.net", "account")]
