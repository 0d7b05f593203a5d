# SPDX-License-Identifier: MIT
"""What this machine has to deploy with: found where, in which version, what is missing and how to get it."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from ..errors import CouldNotRun, InvalidInput, SuiteError
from ..model.deployment import Deployment
from ..model.outputs import Progress
from ..model.suite import Cloud, Outscale, Ovh
from ..paths import share_import
from ..runners.process import capture, clean_environment
from . import engine as engines
from .credentials import Credentials, find_driver_credentials
from .failures import innermost
from .ovhapi import API
from .sdk import MODULES, missing, provide

#: seconds a server gets to answer
ANSWER = 10.0
#: what OVHcloud has besides OpenStack
_OWN = "OVHcloud's own interface"
Status = Literal["ok", "missing", "wrong", "not needed", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. found: where it is and which version; never a secret. next_step: how to get it."""

    name: str
    status: Status
    found: str = ""
    next_step: str = ""

    @property
    def bad(self) -> bool:
        """Whether it stands in the way."""
        return self.status in ("missing", "wrong")


def examine(deployment: Deployment | None, vault_password_file: Path | None = None) -> list[Check]:
    """Look at everything a deployment needs; without one, at what any could need. Changes nothing.

    vault_password_file: opens the suite's secrets, to see that it does; ANSIBLE_VAULT_PASSWORD_FILE when None.
    """
    driver = deployment.driver if deployment else None
    checks = [_python(), _ansible(), _program("ssh", "Install it: apt-get install openssh-client"), _skopeo(driver)]
    if deployment is not None:
        checks += [_secrets(deployment, vault_password_file), _pins(deployment)]
    if driver in ("local", "existing"):
        checks.append(Check("engine", "not needed", f"the driver {driver} uses none"))
        return checks
    fixing = f"Run: suite-deploy doctor {deployment.given} --fix" if deployment else "Run: suite-deploy doctor --fix"
    checks += [_packages(driver, fixing), *_engine(driver, fixing)]
    if deployment is not None:
        checks += [_public_key(deployment), *_cloud(deployment)]
    return checks


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


def _skopeo(driver: str | None) -> Check:
    found = _program("skopeo", "Install it where images are locked or copied: apt-get install skopeo")
    return found if found.status == "ok" else Check("skopeo", "not needed", "not on PATH", found.next_step)


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
        return _refused("secrets", error)
    except SuiteError as error:
        return _wrong("secrets", error)
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
        return _refused("image pins", error)
    return Check("image pins", "ok", f"{lock}: all {count}")


def _refused(name: str, error: InvalidInput) -> Check:
    problem = error.problems[0]
    where = f"{problem.file}: {problem.key}: " if problem.key else f"{problem.file}: "
    return Check(name, "wrong", f"{where}{problem.found}", f"{problem.accepted} {problem.next_step}".strip())


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
        absent = "pulumi: neither on PATH nor in this product's cache"
        yield _optional(driver, Check("engine", "missing", absent, fixing))
        return
    where = f"{found.version}, {found.program} ({'on PATH' if found.where == 'PATH' else 'this product’s own'})"
    if not found.usable:
        oldest = ".".join(map(str, engines.OLDEST))
        yield Check("engine", "wrong", where, f"{oldest} or a newer {engines.OLDEST[0]}.x is needed: upgrade it")
        return
    yield Check("engine", "ok", where)
    yield _language(found)
    for plugin, version in engines.plugins_wanted(driver or "").items():
        yield _plugin(found, plugin, version, fixing)


def _language(found: engines.Engine) -> Check:
    beside = found.program.resolve().parent / engines.LANGUAGE_HOST
    program = str(beside) if beside.exists() else shutil.which(engines.LANGUAGE_HOST)
    if program:
        return Check("engine: Python programs", "ok", program)
    step = "It comes with the official engine: unpack the whole archive, not the one program."
    return Check("engine: Python programs", "missing", engines.LANGUAGE_HOST, step)


def _plugin(found: engines.Engine, name: str, version: str, fixing: str = "") -> Check:
    title = f"engine: plugin {name}"
    ambient = shutil.which(f"pulumi-resource-{name}")
    if ambient:
        return Check(title, "ok", f"{ambient} (on PATH, wanted {version})")
    try:
        listed = json.loads(_ask_engine(found, ["plugin", "ls", "--json"]) or "[]")
    except (CouldNotRun, ValueError) as error:
        return Check(title, "wrong", str(error).splitlines()[0], fixing)
    versions = sorted(str(item.get("version", "")) for item in listed if item.get("name") == name)
    if version in versions:
        return Check(title, "ok", version)
    had = f"wanted {version}, there is {', '.join(versions) or 'none'}"
    return Check(title, "missing", had, f"{fixing}, or it is fetched at the first use")


