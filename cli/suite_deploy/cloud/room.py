# SPDX-License-Identifier: MIT
"""Asks a cloud for its flavors and for what is left of the quota. Reads only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from ..model.outputs import Progress
from ..model.suite import Cloud, OpenStack, Outscale, Ovh
from ..paths import share_import
from .credentials import Credentials
from .failures import innermost
from .need import Size
from .ovhapi import Interface

#: OVHcloud's sign-in for the public cloud, by the company of the account; source: OVHcloud's guides
OVH_AUTH = {
    "ovh-eu": "https://auth.cloud.ovh.net/v3",
    "ovh-ca": "https://auth.cloud.ovh.net/v3",
    "ovh-us": "https://auth.cloud.ovh.us/v3",
}
#: seconds that a region gets to open, and between two looks at it
PATIENCE, PAUSE = 600.0, 10.0
#: Outscale's flavors say their size in their name, so its list is not asked for. Source:
#: https://docs.outscale.com/en/userguide/3DS-OUTSCALE-Offering-Refinements-(API-Behavior).html
OUTSCALE_FLAVORS = "tinavG.cCrMpP (G: generation, C: cores, M: GiB of memory, P: performance), like tinav6.c4r16p2"
#: Outscale's own addresses name their region
_OUTSCALE_HOST = re.compile(r"^[a-z]+\.([a-z0-9-]+)\.outscale\.com$")
#: name of a quota at Outscale → what it counts. Source: ReadQuotas, as Outscale's own tests of it list them.
_OUTSCALE = {
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


@dataclass(frozen=True)
class Left:
    """What a quota allows and what is in use. limit: None when there is none."""

    limit: int | None
    used: int

    @property
    def free(self) -> int | None:
        """What may still be taken; None: as much as wanted."""
        return None if self.limit is None else max(self.limit - self.used, 0)


@dataclass(frozen=True)
class Room:
    """What a cloud has.

    flavors: by name and by id. left: what is counted → quota. silent: why something is absent. flavor_form: how a
    flavor is written at a cloud that is not asked for its list. closed: whether the project has yet to open the region,
    so that nobody can say what it has.
    """

    flavors: Mapping[str, Size] = field(default_factory=dict)
    left: Mapping[str, Left] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    flavor_form: str = ""
    closed: bool = False

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Every flavor once, the smallest first."""
        return tuple(sorted(set(self.flavors.values()), key=lambda size: (size.vcpus, size.memory_mib, size.name)))


def auth_url(infrastructure: Cloud) -> str:
    """Where this cloud signs people in."""
    if isinstance(infrastructure, OpenStack):
        return infrastructure.auth_url
    if isinstance(infrastructure, Ovh):
        return OVH_AUTH[infrastructure.endpoint]
    assert isinstance(infrastructure, Outscale)
    return infrastructure.endpoint or f"https://api.{infrastructure.region}.outscale.com/api/v1"


def ask(deployment: Deployment, credentials: Credentials) -> Room:
    """Flavors and quota of the cloud. Raises CouldNotRun for credentials refused, a region unknown, no answer."""
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Cloud)
    if isinstance(infrastructure, Outscale):
        return _outscale(infrastructure, credentials)
    if isinstance(infrastructure, Ovh):
        return _ovh(infrastructure, credentials)
    return _openstack(infrastructure, credentials)


