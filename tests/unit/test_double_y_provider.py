# SPDX-License-Identifier: MIT
"""The double of Docs' collaboration server refuses each missing or wrong setting."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.checkout import ROOT

FOLDER = ROOT / "tests/doubles/y-provider"
GOOD = {
    "COLLABORATION_BACKEND_BASE_URL": "https://docs.doubles.example",
    "COLLABORATION_SERVER_ORIGIN": "https://docs.doubles.example",
    "COLLABORATION_SERVER_SECRET": "c" * 40,
    "Y_PROVIDER_API_KEY": "y" * 40,
    "COLLABORATION_LOGGING": "false",
    "PORT": "4444",
    "NODE_EXTRA_CA_CERTS": "/there",
}
CALL = """
import { problems } from './contract.js';
const cases = JSON.parse(process.argv[1]);
console.log(JSON.stringify(cases.map((env) => problems(env, (path) => path === '/there'))));
"""
WRONG = [
    ("COLLABORATION_BACKEND_BASE_URL", "http://backend:8000"),
    ("COLLABORATION_BACKEND_BASE_URL", "https://docs.doubles.example/"),
    ("COLLABORATION_SERVER_ORIGIN", "docs.doubles.example"),
    ("COLLABORATION_SERVER_SECRET", "secret-api-key"),
    ("COLLABORATION_SERVER_SECRET", "tiny"),
    ("Y_PROVIDER_API_KEY", "yprovider-api-key"),
    ("COLLABORATION_LOGGING", "yes"),
    ("PORT", "http"),
    ("NODE_EXTRA_CA_CERTS", "/nowhere"),
]
REQUIRED = ("COLLABORATION_BACKEND_BASE_URL", "COLLABORATION_SERVER_ORIGIN", "COLLABORATION_SERVER_SECRET")
MISSING = [*REQUIRED, "Y_PROVIDER_API_KEY", "NODE_EXTRA_CA_CERTS"]


@pytest.fixture(scope="module")
def complaints() -> list[list[str]]:
    """What it says of the good environment, of each wrong value, of each missing name: one start of Node for all."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js on this machine")
    cases = [GOOD, *({**GOOD, name: value} for name, value in WRONG)]
    cases += [{key: value for key, value in GOOD.items() if key != name} for name in MISSING]
    command = [node, "--input-type=module", "--eval", CALL, json.dumps(cases)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True, timeout=60)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_good_environment_is_accepted(complaints: list[list[str]]) -> None:
    assert complaints[0] == []


@pytest.mark.parametrize("index", range(len(WRONG)), ids=[f"{name}={value}" for name, value in WRONG])
def test_wrong_setting_is_named(index: int, complaints: list[list[str]]) -> None:
    name, value = WRONG[index]
    found = complaints[1 + index]
    assert len(found) == 1 and found[0].startswith(name), found
    assert "SECRET" not in name or value not in found[0]


@pytest.mark.parametrize("index", range(len(MISSING)), ids=MISSING)
def test_missing_setting_is_named(index: int, complaints: list[list[str]]) -> None:
    found = complaints[1 + len(WRONG) + index]
    assert found == [f"{MISSING[index]} is not set"]


def test_every_setting_it_looks_at_is_one_that_upstream_reads() -> None:
    known = set((ROOT / "tests/contract/docs-y-provider-variables.txt").read_text().splitlines())
    assert set(GOOD) <= known
