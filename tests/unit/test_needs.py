# SPDX-License-Identifier: MIT
"""What components need from each other: who comes by itself, in how many copies, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.drivers import driver_for
from suite_deploy.errors import InvalidInput
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.inventory import addresses
from suite_deploy.render.render import render
from suite_deploy.render.vocabulary import Addresses, context

STORE = {"endpoint": "https://s3.region.provider.example", "region": "region-1"}


def deployed(folder: Path, components: dict[str, Any], **infrastructure: Any) -> Deployment:
    """A deployment of these components on one local host with every group."""
    content = {
        "schema": 1,
        "suite": "needs",
        "domain": "needs.example",
        "profile": "dev",
        "infrastructure": {
            "driver": "local",
            "hosts": {"one": {"groups": ["edge", "apps", "data", "media"]}},
        }
        | infrastructure,
        "components": components,
    }
    path = folder / "suite.yml"
    path.write_text(yaml.safe_dump(content))
    return load(str(path))


def refused(folder: Path, components: dict[str, Any], **infrastructure: Any) -> str:
    with pytest.raises(InvalidInput) as raised:
        deployed(folder, components, **infrastructure)
    return str(raised.value)


def test_whoever_needs_a_bucket_brings_the_suites_own_object_store(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {"keycloak": {}, "docs": {}})
    store = deployment.provider_of("objectstore")
    assert store is not None and store.hostname == "s3.needs.example"
    assert [item.slug for item in deployment.consumers_of(store)] == ["docs"]
    assert deployed(tmp_path, {"keycloak": {}}).provider_of("objectstore") is None


def test_the_providers_object_store_takes_the_place_of_the_suites_own(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {"keycloak": {}, "docs": {}}, object_store=STORE)
    assert deployment.provider_of("objectstore") is None
    kinds = {item.name: item.kind for item in deployment.secrets_wanted}
    assert kinds["docs.bucket"] == kinds["docs.bucket_access_key"] == "supplied"
    bucket = context(deployment, deployment.components["docs"], Addresses.unknown(deployment))["bucket"]
    assert (bucket.endpoint, bucket.name, bucket.region) == (STORE["endpoint"], "needs-docs", "region-1")
    assert bucket.access_key == "@secret:docs.bucket_access_key@"


def test_containers_reach_the_providers_store_through_edge_only(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {"keycloak": {}, "docs": {}}, object_store=STORE)
    tree = render(deployment)
    units = [item for item in tree.files if item.path.endswith(".container")]
    using = {item.component for item in units if "AddHost=s3.region.provider.example:192.0.2.1" in item.content}
    assert using == {"docs"}
    (outbound,) = tree.host_vars["one"]["edge_passthrough"]
    assert outbound["name"] == "s3.region.provider.example" and "any" not in outbound["sources"]


def test_each_distinct_need_of_a_media_server_makes_a_copy(tmp_path: Path) -> None:
    both = deployed(tmp_path, {"keycloak": {}, "synapse": {}, "meet": {}, "lk-jwt": {}})
    made = {item.slug: item.need for item in both.ordered if "livekit" in item.description.provides}
    assert made == {"livekit": {"auto_create": True}, "livekit-rtc": {"auto_create": False}}
    assert both.provider_for(both.components["meet"], "livekit") is both.components["livekit"]
    assert both.provider_for(both.components["lk-jwt"], "livekit") is both.components["livekit-rtc"]
    one = deployed(tmp_path, {"keycloak": {}, "meet": {}})
    assert [item.slug for item in one.ordered if "livekit" in item.description.provides] == ["livekit"]


def test_copies_share_neither_ports_nor_names_nor_keys(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {"keycloak": {}, "synapse": {}, "meet": {}, "lk-jwt": {}})
    first, second = deployment.components["livekit"], deployment.components["livekit-rtc"]
    assert first.uid_base != second.uid_base and first.hostname != second.hostname
    assert set(first.hostnames.values()).isdisjoint(second.hostnames.values())
    assert set(first.description.ports.values()).isdisjoint(second.description.ports.values())
    wanted = {item.name for item in deployment.secrets_wanted}
    assert {"livekit.api_secret", "livekit-rtc.api_secret"} <= wanted


def test_a_media_server_that_nobody_needs_is_refused(tmp_path: Path) -> None:
    assert "nobody needs LiveKit" in refused(tmp_path, {"keycloak": {}, "livekit": {}})


def test_what_comes_by_itself_says_who_needs_it_when_it_has_no_host(tmp_path: Path) -> None:
    text = refused(tmp_path, {"keycloak": {}, "meet": {}}, hosts={"one": {"groups": ["edge", "apps", "data"]}})
    assert "group `media`" in text and "Visio needs it" in text


def test_browsers_are_told_the_address_of_a_public_media_host(tmp_path: Path) -> None:
    host = {"groups": ["edge", "apps", "data", "media"], "private_address": "198.51.100.1", "public": True}
    existing = {"driver": "existing", "hosts": {"one": host | {"address": "one.needs.example"}}}
    text = refused(tmp_path, {"keycloak": {}, "meet": {}}, **existing)
    assert "infrastructure.hosts.one.address" in text and "an IP address" in text
    existing = {"driver": "existing", "hosts": {"one": host | {"address": "203.0.113.5"}}}
    deployment = deployed(tmp_path, {"keycloak": {}, "meet": {}}, **existing)
    outputs = driver_for(deployment).outputs()
    assert outputs is not None
    words = context(deployment, deployment.components["livekit"], addresses(outputs))["_component"]
    assert (words.public_address, words.host_address) == ("203.0.113.5", "198.51.100.1")


def test_a_name_outside_that_a_component_asks_for_leads_to_edge_and_one_of_the_suite_is_none(tmp_path: Path) -> None:
    components = {"keycloak": {}, "synapse": {"server_name": "elsewhere.example"}, "lk-jwt": {}}
    tree = render(deployed(tmp_path, components))
    assert [item["name"] for item in tree.host_vars["one"]["edge_passthrough"]] == ["elsewhere.example"]
    own = render(deployed(tmp_path, components | {"synapse": {}}))
    assert own.host_vars["one"]["edge_passthrough"] == []


def test_a_missing_peer_is_named_with_who_provides_it(tmp_path: Path) -> None:
    text = refused(tmp_path, {"keycloak": {}, "element-web": {}})
    assert "cannot do without a homeserver" in text and "synapse" in text


def test_whoever_cannot_do_without_a_skipped_component_is_skipped_with_it(tmp_path: Path) -> None:
    from suite_deploy.pipeline import Session, drop_skipped
    from suite_deploy.report.console import Stages
    from suite_deploy.settings import Settings

    deployment = deployed(tmp_path, {"keycloak": {}, "synapse": {}, "meet": {}, "lk-jwt": {}, "element-web": {}})
    session = Session(deployment, Settings(), Stages(quiet=True), skipped={"synapse": "its image cannot be had"})
    drop_skipped(session)
    assert {"lk-jwt", "element-web"} <= set(session.skipped)
    assert "Synapse" in session.skipped["lk-jwt"]
    assert {"keycloak", "meet"} <= set(session.deployment.components)


@pytest.mark.parametrize(("driver", "supplied"), [("openstack", False), ("outscale", True)])
def test_keys_of_buckets_come_from_the_stack_where_it_can_make_them(
    tmp_path: Path, driver: str, supplied: bool
) -> None:
    cloud = {"driver": driver, "offer": "a/b", "region": "r-1", "hosts": {"one": {"groups": ["edge", "apps", "data"]}}}
    cloud |= {"auth_url": "https://auth.example/v3"} if driver == "openstack" else {}
    deployment = deployed(tmp_path, {"keycloak": {}, "docs": {}}, object_store=STORE, **cloud)
    wanted = {item.name: item.kind for item in deployment.secrets_wanted}
    assert (wanted.get("docs.bucket") == "supplied") == supplied
    assert ("docs.bucket" in deployment.stack_secrets) != supplied
    assert render(deployment)
