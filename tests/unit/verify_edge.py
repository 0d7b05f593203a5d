# SPDX-License-Identifier: MIT
"""An edge on loopback with a small identity provider behind it; each fault is a switch."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

Faults = set[str]
_REALM = "/realms/suite"


class Edge:
    """State of the identity provider, and what is wrong with it."""

    def __init__(self, issuer: str, clients: dict[str, tuple[str, str]], people: dict[str, str]):
        """clients: id → (secret, redirect URI). people: name → password."""
        self.issuer, self.clients, self.people = issuer, clients, people
        self.faults: Faults = set()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.requests: dict[str, dict[str, str]] = {}
        self.codes: dict[str, tuple[dict[str, str], str]] = {}
        self.sessions: dict[str, str] = {}
        self.refresh: dict[str, str] = {}

    def id_token(self, request: dict[str, str], session: str) -> str:
        claims = {
            "iss": self.issuer,
            "aud": request["client_id"],
            "sub": f"sub-{self.sessions[session]}",
            "nonce": "another" if "wrong nonce" in self.faults else request["nonce"],
            "exp": time.time() + 60,
            "sid": session,
        }
        head = _b64(json.dumps({"alg": "RS256", "kid": "k"}).encode())
        body = _b64(json.dumps(claims).encode())
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if "forged" in self.faults else self.key
        return f"{head}.{body}.{_b64(key.sign(f'{head}.{body}'.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def jwks(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        encoded = {"n": _b64(numbers.n.to_bytes(256)), "e": _b64(numbers.e.to_bytes(3))}
        return {"keys": [{"kid": "k", "kty": "RSA", "alg": "RS256", **encoded}]}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # head and body in one packet: two would wait for an acknowledgement each time
    wbufsize = 65_536
    edge: Edge

    def log_message(self, format: str, *args: object) -> None:  # silence
        del format, args

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._answer(url.path, {key: value[0] for key, value in parse_qs(url.query).items()})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(urlsplit(self.path).path, {key: value[0] for key, value in parse_qs(text).items()})

    def _answer(self, path: str, values: dict[str, str]) -> None:
        name = path.removeprefix(_REALM).strip("/").replace("/", "_").replace(".", "").replace("-", "_")
        mine = (self.headers.get("Host") or "").startswith("id.") and path.startswith(f"{_REALM}/")
        handler = getattr(self, f"_{name}", None) if mine else None
        if handler is not None:
            handler(values)
        elif "metrics open" in self.edge.faults and path.endswith("/metrics"):
            self._say(200, "process_cpu_seconds_total 1")
        else:
            self._say(404, "not found")

    def _say(self, status: int, body: str | dict[str, Any], **headers: str) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _session(self) -> str:
        cookie = self.headers.get("Cookie") or ""
        return next((part.partition("=")[2] for part in cookie.split("; ") if part.startswith("session=")), "")

    def _back(self, request: dict[str, str], **values: str) -> None:
        target = f"{request['redirect_uri']}?{urlencode({'state': request.get('state', ''), **values})}"
        self._say(302, "", Location=target)

    def _code(self, request: dict[str, str], session: str, **headers: str) -> None:
        code = secrets.token_urlsafe(8)
        self.edge.codes[code] = (request, session)
        state = "guessed" if "lost state" in self.edge.faults else request["state"]
        target = f"{request['redirect_uri']}?{urlencode({'state': state, 'code': code})}"
        self._say(302, "", Location=target, **headers)

    def _well_known_openid_configuration(self, _: dict[str, str]) -> None:
        names = ("authorization", "token", "userinfo", "end_session")
        found = {f"{name}_endpoint": f"{self.edge.issuer}/{name}" for name in names}
        if "plain endpoint" in self.edge.faults:
            found["token_endpoint"] = found["token_endpoint"].replace("https:", "http:")
        self._say(200, {"issuer": self.edge.issuer, "jwks_uri": f"{self.edge.issuer}/certs", **found})

    def _certs(self, _: dict[str, str]) -> None:
        self._say(200, self.edge.jwks())

    def _authorization(self, request: dict[str, str]) -> None:
        client = self.edge.clients.get(request["client_id"])
        if client is None or (client[1] != request["redirect_uri"] and "open redirect" not in self.edge.faults):
            self._say(400, "invalid redirect")
        elif "code_challenge" not in request and "no pkce" not in self.edge.faults:
            self._back(request, error="invalid_request")
        elif self._session() in self.edge.sessions:
            self._code(request, self._session())
        elif request.get("prompt") == "none":
            self._back(request, error="login_required")
        else:
            number = secrets.token_urlsafe(8)
            self.edge.requests[number] = request
            self._form(number)

    def _form(self, number: str) -> None:
        fields = '<input name="username"><input type="password" name="password"><input type="submit" name="go">'
        action = f"{_REALM}/login?a=1&amp;b=2"
        hidden = f'<input type="hidden" name="number" value="{number}">'
        self._say(
            200, f'<form id="x" action="{action}" method="post">{hidden}{fields}</form>', Content_Type="text/html"
        )

    def _login(self, values: dict[str, str]) -> None:
        right = self.edge.people.get(values["username"]) == values["password"]
        if not right and "any password" not in self.edge.faults:
            self._form(values["number"])
            return
        session = secrets.token_urlsafe(8)
        self.edge.sessions[session] = values["username"]
        self._code(self.edge.requests[values["number"]], session, Set_Cookie=f"session={session}; Secure; Path=/")

    def _token(self, values: dict[str, str]) -> None:
        if values["grant_type"] == "refresh_token":
            alive = self.edge.refresh.get(values["refresh_token"]) in self.edge.sessions
            self._say(200 if alive else 400, {"error": "invalid_grant"})
            return
        again = "codes last" in self.edge.faults
        request, session = (self.edge.codes.get if again else self.edge.codes.pop)(values["code"], ({}, ""))
        challenge = _b64(hashlib.sha256(values["code_verifier"].encode()).digest())
        if not request or (request.get("code_challenge") != challenge and "no pkce" not in self.edge.faults):
            self._say(400, {"error": "invalid_grant"})
            return
        refresh = secrets.token_urlsafe(8)
        self.edge.refresh[refresh] = session
        token = {"access_token": session, "refresh_token": refresh, "id_token": self.edge.id_token(request, session)}
        self._say(200, token)

    def _userinfo(self, _: dict[str, str]) -> None:
        session = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self._say(200, {"sub": f"sub-{self.edge.sessions[session]}"})

    def _end_session(self, _: dict[str, str]) -> None:
        if "sessions stay" not in self.edge.faults:
            self.edge.sessions.pop(self._session(), None)
        self._say(200, "bye")


@contextmanager
def serve(edge: Edge, names: list[str], directory: Path) -> Iterator[tuple[int, str]]:
    """Serve `edge` over TLS for all `names`; yields the port and the PEM of the authority that signed."""
    authority, leaf, key = _certificates(names)
    (directory / "edge.pem").write_bytes(leaf + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "edge.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"edge": edge}))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificates(names: list[str]) -> tuple[str, bytes, bytes]:
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    # Complete as RFC 5280 wants it: from Python 3.13 on, anything less is refused.
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )

    def build(subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        authority = isinstance(extension, x509.BasicConstraints)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(extension, critical=authority)
            .add_extension(
                x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
            .sign(keys[0], hashes.SHA256())
        )

    ca = build(root, keys[0], x509.BasicConstraints(ca=True, path_length=0))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    leaf = build(subject, keys[1], x509.SubjectAlternativeName([x509.DNSName(name) for name in names]))
    pem = serialization.Encoding.PEM
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ca.public_bytes(pem).decode(), leaf.public_bytes(pem), private
