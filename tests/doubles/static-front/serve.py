# SPDX-License-Identifier: MIT
"""Pages, as plain as they come: port 8080, one page at /, by choice for every other path too."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>{0}</title><h1>{0}</h1><p>Contract double.</p></html>"


def handler(title: str, everywhere: bool) -> type[BaseHTTPRequestHandler]:
    """everywhere: whether unknown paths get the page (one-page applications) or 404."""

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "double"

        def do_GET(self) -> None:
            found = everywhere or self.path.partition("?")[0] in ("/", "/index.html")
            body = PAGE.format(title if found else "Not found").encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """The edge logs."""

    return Pages


if __name__ == "__main__":
    # the first process of a container ignores what it does not handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address = ("", 8080)
    ThreadingHTTPServer(address, handler(sys.argv[1], "--every-path" in sys.argv)).serve_forever()
