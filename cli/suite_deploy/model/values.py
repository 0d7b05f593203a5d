# SPDX-License-Identifier: MIT
"""Kinds of text an operator may write: names, addresses, networks, URLs, sizes; each says what it accepts."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

#: what the patterns of the files' schemas mean
PATTERNS = {
    r"^[0-9a-f]{64}$": "64 digits of 0-9 and a-f, the first word that `sha256sum FILE` prints",
    r"^[0-9a-f]{128}$": "128 digits of 0-9 and a-f, the first word that `sha512sum FILE` prints",
    r"^[a-z][a-z0-9-]{0,30}$": "up to 31 of a-z, 0-9 and -, a letter first",
    r"^[a-z_][a-z0-9_-]{0,31}$": "an account's name, up to 32 of a-z, 0-9, _ and -",
    r"^[^@\s]+@[^@\s]+$": "an e-mail address",
    r"^/\S*$": "an absolute path without spaces, like /srv/suite-state",
    r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$": "host[:port][/path] in lower case, without https:// and without a user",
    r"^(passphrase|[a-z]+://\S+)$": "passphrase, or the URL of a key service",
}
#: OVHcloud's sign-in for the public cloud, by the company of the account; source: OVHcloud's guides
OVH_AUTH = {
    "ovh-eu": "https://auth.cloud.ovh.net/v3",
    "ovh-ca": "https://auth.cloud.ovh.net/v3",
    "ovh-us": "https://auth.cloud.ovh.us/v3",
}
#: Outscale's own addresses; source: https://docs.outscale.com/en/userguide/API-Endpoints-Reference.html
OUTSCALE_API = "https://api.{region}.outscale.com/api/v1"
_LAST_PORT = 65535
_LOGIN = re.compile(r"(\s*[A-Za-z][\w+.-]*:/+)?(.*)@([^@]*)$", re.DOTALL)
_LABEL = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)$")


def hostname(value: str) -> str:
    """A fully qualified lower-case name; raises ValueError with the rule that was broken."""
    _refuse_login(value)
    name = value.strip()
    if name != value or name != name.lower():
        raise ValueError(f"{value!r} is no host name: write it in lower case, without spaces")
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{value!r} is no domain name. Accepted: labels of a-z, 0-9 and -, joined by dots")
    if labels[-1].isdigit():
        raise ValueError(f"{value!r} is an address, not a domain name")
    return name


def zone(value: str) -> str:
    """A DNS zone as the product writes it: lower case, without the final dot that zones are often written with."""
    return hostname(value.removesuffix(".").lower())


def in_zone(name: str, zone_name: str) -> bool:
    """Whether a host name lies in a zone: it is the zone's own name, or ends in it."""
    return name == zone_name or name.endswith(f".{zone_name}")


def network(value: str) -> str:
    """An IPv4 network in CIDR form."""
    try:
        return str(ipaddress.IPv4Network(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IPv4 network ({error}). Accepted: like 10.20.0.0/24") from error


def address(value: str) -> str:
    """An IP address literal."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IP address") from error


def is_address(value: str) -> bool:
    """Whether this is an IP address literal, not a name."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def host_or_address(value: str) -> str:
    """A domain name or an IP address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return hostname(value)


def url(value: str) -> str:
    """An http or https URL without credentials; the policies judge plain http."""
    if not re.match(r"^https?://[A-Za-z0-9.-]+(:\d+)?(/\S*)?$", value):
        _refuse_login(value)
        raise ValueError(f"{value!r} is not accepted. Accepted: http(s)://host[:port][/path] without user and password")
    _refuse_port(value)
    return value


def https_url(value: str) -> str:
    """An https URL without credentials."""
    if not re.match(r"^https://[A-Za-z0-9.-]+(:\d+)?(/\S*)?$", value):
        _refuse_login(value)
        raise ValueError(f"{value!r} is not accepted. Accepted: an https:// URL without user and password")
    _refuse_port(value)
    return value


def without_login(text: str) -> str:
    """The text without what looks like a user and a password before a host: errors end up in logs and in tickets."""
    scheme, login, host = found.groups() if (found := _LOGIN.match(text)) else ("", "", "")
    return f"{scheme or ''}…@{host}" if scheme or ":" in login else text


def _refuse_port(value: str) -> None:
    port = re.match(r"[a-z]+://[^/:]+:(\d+)", value)
    if port and not 1 <= int(port[1]) <= _LAST_PORT:
        raise ValueError(f"{value!r} is not accepted. Accepted: a port of 1 to {_LAST_PORT}")


def _refuse_login(value: str) -> None:
    shown = without_login(value)
    if shown != value:
        raise ValueError(f"{shown!r} holds a user or password (not shown). Remove it, and change that password")


def size(value: str) -> str:
    """A size with a binary unit, like 100GiB."""
    if not re.match(r"^[1-9]\d*(MiB|GiB|TiB)$", value):
        raise ValueError(f"{value!r} is no size. Accepted: a whole number with MiB, GiB or TiB, like 100GiB")
    return value


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Hostname = Annotated[str, AfterValidator(hostname)]
Zone = Annotated[str, AfterValidator(zone)]
Network = Annotated[str, AfterValidator(network)]
Address = Annotated[str, AfterValidator(address)]
HostOrAddress = Annotated[str, AfterValidator(host_or_address)]
HttpsUrl = Annotated[str, AfterValidator(https_url)]
Url = Annotated[str, AfterValidator(url)]
Size = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(size)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha512 = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
HostOrAddresses = Annotated[tuple[HostOrAddress, ...], BeforeValidator(_one_or_more)]
Group = Literal["edge", "apps", "data", "media"]
#: services of an OpenStack cloud, by the words that the engine's provider and its Python SDK both take for them
Service = Literal["compute", "dns", "identity", "image", "network", "object-store", "volumev3"]
#: VLANs that OVHcloud's interface accepts; 0 would be the untagged one, shared by whoever else is on the vRack
FIRST_VLAN, LAST_VLAN = 2, 4000
Vlan = Annotated[int, Field(ge=FIRST_VLAN, le=LAST_VLAN)]
HostName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
