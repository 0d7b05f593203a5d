# SPDX-License-Identifier: MIT
"""MatrixRTC: what lk-jwt-service is told, and what Synapse tells clients, with and without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.model.deployment import Deployment
from suite_deploy.render.render import render
from suite_deploy.render.tree import RenderedTree
from tests.contract.support import deployment_of, dotted, environment, heading, known, unknown

VARIABLES = "lk-jwt-variables.txt"
#: tags of images and the Go or Rust they were written in; Rust's trusts no authority but its built-in ones
LAST_IN_GO = "0.6.0"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    synapse = {"server_name": "people.example"}
    return deployment_of(tmp_path_factory.mktemp("calls"), {"synapse": synapse, "lk-jwt": {}, "element-web": {}})


@pytest.fixture(scope="module")
def tree(deployment: Deployment) -> RenderedTree:
    return render(deployment)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> RenderedTree:
    return render(deployment_of(tmp_path_factory.mktemp("no-calls"), {"synapse": {}}))


def homeserver(tree: RenderedTree) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(tree.config_files("synapse")["homeserver.yaml"])
    return found


def well_known(tree: RenderedTree) -> dict[str, Any]:
    (variables,) = [values for values in tree.host_vars.values() if "edge_sites" in values]
    routes = [route for site in variables["edge_sites"] for route in site["routes"]]
    (route,) = [route for route in routes if route["path"] == "/.well-known/matrix/client"]
    assert route["cors"], "clients of other origins read it"
    assert route["respond"]["content_type"] == "application/json"
    found: dict[str, Any] = json.loads(route["respond"]["text"])
    return found


def test_every_variable_is_one_that_upstream_reads(tree: RenderedTree) -> None:
    assert environment(tree, "lk-jwt", "service").keys() <= set(known(VARIABLES))


def test_every_key_of_the_homeserver_is_one_that_upstream_reads(tree: RenderedTree) -> None:
    assert not unknown(dotted(homeserver(tree)), known("synapse-keys.txt"))


def test_list_of_variables_is_of_the_version_deployed(deployment: Deployment) -> None:
    version = deployment.components["lk-jwt"].description.images["service"].tag
    assert f"lk-jwt-service {version} reads" in heading(VARIABLES)


def test_version_asks_homeservers_behind_a_private_authority(deployment: Deployment, tree: RenderedTree) -> None:
    assert deployment.components["lk-jwt"].description.images["service"].tag == LAST_IN_GO, (
        "before a newer one: does its TLS library read SSL_CERT_FILE?"
    )
    assert environment(tree, "lk-jwt", "service")["SSL_CERT_FILE"]


def test_only_people_of_this_server_start_calls(tree: RenderedTree) -> None:
    variables = environment(tree, "lk-jwt", "service")
    assert variables["LIVEKIT_FULL_ACCESS_HOMESERVERS"] == "people.example", "not the name of a host, and not *"
    assert "LIVEKIT_INSECURE_SKIP_VERIFY_TLS" not in variables


def test_keys_are_those_of_its_own_media_server(tree: RenderedTree) -> None:
    files = tree.config_files("lk-jwt")
    assert (files["key"], files["secret"]) == ("livekit-rtc", "@secret:livekit-rtc.api_secret@")
    assert environment(tree, "lk-jwt", "service")["LIVEKIT_URL"] == "wss://livekit-rtc.media.example"
    assert not any("@secret:" in value for value in environment(tree, "lk-jwt", "service").values())


def test_events_of_the_media_server_come_from_inside_only(deployment: Deployment) -> None:
    (route,) = [route for route in deployment.components["lk-jwt"].description.routes if route.path == "/sfu_webhook"]
    assert route.internal and route.match == "exact"


def test_clients_learn_where_calls_are_authorised(tree: RenderedTree) -> None:
    url = "https://rtc.media.example"
    assert homeserver(tree)["matrix_rtc"] == {"transports": [{"type": "livekit", "livekit_service_url": url}]}
    assert homeserver(tree)["experimental_features"] == {"msc4143_enabled": True, "msc4222_enabled": True}
    found = well_known(tree)
    assert found["org.matrix.msc4143.rtc_foci"] == [{"type": "livekit", "livekit_service_url": url}]
    assert found["m.homeserver"] == {"base_url": "https://matrix.media.example"}


def test_nothing_is_announced_that_is_not_there(without: RenderedTree) -> None:
    found = homeserver(without)
    assert not {"matrix_rtc", "experimental_features", "rc_delayed_event_mgmt", "web_client_location"} & found.keys()
    assert well_known(without) == {"m.homeserver": {"base_url": "https://matrix.media.example"}}
    assert found["sso"]["client_whitelist"] == []


def test_identity_of_callers_can_be_asked_without_federation(tree: RenderedTree) -> None:
    names = [
        name for listener in homeserver(tree)["listeners"] for item in listener["resources"] for name in item["names"]
    ]
    assert "openid" in names and "federation" not in names


def test_web_client_signs_in_without_another_question(tree: RenderedTree) -> None:
    # without the slash https://chat.media.example.evil.example would be on the list too
    assert homeserver(tree)["sso"]["client_whitelist"] == ["https://chat.media.example/"]
    assert homeserver(tree)["web_client_location"] == "https://chat.media.example/"


def test_calls_need_a_homeserver(tmp_path: Path) -> None:
    from suite_deploy.errors import InvalidInput

    with pytest.raises(InvalidInput, match="homeserver"):
        deployment_of(tmp_path, {"lk-jwt": {}})
