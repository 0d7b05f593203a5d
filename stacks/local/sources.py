# SPDX-License-Identifier: MIT
"""The outer machine's own Debian mirrors, as apt itself understands them, turned into sources for the hosts.

apt reads both of its formats, so it is asked rather than its files parsed. Hosts always see `http://` addresses: they
talk to the caching proxy, and that one goes on as the outer machine would (TLS, own CAs, a proxy, credentials).
"""

from __future__ import annotations

import hashlib
import json
import netrc
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stacks.local.system import run, write_if_changed
from suite_deploy.errors import CouldNotRun

GUEST_RELEASE = "trixie"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
#: what a release consists of
PARTS = ("", "-updates", "-security")
#: Names a sources file may give a release instead of its code name.
RELEASE_ALIASES = {"stable", "oldstable", "oldoldstable", "testing"}
CODENAMES = {"bullseye", "bookworm", "trixie", "forky"}
EXTRA_CA_DIRECTORY = Path("/usr/local/share/ca-certificates")
TARGET_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SOURCESENTRY)"


@dataclass(frozen=True)
class Target:
    """One package index apt is configured for. `origin` is empty while nothing was downloaded yet."""

    uri: str
    release: str
    component: str
    origin: str
    source_file: str


@dataclass(frozen=True)
class Mirrors:
    """Where Debian packages come from on this machine."""

    #: "", "-updates", "-security" → base address as the outer machine has it (may hold credentials)
    bases: Mapping[str, str]
    #: a key of the operator's own that signs them, if it is not Debian's
    keyring: Path | None
    #: scheme → proxy address (may hold credentials)
    proxies: Mapping[str, str]
    ca_file: str | None
    #: Acquire options about dates, which an outer machine with an old snapshot sets
    checks: Mapping[str, str]

    def guest_sources(self) -> str:
        """deb822 text for the hosts; the same for the same mirrors."""
        keyring = f"/etc/apt/keyrings/{self.keyring.name}" if self.keyring else DEBIAN_KEYRING
        suites: dict[str, list[str]] = {}
        for suffix, base in self.bases.items():
            suites.setdefault(guest_uri(base), []).append(GUEST_RELEASE + suffix)
        stanzas = [
            f"Types: deb\nURIs: {uri}\nSuites: {' '.join(names)}\nComponents: main\nSigned-By: {keyring}\n"
            for uri, names in suites.items()
        ]
        return "\n".join(stanzas)

    def proxy_mirrors(self) -> dict[str, str]:
        """What the caching proxy may serve: address the hosts ask for → address to fetch from."""
        return {guest_uri(base) + "/": base.rstrip("/") + "/" for base in self.bases.values()}


def guest_uri(base: str) -> str:
    """The address hosts use for a mirror: plain HTTP (to the proxy), no credentials, no trailing slash."""
    parts = urllib.parse.urlsplit(base)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(("http", host, parts.path.rstrip("/"), "", ""))


