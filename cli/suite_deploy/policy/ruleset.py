# SPDX-License-Identifier: MIT
"""Finding and loading rule folders: ours, and those a fork keeps in `policies/` beside its inventories."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pydantic import ValidationError

from ..errors import InvalidInput, Problem
from ..paths import resource_root
from .findings import Level
from .metadata import Metadata
from .profiles import Settings
from .rule import Clause, Rule
from .yamldata import parse

METADATA, CHECK, SETTINGS = "metadata.yml", "check.py", "settings.yml"


@dataclass(frozen=True)
class RuleSet:
    """Loaded rules, and the levels a fork raised."""

    rules: tuple[Rule, ...]
    settings: Settings = Settings()
    #: hash over every rule and the settings: the rule set's version
    digest: str = ""
    #: folders that are not ours
    forks: tuple[str, ...] = ()
    by_id: dict[str, Rule] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        self.by_id.update({rule.id: rule for rule in self.rules})

    def level(self, rule: Rule, clause: str, profile: str) -> Level:
        """The level in force: the rule's own, or what the fork raised it to."""
        own = rule.level(clause, profile)
        raised = self.settings.levels.get(rule.id)
        return raised if raised and raised.rank > own.rank else own


def directory() -> Path:
    """Where our own rules are kept."""
    return resource_root() / "policies"


def load(inventory: Path | None = None, *, profile: str | None = None) -> RuleSet:
    """Our rules and those beside an inventory.

    inventory: the folder of suite.yml. profile: to refuse settings that lower a level of it.
    Raises InvalidInput for broken rules, ids used twice, and settings that lower anything.
    """
    ours = _builtin()
    folders = fork_folders(inventory) if inventory else ()
    if not folders:
        return ours
    rules, settings = list(ours.rules), Settings()
    for folder in folders:
        added = _folder(folder, builtin=False)
        for rule in added:
            if rule.id in {known.id for known in rules}:
                raise _problem(Path(rule.origin) / METADATA, "id", f"{rule.id} is taken; an id is never used twice.")
        rules += added
        settings = _merged(settings, _settings(folder / SETTINGS))
    result = RuleSet(tuple(rules), settings, _digest(rules, settings), tuple(str(folder) for folder in folders))
    _check_levels(result, profile)
    return result


def fork_folders(inventory: Path) -> tuple[Path, ...]:
    """`policies/` in the inventory, beside it, and beside the `inventories/` folder it lies in."""
    candidates = [inventory / "policies", inventory.parent / "policies"]
    if inventory.parent.name == "inventories":
        candidates.append(inventory.parent.parent / "policies")
    ours = directory().resolve()
    return tuple(folder for folder in candidates if folder.is_dir() and folder.resolve() != ours)


@lru_cache(maxsize=1)
def _builtin() -> RuleSet:
    rules = _folder(directory(), builtin=True)
    return RuleSet(tuple(rules), Settings(), _digest(rules, Settings()))


def _folder(folder: Path, *, builtin: bool) -> list[Rule]:
    return sorted(
        (load_rule(path.parent, builtin=builtin) for path in folder.glob(f"*/{METADATA}")), key=lambda rule: rule.id
    )


def load_rule(folder: Path, *, builtin: bool = False) -> Rule:
    """One rule from its folder. Raises InvalidInput when metadata and code do not fit together."""
    metadata_file, check_file = folder / METADATA, folder / CHECK
    raw, source = _read(metadata_file), _read(check_file)
    try:
        metadata = Metadata.model_validate(parse(raw))
    except (yaml.YAMLError, ValidationError) as error:
        raise _problem(metadata_file, "", str(error)) from error
    try:
        module = _import(f"policy_{folder.name}", check_file)
    except Exception as error:
        raise _problem(check_file, "", f"cannot be loaded: {type(error).__name__}: {error}") from error
    clauses = tuple(
        item.__dict__["policy_clause"]
        for item in module.__dict__.values()
        if callable(item) and isinstance(getattr(item, "__dict__", {}).get("policy_clause"), Clause)
    )
    names = {clause.name for clause in clauses}
    if names != set(metadata.clauses):
        odd = ", ".join(sorted(names ^ set(metadata.clauses)))
        raise _problem(metadata_file, "clauses", f"check.py and metadata.yml name different clauses: {odd}.")
    digest = hashlib.sha256(raw + b"\0" + source).hexdigest()
    return Rule(metadata, clauses, str(folder), builtin, digest)


class _Reader(SourceFileLoader):
    """Imports a file without leaving byte code beside it: the resource root is never written to."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Keep nothing."""


def _import(name: str, path: Path) -> ModuleType:
    loader = _Reader(name, str(path))
    spec = spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _problem(path, "", f"cannot be read: {error.strerror or error}.") from error


def _settings(path: Path) -> Settings:
    if not path.is_file():
        return Settings()
    try:
        return Settings.model_validate(parse(path.read_bytes()) or {})
    except (yaml.YAMLError, ValidationError) as error:
        raise _problem(path, "", str(error)) from error


def _merged(first: Settings, second: Settings) -> Settings:
    levels = dict(first.levels)
    for rule, level in second.levels.items():
        if rule not in levels or level.rank > levels[rule].rank:
            levels[rule] = level
    fields = type(first.allow).model_fields
    allow = {name: (*getattr(first.allow, name), *getattr(second.allow, name)) for name in fields}
    because = "; ".join(item for item in (first.because, second.because) if item)
    return Settings(levels=levels, allow=type(first.allow)(**allow), because=because)


def _check_levels(ruleset: RuleSet, profile: str | None) -> None:
    problems = []
    for rule_id, level in ruleset.settings.levels.items():
        rule = ruleset.by_id.get(rule_id)
        if rule is None:
            problems.append(Problem(SETTINGS, 0, f"levels.{rule_id}", "no such rule."))
        elif profile and level.rank < rule.metadata.levels.get(profile, Level.ADVISORY).rank:
            own = rule.metadata.levels.get(profile, Level.ADVISORY)
            found = f"{level} is lower than {own} in the profile {profile}."
            next_step = "A level can be raised here, never lowered; an exception is a waiver (waivers.yml)."
            problems.append(Problem(SETTINGS, 0, f"levels.{rule_id}", found, "", next_step))
    if problems:
        raise InvalidInput(problems)


def _digest(rules: Iterable[Rule], settings: Settings) -> str:
    text = "\n".join(f"{rule.id} {rule.digest}" for rule in rules) + settings.model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()


def _problem(path: Path, key: str, found: str) -> InvalidInput:
    return InvalidInput([Problem(str(path), 0, key, found)])
