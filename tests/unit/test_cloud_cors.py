# SPDX-License-Identifier: MIT
"""Pages that use a bucket are let to it with the bucket's own key, where a cloud's engine has no word for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from suite_deploy.cloud import s3
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.s3 import set_cors
from suite_deploy.errors import CouldNotRun

from .cloud_support import EXPORTS, Bench, bench, on_ovh
from .engine_double import urn
from .s3_store import endpoint, with_bucket

__all__ = ["bench", "endpoint"]
MEET = "https://meet.example"
PARTS = ("bucket", "bucket_access_key")


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    with with_bucket(endpoint, "suite-meet") as made:
        yield made


def origins(client: Any) -> list[str]:
    (rule,) = client.get_bucket_cors(Bucket="suite-meet")["CORSRules"]
    assert "PUT" in rule["AllowedMethods"] and rule["AllowedHeaders"] == ["*"]
    return list(rule["AllowedOrigins"])


def test_pages_are_let_in_once(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set_cors("suite-meet", [MEET], client)
    assert origins(client) == [MEET]
    monkeypatch.setattr(client, "put_bucket_cors", lambda **given: pytest.fail("asked for what is so already"))
    assert not set_cors("suite-meet", [MEET], client)


def test_rules_of_somebody_else_are_put_right(client: Any) -> None:
    foreign = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    client.put_bucket_cors(Bucket="suite-meet", CORSConfiguration={"CORSRules": [foreign]})
    assert set_cors("suite-meet", [MEET], client)
    assert origins(client) == [MEET]


class Slow:
    """A store that does not know a new account for the first questions."""

    def __init__(self, refusals: int, code: str = "AccessDenied") -> None:
        self.left, self.code, self.put = refusals, code, 0

    def get_bucket_cors(self, **given: str) -> dict[str, Any]:
        self.left -= 1
        code = self.code if self.left >= 0 else "NoSuchCORSConfiguration"
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetBucketCors")

    def put_bucket_cors(self, **given: Any) -> None:
        self.put += 1


def test_a_new_key_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    store = Slow(2)
    assert set_cors("suite-meet", [MEET], store)
    assert store.put == 1 and len(waited) == 2


@pytest.mark.parametrize(("refusals", "code"), [(99, "AccessDenied"), (1, "NoSuchBucket")])
def test_a_refusal_that_stays_is_said(refusals: int, code: str) -> None:
    with pytest.raises(CouldNotRun, match=f"pages cannot be let to the bucket suite-meet: .*{code}"):
        set_cors("suite-meet", [MEET], Slow(refusals, code), patience=0)


def test_up_lets_pages_to_the_buckets_that_they_use_and_to_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = {"one": {"groups": ["edge", "apps", "data", "media"], "flavor": "m1", "volumes": {"postgresql": "10GiB"}}}
    deployment = on_ovh(bench, monkeypatch, hosts=hosts, meet={}, docs={})
    kind = "ovh:CloudProject/storage:Storage"
    buckets = [
        {"urn": urn(kind, f"bucket-{slug}"), "type": kind, "inputs": {"name": f"cloudy-{slug}"}}
        for slug in ("docs", "meet", "gone")
    ]
    secrets = {f"{slug}.{part}": f"{slug}'s {part}" for slug in ("docs", "meet", "gone") for part in PARTS}
    exports = json.dumps(EXPORTS | {"stack_secrets": secrets})
    answers = {
        "stack export": {"stdout": json.dumps({"deployment": {"resources": buckets}})},
        "stack output --json --show-secrets": {"stdout": exports},
    }
    bench.engine.script(bench.up_script(**answers))
    done: list[tuple[Any, ...]] = []
    monkeypatch.setattr(s3, "client_of", lambda **access: access)

    def note(bucket: str, origins: list[str], access: dict[str, str]) -> bool:
        done.append((bucket, origins, access))
        return True

    monkeypatch.setattr(s3, "set_cors", note)
    said: list[str] = []
    driver = CloudDriver(deployment, bench.vault)
    monkeypatch.setattr(driver, "decide", lambda: SimpleNamespace(refuse=lambda: None))
    driver.apply(said.append)
    ((bucket, origins, access),) = done
    assert (bucket, origins) == ("cloudy-meet", ["https://meet.cloudy.example"])
    assert access["access_key"] == "meet's bucket_access_key" and access["secret_key"] == "meet's bucket"
    assert access["endpoint"] == "https://s3.gra.io.cloud.ovh.net"
    assert "pages of https://meet.cloudy.example may reach the bucket cloudy-meet now" in said
