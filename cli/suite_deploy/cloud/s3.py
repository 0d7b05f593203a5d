# SPDX-License-Identifier: MIT
"""Buckets in a cloud's object store, reached with a bucket's own key: what the cloud's engine cannot set itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ..errors import CouldNotRun
from ..model.provider import ObjectStore

#: how pages reach a bucket, as in the suite's own store
CORS_METHODS = ("GET", "HEAD", "PUT", "POST")
CORS_EXPOSED = ("ETag", "Content-Length", "Content-Type", "Content-Disposition", "x-amz-version-id")
CORS_SECONDS = 3600
#: what a store answers while a new account or its policy has not reached all of it
_NOT_YET = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
#: seconds until a new policy counts everywhere, and between two questions
PATIENCE, PAUSE = 120.0, 5.0


def access_to(store: ObjectStore, secrets: Mapping[str, str], slug: str) -> dict[str, str]:
    """How a component's bucket in a cloud's store is reached, for `client_of`. secrets: those that the stack made."""
    return {
        "endpoint": store.endpoint,
        "region": store.region,
        "access_key": secrets[f"{slug}.bucket_access_key"],
        "secret_key": secrets[f"{slug}.bucket"],
    }


def client_of(*, endpoint: str, region: str, access_key: str, secret_key: str, authorities: str | None = None) -> Any:
    """A client for a store that is compatible with S3, with the settings that such stores understand.

    authorities: file of those to believe, read at each connection; None for the public ones. Profiles and files that
    other programs keep for Amazon's clouds are passed over.
    """
    import boto3
    import botocore.session
    from botocore.config import Config

    settings = Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    nothing = (None, None, os.devnull, None)
    core = botocore.session.Session(
        {"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
    )
    return boto3.session.Session(botocore_session=core).client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=authorities,
        config=settings,
    )


@contextmanager
def trusting(own: str) -> Iterator[str | None]:
    """A file, as long as the context lasts, of the public authorities and those of a cloud; None without any of those.

    own: file or folder as OS_CACERT names it, "" for none. Raises CouldNotRun when it cannot be read.
    """
    if not own:
        yield None
        return
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    path = Path(own)
    try:
        files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
        texts = [file.read_bytes() for file in (Path(DEFAULT_CA_BUNDLE_PATH), *files)]
    except OSError as error:
        raise CouldNotRun(f"OS_CACERT: {own}: cannot be read: {error.strerror}") from error
    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(b"\n".join(texts))
        file.flush()
        yield file.name


def set_cors(bucket: str, origins: Sequence[str], client: Any, *, patience: float = PATIENCE) -> bool:
    """Let pages of `origins`, and of no other, reach a bucket; returns whether anything had to change.

    patience: seconds to ask again for while the store does not know the key or its policy yet.
    Raises CouldNotRun with the store's own words.
    """
    wanted = {
        "AllowedOrigins": sorted(origins),
        "AllowedMethods": list(CORS_METHODS),
        "AllowedHeaders": ["*"],
        "ExposeHeaders": list(CORS_EXPOSED),
        "MaxAgeSeconds": CORS_SECONDS,
    }

    def changed() -> bool:
        if _comparable(_rules(client, bucket)) == _comparable([wanted]):
            return False
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [wanted]})
        return True

    return bool(_patiently(changed, f"pages cannot be let to the bucket {bucket}", patience))


def set_versioning(bucket: str, client: Any, *, patience: float = PATIENCE) -> bool:
    """Let a bucket keep old versions; returns whether that had to be changed. One question where it does so already.

    patience: seconds to ask again for while the store does not know the key yet, or does not show what was set.
    Raises CouldNotRun with the store's own words, or when it took the setting and does not show it.
    """
    failed, asked = f"the bucket {bucket} cannot be made to keep old versions", False

    def keeps() -> bool:
        return bool(client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled")

    def changed() -> bool | None:
        nonlocal asked
        if keeps():
            return asked
        if asked:
            return None
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        asked = True
        return True if keeps() else None

    found = _patiently(changed, failed, patience)
    if found is None:
        raise CouldNotRun(f"{failed}: it was asked to, and does not say that it does")
    return found


def _patiently(ask: Callable[[], bool | None], failed: str, patience: float) -> bool | None:
    """The first answer of `ask` that is not None; None when time is up. failed: what could not be done."""
    from botocore.exceptions import BotoCoreError, ClientError

    end = time.monotonic() + patience
    while True:
        try:
            found = ask()
        except ClientError as error:
            if _code(error) not in _NOT_YET or time.monotonic() + PAUSE > end:
                raise CouldNotRun(f"{failed}: {error}") from error
        except BotoCoreError as error:
            raise CouldNotRun(f"{failed}: {error}") from error
        else:
            if found is not None or time.monotonic() + PAUSE > end:
                return found
        time.sleep(PAUSE)


def _rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        found: list[dict[str, Any]] = client.get_bucket_cors(Bucket=bucket).get("CORSRules", [])
        return found
    except ClientError as error:
        if _code(error) == "NoSuchCORSConfiguration":
            return []
        raise


def _comparable(rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules without the order of their lists, and without names a store gives them."""
    return [
        {key: sorted(value) if isinstance(value, list) else value for key, value in rule.items() if key != "ID"}
        for rule in rules
    ]


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
