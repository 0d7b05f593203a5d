# SPDX-License-Identifier: MIT
"""Debian packages the outer machine needs for local hosts, installed without starting anything on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from stacks.local.sources import proxy_environment
from stacks.local.system import has_systemd, run
from suite_deploy.model.outputs import Progress

#: package → what it is for
NEEDED = {
    "ca-certificates": "certificates of HTTPS mirrors",
    "debian-archive-keyring": "the keys Debian's packages are signed with",
    "docker-registry": "the local image registry",
    "iproute2": "the bridge",
    "mmdebstrap": "the hosts' base system",
    "openssh-client": "access to the hosts",
    "skopeo": "filling the registry",
    "systemd-container": "the hosts themselves",
    "uidmap": "id ranges for containers",
}
#: Packages whose daemon Debian starts on installation; ours run under their own configuration instead.
DAEMONS = {"docker-registry": "docker-registry.service"}
#: The keys of the hosts' release, absent from the keyring of an outer machine that lacks its point releases.
GUEST_RELEASE_KEY = Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg")
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# suite-deploy: nothing is started while packages are installed; safe to remove\nexit 101\n"


def missing() -> list[str]:
    """The packages `ensure` would install."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *NEEDED]
    shown = run(query, doing="look at the installed packages", fails=False).stdout
    present = {line.split()[0] for line in shown.splitlines() if line.split()[1:] == ["installed"]}
    if not any(path.exists() for path in (GUEST_RELEASE_KEY, GUEST_RELEASE_KEY.with_suffix(".pgp"))):
        present.discard("debian-archive-keyring")
    return [name for name in NEEDED if name not in present]


def ensure(progress: Progress) -> None:
    """Install what is missing. Raises CouldNotRun with apt's own words when that fails."""
    _remove_left_over_policy()
    wanted = missing()
    if not wanted:
        return
    progress("installing Debian packages on this machine: " + ", ".join(wanted))
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", **proxy_environment()}
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    # A mirror that is unreachable now may still have left usable indexes, so only the installation has to succeed.
    run(["apt-get", "update", "-q", *wait], doing="refresh the package lists", timeout=600, env=quiet, fails=False)
    with _nothing_starts([DAEMONS[name] for name in wanted if name in DAEMONS]):
        run(["apt-get", "install", "-q", "--yes", "--no-install-recommends", *wait, *wanted],
            doing="install " + ", ".join(wanted), timeout=1800, env=quiet)  # fmt: skip


@contextlib.contextmanager
def _nothing_starts(units: list[str]) -> Iterator[None]:
    """Keep newly installed daemons from running, now and after a reboot; those of packages already there may."""
    if has_systemd():
        # A runtime mask is gone after a reboot at the latest, whatever happens to this process.
        if units:
            run(["systemctl", "mask", "--runtime", *units], doing="keep daemons from starting")
        try:
            yield
        finally:
            if units:
                run(["systemctl", "unmask", "--runtime", *units], doing="unmask the daemons")
                run(["systemctl", "disable", *units], doing="keep daemons from starting at boot", fails=False)
        return
    made = not POLICY.exists()
    if made:
        POLICY.write_text(POLICY_TEXT, encoding="ascii")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if made:
            POLICY.unlink(missing_ok=True)


def _remove_left_over_policy() -> None:
    """Ours, from a run that was killed: it would keep the machine's own packages from starting their daemons."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if POLICY.read_text(encoding="utf-8") == POLICY_TEXT:
            POLICY.unlink()
