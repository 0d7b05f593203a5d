# SPDX-License-Identifier: MIT
"""Requests to an S3 gateway on the host it runs on, signed with AWS Signature Version 4, standard library only.

A host needs no S3 client otherwise, and none of them speaks to a Unix socket, where the administration API listens.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import socket
import time
from urllib.parse import quote, urlencode, urlsplit
from xml.parsers import expat

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"


class Refused(Exception):
    """The gateway answered with an error. code: its S3 error code, or the HTTP status when it gave none."""

    def __init__(self, what, status, code, message):
        super().__init__(f"{what}: {code} ({status}) {message}".strip())
        self.status = status
        self.code = code


class Unreachable(Exception):
    """Nothing answered at the address."""


def signed_headers(method, host, path, query, body, access, secret, region, now):
    """The headers that sign one request.

    path: as it is sent, percent-encoded. query: names and values. body: bytes. now: an aware datetime in UTC.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    digest = hashlib.sha256(body)
    payload = digest.hexdigest()
    headers = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    if body:
        # some settings of a bucket are only taken with a checksum
        headers["x-amz-checksum-sha256"] = base64.b64encode(digest.digest()).decode()
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, encoded(query), lines, names, payload])
    text = "\n".join([ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (stamp[:8], region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = f"{ALGORITHM} Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers


def encoded(query):
    """A query string in the canonical form: sorted, percent-encoded, every name with an equals sign."""
    return urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")


class UnixConnection(http.client.HTTPConnection):
    """HTTP through a socket file."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gateway:
    """One place requests go to, as one account.

    address: `http://host:port`, or the path of a Unix socket. patience: seconds to wait until something answers.
    """

    def __init__(self, address, access, secret, region, timeout=30, patience=10):
        self._address, self._access, self._secret = address, access, secret
        self._region, self._timeout, self._patience = region, timeout, patience

    def call(self, method, path, query=None, body=b"", headers=None):
        """Send one request; returns the body of the answer. Raises Refused, Unreachable.

        headers: further ones, which are not signed.
        """
        query = query or {}
        unix = self._address.startswith("/")
        host = "localhost" if unix else urlsplit(self._address).netloc
        target = quote(path, safe="/-_.~")
        now = datetime.datetime.now(datetime.UTC)
        sent = signed_headers(method, host, target, query, body, self._access, self._secret, self._region, now)
        full = f"{target}?{encoded(query)}" if query else target
        status, answer = self._exchange(unix, host, method, full, body, {**sent, **(headers or {})})
        if status >= 300:
            code, message = explain(answer)
            raise Refused(f"{method} {path}", status, code or str(status), message)
        return answer

    def _exchange(self, unix, host, method, target, body, headers):
        deadline = time.monotonic() + self._patience
        while True:
            connection = (
                UnixConnection(self._address, self._timeout)
                if unix
                else http.client.HTTPConnection(host, timeout=self._timeout)
            )
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                if time.monotonic() >= deadline:
                    raise Unreachable(f"nothing answers at {self._address}: {error}") from error
                time.sleep(0.5)
                continue
            try:
                connection.request(method, target, body=body, headers=headers)
                with connection.getresponse() as response:
                    return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"{self._address} broke off {method} {target.partition('?')[0]}: {error}") from error
            finally:
                connection.close()


def explain(answer):
    """Code and message of an S3 error document; empty when it is none."""
    try:
        root = parse(answer)
    except expat.ExpatError:
        return "", ""
    return root.text_of("Code"), root.text_of("Message")


class Element:
    """One element of an XML answer. name: without its namespace."""

    def __init__(self, name):
        self.name = name
        self.text = ""
        self.children = []

    def all(self, name):
        """Children of that name, in order."""
        return [child for child in self.children if child.name == name]

    def text_of(self, name):
        """Text of the first child of that name, empty without one."""
        return next((child.text for child in self.all(name)), "")


def parse(answer):
    """The root element of an XML answer. Raises ExpatError when it is none; entities of its own are refused."""
    holder = Element("")
    opened = [holder]

    def start(name, attributes):
        opened.append(Element(name.rpartition(" ")[2]))
        opened[-2].children.append(opened[-1])

    def end(name):
        opened.pop()

    def text(data):
        opened[-1].text += data

    def entity(*declaration):
        raise expat.ExpatError("an answer declares entities")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    parser.Parse(answer, True)
    return holder.children[0]