def _ask_engine(found: engines.Engine, words: list[str], mirror: str | None = None) -> str:
    extra = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    if mirror:
        extra["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] = f".*={mirror}"
    environment = clean_environment(extra, allow=("PULUMI_HOME",))
    return capture([found.program, "--non-interactive", *words], environment=environment, timeout=600)


def _cloud(deployment: Deployment) -> Iterator[Check]:
    from . import room

    infrastructure, state = deployment.suite.infrastructure, deployment.suite.state
    assert isinstance(infrastructure, Cloud)
    try:
        credentials = find_driver_credentials(deployment)
    except CouldNotRun as error:
        yield Check("credentials", "wrong", str(error))
        return
    for kind, source in credentials.sources.items():
        names = sorted(name for name in credentials.variables if _belongs(name, kind))
        yield Check(f"credentials: {kind}", "ok", f"{source}: {', '.join(names)}")
    for sentence, partly in zip(credentials.missing, credentials.partly, strict=True):
        found = f"only {partly}" if partly else "none in the environment, nor in a file of the cloud's own tools"
        yield Check("credentials", "missing", found, sentence)
    if isinstance(infrastructure, Outscale) and infrastructure.object_store and "outscale" in credentials.sources:
        said = "the object store takes OSC_ACCESS_KEY only when it is the key of the account's root user"
        yield Check("key for the object store", "not checked", said, 'docs/operator/outscale.md, "Keys of buckets"')
    urls = {"cloud": room.auth_url(infrastructure)}
    if isinstance(infrastructure, Ovh):
        urls[_OWN] = f"{API[infrastructure.endpoint]}/auth/time"
    if state and state.s3:
        urls["state"] = state.s3.endpoint
    if deployment.suite.engine.plugins:
        urls["mirror of plugins"] = deployment.suite.engine.plugins
    reached = {name: _reach(name, url, credentials.variables.get("OS_CACERT")) for name, url in urls.items()}
    yield from reached.values()
    own = None
    if isinstance(infrastructure, Ovh):
        own = _own_interface(infrastructure, credentials, reached[_OWN].status == "ok")
        yield own
    yield _sign_in(deployment, not credentials.missing and reached["cloud"].status == "ok", own)


def _own_interface(infrastructure: Ovh, credentials: Credentials, reached: bool) -> Check:
    """Whether OVHcloud's own interface takes the keys, knows the project, and has its region open. Reads only."""
    from . import ovh_room

    if not reached or "ovh" not in credentials.sources:
        return Check(_OWN, "not checked", "keys or the way to it are missing")
    region = infrastructure.region
    try:
        own = ovh_room.own_interface(infrastructure, credentials)
        opened, vrack = ovh_room.is_open(own, region), ovh_room.vrack_of(own)
    except SuiteError as error:
        return _wrong(_OWN, error)
    said = f"region {region} open" if opened else f"region {region} not open yet: `up` opens it"
    return Check(_OWN, "ok", f"keys accepted, project known, vRack {vrack}, {said}")


def _belongs(name: str, kind: str) -> bool:
    return name.startswith({"openstack": "OS_", "ovh": "OVH_", "outscale": "OSC_", "s3": "AWS_"}[kind])


def _reach(name: str, url: str, cacert: str | None) -> Check:
    import requests

    title = f"reach: {name}"
    try:
        answer = requests.get(url, timeout=ANSWER, verify=cacert or True, allow_redirects=False)
    except requests.RequestException as error:
        reason = innermost(str(error).splitlines()[0])[:200]
        return Check(title, "wrong", f"{url}: {reason}", "Look at the name, the firewall and the proxy variables.")
    return Check(title, "ok", f"{url} (HTTP {answer.status_code})")


def _sign_in(deployment: Deployment, possible: bool, own: Check | None = None) -> Check:
    """Whether the cloud takes the credentials and knows the region; asks for flavors and quota, changes nothing.

    own: what OVHcloud's own interface said, which has to be asked first.
    """
    from . import openstack_room, room

    title, infrastructure = "sign-in and region", deployment.suite.infrastructure
    if not possible or missing(deployment.driver):
        return Check(title, "not checked", "credentials, packages or the way to the cloud are missing")
    try:
        credentials = find_driver_credentials(deployment)
        if own is not None and own.status != "ok" and isinstance(infrastructure, Cloud):
            listed = openstack_room.listed_regions(infrastructure, credentials)
            return Check(title, "ok", f"signed in; regions: {', '.join(listed)}")
        found = room.ask(deployment, credentials)
    except SuiteError as error:
        return _wrong(title, error)
    if found.closed:
        return Check(title, "ok", "; ".join(("signed in", *found.silent)))
    return Check(title, "ok", f"{len(set(found.flavors.values()))} flavors, {len(found.left)} quotas")


def _wrong(title: str, error: SuiteError) -> Check:
    first, *rest = str(error).splitlines()
    return Check(title, "wrong", first, " ".join(line.strip() for line in rest))


def fix(deployment: Deployment | None, progress: Progress) -> None:
    """Get what can be got: packages, the pinned engine where there is none, provider plugins. Raises CouldNotRun."""
    driver = deployment.driver if deployment else None
    if driver in ("local", "existing"):
        return
    progress("Python packages of the clouds")
    for name in [driver] if driver else list(MODULES):
        provide(name)
    found = engines.find_engine()
    if found is None:
        progress(f"the engine {engines.pinned()}")
        _install(engines.pinned())
        found = engines.require_engine()
    mirror = deployment.suite.engine.plugins if deployment else None
    for plugin, version in engines.plugins_wanted(driver or "").items():
        if _plugin(found, plugin, version).bad:
            progress(f"provider plugin {plugin} {version}")
            _ask_engine(found, ["plugin", "install", "resource", plugin, f"v{version}"], mirror)


def _install(version: str, installer: Callable[..., Any] | None = None) -> None:
    """The pinned engine into this product's cache, through the SDK's own installer."""
    from pulumi.automation import PulumiCommand
    from semver import VersionInfo

    root = engines.cached_root(version)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        (installer or PulumiCommand.install)(root=str(root), version=VersionInfo.parse(version))
    except Exception as error:
        # The installer downloads and runs a script: anything may go wrong, and every reason has the same way out.
        raise CouldNotRun(
            f"the engine {version} could not be installed: {_reason(error)}\n"
            f"  Where its site is not reached, unpack the official archive so that {root / 'bin' / engines.PROGRAM}"
            " exists, or put it on PATH: docs/operator/clouds.md"
        ) from error


def _reason(error: Exception) -> str:
    said = getattr(error, "output", None)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
