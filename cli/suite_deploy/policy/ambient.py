# SPDX-License-Identifier: MIT
"""Settings that tools would pick up behind our back: environment variables, clouds.yaml, profiles, endpoint overrides.

Collected once, as `where it was found` → value. Credentials are never read. Rules compare the values with what the
inventory declares: equal ones pass, contradictions are findings.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ..toolfiles import BROKEN, what_is_wrong
from .yamldata import parse

Kind = Literal["region", "endpoint", "insecure", "selector", "vendor", "interface", "backend", "token", "kms"]

_VARIABLES: dict[str, Kind] = {
    "OS_REGION_NAME": "region",
    "OS_AUTH_URL": "endpoint",
    "OS_INSECURE": "insecure",
    "OS_CLOUD": "selector",
    "OSC_REGION": "region",
    "OSC_PROFILE": "selector",
    "OSC_ENDPOINT_API": "endpoint",
    "OSC_TEST_INSECURE": "insecure",
    "OUTSCALE_REGION": "region",
    "OUTSCALE_OAPI_URL": "endpoint",
    "OUTSCALE_PROFILE": "selector",
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ENDPOINT_URL_S3": "endpoint",
    "AWS_PROFILE": "selector",
    "OVH_ENDPOINT": "interface",
    "PULUMI_BACKEND_URL": "backend",
    "PULUMI_API": "backend",
    "PULUMI_ACCESS_TOKEN": "token",
}
_PATTERNS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"^OS_[A-Z0-9_]+_ENDPOINT_OVERRIDE$"), "endpoint"),
    (re.compile(r"^OSC_ENDPOINT_[A-Z0-9_]+$"), "endpoint"),
    (re.compile(r"^AWS_ENDPOINT_URL_[A-Z0-9_]+$"), "endpoint"),
)
_KEYS: dict[str, Kind] = {
    "region_name": "region",
    "region": "region",
    "auth_url": "endpoint",
    "authUrl": "endpoint",
    "endpoint_url": "endpoint",
    "host": "endpoint",
    "insecure": "insecure",
    "verify": "insecure",
    "profile": "vendor",
    "endpoint": "interface",
    "current": "backend",
    "url": "backend",
    "secretsprovider": "kms",
}
#: what this user cannot read, this user's tools cannot read either
_NOT_FOR_US = (FileNotFoundError, PermissionError, NotADirectoryError)
#: a name and password inside a URL
_USER = re.compile(r"//[^/@\s]*@")
#: settings of providers in a stack's configuration
_CONFIG = re.compile(
    r"^(openstack|ovh|outscale):(region|authUrl|insecure|cloud|endpoint|endpointOverrides|endpoints)\b"
)
#: which settings a driver's tools read; `state` settings concern every driver
_READ_BY = {
    "openstack": ("OS_", "AWS_", "clouds:", "aws:", "config:"),
    "ovh": ("OS_", "OVH_", "AWS_", "clouds:", "aws:", "ovh:", "config:"),
    "outscale": ("OSC_", "OUTSCALE_", "AWS_", "osc:", "aws:", "config:"),
}
_STATE = ("PULUMI_", "pulumi")


def collect_ambient(environ: Mapping[str, str], home: Path, directory: Path | None = None) -> dict[str, str]:
    """Every setting that could decide about region, endpoint, transport or state.

    environ: the process environment. home: the operator's home directory. directory: where the command was started,
    for a clouds.yaml lying there. Unreadable files are kept as `…#unreadable`, so that a rule can refuse them.
    """
    found = {name: value for name, value in environ.items() if value and _kind_of_variable(name)}
    if found.get("PULUMI_ACCESS_TOKEN"):
        # that there is one is enough to know
        found |= dict.fromkeys(("PULUMI_ACCESS_TOKEN",), "set")
    found.update(_clouds(environ, home, directory))
    found.update(_outscale(environ, home))
    found.update(_aws(environ, home))
    found.update(_ovh(home, directory))
    found.update(_pulumi(environ, home))
    found.update(_project(directory))
    return {source: _USER.sub("//", value) for source, value in sorted(found.items())}


def kind(source: str) -> Kind | None:
    """What a setting decides about; None: it could not be read."""
    if "#" not in source:
        return _kind_of_variable(source)
    return _kind_of_key(source.rpartition("#")[2])


def concerns(source: str, driver: str) -> bool:
    """Whether the tools of a driver would read this setting."""
    if source.startswith(_STATE):
        return False
    return source.startswith(_READ_BY.get(driver, ()))


def of_kind(ambient: Mapping[str, str], driver: str, *wanted: Kind) -> Iterator[tuple[str, str]]:
    """(source, value) of the settings of these kinds that the driver's tools read."""
    for source, value in ambient.items():
        if concerns(source, driver) and kind(source) in wanted:
            yield source, value


def about_state(ambient: Mapping[str, str], *wanted: Kind) -> Iterator[tuple[str, str]]:
    """(source, value) of the settings that decide where state goes, files that could not be read among them."""
    for source, value in ambient.items():
        if source.startswith(_STATE) and (kind(source) in wanted or source.endswith("#unreadable")):
            yield source, value


def unreadable(ambient: Mapping[str, str], driver: str) -> Iterator[tuple[str, str]]:
    """Files that exist, would be read by the driver's tools, and could not be understood."""
    for source, value in ambient.items():
        if source.endswith("#unreadable") and concerns(source, driver):
            yield source.removesuffix("#unreadable"), value


