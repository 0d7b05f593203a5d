# SPDX-License-Identifier: MIT
"""AWS signature version 4 for S3, as published: what an application signs, and what a store works out again."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Signer:
    """A key pair in a region. access_key, secret_key: as the store knows them."""

    access_key: str
    secret_key: str
    region: str

    def signature(self, method: str, target: str, headers: Mapping[str, str], signed: str) -> str:
        """The signature of a request as it is on the wire. signed: header names, lower case, joined by semicolons."""
        path, _, query = target.partition("?")
        lines = [f"{name}:{headers[name].strip()}" for name in signed.split(";")]
        digest = headers["x-amz-content-sha256"]
        canonical = "\n".join([method, path, query, *lines, "", signed, digest])
        moment = headers["x-amz-date"]
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.new(key, text.encode(), "sha256").hexdigest()

    def headers_for(self, host: str, bucket: str, key: str, moment: str) -> dict[str, str]:
        """What an application answers edge with, so that edge may fetch one object. moment: 20261122T080000Z."""
        headers = {"host": host, "x-amz-content-sha256": NO_BODY, "x-amz-date": moment}
        signed = ";".join(sorted(headers))
        signature = self.signature("GET", f"/{bucket}/{quote(key, safe='/-_.~')}", headers, signed)
        credential = f"{self.access_key}/{moment[:8]}/{self.region}/s3/aws4_request"
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}",
            "X-Amz-Date": moment,
            "X-Amz-Content-SHA256": NO_BODY,
        }

    def accepts(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Whether a request that arrived carries the signature of its own bytes. headers: lower-case names."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        signed = said.get("SignedHeaders", "")
        # S3 wants every x-amz- header signed that a request has
        complete = set(signed.split(";")) >= {"host", *(name for name in headers if name.startswith("x-amz-"))}
        if scheme != "AWS4-HMAC-SHA256" or not complete or not set(signed.split(";")) <= set(headers):
            return False
        return hmac.compare_digest(self.signature(method, target, headers, signed), said.get("Signature", ""))
