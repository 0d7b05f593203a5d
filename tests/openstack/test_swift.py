# SPDX-License-Identifier: MIT
"""What components of a fork that speak Swift are given, on a real Swift: a container, and a credential of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.credentials import find_credentials
from suite_deploy.cloud.engine import Engine
from suite_deploy.runners.pulumi import Project
from tests.openstack.census import census
from tests.openstack.realise import OpenStack
from tests.stacks.realising import RealisingStack

#: no component of the suite's speaks Swift, so the part of the program that serves those that do runs alone
PROGRAM = """
import os
import pulumi
from stacks.components.openstack.buckets import Buckets, BucketsConfig
from stacks.components.openstack.place import Place, provider
from stacks.components.spec import BucketSpec

region = os.environ["LAB_REGION"]
cloud = provider("openstack", auth_url=os.environ["LAB_AUTH_URL"], region=region, endpoints={})
place = Place(cloud, region, "suite-lab", {"suite": "suite-lab"})
wanted = (BucketSpec("one", "suite-lab-one"), BucketSpec("two", "suite-lab-two"))
made = Buckets("suite", place, BucketsConfig(wanted, "swift", tuple(os.environ["LAB_ROLES"].split())))
for slug, pair in made.credentials.items():
    pulumi.export(slug, pulumi.Output.secret({"id": pair.access_key, "secret": pair.secret_key}))
"""
CONTENT = b"written with a credential of its own"


@pytest.fixture
def stack(connection: Any, tmp_path: Path) -> Callable[..., RealisingStack]:
    """The program on this cloud; roles: those its credentials get."""
    realiser = OpenStack(os.environ["OS_AUTH_URL"], os.environ["OS_REGION_NAME"])
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text(PROGRAM)

    def made(roles: str = "") -> RealisingStack:
        where = {"LAB_REGION": os.environ["OS_REGION_NAME"], "LAB_AUTH_URL": os.environ["OS_AUTH_URL"]}
        environment = {
            **find_credentials("openstack").variables,
            **where,
            "LAB_ROLES": roles,
            "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        }
        project = Project("suite-swift", "swift", tmp_path / "program", tmp_path / "work", {}, environment)
        engine = Engine(Path("/nonexistent/bin/pulumi"), "3.272.0", "PATH")
        return RealisingStack(realiser, engine, project, lambda text: text)

    return made


def signed_in(given: dict[str, str]) -> Any:
    """A client with an application credential."""
    import openstack

    return openstack.connect(
        auth_type="v3applicationcredential",
        auth={
            "auth_url": os.environ["OS_AUTH_URL"],
            "application_credential_id": given["id"],
            "application_credential_secret": given["secret"],
        },
        region_name=os.environ["OS_REGION_NAME"],
        load_envvars=False,
        load_yaml_config=False,
    )


def test_a_container_of_swift_answers_to_a_restricted_credential(
    connection: Any, stack: Callable[..., RealisingStack]
) -> None:
    from keystoneauth1.exceptions import NotFound, Unauthorized

    before, roles = census(connection), connection.session.auth.get_access(connection.session).role_names
    # a reader may not write, and the cloud lists roles in no order; `member` is Keystone's own name for who may
    role = "member" if "member" in roles else roles[0]
    try:
        stack(role).up(lambda text: None)
        given, secret = stack().outputs()
        assert secret == {"one", "two"}
        client = signed_in(given["one"])
        assert client.session.auth.get_access(client.session).role_names == [role]
        for content in (b"first", CONTENT):
            assert client.object_store.put("/suite-lab-one/document", data=content).status_code == 201
        assert client.object_store.get("/suite-lab-one/document").content == CONTENT
        versions = client.object_store.get("/suite-lab-one?versions&format=json").json()
        assert len(versions) == 2, "the old version is kept"
        user = f"/users/{connection.current_user_id}/application_credentials"
        further = client.identity.post(user, json={"application_credential": {"name": "another"}})
        assert further.status_code == 403, "it makes no further credentials"
        stack(role).up(lambda text: None)
        assert set(RealisingStack.did.values()) == {"same"}
    finally:
        stack().destroy(lambda text: None, with_data=True)
    assert census(connection) == before
    # Keystone says either, by its version
    with pytest.raises((NotFound, Unauthorized)):
        signed_in(given["one"]).session.get_token()
