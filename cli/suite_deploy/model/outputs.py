# SPDX-License-Identifier: MIT
"""The contract between the infrastructure drivers (stacks/) and everything after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from ..cloud.decision import Decision

#: How a driver says what it is doing now: one short line in the present tense.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class HostOutput:
    """One reachable host. Addresses are literals; `address` is what SSH connects to."""

    name: str
    address: str
    private_address: str
    groups: tuple[str, ...]
    ssh_user: str = "suite"
    ssh_port: int = 22
    #: host of the suite that SSH goes through; empty: directly
    jump: str = ""
    #: what a host made anew changes, like the server's id; keeps its SSH key apart from its predecessor's
    identity: str = ""
    #: address users reach this host at from outside; empty when it has none of its own
    public_address: str = ""
    #: kind → mount point's source as the host sees it (a device, or "" when already mounted under /srv/<kind>)
    volumes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackOutputs:
    """What a driver made or found; nothing in here is secret."""

    driver: str
    suite: str
    hosts: tuple[HostOutput, ...]
    #: IPv4 networks (CIDR) the hosts share privately
    private_networks: tuple[str, ...]
    #: public address of the edge host
    public_address: str
    ssh_private_key: Path
    ssh_known_hosts: Path
    #: names → addresses that must resolve for users (DNS records wanted, or /etc/hosts on local)
    dns_records: Mapping[str, str] = field(default_factory=dict)
    #: names of `dns_records` that the driver published itself; the others are for the operator
    dns_created: tuple[str, ...] = ()
    #: extra ansible variables of this driver: package proxy, registry, missing kernel features…
    host_vars: Mapping[str, object] = field(default_factory=dict)
    #: what the report shows of the driver (key → text)
    facts: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """For a suite's state."""
        return TypeAdapter(StackOutputs).dump_json(self, indent=1).decode() + "\n"

    @staticmethod
    def from_json(text: str) -> StackOutputs:
        """What `to_json` wrote. Raises ValueError for anything else."""
        return TypeAdapter(StackOutputs).validate_json(text)


@dataclass(frozen=True)
class PlanItem:
    """One line of a driver's preview."""

    action: Literal["create", "change", "replace", "remove", "keep"]
    kind: str
    name: str
    detail: str = ""


class Driver(Protocol):
    """What `suite-deploy` asks of every infrastructure driver."""

    def preview(self) -> list[PlanItem]:
        """What `apply` would do now. Reads only."""

    def apply(self, progress: Progress) -> StackOutputs:
        """Bring the infrastructure to the wanted state; safe to interrupt and run again."""

    def outputs(self) -> StackOutputs | None:
        """What exists now, None when nothing does. Reads only, needs no privilege where possible."""

    def destroy(self, progress: Progress, *, with_data: bool) -> list[str]:
        """Remove what `apply` made; data volumes and buckets only with `with_data`. Returns what was kept."""


@runtime_checkable
class OnCloud(Driver, Protocol):
    """What a driver answers besides, whose hosts are rented and whose data stays when they go."""

    #: volumes and buckets that the next `apply` may let go of, by the engine's own names
    release: tuple[str, ...]

    @property
    def notes(self) -> Sequence[str]:
        """What there is to say of the plan that was made last."""

    @property
    def let_go(self) -> Sequence[object]:
        """What `apply` let go of, each a line to show."""

    @property
    def unfinished(self) -> bool:
        """Whether an `apply` began to create or change things and did not come to its end."""

    def decide(self) -> Decision:
        """What a person needs to decide on before `apply`. Reads only."""

    def unlock(self) -> None:
        """Remove a lock that a killed run left on the state."""
