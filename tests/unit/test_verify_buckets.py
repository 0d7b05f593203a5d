# SPDX-License-Identifier: MIT
"""Checks of buckets are green against a correct store and red for each way it can be wrong."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from suite_deploy.model.component import BucketNeed
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.secrets.value import Secret
from suite_deploy.verify import VerifyResult, run_verify
from suite_deploy.verify.s3 import Key, signature
from tests.unit.verify_fakes import connect, healthy, outputs_of

VERIFY = Callable[[str], VerifyResult]
SECRET = "secret-of-a-bucket-secret"
NEEDS = {"keycloak": BucketNeed(versioning="required"), "synapse": BucketNeed(cors=True)}


class Store(ThreadingHTTPServer):
    """Just enough of S3: buckets are named after their accounts. faults: what is wrong with it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: set[str] = set()
        self.origins: dict[str, str] = {}
        #: (bucket, name) → versions, the newest last; None is a delete marker
        self.objects: dict[tuple[str, str], dict[str, bytes | None]] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: Store

    def log_message(self, format: str, *args: object) -> None:  # silence
        del format, args

    def do(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket, _, name = unquote(url.path).lstrip("/").partition("/")
        if self.command == "OPTIONS":
            self.preflight(bucket)
        elif not self.let_in(bucket):
            self.say(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif name:
            self.object(bucket, name, query, body)
        else:
            known = sum(1 for (where, key) in self.server.objects if where == bucket and key == query.get("prefix"))
            self.say(200, f"<ListBucketResult><KeyCount>{known}</KeyCount></ListBucketResult>".encode())

    do_GET = do_PUT = do_DELETE = do_OPTIONS = do

    def let_in(self, bucket: str) -> bool:
        credential = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        if not credential:
            return "anonymous" in self.server.faults and self.command == "GET"
        return credential == f"account-of-{bucket}" or "neighbours" in self.server.faults

    def object(self, bucket: str, name: str, query: dict[str, str], body: bytes) -> None:
        versioned = bucket.endswith("-keycloak") and "no versions" not in self.server.faults
        held = self.server.objects.setdefault((bucket, name), {})
        version = uuid.uuid4().hex if versioned else "null"
        headers = {"x-amz-version-id": version} if versioned else {}
        if self.command == "PUT":
            held[version] = body
            self.say(200, b"", **headers)
        elif self.command == "DELETE":
            asked = query.get("versionId")
            if asked or not versioned or "deletes for good" in self.server.faults:
                held.pop(asked or next(reversed(held), ""), None)
                self.say(204, b"")
            else:
                held[version] = None
                self.say(204, b"", **headers, **{"x-amz-delete-marker": "true"})
        else:
            found = held.get(query["versionId"] if "versionId" in query else next(reversed(held), ""))
            self.say(404 if found is None else 200, found or b"<Error><Code>NoSuchKey</Code></Error>")
        if not held:
            del self.server.objects[bucket, name]

    def preflight(self, bucket: str) -> None:
        origin = self.headers["Origin"]
        allowed = self.server.origins.get(bucket) == origin or "any origin" in self.server.faults
        self.say(200 if allowed else 403, b"", **({"Access-Control-Allow-Origin": origin} if allowed else {}))

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def running() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(running: Store) -> Iterator[Store]:
    yield running
    running.faults.clear()
    running.objects.clear()


@pytest.fixture(scope="module")
def deployment(running: Store, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Two components, given a bucket each in a provider's store."""
    inventory = tmp_path_factory.mktemp("inventory") / "suite.yml"
    place = {"endpoint": f"http://127.0.0.1:{running.server_address[1]}", "region": "eu-west"}
    wanted = {
        "schema": 1,
        "suite": "tests",
        "domain": "tests.example",
        "profile": "dev",
        "infrastructure": {"driver": "local", "object_store": place},
        "components": {slug: {} for slug in NEEDS},
    }
    inventory.write_text(yaml.safe_dump(wanted))
    plain = load(str(inventory))
    components = {}
    for slug, component in plain.components.items():
        needs = component.description.needs.model_copy(update={"bucket": NEEDS[slug]})
        components[slug] = replace(component, description=component.description.model_copy(update={"needs": needs}))
        if NEEDS[slug].cors:
            running.origins[f"tests-{slug}"] = str(component.url)
    return replace(plain, components=components)


@pytest.fixture
def verify(deployment: Deployment, store: Store, tmp_path: Path) -> VERIFY:
    outputs = outputs_of(deployment)
    machines = connect({host.name: healthy(deployment, host) for host in outputs.hosts})
    values = {f"{slug}.bucket": SECRET for slug in NEEDS}
    values |= {f"{slug}.bucket_access_key": f"account-of-tests-{slug}" for slug in NEEDS}
    secrets = {name: Secret(name, value) for name, value in values.items()}

    def run(only: str) -> VerifyResult:
        return run_verify(deployment, outputs, secrets, tmp_path, only=only, connect=machines)

    return run


def test_correct_store_is_green_and_left_as_it_was(verify: VERIFY, store: Store) -> None:
    result = verify("journeys/buckets")
    assert result.ok and not result.skipped, result.as_text()
    assert {finding.id.partition("[")[2] for finding in result.findings} == {f"{slug}]" for slug in NEEDS}
    assert store.objects == {}


def test_a_store_reached_by_swift_is_skipped_with_the_reason(deployment: Deployment, tmp_path: Path) -> None:
    infrastructure = deployment.suite.infrastructure
    assert infrastructure.object_store
    swift = infrastructure.object_store.model_copy(update={"interface": "swift"})
    told = deployment.suite.model_copy(
        update={"infrastructure": infrastructure.model_copy(update={"object_store": swift})}
    )
    other = replace(deployment, suite=told)
    outputs = outputs_of(other)
    machines = connect({host.name: healthy(other, host) for host in outputs.hosts})
    result = run_verify(other, outputs, {}, tmp_path, only="journeys/buckets", connect=machines)
    assert result.findings and all("reached by swift" in finding.message for finding in result.findings)
    assert result.skipped == len(result.findings)


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        ("neighbours", "neighbours_bucket", "the key of"),
        ("anonymous", "without_a_key", "without a key in"),
        ("no versions", "kept_as_versions[keycloak]", "keeps no versions"),
        ("deletes for good", "kept_as_versions[keycloak]", "deletes for good"),
        ("any origin", "pages_reach", "a page of"),
    ],
)
def test_faulty_store_is_red(verify: VERIFY, store: Store, fault: str, check: str, said: str) -> None:
    store.faults.add(fault)
    result = verify(f"journeys/buckets/*{check}*")
    assert result.failed, f"{check} does not notice: {fault}"
    assert all(said in finding.message for finding in result.failures), result.as_text()


def test_no_secret_is_reported(verify: VERIFY, store: Store) -> None:
    store.faults |= {"neighbours", "anonymous", "no versions", "any origin"}
    assert SECRET not in str(verify("journeys/buckets").as_json())


@pytest.mark.parametrize("query", [{}, {"list-type": "2", "prefix": "a b/é+~"}, {"policy": ""}])
def test_requests_are_signed_as_the_reference_client_signs_them(query: dict[str, str]) -> None:
    host, target, body = "s3.tests.example", "/tests-docs/a%20b/%C3%A9%2B~", b"body"
    ours = signature(Key("docs", SECRET), "suite", "PUT", host, target, query, body, datetime.now(UTC))
    headers = {name: ours[name] for name in ("x-amz-content-sha256", "x-amz-date")} | {"host": host}
    request = AWSRequest("PUT", f"https://{host}{target}", headers, body, params=query)
    signer = S3SigV4Auth(Credentials("docs", SECRET), "s3", "suite")
    request.context["timestamp"] = ours["x-amz-date"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert ours["authorization"].endswith(f"Signature={signer.signature(text, request)}")
