# SPDX-License-Identifier: MIT
"""TLS handshakes with the edge from here, and with data services from their clients' host."""

from __future__ import annotations

import socket
import ssl
import time
import warnings

from .machines import Machine

_TIMEOUT = 10
_DAY = 86_400
CA_ON_HOSTS = "/etc/suite/ca.crt"


def days_left(address: str, name: str, trust: str | bool, port: int = 443) -> float:
    """Days until the certificate of `name` ends; fails when a user's device would refuse it."""
    context = ssl.create_default_context(cafile=trust if isinstance(trust, str) else None)
    try:
        with (
            socket.create_connection((address, port), timeout=_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise AssertionError(f"the certificate of {name} is refused: {error.verify_message}") from error
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / _DAY


def speaks(address: str, name: str, version: ssl.TLSVersion, port: int = 443) -> bool:
    """Whether a handshake in exactly this protocol version succeeds; trust is another check's business."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # old versions are off by default on this side too; without this the answer would always be no
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.minimum_version = version
        context.maximum_version = version
    with socket.create_connection((address, port), timeout=_TIMEOUT) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return True
        except (ssl.SSLError, ConnectionResetError):
            return False


def from_host(machine: Machine, name: str, port: int, starttls: str = "") -> str:
    """What is wrong with a service's certificate as seen from a host of its clients; empty when nothing is.

    starttls: the protocol that is to be upgraded to TLS, as openssl names it.
    """
    upgrade = f" -starttls {starttls}" if starttls else ""
    answer = machine.ask(
        f"openssl s_client{upgrade} -connect %s -servername %s -verify_hostname %s -verify_return_error "
        f"-CAfile {CA_ON_HOSTS} -brief </dev/null 2>&1",
        f"{name}:{port}",
        name,
        name,
    )
    if answer.rc == 0 and "Verification: OK" in answer.stdout:
        return ""
    said = [line for line in answer.stdout.splitlines() if line.strip()][-4:]
    return f"{machine.name} does not accept {name}:{port}:\n" + "\n".join(said)
