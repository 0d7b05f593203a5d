# SPDX-License-Identifier: MIT
"""What an OpenStack cloud has, through its own client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import CouldNotRun
from ..model.provider import OsImage
from ..model.suite import Cloud
from .credentials import Credentials
from .need import Size, disk_of_image
from .room import AGAIN, CREDENTIALS, REGION, Left, Room, WrongSetting, said

T = TypeVar("T")
_SIGN_IN = "the cloud could not be signed in to"
_SOMETHING_ELSE = "Look at the address; a proxy or a portal on the way may have answered in its place."


def ask(infrastructure: Cloud, credentials: Credentials, hint: str = REGION) -> Room:
    """Flavors, types of volumes, zones and quota. hint: next step where the region is unknown. Raises CouldNotRun."""
    silent: list[str] = []
    with explained(infrastructure, _SIGN_IN):
        cloud = connect(infrastructure, credentials)
        _require_region(cloud, infrastructure.region, hint)
    with explained(infrastructure, "the cloud could not be asked for its quota"):
        flavors: dict[str, Size] = {}
        for item in cloud.compute.flavors():
            size = Size(str(item.name), int(item.vcpus), int(item.ram))
            flavors |= {str(item.name): size, str(item.id): size}
        left = _compute(cloud.compute.get_limits().absolute)
        left |= _maybe("quota of volumes", silent, lambda: _volumes(cloud.block_storage.get_limits().absolute)) or {}
        left |= _maybe("quota of networks", silent, lambda: _networks(cloud)) or {}
        types = _maybe("types of volumes", silent, lambda: _types(cloud.block_storage.types()))
        host_zones = _maybe("zones of hosts", silent, lambda: _zones(cloud.compute.availability_zones()))
        volume_zones = _maybe("zones of volumes", silent, lambda: _zones(cloud.block_storage.availability_zones()))
        gib = _maybe("size of the system image", silent, lambda: _image_gib(cloud, infrastructure.image))
    return Room(
        flavors,
        left,
        tuple(silent),
        volume_types=types or None,
        host_zones=host_zones or None,
        volume_zones=volume_zones or None,
        image_gib=gib or 0,
        project=str(cloud.current_project_id or ""),
    )


def _image_gib(cloud: Any, image: OsImage | None) -> int:
    """Of a name the image that the engine's provider takes, which is the newest; 0 where the cloud has none of it yet.

    Source: mostRecentImage in https://github.com/terraform-provider-openstack/terraform-provider-openstack
    """
    found = None
    if image and image.id:
        found = cloud.image.get_image(image.id)
    elif image and image.name:
        named = cloud.image.images(name=image.name, status="active")
        found = max(named, key=lambda item: str(item.created_at or ""), default=None)
    if found is None:
        return 0
    return disk_of_image(found.min_disk, found.virtual_size or (found.size if found.disk_format == "raw" else 0))


def _types(found: Iterable[Any]) -> dict[str, str]:
    return {str(key): str(item.name) for item in found for key in (item.name, item.id)}


def _zones(found: Iterable[Any]) -> frozenset[str]:
    """Also those out of order just now: what lies in one already stays in the inventory."""
    return frozenset(str(item.name) for item in found)


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
    if kind == "v3password" and "project_id" not in auth and "project_domain_id" not in auth:
        auth.setdefault("project_domain_name", "Default")
    overrides: dict[str, Any] = {
        f"{service.replace('-', '_')}_endpoint_override": url for service, url in infrastructure.endpoints.items()
    }
    return openstack.connect(
        auth_type=kind,
        auth={"auth_url": infrastructure.sign_in, **auth},
        region_name=infrastructure.region,
        cacert=credentials.variables.get("OS_CACERT"),
        load_envvars=False,
        load_yaml_config=False,
        **overrides,
    )


def project_of(infrastructure: Cloud, credentials: Credentials) -> str:
    """Sign in; the identifier of the project that the credentials are of. Raises CouldNotRun."""
    with explained(infrastructure, _SIGN_IN):
        return str(connect(infrastructure, credentials).current_project_id or "")


def listed_regions(infrastructure: Cloud, credentials: Credentials) -> list[str]:
    """Sign in, and what OpenStack's catalogue has for the account. Raises CouldNotRun."""
    with explained(infrastructure, _SIGN_IN):
        return _catalogue(connect(infrastructure, credentials))


@contextmanager
def explained(infrastructure: Cloud, otherwise: str) -> Iterator[None]:
    """What OpenStack's client raises, as CouldNotRun. otherwise: what to say of a failure of no kind of its own."""
    from keystoneauth1 import exceptions as refused
    from openstack import exceptions as failed

    where = f"{infrastructure.sign_in}, region {infrastructure.region}"
    try:
        yield
    except refused.Unauthorized as error:
        raise CouldNotRun(said(where, "the cloud does not accept the credentials", error, CREDENTIALS)) from None
    except refused.EndpointNotFound as error:
        raise CouldNotRun(said(where, "the cloud has no such region for this account", error, REGION)) from None
    except refused.ConnectFailure as error:
        raise CouldNotRun(said(where, "the cloud does not answer", error, AGAIN)) from None
    except refused.InvalidResponse as error:
        raise CouldNotRun(said(where, "what answers there is no OpenStack", error, _SOMETHING_ELSE)) from None
    except (refused.ClientException, failed.SDKException) as error:
        # What the cloud says is our fault stays so.
        step = CREDENTIALS if isinstance(error, refused.HTTPClientError) else AGAIN
        raise CouldNotRun(said(where, otherwise, error, step)) from None


def _require_region(cloud: Any, region: str, step: str) -> None:
    """Raise CouldNotRun when the account's catalogue does not have the region, naming those it has."""
    regions = _catalogue(cloud)
    if regions and region not in regions:
        raise WrongSetting(
            "region",
            f"the cloud has no region {region!r} for this account.\n  There is: {', '.join(regions)}.\n  {step}",
        )


def _catalogue(cloud: Any) -> list[str]:
    """The regions in the catalogue that comes with signing in."""
    catalogue = cloud.session.auth.get_access(cloud.session).service_catalog.catalog
    return sorted({str(point.get("region")) for entry in catalogue for point in entry.get("endpoints", ())})


def _maybe(what: str, silent: list[str], read: Callable[[], T]) -> T | None:
    """Something that some clouds do not show; None, and why in `silent`, where it is not."""
    from keystoneauth1 import exceptions as refused
    from openstack import exceptions as failed

    try:
        return read()
    except (refused.ClientException, failed.SDKException) as error:
        silent.append(f"{what}: {(str(error).strip().splitlines() or [type(error).__name__])[0]}")
        return None


def limit(limit: Any, used: Any) -> Left:
    """One line of a quota as clouds write it: a negative limit is none."""
    return Left(None if limit is None or int(limit) < 0 else int(limit), int(used or 0))


def _compute(found: Any) -> dict[str, Left]:
    return {
        "hosts": limit(found.instances, found.instances_used),
        "vCPU": limit(found.total_cores, found.total_cores_used),
        "memory MiB": limit(found.total_ram, found.total_ram_used),
        "groups of separate hosts": limit(found.server_groups, found.server_groups_used),
    }


def _volumes(found: Any) -> dict[str, Left]:
    return {
        "volumes": limit(found.max_total_volumes, found.total_volumes_used),
        "volume GiB": limit(found.max_total_volume_gigabytes, found.total_gigabytes_used),
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
        name: limit(item.get("limit"), int(item.get("used") or 0) + int(item.get("reserved") or 0))
        for name, item in names.items()
        if isinstance(item, Mapping)
    }
