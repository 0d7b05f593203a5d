# SPDX-License-Identifier: MIT
"""What is to be deployed, resolved once: frozen, everything known, secrets by reference only."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Problem
from .component import ComponentFile
from .provider import DnsSettings, ObjectStore
from .suite import Cloud, SuiteFile
from .values import Group, Size, in_zone
from .yamlfile import Place

if TYPE_CHECKING:
    from ..secrets.wanted import Kind, SecretWanted

UID_BASE = 1_000_000
UIDS_PER_COMPONENT = 65_536
LOOPBACK_PORT_BASE = 20_000
LOOPBACK_PORTS_PER_COMPONENT = 20
VALKEY_PORT_BASE = 6_400
POSTGRESQL_PORT = 5432


@dataclass(frozen=True)
class HostPlan:
    """A host wanted (clouds, local) or given (existing, then with its addresses).

    vcpus, memory_mib: the size it needs, where it was derived rather than written; 0 otherwise.
    """

    name: str
    groups: tuple[Group, ...]
    flavor: str | None = None
    volumes: Mapping[str, Size] = field(default_factory=dict)
    public: bool = False
    address: str | None = None
    private_address: str | None = None
    vcpus: int = 0
    memory_mib: int = 0


@dataclass(frozen=True)
class Component:
    """One enabled component: its description, the operator's options, and where it runs."""

    slug: str
    description: ComponentFile
    folder: Path
    options: Mapping[str, Any]
    hostname: str | None
    host: str
    #: parameters of the need that this instance serves; empty for components without instances
    need: Mapping[str, Any] = field(default_factory=dict)
    #: key of `hostnames` to full name
    hostnames: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str | None:
        """Public base URL without a trailing slash."""
        return f"https://{self.hostname}" if self.hostname else None

    @property
    def uid_base(self) -> int:
        """First host uid of this component's user namespace."""
        return UID_BASE + self.description.id_range * UIDS_PER_COMPONENT

    @property
    def valkey_port(self) -> int:
        """TCP port of this component's own valkey instance."""
        return VALKEY_PORT_BASE + self.description.id_range

    @property
    def stage(self) -> int:
        """When it starts: 0 the identity provider, 1 whoever provides another kind, 2 everyone else."""
        if "identity" in self.description.provides:
            return 0
        return 1 if self.description.provides else 2

    def loopback_port(self, service: str, container_port: int) -> int:
        """The port on the host's loopback that reaches `container_port` of `service`."""
        wanted = sorted(
            {
                (name, port)
                for name, item in self.description.services.items()
                for port in (item.port, item.probe.port if item.probe else None)
                if port
            }
        )
        if self.description.services[service].network == "host":
            return container_port
        offset = wanted.index((service, container_port))
        return LOOPBACK_PORT_BASE + self.description.id_range * LOOPBACK_PORTS_PER_COMPONENT + offset


