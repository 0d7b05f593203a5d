# SPDX-License-Identifier: MIT
"""What components rely on is kept in versions: in an OpenStack's store over S3, which not every provider asks for."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from suite_deploy.cloud import s3
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.s3 import client_of, set_versioning, trusting
from suite_deploy.cloud.sdk import MODULES
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.loader import load
from suite_deploy.secrets.ensure import add_missing, open_store

from .cloud_support import EXPORTS, Bench, bench, pin_images
from .s3_store import endpoint, with_bucket
from .verify_edge import _certificates

__all__ = ["bench", "endpoint"]
BUCKET = "suite-grist"
STORE = {"endpoint": "https://s3.region-x.example", "region": "se-sto"}
PARTS = ("bucket", "bucket_access_key")


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    with with_bucket(endpoint, BUCKET) as made:
        yield made


@pytest.fixture
def asked(client: Any) -> list[str]:
    """Operations that the store was asked for."""
    names: list[str] = []
    client.meta.events.register("before-call.s3", lambda model, **_: names.append(model.name))
    return names


def test_versions_are_switched_on_once_and_then_only_looked_at(client: Any, asked: list[str]) -> None:
    assert set_versioning(BUCKET, client)
    assert asked == ["GetBucketVersioning", "PutBucketVersioning", "GetBucketVersioning"], "what was set is read back"
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    asked.clear()
    assert not set_versioning(BUCKET, client)
    assert asked == ["GetBucketVersioning"], "a second run costs one question"


def test_versions_that_somebody_suspended_are_switched_on_again(client: Any) -> None:
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert set_versioning(BUCKET, client)
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"


def test_a_profile_and_files_that_other_programs_read_decide_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        (tmp_path / name).write_text("no section\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "of-another-account")
    found = client_of(endpoint="https://s3.example", region="r1", access_key="a", secret_key="s")
    assert (found.meta.endpoint_url, found.meta.region_name) == ("https://s3.example", "r1")


@pytest.mark.parametrize("driver", MODULES)
def test_what_a_bucket_is_reached_with_is_there_before_anything_is_made(driver: str) -> None:
    assert "boto3" in MODULES[driver]


class Secure(BaseHTTPRequestHandler):
    """A bucket that keeps old versions."""

    def do_GET(self) -> None:
        text = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a store whose certificate is of a cloud's own authority, and the file of that authority."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    authority, leaf, key = _certificates(["localhost"])
    (tmp_path / "ca.pem").write_text(authority)
    (tmp_path / "server.pem").write_bytes(leaf + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server = HTTPServer(("127.0.0.1", 0), Secure)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}", tmp_path / "ca.pem"
    finally:
        server.shutdown()
        server.server_close()


def test_a_store_of_the_clouds_own_authority_is_believed_where_that_is_named(private: tuple[str, Path]) -> None:
    url, authority = private
    access = {"endpoint": url, "region": "r1", "access_key": "a", "secret_key": "s"}
    with trusting(str(authority)) as authorities:
        assert not set_versioning(BUCKET, client_of(**access, authorities=authorities))
        believed = Path(authorities or "").read_text()
        assert authority.read_text() in believed and believed.count("BEGIN CERTIFICATE") > 50, "the public ones stay"
    with trusting("") as authorities, pytest.raises(CouldNotRun, match="CERTIFICATE_VERIFY_FAILED"):
        set_versioning(BUCKET, client_of(**access, authorities=authorities))


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="OS_CACERT.*absent.pem"), trusting(str(tmp_path / "absent.pem")):
        pass


class Store:
    """A store that refuses the first questions, and shows what was set after some more, or never."""

    def __init__(self, *, refusals: int = 0, code: str = "AccessDenied", late: int = 0, put: str = "") -> None:
        self.refusals, self.code, self.late, self.fails, self.put = refusals, code, late, put, 0

    def get_bucket_versioning(self, **given: str) -> dict[str, Any]:
        self.refusals -= 1
        if self.refusals >= 0:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetBucketVersioning")
        self.late -= bool(self.put)
        return {"Status": "Enabled"} if self.put and self.late < 0 else {}

    def put_bucket_versioning(self, **given: Any) -> None:
        if self.fails:
            raise ClientError({"Error": {"Code": self.fails, "Message": "no"}}, "PutBucketVersioning")
        self.put += 1


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    return pauses


def test_a_new_key_is_waited_for_and_so_is_a_store_that_learns_late(waited: list[float]) -> None:
    store = Store(refusals=2, late=1)
    assert set_versioning(BUCKET, store)
    assert store.put == 1 and len(waited) == 3


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (Store(refusals=99), "AccessDenied"),
        (Store(refusals=1, code="NoSuchBucket"), "NoSuchBucket"),
        (Store(put="NotImplemented"), "NotImplemented"),
        (Store(late=99), "it was asked to, and does not say that it does"),
    ],
)
def test_a_store_that_keeps_none_is_said(store: Any, why: str, waited: list[float]) -> None:
    with pytest.raises(CouldNotRun, match=f"the bucket suite-grist cannot be made to keep old versions: .*{why}"):
        set_versioning(BUCKET, store, patience=0)
    assert store.put <= 1


#: runs `apply` with these changes to the inventory's infrastructure; what was said, bucket → how it was reached
Apply = Callable[..., tuple[list[str], dict[str, dict[str, str]]]]


@pytest.fixture
def apply(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Apply:
    def run(store: dict[str, Any] | None, result: Callable[[], bool] = lambda: True) -> Any:
        file = bench.deployment.directory / "suite.yml"
        content = yaml.safe_load(file.read_text())
        content["infrastructure"] |= {
            "hosts": {"one": {"groups": ["edge", "apps", "data", "media"], "flavor": "m1", "volumes": VOLUMES}},
            **({"object_store": store} if store else {}),
        }
        content["components"] = {"keycloak": {}, "grist": {}, "docs": {}, "meet": {}}
        file.write_text(yaml.safe_dump(content))
        deployment = load(str(bench.deployment.directory))
        add_missing(open_store(deployment, bench.vault), deployment.secrets_wanted)
        pin_images(deployment)
        secrets = {f"{slug}.{part}": f"{slug}'s {part}" for slug in ("docs", "grist", "meet") for part in PARTS}
        exports = json.dumps(EXPORTS | {"stack_secrets": secrets})
        bench.engine.script(bench.up_script(**{"stack output --json --show-secrets": {"stdout": exports}}))
        reached: dict[str, dict[str, str]] = {}
        monkeypatch.setattr(s3, "client_of", lambda **access: access)

        def note(bucket: str, access: dict[str, str]) -> bool:
            reached[bucket] = access
            return result()

        monkeypatch.setattr(s3, "set_versioning", note)
        said: list[str] = []
        driver = CloudDriver(deployment, bench.vault)
        monkeypatch.setattr(driver, "decide", lambda: SimpleNamespace(refuse=lambda: None))
        driver.apply(said.append)
        return said, reached

    return run


VOLUMES = {"postgresql": "10GiB", "valkey": "10GiB", "grist": "10GiB"}


def test_up_sees_to_the_buckets_that_keep_versions_with_their_own_keys(apply: Apply) -> None:
    said, reached = apply(STORE)
    assert reached.keys() == {"cloudy-docs", "cloudy-grist"}, "Meet does not rely on old versions"
    assert reached["cloudy-grist"] == {
        **STORE,
        "access_key": "grist's bucket_access_key",
        "secret_key": "grist's bucket",
        "authorities": None,
    }
    assert "the bucket cloudy-grist keeps old versions now" in said


def test_a_store_is_believed_by_the_authority_that_the_cloud_is(
    apply: Apply, private: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CACERT", str(private[1]))
    _, reached = apply(STORE)
    assert reached["cloudy-grist"]["authorities"]


def test_a_bucket_that_keeps_them_already_is_not_mentioned(apply: Apply) -> None:
    said, reached = apply(STORE, lambda: False)
    assert reached and not [line for line in said if "versions" in line]


def test_without_a_store_of_the_clouds_nobody_is_asked(apply: Apply) -> None:
    assert apply(None)[1] == {}


def test_a_store_that_keeps_none_ends_up_with_what_to_do(apply: Apply, bench: Bench) -> None:
    def refuse() -> bool:
        raise CouldNotRun("the bucket cloudy-docs cannot be made to keep old versions: NotImplemented")

    with pytest.raises(CouldNotRun, match=r"versions: NotImplemented\n  Docs relies on them\. Is https.*object_store"):
        apply(STORE, refuse)
    assert CloudDriver(bench.deployment, bench.vault).unfinished, "the next `up` goes on from there"
