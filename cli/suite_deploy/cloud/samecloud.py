# SPDX-License-Identifier: MIT
"""What the inventory alone cannot show: that credentials, or a shared state, belong to another cloud than the suite.

Keys of another account at Outscale are refused by its resources themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import CouldNotRun, InvalidInput
from ..model.deployment import Deployment
from ..model.immutable import recorded_cloud
from ..model.statefiles import IMMUTABLE
from ..model.suite import Cloud, OpenStack, Ovh
from ..model.whichcloud import DRIVER, PROJECT, cloud_of_outputs, other_cloud
from .credentials import Credentials

if TYPE_CHECKING:
    from ..runners.pulumi import EngineStack

#: clouds whose credentials are of a project that a sign-in tells
_WITH_PROJECTS = (OpenStack, Ovh)


def refuse_other_project(deployment: Deployment, project: str) -> None:
    """Raise CouldNotRun for credentials of another project than the one this suite was made in.

    project: identifier that the cloud gave when signing in; "" where it was not asked.
    """
    known = recorded_cloud(deployment.state_dir).get(PROJECT, "")
    _require_same(deployment, project, known, str(deployment.state_dir / IMMUTABLE))


def refuse_other_credentials(deployment: Deployment, credentials: Credentials) -> None:
    """The same by signing in, where nothing else asks the cloud and a project is recorded. Raises CouldNotRun."""
    infrastructure = deployment.suite.infrastructure
    if isinstance(infrastructure, Cloud) and recorded_cloud(deployment.state_dir).get(PROJECT):
        refuse_other_project(deployment, signed_in(infrastructure, credentials))


def signed_in(infrastructure: Cloud, credentials: Credentials) -> str:
    """Identifier of the project that the credentials are of; "" on a cloud without projects. Raises CouldNotRun."""
    if not isinstance(infrastructure, _WITH_PROJECTS):
        return ""
    from .openstack_room import project_of

    return project_of(infrastructure, credentials)


def refuse_other_cloud(deployment: Deployment, stack: EngineStack, project: Callable[[], str]) -> None:
    """Refuse another cloud, or project, than the shared state names, on a machine that does not know the suite's.

    project: asked only where the state names one. What this machine has recorded is above what the state says.
    Raises InvalidInput for what the inventory says of the cloud, CouldNotRun for the credentials' project.
    """
    state, recorded = deployment.suite.state, recorded_cloud(deployment.state_dir)
    shared = state is not None and state.s3 is not None
    known = DRIVER in recorded and (
        PROJECT in recorded or not isinstance(deployment.suite.infrastructure, _WITH_PROJECTS)
    )
    if not shared or known or not stack.exists():
        return
    exports, _ = stack.outputs()
    made = exports.get("outputs") or {}
    lies = cloud_of_outputs(str(made.get("driver", "")), made.get("facts") or {}) | recorded
    problems = other_cloud(deployment, lies, deployment.state_dir / IMMUTABLE)
    if problems:
        raise InvalidInput(problems)
    if lies.get(PROJECT):
        _require_same(deployment, project(), lies[PROJECT], "the shared state")


def _require_same(deployment: Deployment, project: str, known: str, source: str) -> None:
    """Raise CouldNotRun for two projects that differ; "" is one that nobody knows. source: what says `known`."""
    if not known or not project or known == project:
        return
    raise CouldNotRun(
        f"the credentials are of the project {project!r}, and the suite {deployment.suite.suite!r} lies in {known!r}"
        f" ({source}): its hosts and data would be forgotten there. Nothing was touched.\n"
        "  Use credentials of that project; `suite-deploy doctor NAME` says which are used. For another suite, choose"
        " another name in `suite`."
    )
