# SPDX-License-Identifier: MIT
"""Every public name has a certificate a user's device accepts, for long enough, over current protocols only."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import pytest

from suite_deploy.model.deployment import POSTGRESQL_PORT, Component, Deployment
from suite_deploy.verify import handshake
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.web import TIMEOUT, Web

#: `up` renews below 60 days; less than this means that nobody ran it
_FEWEST_DAYS = 30
_HALF_A_YEAR = 15_768_000


def test_certificate_is_trusted_and_lasts(public_name: str, web: Web, look: Look) -> None:
    look.hint("suite-deploy up renews certificates")
    days = handshake.days_left(web.addresses[public_name], public_name, web.trust, web.ports["https"])
    assert days >= _FEWEST_DAYS, f"the certificate of {public_name} ends in {days:.0f} days"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["tls1.0", "tls1.1"])
def test_old_protocols_are_refused(public_name: str, version: ssl.TLSVersion, web: Web) -> None:
    spoken = handshake.speaks(web.addresses[public_name], public_name, version, web.ports["https"])
    assert not spoken, f"{public_name} still speaks {version.name}"


def test_current_protocol_is_spoken(public_name: str, web: Web) -> None:
    spoken = handshake.speaks(web.addresses[public_name], public_name, ssl.TLSVersion.TLSv1_3, web.ports["https"])
    assert spoken, f"{public_name} does not speak TLS 1.3"


def test_browsers_are_told_to_stay_on_tls(web_name: str, web: Web) -> None:
    with web.session() as session:
        response = session.get(f"https://{web_name}/", allow_redirects=False, timeout=TIMEOUT)
    header = response.headers.get("Strict-Transport-Security", "")
    seconds = next((part.partition("=")[2] for part in header.split(";") if part.strip().startswith("max-age")), "0")
    kept = seconds.isdigit() and int(seconds) >= _HALF_A_YEAR
    assert kept, f"{web_name} sends Strict-Transport-Security: {header!r}"


def test_plain_http_only_leads_to_tls(web_name: str, web: Web) -> None:
    with web.session() as session:
        response = session.get(f"http://{web_name}/some/where?x=1", allow_redirects=False, timeout=TIMEOUT)
    target = response.headers.get("Location", "")
    led = response.status_code in (301, 308) and target.startswith(f"https://{web_name}/")
    assert led, f"http://{web_name}/ answers {response.status_code} {target}"


def test_database_is_reached_over_verified_tls(
    database_client: Component, deployment: Deployment, machines: Mapping[str, Machine]
) -> None:
    machine = machines[database_client.host]
    wrong = handshake.from_host(machine, deployment.postgresql_name, POSTGRESQL_PORT, "postgres")
    assert not wrong, wrong


def test_cache_is_reached_over_verified_tls(
    cache_client: Component, deployment: Deployment, machines: Mapping[str, Machine]
) -> None:
    wrong = handshake.from_host(machines[cache_client.host], deployment.valkey_name, cache_client.valkey_port)
    assert not wrong, wrong
