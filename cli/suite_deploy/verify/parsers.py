# SPDX-License-Identifier: MIT
"""Output of the hosts' own tools → typed facts. Pure functions; what cannot be understood raises ValueError."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Socket:
    """A listening socket; `address` is a literal, `0.0.0.0` or `::` for every address."""

    proto: str
    address: str
    port: int
    process: str

    @property
    def everywhere(self) -> bool:
        """Whether it listens on every address of the host."""
        return ipaddress.ip_address(self.address).is_unspecified

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.process or 'an unknown process'} on {self.proto} {address}:{self.port}"


@dataclass(frozen=True)
class FileFact:
    """A path on a host as it is. mode: four octal digits. sha256: None when it was not asked for or is no file."""

    path: str
    mode: str
    owner: str
    group: str
    uid: int
    gid: int
    sha256: str | None = None


@dataclass(frozen=True)
class UnitFact:
    """A systemd unit as it is; restarts: automatic ones since the last start."""

    name: str
    load: str
    active: str
    sub: str
    restarts: int = 0


@dataclass(frozen=True)
class ContainerFact:
    """A container as podman describes it.

    addresses: IPv4 addresses in its networks. uid_map, gid_map: (first id inside, first id on the host, how many).
    process_uid: owner, on the host, of its main process; None when it does not run.
    """

    name: str
    unit: str
    running: bool
    pid: int
    privileged: bool
    capabilities: tuple[str, ...]
    read_only: bool
    network: str
    addresses: tuple[str, ...]
    image: str
    digest: str
    uid_map: tuple[tuple[int, int, int], ...]
    gid_map: tuple[tuple[int, int, int], ...]
    process_uid: int | None = None


_PROCESS = re.compile(r'users:\(\("([^"]+)"')


def sockets(text: str) -> tuple[Socket, ...]:
    """`ss -Hltunp`: listening TCP and unconnected UDP sockets."""
    return tuple(_socket(line) for line in text.splitlines() if line.strip())


def _socket(line: str) -> Socket:
    fields = line.split()
    if len(fields) < 6:
        raise ValueError(f"ss: not understood: {line!r}")
    address, _, port = fields[4].rpartition(":")
    # [fe80::1]%eth0, 127.0.0.53%lo, * for both families at once
    address = address.replace("*", "::").partition("%")[0].strip("[]")
    process = _PROCESS.search(line)
    return Socket(fields[0], str(ipaddress.ip_address(address)), int(port), process[1] if process else "")


def stats(text: str) -> dict[str, FileFact]:
    """`stat --printf '%n\\0%04a\\0%U\\0%G\\0%u\\0%g\\n'`, followed by `sha256sum -z` records after a blank line."""
    facts, _, sums = text.partition("\n\n")
    digests = {}
    for record in filter(None, sums.strip("\n").split("\0")):
        digest, _, path = record.strip("\n").partition("  ")
        digests[path] = digest
    found = {}
    for line in filter(None, facts.split("\n")):
        path, mode, owner, group, uid, gid = line.split("\0")
        found[path] = FileFact(path, mode.rjust(4, "0"), owner, group, int(uid), int(gid), digests.get(path))
    return found


def units(text: str) -> dict[str, UnitFact]:
    """`systemctl show --property Id,LoadState,ActiveState,SubState,NRestarts` of several units."""
    found = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in values:
            restarts = values.get("NRestarts", "0")
            found[values["Id"]] = UnitFact(
                values["Id"],
                values["LoadState"],
                values["ActiveState"],
                values["SubState"],
                int(restarts) if restarts.isdigit() else 0,
            )
    return found


def containers(inspected: str) -> tuple[ContainerFact, ...]:
    """`podman inspect --type container …`."""
    return tuple(_container(item) for item in json.loads(inspected or "[]"))


def _container(item: dict[str, Any]) -> ContainerFact:
    host, config, state = item["HostConfig"], item["Config"], item["State"]
    maps = host.get("IDMappings") or {}
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    return ContainerFact(
        name=item["Name"],
        unit=(config.get("Labels") or {}).get("PODMAN_SYSTEMD_UNIT", ""),
        running=bool(state.get("Running")),
        pid=int(state.get("Pid") or 0),
        privileged=bool(host.get("Privileged")),
        capabilities=tuple(sorted(item.get("EffectiveCaps") or ())),
        read_only=bool(host.get("ReadonlyRootfs")),
        network=host.get("NetworkMode", ""),
        addresses=tuple(filter(None, (one.get("IPAddress") for one in networks.values()))),
        image=item.get("ImageName", ""),
        digest=item.get("ImageDigest", ""),
        uid_map=tuple(_ranges(maps.get("UidMap") or ())),
        gid_map=tuple(_ranges(maps.get("GidMap") or ())),
    )


def _ranges(maps: Iterable[str]) -> Iterator[tuple[int, int, int]]:
    for one in maps:
        inside, outside, count = (int(part) for part in one.split(":"))
        yield inside, outside, count


def chain_policies(ruleset: str) -> dict[str, str]:
    """`nft -j list table …` → hook (input, forward, output) → policy of the base chain there."""
    found = {}
    for entry in json.loads(ruleset).get("nftables", []):
        chain = entry.get("chain", {})
        if "hook" in chain:
            found[chain["hook"]] = chain.get("policy", "accept")
    return found
