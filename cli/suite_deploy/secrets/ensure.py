# SPDX-License-Identifier: MIT
"""Compares what is wanted with what a store holds: adds what may be generated, names what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from suite_deploy.errors import InvalidInput, Problem
from suite_deploy.model.statefiles import STACK_SECRETS
from suite_deploy.secrets import kinds
from suite_deploy.secrets.password import find_vault_password
from suite_deploy.secrets.store import SecretStore
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, SecretWanted

if TYPE_CHECKING:
    from suite_deploy.model.deployment import Deployment


#: of the stack's own secrets, which have the shape of the inventory's
STACK_TOP_KEY = "stack_secrets"


def open_store(deployment: Deployment, vault_password_file: Path | None = None) -> SecretStore:
    """The deployment's secrets: plain in the state directory on local, vaulted beside the inventory elsewhere."""
    vaulted = deployment.driver != "local"
    password = find_vault_password(vault_password_file) if vaulted else None
    return SecretStore(deployment.secrets_file, vaulted=vaulted, password=password, inventory=deployment.given)


def stack_secrets_file(deployment: Deployment) -> Path | None:
    """Where secrets that the infrastructure made are kept, keys of its object store; None when there are none."""
    path = deployment.state_dir / STACK_SECRETS
    return path if path.is_file() else None


def include_stack_secrets(store: SecretStore, deployment: Deployment) -> None:
    """Let `store` know the secrets that the infrastructure made. Raises InvalidInput when one is missing."""
    path = stack_secrets_file(deployment)
    if path:
        store.include(SecretStore(path, vaulted=False, top_key=STACK_TOP_KEY))
    absent = [name for name in deployment.stack_secrets if name not in store]
    found = "was not made by the infrastructure."
    step = f"Run: suite-deploy up {deployment.given}"
    if absent:
        where = str(deployment.state_dir / STACK_SECRETS)
        raise InvalidInput([Problem(where, 0, name, found, "", step) for name in absent])


def missing(store: SecretStore, wanted: Iterable[SecretWanted]) -> tuple[SecretWanted, ...]:
    """What is wanted and not there, in the order wanted."""
    return tuple(one for one in wanted if one.name not in store)


def add_missing(store: SecretStore, wanted: Iterable[SecretWanted]) -> tuple[str, ...]:
    """Generate and keep what is missing and can be generated; returns the names added.

    Raises InvalidInput when the authority's certificate is there without its key: a new key would not fit it.
    """
    absent = missing(store, wanted)
    if AUTHORITY_CERTIFICATE in store and any(one.name == AUTHORITY_KEY for one in absent):
        found = f"is missing while {AUTHORITY_CERTIFICATE} is there: a new key would not fit that certificate."
        step = f"Restore the key, or remove {AUTHORITY_CERTIFICATE} too to start a new authority."
        raise InvalidInput([Problem(str(store.path), 0, AUTHORITY_KEY, found, next_step=step)])
    known: dict[str, Secret] = dict(store)
    fresh: dict[str, Secret] = {}
    # the authority's certificate is made from its key, so it comes last
    for one in sorted(absent, key=lambda each: each.kind == "ca_certificate"):
        if one.kind != "supplied":
            fresh[one.name] = known[one.name] = kinds.generate(one, known)
    return store.add({one.name: fresh[one.name] for one in absent if one.name in fresh})


def require(store: SecretStore, wanted: Iterable[SecretWanted], *, inventory: str) -> dict[str, Secret]:
    """The wanted secrets, by name. inventory: how the operator calls it, for the next step.

    Raises InvalidInput that names every missing key and the command that adds it.
    """
    wanted = tuple(wanted)
    problems = [
        Problem(str(store.path), 0, one.name, f"is missing ({one.purpose or one.kind}).", "", _step(one, inventory))
        for one in missing(store, wanted)
    ]
    if problems:
        raise InvalidInput(problems)
    return {one.name: store[one.name] for one in wanted}


def _step(one: SecretWanted, inventory: str) -> str:
    if one.kind == "supplied":
        return f"Given by you, never generated. Run: suite-deploy secrets set {inventory} {one.name}"
    return f"Run: suite-deploy secrets init {inventory}"
