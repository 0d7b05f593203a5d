# SPDX-License-Identifier: MIT
"""The doubles of Docs and Visio refuse what would be wrong for the real ones: each setting, missing or wrong."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from suite_deploy.model.loader import load
from suite_deploy.render.render import render
from tests.checkout import ROOT, module_at

FOLDER = ROOT / "tests/doubles/lasuite"
APPLICATIONS = {"docs": "impress.settings", "meet": "meet.settings"}
SUITE = {
    "schema": 1,
    "suite": "doubles",
    "domain": "doubles.example",
    "profile": "dev",
    "infrastructure": {"driver": "local"},
    "mail": {"relay": "smtp.doubles.example", "from": "suite@doubles.example", "user": "suite"},
    "components": {"keycloak": {}, "docs": {}, "meet": {}},
}
SECRET = "s" * 40


# the double's own packages are called like the product's
contract, rooms = (module_at(FOLDER / f"app/double/{name}.py", f"double_{name}") for name in ("contract", "rooms"))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the components render, each placeholder filled."""
    path = tmp_path_factory.mktemp("doubles") / "suite.yml"
    path.write_text(yaml.safe_dump(SUITE))
    tree = render(load(str(path)))
    found = {item.component: item.env for item in tree.services if item.name == "backend"}
    return {slug: {k: _filled(v) for k, v in found[slug].items()} for slug in APPLICATIONS}


def _filled(value: str) -> str:
    head, _, rest = value.partition("@secret:")
    return f"{head}{SECRET}{rest.partition('@')[2]}" if rest else value


@pytest.fixture
def complaints(environments: dict[str, dict[str, str]]) -> Callable[..., list[str]]:
    """A function that says what the double thinks of a component's environment with some variables changed."""

    def ask(slug: str, missing: str = "", there: bool = True, **changes: str) -> list[str]:
        env = {**environments[slug], **changes}
        env.pop(missing, None)
        return list(contract.problems(APPLICATIONS[slug], env, lambda path: there))

    return ask


@pytest.mark.parametrize("slug", APPLICATIONS)
def test_what_the_component_renders_is_accepted(slug: str, complaints: Callable[..., list[str]]) -> None:
    assert complaints(slug) == []


REQUIRED = [
    (slug, setting.name)
    for slug, application in APPLICATIONS.items()
    for setting in contract.APPLICATIONS[application]
    if setting.default is None
]
#: settings that upstream has a default for which must not stay
BAD_DEFAULTS = [
    *[(slug, name) for slug in APPLICATIONS for name in ("DJANGO_CONFIGURATION", "OIDC_RP_SCOPES", "OIDC_USE_PKCE")],
    *[(slug, "OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION") for slug in APPLICATIONS],
    *[(slug, "OIDC_REDIRECT_REQUIRE_HTTPS") for slug in APPLICATIONS],
    *[(slug, name) for slug in APPLICATIONS for name in ("PGSSLMODE", "DJANGO_EMAIL_FROM", "DJANGO_EMAIL_PORT")],
    ("docs", "COLLABORATION_WS_NOT_CONNECTED_READ_ONLY"),
    ("meet", "ALLOW_UNREGISTERED_ROOMS"),
]


@pytest.mark.parametrize(("slug", "name"), [*REQUIRED, *BAD_DEFAULTS])
def test_missing_setting_is_named(slug: str, name: str, complaints: Callable[..., list[str]]) -> None:
    found = complaints(slug, missing=name)
    assert any(line.startswith(name) for line in found), found


