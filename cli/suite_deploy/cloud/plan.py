# SPDX-License-Identifier: MIT
"""What the engine says it would do, as one step per resource, and how a person reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..model.outputs import PlanItem

Action = Literal["create", "change", "replace", "remove", "keep"]

#: the engine's operation → what a person calls it; the others are halves of these or look only
ACTIONS: dict[str, Action] = {
    "create": "create",
    "import": "create",
    "update": "change",
    "replace": "replace",
    "delete": "remove",
    "same": "keep",
}
#: resources of the engine's own, not of the cloud
_OWN = ("pulumi:pulumi:", "pulumi:providers:")
#: last part of a type token → what a person calls it
_KINDS = {
    "Instance": "host",
    "Vm": "host",
    "Volume": "volume",
    "FloatingIp": "public address",
    "PublicIp": "public address",
    "SecGroup": "security group",
    "SecGroupRule": "firewall rule",
    "Container": "bucket",
    "Storage": "bucket",
    "Bucket": "bucket",
    "Keypair": "SSH key",
    "ServerGroup": "group of separate hosts",
    "RouterInterface": "router interface",
    "VolumeAttach": "volume attachment",
    "FloatingIpAssociate": "public address in use",
    "NetworkPrivate": "network",
    "ProjectRegion": "region",
    "NetworkPrivateSubnetV2": "subnet",
    "Ec2CredentialV3": "key of the object store",
    "ApplicationCredential": "key of the object store",
    "RecordSet": "DNS record",
    "ZoneRecord": "DNS record",
    "S3Credential": "key of the object store",
    "S3Policy": "policy of the object store",
    "User": "account of the object store",
    "Net": "network",
    "NatService": "NAT service",
    "VolumeLink": "volume attachment",
}


#: inputs as the engine calls them → as an inventory does
_WORDS = {
    "flavorId": "flavor",
    "flavorName": "flavor",
    "vmType": "flavor",
    "vlanId": "vlan",
    "availabilityZone": "zone",
    "subregionName": "zone",
    "imageId": "image",
    "size": "GiB",
}
#: kind → inputs that tell a new one from others
_SHOWN = {
    "host": ("flavorName", "flavorId", "vmType", "availabilityZone", "subregionName"),
    "volume": ("size", "volumeType", "availabilityZone", "subregionName"),
    "subnet": ("cidr", "ipRange"),
    "bucket": ("name", "bucketName"),
    "gateway": ("model",),
    "region": ("region",),
}
_EVERYONE = {"0.0.0.0/0", "::/0"}
#: characters of a value that is shown
_SHORT = 40


#: kept with a bucket, so that it can still be emptied: no data, and their ids may be half of a key
_OPENING = ("User", "S3Credential", "S3Policy")


def last_of(type: str) -> str:
    """The name at the end of an engine's type: `Volume` of `openstack:blockstorage/volume:Volume`."""
    return type.rpartition(":")[2]


def kind_of(type: str) -> str:
    """What a person calls a resource of an engine's type."""
    last = last_of(type)
    return _KINDS.get(last) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", last).lower()


def name_of(urn: str) -> str:
    """The engine's own name of a resource."""
    return urn.rpartition("::")[2]


def opens_data(type: str) -> bool:
    """Whether resources of a type are kept for the data they open, and hold none."""
    return last_of(type) in _OPENING