def connect(infrastructure: Cloud, credentials: Credentials) -> Any:
    """A client of an OpenStack cloud that takes nothing from the environment or from files."""
    import openstack

    auth = {
        name.removeprefix("OS_").lower(): value
        for name, value in credentials.variables.items()
        if name.startswith("OS_") and name != "OS_CACERT"
    }
    kind = "v3token" if "token" in auth else "v3password"
    if "application_credential_secret" in auth:
        kind = "v3applicationcredential"
        # it brings its project along, and the sign-in refuses another
        auth = {name: value for name, value in auth.items() if not name.startswith("project")}
    if "username" in auth and "user_domain_id" not in auth:
        auth.setdefault("user_domain_name", "Default")
    if kind == "v3password":
        if "project_id" not in auth and "project_domain_id" not in auth:
            auth.setdefault("project_domain_name", "Default")
    overrides: dict[str, Any] = {
        f"{service.replace('-', '_')}_endpoint_override": url for service, url in infrastructure.endpoints.items()
    }
    return openstack.connect(
        auth_type=kind,
        auth={"auth_url": auth_url(infrastructure), **auth},
        region_name=infrastructure.region,
        cacert=credentials.variables.get("OS_CACERT"),
        load_envvars=False,
        load_yaml_config=False,
        **overrides,
    )


def own_interface(infrastructure: Ovh, credentials: Credentials) -> Interface:
    """OVHcloud's own interface, besides OpenStack's."""
    return Interface(infrastructure.endpoint, infrastructure.project, credentials.variables)


def is_open(own: Interface, region: str) -> bool:
    """Whether a region is open for the project. Raises CouldNotRun for one that it cannot open either."""
    opened = own.regions()
    if region in opened:
        return True
    closed = own.closed_regions()
    if region not in closed:
        raise CouldNotRun(
            f"infrastructure.region: OVHcloud has no region {region!r} for this project.\n"
            f"  Open: {', '.join(sorted(opened)) or 'none'}. It may open: {', '.join(sorted(closed)) or 'none'}.\n"
            f"  {_REGION}"
        )
    return False


def vrack_of(own: Interface) -> str:
    """The vRack that the project's private network is made on. Raises CouldNotRun when it is attached to none."""
    found = own.vrack()
    if found is None:
        raise CouldNotRun(
            "infrastructure.project: the project is attached to no vRack, and its private network would be on one.\n"
            "  Nothing was created. OVHcloud's console makes a vRack, free of charge, and attaches the project to it."
        )
    return found


def _ovh(infrastructure: Ovh, credentials: Credentials) -> Room:
    own, region = own_interface(infrastructure, credentials), infrastructure.region
    opened = is_open(own, region)
    vrack_of(own)
    if not opened:
        listed_regions(infrastructure, credentials)
        return Room(silent=(f"flavors and quota: the project has yet to open the region {region}",), closed=True)
    found = _openstack(infrastructure, credentials, _JUST_OPENED)
    try:
        gateways = own.gateways(region)
    except CouldNotRun as error:
        return replace(found, silent=(*found.silent, f"quota of gateways: {' '.join(str(error).split())}"))
    if gateways is None:
        return replace(found, silent=(*found.silent, "quota of gateways"))
    return replace(found, left={**found.left, "gateways": _limit(*gateways)})


def wait_until_open(infrastructure: Ovh, credentials: Credentials, progress: Progress) -> None:
    """Wait until a region that was just opened works and OpenStack lists it. Raises CouldNotRun after PATIENCE."""
    own, region, end = own_interface(infrastructure, credentials), infrastructure.region, time.monotonic() + PATIENCE
    while not (own.is_up(region) and region in listed_regions(infrastructure, credentials)):
        if time.monotonic() + PAUSE > end:
            raise CouldNotRun(
                f"the region {region} was opened, and does not work yet after {PATIENCE / 60:.0f} minutes.\n"
                "  Nothing else was made. Run the same command again later: it goes on from there."
            )
        progress(f"waiting for the region {region}")
        time.sleep(PAUSE)


def listed_regions(infrastructure: Cloud, credentials: Credentials) -> list[str]:
    """Sign in, and what OpenStack's catalogue has for the account. Raises CouldNotRun."""
    with explained(infrastructure, "the cloud could not be asked for its regions"):
        return _catalogue(connect(infrastructure, credentials))


