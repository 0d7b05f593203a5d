# SPDX-License-Identifier: MIT
"""Credentials of a cloud: from the usual variables or files, handed to children as variables and kept nowhere.

Regions, endpoints and certificates to skip are never taken from here: they are literals of the inventory.
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import CouldNotRun
from ..files import write_whole
from ..model.deployment import Deployment
from ..model.suite import Ovh
from ..toolfiles import BROKEN, what_is_wrong

#: key of `auth:` in clouds.yaml → variable
_OPENSTACK = {
    "username": "OS_USERNAME",
    "user_id": "OS_USER_ID",
    "password": "OS_PASSWORD",
    "user_domain_name": "OS_USER_DOMAIN_NAME",
    "user_domain_id": "OS_USER_DOMAIN_ID",
    "project_name": "OS_PROJECT_NAME",
    "project_id": "OS_PROJECT_ID",
    "project_domain_name": "OS_PROJECT_DOMAIN_NAME",
    "project_domain_id": "OS_PROJECT_DOMAIN_ID",
    "application_credential_id": "OS_APPLICATION_CREDENTIAL_ID",
    "application_credential_name": "OS_APPLICATION_CREDENTIAL_NAME",
    "application_credential_secret": "OS_APPLICATION_CREDENTIAL_SECRET",
    "token": "OS_TOKEN",
}
_OPENSTACK_ALIASES = {"OS_TENANT_ID": "OS_PROJECT_ID", "OS_TENANT_NAME": "OS_PROJECT_NAME"}
_OVH = {
    "application_key": "OVH_APPLICATION_KEY",
    "application_secret": "OVH_APPLICATION_SECRET",
    "consumer_key": "OVH_CONSUMER_KEY",
    "client_id": "OVH_CLIENT_ID",
    "client_secret": "OVH_CLIENT_SECRET",
    "access_token": "OVH_ACCESS_TOKEN",
}
_OUTSCALE = {
    "access_key": "OSC_ACCESS_KEY",
    "secret_key": "OSC_SECRET_KEY",
    "x509_client_cert": "OSC_X509_CLIENT_CERT",
}
#: what may be shown: everything else is a secret
_PUBLIC = ("_NAME", "_USERNAME", "_ID", "_CACERT", "_CLIENT_CERT")
#: any one of these sets is enough
_ENOUGH: dict[str, tuple[tuple[str, ...], ...]] = {
    "openstack": (
        ("OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET"),
        ("OS_APPLICATION_CREDENTIAL_NAME", "OS_APPLICATION_CREDENTIAL_SECRET", "OS_USERNAME"),
        ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"),
        ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_ID"),
        ("OS_USER_ID", "OS_PASSWORD", "OS_PROJECT_ID"),
        ("OS_TOKEN", "OS_PROJECT_ID"),
        ("OS_TOKEN", "OS_PROJECT_NAME"),
    ),
    "ovh": (
        ("OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY"),
        ("OVH_CLIENT_ID", "OVH_CLIENT_SECRET"),
        ("OVH_ACCESS_TOKEN",),
    ),
    "outscale": (("OSC_ACCESS_KEY", "OSC_SECRET_KEY"),),
    "s3": (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),),
}
#: which sets of credentials a driver needs
_NEEDS = {"openstack": ("openstack",), "ovh": ("openstack", "ovh"), "outscale": ("outscale",)}
_SAID = {
    "openstack": "credentials of the OpenStack project: OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME or OS_PROJECT_ID,"
    " or an application credential (OS_APPLICATION_CREDENTIAL_ID and _SECRET), or an entry of clouds.yaml",
    "ovh": "a key of OVHcloud's own interface: OVH_APPLICATION_KEY, OVH_APPLICATION_SECRET and OVH_CONSUMER_KEY,"
    " or OVH_CLIENT_ID and OVH_CLIENT_SECRET, or a section of ovh.conf",
    "outscale": "an access key: OSC_ACCESS_KEY and OSC_SECRET_KEY, or a profile of ~/.osc/config.json",
    "s3": "the key of the state's bucket: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}


@dataclass(frozen=True)
class Credentials:
    """What was found, by variable. sources: kind of credential → where it came from; missing: sentences.

    partly: for each of `missing`, where something of it is and what, by name alone, or why a file was of no use.
    """

    variables: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str]
    missing: tuple[str, ...]
    partly: tuple[str, ...] = ()

    @property
    def secret_values(self) -> tuple[str, ...]:
        """The values no line of output may hold."""
        return tuple(value for name, value in self.variables.items() if not name.endswith(_PUBLIC))

    def require(self) -> None:
        """Raise CouldNotRun that says which credentials are missing."""
        if self.missing:
            partly = (f" ({one})" if one else "" for one in self.partly)
            lines = "\n".join(f"  missing: {one}{why}" for one, why in zip(self.missing, partly, strict=True))
            raise CouldNotRun(f"no complete credentials for this cloud were found, nothing was started:\n{lines}")


def find_credentials(
    driver: str,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    *,
    project: str = "",
    endpoint: str = "ovh-eu",
    state_in_s3: bool = False,
) -> Credentials:
    """Credentials for a driver, a kind taken from the variables if they suffice, else from the tools' own file.

    project: OpenStack project given by the inventory (OVHcloud). endpoint: section of ovh.conf.
    state_in_s3: whether the key of the state's bucket is wanted too. Raises CouldNotRun for a file that is broken.
    """
    given = dict(os.environ if environ is None else environ)
    base = home or Path.home()
    fixed = {"OS_PROJECT_ID": project} if project else {}
    variables: dict[str, str] = {}
    sources: dict[str, str] = {}
    missing: list[str] = []
    partly: list[str] = []
    for kind in (*_NEEDS[driver], *(("s3",) if state_in_s3 else ())):
        found, source, remark = _of_environment(kind, given), "environment", ""
        seen = {source: found}
        if not _suffices(kind, found | fixed):
            from_file, where, remark = _of_file(kind, given, base, endpoint)
            seen[where] = from_file
            if _suffices(kind, from_file | fixed):
                found, source = from_file, where
        if _suffices(kind, found | fixed):
            if kind == "openstack" and fixed and "OS_APPLICATION_CREDENTIAL_SECRET" not in found:
                found = {name: value for name, value in found.items() if not name.startswith("OS_PROJECT_NAME")} | fixed
            if kind == "ovh":
                # Its provider refuses to choose between two kinds of key; the first that is complete counts.
                chosen = next(names for names in _ENOUGH[kind] if all(found.get(name) for name in names))
                found = {name: found[name] for name in chosen}
            variables |= found
            sources[kind] = source
        else:
            missing.append(_SAID[kind])
            there = [f"only {place}: {', '.join(sorted(names))}" for place, names in seen.items() if names]
            partly.append("; ".join([*there, *filter(None, [remark])]))
    return Credentials(variables, sources, tuple(missing), tuple(partly))


def find_driver_credentials(deployment: Deployment) -> Credentials:
    """The credentials for a deployment's cloud, complete or not."""
    infrastructure, state = deployment.suite.infrastructure, deployment.suite.state
    ovh = infrastructure if isinstance(infrastructure, Ovh) else None
    return find_credentials(
        deployment.driver,
        project=ovh.project if ovh else "",
        endpoint=ovh.endpoint if ovh else "",
        state_in_s3=bool(state and state.s3),
    )


