# SPDX-License-Identifier: MIT
"""The lane `openstack`: needs a cloud's usual variables (OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME,
OS_REGION_NAME …) for a project of its own; says loudly that it was skipped without them.

SUITE_DEPLOY_LAB_IMAGE (a Debian 13 image), SUITE_DEPLOY_LAB_FLAVOR, SUITE_DEPLOY_LAB_EXTERNAL_NETWORK name what the
cloud has; SUITE_DEPLOY_LAB_OBJECT_STORE is its S3 endpoint, none when unset. SUITE_DEPLOY_LAB_DIRECTORY keeps what a
failed test leaves, so that the story can be taken up again with `-k`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.engine import Engine

NEEDED = ("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME", "OS_REGION_NAME")


@pytest.fixture(scope="session")
def connection() -> Any:
    """The cloud's own client, for looking behind the program's back."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        unset = ", ".join(missing)
        pytest.skip(f"NOT RUN: no OpenStack to realise the program on ({unset} unset); see tests/openstack/conftest.py")
    openstack = pytest.importorskip("openstack", reason="NOT RUN: openstacksdk is not installed")
    where = {"auth_url": os.environ["OS_AUTH_URL"], "region_name": os.environ["OS_REGION_NAME"]}
    # interfaces drop idle connections; what is asked in vain is asked again
    return openstack.connect(**where, connect_retries=3)


@pytest.fixture(scope="session")
def lab(connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The suite of this lane; whatever a failed test left is removed at the end, data too."""
    from suite_deploy.cloud import driver
    from tests.openstack.lab import PATIENCE, Lab, settings
    from tests.stacks.realising import standing_on

    kept = os.environ.get("SUITE_DEPLOY_LAB_DIRECTORY")
    directory = Path(kept) if kept else tmp_path_factory.mktemp("lab")
    wanted = settings(
        os.environ.get("SUITE_DEPLOY_LAB_EXTERNAL_NETWORK", "public"),
        os.environ.get("SUITE_DEPLOY_LAB_IMAGE", "debian13-fast"),
        os.environ.get("SUITE_DEPLOY_LAB_FLAVOR", "m1.small"),
        os.environ.get("SUITE_DEPLOY_LAB_OBJECT_STORE", ""),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            driver, "require_engine", lambda *given: Engine(Path("/nonexistent/bin/pulumi"), "3.272.0", "PATH")
        )
        patch.setattr(driver, "FIRST_BOOT", PATIENCE)
        made = Lab(directory, wanted)
        patch.setattr("suite_deploy.runners.pulumi.EngineStack", standing_on(made.cloud))
        try:
            yield made
        finally:
            if not kept:
                made.destroy(with_data=True)


@pytest.fixture(autouse=True)
def one_story(request: pytest.FixtureRequest) -> Iterator[None]:
    """What comes after a failed test would only fail in its wake."""
    if request.session.testsfailed:
        pytest.skip("NOT RUN: an earlier part of the story failed")
    started = time.monotonic()
    yield
    print(f"[{time.monotonic() - started:7.1f} s] {request.node.name}", flush=True)
