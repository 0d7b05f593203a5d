# SPDX-License-Identifier: MIT
"""Locking and mirroring images against real registries: logins, tokens, certificates, what is missing or breaks off."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from stacks.local import packages
from suite_deploy.images.lock import Pin, read_lock
from tests.checkout import ROOT
from tests.deploy.product import Ran, suite_deploy
from tests.deploy.registries import PASSWORD, Authority, RealRegistry, login_file, token_service, trusting, with_login

pytestmark = pytest.mark.needs_root

SUITE = {
    "schema": 1,
    "suite": "ci-images",
    "domain": "ci-images.test",
    "profile": "dev",
    "infrastructure": {
        "driver": "existing",
        "hosts": {"one": {"groups": ["edge", "apps", "data"], "address": "h.test", "private_address": "192.0.2.7"}},
    },
    "components": {"keycloak": {}, "synapse": {}},
}
BIG = 48 * 1024 * 1024


@dataclass
class World:
    """The world's registry, one that asks for tokens, an inventory, and what the machine knows about both."""

    folder: Path
    upstream: RealRegistry
    own: RealRegistry
    #: digest by `name:tag`
    images: dict[str, str]

    @property
    def lock(self) -> Path:
        return self.folder / "suite/images.lock.yml"

    @property
    def mirror(self) -> str:
        return f"{self.own.host}/copies"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "REGISTRY_AUTH_FILE": str(self.folder / "auth.json"),
            "SSL_CERT_FILE": str(self.folder / "authorities.pem"),
            # where skopeo looks for a person's registries.conf; the product's own environment stays where it is
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def write(self, **changes: object) -> str:
        """The inventory, with changes; returns its path."""
        path = self.folder / "suite/suite.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({**SUITE, **changes}))
        return str(path)

    def log_in(self, upstream: str = PASSWORD, own: str = PASSWORD) -> None:
        login_file(self.folder / "auth.json", **{self.upstream.host: upstream, self.own.host: own})

    def run(self, verb: str, *words: str) -> Ran:
        path = str(self.folder / "suite/suite.yml")
        return suite_deploy("images", verb, path, *words, timeout=120, **self.environment)

    def pins(self) -> dict[str, Pin]:
        return read_lock(self.lock)

    def locked(self) -> None:
        ran = self.run("lock")
        assert ran.code == 0, ran.said()


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealRegistry, RealRegistry]]:
    packages.ensure(print)
    folder = tmp_path_factory.mktemp("registries")
    upstream = RealRegistry(folder / "upstream", Authority.make(folder, "upstream"), with_login(folder))
    authority = Authority.make(folder, "own")
    with token_service(authority) as tokens:
        own = RealRegistry(folder / "own", authority, tokens)
        try:
            upstream.start()
            own.start()
            yield upstream, own
        finally:
            upstream.stop()
            own.stop()


@pytest.fixture
def world(tmp_path: Path, registries: tuple[RealRegistry, RealRegistry]) -> World:
    upstream, own = registries
    for registry in registries:
        if registry.process is None:
            registry.start()
    images = {}
    rules = []
    for slug, architectures in (("keycloak", ("amd64", "arm64")), ("synapse", ("amd64",))):
        described = yaml.safe_load((ROOT / "roles" / slug / "component.yml").read_text())
        for image in described["images"].values():
            host, _, path = image["name"].partition("/")
            content = slug.encode() * 100
            digest = upstream.push(f"{slug}-registry/{path}", image["tag"], content, architectures)
            images[f"{image['name']}:{image['tag']}"] = digest
            rules.append(f'[[registry]]\nprefix = "{host}"\nlocation = "{upstream.host}/{slug}-registry"\n')
    settings = tmp_path / ".config/containers/registries.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("\n".join(rules))
    trusting(tmp_path / "authorities.pem", upstream.authority, own.authority)
    made = World(tmp_path, upstream, own, images)
    made.log_in()
    made.write()
    return made


def test_locking_pins_whole_images_through_a_login_and_a_ca_of_their_own(world: World) -> None:
    ran = world.run("lock")
    assert ran.code == 0, ran.said()
    assert {name: pin.digest for name, pin in world.pins().items()} == world.images
    assert ran.out.count("new ") == len(world.images)
    before = world.lock.read_bytes()
    assert world.run("lock").code == 0
    assert world.lock.read_bytes() == before, "nothing changed upstream"


def test_a_tag_that_moved_is_shown_with_both_digests(world: World) -> None:
    world.locked()
    name, before = next((name, digest) for name, digest in world.images.items() if "synapse" in name)
    path, _, tag = name.partition("/")[2].rpartition(":")
    after = world.upstream.push(f"synapse-registry/{path}", tag, b"a security fix", ("amd64",))
    ran = world.run("lock")
    assert f"{before} → {after}" in ran.out and ran.out.count("changed") == 1, ran.said()


def test_a_wrong_password_is_said_for_every_image_and_not_shown(world: World) -> None:
    world.log_in(upstream="wrong-password")
    ran = world.run("lock")
    assert ran.code == 1
    assert ran.err.count("the registry wants a login, or another one: skopeo login") == len(world.images), ran.said()
    assert "wrong-password" not in ran.out + ran.err
    assert not world.lock.exists()


