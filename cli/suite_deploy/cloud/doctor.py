# SPDX-License-Identifier: MIT
"""What this machine has to deploy with: found where, in which version, what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from ..errors import CouldNotRun, InvalidInput, SuiteError
from ..model.deployment import Deployment
from ..paths import share_import
from . import engine as engines
from . import prices
from .check import Check, refused, wrong
from .installing import plugin_check, unpacked_by_hand
from .sdk import MODULES, missing, provide
from .typed import typed


def examine(deployment: Deployment | None, vault_password_file: Path | None = None) -> list[Check]:
    """Look at everything a deployment needs; without one, at what any could need. Changes nothing.

    vault_password_file: opens the suite's secrets, to see that it does; ANSIBLE_VAULT_PASSWORD_FILE when None.
    """
    driver = deployment.driver if deployment else None
    checks = [_python(), _ansible(), _program("ssh", "Install it: apt-get install openssh-client"), _skopeo()]
    if deployment is not None:
        checks += [_policies(deployment), _secrets(deployment, vault_password_file), _pins(deployment)]
    if driver in ("local", "existing"):
        checks.append(Check("engine", "not needed", f"the driver {driver} uses none"))
        return checks
    fixing = f"Run: suite-deploy doctor {deployment.given} --fix" if deployment else "Run: suite-deploy doctor --fix"
    checks += [_packages(driver, fixing), *_engine(driver, fixing)]
    if deployment is None:
        return checks
    from .doctor_cloud import cloud_checks

    checks += [_public_key(deployment), *_prices(deployment), *cloud_checks(deployment)]
    return [
        replace(one, found=typed(one.found, deployment.given), next_step=typed(one.next_step, deployment.given))
        for one in checks
    ]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()}, {sys.executable}")


def _ansible() -> Check:
    try:
        return Check("ansible", "ok", f"{metadata.version('ansible-core')} (ansible-core), with this program")
    except metadata.PackageNotFoundError:
        return Check("ansible", "missing", "", "It belongs to this program: install it anew")


def _program(name: str, next_step: str) -> Check:
    found = shutil.which(name)
    return Check(name, "ok", found) if found else Check(name, "missing", "not on PATH", next_step)


def _skopeo() -> Check:
    found = _program("skopeo", "Install it where images are locked or copied: apt-get install skopeo")
    return found if found.status == "ok" else Check("skopeo", "not needed", "not on PATH", found.next_step)


def _policies(deployment: Deployment) -> Check:
    """Whether the policies let `up` begin: they judge settings around the inventory too."""
    from ..pipeline import judge

    try:
        _, verdict = judge(deployment)
    except SuiteError as error:
        return wrong("policies", error)
    refusals = [f"{one.rule}: {one.target}: {one.message}" for one in verdict.findings if one.is_blocking]
    if not refusals:
        return Check("policies", "ok", f"accepted by the profile {deployment.suite.profile}")
    more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
    return Check("policies", "wrong", refusals[0] + more, f"Run: suite-deploy check {deployment.given}")


def _prices(deployment: Deployment) -> Iterator[Check]:
    """The table of prices, where there is one."""
    try:
        found = prices.read_prices(deployment.directory)
    except InvalidInput as error:
        yield refused("prices", error)
        return
    if found:
        yield Check("prices", "ok", f"{deployment.directory / prices.FILE}: as of {found.as_of}")


def _secrets(deployment: Deployment, vault_password_file: Path | None) -> Check:
    """Whether every secret that `up` wants is in the file, and the vault password opens them. Never a value."""
    from ..secrets.ensure import missing as missing_of
    from ..secrets.ensure import open_store, require

    if deployment.is_local:
        return Check("secrets", "not needed", "`up` makes what is missing on this machine")
    wanted = deployment.secrets_wanted
    try:
        store = open_store(deployment, vault_password_file)
        absent = missing_of(store, wanted)
        if absent:
            found = f"{store.path}: lacks {', '.join(one.name for one in absent)}"
            return Check(
                "secrets", "missing", found, _steps(lambda: require(store, absent, inventory=deployment.given))
            )
        if not wanted or store.password is None:
            return Check("secrets", "ok", f"{store.path}: all {len(wanted)}; not opened, no vault password was given")
        store[wanted[0].name].reveal()
    except InvalidInput as error:
        return refused("secrets", error)
    except SuiteError as error:
        return wrong("secrets", error)
    return Check("secrets", "ok", f"{store.path}: all {len(wanted)}, opened with {store.password.source}")


def _pins(deployment: Deployment) -> Check:
    """Whether the lock file pins every image: `up` makes no host before it does."""
    from ..images.lock import require_pins, unpinned, used_images

    if deployment.is_local:
        return Check("image pins", "not needed", "`up` pins images on this machine")
    lock, count = deployment.images_lock, len(used_images(deployment))
    try:
        absent = len(unpinned(deployment))
        if absent:
            step = f"Run: suite-deploy images lock {deployment.given}"
            return Check("image pins", "missing", f"{lock}: lacks {absent} of {count}", step)
        require_pins(deployment)
    except InvalidInput as error:
        return refused("image pins", error)
    return Check("image pins", "ok", f"{lock}: all {count}")


def _steps(refuse: Callable[[], object]) -> str:
    """The next steps of what a check raises, each once."""
    try:
        refuse()
    except InvalidInput as error:
        return " ".join(dict.fromkeys(problem.next_step for problem in error.problems))
    return ""


def _public_key(deployment: Deployment) -> Check:
    """Whether the key that new hosts are told is there."""
    spec = share_import("stacks.components.spec")
    try:
        spec.ssh_public_key(deployment)
    except InvalidInput as error:
        problem = error.problems[0]
        return Check("SSH public key", "missing", problem.found, problem.next_step)
    return Check("SSH public key", "ok", str(spec.public_key_file(deployment)))


def _optional(driver: str | None, check: Check) -> Check:
    """Without an inventory what only clouds need is no fault."""
    if driver is None and check.bad:
        return Check(check.name, "not needed", f"{check.found or check.status}; only clouds need it", check.next_step)
    return check


def _packages(driver: str | None, fixing: str) -> Check:
    names = [driver] if driver else list(MODULES)
    try:
        for name in names:
            provide(name, make=False)
    except CouldNotRun:
        absent = sorted({module for name in names for module in missing(name)})
        return _optional(driver, Check("python packages of clouds", "missing", f"lacks {', '.join(absent)}", fixing))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pulumi", "pulumi-policy"))
    return Check("python packages of clouds", "ok", versions)


def _engine(driver: str | None, fixing: str) -> Iterator[Check]:
    try:
        found = engines.find_engine()
    except CouldNotRun as error:
        yield Check("engine", "wrong", str(error).splitlines()[0], fixing)
        return
    if found is None:
        yield _optional(driver, _no_engine(fixing))
        for plugin, version in engines.plugins_wanted(driver or "").items():
            yield plugin_check(None, plugin, version, fixing)
        return
    where = f"{found.version}, {found.program} ({'on PATH' if found.where == 'PATH' else 'this product’s own'})"
    if not found.usable:
        oldest = ".".join(map(str, engines.OLDEST))
        yield Check("engine", "wrong", where, f"{oldest} or a newer {engines.OLDEST[0]}.x is needed: upgrade it")
        return
    yield Check("engine", "ok", where)
    yield _language(found)
    for plugin, version in engines.plugins_wanted(driver or "").items():
        yield plugin_check(found, plugin, version, fixing)


def _no_engine(fixing: str) -> Check:
    absent = "pulumi: neither on PATH nor in this product's cache"
    try:
        version = engines.pinned()
    except CouldNotRun:
        return Check("engine", "missing", absent, fixing)
    step = f"{fixing}. Where its site is not reached, {unpacked_by_hand(version)}"
    return Check("engine", "missing", f"{absent}, wanted {version}", step)


def _language(found: engines.Engine) -> Check:
    beside = found.program.resolve().parent / engines.LANGUAGE_HOST
    program = str(beside) if beside.exists() else shutil.which(engines.LANGUAGE_HOST)
    if program:
        return Check("engine: Python programs", "ok", program)
    step = "It comes with the official engine: unpack the whole archive, not the one program."
    return Check("engine: Python programs", "missing", engines.LANGUAGE_HOST, step)
