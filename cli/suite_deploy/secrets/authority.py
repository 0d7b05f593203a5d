# SPDX-License-Identifier: MIT
"""The suite's certificate authority: one P-384 root for ten years that can sign leaves of this suite only.

Users import this root into their browsers, so it carries critical name constraints: DNS names of the suite only, no
IP address at all. OpenSSL, GnuTLS, NSS, Chromium, Go and rustls enforce them, also on a root; Java ignores them on a
trust anchor, which does no harm since every name we issue lies inside. mbedTLS refuses such a root; we use it nowhere.
Path length 0: the root signs leaves directly, a stolen key cannot make a second authority.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

LIFETIME = timedelta(days=3652)
#: a clock that runs behind must not find the root "not yet valid"
_BACKDATED = timedelta(hours=1)


def private_key_pem(key: PrivateKeyTypes) -> str:
    """PKCS#8 PEM without a passphrase: the file or vault it is kept in protects it."""
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def new_key() -> str:
    """PEM of a new P-384 key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return private_key_pem(ec.generate_private_key(ec.SECP384R1()))


def new_certificate(key_pem: str, *, subject: str, domains: Iterable[str], now: datetime | None = None) -> str:
    """PEM of the self-signed root for `key_pem`.

    subject: common name. domains: DNS domains (each with its subdomains) it may issue for; at least one. now: start of
    validity, UTC. Raises ValueError for a key of a kind that cannot sign or without domains.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = serialization.load_pem_private_key(key_pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key must be an elliptic curve key")
    permitted = [x509.DNSName(domain) for domain in domains]
    if not permitted:
        raise ValueError("an authority without a permitted domain could sign anything")
    no_address = [x509.IPAddress(ipaddress.ip_network(net)) for net in ("0.0.0.0/0", "::/0")]
    start = (now or datetime.now(UTC)) - _BACKDATED
    # 64 characters: the limit of a common name in X.520
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted, no_address), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA384())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def names_not_covered(certificate_pem: str, host_names: Iterable[str]) -> tuple[str, ...]:
    """Those of `host_names` that the authority's name constraints forbid; none when it has no constraints."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    allowed = [str(tree.value) for tree in constraints.permitted_subtrees or () if isinstance(tree, x509.DNSName)]
    return tuple(name for name in host_names if not any(name == tree or name.endswith(f".{tree}") for tree in allowed))
