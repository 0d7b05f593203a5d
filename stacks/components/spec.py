# SPDX-License-Identifier: MIT
"""Deployment → what any cloud has to make for it: hosts, who may reach them, volumes, buckets. Knows no provider."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from stacks.components.rules import EVERYONE, Inbound, Outbound, inbound_rules, outbound_rules
from suite_deploy.errors import InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.render.vocabulary import bucket_name

#: where hosts live when nothing says otherwise; apart from the container networks (10.89.0.0/16)
PRIVATE_NETWORK = "10.64.0.0/24"
_GIB = {"MiB": 1 / 1024, "GiB": 1, "TiB": 1024}


@dataclass(frozen=True)
class HostSpec:
    """A host wanted. flavor, zone: the cloud's own names. volumes: kind → GiB. inbound: all that may reach it.

    outbound: ports it may call outside the private network.
    """

    name: str
    groups: tuple[str, ...]
    flavor: str
    zone: str | None
    public: bool
    volumes: Mapping[str, int]
    inbound: tuple[Inbound, ...]
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True)
class BucketSpec:
    """A bucket wanted for the component `slug`; `name` is its name in the object store.

    cors_origins: pages that may reach it from the browser.
    """

    slug: str
    name: str
    versioning: bool = True
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class DnsSpec:
    """Records wanted in the provider's DNS: for each name the address of edge.

    zone: without a final dot. names: those of the suite's public names that lie in it. ttl: seconds.
    """

    zone: str
    names: tuple[str, ...]
    ttl: int


@dataclass(frozen=True)
class StackSpec:
    """Everything a cloud's program needs of a deployment; nothing in here is secret."""

    suite: str
    domain: str
    driver: str
    region: str
    hosts: tuple[HostSpec, ...]
    #: the host users reach, and the way in to hosts without a public address
    edge: str
    buckets: tuple[BucketSpec, ...]
    #: names that must resolve to edge's public address
    names: tuple[str, ...]
    ssh_user: str
    ssh_port: int
    #: CIDRs that may reach SSH from outside
    ssh_sources: tuple[str, ...]
    ssh_public_key: str
    #: DNS servers of the hosts; the cloud's own when empty
    resolvers: tuple[str, ...] = ()
    private_network: str = PRIVATE_NETWORK
    volume_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    #: None: publishing the names is the operator's
    dns: DnsSpec | None = None

    def host(self, name: str) -> HostSpec:
        """The host of that name."""
        return next(host for host in self.hosts if host.name == name)


def stack_spec(deployment: Deployment) -> StackSpec:
    """What a cloud has to make.

    Raises InvalidInput for a host without a flavor, an SSH key without its public half, and private networks that
    would collide.
    """
    suite, infrastructure = deployment.suite, deployment.suite.infrastructure
    edge = deployment.host_of("edge").name
    inbound, outbound = inbound_rules(deployment), outbound_rules(deployment)
    written = infrastructure.hosts
    problems: list[Problem] = []
    hosts = []
    for host in deployment.hosts:
        if not host.flavor:
            problems.append(_no_flavor(deployment, host.name))
        hosts.append(
            HostSpec(
                name=host.name,
                groups=tuple(host.groups),
                flavor=host.flavor or "",
                zone=getattr(written.get(host.name), "zone", None),
                public=host.public or host.name == edge,
                volumes={kind: gibibytes(size) for kind, size in sorted(host.volumes.items())},
                inbound=inbound[host.name],
                outbound=outbound[host.name],
            )
        )
    if deployment.container_network.overlaps(IPv4Network(PRIVATE_NETWORK)):
        problems.append(_collision(deployment))
    if problems:
        raise InvalidInput(problems)
    volumes = getattr(infrastructure, "volumes", None)
    return StackSpec(
        suite=suite.suite,
        domain=suite.domain,
        driver=deployment.driver,
        region=str(getattr(infrastructure, "region", "")),
        hosts=tuple(hosts),
        edge=edge,
        buckets=_buckets(deployment),
        names=deployment.public_names,
        ssh_user=suite.ssh.user,
        ssh_port=suite.ssh.port,
        ssh_sources=tuple(suite.ssh.from_) or (EVERYONE,),
        ssh_public_key=ssh_public_key(deployment),
        resolvers=tuple(suite.network.dns),
        volume_type=volumes.type if volumes else None,
        tags={"suite": suite.suite, "managed-by": "suite-deploy"},
        dns=DnsSpec(deployment.dns.zone, deployment.zone_names, deployment.dns.ttl) if deployment.dns else None,
    )


def gibibytes(size: str) -> int:
    """A size of the inventory (`100GiB`) in whole GiB, rounded up: clouds sell nothing smaller."""
    return max(1, math.ceil(int(size[:-3]) * _GIB[size[-3:]]))


def ssh_public_key(deployment: Deployment) -> str:
    """The public half of the key that deployments sign in with, as one line. Raises InvalidInput when it is absent."""
    path = public_key_file(deployment)
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        place = deployment.place("ssh", "key")
        found = f"{path} cannot be read ({error.strerror}): new hosts are told this public key, and only this one."
        step = "Make a pair with `ssh-keygen -t ed25519`, or name the private key's file in `ssh: {key: …}`."
        raise InvalidInput([Problem(place.file, place.line, "ssh.key", found, "", step)]) from error


def public_key_file(deployment: Deployment) -> Path:
    """Where the public half is: beside the private key, with `.pub` after its name."""
    from stacks.existing.driver import default_ssh_key

    private = Path(deployment.suite.ssh.key).expanduser() if deployment.suite.ssh.key else default_ssh_key()
    return private.with_name(private.name + ".pub")


def _buckets(deployment: Deployment) -> tuple[BucketSpec, ...]:
    """The cloud's buckets, where the inventory names the cloud's object store; the suite's own needs none of them."""
    if deployment.object_store is None:
        return ()
    return tuple(
        BucketSpec(
            component.slug,
            bucket_name(deployment, component),
            versioning=need.versioning == "required",
            cors_origins=(component.url,) if need.cors and component.url else (),
        )
        for component in sorted(deployment.ordered, key=lambda item: item.slug)
        if (need := component.description.needs.bucket)
    )


def _no_flavor(deployment: Deployment, host: str) -> Problem:
    place = deployment.place("infrastructure", "hosts", host)
    step = "Write the cloud's own name of a size, like `flavor: b3-16`."
    return Problem(place.file, place.line, f"infrastructure.hosts.{host}.flavor", "is missing.", "", step)


def _collision(deployment: Deployment) -> Problem:
    place = deployment.place("network", "containers")
    found = f"{deployment.suite.network.containers} overlaps the hosts' private network {PRIVATE_NETWORK}."
    return Problem(place.file, place.line, "network.containers", found, "Accepted: another /16.")
