# SPDX-License-Identifier: MIT
"""No key of suite.yml is silently ignored: each, set to another value, changes what is made or is refused out loud."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from suite_deploy.model.loader import load
from suite_deploy.model.suite import SuiteFile
from suite_deploy.policy import judge
from suite_deploy.render.render import render

HOST = {"groups": ["edge", "apps", "data"], "address": "h.example", "private_address": "192.0.2.7"}
EXISTING: dict[str, Any] = {
    "schema": 1,
    "suite": "counts",
    "domain": "counts.example",
    "profile": "eu",
    "infrastructure": {"driver": "existing", "hosts": {"one": HOST}},
    "components": {"keycloak": {}, "synapse": {}},
}
CLOUD_HOST = {"groups": ["edge", "apps", "data"]}
OPENSTACK = EXISTING | {
    "infrastructure": {
        "driver": "openstack",
        "offer": "ovhcloud/snc-cloud-platform",
        "region": "eu-west-sbg-snc",
        "auth_url": "https://auth.example/v3",
        "hosts": {"one": CLOUD_HOST},
    }
}
OVH = EXISTING | {
    "infrastructure": {"driver": "ovh", "offer": "a/b", "region": "GRA", "project": "p", "hosts": {"one": CLOUD_HOST}}
}
OUTSCALE = EXISTING | {
    "infrastructure": {"driver": "outscale", "offer": "a/b", "region": "eu-west-2", "hosts": {"one": CLOUD_HOST}}
}
LOCAL = EXISTING | {"infrastructure": {"driver": "local", "hosts": {"one": CLOUD_HOST}}, "profile": "dev"}

MAIL = {"relay": "smtp.example.org", "from": "a@counts.example"}
WITH_DOCS = EXISTING | {"components": {"keycloak": {}, "docs": {}}}
MAILING = WITH_DOCS | {"mail": MAIL}

S3 = {"endpoint": "https://s3.example", "region": "r1", "bucket": "b"}
#: dotted key → (inventory it is set in, value); what a key needs beside it goes into the value's parents
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "suite": (EXISTING, "other"),
    "domain": (EXISTING, "other.example"),
    "profile": (EXISTING, "dev"),
    "requires": (EXISTING, "suite-deploy >=99"),
    "schema": (EXISTING, 2),
    "data": (EXISTING | {"profile": "fr-snc"}, {"sensitivity": "particular", "entity": "state"}),
    "data.sensitivity": (EXISTING | {"profile": "fr-snc"}, {"sensitivity": "health", "entity": "state"}),
    "data.entity": (EXISTING | {"profile": "fr-snc"}, {"sensitivity": "particular", "entity": "commune"}),
    "users": (EXISTING, 4000),
    "target": (EXISTING, "kubernetes"),
    "state.directory": (EXISTING, "/srv/elsewhere"),
    "state.s3": (EXISTING, S3),
    "secrets_provider": (EXISTING, "awskms://key"),
    "engine.plugins": (OPENSTACK, "https://plugins.example"),
    "tls.issuer": (EXISTING, "acme"),
    "network.dns": (EXISTING, ["192.0.2.53"]),
    "network.ntp": (EXISTING, ["ntp.example.org"]),
    "network.proxy": (EXISTING, "http://proxy.example:3128"),
    "network.containers": (EXISTING, "10.90.0.0/16"),
    "apt.mirror": (EXISTING, "https://mirror.example/debian"),
    "images.mirror": (EXISTING, "registry.example.org"),
    "ssh.user": (EXISTING, "ops"),
    "ssh.port": (EXISTING, 2222),
    "ssh.key": (EXISTING, "/root/key"),
    "ssh.from": (EXISTING, ["192.0.2.0/24"]),
    "backup": (EXISTING, {"target": S3}),
    "monitoring": (EXISTING, {"remote_write": "https://m.example/w"}),
    "mail": (WITH_DOCS, MAIL),
    "mail.relay": (MAILING, "other.example.org"),
    "mail.port": (MAILING, 2525),
    "mail.from": (MAILING, "b@counts.example"),
    "mail.user": (MAILING, "suite"),
    "identity.upstream": (EXISTING, "proconnect-integration"),
    "identity.issuer": (EXISTING, "https://idp.example"),
    "identity.client_id": (EXISTING, "client"),
    "register.file": (EXISTING, "absent.yml"),
    "register.max_age": (EXISTING | {"profile": "fr-snc"}, 1),
    "components": (EXISTING, {"keycloak": {}}),
    "infrastructure.driver": (EXISTING, "nonsense"),
    "infrastructure.hosts": (LOCAL, {"two": CLOUD_HOST}),
    "infrastructure.offer": (EXISTING, "nobody/nothing"),
    "infrastructure.region": (EXISTING, "mars-1"),
    "infrastructure.evidence": (OPENSTACK, {"contract": "c", "attestation_sha256": "0" * 64}),
    "infrastructure.auth_url": (OPENSTACK, "https://elsewhere.example/v3"),
    "infrastructure.external_network": (OPENSTACK, "public"),
    "infrastructure.endpoints": (OPENSTACK, {"compute": "http://elsewhere.example"}),
    "infrastructure.insecure": (OPENSTACK, True),
    "infrastructure.image": (OPENSTACK, {"url": "https://images.example/debian.qcow2"}),
    "infrastructure.volumes": (OPENSTACK, {"encrypted": False}),
    "infrastructure.object_store": (OPENSTACK, {"endpoint": "http://s3.example", "region": "mars"}),
    "infrastructure.dns": (OPENSTACK, {"zone": "counts.example"}),
    "infrastructure.endpoint": (OVH, "ovh-us"),
    "infrastructure.project": (OVH, "other"),
    "infrastructure.vlan": (OVH, 1234),
}


def keys(model: type[BaseModel], depth: int = 2) -> set[str]:
    """Dotted keys of a schema, two levels deep: what lies deeper belongs to the value of its parent."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        key = field.alias or name
        below = list(_models(field.annotation))
        nested = {f"{key}.{child}" for item in below for child in keys(item, depth - 1)} if depth > 1 else set()
        found |= nested or {key}
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if getattr(annotation, "__origin__", None) in (dict, tuple):
        return []
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def consequences(tmp_path: Path, content: dict[str, Any]) -> str:
    """Everything an inventory leads to: files, variables, hosts, findings, what is refused."""
    path = tmp_path / "suite.yml"
    path.write_text(yaml.safe_dump(content))
    try:
        deployment = load(str(path))
        tree = render(deployment)
        verdict = judge(deployment, tree, ambient={})
    except Exception as refused:  # every refusal is a consequence; the reason is what is compared
        return f"refused: {refused}"
    findings = [(item.rule, item.clause, item.target, item.status.value, item.message) for item in verdict.findings]
    hosts = [vars(host) if hasattr(host, "__dict__") else repr(host) for host in deployment.hosts]
    refused_by_up = [problem.found for problem in deployment.not_in_this_version]
    facts = (tree.digest, findings, hosts, refused_by_up, deployment.state_dir, verdict.notes, _driver(deployment))
    return repr(facts)


