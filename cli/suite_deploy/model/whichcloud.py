# SPDX-License-Identifier: MIT
"""Which cloud a suite lies on: the same name of a suite on another cloud is another suite, and shares its state.

Removing or changing hosts with another cloud's address would forget the first cloud's and leave them running there.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from ..errors import Problem
from .suite import Cloud, OpenStack, Outscale, Ovh

if TYPE_CHECKING:
    from .deployment import Deployment

#: first word of the keys, also where the record keeps them
SECTION = "infrastructure"
DRIVER = f"{SECTION}.driver"
#: identifier of the project that the credentials are of; no key of the inventory, and only a cloud can say it
PROJECT = "credentials.project"
#: the same among what a driver tells of what it made
PROJECT_FACT = "credentials_project"
#: what is compared as an address: the same place may be written in several ways
_ADDRESSES = {f"{SECTION}.auth_url", f"{SECTION}.endpoint"}
#: drivers whose hosts lie on a cloud
_CLOUDS = {get_args(kind.model_fields["driver"].annotation)[0] for kind in (OpenStack, Ovh, Outscale)}


def cloud_of(deployment: Deployment) -> dict[str, str]:
    """Dotted key → value, of what says which cloud this is; empty where hosts are made or given elsewhere."""
    infrastructure = deployment.suite.infrastructure
    if not isinstance(infrastructure, Cloud):
        return {}
    found = {DRIVER: deployment.driver, f"{SECTION}.region": infrastructure.region}
    if isinstance(infrastructure, OpenStack):
        found[f"{SECTION}.auth_url"] = infrastructure.sign_in
    elif isinstance(infrastructure, Ovh):
        found |= {f"{SECTION}.endpoint": infrastructure.endpoint, f"{SECTION}.project": infrastructure.project}
    elif isinstance(infrastructure, Outscale):
        found[f"{SECTION}.endpoint"] = infrastructure.sign_in
    return found


def cloud_of_outputs(driver: str, facts: Mapping[str, str]) -> dict[str, str]:
    """The same of what a driver made, as its outputs tell of it; empty for hosts that lie on no cloud."""
    if driver not in _CLOUDS:
        return {}
    # OVHcloud's sign-in address is no key of the inventory: two of its companies share one.
    named = {"region", "project", "endpoint", *(("auth_url",) if driver == "openstack" else ())}
    found = {DRIVER: driver} | {f"{SECTION}.{name}": str(facts[name]) for name in sorted(named & facts.keys())}
    return found | ({PROJECT: str(facts[PROJECT_FACT])} if PROJECT_FACT in facts else {})


def other_cloud(deployment: Deployment, recorded: Mapping[str, str], record: Path) -> list[Problem]:
    """Problems for what contradicts the cloud this suite was made on; none where nothing is recorded.

    recorded: as `cloud_of` gives it, other keys are passed over. record: the file that overrules what else is known.
    """
    wanted = cloud_of(deployment) or {DRIVER: deployment.driver}
    different = [key for key, value in wanted.items() if key in recorded and not _same(key, value, recorded[key])]
    if DRIVER in different:
        different = [DRIVER]
    if f"{SECTION}.region" in different and not getattr(deployment.suite.infrastructure, "endpoint", None):
        # derived from the region: no difference of its own
        different = [key for key in different if key != f"{SECTION}.endpoint"]
    return [_problem(deployment, key, wanted[key], recorded[key], record) for key in different]


def _problem(deployment: Deployment, key: str, value: str, known: str, record: Path) -> Problem:
    path: tuple[Hashable, ...] = tuple(key.split("."))
    where = deployment.place(*path)
    found = (
        f"{value!r}, but the suite {deployment.suite.suite!r} lies on a cloud with {known!r}, where its hosts and data"
        " would be forgotten."
    )
    step = (
        f"For another suite, choose another name in `suite`. To move this one, put {known!r} back and remove it there:"
        f" suite-deploy destroy {deployment.given} --with-data"
    )
    if key in _ADDRESSES:
        step += f"\n  If the same cloud has a new address, write it as {key!r} in {record}."
    return Problem(where.file, where.line, key, found, "", step)


def _same(key: str, one: str, other: str) -> bool:
    return _address(one) == _address(other) if key in _ADDRESSES else one == other


def _address(value: str) -> tuple[str, ...]:
    """A URL without what may be written or left out; a plain word is itself."""
    try:
        parts = urlsplit(value)
        written = parts.port
    except ValueError:
        # of a record that was edited by hand
        return (value,)
    if not parts.hostname:
        return (value,)
    port = written or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return (parts.scheme, parts.hostname, str(port), parts.path.rstrip("/").removesuffix("/v3").rstrip("/"))