@dataclass(frozen=True)
class Step:
    """What happens to one resource of the cloud.

    type, urn, name: as the engine calls it. protected: whether it holds data and may not go unasked.
    changed: names of the inputs that differ. inputs, before: as the program wants them and as they were, no secrets.
    """

    action: Action
    type: str
    urn: str
    name: str
    protected: bool = False
    changed: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What a person calls a resource of this type."""
        return kind_of(self.type)

    @property
    def shrinks(self) -> tuple[float, float] | None:
        """GiB of a volume before and after, where it would become smaller: no cloud does that."""
        was, wanted = (values.get("size") for values in (self.before, self.inputs))
        if self.kind != "volume" or self.action == "create":
            return None
        if isinstance(was, (int, float)) and isinstance(wanted, (int, float)) and wanted < was:
            return was, wanted
        return None

    @property
    def loses_data(self) -> bool:
        """Whether data would go with it."""
        return self.protected and self.action in ("replace", "remove")


def step_of(
    op: str,
    type: str,
    urn: str,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    changed: Iterable[str] = (),
) -> Step | None:
    """One of the engine's own steps as ours; None for what changes nothing in the cloud.

    old, new: state before and after, as the engine's events have it: `custom`, `protect`, `retain_on_delete`, `inputs`.
    """
    action = ACTIONS.get(op)
    state = new or old or {}
    if action is None or type.startswith(_OWN) or state.get("custom") is False:
        return None
    if action == "remove" and (old or {}).get("retain_on_delete"):
        # A region that was opened stays open: only the engine forgets about it.
        return None
    protected = bool((old or {}).get("protect") or (new or {}).get("protect"))
    before = (old or {}).get("inputs") or {}
    name, because = name_of(urn), tuple(sorted(set(changed)))
    return Step(action, type, urn, name, protected, because, state.get("inputs") or {}, before)


def add_guarded(steps: dict[str, Step], guarded: Iterable[str], state: Iterable[Mapping[str, Any]]) -> None:
    """Add what a plan lacks because the engine ended it: it refuses to remove or replace what is protected.

    steps: by urn, as far as the plan came. guarded: urns that were refused. state: the engine's resources. A removal is
    looked at after the program's end, so that whatever no step names would be removed too.
    """
    refused = list(guarded)
    removed = any(urn in steps for urn in refused)
    for urn in refused:
        steps.setdefault(urn, Step("replace", urn.split("::")[2].rpartition("$")[2], urn, name_of(urn), True))
    for resource in state if removed else ():
        step = step_of("delete", resource["type"], resource["urn"], old=resource)
        if step and step.protected:
            steps.setdefault(step.urn, step)


def plan_items(steps: Iterable[Step], flavors: Mapping[str, object] | None = None) -> list[PlanItem]:
    """The steps as a driver's preview, what destroys data first, then by kind and name.

    flavors: by the cloud's id and by name, as a person reads them.
    """

    def rank(step: Step) -> tuple[bool, str, str]:
        return (not step.loses_data, step.kind, step.name)

    return [
        PlanItem(step.action, step.kind, step.name, _detail(step, flavors or {})) for step in sorted(steps, key=rank)
    ]


def because(step: Step, flavors: Mapping[str, object] | None = None) -> str:
    """The inputs that differ, in the inventory's words where it has some, with what they were and shall be."""
    said = []
    for key in step.changed:
        was, wanted = (_value(key, values.get(key), flavors or {}) for values in (step.before, step.inputs))
        change = f" {was} → {wanted}" if was and wanted and was != wanted else ""
        said.append(_WORDS.get(key, key) + change)
    return ", ".join(said)


def _value(key: str, value: Any, flavors: Mapping[str, object]) -> str:
    """A value short enough to be read; "" for others, and for what the engine hides."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "[secret]":
        return ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    known = flavors.get(text) if _WORDS.get(key) == "flavor" else None
    return str(known or text) if len(text) <= _SHORT else ""


def _detail(step: Step, flavors: Mapping[str, object]) -> str:
    reason = because(step, flavors)
    changed = f"because of {reason}" if reason and step.action in ("change", "replace") else ""
    if step.loses_data:
        what = "REPLACED" if step.action == "replace" else "REMOVED"
        return " ".join(filter(None, (f"DATA WOULD BE LOST: {what}", changed)))
    if step.action != "create":
        return changed
    shown = (_shown(key, step.inputs.get(key), flavors) for key in _SHOWN.get(step.kind, ()))
    return ", ".join(filter(None, (*shown, _boot(step), _opened(step.inputs))))


def _shown(key: str, value: Any, flavors: Mapping[str, object]) -> str:
    text = _value(key, value, flavors)
    if not text:
        return ""
    return {"size": f"{text} GiB", "model": f"size {text}"}.get(key, text)


def _opened(inputs: Mapping[str, Any]) -> str:
    """What a firewall rule, or a group that holds its own, lets in from anywhere."""
    rules = [rule for rule in inputs.get("inboundRules") or () if isinstance(rule, Mapping)]
    if inputs.get("direction") == "ingress":
        rules.append(inputs)
    found = [_ports(rule) for rule in rules if {rule.get("remoteIpPrefix"), rule.get("ipRange")} & _EVERYONE]
    return f"open to everyone: {', '.join(found)}" if found else ""


def _ports(rule: Mapping[str, Any]) -> str:
    names = (("portRangeMin", "fromPortRange"), ("portRangeMax", "toPortRange"))
    first, last = (f"{next((rule[key] for key in keys if rule.get(key)), 0):g}" for keys in names)
    return f"{rule.get('protocol') or 'anything'} {first if first == last else f'{first}-{last}'}"


def _boot(step: Step) -> str:
    """The volume that a host brings along."""
    sizes = [
        device.get("volumeSize") for device in step.inputs.get("blockDevices") or () if isinstance(device, Mapping)
    ]
    found = next((size for size in (*sizes, step.inputs.get("rootSize")) if size), None)
    return f"{found:g} GiB to boot from" if isinstance(found, (int, float)) else ""


def counts(steps: Iterable[Step]) -> dict[str, dict[str, int]]:
    """Kind → action → how many."""
    result: dict[str, dict[str, int]] = {}
    for step in steps:
        row = result.setdefault(step.kind, {})
        row[step.action] = row.get(step.action, 0) + 1
    return dict(sorted(result.items()))
