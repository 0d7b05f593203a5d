# SPDX-License-Identifier: MIT
"""The store is administered from its own host only, and an application's key rules nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.render.vocabulary import bucket_of
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.s3 import Bucket, Key, refused, told
from suite_deploy.verify.web import TIMEOUT, Web

_SOCKET = "/srv/objectstore/iam/admin.sock"
_ACCOUNTS = "/srv/objectstore/iam/users.json"
_ROOT = "suite-root"


def _tenants(deployment: Deployment) -> list[Component]:
    found = [item for item in deployment.ordered if item.description.needs.bucket]
    if not found:
        pytest.skip("no component has a bucket")
    return found


@pytest.fixture
def bucket_with(
    deployment: Deployment, component: Component, web: Web, secret: Callable[[str], str]
) -> Iterator[Callable[[Component, str], Bucket]]:
    """A component's bucket, asked with its `own` key, the `root` key, or one that is `forged`."""
    with web.session() as session:

        def made(tenant: Component, whose: str) -> Bucket:
            place = bucket_of(deployment, tenant)
            key = {
                "own": lambda: Key(place.access_key, secret(f"{tenant.slug}.bucket")),
                "root": lambda: Key(_ROOT, secret(f"{component.slug}.root")),
                "forged": lambda: Key(place.access_key, "not-the-secret"),
            }[whose]()
            return Bucket(session, place.endpoint, place.name, place.region, place.addressing, key)

        yield made


@pytest.mark.parametrize("call", ["list-users", "create-user", "list-buckets", "change-bucket-owner"])
def test_administration_does_not_answer_from_outside(component: Component, web: Web, call: str) -> None:
    with web.session() as session:
        answer = session.request("PATCH", f"{component.url}/{call}", timeout=TIMEOUT)
        # 403 is the administration itself, which asks for a signature
        assert answer.status_code in (404, 405), f"/{call} is answered with {told(answer)}"


def test_administration_is_for_the_host_alone(component: Component, machines: Mapping[str, Machine]) -> None:
    found = machines[component.host].files([_SOCKET, _ACCOUNTS])
    modes = {path: found[path].mode if path in found else "absent" for path in (_SOCKET, _ACCOUNTS)}
    assert modes == {_SOCKET: "0600", _ACCOUNTS: "0600"}


def test_keys_of_applications_rule_nothing(
    deployment: Deployment, component: Component, bucket_with: Callable[[Component, str], Bucket]
) -> None:
    for tenant in _tenants(deployment):
        own, ours = bucket_with(tenant, "own"), bucket_with(tenant, "root")
        name, made = f"suite-deploy-verify/{uuid.uuid4().hex}", f"verify-{uuid.uuid4().hex}"
        another = replace(own, name=made)
        # while it holds something a bucket cannot be removed, not even by who may
        put = own.ask("PUT", name, body=b"held")
        assert put.status_code == 200, f"putting an object into {own.name} is answered with {told(put)}"
        try:
            answers = {
                "making a bucket": another.ask("PUT"),
                "removing its bucket": own.ask("DELETE"),
                "reading its policy": own.ask("GET", query={"policy": ""}),
                # no policy, so it changes nothing even where it is let through
                "changing its policy": own.ask("PUT", query={"policy": ""}, body=b"{"),
                "a wrong secret": bucket_with(tenant, "forged").ask("GET", query={"list-type": "2"}),
            }
        finally:
            ours.ask("DELETE", name, {"versionId": put.headers.get("x-amz-version-id", "null")})
        if answers["making a bucket"].ok:
            replace(ours, name=made).ask("DELETE")
        wrong = [f"{what}: {told(answer)}" for what, answer in answers.items() if not refused(answer)]
        assert not wrong, f"the key of {tenant.slug}: {', '.join(wrong)}"


def test_root_account_reaches_every_bucket(
    deployment: Deployment, component: Component, bucket_with: Callable[[Component, str], Bucket]
) -> None:
    for tenant in _tenants(deployment):
        bucket = bucket_with(tenant, "root")
        answer = bucket.ask("HEAD")
        assert answer.status_code == 200, f"{bucket.name} is answered with {told(answer)}"
