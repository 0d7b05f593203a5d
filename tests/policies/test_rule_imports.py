# SPDX-License-Identifier: MIT
"""What rules import of this program: the modules that `rule.py` promises to those who write rules of their own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from suite_deploy.policy import rule, ruleset

PACKAGE = "suite_deploy"
NAMED = re.findall(r"^    (\w+)  +\S", rule.__doc__ or "", re.MULTILINE)
STABLE = {f"{PACKAGE}.policy.{name}" for name in ("rule", *NAMED)}


def imported(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Module and names of every import in a file, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), {item.name for item in node.names}
        elif isinstance(node, ast.Import):
            yield from ((item.name, set()) for item in node.names)


def test_rules_import_only_what_is_promised_and_all_of_it_is_used() -> None:
    found: set[str] = set()
    for loaded in ruleset.load().rules:
        for module, names in imported(Path(loaded.origin) / "check.py"):
            if module.startswith((PACKAGE, ".")):
                assert module in STABLE, f"{loaded.id} imports {module}, which no rule may count on"
                found.add(module)
            if module == rule.__name__:
                assert names <= set(rule.__all__), f"{loaded.id}: {names - set(rule.__all__)} is not exported"
    assert found == STABLE
