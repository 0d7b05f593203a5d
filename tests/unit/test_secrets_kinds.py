# SPDX-License-Identifier: MIT
"""What is generated is what its users expect, and different each time."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from suite_deploy.secrets.authority import names_not_covered, new_certificate, new_key
from suite_deploy.secrets.kinds import generate
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import AUTHORITY_KEY, NAME, Kind, SecretWanted, authority_wanted

GENERATED: list[Kind] = ["password", "hex64", "fernet", "matrix_signing_key", "rsa_private_key", "ca_key"]


def made(kind: Kind) -> str:
    return generate(SecretWanted("some.thing", kind), {}).reveal()


@pytest.mark.parametrize("kind", GENERATED)
def test_each_value_is_made_on_its_own(kind: Kind) -> None:
    assert made(kind) != made(kind)


def test_passwords_need_no_escaping_anywhere() -> None:
    assert re.fullmatch(r"[A-Za-z0-9]{32}", made("password"))


def test_hex_values_are_32_bytes() -> None:
    assert len(bytes.fromhex(made("hex64"))) == 32


def test_fernet_keys_open_what_they_closed() -> None:
    fernet = Fernet(made("fernet"))
    assert fernet.decrypt(fernet.encrypt(b"text")) == b"text"


def test_matrix_signing_keys_are_algorithm_version_and_unpadded_seed() -> None:
    match = re.fullmatch(r"ed25519 a_[A-Za-z]{4} ([A-Za-z0-9+/]{43})", made("matrix_signing_key"))
    assert match
    Ed25519PrivateKey.from_private_bytes(base64.b64decode(match[1] + "="))


def test_rsa_keys_have_3072_bits() -> None:
    key = load_pem_private_key(made("rsa_private_key").encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072


def test_supplied_secrets_are_never_generated() -> None:
    with pytest.raises(ValueError, match="given by the operator"):
        made("supplied")


class TestAuthority:
    def wanted(self, *host_names: str) -> x509.Certificate:
        key, certificate = authority_wanted("demo", "suite.example", host_names)
        made_key = generate(key, {})
        return x509.load_pem_x509_certificate(generate(certificate, {AUTHORITY_KEY: made_key}).reveal().encode())

    def test_the_certificate_is_made_from_the_key(self) -> None:
        key = new_key()
        certificate = x509.load_pem_x509_certificate(new_certificate(key, subject="x", domains=["a.example"]).encode())
        assert certificate.public_key() == load_pem_private_key(key.encode(), None).public_key()
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)

    def test_it_signs_leaves_only(self) -> None:
        constraints = self.wanted().extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)

    def test_it_signs_for_the_suites_names_and_no_address(self) -> None:
        constraints = self.wanted("id.suite.example", "chat.elsewhere.example").extensions.get_extension_for_class(
            x509.NameConstraints
        )
        assert constraints.critical
        assert [tree.value for tree in constraints.value.permitted_subtrees or []] == [
            "suite.example",
            "chat.elsewhere.example",
        ]
        assert {str(tree.value) for tree in constraints.value.excluded_subtrees or []} == {"0.0.0.0/0", "::/0"}

    def test_names_it_cannot_sign_for_are_found(self) -> None:
        certificate = new_certificate(new_key(), subject="x", domains=["suite.example"])
        names = ["suite.example", "id.suite.example", "evilsuite.example", "suite.example.org"]
        assert names_not_covered(certificate, names) == ("evilsuite.example", "suite.example.org")

    def test_it_is_valid_now_and_for_ten_years(self) -> None:
        now = datetime(2026, 1, 31, tzinfo=UTC)
        pem = new_certificate(new_key(), subject="x", domains=["a.example"], now=now)
        certificate = x509.load_pem_x509_certificate(pem.encode())
        assert certificate.not_valid_before_utc < now < now + timedelta(days=3651) < certificate.not_valid_after_utc

    def test_one_without_domains_is_refused(self) -> None:
        with pytest.raises(ValueError, match="could sign anything"):
            new_certificate(new_key(), subject="x", domains=[])

    def test_a_long_suite_name_still_makes_a_certificate(self) -> None:
        new_certificate(new_key(), subject="a-suite-with-a-name-" * 5, domains=["a.example"])


def test_the_authority_is_named_as_the_roles_expect() -> None:
    names = [one.name for one in authority_wanted("demo", "suite.example")]
    assert names == ["suite.ca_key", "suite.ca_cert"]
    assert all(NAME.fullmatch(name) for name in names)


def test_only_certificates_are_public() -> None:
    assert [one.public for one in authority_wanted("demo", "suite.example")] == [False, True]


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("docs.oidc", "the-value-itself")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", repr({"a": secret})]
    assert not [text for text in shown if "the-value" in text]
    assert all("docs.oidc" in text for text in shown)
    assert secret.reveal() == "the-value-itself"
    assert not hasattr(secret, "__dict__")


def test_a_secret_cannot_leave_the_process_by_pickling_or_copying() -> None:
    import copy
    import pickle

    secret = Secret("docs.oidc", "the-value-itself")
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"docs\.oidc"):
            leave(secret)


def test_a_secret_is_opened_when_it_is_needed_and_once() -> None:
    opened = []

    def value() -> str:
        opened.append(1)
        return "text"

    secret = Secret("a.b", value)
    repr(secret)
    assert opened == []
    assert (secret.reveal(), secret.reveal(), opened) == ("text", "text", [1])


def test_secrets_compare_by_value_and_are_no_dictionary_keys() -> None:
    assert Secret("a.b", "same") == Secret("c.d", "same")
    assert Secret("a.b", "same") != Secret("a.b", "other")
    with pytest.raises(TypeError):
        hash(Secret("a.b", "same"))
