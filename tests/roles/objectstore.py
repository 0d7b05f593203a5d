# SPDX-License-Identifier: MIT
"""A real VersityGW for tests of its role: its image on the host of the tests, confined as its unit confines it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from suite_deploy.images.resolve import resolve_local
from suite_deploy.model.loader import load
from suite_deploy.paths import machine_cache
from suite_deploy.render.render import render
from tests.roles.box import Box, Converged
from tests.roles.keycloak import tunnel

SLUG = "objectstore"
PORT = 20060
HOME = "/srv/objectstore"
REGION = "suite"
ROOT_SECRET = "root-secret-of-the-tests-012345678"
#: characters that XML would take for its own
NOTES = {"slug": "notes", "name": "tests-notes", "access_key": "notes", "secret": "notes-<secret>&of-the-tests-0123"}
SHEETS = {"slug": "sheets", "name": "tests-sheets", "access_key": "sheets", "secret": "sheets-secret-of-the-tests-012"}
ORIGIN = "https://sheets.suite.example"
BUCKETS = ({**NOTES, "versioning": True, "cors_origins": []}, {**SHEETS, "versioning": False, "cors_origins": [ORIGIN]})


@dataclass(frozen=True)
class Rendered:
    """What the component renders. environment: without secrets. subordinate: first host id of its user namespace."""

    environment: Mapping[str, str]
    image: str
    command: Sequence[str]
    subordinate: int
    user: int
    mounts: Mapping[str, str]


def rendered(folder: Path) -> Rendered:
    """The component as the CLI renders it in an inventory of its own."""
    inventory = folder / "suite.yml"
    wanted = {
        "schema": 1,
        "suite": "tests",
        "domain": "suite.example",
        "profile": "dev",
        "infrastructure": {"driver": "local"},
        "components": {SLUG: {}},
    }
    inventory.write_text(yaml.safe_dump(wanted))
    deployment = load(str(inventory))
    component = deployment.components[SLUG]
    service = component.description.services["gateway"]
    image = component.description.images[service.image]
    file = next(item for item in render(deployment).files if item.path.endswith(f"/{SLUG}/gateway.env"))
    pairs = (line.split("=", 1) for line in file.content.splitlines() if "=" in line and not line.startswith("#"))
    values = {name: value.strip('"') for name, value in pairs}
    mounts = {f"{HOME}/{name}": volume.mount for name, volume in component.description.volumes.items()}
    reference = f"{image.name}:{image.tag}"
    return Rendered(values, reference, service.command, component.uid_base, service.user, mounts)


@dataclass(frozen=True)
class Store:
    """One that runs. port: where its S3 interface is reached from here."""

    box: Box
    port: int
    buckets: tuple[dict[str, Any], ...] = BUCKETS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, account: Mapping[str, Any], **secret: str) -> Any:
        """An S3 client as the applications use it, with their checksum settings."""
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 1},
        )
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=account["access_key"],
            aws_secret_access_key=secret.get("secret", account["secret"]),
            config=config,
        )

    @property
    def root(self) -> Any:
        return self.client({"access_key": "suite-root", "secret": ROOT_SECRET})

    def converge(self, run: str, *arguments: str, buckets: Sequence[Mapping[str, Any]] | None = None) -> Converged:
        """Run the role. run: its name in the table of times."""
        variables = {
            "suite_components": {SLUG: {"ports": {"gateway": {"7070": PORT}}}},
            "suite_buckets": list(self.buckets if buckets is None else buckets),
            "suite_secrets": {f"{SLUG}.root": ROOT_SECRET},
        }
        return self.box.converge(SLUG, "default", variables, run=run, arguments=arguments)

    def restarted(self) -> Store:
        """The same one after a restart of its container."""
        self.box.succeed(f"podman restart --time 10 test-{SLUG}")
        wait(self.box)
        return replace(self)


def wait(box: Box) -> None:
    ready = f"http://127.0.0.1:{PORT}/healthz"
    box.succeed(f"curl -sf -o /dev/null --retry 60 --retry-delay 1 --retry-all-errors --max-time 5 {ready}")


@contextmanager
def store_on(box: Box, scratch: Path) -> Iterator[Store]:
    """Run the component's image on the host of the tests, empty, until the context ends."""
    made = rendered(scratch)
    found = resolve_local(
        [made.image], box.outputs.facts["registry"], machine_cache(), scratch / "images.lock.yml", print
    )
    assert made.image in found.pinned, found.skipped
    values = {**made.environment, "ROOT_SECRET_ACCESS_KEY": ROOT_SECRET}
    lines = "\n".join(f"{key}={value}" for key, value in values.items())
    box.succeed(f"umask 077; cat > /run/test-{SLUG}.env <<'END'\n{lines}\nEND")
    owner = made.subordinate + made.user
    folders = " ".join(made.mounts)
    box.succeed(f"rm -rf {HOME}; mkdir -p -m 0700 {folders}; chown {owner}:{owner} {folders}; chmod 0755 {HOME}")
    mounts = " ".join(f"--volume {source}:{target}" for source, target in made.mounts.items())
    maps = " ".join(f"--{kind}map 0:{made.subordinate}:65536" for kind in ("uid", "gid"))
    confined = "--read-only --cap-drop all --security-opt no-new-privileges --tls-verify=false"
    run = f"podman run --replace --detach --name test-{SLUG} --publish 127.0.0.1:{PORT}:7070 {maps} {confined}"
    user = f"--user {made.user}:{made.user} --env-file /run/test-{SLUG}.env"
    try:
        box.succeed(f"{run} {user} {mounts} {found.pinned[made.image]} {' '.join(made.command)}")
        wait(box)
        with tunnel(box, PORT) as port:
            yield Store(box, port)
    finally:
        box.command(f"podman rm --force --time 1 test-{SLUG}; rm -rf /run/test-{SLUG}.env {HOME}")
