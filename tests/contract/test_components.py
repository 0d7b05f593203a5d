# SPDX-License-Identifier: MIT
"""What every component keeps, looped over all there are: whoever adds one is covered at once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from suite_deploy.model.component import ComponentFile
from suite_deploy.model.components import able_to_provide, describe, folder, slugs
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.render import render
from suite_deploy.render.tree import PLACEHOLDER, RenderedFile, RenderedTree

SLUGS = slugs()
#: what is rendered: instances instead of the component they are copies of
COPIES = [name for slug in SLUGS for name in describe(slug).instances or [slug]]
SOURCE = {name: slug for slug in SLUGS for name in describe(slug).instances or [slug]}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, RenderedTree]:
    """All components there are, in one inventory."""
    path = tmp_path_factory.mktemp("all") / "suite.yml"
    content = {
        "schema": 1,
        "suite": "contract",
        "domain": "contract.example",
        "profile": "dev",
        "infrastructure": {
            "driver": "local",
            "hosts": {"all": {"groups": ["edge", "apps", "data", "media"]}},
        },
        "components": {slug: {} for slug in SLUGS},
    }
    path.write_text(yaml.safe_dump(content))
    deployment = load(str(path))
    return deployment, render(deployment)


#: lists of what upstream reads, each named `<component>-…` or `<component>-<image>-…`
LISTS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_list_of_what_upstream_reads_is_of_the_version_deployed(path: Path) -> None:
    slug = max((slug for slug in SLUGS if path.name.startswith(f"{slug}-")), key=len)
    images = describe(slug).images
    named = [image for key, image in images.items() if path.name.startswith(f"{slug}-{key}-")]
    version = re.escape((named or list(images.values()))[0].tag.removeprefix("v"))
    heading = path.read_text().splitlines()[0]
    assert re.search(rf"\bv?{version}(?![\w.-])", heading), f"read {path.name} anew for {version}"


def test_there_are_components() -> None:
    assert len(SLUGS) >= 2


def copies() -> list[tuple[str, ComponentFile]]:
    """Every component, and every instance of those that are made per need."""
    return [
        (instance or slug, describe(slug, instance))
        for slug in SLUGS
        for instance in describe(slug).instances or [None]
    ]


def test_ranges_are_unique() -> None:
    counted = Counter(item.id_range for _, item in copies())
    assert [number for number, count in counted.items() if count > 1] == []


def test_host_names_are_unique() -> None:
    names = [name for _, item in copies() for name in (item.hostname, *item.hostnames.values()) if name]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_names_of_copies_are_unique() -> None:
    assert [name for name, count in Counter(name for name, _ in copies()).items() if count > 1] == []


def test_each_need_is_served_by_some_component() -> None:
    """Also with the parameters it asks for."""
    for slug in SLUGS:
        needs = describe(slug).needs
        for kind in needs.kinds:
            assert able_to_provide(kind), f"{slug} needs {kind}"
        if needs.livekit:
            served = [one.need for name in able_to_provide("livekit") for one in describe(name).instances.values()]
            assert needs.livekit.parameters in served


def test_ports_on_the_hosts_own_network_are_disjoint() -> None:
    """Copies on one host share its ports: no number is claimed twice for one protocol."""
    taken: dict[tuple[str, int], str] = {}
    for name, item in copies():
        for service in item.services.values():
            if service.network != "host":
                continue
            claims = {("tcp", str(service.port))} if service.port else set()
            claims |= {(listen.proto, listen.ports) for listen in service.listen}
            for proto, ports in sorted(claims):
                first, _, last = ports.partition("-")
                for port in range(int(first), int(last or first) + 1):
                    assert (proto, port) not in taken, f"{name} and {taken[proto, port]} both use {proto}/{port}"
                    taken[proto, port] = name


def test_databases_are_unique() -> None:
    names = [need.database for slug in SLUGS if (need := describe(slug).needs.postgresql)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("slug", COPIES)
def test_every_secret_used_is_declared_and_every_declared_one_is_used(
    slug: str, everything: tuple[Deployment, RenderedTree]
) -> None:
    deployment, tree = everything
    component = deployment.components[slug]
    declared = {item.name for item in deployment.secrets_wanted if item.name.startswith(f"{slug}.")}
    rendered = {name for item in tree.files if item.component == slug for name in item.secrets}
    media = deployment.provider_for(component, "livekit") if component.description.needs.livekit else None
    lent = {f"{media.slug}.api_secret"} if media else set()
    assert rendered <= declared | lent
    tasks = "".join(path.read_text() for path in folder(SOURCE[slug]).rglob("*.yml"))
    shared = {f"{slug}.postgresql", f"{slug}.valkey", f"{slug}.oidc", f"{slug}.bucket"}
    unused = {
        name for name in declared - rendered - shared if name.split(".", 1)[1] not in tasks.replace("component.yml", "")
    }
    assert unused == set(), "a secret nobody reads"


def units(tree: RenderedTree, slug: str) -> list[RenderedFile]:
    """What Podman's generator reads of a component: its containers, of which there are some, and their network."""
    found = [item for item in tree.files if item.component == slug and item.path.startswith("/etc/containers/")]
    assert any(item.path.endswith(".container") for item in found), f"{slug} has no container to look at"
    return found