def _openstack(infrastructure: Cloud, credentials: Credentials, hint: str = "") -> Room:
    silent: list[str] = []
    with explained(infrastructure, "the cloud could not be asked for its quota"):
        cloud = connect(infrastructure, credentials)
        _require_region(cloud, infrastructure.region, hint or _REGION)
        flavors: dict[str, Size] = {}
        for item in cloud.compute.flavors():
            size = Size(str(item.name), int(item.vcpus), int(item.ram))
            flavors |= {str(item.name): size, str(item.id): size}
        left = _compute(cloud.compute.get_limits().absolute)
        left |= _maybe("volumes", silent, lambda: _volumes(cloud.block_storage.get_limits().absolute))
        left |= _maybe("networks", silent, lambda: _networks(cloud))
    return Room(flavors, left, tuple(silent))


@contextmanager
def explained(infrastructure: Cloud, otherwise: str) -> Iterator[None]:
    """What OpenStack's client raises, as CouldNotRun. otherwise: what to say of a failure of no kind of its own."""
    from keystoneauth1 import exceptions as refused
    from openstack import exceptions as failed

    where = f"{auth_url(infrastructure)}, region {infrastructure.region}"
    try:
        yield
    except refused.Unauthorized as error:
        raise CouldNotRun(_said(where, "the cloud does not accept the credentials", error, _CREDENTIALS)) from None
    except refused.EndpointNotFound as error:
        raise CouldNotRun(_said(where, "the cloud has no such region for this account", error, _REGION)) from None
    except refused.ConnectFailure as error:
        raise CouldNotRun(_said(where, "the cloud does not answer", error, _AGAIN)) from None
    except (refused.ClientException, failed.SDKException) as error:
        raise CouldNotRun(_said(where, otherwise, error, "")) from None


_CREDENTIALS = "What is used, without its values: suite-deploy doctor NAME"
_REGION = "Compare infrastructure.region with the cloud's own list; regions are case-sensitive."
_AGAIN = "Nothing was touched. Run the same command again once it answers; see suite-deploy doctor NAME."
_JUST_OPENED = "The project has opened it, so OpenStack will list it soon: run the same command again in a few minutes."


def _said(where: str, what: str, error: Exception, step: str) -> str:
    text = str(error).strip().splitlines()
    return "\n".join(
        f"  {line}" if index else line
        for index, line in enumerate(
            filter(None, [f"{where}: {what}", innermost(text[0]) if text else type(error).__name__, step])
        )
    )


def _require_region(cloud: Any, region: str, step: str) -> None:
    """Raise CouldNotRun when the account's catalogue does not have the region, naming those it has."""
    regions = _catalogue(cloud)
    if regions and region not in regions:
        raise CouldNotRun(
            f"infrastructure.region: the cloud has no region {region!r} for this account.\n"
            f"  There is: {', '.join(regions)}.\n  {step}"
        )


def _catalogue(cloud: Any) -> list[str]:
    """The regions in the catalogue that comes with signing in."""
    catalogue = cloud.session.auth.get_access(cloud.session).service_catalog.catalog
    return sorted({str(point.get("region")) for entry in catalogue for point in entry.get("endpoints", ())})


def _maybe(what: str, silent: list[str], read: Callable[[], dict[str, Left]]) -> dict[str, Left]:
    """A part of the quota that some clouds do not show."""
    from keystoneauth1 import exceptions as refused
    from openstack import exceptions as failed

    try:
        return read()
    except (refused.ClientException, failed.SDKException) as error:
        silent.append(f"quota of {what}: {str(error).strip().splitlines()[0]}")
        return {}


def _limit(limit: Any, used: Any) -> Left:
    return Left(None if limit is None or int(limit) < 0 else int(limit), int(used or 0))


def _compute(found: Any) -> dict[str, Left]:
    return {
        "hosts": _limit(found.instances, found.instances_used),
        "vCPU": _limit(found.total_cores, found.total_cores_used),
        "memory MiB": _limit(found.total_ram, found.total_ram_used),
        "groups of separate hosts": _limit(found.server_groups, found.server_groups_used),
    }


