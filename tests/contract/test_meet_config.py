# SPDX-License-Identifier: MIT
"""Visio's rendered environment: only variables that upstream reads, rooms closed to strangers."""

from __future__ import annotations

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.render.render import render
from tests.contract.support import deployment_of, environment, environments, known, with_options

VARIABLES = "meet-variables.txt"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployment_of(tmp_path_factory.mktemp("meet"), {"meet": {}})


@pytest.fixture(scope="module")
def rendered(deployment: Deployment) -> dict[str, dict[str, str]]:
    return environments(render(deployment), "meet")


@pytest.fixture(scope="module")
def backend(rendered: dict[str, dict[str, str]]) -> dict[str, str]:
    return rendered["backend"]


@pytest.mark.parametrize("service", ["backend", "worker", "migrate"])
def test_every_variable_is_one_that_upstream_reads(service: str, rendered: dict[str, dict[str, str]]) -> None:
    names = known(VARIABLES)
    assert rendered[service].keys() - set(names) == set()
    assert len(names) == len(set(names)), "a name stands there twice"


def test_names_that_are_easily_written_with_the_wrong_prefix_are_not_read() -> None:
    names = set(known(VARIABLES))
    assert names.isdisjoint({"DJANGO_CELERY_BROKER_URL", "DJANGO_OIDC_CREATE_USER", "SENTRY_DSN", "EMAIL_HOST"})
    assert names.isdisjoint({"SECRET_KEY", "ALLOWED_HOSTS", "USER_OIDC_ESSENTIAL_CLAIMS", "DJANGO_SESSION_ENGINE"})


def test_queue_and_migration_see_what_the_backend_sees(rendered: dict[str, dict[str, str]]) -> None:
    assert rendered["worker"] == rendered["backend"] == rendered["migrate"]


def test_database_and_cache_are_reached_over_verified_tls_only(backend: dict[str, str]) -> None:
    assert (backend["PGSSLMODE"], backend["PGSSLROOTCERT"]) == ("verify-full", "/etc/suite-ca.pem")
    for name, number in (("REDIS_URL", "/0"), ("CELERY_BROKER_URL", "/1")):
        address, _, query = backend[name].partition("?")
        assert address.startswith("rediss://:@secret:meet.valkey@") and address.endswith(number)
        assert "ssl_cert_reqs=required" in query
        assert "ssl_ca_certs=/etc/suite-ca.pem" in query
        assert "ssl_check_hostname=true" in query


def test_rooms_are_made_by_people_who_signed_in(backend: dict[str, str]) -> None:
    assert backend["ALLOW_UNREGISTERED_ROOMS"] == "false"
    assert backend["RESOURCE_DEFAULT_ACCESS_LEVEL"] != "public"
    assert "ALLOW_UNSECURE_USER_LISTING" not in backend


def test_media_server_is_the_one_that_makes_rooms_and_reports_here(
    deployment: Deployment, backend: dict[str, str]
) -> None:
    meet = deployment.components["meet"]
    server = deployment.provider_for(meet, "livekit")
    assert server is not None and server.need == {"auto_create": True}
    assert backend["LIVEKIT_API_URL"] == server.url
    assert backend["LIVEKIT_API_SECRET"] == f"@secret:{server.slug}.api_secret@"
    webhook = next(route for route in meet.description.routes if route.path.endswith("/webhooks-livekit/"))
    assert webhook.internal and meet.description.needs.livekit
    assert meet.description.needs.livekit.webhook == webhook.path


def test_queue_is_the_one_the_worker_serves(deployment: Deployment, backend: dict[str, str]) -> None:
    command = deployment.components["meet"].description.services["worker"].command
    assert backend["CELERY_ENABLED"] == "true"
    assert command[command.index("-Q") + 1] == "meet-backend", "the name upstream gives the queue"


def test_options_arrive(deployment: Deployment) -> None:
    changed = with_options(deployment, "meet", language="nl-nl", access="restricted", backgrounds=False)
    found = environment(render(changed), "meet", "backend")
    assert found["DJANGO_LANGUAGE_CODE"] == "nl-nl"
    assert found["RESOURCE_DEFAULT_ACCESS_LEVEL"] == "restricted"
    assert found["FILE_UPLOAD_ENABLED"] == "false"


def test_browser_may_use_camera_and_microphone_here(deployment: Deployment) -> None:
    page = next(route for route in deployment.components["meet"].description.routes if route.path == "/")
    policy = page.headers["Permissions-Policy"]
    for device in ("camera", "microphone", "display-capture"):
        assert f"{device}=(self)" in policy


def test_what_the_pages_would_answer_is_closed_by_name(deployment: Deployment) -> None:
    """The pages answer every path with the same page: what is not named here looks open."""
    routes = {route.path: route for route in deployment.components["meet"].description.routes}
    assert routes["/admin"].internal
    assert all(routes[path].deny for path in ("/external-api", "/__", "/media/"))
    files = routes["/media/files/"]
    assert files.auth and files.auth.path == "/api/v1.0/files/media-auth/"
    assert files.headers["Content-Disposition"] == "attachment"
    assert files.strip == "/media/", "objects are called files/<id>"
