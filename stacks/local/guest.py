# SPDX-License-Identifier: MIT
"""What every host has inside: packages and settings of the base tree, and the few files that differ per host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from stacks.local.system import run, write_atomically

#: The base list, and what the roles install on every host anyway (they still declare it): it saves a minute per host.
PACKAGES = (
    "aardvark-dns", "acl", "ca-certificates", "catatonit", "crun", "curl", "dbus", "dbus-user-session",
    "fuse-overlayfs", "iproute2", "iptables", "iputils-ping", "kmod", "less", "libnss-myhostname", "libpam-systemd",
    "netavark", "nftables", "openssh-server", "openssl", "passt", "podman", "procps", "python3", "python3-apt",
    "python3-cryptography", "python3-psycopg2", "sudo", "systemd", "systemd-sysv", "systemd-timesyncd", "uidmap",
    "unattended-upgrades",
)  # fmt: skip

ADMIN_USER = "suite"
#: For podman's automatic user namespaces; above the ranges the suite's components have.
CONTAINERS_IDS = "containers:2147483648:1073741824\n"

#: name in the tree → content, the same in every host
BASE_FILES: Mapping[str, str] = {
    "etc/containers/containers.conf.d/10-local.conf":
        "# The outer machine gives no pids controller to its hosts.\n[containers]\npids_limit = 0\n",
    "etc/sudoers.d/suite": f"{ADMIN_USER} ALL=(ALL:ALL) NOPASSWD: ALL\n",
    "etc/subuid": CONTAINERS_IDS,
    "etc/subgid": CONTAINERS_IDS,
    # aardvark-dns does not start without the file; names outside the suite resolve nowhere, at once.
    "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    "etc/ssh/sshd_config.d/05-local.conf": "UseDNS no\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    # Cached indexes may be older than they say they are good for: a host here must come up without the outside.
    "etc/apt/apt.conf.d/91local-cache": 'Acquire::Check-Valid-Until "false";\nAcquire::Languages "none";\n',
}  # fmt: skip
BASE_MODES: Mapping[str, int] = {"etc/sudoers.d/suite": 0o440}

ENABLED_UNITS = ("systemd-networkd.service", "ssh.service")
MASKED_UNITS = ("systemd-networkd-wait-online.service", "console-getty.service", "systemd-firstboot.service")


def finish_base(
    root: Path, *, sources: str, checks: Mapping[str, str], cas: Sequence[str], keyring: Path | None
) -> None:
    """Turn a freshly installed tree into one every host can start from."""
    for name, text in BASE_FILES.items():
        write_atomically(root / name, text, BASE_MODES.get(name, 0o644))
    if checks:
        text = "".join(f'{key} "{value}";\n' for key, value in sorted(checks.items()))
        write_atomically(root / "etc/apt/apt.conf.d/92local-dates", text)
    for path in (root / "etc/apt/sources.list.d").glob("*"):
        path.unlink()
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    # mmdebstrap leaves its own options, the proxy of the build among them.
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    write_atomically(root / "etc/apt/sources.list.d/debian.sources", sources)
    if keyring:
        (root / "etc/apt/keyrings").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(keyring, root / "etc/apt/keyrings" / keyring.name)
    for number, text in enumerate(cas, start=1):
        write_atomically(root / f"usr/local/share/ca-certificates/outer-{number}.crt", text)
    commands: tuple[list[str], ...] = (
        ["update-ca-certificates"],
        ["useradd", "--create-home", "--shell", "/bin/bash", ADMIN_USER],
        ["systemctl", "enable", *ENABLED_UNITS],
        ["systemctl", "mask", *MASKED_UNITS],
    )
    for command in commands:
        run(["chroot", str(root), *command], doing=f"run {command[0]} in the base system")
    # Made on installation: every host would share them.
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    write_atomically(root / "etc/machine-id", "")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    # The lists are empty: a recent date would make Ansible believe they were read today.
    os.utime(root / "var/lib/apt/lists", (0, 0))


def prepare(root: Path, *, name: str, public_key: str, volumes: Iterable[str]) -> None:
    """Give a fresh host its identity. Run once, before its first start."""
    write_atomically(root / "etc/hostname", f"{name}\n")
    for kind in volumes:
        (root / "srv" / kind).mkdir(parents=True, exist_ok=True)
    key = root / "etc/ssh/ssh_host_ed25519_key"
    if not key.exists():
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        run(make, doing=f"make the host key of {name}")
    admin = root / "home" / ADMIN_USER
    owner = admin.stat()
    directory = admin / ".ssh"
    directory.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(directory, owner.st_uid, owner.st_gid)
    write_atomically(directory / "authorized_keys", public_key, 0o600, (owner.st_uid, owner.st_gid))


def connect(root: Path, *, address: IPv4Address, subnet: IPv4Network, apt_proxy: str) -> None:
    """Settings that follow the suite's network; written before every start."""
    network = (
        f"[Match]\nName=host0\n\n[Network]\nAddress={address}/{subnet.prefixlen}\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )
    write_atomically(root / "etc/systemd/network/10-host0.network", network)
    write_atomically(root / "etc/apt/apt.conf.d/90local-proxy", f'Acquire::http::Proxy "{apt_proxy}";\n')


def host_key(root: Path) -> str:
    """The public host key without its comment."""
    text = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="ascii")
    return " ".join(text.split()[:2])
