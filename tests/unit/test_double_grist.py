# SPDX-License-Identifier: MIT
"""The double of Grist refuses each setting that the real one refuses, or that would be unsafe, before it connects."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.checkout import ROOT, module_at

FOLDER = ROOT / "tests" / "doubles" / "grist"


SETTINGS = module_at(FOLDER / "grist_settings.py")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the product renders, on top of what the image sets."""
    import yaml

    from suite_deploy.render.render import render
    from tests.contract.support import deployment_of, environment

    image: dict[str, str] = yaml.safe_load((FOLDER / "image.yml").read_text())["config"]["env"]
    tree = render(deployment_of(tmp_path_factory.mktemp("grist"), {"grist": {}}))
    return {**image, **environment(tree, "grist", "server")}


@pytest.fixture
def good(tmp_path: Path, rendered: dict[str, str]) -> dict[str, str]:
    """With files that are there."""
    (tmp_path / "ca.pem").write_text("a certificate")
    here = {"NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem"), "GRIST_DATA_DIR": str(tmp_path / "docs")}
    return {**rendered, **here}


def test_what_the_product_renders_is_accepted(good: dict[str, str]) -> None:
    found = SETTINGS.read(good)
    assert (found.home, found.port, found.site) == ("https://grist.media.example", 8484, "docs")
    assert found.force_login and found.pkce and found.nonce and not found.ignore_unverified
    assert found.database["sslmode"] == "verify-full" and found.database["sslrootcert"] == good["NODE_EXTRA_CA_CERTS"]
    assert found.bucket.endpoint == "s3.media.example:443" and found.bucket.secure


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"GRIST_SINGLE_ORGS": "docs"}, "GRIST_SINGLE_ORGS: Grist reads no such variable"),
        ({"TYPEORM_SSL": "true"}, "TYPEORM_SSL: Grist reads no such variable"),
        ({"APP_HOME_URL": None}, "APP_HOME_URL: missing"),
        ({"APP_HOME_URL": "http://grist.media.example"}, "APP_HOME_URL: no https URL"),
        ({"GRIST_OIDC_SP_HOST": "https://other.example"}, "GRIST_OIDC_SP_HOST"),
        ({"GRIST_ADMIN_EMAIL": None}, "GRIST_ADMIN_EMAIL: missing"),
        ({"GRIST_BOOT_KEY": None}, "GRIST_BOOT_KEY: missing"),
        ({"GRIST_SESSION_SECRET": None}, "GRIST_SESSION_SECRET: missing"),
        ({"GRIST_IN_SERVICE": None}, "GRIST_IN_SERVICE"),
        ({"GRIST_LOGIN_SYSTEM_TYPE": "minimal"}, "GRIST_LOGIN_SYSTEM_TYPE"),
        ({"GRIST_OIDC_IDP_ISSUER": None}, "GRIST_OIDC_IDP_ISSUER: missing"),
        ({"GRIST_OIDC_IDP_CLIENT_SECRET": None}, "GRIST_OIDC_IDP_CLIENT_SECRET: missing"),
        ({"GRIST_OIDC_IDP_ENABLED_PROTECTIONS": "UNPROTECTED"}, "GRIST_OIDC_IDP_ENABLED_PROTECTIONS"),
        ({"GRIST_OIDC_IDP_ENABLED_PROTECTIONS": "PKCE"}, "GRIST_OIDC_IDP_ENABLED_PROTECTIONS"),
        ({"GRIST_SANDBOX_FLAVOR": None}, "GRIST_SANDBOX_FLAVOR: formulas would run unsandboxed"),
        ({"GRIST_SANDBOX_FLAVOR": "unsandboxed"}, "GRIST_SANDBOX_FLAVOR"),
        ({"GRIST_PYODIDE_SKIP_DENO": "1"}, "GRIST_PYODIDE_SKIP_DENO"),
        ({"TYPEORM_TYPE": None}, "TYPEORM_TYPE"),
        ({"TYPEORM_HOST": None}, "TYPEORM_HOST: missing"),
        ({"TYPEORM_PASSWORD": None}, "TYPEORM_PASSWORD: missing"),
        ({"TYPEORM_EXTRA": None}, "TYPEORM_EXTRA: the database would be reached without TLS"),
        ({"TYPEORM_EXTRA": '{"ssl":{"rejectUnauthorized":false}}'}, "anybody's certificate"),
        ({"TYPEORM_EXTRA": "{"}, "TYPEORM_EXTRA"),
        ({"REDIS_URL": None}, "REDIS_URL: missing"),
        ({"REDIS_URL": "redis://:x@valkey.media.example:6410/0"}, "REDIS_URL: expected rediss"),
        ({"REDIS_URL": "rediss://:x@valkey.media.example:6410/grist"}, "REDIS_URL has an unexpected structure"),
        ({"GRIST_DOCS_MINIO_BUCKET": None}, "GRIST_DOCS_MINIO_BUCKET: missing"),
        ({"GRIST_DOCS_MINIO_ENDPOINT": None}, "GRIST_DOCS_MINIO_ENDPOINT: missing"),
        ({"GRIST_DOCS_MINIO_ENDPOINT": "https://s3.media.example"}, "expected a host name"),
        ({"GRIST_DOCS_MINIO_SECRET_KEY": None}, "GRIST_DOCS_MINIO_SECRET_KEY: missing"),
        ({"GRIST_WIDGET_LIST_URL": None}, "GRIST_WIDGET_LIST_URL: must be ''"),
        ({"GRIST_EXT_FULL_EDITION_BASE_URL": "https://grist-static.com/x"}, "GRIST_EXT_FULL_EDITION_BASE_URL"),
        ({"GRIST_HELP_US_IMPROVE_SURVEY_URL": None}, "GRIST_HELP_US_IMPROVE_SURVEY_URL"),
        ({"GRIST_TELEMETRY_LEVEL": "limited"}, "GRIST_TELEMETRY_LEVEL"),
        ({"GRIST_ALLOW_AUTOMATIC_VERSION_CHECKING": "true"}, "GRIST_ALLOW_AUTOMATIC_VERSION_CHECKING"),
        ({"NODE_EXTRA_CA_CERTS": None}, "NODE_EXTRA_CA_CERTS: missing"),
        ({"NODE_EXTRA_CA_CERTS": "/nowhere.pem"}, "NODE_EXTRA_CA_CERTS: cannot read"),
        ({"GRIST_DATA_DIR": "/nowhere/docs"}, "GRIST_DATA_DIR: /nowhere is not writable"),
    ],
)
def test_wrong_setting_is_refused_by_name(good: dict[str, str], changes: dict[str, str | None], said: str) -> None:
    wrong = {name: value for name, value in {**good, **changes}.items() if value is not None}
    with pytest.raises(SETTINGS.Refused) as raised:
        SETTINGS.read(wrong)
    assert said in str(raised.value)
    assert good["TYPEORM_PASSWORD"] not in str(raised.value)


def test_known_variables_are_those_of_the_contract() -> None:
    listed = (ROOT / "tests" / "contract" / "grist-variables.txt").read_text().splitlines()
    assert (FOLDER / "names.txt").read_text().splitlines() == [line for line in listed if not line.startswith("#")]


def test_sandbox_that_the_container_cannot_have_is_refused() -> None:
    run = ["sh", str(FOLDER / "run.sh")]
    done = subprocess.run(run, env={"GRIST_SANDBOX_FLAVOR": "gvisor"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "gvisor check failed" in done.stderr


def test_image_defaults_call_out_until_the_product_shuts_them(good: dict[str, str]) -> None:
    """The recipe keeps what the upstream image sets, so that leaving a variable out is seen."""
    import yaml

    image = yaml.safe_load((FOLDER / "image.yml").read_text())["config"]["env"]
    assert image["GRIST_EXT_FULL_EDITION_BASE_URL"].startswith("https://")
    assert good["GRIST_EXT_FULL_EDITION_BASE_URL"] == ""
    assert json.loads(good["TYPEORM_EXTRA"])
