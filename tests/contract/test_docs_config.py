# SPDX-License-Identifier: MIT
"""Docs' rendered environment: only variables that upstream reads, nothing guessed, nothing left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.render.render import render
from tests.contract.support import deployment_of, environment, environments, known, with_options

MAIL = {"relay": "smtp.contract.example", "from": "suite@contract.example", "user": "suite"}
#: service → the names its image reads
KNOWN = {
    "backend": "docs-variables.txt",
    "worker": "docs-variables.txt",
    "migrate": "docs-variables.txt",
    "y-provider": "docs-y-provider-variables.txt",
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployment_of(tmp_path_factory.mktemp("docs"), {"docs": {}})


@pytest.fixture(scope="module")
def rendered(deployment: Deployment) -> dict[str, dict[str, str]]:
    return environments(render(deployment), "docs")


@pytest.fixture(scope="module")
def backend(rendered: dict[str, dict[str, str]]) -> dict[str, str]:
    return rendered["backend"]


@pytest.mark.parametrize("service", KNOWN)
def test_every_variable_is_one_that_upstream_reads(service: str, rendered: dict[str, dict[str, str]]) -> None:
    names = known(KNOWN[service])
    assert rendered[service].keys() - set(names) == set()
    assert len(names) == len(set(names)), "a name stands there twice"


def test_names_that_are_easily_written_with_the_wrong_prefix_are_not_read() -> None:
    names = set(known("docs-variables.txt"))
    assert names.isdisjoint({"OIDC_CREATE_USER", "SECRET_KEY", "ALLOWED_HOSTS", "EMAIL_HOST"})
    assert names.isdisjoint({"DJANGO_SENTRY_DSN", "STORAGES_STATICFILES_BACKEND", "DATA_UPLOAD_MAX_MEMORY_SIZE"})


def test_queue_and_migration_see_what_the_backend_sees(rendered: dict[str, dict[str, str]]) -> None:
    assert rendered["worker"] == rendered["backend"] == rendered["migrate"]


def test_database_and_cache_are_reached_over_verified_tls_only(backend: dict[str, str]) -> None:
    assert (backend["PGSSLMODE"], backend["PGSSLROOTCERT"]) == ("verify-full", "/etc/suite-ca.pem")
    for name in ("REDIS_URL", "DJANGO_CELERY_BROKER_URL"):
        assert backend[name].startswith("rediss://:@secret:docs.valkey@")
        _, _, query = backend[name].partition("?")
        assert set(query.split("&")) == {
            "ssl_cert_reqs=required",
            "ssl_ca_certs=/etc/suite-ca.pem",
            "ssl_check_hostname=true",
        }


def test_sessions_and_queue_do_not_share_a_database(backend: dict[str, str]) -> None:
    numbers = {backend[name].partition("?")[0][-2:] for name in ("REDIS_URL", "DJANGO_CELERY_BROKER_URL")}
    assert numbers == {"/0", "/1"}


def test_both_sides_of_the_collaboration_server_hold_the_same_secrets(rendered: dict[str, dict[str, str]]) -> None:
    for name in ("COLLABORATION_SERVER_SECRET", "Y_PROVIDER_API_KEY"):
        assert rendered["backend"][name] == rendered["y-provider"][name] != ""
    assert rendered["backend"]["COLLABORATION_SERVER_SECRET"] != rendered["backend"]["Y_PROVIDER_API_KEY"]


def test_collaboration_server_asks_the_backend_with_tls_in_front_of_it(rendered: dict[str, dict[str, str]]) -> None:
    """Asked directly, the backend answers with a redirect: nobody could open a document."""
    assert rendered["y-provider"]["COLLABORATION_BACKEND_BASE_URL"] == "https://docs.media.example"
    assert rendered["y-provider"]["COLLABORATION_SERVER_ORIGIN"] == "https://docs.media.example"


def test_nobody_is_found_by_address(backend: dict[str, str]) -> None:
    assert backend["OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION"] == "false"
    assert backend["OIDC_USE_PKCE"] == "true"


def test_runtimes_trust_the_suites_authority(rendered: dict[str, dict[str, str]]) -> None:
    trusting = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")
    assert {rendered["backend"][name] for name in trusting} == {rendered["y-provider"]["NODE_EXTRA_CA_CERTS"]}


def test_mail_goes_nowhere_without_a_relay(backend: dict[str, str], tmp_path: Path) -> None:
    assert backend["DJANGO_EMAIL_BACKEND"].endswith(".dummy.EmailBackend")
    with_mail = environment(render(deployment_of(tmp_path, {"docs": {}}, mail=MAIL)), "docs", "backend")
    assert with_mail["DJANGO_EMAIL_BACKEND"].endswith(".smtp.EmailBackend")
    assert with_mail["DJANGO_EMAIL_HOST"] == "smtp.contract.example"
    assert with_mail["DJANGO_EMAIL_FROM"] == "suite@contract.example"
    assert with_mail["DJANGO_EMAIL_HOST_PASSWORD"].startswith("@secret:")
    assert (with_mail["DJANGO_EMAIL_USE_TLS"], with_mail["DJANGO_EMAIL_USE_SSL"]) == ("true", "false")
    with_tls = environment(render(deployment_of(tmp_path, {"docs": {}}, mail={**MAIL, "port": 465})), "docs", "backend")
    assert (with_tls["DJANGO_EMAIL_USE_TLS"], with_tls["DJANGO_EMAIL_USE_SSL"]) == ("false", "true")


def test_options_arrive(deployment: Deployment) -> None:
    tree = render(with_options(deployment, "docs", language="de-de", max_attachment_mib=40, trash_days=7))
    found = environment(tree, "docs", "backend")
    assert found["DJANGO_LANGUAGE_CODE"] == "de-de"
    assert found["DOCUMENT_IMAGE_MAX_SIZE"] == str(40 * 1024 * 1024)
    assert found["TRASHBIN_CUTOFF_DAYS"] == "7"
    sites = next(each["edge_sites"] for each in tree.host_vars.values() if "edge_sites" in each)
    routes = next(site["routes"] for site in sites if site["hostname"] == deployment.components["docs"].hostname)
    assert next(route["body_size"] for route in routes if route["path"] == "/api/") == "45m"


def test_edge_guards_what_it_passes_on(deployment: Deployment) -> None:
    routes = {route.path: route for route in deployment.components["docs"].description.routes}
    assert {path for path, route in routes.items() if route.internal} == {"/admin", "/collaboration/api/"}
    assert {path for path, route in routes.items() if route.hash_by == "room"} == {
        "/collaboration/ws/",
        "/collaboration/api/",
    }
    media = routes["/media/"]
    assert media.to == "bucket" and media.auth and media.auth.path == "/api/v1.0/documents/media-auth/"
    assert media.headers["Content-Security-Policy"] == "default-src 'none'"


def test_version_is_before_the_new_collaboration_server(deployment: Deployment) -> None:
    tags = {image.tag for image in deployment.components["docs"].description.images.values()}
    assert len(tags) == 1, "backend, pages and rooms belong together"
    assert tuple(int(part) for part in tags.pop().removeprefix("v").split(".")) < (5, 8)
