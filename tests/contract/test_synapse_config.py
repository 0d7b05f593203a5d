# SPDX-License-Identifier: MIT
"""Synapse's rendered configuration: only keys that upstream reads, nothing that calls out, secrets apart."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.render import render
from tests.contract.support import dotted, heading, known, unknown, with_options

KEYS = "synapse-keys.txt"
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "peers": {"federation": ("peer.example", "other.example"), "max_upload_mib": 7, "presence": True},
    "open": {"federation": "open", "encrypt_private_rooms": False, "search_all_users": False},
}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return load("demo")


@pytest.fixture(scope="module")
def synapse(deployment: Deployment) -> Component:
    found = deployment.provider_of("homeserver")
    assert found is not None
    return found


def configuration(deployment: Deployment, synapse: Component, options: dict[str, Any]) -> dict[str, str]:
    return render(with_options(deployment, synapse.slug, **options)).config_files(synapse.slug)


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def files(deployment: Deployment, synapse: Component, variant: str) -> dict[str, str]:
    return configuration(deployment, synapse, VARIANTS[variant])


@pytest.fixture
def homeserver(files: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files["homeserver.yaml"])
    return found


def test_every_key_is_one_that_upstream_reads(files: dict[str, str]) -> None:
    for name in ("homeserver.yaml", "database.yaml"):
        assert not unknown(dotted(yaml.safe_load(files[name])), known(KEYS)), name


def test_list_of_keys_is_of_the_version_deployed(synapse: Component) -> None:
    version = synapse.description.images["synapse"].tag.removeprefix("v")
    assert f"Synapse {version} " in heading(KEYS), f"read the keys of {version} anew into {KEYS}"


def test_no_leak_opens_with_any_option(synapse: Component, homeserver: dict[str, Any], variant: str) -> None:
    for leak in synapse.description.leaks:
        found: Any = homeserver
        for part in leak.key.split("."):
            found = found.get(part, "absent") if isinstance(found, dict) else "absent"
        assert found == leak.value, f"{leak.id} {leak.key} is {found!r} with {variant}, not {leak.value!r}"


def test_foreign_hosts_stand_nowhere(files: dict[str, str]) -> None:
    for name, text in files.items():
        found = [host for host in ("matrix.org", "vector.im", "element.io", "google") if host in text]
        assert not found, f"{name} names {found}"


def test_closed_server_answers_no_other_server_and_asks_none(deployment: Deployment, synapse: Component) -> None:
    found = yaml.safe_load(configuration(deployment, synapse, {})["homeserver.yaml"])
    assert found["federation_domain_whitelist"] == []
    names = [name for listener in found["listeners"] for item in listener["resources"] for name in item["names"]]
    assert not {"federation", "keys", "replication", "metrics"} & set(names), names
    assert set(found["ip_range_blacklist"]) == {"0.0.0.0/0", "::/0"}


def test_peers_are_the_only_servers_talked_to(deployment: Deployment, synapse: Component) -> None:
    found = yaml.safe_load(configuration(deployment, synapse, VARIANTS["peers"])["homeserver.yaml"])
    assert found["federation_domain_whitelist"] == ["peer.example", "other.example"]
    assert "10.0.0.0/8" in found["ip_range_blacklist"] and "::1/128" in found["ip_range_blacklist"]


def test_nobody_signs_in_but_through_the_identity_provider(homeserver: dict[str, Any]) -> None:
    assert homeserver["password_config"] == {"enabled": False, "localdb_enabled": False}
    assert not homeserver["enable_registration"] and not homeserver["allow_guest_access"]
    assert "registration_shared_secret_path" not in homeserver, "whoever has that secret makes administrators"
    (provider,) = homeserver["oidc_providers"]
    assert provider["idp_id"] == "keycloak", "accounts are linked by this name: it must never change"
    assert provider["pkce_method"] == "always" and provider["backchannel_logout_enabled"]
    assert not provider["allow_existing_users"] and "skip_verification" not in provider
    mapping = provider["user_mapping_provider"]["config"]
    assert mapping["subject_template"] == "{{ user.sub }}", "an e-mail address may pass to somebody else"


def test_data_services_are_reached_over_tls(files: dict[str, str], homeserver: dict[str, Any]) -> None:
    arguments = yaml.safe_load(files["database.yaml"])["database"]["args"]
    assert arguments["sslmode"] == "verify-full" and arguments["sslrootcert"]
    assert homeserver["redis"]["use_tls"] and homeserver["redis"]["ca_file"]


def test_main_file_holds_no_secret(files: dict[str, str]) -> None:
    assert "@secret:" not in files["homeserver.yaml"], "preview shows this file"


def test_signing_key_file_has_no_second_line(files: dict[str, str]) -> None:
    # its value ends in a newline; Synapse's parser refuses an empty line after it
    assert "\n" not in files["signing.key"]


@pytest.mark.parametrize(
    ("option", "key", "values"),
    [
        ("max_upload_mib", "max_upload_size", {7: "7M", 250: "250M"}),
        ("presence", "presence", {True: {"enabled": True}, False: {"enabled": False}}),
        ("encrypt_private_rooms", "encryption_enabled_by_default_for_room_type", {True: "invite", False: "off"}),
        ("search_all_users", "limit_profile_requests_to_users_who_share_rooms", {True: False, False: True}),
        ("server_name", "server_name", {"chat.example": "chat.example"}),
    ],
)
def test_option_lands_where_it_belongs(
    deployment: Deployment, synapse: Component, option: str, key: str, values: dict[Any, Any]
) -> None:
    for value, wanted in values.items():
        found = yaml.safe_load(configuration(deployment, synapse, {option: value})["homeserver.yaml"])
        assert found[key] == wanted, f"{option}: {value!r} becomes {key}: {found[key]!r}"


def test_edge_accepts_what_the_server_accepts(deployment: Deployment, synapse: Component) -> None:
    tree = render(with_options(deployment, synapse.slug, max_upload_mib=7))
    sites = tree.host_vars[deployment.host_of("edge").name]["edge_sites"]
    routes = next(site["routes"] for site in sites if site["hostname"] == synapse.hostname)
    assert {route["path"]: route.get("body_size") for route in routes}["/_matrix"] == "7m"
