# SPDX-License-Identifier: MIT
"""The stages every command is made of, in the order of the design: judge, hosts, images, render, converge, verify."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .drivers import driver_for
from .errors import CouldNotRun, FoundFailures, InvalidInput, Problem
from .files import write_whole
from .model.deployment import Deployment
from .model.immutable import record_immutables
from .model.outputs import OnCloud, Progress, StackOutputs
from .model.statefiles import AUTHORITY, BUILD, INSTALLED, RUN_RECORD, SSH_CONFIG
from .paths import machine_cache
from .render.inventory import addresses, write_inventory
from .render.render import render
from .render.tree import RenderedTree
from .report.console import Stages
from .runners import lock
from .runners.elevate import become_root
from .settings import Settings

if TYPE_CHECKING:
    from .policy.findings import Verdict
    from .runners.ansible import Converged
    from .secrets.store import SecretStore


@dataclass
class Session:
    """One command at work on one deployment."""

    deployment: Deployment
    settings: Settings
    stages: Stages
    #: component → why it is left out of this run
    skipped: dict[str, str] = field(default_factory=dict)
    #: what this run let go of: it stays in the cloud
    let_go: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The suite's state directory."""
        return self.deployment.state_dir

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Root where the driver needs it, then the suite's lock; kept SSH connections end with it."""
        if self.deployment.is_local:
            become_root(f"{command} {self.deployment.name}: making hosts on this machine")
        with lock.hold(self.state, f"suite-deploy {command} {self.deployment.name}"):
            try:
                yield
            finally:
                from .runners.ssh import close_connections

                close_connections(self.state, [host.name for host in self.deployment.hosts])


def refuse_what_is_missing(deployment: Deployment) -> None:
    """Raise InvalidInput for values that load but that this version cannot deploy."""
    if deployment.not_in_this_version:
        raise InvalidInput(deployment.not_in_this_version)


def judge(deployment: Deployment, on: Any = None) -> tuple[RenderedTree, Verdict]:
    """Render with documentation addresses and let the policies judge; touches nothing and opens no socket."""
    from .policy import collect_ambient
    from .policy import judge as judge_policies

    tree = render(deployment)
    ambient = collect_ambient(os.environ, Path.home())
    return tree, judge_policies(deployment, tree, on=on, ambient=ambient)


def open_secrets(session: Session) -> SecretStore:
    """The suite's secrets; on `local` missing ones are generated, elsewhere a missing one is an error (exit 2)."""
    from .secrets.ensure import add_missing, open_store, require

    deployment = session.deployment
    store = open_store(deployment, session.settings.vault_password_file)
    if deployment.is_local:
        add_missing(store, deployment.secrets_wanted)
    require(store, deployment.secrets_wanted, inventory=deployment.given)
    certificate = store["suite.ca_cert"].reveal()
    _refuse_names_the_authority_may_not_sign(deployment, certificate)
    authority = session.state / AUTHORITY
    write_whole(authority, certificate, 0o644)
    authority.chmod(0o644)
    return store


def _refuse_names_the_authority_may_not_sign(deployment: Deployment, certificate: str) -> None:
    """The authority is bound to names; a host name added later outside the domain would get a useless certificate."""
    from .secrets.authority import names_not_covered

    outside = names_not_covered(certificate, deployment.public_names)
    if outside and deployment.suite.tls.issuer == "internal-ca":
        found = f"this suite's authority may not sign for {', '.join(outside)}: it was made before these names."
        step = "Use names under `domain`, or remove suite.ca_key and suite.ca_cert to start a new authority."
        raise InvalidInput([Problem(str(deployment.secrets_file), 0, "suite.ca_cert", found, "", step)])


def redactor(store: SecretStore, deployment: Deployment) -> Callable[[str], str]:
    """A function that takes every secret out of a line."""
    from .secrets.redactor import Redactor

    wanted = {item.name for item in deployment.secrets_wanted if not item.public} | set(deployment.stack_secrets)
    return Redactor({name: store[name] for name in store if name in wanted}).redact


def infrastructure(
    session: Session, progress: Progress, frozen: bool = False, release: tuple[str, ...] = ()
) -> StackOutputs:
    """Bring up the hosts, or take them as they are when `frozen`; note what can never change from here on.

    release: volumes and buckets of a cloud that this run may let go of. Raises CouldNotRun where that is not possible.
    """
    driver = driver_for(session.deployment, session.settings.vault_password_file)
    cloud = driver if isinstance(driver, OnCloud) else None
    if release and (cloud is None or frozen):
        why = "the policies leave these hosts exactly as they are" if cloud else "no cloud holds data of this suite"
        raise CouldNotRun(f"nothing was changed: --release is not possible here, {why}")
    if cloud:
        cloud.release = release
    try:
        outputs = driver.outputs() if frozen else driver.apply(progress)
    finally:
        session.let_go += map(str, cloud.let_go) if cloud else ()
    if outputs is None:
        raise CouldNotRun("the hosts this suite recorded are gone, and none may be created: see `suite-deploy check`")
    record_immutables(session.deployment)
    return outputs


def existing_outputs(session: Session) -> StackOutputs | None:
    """What exists now, read only."""
    return driver_for(session.deployment, session.settings.vault_password_file).outputs()


