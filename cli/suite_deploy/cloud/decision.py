# SPDX-License-Identifier: MIT
"""What a person decides on before anything is created: the plan by kind, room on the cloud, cost of a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from ..model.outputs import PlanItem
from ..report.console import table
from .need import Size, needs
from .plan import Step, because, counts, opens_data, plan_items
from .prices import Cost, monthly, read_prices
from .room import Left, Room
from .typed import typed

_CLOSED = "the rest of the plan is known once the region is open"
#: how derived hosts stay as they are
_WRITE_OUT = (
    "write `infrastructure.hosts` as it is now (suite-deploy check NAME --explain infrastructure.hosts shows it)"
)
_COLUMNS = ("create", "change", "replace", "remove", "keep")


@dataclass(frozen=True)
class Row:
    """One line of the quota. left: None when the cloud does not say."""

    what: str
    needed: int
    left: Left | None

    def __str__(self) -> str:
        left = self.left or Left(None, 0)
        what, needed, free, limit = _readable(self.what, self.needed, left.free, left.limit)
        return f"{what}: {needed} needed, {free} left of {limit}"

    @property
    def fits(self) -> bool:
        """Whether the cloud has room for it, as far as it says."""
        return self.left is None or self.left.free is None or self.needed <= self.left.free


@dataclass(frozen=True)
class Decision:
    """The plan, the quota and the cost.

    unknown_flavors: names the cloud does not list. silent: what it did not say. flavor_form: how it writes flavors.
    closed: whether the plan only opens the region, and the rest of it follows. known: flavors by id and by name.
    """

    steps: tuple[Step, ...]
    rows: tuple[Row, ...]
    cost: Cost
    unknown_flavors: tuple[str, ...] = ()
    flavors: tuple[Size, ...] = ()
    silent: tuple[str, ...] = ()
    flavor_form: str = ""
    closed: bool = False
    known: Mapping[str, Size] = field(default_factory=dict, repr=False)
    #: as the operator calls it
    inventory: str = "NAME"

    @property
    def items(self) -> list[PlanItem]:
        """The plan, one line for each resource, with the cloud's flavors by name."""
        return plan_items(self.steps, self.known)

    def refuse(self) -> None:
        """Raise CouldNotRun for data that would be lost, a smaller volume, an unknown flavor, no room on the cloud."""
        reasons = [
            f"{step.kind} {step.name} would be {'replaced' if step.action == 'replace' else 'removed'} with its data"
            + (f", because of {because(step, self.known)}" if step.changed else "")
            for step in self._lost
        ]
        if reasons:
            reasons += self._ways_out()
        reasons += self._smaller
        if self.unknown_flavors:
            reasons.append(f"the cloud has no flavor {', '.join(self.unknown_flavors)}")
            reasons.append(self._known_flavors())
        short = [row for row in self.rows if not row.fits]
        reasons += map(str, short)
        if short:
            reasons.append("Ask the cloud for a larger quota, remove what is no longer used, or choose smaller sizes.")
        if reasons:
            raise CouldNotRun("nothing was created:\n" + "\n".join(f"  {reason}" for reason in reasons))

    @property
    def _lost(self) -> list[Step]:
        """What would go with data in it; what only opens it is not worth a line beside it."""
        lost = [step for step in self.steps if step.loses_data]
        return [step for step in lost if not opens_data(step.type)] or lost

    @property
    def _smaller(self) -> list[str]:
        """Volumes that would have to shrink, and what to do."""
        found = [
            f"volume {step.name} cannot become smaller: {sizes[0]:g} → {sizes[1]:g} GiB. Keep {sizes[0]:g}GiB or more"
            f" in {_volume_key(step)}"
            for step in self.steps
            if (sizes := step.shrinks)
        ]
        return (
            [*found, typed(f"  Hosts that are derived: {_WRITE_OUT}, with that size", self.inventory)] if found else []
        )

    def _ways_out(self) -> list[str]:
        """What to do about data that would be lost."""
        removed = [step.name for step in self._lost if step.action == "remove" and not opens_data(step.type)]
        ways = [
            "To keep it, take that change back. Hosts that are derived: put `users` and components back as they were,",
            f"  {_WRITE_OUT}, then change them again",
        ]
        if removed:
            ways += [
                "To let go of it, so that it stays in the cloud and is no longer this suite's:",
                f"  suite-deploy up NAME {' '.join(f'--release {name}' for name in removed)}",
                "  Data does not move by itself: a new volume or bucket begins empty.",
            ]
        ways.append("To remove the whole suite with all its data: suite-deploy destroy NAME --with-data")
        return [typed(line, self.inventory) for line in ways]

    def as_text(self) -> str:
        """For a terminal."""
        parts = self._shouted()
        rows = [(kind, *(str(row.get(name, "")) for name in _COLUMNS)) for kind, row in counts(self.steps).items()]
        parts.append(table(("resources", *_COLUMNS), rows, right=range(1, 6)) if rows else "resources: none")
        if self.rows:
            quota = table(("quota", "needed", "left", "of", ""), [_quota(row) for row in self.rows], right=(1, 2, 3))
            parts += ["", quota]
        if self.silent:
            parts += ["", *(f"not said by the cloud: {text}" for text in self.silent)]
        parts += ["", _cost(self.cost)]
        return "\n".join(parts)

    def _shouted(self) -> list[str]:
        """What has to be read before anything else."""
        lost = self._lost
        short = [row for row in self.rows if not row.fits]
        moved = [step for step in self.steps if step.kind == "public address" and step.action in ("replace", "remove")]
        parts = []
        if lost:
            parts.append("!! DATA WOULD BE LOST: `up` refuses this plan")
            parts += [
                f"!!   {step.kind} {step.name}: {step.action} ({because(step, self.known) or 'no longer wanted'})"
                for step in lost
            ]
            parts += [f"!!   {line}" for line in self._ways_out()]
        if self._smaller:
            parts += ["!! A VOLUME WOULD SHRINK: `up` refuses this plan", *(f"!!   {line}" for line in self._smaller)]
        if short:
            parts += ["!! DOES NOT FIT: `up` refuses this plan", *(f"!!   {row}" for row in short)]
        if self.unknown_flavors:
            parts.append(f"!! UNKNOWN FLAVOR: `up` refuses this plan: {', '.join(self.unknown_flavors)}")
            parts.append(f"!!   {self._known_flavors()}")
        parts += [f"!! {step.kind} {step.name}: {step.action}; the DNS records have to follow" for step in moved]
        return [*parts, ""] if parts else []

    def _known_flavors(self) -> str:
        if not self.flavors and self.flavor_form:
            return f"A flavor is written {self.flavor_form}"
        return f"There is: {', '.join(map(str, self.flavors)) or 'none'}"

    def as_json(self) -> dict[str, Any]:
        """For programs; stable."""
        return {
            "resources": counts(self.steps),
            "data_lost": [step.name for step in self.steps if step.loses_data],
            "smaller": [step.name for step in self.steps if step.shrinks],
            "quota": [
                {
                    "what": row.what,
                    "needed": row.needed,
                    "limit": row.left.limit if row.left else None,
                    "used": row.left.used if row.left else None,
                    "fits": row.fits,
                }
                for row in self.rows
            ],
            "region_closed": self.closed,
            "not_said": list(self.silent),
            "unknown_flavors": list(self.unknown_flavors),
            "flavors": [
                {"name": size.name, "vcpus": size.vcpus, "memory_mib": size.memory_mib} for size in self.flavors
            ],
            "flavor_form": self.flavor_form or None,
            "monthly_cost": {
                "amount": self.cost.amount,
                "currency": self.cost.currency or None,
                "as_of": self.cost.as_of.isoformat() if self.cost.as_of else None,
                "source": self.cost.source or None,
                "unknown": list(self.cost.unknown),
            },
        }


