# SPDX-License-Identifier: MIT
"""What judging costs: figures are printed, limits are the promised ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from suite_deploy.policy import ruleset
from suite_deploy.policy.engine import judge_resources
from suite_deploy.policy.resource import Resource
from tests.checkout import ROOT
from tests.policies.support import subject

RESOURCES = 10_000
PROVIDER = {"region": "eu-west-sbg-snc", "authUrl": "https://auth.region-x.snc.example/v3"}
#: what a large stack is made of, in about these shares
KINDS = (
    (
        "openstack:networking/secGroupRule:SecGroupRule",
        {
            "direction": "ingress",
            "portRangeMin": 443,
            "portRangeMax": 443,
            "protocol": "tcp",
            "remoteIpPrefix": "0.0.0.0/0",
        },
    ),
    (
        "openstack:networking/port:Port",
        {"name": "p", "networkId": "x", "fixedIps": [{"subnetId": "s", "ipAddress": "10.0.0.1"}]},
    ),
    (
        "openstack:compute/instance:Instance",
        {"name": "i", "flavorName": "b3-8", "networks": [{"port": "p"}], "metadata": {"role": "x"}},
    ),
    ("openstack:blockstorage/volume:Volume", {"name": "v", "size": 10, "volumeType": "classic-luks"}),
    ("openstack:networking/network:Network", {"name": "n", "adminStateUp": True, "region": "eu-west-sbg-snc"}),
)


def test_ten_thousand_resources_with_all_rules_take_half_a_second_of_cpu() -> None:
    rules, given = ruleset.load(), subject()
    many = [
        Resource(kind, f"urn:pulumi:x::y::{kind}::r{number}", props, PROVIDER)
        for number in range(RESOURCES // len(KINDS))
        for kind, props in KINDS
    ]
    judge_resources(many[:10], given, rules)
    started = time.process_time()
    found = judge_resources(many, given, rules)
    used = time.process_time() - started
    clauses = sum(1 for rule in rules.rules for clause in rule.clauses if clause.on_resources)
    print(f"{len(many)} resources x {clauses} clauses of {len(rules.rules)} rules: {used:.3f} s CPU")
    assert not [item for item in found if item.is_blocking]
    assert used <= 0.5


def test_check_demo_with_all_rules_takes_one_second_of_cpu(tmp_path: Path) -> None:
    """With byte code kept, as the launcher's environment has it."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"PYTHONPATH": str(ROOT / "cli"), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    best = min(cpu_of([sys.executable, "-m", "suite_deploy", "check", "demo"], variables) for _ in range(5))
    print(f"check demo: {best:.2f} s CPU")
    assert best <= 1.0


def cpu_of(command: list[str], variables: dict[str, str]) -> float:
    before = os.times()
    subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