def remembered(record: Path) -> Mirrors:
    """What `discover` found last, as long as apt's settings and lists are the same; otherwise what it finds now.

    Asking apt takes longer than everything else a run that changes nothing does.
    """
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        if kept.pop("apt_state") == _apt_state():
            keyring = kept.pop("keyring")
            return Mirrors(**kept, keyring=Path(keyring) if keyring else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # No record, not ours to read, or of another version: all the same, there is nothing to remember.
        return discover()
    return discover()


def remember(mirrors: Mirrors, record: Path) -> None:
    """Keep what was found, readable by the owner only: a mirror's address may hold a login."""
    keyring = str(mirrors.keyring) if mirrors.keyring else ""
    text = json.dumps({**asdict(mirrors), "keyring": keyring, "apt_state": _apt_state()}, indent=1) + "\n"
    write_if_changed(record, text, 0o600)


def _apt_state() -> str:
    """A digest that changes when apt's configuration or its downloaded lists do, or the proxies of the environment."""
    files = [Path("/etc/apt"), Path("/var/lib/apt/lists"), *sorted(Path("/etc/apt").rglob("*"))]
    stamps = [(str(path), path.stat().st_mtime_ns) for path in files if path.exists()]
    return hashlib.sha256(json.dumps([stamps, proxy_environment()]).encode()).hexdigest()


def discover() -> Mirrors:
    """Ask the outer machine's apt for its Debian mirrors. Raises CouldNotRun where it has none."""
    bases, files = choose(ask_apt(), _mirror_list)
    if not bases:
        raise CouldNotRun(
            "apt on this machine has no Debian mirror reached over http or https, and hosts are made from one.\n"
            "  Add one to /etc/apt/sources.list.d, run apt-get update, then the same command again."
        )
    options = parse_options(run(["apt-config", "dump", "--format", "%f=%v%n", "Acquire"], doing="ask apt").stdout)
    proxies, ca_file = proxy_settings(options, os.environ)
    checks = {key: options[key] for key in ("Acquire::Check-Date",) if key in options}
    with_logins = {suffix: _with_login(base) for suffix, base in bases.items()}
    return Mirrors(with_logins, own_keyring(files), proxies, ca_file, checks)


def ask_apt(options: Sequence[str] = ()) -> list[Target]:
    """Every package index apt is configured for. `options`: more words for apt-get, such as `-o`, `Dir::Etc=…`.

    Raises CouldNotRun with apt's words when it cannot read its own settings.
    """
    ask = ["apt-get", *options, "indextargets", "--format", TARGET_FORMAT]
    doing = "ask apt for this machine's mirrors"
    # By default apt leaves out what it has not downloaded; only for the rest does it know who publishes it.
    downloaded = parse_targets(run([*ask, "Created-By: Packages"], doing=doing).stdout)
    configured = parse_targets(run([*ask, "--no-release-info", "Created-By: Packages"], doing=doing).stdout)
    origins = {(target.uri, target.release): target.origin for target in downloaded}
    return [replace(target, origin=origins.get((target.uri, target.release), "")) for target in configured]


def parse_targets(text: str) -> list[Target]:
    """Lines of `apt-get indextargets --format TARGET_FORMAT`; a field apt does not know stays as `$(NAME)`."""
    targets = []
    for line in text.splitlines():
        fields = ["" if field.startswith("$(") else field for field in line.split("|")]
        if len(fields) == 5:
            targets.append(Target(*fields))
    return targets


def choose(
    targets: Iterable[Target], mirror_list: Callable[[str], str | None] = lambda uri: None
) -> tuple[dict[str, str], list[str]]:
    """The mirror of each part of the release (main, updates, security) and the files they were configured in.

    Only what calls itself Debian counts: third parties also publish under `bookworm main`. Before anything was
    downloaded nobody has said who they are, and the address has to do.
    """
    usable = [target for target in targets if target.component == "main" and _suffix(target.release) is not None]
    debian = [target for target in usable if target.origin == "Debian"]
    if not debian:
        debian = [target for target in usable if not target.origin and _looks_like_debian(target.uri)]
    bases: dict[str, str] = {}
    files: list[str] = []
    for target in debian:
        uri = mirror_list(target.uri) if target.uri.startswith("mirror") else target.uri
        suffix = _suffix(target.release)
        if uri and suffix is not None and urllib.parse.urlsplit(uri).scheme in ("http", "https"):
            bases.setdefault(suffix, uri)
            files.append(target.source_file.rpartition(":")[0])
    if "" not in bases:
        return {}, []
    return {suffix: bases[suffix] for suffix in PARTS if suffix in bases}, files


def parse_options(text: str) -> dict[str, str]:
    """`apt-config dump` as a mapping; keys as apt spells them."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value for key, _, value in pairs if value}


def proxy_settings(options: Mapping[str, str], environment: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Proxies by scheme, and the CA file for HTTPS mirrors: apt's own settings first, then the environment."""
    lowered = {key.lower(): value for key, value in options.items()}
    proxies = {}
    for scheme in ("http", "https"):
        value = lowered.get(f"acquire::{scheme}::proxy") or environment.get(f"{scheme}_proxy", "")
        if scheme == "https" and not value:
            value = lowered.get("acquire::http::proxy", "")
        if value and value.upper() not in ("DIRECT", "FALSE"):
            proxies[scheme] = value
    return proxies, lowered.get("acquire::https::cainfo")


def own_keyring(files: Iterable[str]) -> Path | None:
    """The key file a Debian source names with Signed-By, where it is not one of Debian's own."""
    for name in dict.fromkeys(files):
        try:
            text = Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for found in re.findall(r"signed-by\s*[:=]\s*(/[^\s\],]+)", text, flags=re.IGNORECASE):
            path = Path(found)
            if not path.name.startswith("debian-archive-") and path.is_file():
                return path
    return None


def extra_cas(directory: Path = EXTRA_CA_DIRECTORY) -> list[str]:
    """PEM texts of the CAs the outer machine's administrator added."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(directory.rglob("*.crt")))
    return [text for text in texts if "-----BEGIN CERTIFICATE-----" in text]


def proxy_environment() -> dict[str, str]:
    """The proxy variables of the caller, which apt honours too."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in names if name in os.environ}


def proxy_configuration(mirrors: Mirrors, listen: tuple[str, int], cache: Path) -> str:
    """The configuration file of the caching proxy."""
    settings = {"listen": list(listen), "cache": str(cache), "mirrors": mirrors.proxy_mirrors(),
                "proxies": dict(mirrors.proxies), "ca_file": mirrors.ca_file}  # fmt: skip
    return json.dumps(settings, indent=1, sort_keys=True) + "\n"


def _suffix(release: str) -> str | None:
    """`bookworm-updates` → "-updates"; None for releases hosts have no use for (backports, other publishers')."""
    name, slash, rest = release.partition("/")
    name, _, kind = name.partition("-")
    if name not in CODENAMES | RELEASE_ALIASES:
        return None
    if slash:
        return "-security" if rest == "updates" else None
    return {"": "", "updates": "-updates", "security": "-security"}.get(kind)


def _looks_like_debian(uri: str) -> bool:
    return uri.rstrip("/").rpartition("/")[2] in ("debian", "debian-security")


def _mirror_list(uri: str) -> str | None:
    """The first address of a mirror list in a local file (`mirror+file:/…`), as Debian's cloud images have them."""
    path = re.sub(r"^mirror\+file:/*", "/", uri).rstrip("/")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    addresses = (line.split()[0] for line in lines if line.strip() and not line.startswith("#"))
    return next((address for address in addresses if address.startswith(("http://", "https://"))), None)


def _with_login(base: str) -> str:
    """Put the login apt has for a mirror (auth.conf) into its address; the proxy has no other way to know it."""
    parts = urllib.parse.urlsplit(base)
    if "@" in parts.netloc:
        return base
    for path in [Path("/etc/apt/auth.conf"), *sorted(Path("/etc/apt/auth.conf.d").glob("*.conf"))]:
        try:
            found = netrc.netrc(path).authenticators(parts.hostname or "")
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue
        if found and found[0] and found[2]:
            login = f"{urllib.parse.quote(found[0], safe='')}:{urllib.parse.quote(found[2], safe='')}"
            return urllib.parse.urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
    return base
