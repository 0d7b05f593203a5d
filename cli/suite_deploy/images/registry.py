# SPDX-License-Identifier: MIT
"""Image registries: the suite's own, spoken to directly, and the upstream ones, through skopeo.

Skopeo knows what the machine knows about upstream registries: credentials, mirrors, certificates, policy.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from ..errors import CouldNotRun
from ..runners.process import capture, run
from .recipe import architecture
from .store import MANIFEST, Store

#: manifests we understand; an index is resolved to this machine's architecture
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = {"Accept": ", ".join(MANIFESTS)}
#: seconds for one answer of the suite's own registry
ANSWER = 10.0
#: seconds for an upload
UPLOAD = 300.0
#: docker.io is a name; its registry answers elsewhere
ENDPOINTS = {"docker.io": "registry-1.docker.io"}


def host_of(name: str) -> str:
    """The registry in an image name that begins with one, as all names in component descriptions do."""
    return name.partition("/")[0]


def repository(name: str) -> str:
    """An upstream name, its registry included, as a repository of the suite's registry: there a port is no name."""
    return name.replace(":", "-")


class LocalRegistry:
    """The suite's registry at `host:port`, over plain HTTP inside the bridge."""

    def __init__(self, address: str):
        self.address = address
        self.session = requests.Session()
        # neither a proxy nor a login of the caller has a part in this
        self.session.trust_env = False

    def reference(self, name: str, digest: str) -> str:
        """What a unit names."""
        return f"{self.address}/{repository(name)}@{digest}"

    def has(self, name: str, digest: str) -> bool:
        """One quick question: is the manifest there?"""
        return self._ask("HEAD", f"{repository(name)}/manifests/{digest}", ACCEPT).status_code == 200

    def labels(self, name: str, digest: str) -> dict[str, str]:
        """Labels in the configuration of an image that is there."""
        here = repository(name)
        manifest = self._json(f"{here}/manifests/{digest}", ACCEPT)
        config = self._json(f"{here}/blobs/{manifest['config']['digest']}")
        return dict((config.get("config") or {}).get("Labels") or {})

    def push(self, store: Store, name: str, digest: str, tag: str) -> None:
        """Upload what is missing of an image in the store. Raises CouldNotRun when the registry refuses."""
        if self.has(name, digest):
            return
        here = repository(name)
        manifest = store.manifest(digest)
        for item in (*manifest["layers"], manifest["config"]):
            if self._ask("HEAD", f"{here}/blobs/{item['digest']}").status_code != 200:
                self._upload(here, item["digest"], store.blob(item["digest"]))
        raw = store.blob(digest).read_bytes()
        for reference in (digest, tag):
            path = f"{here}/manifests/{reference}"
            self._expect(201, self._ask("PUT", path, {"Content-Type": MANIFEST}, raw), path)

    def _upload(self, here: str, digest: str, blob: Path) -> None:
        started = self._ask("POST", f"{here}/blobs/uploads/")
        self._expect(202, started, f"{here}/blobs/uploads/")
        where = urljoin(f"http://{self.address}/", started.headers["Location"])
        joint = "&" if "?" in where else "?"
        with blob.open("rb") as file:
            try:
                answer = self.session.put(
                    f"{where}{joint}digest={digest}",
                    data=file,
                    headers={"Content-Type": "application/octet-stream"},
                    timeout=(ANSWER, UPLOAD),
                )
            except requests.RequestException as error:
                raise CouldNotRun(self._trouble(error)) from error
        self._expect(201, answer, f"{here}/blobs/{digest}")

    def _json(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = self._ask("GET", path, headers)
        self._expect(200, answer, path)
        return dict(answer.json())

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> requests.Response:
        try:
            url = f"http://{self.address}/v2/{path}"
            return self.session.request(method, url, data=data, headers=headers, timeout=ANSWER)
        except requests.RequestException as error:
            raise CouldNotRun(self._trouble(error)) from error

    def _expect(self, status: int, answer: requests.Response, path: str) -> None:
        if answer.status_code != status:
            said = answer.text.strip()[:300]
            raise CouldNotRun(f"the registry {self.address} answered {answer.status_code} to {path}: {said}")

    def _trouble(self, error: Exception) -> str:
        return f"the registry {self.address} does not answer: {reason(error)}"


def unreachable(hosts: Iterable[str], seconds: float = 2.5) -> dict[str, str]:
    """Ask registries at once whether they are there; returns those that are not, and why.

    Takes at most `seconds` in all: a resolver or a firewall that never answers counts as an answer.
    """
    answers: dict[str, str | None] = {}
    wanted = sorted(set(hosts))
    # daemon threads: one stuck in name resolution must not hold up the end of the program
    threads = [
        threading.Thread(target=lambda host=host: answers.update({host: _knock(host, seconds)}), daemon=True)
        for host in wanted
    ]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    late = f"no answer in {seconds:g} s"
    found = {host: answers.get(host, late) for host in wanted}
    return {host: why for host, why in found.items() if why is not None}


def _knock(host: str, seconds: float) -> str | None:
    """None when a registry answers at `host`, else why not."""
    trusted = ssl.get_default_verify_paths().cafile
    try:
        answer = requests.get(
            f"https://{ENDPOINTS.get(host, host)}/v2/",
            timeout=(seconds, seconds),
            allow_redirects=False,
            verify=trusted if trusted and Path(trusted).is_file() else True,
        )
    except requests.RequestException as error:
        return reason(error)
    # a captive portal or a filtering proxy answers too, but not like a registry
    sign = {200: "Docker-Distribution-Api-Version", 401: "WWW-Authenticate"}.get(answer.status_code)
    if sign is not None and sign in answer.headers:
        return None
    return f"answered {answer.status_code}, which is not a registry's answer"


def reason(error: Exception) -> str:
    """The innermost cause of a failed request, in few words."""
    cause: BaseException = error
    while inner := getattr(cause, "reason", None) or cause.__cause__ or cause.__context__:
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = " ".join(str(getattr(cause, "strerror", None) or cause).split())
    return text.rpartition(": ")[2][:160] or type(cause).__name__


def upstream_digest(name: str, tag: str, timeout: float = 30) -> str:
    """Digest of this machine's variant of an upstream image, asked through skopeo (`timeout` in seconds).

    Raises CouldNotRun with skopeo's own words.
    """
    inspect = ["skopeo", f"--command-timeout={int(timeout)}s", "inspect"]
    shown = capture([*inspect, "--raw", f"docker://{name}:{tag}"], timeout=timeout + 5)
    document = json.loads(shown)
    if document.get("mediaType") in INDEXES or "manifests" in document:
        for item in document["manifests"]:
            platform = item.get("platform", {})
            if platform.get("architecture") == architecture() and platform.get("os") == "linux":
                return str(item["digest"])
        raise CouldNotRun(f"{name}:{tag} has no variant for {architecture()}")
    return capture([*inspect, "--format={{.Digest}}", f"docker://{name}:{tag}"], timeout=timeout + 5).strip()


def copy_upstream(name: str, source: str, digest: str, registry: LocalRegistry, on_line: Callable[[str], None]) -> None:
    """Copy one variant of an image into the suite's registry, unchanged: `source` (`name:tag`) to upstream's `name`."""
    plain, _, tag = name.rpartition(":")
    target = f"docker://{registry.address}/{repository(plain)}:{tag}"
    command = ["skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false", "--retry-times=2"]
    run([*command, f"docker://{source.rpartition(':')[0]}@{digest}", target], on_line=on_line)
