# SPDX-License-Identifier: MIT
"""Starting over as root through sudo, for drivers that make machines on this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import CouldNotRun

#: What the elevated run keeps of the caller's environment. A trailing `*` stands for any ending.
KEPT = (
    "ANSIBLE_VAULT_PASSWORD_FILE",
    "CI",
    "COLUMNS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GOENV",
    "GO111MODULE",
    "GOFLAGS",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "LANG",
    "LC_*",
    "LINES",
    "MAVEN_*",
    "NODE_EXTRA_CA_CERTS",
    "NO_COLOR",
    "PIP_*",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SUITE_*",
    "TERM",
    "UV_*",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
#: The caller's own settings of package tools: variable → file below their configuration directory.
CONFIGURED = {"PIP_CONFIG_FILE": "pip/pip.conf", "GOENV": "go/env"}
#: Set for the elevated run, so that a sudo that gives another user than root is not asked for ever.
MARK = "SUITE_DEPLOY_ELEVATED"
#: Root's own byte code: nothing owned by root may appear in the checkout or in the caller's cache.
BYTE_CODE = Path("/var/cache/suite-deploy/pycache")


def kept_names(names: Iterable[str]) -> list[str]:
    """Which of these variables the elevated run keeps, sorted; proxies count in either case."""

    def keeps(name: str) -> bool:
        return any(name.startswith(each[:-1]) if each.endswith("*") else each in (name, name.lower()) for each in KEPT)

    return sorted(name for name in names if keeps(name))


def configured_files() -> dict[str, str]:
    """Variables that lead root's package tools to the caller's settings, where they have some and name no other."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        variable: str(base / name)
        for variable, name in CONFIGURED.items()
        if variable not in os.environ and (base / name).is_file()
    }


def become_root(reason: str, arguments: Sequence[str] | None = None) -> None:
    """Do nothing as root; otherwise start this very command again through sudo, which never returns.

    reason: why root is needed, as in "the local host"; said on stderr. arguments: those of this run by default.
    Raises CouldNotRun when sudo is missing or would need a password and there is no terminal to ask on.
    """
    if os.geteuid() == 0:
        return
    if os.environ.get(MARK):
        raise CouldNotRun(f"{reason} needs root, and sudo gave another user: run the same command as root.")
    _through_sudo(reason, sys.argv[1:] if arguments is None else list(arguments))


def _through_sudo(reason: str, arguments: list[str]) -> NoReturn:
    sudo = shutil.which("sudo")
    if sudo is None:
        raise CouldNotRun(
            f"{reason} needs root, and sudo is not installed.\n"
            "  Run the same command as root, or install sudo and allow your user to use it."
        )
    asks = subprocess.run([sudo, "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    if asks and not _has_terminal():
        raise CouldNotRun(
            f"{reason} needs root, and sudo needs a password but there is no terminal to ask on.\n"
            "  Run the same command as root, or allow this user to use sudo without a password."
        )
    print(f"{reason} needs root: starting again through sudo", file=sys.stderr, flush=True)
    os.environ |= configured_files() | {MARK: "1"}
    os.execv(sudo, sudo_command(sudo, arguments, ask=bool(asks)))


def sudo_command(sudo: str, arguments: Sequence[str], *, ask: bool) -> list[str]:
    """The command that runs the same program as root. ask: whether sudo may ask for a password.

    Variables are named, not spelled out: their values (a proxy's password, say) stay out of the process list.
    """
    main = Path(__file__).resolve().parent.parent / "__main__.py"
    names = kept_names(os.environ)
    return [
        sudo,
        "-H",
        *([] if ask else ["-n"]),
        *([f"--preserve-env={','.join(names)}"] if names else []),
        "--",
        sys.executable,
        "-I",
        "-X",
        f"pycache_prefix={BYTE_CODE}",
        str(main),
        *arguments,
    ]


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
