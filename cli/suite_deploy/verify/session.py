# SPDX-License-Identifier: MIT
"""One run of the checks: pytest inside this process, findings out."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CouldNotRun
from ..model.statefiles import SSH_CONFIG
from .result import VerifyResult

if TYPE_CHECKING:
    from ..model.deployment import Deployment
    from ..model.outputs import Progress, StackOutputs
    from ..secrets.value import Secret
    from .machines import Machine

_HERE = Path(__file__).parent
#: what pytest may not do: read other configuration, load other plugins, write anything, print
_ARGUMENTS = (
    *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:logging", "-p", "no:doctest"),
    *("--assert=plain", "--capture=sys", "--import-mode=importlib", "--noconftest", "--strict-markers"),
    "--continue-on-collection-errors",
    *("-c", os.devnull, "-o", "addopts="),
)
#: system trust on Debian and on other distributions
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def run_verify(
    deployment: Deployment,
    outputs: StackOutputs,
    secrets: Mapping[str, Secret],
    state_dir: Path,
    only: str | None = None,
    junit: Path | None = None,
    progress: Progress = lambda text: None,
    connect: Callable[[str], Machine] | None = None,
    web_ports: Mapping[str, int] | None = None,
) -> VerifyResult:
    """Look at a deployed suite and say what was found.

    state_dir: holds `ssh_config` and the build tree that was installed. only: see `selection.matches`. junit: also
    write the findings there. connect: host name → Machine, SSH by default. web_ports: see `web.Web`.
    Raises CouldNotRun when the checks themselves cannot be run, KeyboardInterrupt when interrupted.
    """
    import pytest

    from ..images.lock import origins
    from ..secrets.redactor import Redactor
    from . import fixtures
    from .machines import Machine
    from .plugin import VerifyPlugin, component_fixtures, hide_passing_secrets
    from .web import Web

    start = time.monotonic()
    redactor = Redactor(secrets)
    make = connect or (lambda name: Machine(name, state_dir / SSH_CONFIG))
    with trust_bundle(deployment, secrets) as trust:
        context = fixtures.Context(
            deployment,
            outputs,
            secrets,
            machines={host.name: make(host.name) for host in outputs.hosts},
            web=Web(dict.fromkeys(deployment.public_names, outputs.public_address), trust, web_ports),
            images=origins(deployment),
        )

        def redact(text: str) -> str:
            made = Redactor({secret.name: secret for secret in context.concealed})
            return hide_passing_secrets(made(redactor(text)))

        plugin = VerifyPlugin(context, redact=redact, only=only, progress=progress)
        folders = [_HERE / "facts", _HERE / "journeys"]
        # several copies of one component share its folder
        own = dict.fromkeys(item.folder / "verify" for item in deployment.ordered)
        folders += [folder for folder in own if folder.is_dir()]
        arguments = [*_ARGUMENTS, f"--rootdir={_HERE}", *map(str, folders)]
        with _own_environment():
            status = pytest.main(arguments, plugins=[plugin, fixtures, *component_fixtures(deployment.ordered)])
    if plugin.interrupted:
        raise KeyboardInterrupt
    if status in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise CouldNotRun(f"the checks could not be run: {plugin.internal_error or 'pytest refused its arguments'}")
    result = VerifyResult(tuple(plugin.findings), time.monotonic() - start)
    if junit is not None:
        from ..report.junit import write_junit

        write_junit(result, junit, deployment.suite.suite)
    return result


@contextmanager
def trust_bundle(deployment: Deployment, secrets: Mapping[str, Secret]) -> Iterator[str | bool]:
    """What a user's device trusts: the suite's own authority where it signs, the system's authorities where not."""
    issuer = deployment.suite.tls.issuer
    if issuer == "acme":
        yield True
        return
    text = secrets["suite.ca_cert"].reveal() if "suite.ca_cert" in secrets else ""
    if issuer == "provided":
        text += "".join(Path(path).read_text(encoding="utf-8") for path in _SYSTEM_BUNDLES if Path(path).is_file())
    with tempfile.TemporaryDirectory(prefix="suite-verify-") as directory:
        bundle = Path(directory, "ca.pem")
        bundle.write_text(text, encoding="utf-8")
        yield str(bundle)


@contextmanager
def _own_environment() -> Iterator[None]:
    """pytest without the caller's settings; nothing is compiled into the read-only resources."""
    ours = {"PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    before = {name: os.environ.get(name) for name in (*ours, "PYTEST_CURRENT_TEST", "PYTEST_VERSION")}
    writes = sys.dont_write_bytecode
    os.environ.update(ours)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