WRONG = [
    ("docs", "DJANGO_SETTINGS_MODULE", "meet.settings"),
    ("docs", "DJANGO_SECRET_KEY", "short"),
    ("docs", "DJANGO_ALLOWED_HOSTS", '["docs.doubles.example"]'),
    ("docs", "DJANGO_ALLOWED_HOSTS", "*"),
    ("docs", "DJANGO_ALLOWED_HOSTS", "https://docs.doubles.example"),
    ("docs", "DJANGO_CSRF_TRUSTED_ORIGINS", "docs.doubles.example"),
    ("docs", "DJANGO_CSRF_TRUSTED_ORIGINS", "https://other.example"),
    ("docs", "DB_HOST", "localhost"),
    ("docs", "DB_PORT", "five"),
    ("docs", "DB_PASSWORD", "pass"),
    ("docs", "PGSSLMODE", "require"),
    ("docs", "REDIS_URL", "redis://:secret@valkey:6379/0"),
    ("docs", "REDIS_URL", "rediss://valkey:6379/0?ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs=/ca"),
    ("docs", "REDIS_URL", "rediss://:s@valkey:6379/0?ssl_cert_reqs=none&ssl_check_hostname=true&ssl_ca_certs=/ca"),
    ("docs", "REDIS_URL", "rediss://:s@valkey:6379/0?ssl_cert_reqs=required&ssl_ca_certs=/ca"),
    ("docs", "REDIS_URL", "rediss://:s@valkey:6379/0?ssl_cert_reqs=required&ssl_check_hostname=true"),
    ("docs", "DJANGO_CELERY_BROKER_URL", "redis://valkey:6379/1"),
    ("docs", "AWS_S3_ENDPOINT_URL", "http://s3.doubles.example"),
    ("docs", "AWS_REQUEST_CHECKSUM_CALCULATION", "never"),
    ("docs", "AWS_RESPONSE_CHECKSUM_VALIDATION", "never"),
    ("docs", "OIDC_OP_TOKEN_ENDPOINT", "https://elsewhere.example/token"),
    ("docs", "OIDC_OP_JWKS_ENDPOINT", "http://id.doubles.example/certs"),
    ("docs", "OIDC_RP_SIGN_ALGO", "HS256"),
    ("docs", "OIDC_RP_SCOPES", "openid email"),
    ("docs", "OIDC_USE_PKCE", "perhaps"),
    ("docs", "OIDC_REDIRECT_ALLOWED_HOSTS", "https://docs.doubles.example"),
    ("docs", "LOGIN_REDIRECT_URL", "https://elsewhere.example"),
    ("docs", "MEDIA_BASE_URL", "https://docs.doubles.example/media"),
    ("docs", "DOCUMENT_IMAGE_MAX_SIZE", "10MiB"),
    ("docs", "TRASHBIN_CUTOFF_DAYS", "-1"),
    ("docs", "COLLABORATION_WS_URL", "https://docs.doubles.example/collaboration/ws/"),
    ("docs", "COLLABORATION_WS_URL", "wss://docs.doubles.example/collaboration/ws"),
    ("docs", "COLLABORATION_API_URL", "http://y-provider:4444/collaboration/api/"),
    ("docs", "COLLABORATION_SERVER_SECRET", "secret-api-key"),
    ("docs", "Y_PROVIDER_API_KEY", "yprovider-api-key"),
    ("docs", "Y_PROVIDER_API_BASE_URL", "http://y-provider:4444"),
    ("docs", "CONVERSION_UPLOAD_ENABLED", "on"),
    ("docs", "AI_FEATURE_ENABLED", "true"),
    ("docs", "DJANGO_LANGUAGE_CODE", "fr"),
    ("docs", "DJANGO_EMAIL_BACKEND", "smtp"),
    ("docs", "DJANGO_EMAIL_HOST", ""),
    ("docs", "DJANGO_EMAIL_PORT", "submission"),
    ("docs", "DJANGO_EMAIL_USE_SSL", "true"),
    ("docs", "SIGNUP_NEW_USER_TO_MARKETING_EMAIL", "true"),
    ("meet", "CELERY_BROKER_URL", "redis://valkey:6379/1"),
    ("meet", "LIVEKIT_API_URL", "wss://livekit.doubles.example"),
    ("meet", "LIVEKIT_API_SECRET", "secret"),
    ("meet", "ALLOW_UNREGISTERED_ROOMS", "true"),
    ("meet", "RESOURCE_DEFAULT_ACCESS_LEVEL", "everyone"),
    ("meet", "FILE_UPLOAD_ENABLED", "maybe"),
    ("meet", "FRONTEND_ANALYTICS", "[]"),
    ("meet", "FRONTEND_SUPPORT", "none of it"),
    ("meet", "DJANGO_LANGUAGE_CODE", "es-es"),
]


@pytest.mark.parametrize(("slug", "name", "value"), WRONG)
def test_wrong_setting_is_named(slug: str, name: str, value: str, complaints: Callable[..., list[str]]) -> None:
    found = complaints(slug, **{name: value})
    assert any(line.startswith(name) for line in found), found


