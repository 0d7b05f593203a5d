# SPDX-License-Identifier: MIT
"""What rules judge: the inventory as written, what was rendered, ambient settings, a day, a register, a profile.

Small and explicit, so that a case can be a few lines of suite.yml or of a rendered file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..model.values import OUTSCALE_API, OVH_AUTH
from .hosts import host_of
from .profiles import Profile
from .register import Register
from .register_schema import Confidence, Duty, Offer, Region, weakest

if TYPE_CHECKING:
    from .waivers import WaiverUse

#: the Keystone behind each interface of OVHcloud's Public Cloud
_OVH_AUTH_HOSTS = {endpoint: host_of(url) for endpoint, url in OVH_AUTH.items()}


@dataclass(frozen=True)
class ImageUse:
    """One container image as it stands in a unit. owner: `service backend`, `job migrate`."""

    owner: str
    #: registry/name[:tag][@digest] exactly as rendered; empty when the component is skipped
    reference: str
    #: whether images.lock.yml has an entry with this digest; None: no lock there is
    locked: bool | None = None


@dataclass(frozen=True)
class LeakKey:
    """A setting that must hold the wanted value. `where`: `file:<name>` or `env:<service>`."""

    id: str
    where: str
    key: str
    value: Any
    why: str = ""


@dataclass(frozen=True)
class ComponentView:
    """A component as declared and as rendered."""

    slug: str
    title: str = ""
    provides: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    egress: tuple[str, ...] = ()
    leaks: tuple[LeakKey, ...] = ()
    #: name in component.yml → rendered text
    files: Mapping[str, str] = field(default_factory=dict)
    #: service or job → variable → value
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    images: tuple[ImageUse, ...] = ()
    #: services that share the host's network instead of the component's own
    host_network: tuple[str, ...] = ()
    #: raw ports open to everyone: `tcp/7881`
    public_ports: tuple[str, ...] = ()
    needs_bucket: bool = False
    #: hosts its options name (peers, server names), which the operator declared by setting them
    declared_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """What is known once every other rule was judged."""

    waivers: tuple[WaiverUse, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    #: rules that need the State's derogation record to be waived in this profile
    derogation_only: frozenset[str] = frozenset()


def _nowhere(_key: tuple[str, ...]) -> tuple[str, int]:
    return "", 0


@dataclass(frozen=True)
class Subject:
    """Everything a rule may look at."""

    name: str
    #: suite.yml as written, after `extends`; keys nobody wrote are absent
    document: Mapping[str, Any]
    register: Register
    profile: Profile
    on: date
    components: tuple[ComponentView, ...] = ()
    #: texts of the edge and of the portal, which belong to no component: path → text
    shared_files: Mapping[str, str] = field(default_factory=dict)
    #: where a setting was found → its value; see ambient.py
    ambient: Mapping[str, str] = field(default_factory=dict)
    public_names: tuple[str, ...] = ()
    #: hosts that suite.yml does not write and that derive from `users`: name → `groups`, `public`, `volumes`
    derived_hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: key of suite.yml → (file, line)
    locate: Callable[[tuple[str, ...]], tuple[str, int]] = field(default=_nowhere, repr=False)
    #: only rules that judge the run itself read it
    run: RunFacts = RunFacts()

    def get(self, key: str, default: Any = None) -> Any:
        """The value at a dotted key of suite.yml, `default` when it was not written."""
        current: Any = self.document
        for part in key.split("."):
            if not isinstance(current, Mapping) or part not in current:
                return default
            current = current[part]
        return default if current is None else current

    @cached_property
    def hosts(self) -> Mapping[str, Mapping[str, Any]]:
        """Every host there will be, by name: as written, else as derived. Found at `infrastructure.hosts` either way,
        so that a waiver of a finding does not depend on who chose the sizes."""
        written: Mapping[str, Mapping[str, Any]] = self.get("infrastructure.hosts", {})
        return written or self.derived_hosts

    @property
    def has_data_volumes(self) -> bool:
        """Whether a provider makes data volumes for a host."""
        return self.is_cloud and any(host.get("volumes") for host in self.hosts.values())

    @cached_property
    def driver(self) -> str:
        """local, existing, openstack, ovh or outscale."""
        return str(self.get("infrastructure.driver", "local"))

    @property
    def is_local(self) -> bool:
        """Hosts on this machine: no provider to judge."""
        return self.driver == "local"

    @property
    def is_cloud(self) -> bool:
        """Whether a provider's interface creates the hosts."""
        return self.driver in ("openstack", "ovh", "outscale")

    @cached_property
    def offer(self) -> str | None:
        """The offer's key as written."""
        value = self.get("infrastructure.offer")
        return str(value) if value else None

    @cached_property
    def region(self) -> str | None:
        """The region id as written."""
        value = self.get("infrastructure.region")
        return str(value) if value else None

    @cached_property
    def provider(self) -> str | None:
        """The provider behind the offer."""
        return self.register.provider(self.offer) if self.offer else None

    @cached_property
    def auth_host(self) -> str | None:
        """The host that signs the driver in; derived where the inventory need not name it."""
        if self.driver == "openstack":
            return host_of(str(self.get("infrastructure.auth_url", "")))
        if self.driver == "ovh":
            return _OVH_AUTH_HOSTS.get(str(self.get("infrastructure.endpoint", "ovh-eu")))
        if self.driver == "outscale":
            written = self.get("infrastructure.endpoint")
            derived = OUTSCALE_API.format(region=self.region) if self.region else ""
            return host_of(str(written or derived))
        return None

    @cached_property
    def region_row(self) -> Region | None:
        """The register's row of the declared region at the offer's provider, exact id."""
        if not self.region:
            return None
        if self.provider:
            rows = self.register.find_regions(self.region, provider=self.provider)
        else:
            rows = self.register.find_regions(self.region, auth_host=self.auth_host) if self.auth_host else []
        named = [row for row in rows if self.auth_host and self.register.has_auth_host(row, self.auth_host)]
        return next(iter(named or rows), None)

    @cached_property
    def offer_regions(self) -> tuple[Region, ...]:
        """The regions the register links to the declared offer."""
        return self.register.regions_of(self.offer) if self.offer else ()

    @cached_property
    def duties(self) -> tuple[Duty, ...]:
        """The duties that bind this entity with this data on this day."""
        entity, sensitivity = self.get("data.entity"), self.get("data.sensitivity")
        return tuple(
            duty
            for duty in self.register.data.duties
            if entity in duty.entities and sensitivity in duty.sensitivity and duty.since <= self.on
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels that the profile requires here. Without a declared audience they are required: fail closed."""
        if not self.profile.label_by_duty or not self.get("data"):
            return self.profile.labels
        bound = {duty.label for duty in self.duties}
        return tuple(label for label in self.profile.labels if label in bound)

    @cached_property
    def labels_not_asked(self) -> tuple[tuple[str, str], ...]:
        """(label, legal reference) the profile knows and the law does not ask of this entity with this data."""
        reference = {duty.label: duty.reference for duty in self.register.data.duties}
        return tuple((name, reference.get(name, "")) for name in self.profile.labels if name not in self.labels)

    def decision(self, label: str) -> Offer | None:
        """The declared offer's row for a label on the day judged."""
        if label not in self._decisions:
            self._decisions[label] = self.register.decision(self.offer, label, self.on) if self.offer else None
        return self._decisions[label]

    @cached_property
    def _decisions(self) -> dict[str, Offer | None]:
        return {}

    @cached_property
    def confidence(self) -> Confidence:
        """The lowest of offer dates, offer↔region link and auth host: what the verdict stands on."""
        parts: list[Confidence] = []
        for label in self.labels:
            row = self.decision(label)
            if row and row.status == "qualified":
                parts.append(row.confidence.dates)
        if self.region_row:
            parts.append(self.region_row.link)
            if self.is_cloud:
                parts.append("C" if self.region_row.delivered else self.region_row.auth_confidence)
            elif not self.is_local:
                # hosts that exist are where the operator says they are
                parts.append("C")
        return weakest(*parts) if parts else "?"

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The operator's own evidence; empty when none was declared or a part is missing."""
        written = self.get("infrastructure.evidence", {})
        if not isinstance(written, Mapping):
            return {}
        return written if written.get("contract") and written.get("attestation_sha256") else {}
