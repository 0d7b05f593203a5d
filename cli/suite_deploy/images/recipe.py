# SPDX-License-Identifier: MIT
"""The typed schema of `image.yml`: how an image is made from packages when no registry has it.

A recipe honours the upstream image's contract (entrypoint, command, uid, ports, paths, environment), so that the
same unit runs either.
"""

from __future__ import annotations

import hashlib
import json
import platform
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ..errors import InvalidInput, Problem
from ..model.component import Image
from ..model.strict import Strict
from ..model.validation import validate
from ..model.yamlfile import load_yaml

RECIPE_FILE = "image.yml"
#: raised when the builder would make something else from the same recipe
BUILDER_VERSION = 1
#: a test stand-in says so in its image configuration
DOUBLE_LABEL = "org.suite-deploy.double"
RECIPE_LABEL = "org.suite-deploy.recipe"

#: machine → (Debian and OCI name, wheel platform suffix)
ARCHITECTURES = {"x86_64": ("amd64", "x86_64"), "aarch64": ("arm64", "aarch64")}

#: in a merged-usr system these are symbolic links: a layer that made them directories would break the image
_LINKED = ("/bin", "/sbin", "/lib", "/lib64", "/var/run", "/var/lock")


def _absolute(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or value == "/" or ".." in parts or "" in parts[1:]:
        raise ValueError(f"{value!r} is not a clean absolute path, e.g. /opt/app")
    for linked in _LINKED:
        if value == linked or value.startswith(f"{linked}/"):
            raise ValueError(f"{value!r} lies below {linked}, a symbolic link in the base system: write its target")
    return value


def _inside(value: str) -> str:
    if value.startswith("/") or ".." in Path(value).parts:
        raise ValueError(f"{value!r} must name a file beside the recipe")
    return value


ImagePath = Annotated[str, AfterValidator(_absolute)]
BesideRecipe = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Owner = Annotated[str, Field(pattern=r"^\d{1,6}:\d{1,6}$")]
Mode = Annotated[str, Field(pattern=r"^0[0-7]{3}$")]
PackageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
ToolName = Literal["java"]


class Debian(Strict):
    """The base system. `packages` come on top of the base layer that all images of a suite share."""

    suite: Annotated[str, Field(pattern=r"^[a-z]+$")] = "trixie"
    packages: tuple[PackageName, ...] = ()


class Account(Strict):
    """A line in the image's passwd (and group, unless the group id is there already)."""

    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]
    uid: Annotated[int, Field(ge=1, le=65533)]
    gid: Annotated[int, Field(ge=0, le=65533)]
    home: ImagePath


class Run(Strict):
    """A command run on the building machine, without network and without rights, in the layer's own tree."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    env: dict[str, str] = {}
    tools: tuple[ToolName, ...] = ()


class Placed(Strict):
    into: ImagePath
    owner: Owner = "0:0"
    #: every file gets the rights of its owner for its group too, as images made for arbitrary user ids do
    group_writable: bool = False


class PypiLayer(Placed):
    """Wheels from the Python index, by a lock file with hashes, for the image's Python."""

    kind: Literal["pypi"]
    requirements: BesideRecipe
    python: Annotated[str, Field(pattern=r"^3\.\d+$")]
    #: where console scripts go, with the image's interpreter in their first line
    scripts: ImagePath = "/usr/local/bin"
    interpreter: ImagePath = "/usr/bin/python3"


class MavenLayer(Placed):
    """One artifact from a Maven repository: unpacked when it is an archive."""

    kind: Literal["maven"]
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    artifact: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    packaging: Literal["tar.gz", "jar"]
    sha256: Sha256
    #: leading path components to drop when unpacking
    strip: Annotated[int, Field(ge=0, le=3)] = 0
    #: directories to add, below `into`
    directories: tuple[BesideRecipe, ...] = ()
    run: tuple[Run, ...] = ()


class NpmLayer(Placed):
    """Packages from the npm registry, by a package-lock.json with an integrity for each. No install script runs."""

    kind: Literal["npm"]
    lock: BesideRecipe


class GoLayer(Placed):
    """Programs of one Go module, built as the main module so that its `replace` lines hold."""

    kind: Literal["go"]
    module: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_~-]+$")]
    version: Annotated[str, Field(pattern=r"^v[0-9][A-Za-z0-9.+-]+$")]
    #: the module's own line in go.sum
    sum: Annotated[str, Field(pattern=r"^h1:[A-Za-z0-9+/]{43}=$")]
    #: program name → package below the module, e.g. `./cmd/server`
    programs: Annotated[dict[str, str], Field(min_length=1)]