def means_insecure(source: str, value: str) -> bool:
    """Whether a setting turns certificate checks off (`verify: false` is the same as `insecure: true`)."""
    on = value.strip().lower() in ("1", "true", "yes", "on")
    return not on if source.endswith(".verify") else on


def _kind_of_variable(name: str) -> Kind | None:
    if name in _VARIABLES:
        return _VARIABLES[name]
    return next((kind_ for pattern, kind_ in _PATTERNS if pattern.match(name)), None)


def _kind_of_key(path: str) -> Kind | None:
    last = path.rpartition(".")[2]
    if last.endswith(("_endpoint_override", "_endpoint")) or "endpoints." in path or "endpointOverrides." in path:
        return "endpoint"
    return _KEYS.get(last)


def _clouds(environ: Mapping[str, str], home: Path, directory: Path | None) -> Iterator[tuple[str, str]]:
    """The chosen entry of clouds.yaml: by OS_CLOUD, or the only one there is."""
    named = environ.get("OS_CLIENT_CONFIG_FILE")
    places = [Path(named)] if named else []
    places += [directory / "clouds.yaml"] if directory else []
    configured = environ.get("XDG_CONFIG_HOME")
    base = Path(configured) if configured else home / ".config"
    places += [base / "openstack" / "clouds.yaml", Path("/etc/openstack/clouds.yaml")]
    path = next((place for place in places if _is_there(place)), None)
    if path is None:
        return
    try:
        clouds = parse(path.read_bytes())["clouds"]
        chosen = environ.get("OS_CLOUD") or (next(iter(clouds)) if len(clouds) == 1 else "")
        entry = clouds.get(chosen) if chosen else None
    except BROKEN as error:
        yield f"clouds:{path}#unreadable", what_is_wrong(error)
        return
    if entry is None and environ.get("OS_CLOUD"):
        yield (
            f"clouds:{path}#unreadable",
            f"OS_CLOUD says {chosen!r}, and it has {', '.join(map(str, clouds)) or 'none'}",
        )
    if isinstance(entry, Mapping):
        for key, value in _leaves(entry):
            if _kind_of_key(key):
                yield f"clouds:{path}#clouds.{chosen}.{key}", str(value)


def _outscale(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    """The chosen profile of the Outscale tools' file."""
    path = Path(environ.get("OSC_CONFIG_FILE") or home / ".osc" / "config.json")
    chosen = environ.get("OSC_PROFILE") or environ.get("OUTSCALE_PROFILE") or "default"
    try:
        entry = json.loads(path.read_text(encoding="utf-8")).get(chosen)
    except _NOT_FOR_US:
        return
    except BROKEN as error:
        yield f"osc:{path}#unreadable", what_is_wrong(error)
        return
    if isinstance(entry, Mapping):
        for key, value in _leaves(entry):
            if _kind_of_key(key):
                yield f"osc:{path}#{chosen}.{key}", str(value)


def _aws(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    """The chosen profile of the S3 tools' file."""
    path = Path(environ.get("AWS_CONFIG_FILE") or home / ".aws" / "config")
    chosen = environ.get("AWS_PROFILE") or "default"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except _NOT_FOR_US:
        return
    except BROKEN as error:
        yield f"aws:{path}#unreadable", what_is_wrong(error)
        return
    for section in (chosen, f"profile {chosen}"):
        if parser.has_section(section):
            for key, value in parser.items(section):
                if _kind_of_key(key):
                    yield f"aws:{path}#{chosen}.{key}", value


def _ovh(home: Path, directory: Path | None) -> Iterator[tuple[str, str]]:
    """`endpoint` of the OVH tools' file."""
    places = [directory / "ovh.conf"] if directory else []
    for path in (*places, home / ".ovh.conf", Path("/etc/ovh.conf")):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except _NOT_FOR_US:
            continue
        except BROKEN as error:
            yield f"ovh:{path}#unreadable", what_is_wrong(error)
            continue
        if parser.has_option("default", "endpoint"):
            yield f"ovh:{path}#default.endpoint", parser.get("default", "endpoint")


def _pulumi(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    """The backend the engine is logged in to."""
    path = Path(environ.get("PULUMI_HOME") or home / ".pulumi") / "credentials.json"
    try:
        current = json.loads(path.read_text(encoding="utf-8")).get("current")
    except _NOT_FOR_US:
        return
    except BROKEN as error:
        yield f"pulumi:{path}#unreadable", what_is_wrong(error)
        return
    if current:
        yield f"pulumi:{path}#current", str(current)


def _project(directory: Path | None) -> Iterator[tuple[str, str]]:
    """Backend, key service and provider settings that project and stack files of the working directory name."""
    for path in sorted(directory.glob("Pulumi*.yaml")) if directory else ():
        try:
            data = parse(path.read_bytes())
        except BROKEN as error:
            yield f"pulumi:{path}#unreadable", what_is_wrong(error)
            continue
        for key, value in _leaves(data if isinstance(data, Mapping) else {}):
            if key in ("backend.url", "secretsprovider"):
                yield f"pulumi:{path}#{key}", str(value)
            setting = key.removeprefix("config.")
            if setting != key and _CONFIG.match(setting):
                yield f"config:{path}#{setting.replace(':', '.')}", str(value)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}.{index}")
    elif value is not None:
        yield path, value
