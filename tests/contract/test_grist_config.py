# SPDX-License-Identifier: MIT
"""Grist's rendered environment: only variables that upstream reads, verified TLS to its data, nobody outside called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.render.render import render
from tests.contract.support import deployment_of, environment, heading, known

VARIABLES = "grist-variables.txt"
STORE = {"endpoint": "https://s3.store.example:8443", "region": "eu-1", "addressing": "path"}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployment_of(tmp_path_factory.mktemp("grist"), {"grist": {}})


@pytest.fixture(scope="module")
def variables(deployment: Deployment) -> dict[str, str]:
    return environment(render(deployment), "grist", "server")


def with_grist(folder: Path, options: dict[str, Any], **suite: Any) -> dict[str, str]:
    return environment(render(deployment_of(folder, {"grist": options}, **suite)), "grist", "server")


def test_every_variable_is_one_that_upstream_reads(variables: dict[str, str]) -> None:
    assert variables.keys() <= set(known(VARIABLES))


def test_list_of_variables_is_of_the_version_deployed(deployment: Deployment) -> None:
    version = deployment.components["grist"].description.images["server"].tag
    assert f"Grist {version} reads" in heading(VARIABLES), f"read the variables of {version} anew into {VARIABLES}"


def test_image_is_the_one_without_extensions(deployment: Deployment) -> None:
    assert deployment.components["grist"].description.images["server"].name.endswith("/grist-oss")


def test_data_is_reached_over_verified_tls_only(variables: dict[str, str]) -> None:
    # typeorm hands this to pg, which hands it to Node's tls.connect with the host's name
    assert json.loads(variables["TYPEORM_EXTRA"]) == {"ssl": {"rejectUnauthorized": True}}
    assert variables["REDIS_URL"].startswith("rediss://:@secret:grist.valkey@@valkey.media.example:")
    assert variables["GRIST_DOCS_MINIO_USE_SSL"] == "true"
    assert variables["NODE_EXTRA_CA_CERTS"] == "/etc/suite-ca-bundle.pem"
    assert not {"NODE_TLS_REJECT_UNAUTHORIZED", "PGSSLMODE"} & variables.keys()


def test_database_number_of_the_cache_is_a_number(variables: dict[str, str]) -> None:
    # Grist refuses any other path, and has none of its own to fall back to
    assert re.search(r"/\d+$", variables["REDIS_URL"])


def test_people_sign_in_at_the_identity_provider_only(variables: dict[str, str]) -> None:
    assert variables["GRIST_LOGIN_SYSTEM_TYPE"] == "oidc"
    assert variables["GRIST_OIDC_IDP_ISSUER"] == "https://id.media.example/realms/suite"
    assert set(variables["GRIST_OIDC_IDP_ENABLED_PROTECTIONS"].split(",")) == {"PKCE", "STATE", "NONCE"}
    # Grist knows people by their address: one that nobody checked could be anybody's
    assert "GRIST_OIDC_SP_IGNORE_EMAIL_VERIFIED" not in variables
    assert not {"GRIST_FORWARD_AUTH_HEADER", "GRIST_DEFAULT_EMAIL", "GRIST_TEST_LOGIN"} & variables.keys()


def test_first_visitor_does_not_set_the_server_up(variables: dict[str, str]) -> None:
    assert variables["GRIST_IN_SERVICE"] == "true"
    assert variables["GRIST_BOOT_KEY"] == "@secret:grist.boot@", "a key of Grist's own would be printed to the journal"


def test_formulas_are_never_run_unsandboxed(deployment: Deployment, variables: dict[str, str]) -> None:
    assert variables["GRIST_SANDBOX_FLAVOR"] == "pyodide"
    assert deployment.components["grist"].description.options["sandbox"].choices == ("pyodide", "gvisor")
    assert "GRIST_PYODIDE_SKIP_DENO" not in variables, "without Deno, pyodide reads what the server reads"


def test_nobody_outside_is_named(variables: dict[str, str]) -> None:
    hosts = {host for value in variables.values() for host in re.findall(r"https?://([^/\"\s:]+)", value)}
    assert hosts and all(host == "media.example" or host.endswith(".media.example") for host in hosts), hosts
    for name in ("GRIST_WIDGET_LIST_URL", "GRIST_EXT_FULL_EDITION_BASE_URL", "GRIST_HELP_US_IMPROVE_SURVEY_URL"):
        assert variables[name] == "", f"{name} unset means upstream's address, empty means none"


def test_provider_store_is_reached_as_the_inventory_says(tmp_path: Path) -> None:
    machine = {"driver": "local", "hosts": {"all": {"groups": ["edge", "apps", "data", "media"]}}}
    found = with_grist(tmp_path, {}, infrastructure={**machine, "object_store": STORE})
    assert found["GRIST_DOCS_MINIO_ENDPOINT"] == "s3.store.example"
    assert (found["GRIST_DOCS_MINIO_PORT"], found["GRIST_DOCS_MINIO_USE_SSL"]) == ("8443", "true")
    assert found["GRIST_DOCS_MINIO_BUCKET_REGION"] == "eu-1"


def test_options_land_where_they_belong(tmp_path: Path) -> None:
    options = {
        "admin_email": "chef@people.example",
        "site": "mairie",
        "public_documents": True,
        "sandbox": "gvisor",
        "max_import_mib": 11,
        "max_attachment_mib": 12,
        "locale": "en",
    }
    found = with_grist(tmp_path, options)
    wanted = {
        "GRIST_ADMIN_EMAIL": "chef@people.example",
        "GRIST_SINGLE_ORG": "mairie",
        "GRIST_PERSONAL_ORGS": "false",
        "GRIST_FORCE_LOGIN": "false",
        "GRIST_SANDBOX_FLAVOR": "gvisor",
        "GRIST_MAX_UPLOAD_IMPORT_MB": "11",
        "GRIST_MAX_UPLOAD_ATTACHMENT_MB": "12",
        "GRIST_DEFAULT_LOCALE": "en",
    }
    assert {name: found[name] for name in wanted} == wanted


def test_everyone_signs_in_unless_told_otherwise(variables: dict[str, str]) -> None:
    assert variables["GRIST_FORCE_LOGIN"] == "true"
    assert variables["GRIST_ANON_PLAYGROUND"] == variables["GRIST_SUPPORT_ANON"] == "false"
