# SPDX-License-Identifier: MIT
"""What is left of the quota at Outscale, through its API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import CouldNotRun
from ..model.suite import Outscale
from ..paths import share_import
from .credentials import Credentials
from .room import AGAIN, CREDENTIALS, REGION, Left, Room, WrongSetting, said

#: Outscale's flavors say their size in their name, so its list is not asked for. Source:
#: https://docs.outscale.com/en/userguide/3DS-OUTSCALE-Offering-Refinements-(API-Behavior).html
OUTSCALE_FLAVORS = "tinavG.cCrMpP (G: generation, C: cores, M: GiB of memory, P: performance), like tinav6.c4r16p2"
#: Outscale's own addresses name their region
_OUTSCALE_HOST = re.compile(r"^[a-z]+\.([a-z0-9-]+)\.outscale\.com$")
#: name of a quota at Outscale → what it counts. Source: ReadQuotas, as Outscale's own tests of it list them.
_COUNTED = {
    "vm_limit": "hosts",
    "core_limit": "vCPU",
    "memory_limit": "memory MiB",
    "ip_limit": "public addresses",
    "volume_limit": "volumes",
    "volume_size_limit": "volume GiB",
    "standard_volume_size_limit": "standard volume GiB",
    "gp2_volume_size_limit": "gp2 volume GiB",
    "io1_volume_size_limit": "io1 volume GiB",
    "sg_limit": "security groups",
    "vpc_limit": "networks",
    "nat_gateway_limit": "NAT services",
    "igw_limit": "internet services",
}


def ask(infrastructure: Outscale, credentials: Credentials) -> Room:
    """What is left of the quota. Raises CouldNotRun."""
    errors = share_import("stacks.outscale.providers.errors")
    keys = share_import("stacks.outscale.providers.credentials").Keys(
        credentials.variables["OSC_ACCESS_KEY"],
        credentials.variables["OSC_SECRET_KEY"],
        credentials.variables.get("OSC_X509_CLIENT_CERT"),
    )
    endpoint = infrastructure.sign_in
    where = f"{endpoint}, region {infrastructure.region}"
    named = _OUTSCALE_HOST.match(urlsplit(endpoint).hostname or "")
    if named and named[1] != infrastructure.region:
        raise WrongSetting(
            "endpoint",
            f"{endpoint} is of the region {named[1]}, and infrastructure.region says"
            f" {infrastructure.region!r}.\n  Leave `endpoint` out, or write both of the same region.",
        )
    client = share_import("stacks.outscale.providers.client").Client(infrastructure.region, endpoint, keys)
    try:
        left = left_of(client.read("ReadQuotas", Filters={"QuotaTypes": ["global"]}))
    except errors.ApiError as error:
        if error.is_denied:
            return Room(silent=(f"quota: {error}",), flavor_form=OUTSCALE_FLAVORS)
        wrong = error.code == "1"
        what = "the cloud does not accept the credentials" if wrong else "the cloud refused to say its quota"
        raise CouldNotRun(said(where, what, error, CREDENTIALS if wrong else AGAIN)) from None
    except errors.OutscaleError as error:
        _require_region(infrastructure, error)
        raise CouldNotRun(said(where, "the cloud could not be asked for its quota", error, AGAIN)) from None
    return Room(left=left, flavor_form=OUTSCALE_FLAVORS)


def _require_region(infrastructure: Outscale, error: Exception) -> None:
    """Raise CouldNotRun for a region nobody has heard of: its API has no address, the region being part of the name."""
    from ..policy.register import builtin

    register = builtin()
    known = sorted({name for row in register.data.regions if row.provider == "outscale" for name in row.ids})
    if not infrastructure.endpoint and infrastructure.region not in known:
        raise WrongSetting(
            "region",
            f"Outscale has no region {infrastructure.region!r} that answers.\n"
            f"  There is (as of {register.as_of}): {', '.join(known)}.\n  {error}\n  {REGION}",
        ) from None


def left_of(answer: Mapping[str, Any]) -> dict[str, Left]:
    """The answer of ReadQuotas as quota; a maximum of 0 means that there is none."""
    left = {}
    for kind in answer.get("QuotaTypes") or ():
        for quota in kind.get("Quotas") or () if kind.get("QuotaType") == "global" else ():
            name = _COUNTED.get(str(quota.get("Name")))
            if name:
                factor = 1024 if name == "memory MiB" else 1
                limit = int(quota.get("MaxValue") or 0) * factor
                left[name] = Left(limit or None, int(quota.get("UsedValue") or 0) * factor)
    return left