def weigh(deployment: Deployment, steps: list[Step], room: Room) -> Decision:
    """A plan against what the cloud said it has, and the price table."""
    wanted, unknown = needs(steps, room.flavors)
    rows = tuple(Row(what, count, room.left.get(what)) for what, count in sorted(wanted.items()))
    prices = read_prices(deployment.directory)
    cost = Cost(None, unknown=(_CLOSED,)) if room.closed else monthly(steps, prices, room.flavors)
    return Decision(
        steps=tuple(steps),
        rows=rows,
        cost=cost,
        unknown_flavors=tuple(unknown),
        flavors=room.sizes,
        silent=room.silent,
        flavor_form=room.flavor_form,
        closed=room.closed,
        known=room.flavors,
        inventory=deployment.given,
    )


def _volume_key(step: Step) -> str:
    """Where suite.yml says a volume's size: it carries host and kind as labels."""
    labels = step.inputs.get("metadata") or step.inputs.get("tags") or {}
    if isinstance(labels, Mapping) and {"host", "kind"} <= labels.keys():
        return f"infrastructure.hosts.{labels['host']}.volumes.{labels['kind']}"
    return "`volumes` of its host in infrastructure.hosts"


def _readable(what: str, *amounts: int | None) -> tuple[str, ...]:
    """A line of the quota with memory in GiB, as everything else has it; "" for what nobody says."""
    factor = 1024 if what == "memory MiB" else 1
    numbers = ("" if amount is None else f"{round(amount / factor, 1):,g}".replace(",", "") for amount in amounts)
    return (what.replace("MiB", "GiB"), *numbers)


def _quota(row: Row) -> tuple[str, ...]:
    if row.left is None:
        return (*_readable(row.what, row.needed), "unknown", "", "")
    if row.left.free is None:
        return (*_readable(row.what, row.needed), "no limit", "", "")
    return (*_readable(row.what, row.needed, row.left.free, row.left.limit), "" if row.fits else "DOES NOT FIT")


def _cost(cost: Cost) -> str:
    if cost.amount is None:
        if cost.as_of:
            without = ", ".join(cost.unknown)
            return f"Cost of a month: unknown; the prices of {cost.as_of} ({cost.source}) have none for: {without}"
        return f"Cost of a month: unknown ({'; '.join(cost.unknown)})"
    text = f"Cost of a month: {cost.amount:.2f} {cost.currency} (prices of {cost.as_of}: {cost.source})"
    return text + (f", and unknown for: {', '.join(cost.unknown)}" if cost.unknown else "")
