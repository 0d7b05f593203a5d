# SPDX-License-Identifier: MIT
"""Requests to a bucket, signed with AWS Signature Version 4, through the sessions that reach the suite's names.

Source: AWS, "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

import requests

from .web import TIMEOUT

_ALGORITHM = "AWS4-HMAC-SHA256"
_SAFE = "-_.~"


@dataclass(frozen=True)
class Key:
    """An account of an object store; its secret is not shown."""

    access_key: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Bucket:
    """One bucket, asked with one key, or without any.

    endpoint: URL without a slash at the end. addressing: `path` or `virtual`. key: None asks as nobody.
    """

    session: requests.Session
    endpoint: str
    name: str
    region: str
    addressing: str
    key: Key | None = None

    def asked_with(self, key: Key | None) -> Bucket:
        """The same bucket, asked by somebody else."""
        return replace(self, key=key)

    def ask(
        self,
        method: str,
        name: str = "",
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request. name: of the object, empty for the bucket itself. headers: further ones, not signed."""
        place = urlsplit(self.endpoint)
        virtual = self.addressing == "virtual"
        host = f"{self.name}.{place.netloc}" if virtual else place.netloc
        path = "/".join([*([] if virtual else [self.name]), *([name] if name else [])])
        target = f"{place.path}/{quote(path, safe=f'/{_SAFE}')}"
        text = canonical(query or {})
        url = f"{place.scheme}://{host}{target}" + (f"?{text}" if text else "")
        sent = dict(headers or {})
        if self.key is not None:
            sent |= signature(self.key, self.region, method, host, target, query or {}, body, datetime.now(UTC))
        return self.session.request(method, url, data=body, headers=sent, allow_redirects=False, timeout=TIMEOUT)


def canonical(query: Mapping[str, str]) -> str:
    """A query string sorted and encoded as the signature wants it."""
    return urlencode(sorted(query.items()), quote_via=quote, safe=_SAFE)


def signature(
    key: Key, region: str, method: str, host: str, target: str, query: Mapping[str, str], body: bytes, now: datetime
) -> dict[str, str]:
    """The headers that sign a request. target: its path, encoded. now: in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    payload = hashlib.sha256(body).hexdigest()
    signed = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = "\n".join([method, target, canonical(query), lines, names, payload])
    text = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    derived = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    proof = hmac.digest(derived, text.encode(), "sha256").hex()
    credential = f"Credential={key.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"
    return {name: value for name, value in signed.items() if name != "host"} | {
        "authorization": f"{_ALGORITHM} {credential}"
    }


def refused(answer: requests.Response) -> bool:
    """Whether a request was turned down for who asked."""
    return answer.status_code in (401, 403)


def told(answer: requests.Response) -> str:
    """Status and, where the store gave one, its error code."""
    code = re.search(r"<Code>(\w+)</Code>", answer.text[:2000]) if answer.status_code >= 400 else None
    return f"{answer.status_code}{f' {code.group(1)}' if code else ''}"
