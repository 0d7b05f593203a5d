# SPDX-License-Identifier: MIT
"""Image recipes: what may be written, every mistake at its line, and what makes two recipes the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from suite_deploy.errors import InvalidInput
from suite_deploy.images.recipe import PypiLayer, find_recipes, load_recipe
from suite_deploy.paths import resource_root
from tests.unit.images_fakes import recipe

ROLES = resource_root() / "roles"
RECIPES = find_recipes(ROLES)


def problems(tmp_path: Path, text: str) -> dict[str, tuple[int, str]]:
    """Key → line and text of each problem."""
    path = tmp_path / "image.yml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_recipe(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)
    return {problem.key: (problem.line, str(problem)) for problem in caught.value.problems}


def test_every_mistake_is_reported_at_its_line(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
schema: 1
image: {name: registry.invalid/app, tag: "1"}
debian:
  suite: trixie
  packges: [curl]
layers:
  - kind: maven
    group: g
    artifact: a
    version: "1"
    packaging: jar
    into: /opt/app
    sha256: tooshort
  - kind: files
    files:
      - {to: relative/path, text: x}
      - {to: /a, text: x, link: /b}
config:
  entrypoint: []
  ports: [8080]
""",
    )
    assert found["debian.packges"][0] == 5
    assert "Did you mean `packages`?" in found["debian.packges"][1]
    assert found["layers[0].sha256"][0] == 13
    assert found["layers[1].files[0].to"][0] == 16
    assert found["layers[1].files[1]"][0] == 17
    assert "exactly one of" in found["layers[1].files[1]"][1]
    assert found["config.ports[0]"][0] == 20


@pytest.mark.parametrize("path", ["/lib/app", "/bin/app", "/var/run/app", "/opt/../etc", "/", "opt/app", "/opt//app"])
def test_a_layer_never_replaces_a_link_of_the_base_system(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="layers"):
        recipe(tmp_path, layers=[{"kind": "files", "files": [{"to": path, "text": "x"}]}])


@pytest.mark.parametrize("name", ["/etc/passwd", "../keycloak/image.yml"])
def test_a_recipe_only_takes_files_beside_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="beside the recipe"):
        recipe(tmp_path, layers=[{"kind": "files", "files": [{"to": "/x", "source": name}]}])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.py is not beside the recipe"):
        recipe(tmp_path, layers=[{"kind": "files", "files": [{"to": "/x", "source": "gone.py"}]}])


def test_the_key_follows_content_and_not_its_form(tmp_path: Path) -> None:
    first = recipe(tmp_path / "a")
    second = recipe(tmp_path / "b")
    text = second.path.read_text()
    second.path.write_text("# a comment\n" + yaml.safe_dump(yaml.safe_load(text), sort_keys=True))
    assert load_recipe(second.path).key == first.key
    (second.folder / "start.sh").write_text("#!/bin/sh\necho other\n")
    assert load_recipe(second.path).key != first.key
    assert recipe(tmp_path / "c", tag="2").key != first.key


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("component", RECIPES)
def test_a_recipe_makes_an_image_that_its_component_uses(component: str) -> None:
    description = yaml.safe_load((ROLES / component / "component.yml").read_text())
    used = {f"{image['name']}:{image['tag']}" for image in description["images"].values()}
    assert RECIPES[component].reference in used


@pytest.mark.parametrize("component", RECIPES)
def test_services_run_as_a_user_that_the_image_expects(component: str) -> None:
    description = yaml.safe_load((ROLES / component / "component.yml").read_text())
    content = RECIPES[component].content
    owners = {account.uid for account in content.accounts}
    owners |= {int(item.owner.split(":")[0]) for layer in content.layers for item in getattr(layer, "files", ())}
    for name, service in description["services"].items():
        assert service.get("user", 1000) in owners, f"{component}.{name}"


@pytest.mark.parametrize("component", RECIPES)
def test_wheels_are_locked_with_hashes_and_without_an_address(component: str) -> None:
    found = RECIPES[component]
    for layer in found.content.layers:
        if isinstance(layer, PypiLayer):
            text = (found.folder / layer.requirements).read_text()
            pins = re.findall(r"^([a-z0-9._-]+)==\S+ \\$", text, re.MULTILINE)
            blocks = [block for block in re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE) if "==" in block]
            assert pins and len(blocks) == len(pins)
            assert all("--hash=sha256:" in block for block in blocks)
            assert "://" not in text
