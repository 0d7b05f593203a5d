# SPDX-License-Identifier: MIT
"""Journeys are green against a correct identity provider and red for each way it can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.secrets.value import Secret
from suite_deploy.verify import VerifyResult, run_verify
from suite_deploy.verify.oidc import issuer_of
from suite_deploy.verify.web import LeftTheSuite, Web
from tests.unit.verify_edge import Edge, serve
from tests.unit.verify_fakes import connect, healthy, outputs_of

PASSWORDS = {"alice": "alice-secret-alice-secret", "bob": "bob-secret-bob-secret"}
VERIFY = Callable[..., VerifyResult]


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return load("demo")


@pytest.fixture(scope="module")
def running(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, int, str]]:
    parties = [item for item in deployment.ordered if item.description.needs.oidc_client]
    clients = {
        item.slug: ("client-secret-client-secret", f"{item.url}{item.description.needs.oidc_client.redirect[0]}")
        for item in parties
        if item.description.needs.oidc_client
    }
    edge = Edge(issuer_of(deployment, parties[0]), clients, PASSWORDS)
    with serve(edge, list(deployment.public_names), tmp_path_factory.mktemp("edge")) as (port, authority):
        yield edge, port, authority


@pytest.fixture
def edge(running: tuple[Edge, int, str]) -> Iterator[Edge]:
    yield running[0]
    running[0].faults.clear()


@pytest.fixture
def verify(deployment: Deployment, running: tuple[Edge, int, str], edge: Edge, tmp_path: Path) -> VERIFY:
    identity = deployment.provider_of("identity")
    assert identity is not None
    values = {f"{identity.slug}.demo_{name}": password for name, password in PASSWORDS.items()}
    values |= {f"{slug}.oidc": secret for slug, (secret, _) in edge.clients.items()}
    secrets = {name: Secret(name, value) for name, value in values.items()}
    secrets["suite.ca_cert"] = Secret("suite.ca_cert", running[2])
    outputs = replace(outputs_of(deployment), public_address="127.0.0.1")
    machines = connect({host.name: healthy(deployment, host) for host in outputs.hosts})
    ports = {"https": running[1], "http": running[1]}

    def run(only: str) -> VerifyResult:
        return run_verify(deployment, outputs, secrets, tmp_path, only=only, connect=machines, web_ports=ports)

    return run


@pytest.mark.parametrize("journey", ["sign_in", "closed"])
def test_correct_provider_is_green(verify: VERIFY, journey: str) -> None:
    result = verify(f"journeys/{journey}/")
    assert result.findings and result.ok and not result.skipped, result.as_text()


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        ("any password", "wrong_password", "a wrong password leads to the application"),
        ("no pkce", "stolen_code", "without the verifier"),
        ("no pkce", "request_without_pkce", "although PKCE is missing"),
        ("open redirect", "foreign_redirect", "is answered with 200"),
        ("codes last", "with_code_and_pkce", "the same code was accepted twice"),
        ("lost state", "with_code_and_pkce", "did not return the state"),
        ("wrong nonce", "with_code_and_pkce", "belongs to another request"),
        ("forged", "with_code_and_pkce", "signature is wrong"),
        ("plain endpoint", "with_code_and_pkce", "endpoints without TLS: token_endpoint"),
        ("sessions stay", "sign_out", "the session goes on after signing out"),
    ],
)
def test_faulty_provider_is_red(verify: VERIFY, edge: Edge, fault: str, check: str, said: str) -> None:
    edge.faults.add(fault)
    result = verify(f"journeys/sign_in/*{check}*")
    assert result.failed, f"{check} does not notice: {fault}"
    for finding in result.failures:
        assert said in finding.message, finding.message


def test_open_management_path_is_red(verify: VERIFY, edge: Edge) -> None:
    edge.faults.add("metrics open")
    result = verify("journeys/closed/*/metrics]")
    assert result.failed == len(result.findings) > 0, result.as_text()
    assert "/metrics answers 200" in result.failures[0].message


def test_wrong_password_of_an_account_is_told_without_it(verify: VERIFY, edge: Edge) -> None:
    edge.people = dict.fromkeys(edge.people, "changed-by-somebody")
    try:
        result = verify("journeys/sign_in/*with_code*")
    finally:
        edge.people = PASSWORDS
    assert result.failed == len(result.findings)
    for failure in result.failures:
        assert "does not lead back to the application" in failure.message
    assert not any(password in str(result.as_json()) for password in PASSWORDS.values())


def test_certificate_for_another_name_is_red(
    verify: VERIFY, deployment: Deployment, running: tuple[Edge, int, str]
) -> None:
    assert verify("facts/tls/certificate*").ok
    stranger = Web({"stranger.example": "127.0.0.1"}, True, {"https": running[1]})
    with stranger.session() as session, pytest.raises(OSError, match="certificate verify failed"):
        session.get("https://stranger.example/", timeout=5)


def test_no_page_outside_the_suite_is_opened() -> None:
    with Web({"a.example": "127.0.0.1"}, True).session() as session, pytest.raises(LeftTheSuite, match=r"b\.example"):
        session.get("https://b.example/where?code=1")
