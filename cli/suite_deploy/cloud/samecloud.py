# SPDX-License-Identifier: MIT
"""What the inventory alone cannot show: that credentials, or a shared state, belong to another cloud than the suite.

Keys of another account at Outscale are refused by its resources themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CouldNotRun, InvalidInput
from ..model.deployment import Deployment
from ..model.immutable import recorded_cloud
from ..model.statefiles import IMMUTABLE
from ..model.suite import OpenStack, Ovh
from ..model.whichcloud import DRIVER, PROJECT, cloud_of_outputs, other_cloud
from .credentials import Credentials

if TYPE_CHECKING:
    from ..runners.pulumi import EngineStack


def refuse_other_project(deployment: Deployment, project: str) -> None:
    """Raise CouldNotRun for credentials of another project than the one this suite was made in.

    project: identifier that the cloud gave when signing in; "" where it was not asked.
    """
    known = recorded_cloud(deployment.state_dir).get(PROJECT)
    if not known or not project or known == project:
        return
    raise CouldNotRun(
        f"the credentials are of the project {project!r}, and the suite {deployment.suite.suite!r} lies in {known!r}"
        f" ({deployment.state_dir / IMMUTABLE}): its hosts and data would be forgotten there. Nothing was touched.\n"
        "  Use credentials of that project; `suite-deploy doctor NAME` says which are used. For another suite, choose"
        " another name in `suite`."
    )


def refuse_other_credentials(deployment: Deployment, credentials: Credentials) -> None:
    """The same by signing in, where nothing else asks the cloud and a project is recorded. Raises CouldNotRun."""
    infrastructure = deployment.suite.infrastructure
    if isinstance(infrastructure, OpenStack | Ovh) and recorded_cloud(deployment.state_dir).get(PROJECT):
        from .openstack_room import project_of

        refuse_other_project(deployment, project_of(infrastructure, credentials))


def refuse_other_cloud(deployment: Deployment, stack: EngineStack) -> None:
    """Raise InvalidInput where the shared state, on a machine that knows nothing of the suite, names another cloud."""
    state = deployment.suite.state
    shared = state is not None and state.s3 is not None
    if not shared or DRIVER in recorded_cloud(deployment.state_dir) or not stack.exists():
        return
    exports, _ = stack.outputs()
    made = exports.get("outputs") or {}
    known = cloud_of_outputs(str(made.get("driver", "")), made.get("facts") or {})
    problems = other_cloud(deployment, known, deployment.state_dir / IMMUTABLE)
    if problems:
        raise InvalidInput(problems)