def _volumes(found: Any) -> dict[str, Left]:
    return {
        "volumes": _limit(found.max_total_volumes, found.total_volumes_used),
        "volume GiB": _limit(found.max_total_volume_gigabytes, found.total_gigabytes_used),
    }


def _networks(cloud: Any) -> dict[str, Left]:
    found = cloud.network.get_quota(cloud.current_project_id, details=True)
    names = {
        "public addresses": found.floating_ips,
        "networks": found.networks,
        "subnets": found.subnets,
        "routers": found.routers,
        "ports": found.ports,
        "security groups": found.security_groups,
        "firewall rules": found.security_group_rules,
    }
    return {
        name: _limit(item.get("limit"), int(item.get("used") or 0) + int(item.get("reserved") or 0))
        for name, item in names.items()
        if isinstance(item, Mapping)
    }


def _outscale(infrastructure: Outscale, credentials: Credentials) -> Room:
    errors = share_import("stacks.outscale.providers.errors")
    keys = share_import("stacks.outscale.providers.credentials").Keys(
        credentials.variables["OSC_ACCESS_KEY"],
        credentials.variables["OSC_SECRET_KEY"],
        credentials.variables.get("OSC_X509_CLIENT_CERT"),
    )
    endpoint = auth_url(infrastructure)
    where = f"{endpoint}, region {infrastructure.region}"
    named = _OUTSCALE_HOST.match(urlsplit(endpoint).hostname or "")
    if named and named[1] != infrastructure.region:
        raise CouldNotRun(
            f"infrastructure.endpoint: {endpoint} is of the region {named[1]}, and infrastructure.region says"
            f" {infrastructure.region!r}.\n  Leave `endpoint` out, or write both of the same region."
        )
    client = share_import("stacks.outscale.providers.client").Client(infrastructure.region, endpoint, keys)
    try:
        left = outscale_left(client.read("ReadQuotas", Filters={"QuotaTypes": ["global"]}))
    except errors.ApiError as error:
        if error.is_denied:
            return Room(silent=(f"quota: {error}",), flavor_form=OUTSCALE_FLAVORS)
        wrong = error.code == "1"
        what = "the cloud does not accept the credentials" if wrong else "the cloud refused to say its quota"
        raise CouldNotRun(_said(where, what, error, _CREDENTIALS if wrong else _AGAIN)) from None
    except errors.OutscaleError as error:
        _require_outscale_region(infrastructure, error)
        raise CouldNotRun(_said(where, "the cloud could not be asked for its quota", error, _AGAIN)) from None
    return Room(left=left, flavor_form=OUTSCALE_FLAVORS)


def _require_outscale_region(infrastructure: Outscale, error: Exception) -> None:
    """Raise CouldNotRun for a region nobody has heard of: its API has no address, the region being part of the name."""
    from ..policy.register import builtin

    register = builtin()
    known = sorted({name for row in register.data.regions if row.provider == "outscale" for name in row.ids})
    if not infrastructure.endpoint and infrastructure.region not in known:
        raise CouldNotRun(
            f"infrastructure.region: Outscale has no region {infrastructure.region!r} that answers.\n"
            f"  There is (as of {register.as_of}): {', '.join(known)}.\n  {error}\n  {_REGION}"
        ) from None


def outscale_left(answer: Mapping[str, Any]) -> dict[str, Left]:
    """The answer of ReadQuotas as quota; a maximum of 0 means that there is none."""
    left = {}
    for kind in answer.get("QuotaTypes") or ():
        for quota in kind.get("Quotas") or () if kind.get("QuotaType") == "global" else ():
            name = _OUTSCALE.get(str(quota.get("Name")))
            if name:
                factor = 1024 if name == "memory MiB" else 1
                limit = int(quota.get("MaxValue") or 0) * factor
                left[name] = Left(limit or None, int(quota.get("UsedValue") or 0) * factor)
    return left
