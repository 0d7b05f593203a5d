# SPDX-License-Identifier: MIT
"""Role `tls` on a real host: who signed, for how long, and what makes it sign anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from suite_deploy.secrets.authority import new_certificate, new_key
from tests.roles.authority import Authority
from tests.roles.box import Box, ConvergeFailed

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
DIRECTORY = "/etc/role-test-tls"
NAMES = ["one.suite.example", "two.suite.example"]


@pytest.fixture(scope="module")
def ca() -> Authority:
    """An authority as this product makes it, with its name constraints."""
    key = new_key()
    return Authority(new_certificate(key, subject="role test", domains=["suite.example"]), key)


def wanted(ca: Authority, **changes: Any) -> Variables:
    return {
        "suite_secrets": {"suite.ca_cert": ca.certificate, "suite.ca_key": ca.key},
        "tls_name": "one",
        "tls_dns_names": NAMES,
        "tls_directory": DIRECTORY,
        "tls_group": "systemd-journal",
    } | changes


@pytest.fixture(scope="module")
def issued(box: Box, ca: Authority) -> Variables:
    box.converge("tls", "default", wanted(ca))
    return wanted(ca)


def certificate(box: Box, name: str = "one") -> x509.Certificate:
    return x509.load_pem_x509_certificate(box.succeed(f"cat {DIRECTORY}/{name}.crt").encode())


def test_clients_that_trust_the_authority_accept_every_name_and_no_other(
    box: Box, ca: Authority, issued: Variables
) -> None:
    box.succeed(f"cat > /tmp/role-test-ca.crt <<'PEM'\n{ca.certificate}PEM")

    def accepted(name: str) -> bool:
        check = f"openssl verify -x509_strict -CAfile /tmp/role-test-ca.crt -verify_hostname {name}"
        return box.command(f"{check} -purpose sslserver {DIRECTORY}/one.crt").returncode == 0

    assert all(accepted(name) for name in NAMES)
    assert not accepted("three.suite.example")


def test_the_leaf_is_for_a_server_and_for_397_days(box: Box, issued: Variables) -> None:
    leaf = certificate(box)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=397)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def test_only_owner_and_group_read_the_key(box: Box, issued: Variables) -> None:
    assert box.succeed(f"stat -c '%a %U %G' {DIRECTORY}/one.key") == "640 root systemd-journal"
    assert box.succeed(f"stat -c '%a %U' {DIRECTORY}/one.crt") == "644 root"


def test_the_authoritys_key_never_reaches_the_host(box: Box, ca: Authority, issued: Variables) -> None:
    line = ca.key.splitlines()[1]
    found = box.command(f"grep -rlF -e '{line}' /etc /root /home /tmp /var/lib /var/log /run 2>/dev/null")
    # the shell that searches is in nobody's file
    assert found.stdout == ""


def test_a_second_run_and_one_in_check_mode_change_nothing(box: Box, issued: Variables) -> None:
    assert box.converge("tls", "default", issued, run="second").changed == ()
    assert box.converge("tls", "default", issued, run="check", arguments=["--check"]).changed == ()


def test_check_mode_on_a_host_without_a_certificate_works(box: Box, ca: Authority) -> None:
    variables = wanted(ca, tls_name="never")
    assert box.converge("tls", "new", variables, run="check", arguments=["--check"]).changed
    assert box.command(f"ls {DIRECTORY}/never.key").returncode != 0


@pytest.mark.parametrize(
    "damage",
    [
        f"echo damaged > {DIRECTORY}/one.crt; chmod 0644 {DIRECTORY}/one.key; chown nobody {DIRECTORY}/one.crt",
        f"openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {DIRECTORY}/one.key",
        f"rm {DIRECTORY}/one.*",
    ],
)
def test_what_was_damaged_is_whole_after_one_run(box: Box, issued: Variables, damage: str) -> None:
    box.succeed(damage)
    assert box.converge("tls", "damaged", issued).changed
    key = load_pem_private_key(box.succeed(f"cat {DIRECTORY}/one.key").encode(), None)
    assert certificate(box).public_key() == key.public_key()
    test_only_owner_and_group_read_the_key(box, issued)


def test_names_in_another_order_are_the_same_names(box: Box, ca: Authority, issued: Variables) -> None:
    assert box.converge("tls", "reordered", wanted(ca, tls_dns_names=NAMES[::-1])).changed == ()


def test_changed_names_are_signed_and_the_key_stays(box: Box, ca: Authority, issued: Variables) -> None:
    before = certificate(box)
    box.converge("tls", "alternative", wanted(ca, tls_dns_names=["three.suite.example"]))
    after = certificate(box)
    names = after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["three.suite.example"]
    assert after.public_key() == before.public_key()


def test_another_authority_signs_anew(box: Box, stranger: Authority, issued: Variables) -> None:
    box.converge("tls", "stranger", wanted(stranger))
    root = x509.load_pem_x509_certificate(stranger.certificate.encode())
    certificate(box).verify_directly_issued_by(root)


@pytest.mark.parametrize(("days", "renewed"), [(395, False), (397, True)])
def test_it_is_signed_anew_when_fewer_days_are_left(box: Box, issued: Variables, days: int, renewed: bool) -> None:
    if not renewed:
        box.converge("tls", "default", issued)
    before = certificate(box).serial_number
    box.converge("tls", "renewal", issued | {"tls_renew_days": days})
    assert (certificate(box).serial_number != before) == renewed


class TestProvided:
    def given(self, ca: Authority, box: Box) -> Variables:
        """A certificate of somebody else for these names, as the operator hands it over."""
        key = box.succeed(f"cat {DIRECTORY}/one.key")
        return wanted(ca, tls_name="given", tls_issuer="provided") | {
            "tls_provided_certificate": box.succeed(f"cat {DIRECTORY}/one.crt") + "\n" + ca.certificate,
            "suite_secrets": {"suite.tls_key": key + "\n"},
        }

    def test_the_operators_files_are_put_as_they_are(self, box: Box, ca: Authority, issued: Variables) -> None:
        variables = self.given(ca, box)
        box.converge("tls", "provided", variables)
        assert box.succeed(f"cat {DIRECTORY}/given.crt") == variables["tls_provided_certificate"].strip()
        assert box.succeed(f"stat -c '%a %G' {DIRECTORY}/given.key") == "640 systemd-journal"
        assert box.converge("tls", "provided", variables, run="second").changed == ()

    def test_a_key_of_another_certificate_is_refused(self, box: Box, ca: Authority, issued: Variables) -> None:
        variables = self.given(ca, box) | {"suite_secrets": {"suite.tls_key": new_key()}}
        with pytest.raises(ConvergeFailed, match=r"must belong to the secret suite\.tls_key"):
            box.converge("tls", "provided", variables)

    def test_a_certificate_without_one_of_the_names_is_refused(
        self, box: Box, ca: Authority, issued: Variables
    ) -> None:
        variables = self.given(ca, box) | {"tls_dns_names": [*NAMES, "four.suite.example"]}
        with pytest.raises(ConvergeFailed, match=r"does not cover: four\.suite\.example"):
            box.converge("tls", "provided", variables)


def test_without_an_authority_it_says_which_command_makes_one(box: Box, ca: Authority) -> None:
    with pytest.raises(ConvergeFailed, match="suite-deploy secrets init"):
        box.converge("tls", "bare", wanted(ca) | {"suite_secrets": {}})
