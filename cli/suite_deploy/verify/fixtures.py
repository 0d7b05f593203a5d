# SPDX-License-Identifier: MIT
"""What a check may ask for by name.

    deployment, outputs        what was deployed, and where
    secret                     function: name (`<component>.<name>`) → value
    web                        sessions and browsers that reach the suite's names at edge
    machine                    one host after the other; `machines`: all of them, by name
    component                  one component after the other; in roles/<component>/verify: that component
    relying_party              each component that signs its users in at the identity provider
    database_client, cache_client   each component that needs a database, a cache
    public_name, web_name      each public host name; each of them that speaks HTTP
    closed_path                each URL that must not answer
    people                     accounts to sign in with; given by the identity provider's own fixtures
    look                       what a reader should look at when the check fails
    conceal                    function: keeps a secret made during the run out of every report

A component adds its own in roles/<component>/verify/fixtures.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..model.deployment import Component, Deployment
from ..model.outputs import StackOutputs
from ..secrets.value import Secret
from . import expected
from .machines import Machine
from .web import Web


@dataclass(frozen=True)
class Context:
    """What one run looks at."""

    deployment: Deployment
    outputs: StackOutputs
    secrets: Mapping[str, Secret]
    machines: Mapping[str, Machine]
    web: Web
    #: component → what it runs on, see images.lock.origins
    images: Mapping[str, str] = field(default_factory=dict)
    #: secrets made during the run
    concealed: list[Secret] = field(default_factory=list)


@dataclass(frozen=True)
class ClosedPath:
    """A URL that must not answer from outside, and the component whose it is."""

    component: Component
    url: str


class Look:
    """Collects, while a check runs, where its reader should look if it fails."""

    def __init__(self) -> None:
        self.hints: list[str] = []
        self.units: list[tuple[str, str]] = []

    def at(self, host: str, unit: str) -> None:
        """A unit on a host: its journal's end is shown with the failure."""
        if (host, unit) not in self.units:
            self.units.append((host, unit))

    def hint(self, text: str) -> None:
        """A sentence: a command to run, a file to read."""
        self.hints.append(text)

    def lines(self) -> tuple[str, ...]:
        """What to show: hints first, then journals, each once."""
        journals = [f"journalctl -u {unit}   (on {host})" for host, unit in self.units]
        return tuple(dict.fromkeys([*self.hints, *journals]))


CONTEXT = pytest.StashKey[Context]()
LOOK = pytest.StashKey[Look]()


@pytest.fixture(scope="session")
def deployment(pytestconfig: pytest.Config) -> Deployment:
    return pytestconfig.stash[CONTEXT].deployment


@pytest.fixture(scope="session")
def outputs(pytestconfig: pytest.Config) -> StackOutputs:
    return pytestconfig.stash[CONTEXT].outputs


@pytest.fixture(scope="session")
def secret(pytestconfig: pytest.Config) -> Callable[[str], str]:
    secrets = pytestconfig.stash[CONTEXT].secrets

    def value_of(name: str) -> str:
        if name not in secrets:
            pytest.fail(f"the secret {name} is missing from the suite's secrets")
        return secrets[name].reveal()

    return value_of


@pytest.fixture(scope="session")
def conceal(pytestconfig: pytest.Config) -> Callable[[Secret], None]:
    return pytestconfig.stash[CONTEXT].concealed.append


@pytest.fixture(scope="session")
def web(pytestconfig: pytest.Config) -> Web:
    return pytestconfig.stash[CONTEXT].web


@pytest.fixture(scope="session")
def machines(pytestconfig: pytest.Config) -> Mapping[str, Machine]:
    return pytestconfig.stash[CONTEXT].machines


@pytest.fixture
def machine(request: pytest.FixtureRequest, machines: Mapping[str, Machine]) -> Machine:
    return machines[request.param]


@pytest.fixture
def component(request: pytest.FixtureRequest, look: Look) -> Component:
    found: Component = request.param
    for unit in expected.units_of(found):
        look.at(found.host, unit)
    return found


@pytest.fixture
def relying_party(request: pytest.FixtureRequest) -> Component:
    found: Component = request.param
    return found


@pytest.fixture
def database_client(request: pytest.FixtureRequest, deployment: Deployment, look: Look) -> Component:
    look.at(deployment.host_of("data").name, expected.POSTGRESQL_UNIT)
    found: Component = request.param
    return found


@pytest.fixture
def cache_client(request: pytest.FixtureRequest, deployment: Deployment, look: Look) -> Component:
    found: Component = request.param
    look.at(deployment.host_of("data").name, expected.VALKEY_UNIT.format(found.slug))
    return found


@pytest.fixture
def public_name(request: pytest.FixtureRequest, deployment: Deployment, look: Look) -> str:
    look.at(deployment.host_of("edge").name, expected.EDGE_UNIT)
    return str(request.param)


@pytest.fixture
def web_name(request: pytest.FixtureRequest, deployment: Deployment, look: Look) -> str:
    look.at(deployment.host_of("edge").name, expected.EDGE_UNIT)
    return str(request.param)


@pytest.fixture
def closed_path(request: pytest.FixtureRequest, deployment: Deployment, look: Look) -> ClosedPath:
    found: ClosedPath = request.param
    look.hint(f"roles/{found.component.slug}/component.yml: routes, closed_paths")
    look.at(deployment.host_of("edge").name, expected.EDGE_UNIT)
    return found


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    found: Look = request.node.stash.setdefault(LOOK, Look())
    return found


@pytest.fixture(scope="session")
def people() -> Any:
    pytest.skip("no enabled component provides accounts to sign in with")
