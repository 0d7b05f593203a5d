# SPDX-License-Identifier: MIT
"""Driver of every cloud: the engine makes what the program in stacks/<driver> describes; quota is asked before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..errors import CouldNotRun
from ..files import writable, write_whole
from ..model.deployment import Deployment
from ..model.immutable import record_cloud
from ..model.outputs import PlanItem, Progress, StackOutputs
from ..model.sizing import with_flavors
from ..model.statefiles import (
    ENGINE,
    FLAVORS,
    GONE_WITH_DATA,
    GONE_WITH_HOSTS,
    KNOWN_HOSTS,
    LOGS,
    OUTPUTS,
    SSH_CONFIG,
    STACK_SECRETS,
    UNFINISHED,
)
from ..model.suite import Cloud, Ovh
from ..paths import resource_root, share_import
from ..render.inventory import ssh_config
from ..runners.process import clean_environment
from ..secrets.ensure import STACK_TOP_KEY, open_store, require
from . import asking, flavors, known, ovh_buckets, ovh_room, ownkeys, prices, samecloud, strays, versions
from .credentials import Credentials, find_driver_credentials, without_files
from .engine import (
    FLAVORS_KEY,
    IMAGE_KEY,
    INVENTORY_KEY,
    INVENTORY_VARIABLE,
    PROJECT_KEY,
    Engine,
    backend_url,
    project_name,
    require_engine,
)
from .plan import Step, kind_of, name_of, opens_data, plan_items
from .release import LetGo, letting_go, require_let_go
from .room import Room
from .sdk import provide
from .typed import names_inventory

if TYPE_CHECKING:
    from ..runners.pulumi import EngineStack
    from ..secrets.store import SecretStore
    from .decision import Decision

#: name of the secret that encrypts what is secret in the engine's state
STATE_KEY = "suite.engine_passphrase"
#: export of a program that could not do everything in one run
AGAIN = "again"
#: seconds a new host gets until it answers on SSH
FIRST_BOOT = 600.0


class CloudDriver:
    """The infrastructure of one deployment on a cloud.

    vault_password_file: opens the secret that encrypts the engine's state, read only when the engine runs.
    """

    def __init__(self, deployment: Deployment, vault_password_file: Path | None = None) -> None:
        self.deployment = deployment
        self.state = deployment.state_dir
        self.vault_password_file = vault_password_file
        self._steps: list[Step] | None = None
        self._room: Room | None = None
        #: flavors chosen in this run, by size of derived hosts
        self._chosen: dict[str, str] = {}
        #: what the program had to say of the plan
        self.notes: tuple[str, ...] = ()
        #: volumes and buckets that the next `apply` may let go of, by the engine's own names
        self.release: tuple[str, ...] = ()
        #: what `apply` let go of
        self.let_go: list[LetGo] = []

    @property
    def infrastructure(self) -> Cloud:
        """What the inventory says of the cloud."""
        found = self.deployment.suite.infrastructure
        assert isinstance(found, Cloud)
        return found

    def preview(self) -> list[PlanItem]:
        return plan_items(self.steps())

    @names_inventory
    def steps(self) -> list[Step]:
        """What the engine would do now, asked once, after asking the cloud what it has."""
        if self._steps is None:
            engine = require_engine(self.deployment.given)
            self._ask()
            with writable(self.state):
                stack = self._stack(engine)
                samecloud.refuse_other_cloud(self.deployment, stack, self._project)
                self._steps = stack.preview()
                self.notes = (*stack.warnings, *(f"after `up`, {item}" for item in stack.let_go.values()))
            found = strays.find_strays(self._steps, self.infrastructure, self.credentials())
            if found:
                self.notes += (f"`up` refuses this plan: {strays.said(found)}",)
        return self._steps

    @names_inventory
    def decide(self) -> Decision:
        """What a person needs to decide on: the plan, room on the cloud, cost. Reads only."""
        steps = self.steps()
        assert self._room is not None
        from .decision import weigh

        return weigh(self.deployment, steps, self._room)

    @names_inventory
    def apply(self, progress: Progress) -> StackOutputs:
        """Raises CouldNotRun or InvalidInput, before anything was created, for what the cloud refuses or lacks.

        That is credentials, region, flavors, room, no answer; and for data that would be lost. What fails later is
        CouldNotRun too, with everything remembered that was made.
        """
        stack, exports = self._carry_out(progress)
        if AGAIN in exports:
            progress(str(exports[AGAIN]))
            self._wait_for_region(progress)
            stack, exports = self._carry_out(progress)
        outputs = self._read(exports)
        self._write_secrets(exports)
        progress("waiting for the hosts to answer")
        self._meet_hosts(outputs, progress)
        write_whole(self.state / OUTPUTS, outputs.to_json(), 0o644)
        ovh_buckets.open_to_pages(self.deployment, stack, progress)
        versions.keep_versions(self.deployment, self.credentials(), exports, progress)
        (self.state / UNFINISHED).unlink(missing_ok=True)
        return outputs

    def _carry_out(self, progress: Progress) -> tuple[EngineStack, dict[str, Any]]:
        """Room, preview, refusal, then the plan itself; returns the stack and its exports."""
        engine = require_engine(self.deployment.given)
        progress("asking the cloud what it has and what is left")
        self._ask()
        stack, names = self._stack(engine, progress), self.release
        samecloud.refuse_other_cloud(self.deployment, stack, self._project)
        with letting_go(stack, names, progress):
            progress("asking the engine what would change")
            self._steps, self.notes = stack.preview(progress), tuple(stack.warnings)
            require_let_go(stack, names, self._steps)
            self.decide().refuse()
            strays.refuse_strays(self._steps, self.infrastructure, self.credentials())
        for name in stack.cut_off():
            progress(
                f"an earlier run was cut off while creating {name}: if the cloud holds one that this suite does not"
                " use, remove it there"
            )
        if self._chosen:
            write_whole(self.state / FLAVORS, flavors.remembered(self.state, self._chosen), 0o644)
        record_cloud(self.deployment, self._room.project if self._room else "")
        write_whole(self.state / UNFINISHED, "", 0o644)
        try:
            stack.up(progress)
        finally:
            for item in stack.let_go.values():
                progress(str(item))
            self.let_go += stack.let_go.values()
        self.release = ()
        exports, _ = stack.outputs()
        return stack, exports

    def _ask(self) -> None:
        """Ask the cloud what it has, before the engine is started; derived hosts get their flavors.

        Raises CouldNotRun when it refuses, InvalidInput for flavors, types of volumes and zones it does not have, and
        for a table of prices that cannot be read.
        """
        provide(self.deployment.driver)
        prices.read_prices(self.deployment.directory)
        ownkeys.refuse_own_keys(self.deployment, self.credentials(), self._secrets)
        self._room = asking.ask(self.deployment, self.credentials())
        samecloud.refuse_other_project(self.deployment, self._room.project)
        self._chosen |= flavors.choose(self.deployment, self._room)
        self.deployment = with_flavors(self.deployment, self._chosen)
        known.require_known(self.deployment, self._room)

    def _project(self) -> str:
        """Identifier of the project that the credentials are of; "" where the cloud has none. Raises CouldNotRun."""
        return self._room.project if self._room else samecloud.signed_in(self.infrastructure, self.credentials())

    @property
    def unfinished(self) -> bool:
        """Whether an `up` of this machine began to create or change things and did not come to its end."""
        return (self.state / UNFINISHED).exists()

    @names_inventory
    def outputs(self) -> StackOutputs | None:
        """As the last `apply` left them; read from the engine's state where this machine has no record."""
        try:
            return StackOutputs.from_json((self.state / OUTPUTS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._outputs_of_state()
        except (OSError, ValueError) as error:
            raise CouldNotRun(f"{self.state / OUTPUTS}: cannot be read: {error}. Run `up` again.") from error

    @names_inventory
    def destroy(self, progress: Progress, *, with_data: bool) -> list[str]:
        engine = require_engine(self.deployment.given)
        provide(self.deployment.driver)
        samecloud.refuse_other_credentials(self.deployment, self.credentials())
        stack = self._stack(engine, progress)
        if not stack.exists():
            self._forget(with_data)
            return []
        samecloud.refuse_other_cloud(self.deployment, stack, self._project)
        if with_data:
            ovh_buckets.empty(self.deployment, stack, progress)
        # The engine forgets these and leaves them in the cloud: nothing else remembers their ids.
        forgotten = [one for one in stack.resources() if one.get("retainOnDelete")]
        left = stack.destroy(progress, with_data=with_data)
        self._forget(with_data)
        still_known = {resource["urn"] for resource in left}
        kept = [one for one in left if one.get("protect") and not opens_data(one["type"])]
        kept += [one for one in forgotten if one["urn"] not in still_known]
        return sorted(
            f"{kind_of(one['type'])} {one['id']} ({name_of(one['urn'])})" for one in kept if one.get("custom")
        )

    @names_inventory
    def unlock(self) -> None:
        """Remove the engine's lock on this suite's state."""
        self._stack(require_engine(self.deployment.given)).unlock()

    def credentials(self) -> Credentials:
        """The credentials the cloud is asked with. Raises CouldNotRun when they are not complete."""
        found = find_driver_credentials(self.deployment)
        found.require()
        return found

    # the engine

    def _passphrase(self) -> str:
        """Encrypts secrets in the engine's state; empty where a key service does. Raises InvalidInput without it."""
        wanted = [item for item in self.deployment.secrets_wanted if item.name == STATE_KEY]
        if not wanted:
            return ""
        return require(self._secrets(), wanted, inventory=self.deployment.given)[STATE_KEY].reveal()

    def _secrets(self) -> SecretStore:
        return open_store(self.deployment, self.vault_password_file)

    def _stack(self, engine: Engine, note: Progress = lambda text: None) -> EngineStack:
        prefix = provide(self.deployment.driver)
        from ..runners.pulumi import EngineStack, Project
        from ..secrets.redactor import Redactor
        from ..secrets.value import Secret

        suite = self.deployment.suite
        credentials, passphrase = self.credentials(), self._passphrase()
        hidden = {str(index): Secret(str(index), text) for index, text in enumerate(credentials.secret_values)}
        if passphrase:
            hidden[STATE_KEY] = Secret(STATE_KEY, passphrase)
        redact = Redactor(hidden).redact
        driver, config = self.deployment.driver, {INVENTORY_KEY: str(self.deployment.directory)}
        if self._chosen:
            config[FLAVORS_KEY] = json.dumps(self._chosen, sort_keys=True)
        if self._room and self._room.image_gib:
            config[IMAGE_KEY] = str(self._room.image_gib)
        if self._room and self._room.project:
            config[PROJECT_KEY] = self._room.project
        project = Project(
            name=project_name(self.deployment),
            stack=suite.suite,
            program=resource_root() / "stacks" / driver,
            work=self.state / ENGINE / driver,
            config=config,
            environment=self._environment(engine, credentials, passphrase, prefix),
            interpreter=prefix,
            pack=self._pack(prefix),
            log=self.state / LOGS / "engine.log",
            unlock=f"suite-deploy doctor {self.deployment.given} --unlock",
            secrets_provider="" if suite.secrets_provider == "passphrase" else suite.secrets_provider,
        )
        return EngineStack(engine, project, redact, note)

    def _wait_for_region(self, progress: Progress) -> None:
        """The program opened the region; everything else has to wait until it works."""
        infrastructure = self.infrastructure
        if isinstance(infrastructure, Ovh):
            ovh_room.wait_until_open(infrastructure, self.credentials(), progress)

    def _environment(self, engine: Engine, credentials: Credentials, passphrase: str, prefix: Path) -> dict[str, str]:
        """Everything the engine and its children may know."""
        root, suite = resource_root(), self.deployment.suite
        own = {
            "PULUMI_BACKEND_URL": backend_url(self.deployment),
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            INVENTORY_VARIABLE: str(self.deployment.directory),
            "PYTHONPATH": os.pathsep.join([str(root / "cli"), str(root)]),
            "PATH": os.pathsep.join([str(engine.program.parent), str(prefix / "bin"), os.environ["PATH"]]),
            # what other stores than Amazon's answer to checksums nobody asked for is an error
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if suite.engine.plugins:
            # A narrower pattern that does not fit would be passed over without a word.
            own["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] = f".*={suite.engine.plugins}"
        own |= dict(credentials.variables) | without_files(self.state / ENGINE)
        return clean_environment(own, allow=("PULUMI_HOME",))

    def _pack(self, prefix: Path) -> Path:
        """The policy pack with this run's own Python environment: its folder in the product may be read only."""
        folder = self.state / ENGINE / "pack"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(prefix)}}
        write_whole(folder / "PulumiPolicy.yaml", yaml.safe_dump({"runtime": runtime, "version": "0.1.0"}), 0o600)
        source = resource_root() / "policies" / "pack" / "__main__.py"
        code = f"import runpy\n\nrunpy.run_path({str(source)!r}, run_name='__main__')\n"
        write_whole(folder / "__main__.py", code, 0o600)
        return folder

    # results

    def _read(self, exports: Mapping[str, Any]) -> StackOutputs:
        existing = share_import("stacks.existing.driver")
        key = self.deployment.suite.ssh.key
        outputs: StackOutputs = share_import("stacks.components.outputs").read_outputs(
            exports,
            ssh_private_key=Path(key).expanduser() if key else existing.default_ssh_key(),
            ssh_known_hosts=self.state / KNOWN_HOSTS,
        )
        return outputs

    def _outputs_of_state(self) -> StackOutputs | None:
        """What another machine made, where the engine's state is shared; None when nothing was."""
        state = self.deployment.suite.state
        if not (state and state.s3):
            return None
        stack = self._stack(require_engine(self.deployment.given))
        if not stack.exists():
            return None
        exports, _ = stack.outputs()
        if not exports:
            return None
        self._write_secrets(exports)
        return self._read(exports)

    def _write_secrets(self, exports: Mapping[str, Any]) -> None:
        """Secrets the stack made, for the roles: readable by this user alone, never in outputs.json."""
        secrets = share_import("stacks.components.outputs").read_secrets(exports)
        path = self.state / STACK_SECRETS
        if secrets:
            write_whole(path, yaml.safe_dump({STACK_TOP_KEY: dict(secrets)}), 0o600)
        else:
            path.unlink(missing_ok=True)

    def _meet_hosts(self, outputs: StackOutputs, progress: Progress) -> None:
        """Wait for SSH and learn the keys of hosts never met before; a known host with another key is refused."""
        path = self.state / SSH_CONFIG
        write_whole(path, ssh_config(self.state, outputs), 0o600)
        reach = share_import("stacks.components.reach")
        reach.wait_for_ssh(path, outputs.hosts, progress, FIRST_BOOT)

    def _forget(self, with_data: bool) -> None:
        """Remove what described the suite; with its data gone, also what was true of that data alone."""
        for name in (*GONE_WITH_HOSTS, *(GONE_WITH_DATA if with_data else ())):
            path = self.state / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
