# SPDX-License-Identifier: MIT
"""A registry that lives in this process, and recipes that need no package archive."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from suite_deploy.images.debian import System
from suite_deploy.images.layers import directory, text_file, write_layer
from suite_deploy.images.recipe import Recipe, load_recipe
from suite_deploy.images.store import Store

ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/bin/bash\n", "group": "root:x:0:\nmail:x:8:\n"}


@dataclass
class FakeRegistry:
    """What a registry holds and what it was asked."""

    address: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    #: answer every upload with this status
    refuse_with: int = 0

    def writes(self) -> list[str]:
        return [line for line in self.requests if not line.startswith(("GET", "HEAD"))]


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """A running registry on a loopback port: the part of the distribution API that a push and a pull use."""
    state = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def find(self) -> None:
            state.requests.append(f"{self.command} {self.path}")
            found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", self.path)
            assert found
            name, kind, reference = found.groups()
            content = state.blobs.get(reference) if kind == "blobs" else state.manifests.get((name, reference))
            self.answer(404) if content is None else self.answer(200, content)

        do_GET = find
        do_HEAD = find

        def do_POST(self) -> None:
            state.requests.append(f"POST {self.path}")
            self.answer(state.refuse_with or 202, b"no room", Location="/v2/upload/session?state=1")

        def do_PUT(self) -> None:
            state.requests.append(f"PUT {self.path}")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
                state.manifests[(found.group(1), found.group(2))] = body
                state.manifests[(found.group(1), digest)] = body
                self.answer(201)
            else:
                asked = self.path.partition("digest=")[2]
                state.blobs[digest] = body
                self.answer(201 if asked == digest else 400)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def system(store: Store, *arguments: Any, **options: Any) -> System:
    """Stands in for the Debian layers: a system of one directory and two files."""
    entries = [directory("tmp", 0o1777), text_file("etc/passwd", b""), text_file("etc/os-release", b"ID=debian\n")]
    part = write_layer(store, entries, created_by="system", accounts=ACCOUNTS)
    return System((part,), "system")


def recipe(folder: Path, *, name: str = "registry.invalid/app", tag: str = "1", **changes: Any) -> Recipe:
    """A recipe with one layer of files, written to `folder` and loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "start.sh").write_text("#!/bin/sh\necho started\n")
    content = {
        "schema": 1,
        "image": {"name": name, "tag": tag},
        "debian": {"suite": "trixie"},
        "layers": [{"kind": "files", "files": [{"to": "/start.sh", "source": "start.sh", "mode": "0755"}]}],
        "config": {"entrypoint": ["/start.sh"], "user": "1000", "ports": ["8080/tcp"]},
    } | changes
    path = folder / "image.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_recipe(path)
