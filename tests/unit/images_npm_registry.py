# SPDX-License-Identifier: MIT
"""An npm registry that lives in this process, and package archives made for it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def archive(files: dict[str, bytes | tuple[bytes, int]], root: str = "package") -> bytes:
    """A package's .tgz: names below `root`, contents, and modes where they matter."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in files.items():
            data, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = tarfile.TarInfo(f"{root}/{name}")
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def integrity(data: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}"


@dataclass
class NpmRegistry:
    """What the registry holds, by path, and what it was asked: path and Authorization header."""

    address: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    #: path → statuses to answer first
    busy: dict[str, list[int]] = field(default_factory=dict)

    def publish(self, name: str, version: str, data: bytes) -> dict[str, Any]:
        """Put a package where npm looks for it; returns its entry of a package-lock.json."""
        base = name.rpartition("/")[2]
        self.content[f"/{name}/-/{base}-{version}.tgz"] = data
        return {"version": version, "integrity": integrity(data)}


@contextmanager
def npm_registry() -> Iterator[NpmRegistry]:
    state = NpmRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers.get("Authorization")))
            waiting = state.busy.get(self.path)
            content = state.content.get(self.path)
            status = waiting.pop(0) if waiting else 404 if content is None else 200
            body = content if content is not None and status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def package_lock(path: Path, packages: dict[str, dict[str, Any]], **changes: Any) -> Path:
    """Write a package-lock.json with these places below node_modules."""
    entries = {"": {"name": "app"}, **{f"node_modules/{where}": entry for where, entry in packages.items()}}
    path.write_text(json.dumps({"lockfileVersion": 3, "packages": entries} | changes))
    return path