@dataclass(frozen=True)
class Deployment:
    """Everything downstream reads. Nobody after the model opens the inventory or the environment again."""

    name: str
    #: how the operator named the inventory, for next steps to type
    given: str
    directory: Path
    files: tuple[Path, ...]
    suite: SuiteFile
    hosts: tuple[HostPlan, ...]
    components: Mapping[str, Component]
    state_dir: Path
    secrets_file: Path
    images_lock: Path
    waivers_file: Path
    #: key of the inventory → file and line it was written at
    places: Mapping[tuple[Hashable, ...], Place] = field(default_factory=dict, repr=False)
    #: values of the schema whose feature this version lacks: `check` shows them, `up` refuses
    not_in_this_version: tuple[Problem, ...] = ()

    @property
    def domain(self) -> str:
        """The suite's domain; the portal lives there."""
        return self.suite.domain

    @property
    def driver(self) -> str:
        """The infrastructure driver's name."""
        return self.suite.infrastructure.driver

    @property
    def is_local(self) -> bool:
        """Whether the hosts are made on this machine (the embedded default)."""
        return self.driver == "local"

    def place(self, *path: Hashable) -> Place:
        """Where a key of the inventory was written, or its nearest written parent."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(str(self.files[-1]) if self.files else self.name, 0)

    def hosts_in(self, group: Group) -> tuple[HostPlan, ...]:
        """Hosts of a group, in the inventory's order."""
        return tuple(host for host in self.hosts if group in host.groups)

    def host_of(self, group: Group) -> HostPlan:
        """The one host of edge, data or media; the first of apps."""
        return self.hosts_in(group)[0]

    @cached_property
    def ordered(self) -> tuple[Component, ...]:
        """Components in the order they start: whoever provides a kind before whoever needs it."""
        return tuple(sorted(self.components.values(), key=lambda item: (item.stage, item.description.id_range)))

    def provider_of(self, kind: str) -> Component | None:
        """The component that provides a kind (identity, homeserver …), if enabled."""
        for component in self.components.values():
            if kind in component.description.provides:
                return component
        return None

    def provider_for(self, component: Component, kind: str) -> Component | None:
        """Who provides a kind to this component: of several instances, the one that serves its need."""
        wanted = component.description.needs.parameters(kind)
        able = (item for item in self.components.values() if kind in item.description.provides)
        return next((item for item in able if not wanted or not item.need or item.need == wanted), None)

    def consumers_of(self, provider: Component) -> tuple[Component, ...]:
        """Whoever cannot do without this component, in starting order."""
        return tuple(
            item
            for item in self.ordered
            if any(self.provider_for(item, kind) is provider for kind in item.description.needs.kinds)
        )

    @property
    def object_store(self) -> ObjectStore | None:
        """The provider's object store, when the inventory names one instead of the suite's own."""
        return self.suite.infrastructure.object_store

    def container_subnet(self, component: Component) -> str:
        """The component's own /24 inside `network.containers`."""
        return str(list(self.container_network.subnets(new_prefix=24))[component.description.id_range])

    @property
    def container_network(self) -> ipaddress.IPv4Network:
        """The /16 all container networks are cut from."""
        return ipaddress.IPv4Network(self.suite.network.containers)

    @property
    def public_names(self) -> tuple[str, ...]:
        """Names that must resolve to edge, for users and for components."""
        names = [self.domain]
        for item in self.ordered:
            names += [item.hostname] if item.hostname else []
            names += item.hostnames.values()
        return tuple(dict.fromkeys(names))

    @property
    def dns(self) -> DnsSettings | None:
        """The zone of the provider's DNS that names are published in, when the inventory names one."""
        found: DnsSettings | None = getattr(self.suite.infrastructure, "dns", None)
        return found

    @property
    def zone_names(self) -> tuple[str, ...]:
        """Public names that lie in that zone: the others are for the operator to publish."""
        zone = self.dns.zone if self.dns else None
        return tuple(name for name in self.public_names if zone and in_zone(name, zone))

    @property
    def data_names(self) -> tuple[str, ...]:
        """Names of the data services, known inside the suite only."""
        return (self.postgresql_name, self.valkey_name)

    @property
    def postgresql_name(self) -> str:
        return f"postgresql.{self.domain}"

    @property
    def valkey_name(self) -> str:
        return f"valkey.{self.domain}"

    def without(self, slugs: Iterable[str]) -> Deployment:
        """The same deployment with components left out (skipped because their image cannot be had)."""
        gone = set(slugs)
        return replace(self, components={slug: item for slug, item in self.components.items() if slug not in gone})

    @cached_property
    def stack_secrets(self) -> tuple[str, ...]:
        """Secrets that the infrastructure makes: keys of the provider's object store, where a stack makes buckets."""
        infrastructure = self.suite.infrastructure
        if self.object_store is None or not (isinstance(infrastructure, Cloud) and infrastructure.makes_bucket_keys):
            return ()
        slugs = [item.slug for item in self.ordered if item.description.needs.bucket]
        return tuple(f"{slug}.{name}" for slug in slugs for name in ("bucket", "bucket_access_key"))

    @cached_property
    def secrets_wanted(self) -> tuple[SecretWanted, ...]:
        """Every secret this deployment needs, as `SecretWanted(name, kind, purpose)`."""
        from ..secrets.wanted import SecretWanted, authority_wanted

        authority = authority_wanted(self.suite.suite, self.domain, self.public_names)
        return (*authority, *(SecretWanted(name, kind, purpose) for name, kind, purpose in _secrets(self)))


def _secrets(deployment: Deployment) -> Iterable[tuple[str, Kind, str]]:
    if deployment.suite.tls.issuer == "provided":
        yield "suite.tls_key", "supplied", "private key of the provided certificate"
    if deployment.suite.mail and deployment.suite.mail.user:
        yield "suite.smtp_password", "supplied", "password of the mail relay"
    if isinstance(deployment.suite.infrastructure, Cloud) and deployment.suite.secrets_provider == "passphrase":
        yield "suite.engine_passphrase", "password", "encrypts what is secret in the engine's state"
    for component in deployment.ordered:
        slug, needs = component.slug, component.description.needs
        if needs.postgresql:
            yield f"{slug}.postgresql", "password", f"database password of {component.description.title}"
        if needs.valkey:
            yield f"{slug}.valkey", "password", f"cache password of {component.description.title}"
        if needs.oidc_client:
            yield f"{slug}.oidc", "password", f"sign-in client secret of {component.description.title}"
        if needs.bucket and not deployment.object_store:
            yield f"{slug}.bucket", "password", f"object store key of {component.description.title}"
        elif needs.bucket and not deployment.stack_secrets:
            yield f"{slug}.bucket", "supplied", f"object store key of {component.description.title}"
            yield f"{slug}.bucket_access_key", "supplied", f"object store account of {component.description.title}"
        for name, secret in component.description.secrets.items():
            if secret.dev_only and deployment.suite.profile != "dev":
                continue
            yield f"{slug}.{name}", secret.kind, secret.description or f"{name} of {component.description.title}"
