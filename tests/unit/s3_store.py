# SPDX-License-Identifier: MIT
"""A store that speaks S3, for tests of buckets at a cloud: moto's server, a double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from suite_deploy.cloud.s3 import client_of


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a store, reached past any proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def with_bucket(endpoint: str, bucket: str) -> Iterator[Any]:
    """A client of the store at `endpoint`, which holds an empty bucket for as long as the context lasts."""
    made = client_of(endpoint=endpoint, region="us-east-1", access_key="a", secret_key="s")
    made.create_bucket(Bucket=bucket)
    try:
        yield made
    finally:
        made.delete_bucket(Bucket=bucket)