def _driver(deployment: Any) -> str:
    """What the driver is told: its own plain values, no addresses of objects."""
    from suite_deploy.drivers import driver_for
    from suite_deploy.errors import InvalidInput

    try:
        told = vars(driver_for(deployment))
    except InvalidInput as refused:
        return f"{refused} {deployment.suite.infrastructure!r}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(told))


def with_value(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    if key in ("data.sensitivity", "data.entity"):
        changed["data"] = value
        return changed
    target = changed
    *parents, last = key.split(".")
    for parent in parents:
        target = target.setdefault(parent, {})
    target[last] = value
    return changed


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUITE_DEPLOY_STATE_ROOT", raising=False)


@pytest.mark.parametrize("key", sorted(CASES))
def test_a_key_set_to_another_value_has_consequences(key: str, tmp_path: Path) -> None:
    base, value = CASES[key]
    before = consequences(tmp_path, base)
    assert consequences(tmp_path, with_value(base, key, value)) != before, f"{key} is silently ignored"


def test_the_comparison_sees_no_difference_where_there_is_none(tmp_path: Path) -> None:
    assert consequences(tmp_path, EXISTING) == consequences(tmp_path, copy.deepcopy(EXISTING))


#: covered by a case of their parent, which needs them
TOGETHER = {
    "apt.security_mirror",
    "backup.encryption",
    "backup.keep_days",
    "backup.replicate_to",
    "backup.schedule",
    "backup.target",
    "monitoring.remote_write",
    "register.sha256",
    "tls.certificate",
    "tls.directory",
    "tls.eab",
    "tls.email",
}


def test_every_key_of_the_schema_has_a_case() -> None:
    assert keys(SuiteFile) - set(CASES) - TOGETHER == set()
