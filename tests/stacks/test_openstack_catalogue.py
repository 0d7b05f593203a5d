# SPDX-License-Identifier: MIT
"""An error about a name comes with the list of what there is, whichever kind of credential the run has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stacks.openstack import catalogue
from suite_deploy.model.loader import load
from tests.stacks.conftest import MakeInventory
from tests.unit.keystone_double import APPLICATION, APPLICATION_SECRET, PASSWORD, USER, Keystone, serve

BY_PASSWORD = {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "p"}
BY_APPLICATION = {
    "OS_APPLICATION_CREDENTIAL_ID": APPLICATION,
    "OS_APPLICATION_CREDENTIAL_SECRET": APPLICATION_SECRET,
    "OS_PROJECT_NAME": "p",
}


@pytest.fixture
def keystone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keystone]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "OS_CLOUD", "OS_AUTH_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name in {*BY_PASSWORD, *BY_APPLICATION, "OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID", "OS_PROJECT_ID"}:
        monkeypatch.delenv(name, raising=False)
    cloud = Keystone(images=("Debian 13", "Debian 12"), external_networks=("public",))
    with serve(cloud) as running:
        yield running


@pytest.mark.parametrize("variables", [BY_PASSWORD, BY_APPLICATION], ids=["password", "application credential"])
@pytest.mark.parametrize(
    ("what", "there"),
    [
        ("image", "There is: Debian 12, Debian 13."),
        ("external network", "There is: public."),
        ("flavor", "There is: b3-16 (4 CPU, 15.6 GiB), b3-8 (2 CPU, 7.8 GiB)."),
    ],
)
def test_what_there_is_is_listed_with_either_kind_of_credential(
    keystone: Keystone,
    make_inventory: MakeInventory,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    what: str,
    there: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    changes = {"infrastructure.auth_url": f"{keystone.url}/v3", "infrastructure.region": keystone.region}
    deployment = load(str(make_inventory("example-openstack-accepted", changes)))
    assert catalogue.names(what, deployment) == there


def test_without_credentials_that_is_said_and_hides_no_error(keystone: Keystone, make_inventory: MakeInventory) -> None:
    deployment = load(str(make_inventory("example-openstack-accepted", {})))
    assert catalogue.names("image", deployment).startswith("What there is could not be listed: ")
