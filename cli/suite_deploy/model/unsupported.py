# SPDX-License-Identifier: MIT
"""Values the schema knows and this version cannot do yet: `check` judges them, `up` refuses them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from urllib.parse import urlsplit

from ..errors import Problem
from .suite import OpenStack, Ssh, SuiteFile
from .yamlfile import Place, dotted


def _unreachable(url: str) -> bool:
    """Whether containers cannot get there: edge passes on what is meant for port 443 of a name outside."""
    parts = urlsplit(url)
    return (parts.port or {"https": 443}.get(parts.scheme)) != 443


#: path of the key → (whether the written value asks for something missing, what is missing)
_MISSING: tuple[tuple[tuple[str, ...], Callable[[SuiteFile], bool], str], ...] = (
    (("target",), lambda suite: suite.target != "vm", "Kubernetes as a target"),
    (
        ("state", "s3"),
        lambda suite: suite.infrastructure.driver in ("local", "existing") and bool(suite.state and suite.state.s3),
        "state in S3 for a driver that keeps no engine state",
    ),
    (
        ("engine", "plugins"),
        lambda suite: suite.infrastructure.driver in ("local", "existing") and suite.engine.plugins is not None,
        "an engine for a driver that uses none",
    ),
    (
        ("secrets_provider",),
        lambda suite: suite.infrastructure.driver in ("local", "existing") and suite.secrets_provider != "passphrase",
        "a key service for a driver that keeps no engine state",
    ),
    (
        ("infrastructure", "object_store", "addressing"),
        lambda suite: bool(
            suite.infrastructure.object_store and suite.infrastructure.object_store.addressing == "virtual"
        ),
        "an object store whose buckets are host names",
    ),
    (
        ("infrastructure", "object_store", "endpoint"),
        lambda suite: bool(
            suite.infrastructure.object_store and _unreachable(suite.infrastructure.object_store.endpoint)
        ),
        "an object store on another port than 443",
    ),
    (
        ("infrastructure", "auth_url"),
        lambda suite: bool(
            isinstance(suite.infrastructure, OpenStack)
            and suite.infrastructure.object_store
            and suite.infrastructure.object_store.interface == "swift"
            and _unreachable(suite.infrastructure.auth_url)
        ),
        "a Swift with its Keystone on another port than 443",
    ),
    (("tls", "issuer"), lambda suite: suite.tls.issuer == "acme", "certificates by ACME"),
    (("network", "proxy"), lambda suite: suite.network.proxy is not None, "a proxy for outbound calls"),
    (("backup",), lambda suite: suite.backup is not None, "backups to a remote target"),
    (("monitoring",), lambda suite: suite.monitoring is not None, "sending metrics"),
    (
        ("apt", "mirror"),
        lambda suite: suite.infrastructure.driver == "local" and suite.apt.mirror is not None,
        "another package mirror than this machine's own, for hosts made on it,",
    ),
    (
        ("ssh",),
        lambda suite: suite.infrastructure.driver == "local" and suite.ssh.model_copy(update={"from_": ()}) != Ssh(),
        "another account, port or key, for hosts made on this machine,",
    ),
    (("identity", "upstream"), lambda suite: suite.identity.upstream != "none", "an upstream identity provider"),
)


def not_in_this_version(suite: SuiteFile, place: Callable[[tuple[Hashable, ...]], Place]) -> Iterator[Problem]:
    """One problem per value that loads and is judged but cannot be deployed by this version."""
    for path, asked, what in _MISSING:
        if asked(suite):
            where = place(path)
            found = f"{what} is not in this version."
            yield Problem(where.file, where.line, dotted(path), found, "", "`check` judges it; `up` cannot do it yet.")
