# SPDX-License-Identifier: MIT
"""Everything beyond plain routes: the servers around edge, and the variables that make it use them."""

from __future__ import annotations

import contextlib
import json
import ssl
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.edge import outside
from tests.roles.edge.site import APP, NOBODY, Variables, proxy, variables

MEDIA, TURN, TURN_TOO = "media.suite.example", "turn.suite.example", "turn-rtc.suite.example"
API, PROVIDER = "api.provider.example", "s3.provider.example"
#: an address of the box that counts as the suite's own; connections of the tests' browser come from 127.0.0.1
OWN = "127.0.0.9"
RELAY_PORT = 20587
POLICY = "default-src 'none'"


@dataclass
class World:
    """The servers, and what each saw."""

    store: outside.Recorder
    far_store: outside.Recorder
    odd_store: outside.Recorder
    guard: outside.Recorder
    first: outside.Recorder
    second: outside.Recorder
    api: outside.Recorder
    talker: outside.Threaded
    names: outside.Names
    address: str

    def clear(self) -> None:
        for server in (self.store, self.far_store, self.odd_store, self.guard):
            server.seen.clear()


def server_context(authority: Authority, name: str, scratch: Path) -> ssl.SSLContext:
    """TLS for a server with a certificate for this name."""
    root = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )
    both = scratch / f"{name}.pem"
    both.touch(mode=0o600)
    encoding = serialization.Encoding.PEM
    plain = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(plain + certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


@contextlib.contextmanager
def world(box: Box, trusted: Authority, stranger: Authority, scratch: Path) -> Iterator[World]:
    """Servers on this machine, at the address by which the box knows it."""
    here = box.outside
    with contextlib.ExitStack() as stack:

        def web(handler: type[outside.Quiet], name: str = "", tls: ssl.SSLContext | None = None) -> outside.Recorder:
            server = outside.Recorder(here, handler, name, tls)
            stack.enter_context(outside.running(server))
            return server

        talker = outside.Threaded((here, 0), outside.Talker)
        stack.enter_context(outside.running(talker))
        names = stack.enter_context(outside.Names(here).serving())
        yield World(
            store=web(outside.Store),
            far_store=web(outside.Store, tls=server_context(trusted, PROVIDER, scratch)),
            odd_store=web(outside.Store, tls=server_context(stranger, PROVIDER, scratch)),
            guard=web(outside.Guard),
            first=web(outside.Named, "first"),
            second=web(outside.Named, "second"),
            api=web(outside.Named, "api", server_context(stranger, API, scratch)),
            talker=talker,
            names=names,
            address=here,
        )


def beyond(ca: Authority, around: World) -> Variables:
    """Everything the role is given, with all that is not a plain route."""
    here = around.address

    def url(server: outside.Recorder) -> str:
        return f"http://{here}:{server.port}"

    def media(path: str, upstream: str, guard: str, **more: Any) -> Variables:
        return proxy(
            path,
            upstream=upstream,
            auth={"upstream": guard, "path": "/api/v1.0/media-auth/"},
            host_header=outside.STORE_NAME,
            rewrite_from=path,
            rewrite_to=f"/{outside.BUCKET}/",
            headers={"Content-Security-Policy": POLICY},
            **more,
        )

    guard, rooms = url(around.guard), [url(around.first), url(around.second)]
    site = {
        "hostname": MEDIA,
        "routes": [
            proxy("/"),
            media("/media/", url(around.store), guard),
            media("/far/media/", f"https://{PROVIDER}:{around.far_store.port}", guard),
            media("/odd/media/", f"https://{PROVIDER}:{around.odd_store.port}", guard),
            media("/misnamed/media/", f"https://other.provider.example:{around.far_store.port}", guard),
            media("/nowhere/media/", "https://nowhere.provider.example", guard),
            media("/unguarded/media/", url(around.store), NOBODY),
            media("/empty/media/", NOBODY, guard),
            proxy(
                "/deep/files/", upstream=rooms[0], rewrite_from="/deep/", rewrite_to="/b$1/", host_header="h.example"
            ),
            proxy("/rooms/", upstream=rooms[0], upstreams=rooms, hash_by="room"),
            proxy("/signed/", verbatim=True),
            proxy("/signed/put/", upstream=url(around.store), verbatim=True),
            proxy("/inside/", internal=True, headers={"X-Frame-Options": "DENY"}),
        ],
    }
    given = variables(ca)
    talker = f"{here}:{around.talker.server_address[1]}"
    return given | {
        "edge_sites": [*given["edge_sites"], site],
        "edge_internal_sources": [f"{OWN}/32", "10.89.0.0/16"],
        "edge_tls_names": [{"name": TURN, "upstream": talker}, {"name": TURN_TOO, "upstream": f"{here}:1"}],
        "edge_passthrough": [{"name": API, "upstream": f"{API}:{around.api.port}", "sources": [f"{OWN}/32"]}],
        "edge_relays": [
            {
                "port": RELAY_PORT,
                "upstream": f"smtp.provider.example:{around.talker.server_address[1]}",
                "sources": [f"{OWN}/32"],
            }
        ],
        "edge_resolvers": [f"{here}:{around.names.port}"],
    }


#: connects from an address of the box, says something, and prints what it hears
CLIENT = """
import json, socket, ssl, sys
wish = json.loads(sys.argv[1])
try:
    c = socket.create_connection(("127.0.0.1", wish["port"]), timeout=15, source_address=(wish["source"], 0))
    if wish["name"]:
        context = ssl.create_default_context(cadata=wish["certificate"])
        c = context.wrap_socket(c, server_hostname=wish["name"])
    c.sendall(wish["say"].encode())
    heard = b""
    while wish["until"].encode() not in heard and (part := c.recv(65536)):
        heard += part
    print(json.dumps({"heard": heard.decode()}))
except OSError as error:
    print(json.dumps({"error": str(error)}))
"""


@dataclass(frozen=True)
class Insider:
    """Someone on the box who connects from one of its addresses."""

    box: Box

    def hears(
        self, say: str, *, until: str, source: str = OWN, port: int = 443, name: str = "", certificate: str = ""
    ) -> dict[str, str]:
        """What comes back until a word is in it or the other side hangs up: {heard} or {error}."""
        wish = {"port": port, "source": source, "name": name, "certificate": certificate, "say": say, "until": until}
        printed = self.box.succeed(
            f"cat > /tmp/insider.json <<'WISH'\n{json.dumps(wish)}\nWISH\n"
            f"cat > /tmp/insider.py <<'PROGRAM'\n{textwrap.dedent(CLIENT)}\nPROGRAM\n"
            'python3 /tmp/insider.py "$(cat /tmp/insider.json)"'
        )
        result: dict[str, str] = json.loads(printed)
        return result

    def asks(self, name: str, target: str, certificate: str, source: str = OWN) -> str:
        """The whole answer to one request over TLS, or what went wrong."""
        say = f"GET {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        answer = self.hears(say, until="\0", source=source, name=name, certificate=certificate)
        return answer.get("heard", "") or answer.get("error", "")


__all__ = ["APP", "API", "Insider", "World", "beyond", "world"]
