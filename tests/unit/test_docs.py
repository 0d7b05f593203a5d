# SPDX-License-Identifier: MIT
"""The documentation is complete and true: generated pages are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel

from suite_deploy.images.recipe import RecipeFile
from suite_deploy.main import cli
from suite_deploy.model.component import ComponentFile
from suite_deploy.model.components import describe, slugs
from suite_deploy.model.suite import NetworkSettings, SuiteFile
from suite_deploy.policy import ruleset
from suite_deploy.reference.commands import context_of, walk
from suite_deploy.reference.describing import description, key_of, reachable
from suite_deploy.reference.markdown import anchor
from suite_deploy.reference.pages import all_files, write_all
from tests.checkout import ROOT, files, relative, text

# without type information, so not imported the usual way
jsonschema = importlib.import_module("jsonschema")
PAGES = [path for path in files() if path.suffix == ".md"]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
#: a program's name where a command line starts: in a block, after a prompt, or in inline code
CALL = re.compile(r"(?:^ {4}|^\$ |`|^)(?:sudo |\./)*suite-deploy ((?:[^`\n#\\]|\\\n)+)", re.M)
ENGLISH, FRENCH = ROOT / "docs/operator", ROOT / "docs/fr/operator"


def test_generated_files_are_up_to_date(tmp_path: Path) -> None:
    write_all(tmp_path)
    wrong = [
        name
        for name in all_files()
        if not (ROOT / name).is_file() or text(ROOT / name) != (tmp_path / name).read_text(encoding="utf-8")
    ]
    assert wrong == [], "python -m suite_deploy.reference"


def test_generated_pages_of_what_is_gone_go_and_written_ones_stay(tmp_path: Path) -> None:
    folder = tmp_path / "docs/reference"
    write_all(tmp_path)
    (folder / "gone.md").write_text((folder / "suite.md").read_text())
    (folder / "written.md").write_text("# By hand\n")
    write_all(tmp_path)
    assert not (folder / "gone.md").exists() and (folder / "written.md").exists()


@pytest.mark.parametrize("model", [SuiteFile, ComponentFile], ids=lambda model: model.__name__)
def test_every_key_says_what_it_is(model: type[BaseModel]) -> None:
    silent = [
        f"{name}.{key_of(field_name, field)}"
        for name, each in reachable(model).items()
        for field_name, field in each.model_fields.items()
        if len(description(each, field_name)) < 3
    ]
    assert silent == [], "give these a `#:` comment"


def test_comments_above_and_beside_a_key_are_found() -> None:
    assert "cut out of it" in description(NetworkSettings, "containers")
    assert description(SuiteFile, "users").startswith("how many")


@pytest.mark.parametrize("slug", slugs())
def test_every_option_secret_leak_and_closed_path_is_in_the_components_page(slug: str) -> None:
    page, item = text(ROOT / f"docs/reference/{slug}.md"), describe(slug)
    for name in (*item.options, *item.closed_paths, *item.egress):
        assert f"`{name}`" in page, name
    for name in item.secrets:
        assert f"`{slug}.{name}`" in page, name
    for leak in item.leaks:
        assert f"| {leak.id} |" in page and leak.why in page, leak.id
    for image in item.images.values():
        assert f"`{image.tag}`" in page, image.tag


def test_every_command_is_in_the_reference_with_its_options() -> None:
    page = text(ROOT / "docs/reference/cli.md")
    for path, command in commands().items():
        assert f"## {path}\n" in page, path
        for option in options_of(command):
            assert option in page, f"{path} {option}"


def test_every_policy_has_its_page_and_is_in_the_index() -> None:
    index = text(ROOT / "docs/policies/README.md")
    for rule in ruleset.load().rules:
        assert f"[{rule.id}]({rule.id}.md)" in index
        assert (ROOT / f"docs/policies/{rule.id}.md").is_file()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", text(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        if not aim.exists() or ROOT not in aim.parents:
            broken.append(target)
        elif fragment and aim.suffix == ".md" and fragment not in anchors(aim):
            broken.append(f"{target} (no such heading)")
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=relative)
def test_every_command_line_names_a_verb_and_options_that_exist(page: Path) -> None:
    assert [line for line in command_lines(text(page)) if not exists(line)] == []


def test_a_command_line_that_does_not_exist_is_noticed() -> None:
    assert exists("check NAME --on 2026-12-01") and exists("policy explain REG-001") and exists("--help")
    assert not exists("chekc NAME") and not exists("check NAME --onn 2026-12-01") and not exists("policy explian X")
    shown = "    suite-deploy up demo\n`./suite-deploy check NAME --junit x.xml` and $ suite-deploy\n"
    assert list(command_lines(shown)) == ["up demo", "check NAME --junit x.xml"]


def test_the_guide_is_the_same_in_both_languages() -> None:
    english, french = ({path.name for path in folder.glob("*.md")} for folder in (ENGLISH, FRENCH))
    assert english == french
    for name in english:
        ours, theirs = (folder / name for folder in (ENGLISH, FRENCH))
        assert outline(ours) == outline(theirs), name
        assert blocks(ours) == blocks(theirs), f"{name}: commands differ"


def test_the_readme_is_short_and_shows_what_there_is() -> None:
    page = text(ROOT / "README.md")
    assert page.count("\n") < 130
    assert "./suite-deploy up demo" in page and "tests/run" in page
    for slug in slugs():
        assert describe(slug).title in page, slug


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("suite", "**/suite.yml"),
        ("component", "roles/*/component.yml"),
        ("image-recipe", "roles/*/image.yml"),
        ("images-lock", "inventories/*/images.lock.yml"),
    ],
)
def test_our_own_files_keep_to_the_schemas(schema: str, pattern: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(text(ROOT / f"schemas/{schema}.schema.json")))
    validator.check_schema(validator.schema)
    found = [path for path in files() if path.match(pattern) and "policies" not in path.parts]
    assert found
    for path in found:
        # dates as a JSON reader sees them
        content = json.loads(json.dumps(yaml.safe_load(text(path)), default=str))
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)] == [], relative(path)


@pytest.mark.parametrize(
    "change",
    [
        {"domian": "x.example"},
        {"users": "many"},
        {"components": {"nobody": {}}},
        {"components": {slugs()[0]: {"hostnam": "id.x.example"}}},
        {"infrastructure": {"driver": "local", "hots": {}}},
        {"profile": None},
    ],
    ids=str,
)
def test_the_schema_of_suite_yml_notices_mistakes(change: dict[str, object]) -> None:
    schema = json.loads(text(ROOT / "schemas/suite.schema.json"))
    demo = yaml.safe_load(text(ROOT / "inventories/demo/suite.yml"))
    assert jsonschema.Draft202012Validator(schema).is_valid(demo)
    assert not jsonschema.Draft202012Validator(schema).is_valid({**demo, **change})


def test_the_schema_of_a_recipe_covers_every_kind_of_layer() -> None:
    schema = text(ROOT / "schemas/image-recipe.schema.json")
    for name in reachable(RecipeFile):
        assert name == "RecipeFile" or f'"#/$defs/{name}"' in schema


@cache
def commands() -> dict[str, click.Command]:
    """How each command is called → the command."""
    return {path: command for path, command, _ in walk(cli, context_of(cli, "suite-deploy"))}


def options_of(command: click.Command) -> set[str]:
    return {
        name for item in command.params if isinstance(item, click.Option) for name in (*item.opts, *item.secondary_opts)
    }


def command_lines(page: str) -> Iterator[str]:
    """What follows the program's name on each command line of a page."""
    for match in CALL.finditer(page):
        line = match.group(1).replace("\\\n", " ").strip()
        if line and not line.startswith(("…", ":", ">")):
            yield line


def exists(line: str) -> bool:
    """Whether the verbs of a command line exist and take its options."""
    words = shlex.split(re.split(r" [|<>]|&&| -> ", line)[0].replace("…", ""), comments=True)
    path = "suite-deploy"
    while words and f"{path} {words[0]}" in commands():
        path += f" {words.pop(0)}"
    command = commands()[path]
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        return False
    known = options_of(command) | {"--help", "-h"}
    return all(word.partition("=")[0] in known for word in words if re.match(r"--?[a-z]", word))


@cache
def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings."""
    titles = re.findall(r"^#{1,4} (.+)$", FENCE.sub("", text(page)), re.M)
    return {anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title.replace("`", ""))) for title in titles}


def outline(page: Path) -> list[int]:
    """Levels of the headings: the shape of a page, whatever its language."""
    return [len(marks) for marks in re.findall(r"^(#{1,4}) ", FENCE.sub("", text(page)), re.M)]


def blocks(page: Path) -> list[str]:
    """Command lines of a page, without comments, in order."""
    return [line.split(" #")[0].rstrip() for line in command_lines(text(page))]
