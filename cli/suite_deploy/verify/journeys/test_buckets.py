# SPDX-License-Identifier: MIT
"""Each application keeps its files in its own bucket and nobody else gets in, in the suite's store or a provider's."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
import requests

from suite_deploy.model.component import BucketNeed
from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.render.vocabulary import bucket_of
from suite_deploy.verify import expected
from suite_deploy.verify.fixtures import CONTEXT, Look
from suite_deploy.verify.s3 import Bucket, Key, refused, told
from suite_deploy.verify.web import Web

#: objects of a run; an application's own names do not begin like this
_PREFIX = "suite-deploy-verify"
_ELSEWHERE = "https://elsewhere.invalid"
_NO_VERSION = ("", "null")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    tenants = _tenants(metafunc.config.stash[CONTEXT].deployment)
    subjects = {"tenant": tenants, "keeper": [item for item in tenants if _need(item).versioning == "required"]}
    for name, values in subjects.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values, ids=[item.slug for item in values], indirect=True)


def _tenants(deployment: Deployment) -> list[Component]:
    return [item for item in deployment.ordered if item.description.needs.bucket]


def _need(item: Component) -> BucketNeed:
    need = item.description.needs.bucket
    assert need is not None, f"{item.slug} has no bucket"
    return need


@pytest.fixture
def speaks_s3(deployment: Deployment) -> None:
    """These checks do; what a component keeps in a provider's Swift is not looked at."""
    store = deployment.object_store
    if store and store.interface != "s3":
        pytest.skip(f"the object store is reached by {store.interface}, and these checks speak S3")


@pytest.fixture
def tenant(request: pytest.FixtureRequest, speaks_s3: None, store_units: None) -> Component:
    """Each component that has a bucket."""
    found: Component = request.param
    return found


@pytest.fixture
def keeper(request: pytest.FixtureRequest, speaks_s3: None, store_units: None) -> Component:
    """Each component that relies on old versions in its bucket."""
    found: Component = request.param
    return found


@pytest.fixture
def store_units(deployment: Deployment, look: Look) -> None:
    """Where to look when a check fails, if the store is the suite's own."""
    store = deployment.provider_of("objectstore")
    if store and not deployment.object_store:
        for unit in expected.units_of(store):
            look.at(store.host, unit)


@pytest.fixture
def session(deployment: Deployment, web: Web) -> Iterator[requests.Session]:
    """Reaches the suite's names at edge; a provider's store is where this machine finds it."""
    if deployment.object_store:
        with closing(requests.Session()) as direct:
            yield direct
        return
    with web.session() as pinned:
        yield pinned


@pytest.fixture
def bucket_for(
    deployment: Deployment, session: requests.Session, secret: Callable[[str], str]
) -> Callable[[Component], Bucket]:
    """A component's bucket, asked with the component's own key."""

    def made(item: Component) -> Bucket:
        place = bucket_of(deployment, item)
        elsewhere = deployment.object_store is not None
        access_key = secret(f"{item.slug}.bucket_access_key") if elsewhere else place.access_key
        key = Key(access_key, secret(f"{item.slug}.bucket"))
        return Bucket(session, place.endpoint, place.name, place.region, place.addressing, key)

    return made


@contextmanager
def _object(bucket: Bucket, body: bytes) -> Iterator[tuple[str, str, ExitStack]]:
    """An object made for a check: its name, its version, and what else is removed with it."""
    name = f"{_PREFIX}/{uuid.uuid4().hex} é+"
    with ExitStack() as stack:
        put = bucket.ask("PUT", name, body=body)
        assert put.status_code == 200, f"putting an object into {bucket.name} is answered with {told(put)}"
        version = put.headers.get("x-amz-version-id", "")
        stack.callback(_remove, bucket, name, version)
        yield name, version, stack


def _remove(bucket: Bucket, name: str, version: str) -> None:
    query = {} if version in _NO_VERSION else {"versionId": version}
    answer = bucket.ask("DELETE", name, query)
    assert answer.status_code in (200, 204), f"removing {name} from {bucket.name} is answered with {told(answer)}"