def resolve_images(session: Session, outputs: StackOutputs, progress: Progress) -> dict[str, str]:
    """`name:tag` → reference by digest for every image; components without one are skipped on `local`."""
    from .images.lock import used_images
    from .images.resolve import resolve_local, resolve_locked

    deployment = session.deployment
    if deployment.is_local:
        wanted = used_images(deployment)
        registry = str(outputs.facts["registry"])
        mirror = deployment.suite.images.mirror
        lock_path = deployment.images_lock
        resolution = resolve_local(list(wanted), registry, machine_cache(), lock_path, progress, mirror=mirror)
        for upstream, reason in resolution.skipped.items():
            session.skipped |= dict.fromkeys(wanted[upstream], f"{upstream}: {reason}")
        drop_skipped(session)
        for slug, why in sorted(session.skipped.items()):
            progress(f"SKIPPED {slug}: {why}")
        return dict(resolution.pinned)
    return resolve_locked(deployment)


def drop_skipped(session: Session) -> None:
    """Leave skipped components out, and with them whoever cannot do without them."""
    deployment = session.deployment
    while True:
        kept = deployment.without(session.skipped)
        for slug, component in kept.components.items():
            for kind in component.description.needs.kinds:
                provider = deployment.provider_for(component, kind)
                if provider is not None and provider.slug in session.skipped:
                    title = provider.description.title
                    session.skipped[slug] = f"it cannot do without {title} ({provider.slug}), which is skipped"
        if set(session.skipped).isdisjoint(kept.components):
            session.deployment = kept
            return


def show_verdict(verdict: Verdict, settings: Settings) -> None:
    """The policies' report on standard output."""
    from .policy.output import write_reports

    write_reports(verdict, format=settings.format)


def allows(verdict: Verdict, deployment: Deployment) -> tuple[bool, bool]:
    """Whether `up` may run, and whether the infrastructure must be left exactly as it is.

    A qualification that ended stops creating and replacing; what exists and did not change still converges.
    """
    known = last_run(deployment.state_dir).get("infrastructure_digest")
    existing = bool(known) and known == verdict.infrastructure_digest
    if not verdict.blocking:
        return True, False
    return existing and not verdict.blocking_converge, True


def configure(
    session: Session, outputs: StackOutputs, images: Mapping[str, str], frozen: bool
) -> tuple[RenderedTree, Verdict]:
    """Render for real, judge what will be installed, and write build tree, inventory and SSH configuration.

    frozen: the infrastructure exists and stays as it is. Raises FoundFailures when the policies refuse.
    """
    from .policy import collect_ambient
    from .policy import judge as judge_policies
    from .policy.gate import carried

    tree = render(session.deployment, addresses(outputs), images)
    ambient = collect_ambient(os.environ, Path.home())
    verdict = judge_policies(session.deployment, tree, ambient=ambient)
    if verdict.blocking_converge or (verdict.blocking and not frozen):
        raise FoundFailures("the policies refuse what would be installed; see `suite-deploy check`")
    tree.write(session.state / BUILD)
    record = carried(verdict, inputs=tree.digest, existing=frozen)
    write_inventory(session.state, tree, outputs, record, tree.digest)
    return tree, verdict


def converge_hosts(session: Session, tree: RenderedTree, store: SecretStore, progress: Progress) -> Converged:
    """Run the roles; on success the build tree becomes `what was last installed`."""
    from .runners.ansible import converge
    from .secrets.ensure import include_stack_secrets, stack_secrets_file

    include_stack_secrets(store, session.deployment)
    result = converge(
        session.state,
        session.deployment.secrets_file,
        session.settings.vault_password_file,
        stack_secrets=stack_secrets_file(session.deployment),
        progress=progress,
        redact=redactor(store, session.deployment),
    )
    tree.write(session.state / INSTALLED)
    return result


def record_run(session: Session, content: Mapping[str, Any]) -> None:
    """Keep what the last run came to, for `status`; holds no secret."""
    write_whole(session.state / RUN_RECORD, json.dumps(content, indent=2, sort_keys=True) + "\n", 0o644)


def last_run(state: Path) -> dict[str, Any]:
    """What the last successful `up` recorded; empty when there was none."""
    try:
        return dict(json.loads((state / RUN_RECORD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CouldNotRun(f"{state / RUN_RECORD}: cannot be read: {error}") from error


def known_skips(deployment: Deployment) -> dict[str, str]:
    """What the last `up` left out, and why."""
    record = last_run(deployment.state_dir)
    return {
        item["component"]: item["reason"]
        for item in record.get("skipped", [])
        if item["component"] in deployment.components
    }


def known_images(deployment: Deployment) -> dict[str, str]:
    """References the last `up` resolved; an image it did not know yet keeps its placeholder."""
    return dict(last_run(deployment.state_dir).get("images", {}))


def need_state(session: Session, command: str) -> None:
    """On `local` what is private belongs to root: start again through sudo when it cannot be read."""
    private = (session.deployment.secrets_file, session.state / BUILD, session.state / SSH_CONFIG)
    if session.deployment.is_local and any(path.exists() and not os.access(path, os.R_OK) for path in private):
        become_root(f"{command} {session.deployment.name}: reading the state of hosts on this machine")