#: read under another name than one would think: written the other way, upstream ignores them
TRAPS = [
    ("meet", "CELERY_BROKER_URL", "DJANGO_CELERY_BROKER_URL"),
    ("docs", "DJANGO_SECRET_KEY", "SECRET_KEY"),
    ("meet", "LIVEKIT_API_SECRET", "DJANGO_LIVEKIT_API_SECRET"),
    ("docs", "AWS_S3_ENDPOINT_URL", "DJANGO_AWS_S3_ENDPOINT_URL"),
    ("docs", "DJANGO_EMAIL_FROM", "EMAIL_FROM"),
]


@pytest.mark.parametrize(("slug", "name", "other"), TRAPS)
def test_name_with_another_prefix_counts_for_nothing(
    slug: str, name: str, other: str, environments: dict[str, dict[str, str]], complaints: Callable[..., list[str]]
) -> None:
    found = complaints(slug, missing=name, **{other: environments[slug][name]})
    assert any(line.startswith(name) for line in found), found


def test_broker_by_celerys_own_name_goes_first(
    environments: dict[str, dict[str, str]], complaints: Callable[..., list[str]]
) -> None:
    good = environments["docs"]["DJANGO_CELERY_BROKER_URL"]
    assert complaints("docs", missing="DJANGO_CELERY_BROKER_URL", CELERY_BROKER_URL=good) == []
    found = complaints("docs", CELERY_BROKER_URL="redis://valkey:6379/1")
    assert any(line.startswith("DJANGO_CELERY_BROKER_URL") for line in found), found


@pytest.mark.parametrize("slug", APPLICATIONS)
def test_files_that_are_not_there_are_named(slug: str, complaints: Callable[..., list[str]]) -> None:
    found = "\n".join(complaints(slug, there=False))
    for name in ("PGSSLROOTCERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "REDIS_URL"):
        assert f"{name} names a file" in found


def test_secret_may_come_from_a_file(complaints: Callable[..., list[str]]) -> None:
    assert complaints("docs", missing="DJANGO_SECRET_KEY", DJANGO_SECRET_KEY_FILE="/run/secret") == []
    found = complaints("docs", missing="DJANGO_SECRET_KEY", there=False, DJANGO_SECRET_KEY_FILE="/run/secret")
    assert any(line.startswith("DJANGO_SECRET_KEY_FILE") for line in found)


@pytest.mark.parametrize("slug", APPLICATIONS)
def test_no_complaint_holds_a_secret(slug: str, complaints: Callable[..., list[str]]) -> None:
    secrets = {"DB_PASSWORD": "pass", "LIVEKIT_API_SECRET": "tell-nobody", "REDIS_URL": "redis://:tell-nobody@v/0"}
    assert "tell-nobody" not in "\n".join(complaints(slug, **secrets))


@pytest.mark.parametrize("slug", APPLICATIONS)
def test_every_setting_it_looks_at_is_one_that_upstream_reads(slug: str) -> None:
    known = set((ROOT / f"tests/contract/{slug}-variables.txt").read_text().splitlines())
    looked_at = {setting.name for setting in contract.APPLICATIONS[APPLICATIONS[slug]]}
    assert looked_at <= known


def test_every_setting_has_a_wrong_value_or_is_required() -> None:
    tested = {name for _, name in (*REQUIRED, *BAD_DEFAULTS)} | {name for _, name, _ in WRONG}
    looked_at = {setting.name for each in contract.APPLICATIONS.values() for setting in each}
    # any text will do, or the same rule as its neighbour's
    assert looked_at - tested <= {
        "OIDC_TIMEOUT",
        "DJANGO_EMAIL_USE_TLS",
        "CELERY_ENABLED",
        "OIDC_CREATE_USER",
        "FRONTEND_FEEDBACK",
    }


def test_media_server_calls_rooms_by_their_ids() -> None:
    made = uuid.uuid4()
    assert rooms.room_id(str(made)) == made
    for other in ("team-meeting", "", "!verify:suite.example", f"{made}-2"):
        assert rooms.room_id(other) is None, other
    webhook = (FOLDER / "app/meet/api.py").read_text().partition("def webhook(")[2]
    assert "Room.objects.filter(pk=room_id(event.room.name))" in webhook


def test_recipes_stand_for_the_images_the_components_name(tmp_path: Path) -> None:
    from suite_deploy.images.recipe import load_recipe
    from suite_deploy.model.components import describe

    for slug in APPLICATIONS:
        images = {f"{item.name}:{item.tag}" for item in describe(slug).images.values()}
        assert load_recipe(FOLDER / f"image-{slug}.yml").reference in images
        assert load_recipe(FOLDER.parent / f"static-front/image-{slug}.yml").reference in images