@pytest.mark.parametrize("slug", COPIES)
def test_no_unit_holds_a_secret(slug: str, everything: tuple[Deployment, RenderedTree]) -> None:
    for item in units(everything[1], slug):
        assert not item.secrets, f"{item.path} is readable by everyone"


@pytest.mark.parametrize("slug", COPIES)
def test_files_with_secrets_are_readable_by_one_user_only(
    slug: str, everything: tuple[Deployment, RenderedTree]
) -> None:
    for item in everything[1].files:
        if item.component == slug and item.secrets:
            assert item.mode == "0400", item.path


def test_no_secret_stands_in_a_variable_of_ansible(everything: tuple[Deployment, RenderedTree]) -> None:
    _, tree = everything
    assert not PLACEHOLDER.search(str(tree.host_vars) + str(tree.all_vars))


@pytest.mark.parametrize("slug", SLUGS)
def test_every_routed_service_has_a_probe_and_a_port(slug: str) -> None:
    item = describe(slug)
    for route in item.routes:
        if route.to and route.to != "bucket":
            service = item.services[route.to]
            assert service.port and service.probe, f"{slug}.{route.to}"


@pytest.mark.parametrize("slug", SLUGS)
def test_every_state_is_in_the_backup_set(slug: str) -> None:
    item = describe(slug)
    assert set(item.backup.volumes) == set(item.volumes)
    assert bool(item.backup.database) == bool(item.needs.postgresql)
    assert bool(item.backup.bucket) == bool(item.needs.bucket)


@pytest.mark.parametrize("slug", SLUGS)
def test_no_image_is_latest_and_every_image_names_its_registry(slug: str) -> None:
    for image in describe(slug).images.values():
        assert image.tag not in ("latest", "main", "stable")
        assert "." in image.name.split("/")[0], f"{image.name}: a short name means another registry on another day"


@pytest.mark.parametrize("slug", COPIES)
def test_containers_hold_no_capability_and_a_read_only_root_unless_declared(
    slug: str, everything: tuple[Deployment, RenderedTree]
) -> None:
    item = everything[0].components[slug].description
    for file in units(everything[1], slug):
        if file.path.endswith(".container"):
            assert "DropCapability=all" in file.content
            assert "NoNewPrivileges=true" in file.content
            assert re.search(r"^UIDMap=0:\d{7,}:65536$", file.content, re.M)
            assert re.search(r"^Image=\S+@\S*$", file.content, re.M)
            name = Path(file.path).stem.removeprefix(f"{slug}-")
            if name in item.services and item.services[name].read_only:
                assert "ReadOnly=true" in file.content


@pytest.mark.parametrize("slug", COPIES)
def test_ports_are_published_on_loopback_only_when_edge_is_here(
    slug: str, everything: tuple[Deployment, RenderedTree]
) -> None:
    text = "\n".join(file.content for file in units(everything[1], slug))
    published = re.findall(r"^PublishPort=(\S+)$", text, re.M)
    assert all(port.startswith("127.0.0.1:") for port in published), published
    item = everything[0].components[slug].description
    routed = [item.services[route.to] for route in item.routes if route.to in item.services]
    reached = {str(service.port) for service in routed if service.network == "own"}
    assert reached <= {port.rpartition(":")[2] for port in published}, "edge reaches what nobody published"


@pytest.mark.parametrize("slug", COPIES)
def test_leak_keys_stand_in_what_is_rendered(slug: str, everything: tuple[Deployment, RenderedTree]) -> None:
    """Present with the wanted value, not merely absent by chance."""
    _, tree = everything
    files = tree.config_files(slug)
    services = {item.name: item.env for item in tree.services if item.component == slug}
    for leak in everything[0].components[slug].description.leaks:
        kind, _, target = leak.where.partition(":")
        found = services[target] if kind == "env" else yaml.safe_load(files[target])
        for part in leak.key.split("."):
            found = found.get(part, "absent") if isinstance(found, dict) else found[part]
        if kind == "env" and leak.value not in ("absent",):
            assert found == str(leak.value), f"{slug}: {leak.id} {leak.key}"
        else:
            assert found == leak.value, f"{slug}: {leak.id} {leak.key}"


def test_ordering_starts_the_identity_provider_first(everything: tuple[Deployment, RenderedTree]) -> None:
    ordered = everything[0].ordered
    first_client = next(n for n, item in enumerate(ordered) if item.description.needs.oidc_client)
    providers = [n for n, item in enumerate(ordered) if "identity" in item.description.provides]
    assert providers and max(providers) < first_client


def test_shared_code_names_no_component() -> None:
    """`if slug == "…"` means a field is missing in the description."""
    from suite_deploy.paths import resource_root

    root = resource_root()
    shared = [*root.glob("cli/suite_deploy/**/*.py"), *root.glob("stacks/**/*.py"), *root.glob("policies/*/*.py")]
    for role in ("app", "edge", "host", "postgresql", "valkey", "tls", "objectstore"):
        shared += [path for path in root.glob(f"roles/{role}/**/*") if path.suffix in (".yml", ".j2", ".py")]
    comparison = re.compile(rf"(==|!=|\bin \(?\[?)\s*[\"']({'|'.join(SLUGS)})[\"']")
    found = [
        f"{path}:{n}"
        for path in shared
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if comparison.search(line)
    ]
    assert found == []
