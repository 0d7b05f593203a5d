# SPDX-License-Identifier: MIT
"""Access keys, read when a call needs them and kept nowhere: not in inputs, not in state, not in logs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from .errors import CredentialsMissing


@dataclass(frozen=True)
class Keys:
    """An access key pair; its secret is never shown."""

    access: str
    secret: str = field(repr=False)
    certificate: str | None = None  #: client certificate file, where the account's access rules want one


def keys() -> Keys:
    """OSC_ACCESS_KEY and OSC_SECRET_KEY, else the profile that OSC_PROFILE names in the SDK's file.

    Region and endpoint of a profile are not looked at: they are inputs of each resource. Raises CredentialsMissing.
    """
    access, secret = os.environ.get("OSC_ACCESS_KEY"), os.environ.get("OSC_SECRET_KEY")
    certificate = os.environ.get("OSC_X509_CLIENT_CERT")
    if access and secret:
        return Keys(access, secret, certificate)
    if access or secret:
        lacking = "OSC_SECRET_KEY" if access else "OSC_ACCESS_KEY"
        raise CredentialsMissing(f"{lacking} is not set, its other half is: set both, or none to use a profile")
    # The SDK prefers its file to the environment; we ask it for the file only when the environment says nothing.
    from osc_sdk_python.credentials import Profile

    chosen = os.environ.get("OSC_PROFILE") or "default"
    try:
        profile = Profile.from_standard_configuration(None, None)
    except Exception as error:
        raise CredentialsMissing(f"the profile {chosen!r} cannot be read ({type(error).__name__}: {error})") from None
    if not (profile.access_key and profile.secret_key):
        raise CredentialsMissing(
            f"no access key: set OSC_ACCESS_KEY and OSC_SECRET_KEY, or write the profile {chosen!r} to "
            "~/.osc/config.json"
        )
    return Keys(profile.access_key, profile.secret_key, profile.x509_client_cert or certificate)