def without_files(folder: Path) -> dict[str, str]:
    """Variables that show children empty files where the tools of the clouds keep theirs. folder: to keep one in.

    What was chosen in those is in variables, and was judged; without what chose it children would judge another entry.
    """
    empty = folder / "no-profiles.json"
    # Nothing, in YAML and in JSON alike.
    write_whole(empty, '{"clouds": {}}\n', 0o600, folder_mode=0o700)
    return {"OS_CLIENT_CONFIG_FILE": str(empty), "OSC_CONFIG_FILE": str(empty), "AWS_CONFIG_FILE": os.devnull}


def _suffices(kind: str, found: Mapping[str, str]) -> bool:
    return any(all(found.get(name) for name in names) for names in _ENOUGH[kind])


def _of_environment(kind: str, environ: Mapping[str, str]) -> dict[str, str]:
    names = {
        "openstack": (*_OPENSTACK.values(), "OS_CACERT"),
        "ovh": tuple(_OVH.values()),
        "outscale": tuple(_OUTSCALE.values()),
        "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    }[kind]
    found = {name: environ[name] for name in names if environ.get(name)}
    if kind == "openstack":
        for old, new in _OPENSTACK_ALIASES.items():
            if environ.get(old):
                found.setdefault(new, environ[old])
    return found


def _of_file(kind: str, environ: Mapping[str, str], home: Path, endpoint: str) -> tuple[dict[str, str], str, str]:
    """Variables, where from, and why a file that is there has none."""
    if kind == "openstack":
        return _clouds_yaml(environ, home)
    if kind == "ovh":
        return _ovh_conf(home, endpoint)
    return _osc_config(environ, home) if kind == "outscale" else ({}, "", "")


def _clouds_yaml(environ: Mapping[str, str], home: Path) -> tuple[dict[str, str], str, str]:
    """The chosen entry: by OS_CLOUD, or the only one there is; secrets from secure.yaml beside it."""
    named = environ.get("OS_CLIENT_CONFIG_FILE")
    base = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "openstack"
    places = [*([Path(named)] if named else []), Path("clouds.yaml"), base / "clouds.yaml"]
    places.append(Path("/etc/openstack/clouds.yaml"))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}, "", ""
    clouds = _clouds(path)
    chosen = environ.get("OS_CLOUD") or (next(iter(clouds)) if len(clouds) == 1 else "")
    if chosen not in clouds:
        if chosen:
            there = ", ".join(clouds) or "none"
            raise CouldNotRun(f"{path}: OS_CLOUD says {chosen!r}; the file has: {there}\n  Set it to one of these.")
        return {}, "", f"{path} has {', '.join(clouds) or 'no cloud'}; OS_CLOUD says none of them"
    entry = clouds[chosen]
    secure = path.with_name("secure.yaml")
    hidden = _clouds(secure).get(chosen, {}) if secure.is_file() else {}
    auth = {**_mapping(entry.get("auth")), **_mapping(hidden.get("auth"))}
    found = {name: str(auth[key]) for key, name in _OPENSTACK.items() if auth.get(key)}
    if entry.get("cacert"):
        found["OS_CACERT"] = str(entry["cacert"])
    return found, f"{path} ({chosen})", ""


