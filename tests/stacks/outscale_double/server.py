# SPDX-License-Identifier: MIT
"""The double's HTTP side: signatures, the API description, and faults on the wire."""

from __future__ import annotations

import hmac
import json
import socket
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import description
from .cloud import Cloud
from .faults import Fault
from .refusal import Refusal

ACCESS_KEY, SECRET_KEY = "TESTACCESSKEY0000001", "made-up-secret-key-of-the-double-0000001"


class Server(ThreadingHTTPServer):
    """cloud: what it serves. faults: still to strike. seen: (action, parameters) of every request that was carried out.

    violations: requests and answers that did not fit the published description; a test that leaves any has failed.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, cloud: Cloud, *, slow: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cloud = cloud
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.violations: list[str] = []
        self.raw: list[bytes] = []
        #: seconds a `hang` lasts
        self.hang = 3.0
        self.keys = {ACCESS_KEY: (SECRET_KEY, cloud.account)}
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """URL of its API."""
        return f"http://127.0.0.1:{self.server_port}/api/v1"

    def start(self) -> Server:
        """Serve from a thread of its own."""
        # Read now: the first answer would come too late otherwise.
        description.document()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()

    def count(self, action: str) -> int:
        """How often an action was carried out."""
        return sum(1 for name, _ in self.seen if name == action)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        action = self.path.rpartition("/")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request_id = str(uuid.uuid4())
        with self.server.lock:
            self.server.asked.append(action)
            self.server.raw.append(body)
            fault = next((item for item in self.server.faults if item.strikes(action)), None)
        if fault and fault.kind == "drop":
            return self._hang_up()
        try:
            if fault and fault.kind == "throttle":
                raise Refusal(503, "6", "AccessDenied", "Request rate exceeded.")
            if fault and fault.kind == "throttle-account":
                raise Refusal(429, "24", "AccessDenied", "Request rate exceeded.")
            if fault and fault.kind == "refuse":
                raise Refusal(*fault.error)
            self._signed(body)
            answer = self._carried_out(action, body)
        except Refusal as refusal:
            errors = [{"Code": refusal.code, "Type": refusal.kind, "Details": refusal.details}]
            return self._answer(refusal.status, "ErrorResponse", {"Errors": errors}, request_id)
        except NotImplementedError as error:
            self.server.violations.append(f"{action}: the double cannot do this: {error}")
            return self._answer(500, "ErrorResponse", {"Errors": []}, request_id)
        if fault and fault.kind == "lose":
            return self._hang_up()
        if fault and fault.kind == "fail":
            return self._answer(500, "ErrorResponse", {"Errors": []}, request_id)
        if fault and fault.kind == "hang":
            time.sleep(self.server.hang)
        return self._answer(200, f"{action}Response", answer, request_id)

    def _carried_out(self, action: str, body: bytes) -> dict[str, Any]:
        if not description.known(action):
            self.server.violations.append(f"{action} is no action of the API")
            raise Refusal(404, "2", "InvalidAction", action)
        parameters = json.loads(body)
        found = description.wrong(f"{action}Request", parameters)
        if found:
            self.server.violations.extend(found)
            raise Refusal(400, "3001", "InvalidParameter", found[0])
        with self.server.lock:
            answer = self.server.cloud.carry_out(action, parameters)
            self.server.seen.append((action, parameters))
        return answer

    def _signed(self, body: bytes) -> None:
        """The signature as the SDK's own code makes it from the right key, else refused like the API does."""
        from osc_sdk_python.authentication import Authentication
        from osc_sdk_python.credentials import Profile

        given = self.headers.get("Authorization", "")
        scope = given.partition("Credential=")[2].partition(",")[0].split("/")
        secret, account = self.server.keys.get(scope[0], ("", ""))
        profile = Profile(access_key=scope[0], secret_key=secret, region=self.server.cloud.region)
        signer = Authentication(profile, "127.0.0.1")
        date = self.headers.get("X-Osc-Date", "")
        signer.build_dates = lambda: (date, date[:8])
        wanted = signer.forge_headers_signed(self.path, body.decode())["Authorization"]
        if not secret or not hmac.compare_digest(given, wanted):
            raise Refusal(401, "1", "AccessDenied", "")
        self.server.cloud.asking = account

    def _answer(self, status: int, schema: str, content: dict[str, Any], request_id: str) -> None:
        whole = {**content, "ResponseContext": {"RequestId": request_id}}
        self.server.violations.extend(description.wrong(schema, whole))
        data = json.dumps(whole).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: tests read `seen`."""