def test_what_is_put_is_got(tenant: Component, bucket_for: Callable[[Component], Bucket]) -> None:
    bucket = bucket_for(tenant)
    with _object(bucket, b"one") as (name, _, _):
        found = bucket.ask("GET", name)
        assert found.status_code == 200 and found.content == b"one", f"an object of {bucket.name}: {told(found)}"
        listed = bucket.ask("GET", query={"list-type": "2", "prefix": name})
        assert listed.status_code == 200, f"listing {bucket.name} is answered with {told(listed)}"
        assert "<KeyCount>1</KeyCount>" in listed.text, f"{bucket.name} does not list what was just put"
    gone = bucket.ask("GET", name)
    assert gone.status_code == 404, f"a removed object of {bucket.name} is answered with {told(gone)}"


def test_overwritten_and_deleted_are_kept_as_versions(
    keeper: Component, bucket_for: Callable[[Component], Bucket]
) -> None:
    bucket = bucket_for(keeper)
    with _object(bucket, b"one") as (name, old, stack):
        assert old not in _NO_VERSION, f"{bucket.name} keeps no versions; {keeper.description.title} relies on them"
        new = bucket.ask("PUT", name, body=b"two").headers.get("x-amz-version-id", "")
        stack.callback(_remove, bucket, name, new)
        marker = bucket.ask("DELETE", name)
        stack.callback(_remove, bucket, name, marker.headers.get("x-amz-version-id", ""))
        assert marker.headers.get("x-amz-delete-marker") == "true", f"{bucket.name} deletes for good: {told(marker)}"
        gone = bucket.ask("GET", name)
        assert gone.status_code == 404, f"a deleted object of {bucket.name} is answered with {told(gone)}"
        before = bucket.ask("GET", name, {"versionId": old})
        assert before.status_code == 200 and before.content == b"one", f"the version before: {told(before)}"


def test_neighbours_bucket_stays_shut(
    tenant: Component, deployment: Deployment, bucket_for: Callable[[Component], Bucket]
) -> None:
    neighbours = [item for item in _tenants(deployment) if item.slug != tenant.slug]
    if not neighbours:
        pytest.skip("no other component has a bucket")
    key = bucket_for(tenant).key
    for neighbour in neighbours:
        own = bucket_for(neighbour)
        with _object(own, b"private") as (name, version, _):
            answers = _attempts(own.asked_with(key), name, version)
            wrong = [f"{what}: {told(answer)}" for what, answer in answers.items() if not refused(answer)]
            assert not wrong, f"the key of {tenant.slug} in {own.name}: {', '.join(wrong)}"
            assert own.ask("GET", name).content == b"private"


def test_nobody_gets_in_without_a_key(tenant: Component, bucket_for: Callable[[Component], Bucket]) -> None:
    own = bucket_for(tenant)
    with _object(own, b"private") as (name, version, _):
        answers = _attempts(own.asked_with(None), name, version)
        wrong = [f"{what}: {told(answer)}" for what, answer in answers.items() if not refused(answer)]
        assert not wrong, f"without a key in {own.name}: {', '.join(wrong)}"


def _attempts(bucket: Bucket, name: str, version: str) -> dict[str, requests.Response]:
    """What somebody tries in a bucket that is not theirs."""
    found = {
        "list": bucket.ask("GET", query={"list-type": "2"}),
        "get": bucket.ask("GET", name),
        "put": bucket.ask("PUT", name, body=b"stranger"),
        "delete": bucket.ask("DELETE", name),
        "policy": bucket.ask("GET", query={"policy": ""}),
    }
    if version not in _NO_VERSION:
        found["get version"] = bucket.ask("GET", name, {"versionId": version})
    return found


def test_pages_reach_it_only_where_declared(
    tenant: Component, bucket_for: Callable[[Component], Bucket], session: requests.Session
) -> None:
    bucket, own = bucket_for(tenant).asked_with(None), str(tenant.url)
    wanted = {own: own if _need(tenant).cors else None, _ELSEWHERE: None}
    for origin, allowed in wanted.items():
        asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        found = bucket.ask("OPTIONS", f"{_PREFIX}/page", headers=asked).headers.get("Access-Control-Allow-Origin")
        assert found == allowed, f"a page of {origin} and {bucket.name}: allowed for {found}, expected {allowed}"
