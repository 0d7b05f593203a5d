# SPDX-License-Identifier: MIT
"""What a deployment needs in the way of secrets: names and kinds, never values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "password", "hex64", "fernet", "matrix_signing_key", "rsa_private_key", "ca_key", "ca_certificate", "supplied"
]

AUTHORITY_KEY = "suite.ca_key"
AUTHORITY_CERTIFICATE = "suite.ca_cert"

#: `<component>.<name>`
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}\.[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class SecretWanted:
    """One secret that must exist before anything is deployed.

    name: `<component>.<name>`. kind: how it is made; `supplied` is never made. purpose: one line for the operator.
    subject, domains: for the authority only, its common name and the DNS domains it may issue for.
    """

    name: str
    kind: Kind
    purpose: str = ""
    subject: str = ""
    domains: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether the value may be shown and logged (a certificate)."""
        return self.kind == "ca_certificate"


def authority_wanted(suite: str, domain: str, host_names: Iterable[str] = ()) -> tuple[SecretWanted, SecretWanted]:
    """The suite's own certificate authority: its key and its certificate.

    domain: the suite's domain. host_names: every host name the suite serves; those outside `domain` are permitted one
    by one.
    """
    outside = sorted({name for name in host_names if name != domain and not name.endswith(f".{domain}")})
    subject = f"{suite} suite CA"
    domains = (domain, *outside)
    return (
        SecretWanted(AUTHORITY_KEY, "ca_key", "key of the suite's certificate authority", subject, domains),
        SecretWanted(AUTHORITY_CERTIFICATE, "ca_certificate", "certificate of that authority", subject, domains),
    )