class FileEntry(Strict):
    """Exactly one of `source` (a file or a whole folder beside the recipe), `text`, `link`, `directory`."""

    to: ImagePath
    source: BesideRecipe | None = None
    text: str | None = None
    link: str | None = None
    directory: bool = False
    mode: Mode | None = None
    owner: Owner = "0:0"

    @model_validator(mode="after")
    def one_kind(self) -> FileEntry:
        chosen = [self.source is not None, self.text is not None, self.link is not None, self.directory]
        if sum(chosen) != 1:
            raise ValueError("exactly one of `source`, `text`, `link`, `directory` is needed")
        return self


class FilesLayer(Strict):
    kind: Literal["files"]
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]


AnyLayer = PypiLayer | MavenLayer | NpmLayer | GoLayer | FilesLayer
Layer = Annotated[AnyLayer, Field(discriminator="kind")]


class Config(Strict):
    """What a container made from the image starts with."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = {}
    user: str = ""
    workdir: str = ""
    ports: tuple[Annotated[str, Field(pattern=r"^\d{1,5}/(tcp|udp)$")], ...] = ()
    volumes: tuple[ImagePath, ...] = ()
    labels: dict[str, str] = {}


class RecipeFile(Strict):
    """`image.yml` as written."""

    schema_: Literal[1] = Field(alias="schema")
    #: the upstream image this stands for
    image: Image
    debian: Debian
    accounts: tuple[Account, ...] = ()
    layers: tuple[Layer, ...] = ()
    config: Config


@dataclass(frozen=True)
class Recipe:
    """A recipe and the folder its files are in."""

    path: Path
    content: RecipeFile

    @property
    def reference(self) -> str:
        """`name:tag` of the image it stands for."""
        return f"{self.content.image.name}:{self.content.image.tag}"

    @property
    def folder(self) -> Path:
        return self.path.parent

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides what the image becomes, but for the state of the package archives."""
        return digest_of(
            {
                "recipe": self.content.model_dump(mode="json"),
                "files": {name: source_hash(self.folder / name) for name in self.files()},
                "architecture": architecture(),
                "builder": BUILDER_VERSION,
            }
        )

    def files(self) -> tuple[str, ...]:
        """Names of the files beside the recipe that it uses."""
        names: set[str] = set()
        for layer in self.content.layers:
            names |= layer_files(layer)
        return tuple(sorted(names))


def layer_files(layer: AnyLayer) -> set[str]:
    """Names of the files and folders beside the recipe that one layer uses."""
    if isinstance(layer, PypiLayer):
        return {layer.requirements}
    if isinstance(layer, NpmLayer):
        return {layer.lock}
    if isinstance(layer, FilesLayer):
        return {entry.source for entry in layer.files if entry.source is not None}
    return set()


def load_recipe(path: Path) -> Recipe:
    """Read and validate one recipe. Raises InvalidInput with every problem in it, each with its line."""
    loaded = load_yaml(path)
    content, problems = validate(RecipeFile, loaded.data, loaded.place)
    if content is None:
        raise InvalidInput(problems)
    recipe = Recipe(path, content)
    missing = [name for name in recipe.files() if not (recipe.folder / name).exists()]
    if missing:
        raise InvalidInput([Problem(loaded.name, 0, "layers", f"{name} is not beside the recipe.") for name in missing])
    return recipe


def find_recipes(roles: Path) -> dict[str, Recipe]:
    """Every recipe below `roles`, by component."""
    return {path.parent.name: load_recipe(path) for path in sorted(roles.glob(f"*/{RECIPE_FILE}"))}


def architecture() -> str:
    """This machine's architecture in Debian's and OCI's words; other machines cannot build or run the suite."""
    return _architecture()[0]


def wheel_platforms() -> tuple[str, ...]:
    """Wheel tags that the image's C library accepts, newest first."""
    suffix = _architecture()[1]
    return (f"manylinux_2_28_{suffix}", f"manylinux_2_17_{suffix}", f"manylinux2014_{suffix}")


def _architecture() -> tuple[str, str]:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InvalidInput([Problem("image recipes", 0, "", f"this machine is {machine}.", f"Supported: {known}.")])
    return ARCHITECTURES[machine]


def digest_of(value: Any) -> str:
    """Hex SHA-256 of a JSON value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def source_hash(path: Path) -> str:
    """Hash of what a layer takes from a file, or from every file below a folder: content, names, executable bits."""
    if not path.is_dir():
        return file_hash(path)
    found = [item for item in sorted(path.rglob("*")) if item.is_file() and "__pycache__" not in item.parts]
    return digest_of(
        {
            item.relative_to(path).as_posix(): [file_hash(item), bool(item.stat().st_mode & stat.S_IXUSR)]
            for item in found
        }
    )


def file_hash(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
