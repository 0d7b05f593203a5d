# SPDX-License-Identifier: MIT
"""Debian's docker-registry as the world's registries: TLS with its own CA, a login, or tokens as the big ones use."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

USER, PASSWORD = "tester", "tester-password"
#: bcrypt, the only kind the registry takes
HTPASSWD = f"{USER}:$2b$10$Uxjs6G.WGB5wSf3NMCRnQeWd6XL6yh15wb8tyuqeR/m/BuOOE8yta\n"
LOCALHOST = "127.0.0.1"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Authority:
    """A CA and the certificate it signed for 127.0.0.1, as files."""

    ca: Path
    certificate: Path
    key: Path
    signer: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, folder: Path, name: str) -> Authority:
        folder.mkdir(parents=True, exist_ok=True)
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOCALHOST))])
        now = datetime.now(UTC)

        def sign(subject: x509.Name, public: Any, extension: x509.ExtensionType) -> bytes:
            builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
            builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=2))
            return (
                builder.add_extension(extension, critical=False)
                .sign(ca_key, hashes.SHA256())
                .public_bytes(serialization.Encoding.PEM)
            )

        paths = {each: folder / f"{name}-{each}.pem" for each in ("ca", "certificate", "key")}
        paths["ca"].write_bytes(sign(issuer, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0)))
        paths["certificate"].write_bytes(sign(subject, key.public_key(), address))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        paths["key"].write_bytes(key.private_bytes(*form))
        return cls(paths["ca"], paths["certificate"], paths["key"], key)


@dataclass
class RealRegistry:
    """One docker-registry process. auth: its `auth` section; it can be stopped and started again on its port."""

    folder: Path
    authority: Authority
    auth: dict[str, Any]
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"{LOCALHOST}:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}, "level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}},
            "http": {
                "addr": self.host,
                "secret": "not-a-secret",
                "tls": {"certificate": str(self.authority.certificate), "key": str(self.authority.key)},
            },
            "auth": self.auth,
        }
        path = self.folder / "config.yml"
        path.write_text(yaml.safe_dump(config))
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(["docker-registry", "serve", str(path)], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as knocking:
                if knocking.connect_ex((LOCALHOST, self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError(f"no registry on {self.host}: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request with the right login."""
        session = requests.Session()
        session.trust_env = False
        url = path if path.startswith("https:") else f"https://{self.host}/v2/{path}"
        return session.request(method, url, verify=str(self.authority.ca), auth=(USER, PASSWORD), timeout=30, **options)

    def push(self, name: str, tag: str, content: bytes, architectures: tuple[str, ...]) -> str:
        """An image of one layer; with several architectures, an index of them. Returns the digest of the tag."""
        entries = []
        for number, architecture in enumerate(architectures):
            layer = self._blob(name, content + architecture.encode() * number)
            config = self._blob(name, json.dumps({"architecture": architecture, "os": "linux"}).encode())
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
            }
            raw = json.dumps(manifest).encode()
            where = self._manifest(name, tag if len(architectures) == 1 else _digest(raw), raw, MANIFEST)
            entries.append({**where, "platform": {"architecture": architecture, "os": "linux"}})
        if len(entries) == 1:
            return str(entries[0]["digest"])
        raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, indent=3).encode()
        return str(self._manifest(name, tag, raw, INDEX)["digest"])

    def _blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = _digest(content)
        started = self.ask("POST", f"{name}/blobs/uploads/")
        assert started.status_code == 202, started.text
        where = started.headers["Location"]
        done = self.ask("PUT", f"{where}&digest={digest}", data=content)
        assert done.status_code == 201, done.text
        return {"digest": digest, "size": len(content)}

    def _manifest(self, name: str, reference: str, raw: bytes, media_type: str) -> dict[str, Any]:
        done = self.ask("PUT", f"{name}/manifests/{reference}", data=raw, headers={"Content-Type": media_type})
        assert done.status_code == 201, done.text
        return {"mediaType": media_type, "digest": _digest(raw), "size": len(raw)}

    def file_of(self, digest: str) -> Path:
        """Where the registry keeps a blob's or a manifest's bytes."""
        value = digest.removeprefix("sha256:")
        return self.data / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOCALHOST, 0))
        return int(taken.getsockname()[1])


def with_login(folder: Path) -> dict[str, Any]:
    """A registry's `auth` section for one user and a password."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "htpasswd"
    path.write_text(HTPASSWD)
    return {"htpasswd": {"realm": "test", "path": str(path)}}


@contextmanager
def token_service(authority: Authority) -> Iterator[dict[str, Any]]:
    """A registry's `auth` section with a running service that gives tokens to the user, for what is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            allowed = self.headers.get("Authorization") == f"Basic {wanted}"
            body = json.dumps({"token": _token(authority, asked.get("scope", []))} if allowed else {}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOCALHOST, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    realm = f"http://{LOCALHOST}:{server.server_address[1]}/token"
    bundle = str(authority.ca)
    try:
        yield {"token": {"realm": realm, "service": "test", "issuer": "test", "rootcertbundle": bundle}}
    finally:
        server.shutdown()
        server.server_close()


def _token(authority: Authority, scopes: list[str]) -> str:
    now = int(time.time())
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":", 2)
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    claims = {"iss": "test", "sub": USER, "aud": "test", "iat": now, "nbf": now - 60, "exp": now + 300, "jti": "1"}
    leaf = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    chain = [base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode()]
    parts = [
        _url64(json.dumps(each).encode())
        for each in ({"typ": "JWT", "alg": "ES256", "x5c": chain}, {**claims, "access": access})
    ]
    signature = authority.signer.sign(".".join(parts).encode(), ec.ECDSA(hashes.SHA256()))
    both = decode_dss_signature(signature)
    return ".".join([*parts, _url64(b"".join(number.to_bytes(32, "big") for number in both))])


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def login_file(path: Path, **passwords: str) -> Path:
    """Credentials as `skopeo login` keeps them: registry → password of the user."""
    auths = {
        host: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()} for host, password in passwords.items()
    }
    path.write_text(json.dumps({"auths": auths}))
    path.chmod(0o600)
    return path


def trusting(path: Path, *authorities: Authority) -> Path:
    """A bundle of the machine's CAs and these."""
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    texts = [system.read_bytes()] if system.is_file() else []
    path.write_bytes(b"\n".join([*texts, *(each.ca.read_bytes() for each in authorities)]))
    os.chmod(path, 0o644)
    return path
