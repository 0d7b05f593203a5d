# SPDX-License-Identifier: MIT
"""What every file of the project keeps to, and no usual tool looks at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT, files, is_script, relative, text

SOURCE_SUFFIXES = {".py", ".sh", ".toml", ".yml", ".yaml"}
LONGEST = 400
#: data and what programs make: judged by their own tests
DATA = re.compile(r"(\.lock$|^tests/golden/|/cases/|^policies/register/|\.schema\.json$|^docs/reference/)")
SILENCED = re.compile(
    r"\b(TODO|FIXME|XXX)\b|# *(noqa|type: *ignore)|\bxfail\b|except( Exception| BaseException)?:\s*\n\s*pass\b"
)


def sources() -> list[Path]:
    return [path for path in files() if path.suffix in SOURCE_SUFFIXES or is_script(path, "sh", "bash", "python3")]


def handwritten(path: Path) -> bool:
    return not DATA.search(relative(path))


def test_every_source_file_names_its_licence_first() -> None:
    wrong = []
    for path in filter(handwritten, sources()):
        if relative(path).startswith("inventories/") or not text(path).strip():
            continue
        head = [line for line in text(path).splitlines()[:3] if not line.startswith(("#!", "# shellcheck", "---"))]
        if not head or head[0] != "# SPDX-License-Identifier: MIT":
            wrong.append(relative(path))
    assert not wrong, "\n".join(["the first line must be `# SPDX-License-Identifier: MIT` in", *wrong])


def test_no_file_is_too_long() -> None:
    lengths = {relative(path): text(path).count("\n") for path in filter(handwritten, sources())}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert not long, f"more than {LONGEST} lines, one subject each: {long}"


def test_nothing_is_unfinished_or_silenced() -> None:
    found = [
        f"{relative(path)}:{text(path)[: match.start()].count(chr(10)) + 1}: {match.group().split(chr(10))[0]}"
        for path in sources()
        if path != Path(__file__)
        for match in SILENCED.finditer(text(path))
    ]
    assert not found, "\n".join(found)


def test_locks_name_no_package_index() -> None:
    for path in ROOT.glob("requirements*.lock"):
        odd = [line for line in text(path).splitlines() if not re.match(r"([a-z0-9-]+==\S+|    --hash=sha256:)", line)]
        assert not odd, f"{path.name}: {odd[0]}"


def machine_sources() -> set[str]:
    """The host names of the package sources that this machine is set up with."""
    settings = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    chosen = re.compile("(PIP|UV|GOPROXY|NPM_CONFIG)", re.IGNORECASE)
    settings += "\n".join(value for name, value in os.environ.items() if chosen.match(name))
    for folder in ("/etc/apt", "/etc/apt/sources.list.d"):
        for file in Path(folder).glob("*"):
            if file.suffix in {".list", ".sources"} and os.access(file, os.R_OK):
                settings += file.read_text(encoding="utf-8", errors="replace")
    for file in (Path.home() / ".npmrc", Path.home() / ".config/go/env", Path.home() / ".m2/settings.xml"):
        if file.is_file():
            settings += file.read_text(encoding="utf-8", errors="replace")
    hosts = {match.lower() for match in re.findall(r"https?://(?:[^/@\s'\"]*@)?([A-Za-z0-9.-]+)", settings)}
    return {host for host in hosts if "." in host}


def test_no_file_names_this_machines_package_sources() -> None:
    hosts = machine_sources()
    if not hosts:
        pytest.skip("this machine names no package source")
    found = [
        f"{relative(path)}: names a package source of this machine"
        for path in files()
        if any(host in text(path).lower() for host in hosts)
    ]
    assert not found, "\n".join(found)


def test_generated_json_is_json() -> None:
    for path in files():
        # a golden file begins with its mode and owner
        if path.suffix == ".json" and not path.is_relative_to(ROOT / "tests/golden"):
            json.loads(text(path))
