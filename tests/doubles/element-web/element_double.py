# SPDX-License-Identifier: MIT
"""Element Web without the client: the files, port and headers of its image, and the checks its start page makes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

VERSION = "1.12.26"
#: the image's entrypoints copy the configuration into one and write nginx's into the other
COPY, NGINX = Path("/tmp/element-web-config"), Path("/etc/nginx/conf.d")
_SERVERS = ("default_server_config", "default_server_name", "default_hs_url")


class Refused(Exception):
    """Why the real image or its page would not start, in one line that names the setting."""


def check(config: Any) -> None:
    """What the page checks before it starts. Raises Refused."""
    if not isinstance(config, dict):
        raise Refused("config.json: no object")
    chosen = [name for name in _SERVERS if name in config]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none"
        raise Refused(f"config.json: exactly one of {', '.join(_SERVERS)} is needed, found {found}")
    if "default_server_config" in chosen:
        homeserver = (config["default_server_config"] or {}).get("m.homeserver") or {}
        if not str(homeserver.get("base_url", "")).startswith("https://"):
            raise Refused("config.json: default_server_config.m.homeserver.base_url is no https URL")
        if "matrix.org" in str(homeserver["base_url"]):
            raise Refused("config.json: default_server_config is the sample's, no file was mounted over it")


def prepare(environment: Mapping[str, str], app: Path, copy: Path, nginx: Path) -> int:
    """Do what the image's entrypoints do; returns the port. Raises Refused."""
    port = environment.get("ELEMENT_WEB_PORT", "80")
    if not port.isdigit():
        raise Refused(f"ELEMENT_WEB_PORT: {port!r} is no port")
    if not os.access(nginx, os.W_OK):
        raise Refused(f"{nginx} is not writable")
    try:
        check(json.loads((app / "config.json").read_text()))
        copy.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(app / "config.json", copy / "config.json")
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"config.json: {error}") from error
    return int(port)


def handler(app: Path, copy: Path) -> type[BaseHTTPRequestHandler]:
    """Serves what nginx would, with its headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            files = {"/": app / "index.html", "/index.html": app / "index.html", "/config.json": copy / "config.json"}
            body = VERSION.encode() if path == "/version" else files[path].read_bytes() if path in files else None
            self.send_response(404 if body is None else 200)
            if path == "/config.json":
                self.send_header("Content-Type", "application/json")
            elif body is not None:
                self.send_header("Content-Type", "text/plain" if path == "/version" else "text/html")
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> int:
    app = Path("/app")
    try:
        port = prepare(os.environ, app, COPY, NGINX)
        server = ThreadingHTTPServer(("", port), handler(app, COPY))
    except Refused as refused:
        print(f"element-web: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"element-web: ELEMENT_WEB_PORT: {error.strerror}", file=sys.stderr)
        return 1
    # the first process of a container ignores what it does not handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