def test_a_missing_tag_is_named_and_the_lock_stays_as_it_was(world: World) -> None:
    world.locked()
    before = world.lock.read_bytes()
    name = next(name for name in world.images if "synapse" in name)
    path, _, tag = name.partition("/")[2].rpartition(":")
    assert world.upstream.ask("DELETE", f"synapse-registry/{path}/manifests/{tag}").status_code in (400, 404, 405)
    link = world.upstream.data / f"docker/registry/v2/repositories/synapse-registry/{path}/_manifests/tags/{tag}"
    link.rename(world.folder / "tag")
    try:
        ran = world.run("lock")
    finally:
        (world.folder / "tag").rename(link)
    assert ran.code == 1
    assert f"{name}: there is no such image or tag" in ran.err, ran.said()
    assert "keycloak:" not in ran.err.partition("not every image")[2]
    assert world.lock.read_bytes() == before


def test_a_registry_that_is_down_is_named_once_and_quickly(world: World) -> None:
    world.write(images={"mirror": world.mirror})
    world.own.stop()
    ran = world.run("lock")
    assert ran.code == 1
    assert f"the registry {world.own.host} does not answer (Connection refused): 2 images of it" in ran.err, ran.said()
    assert len(re.findall(rf"{world.own.host}\b", ran.err.partition("not every image")[2])) == 1, ran.said()
    assert ran.seconds < 15


def test_a_certificate_of_an_unknown_authority_is_said(world: World) -> None:
    trusting(world.folder / "authorities.pem")
    ran = world.run("lock")
    assert ran.code == 1
    assert "its certificate is not trusted here" in ran.err, ran.said()


def test_a_mirror_holds_every_architecture_and_is_used_from_then_on(world: World) -> None:
    world.locked()
    pinned = world.lock.read_text()
    ran = world.run("mirror", "--to", world.mirror)
    assert ran.code == 0, ran.said()
    assert "2 images are in" in ran.out and f"mirror: {world.mirror}" in ran.out
    for name, digest in world.images.items():
        assert world.own.file_of(digest).is_file(), name
    index = yaml.safe_load(world.own.file_of(world.images[keycloak(world)]).read_bytes())
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    for each in index["manifests"]:
        manifest = yaml.safe_load(world.own.file_of(each["digest"]).read_bytes())
        assert all(world.own.file_of(layer["digest"]).is_file() for layer in manifest["layers"])
    world.write(images={"mirror": world.mirror})
    world.upstream.stop()
    again = world.run("lock")
    assert again.code == 0, again.said()
    assert {name: pin.digest for name, pin in world.pins().items()} == world.images
    assert {pin.mirror for pin in world.pins().values()} == {world.mirror}
    assert world.lock.read_text() != pinned
    assert "deploy from there" not in world.run("mirror", "--to", world.mirror).out


def keycloak(world: World) -> str:
    return next(name for name in world.images if "keycloak" in name)


def test_an_interrupted_copy_is_continued_and_nothing_is_copied_twice(world: World) -> None:
    name = next(name for name in world.images if "synapse" in name)
    path, _, tag = name.partition("/")[2].rpartition(":")
    world.images[name] = world.upstream.push(f"synapse-registry/{path}", tag, os.urandom(BIG), ("amd64",))
    world.locked()
    to = f"{world.own.host}/again"
    running = subprocess.Popen(
        [str(ROOT / "suite-deploy"), "images", "mirror", world.write(), "--to", to],
        cwd=ROOT,
        env={**os.environ, **world.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr
    for line in running.stderr:
        if "copying" in line and "synapse" in line:
            break
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    assert not world.own.file_of(world.images[name]).exists(), "the copy was to be interrupted"
    ran = world.run("mirror", "--to", to, "--format", "json")
    assert ran.code == 0, ran.said()
    assert ran.json == {"mirror": to, "images": 2, "copied": 1, "used": False}
    assert world.own.file_of(world.images[name]).is_file()
    assert world.run("mirror", "--to", to, "--format", "json").json["copied"] == 0


def test_what_cannot_be_copied_is_named_and_the_rest_is_there(world: World) -> None:
    world.locked()
    digest = world.images[keycloak(world)]
    kept = world.upstream.file_of(digest)
    kept.rename(world.folder / "kept")
    to = f"{world.own.host}/part"
    try:
        ran = world.run("mirror", "--to", to)
    finally:
        (world.folder / "kept").rename(kept)
    assert ran.code == 1
    assert "run the same command again" in ran.err and keycloak(world).rpartition(":")[0] in ran.err, ran.said()
    assert world.run("mirror", "--to", to, "--format", "json").json["copied"] == 1


def test_a_mirror_without_the_right_login_gets_nothing(world: World) -> None:
    world.locked()
    world.log_in(own="wrong-password")
    ran = world.run("mirror", "--to", f"{world.own.host}/closed")
    assert ran.code == 1
    assert f"skopeo login {world.own.host}" in ran.err, ran.said()
    assert "wrong-password" not in ran.out + ran.err
