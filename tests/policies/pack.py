# SPDX-License-Identifier: MIT
"""Single resources judged as the engine's policies do; tests that import this are skipped without the policy SDK."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from suite_deploy.policy import ruleset

from .support import subject

pytest.importorskip("pulumi_policy", reason="the engine's policy SDK is not installed (extra `cloud`)")
pulumi_pack = pytest.importorskip("suite_deploy.policy.pulumi_pack")
proxy = pytest.importorskip("pulumi_policy.proxy")

PROVIDER = {"region": "eu-west-sbg-snc", "authUrl": "https://auth.region-x.snc.example/v3"}


def judge(waivers: tuple[Any, ...] = (), **arguments: Any) -> Any:
    """What the pack judges by; `arguments` are those of a subject."""
    return pulumi_pack.Judge(subject(**arguments), waivers, ruleset.load(), ())


def violations(
    kind: str, props: Mapping[str, Any], provider: Mapping[str, Any] = PROVIDER, *, given: Any = None
) -> dict[str, str]:
    """policy → message, for one resource as the SDK would hand it over, unknown values and all."""
    found: dict[str, str] = {}
    arguments = SimpleNamespace(
        resource_type=kind,
        props=proxy.unknown_checking_proxy(dict(props)),
        urn=f"urn:pulumi:region-x::suite-openstack::{kind}::thing",
        name="thing",
        provider=SimpleNamespace(props=proxy.unknown_checking_proxy(dict(provider))) if provider else None,
    )
    for policy in pulumi_pack.policies_for(given or judge()):
        policy.validate(arguments, lambda message, urn=None, name=policy.name: found.setdefault(name, message))
    return found