def _clouds(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except BROKEN as error:
        raise _unreadable(path, error) from None
    return {str(name): _mapping(entry) for name, entry in _mapping(_mapping(content).get("clouds")).items()}


def _unreadable(path: Path, error: Exception) -> CouldNotRun:
    """To be raised `from None`: the error of the parser may repeat a password."""
    step = "Mend that file, or give the credentials as variables."
    return CouldNotRun(f"{path}: cannot be read: {what_is_wrong(error)}\n  {step}")


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _ovh_conf(home: Path, endpoint: str) -> tuple[dict[str, str], str, str]:
    remarks = []
    for path in (Path("ovh.conf"), home / ".ovh.conf", Path("/etc/ovh.conf")):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            if not path.is_file():
                continue
            parser.read_string(path.read_text(encoding="utf-8"))
        except BROKEN as error:
            raise _unreadable(path, error) from None
        if parser.has_section(endpoint):
            section = dict(parser.items(endpoint))
            return {name: section[key] for key, name in _OVH.items() if section.get(key)}, f"{path} [{endpoint}]", ""
        remarks.append(f"{path} has no section {endpoint}; it has: {', '.join(parser.sections()) or 'none'}")
    return {}, "", "; ".join(remarks)


def _osc_config(environ: Mapping[str, str], home: Path) -> tuple[dict[str, str], str, str]:
    path = Path(environ.get("OSC_CONFIG_FILE") or home / ".osc" / "config.json")
    chosen = environ.get("OSC_PROFILE") or "default"
    try:
        profiles = _mapping(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}, "", ""
    except BROKEN as error:
        raise _unreadable(path, error) from None
    if chosen not in profiles:
        return {}, "", f"{path} has no profile {chosen!r}; it has: {', '.join(map(str, profiles)) or 'none'}"
    entry = _mapping(profiles[chosen])
    return {name: str(entry[key]) for key, name in _OUTSCALE.items() if entry.get(key)}, f"{path} ({chosen})", ""
