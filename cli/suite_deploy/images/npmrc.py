# SPDX-License-Identifier: MIT
"""npm's own configuration, as far as fetching packages needs it: registries, credentials, proxies, CA.

Read from the variables `npm_config_*`, the user's .npmrc and the machine's, in this order of precedence.
Source: https://docs.npmjs.com/cli/v11/configuring-npm/npmrc and the package @npmcli/config.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, should_bypass_proxies
from urllib3.util import Retry

#: npm's own default
PUBLIC = "https://registry.npmjs.org/"
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class NpmSettings:
    """Settings by key; keys that begin with `//` belong to one registry."""

    values: Mapping[str, str]

    def registry(self, package: str) -> str:
        """Address of the registry that has a package, ending in a slash."""
        scope = package.partition("/")[0] if package.startswith("@") else ""
        address = self.values.get(f"{scope}:registry") if scope else None
        return (address or self.values.get("registry") or PUBLIC).rstrip("/") + "/"

    def authorization(self, url: str) -> str | None:
        """The header for a request to `url`, by the longest registry path that has credentials."""
        parts = urlsplit(url)
        path = parts.path.rpartition("/")[0]
        while True:
            where = f"//{parts.netloc}{path}/"
            for key in (where, where.rstrip("/")):
                if header := self._credentials(key):
                    return header
            if not path:
                return None
            path = path.rpartition("/")[0]

    def _credentials(self, where: str) -> str | None:
        if token := self.values.get(f"{where}:_authToken"):
            return f"Bearer {token}"
        if both := self.values.get(f"{where}:_auth"):
            return f"Basic {both}"
        user, password = self.values.get(f"{where}:username"), self.values.get(f"{where}:_password")
        if user and password:
            plain = base64.b64decode(password).decode()
            return f"Basic {base64.b64encode(f'{user}:{plain}'.encode()).decode()}"
        return None

    def proxies(self, url: str) -> dict[str, str]:
        """Proxies by scheme: those of npm's configuration, else those of the environment."""
        secure = self.values.get("https-proxy") or self.values.get("proxy")
        plain = self.values.get("proxy")
        exempt = self.values.get("noproxy")
        if exempt and should_bypass_proxies(url, no_proxy=exempt):
            return {}
        own = {scheme: value for scheme, value in (("https", secure), ("http", plain)) if value}
        return own or get_environ_proxies(url)

    def authorities(self, work: Path) -> str | bool:
        """A file of the CAs to trust: npm's own, or the machine's with those that Node is given besides."""
        if own := self.values.get("cafile"):
            return own
        system = ssl.get_default_verify_paths().cafile
        if not system or not Path(system).is_file():
            return True
        extra = os.environ.get("NODE_EXTRA_CA_CERTS", "")
        if not extra or not Path(extra).is_file():
            return system
        joined = work / "authorities.pem"
        joined.write_bytes(Path(system).read_bytes() + b"\n" + Path(extra).read_bytes())
        return str(joined)


def read_npm_settings() -> NpmSettings:
    """What npm on this machine would use."""
    values: dict[str, str] = {}
    environment = dict(_from_environment())
    for path in (*_machine_files(environment), _user_file(environment)):
        if path.is_file():
            values |= _from_file(path.read_text(encoding="utf-8"))
    return NpmSettings(values | environment)


def session(settings: NpmSettings, work: Path) -> requests.Session:
    """A session that trusts what npm trusts and asks again when a registry is busy or away for a moment."""
    made = requests.Session()
    # requests would read the bundle named in its own variables instead, and logins from ~/.netrc
    made.trust_env = False
    made.verify = settings.authorities(work)
    busy = Retry(total=4, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)
    made.mount("https://", HTTPAdapter(max_retries=busy))
    made.mount("http://", HTTPAdapter(max_retries=busy))
    return made


def _machine_files(environment: Mapping[str, str]) -> list[Path]:
    """The machine-wide file: beside Node's own folder, where Debian has it, or where a variable says."""
    if named := environment.get("globalconfig"):
        return [Path(named)]
    node = shutil.which("node")
    beside = [Path(node).resolve().parent.parent / "etc" / "npmrc"] if node else []
    return [Path("/etc/npmrc"), *beside]


def _user_file(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("userconfig") or Path.home() / ".npmrc")


def _from_environment() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name.lower().startswith("npm_config_") and value:
            key = name[len("npm_config_") :]
            if not key.startswith("//"):
                key = key[0] + key[1:].replace("_", "-")
                key = key.lower()
            yield key, value


def _from_file(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or key.startswith(("#", ";", "[")):
            continue
        if len(value) > 1 and value[0] == value[-1] == '"':
            try:
                value = str(json.loads(value))
            except ValueError:
                value = value[1:-1]
        elif len(value) > 1 and value[0] == value[-1] == "'":
            value = value[1:-1]
        values[key] = _VARIABLE.sub(lambda found: os.environ.get(found.group(1), found.group(0)), value)
    return values
