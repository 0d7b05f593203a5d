# SPDX-License-Identifier: MIT
"""Buckets of Outscale's object storage (OOS), which speaks S3.

There are no keys per bucket: EIM users "cannot interact with OOS, regardless of their policies", only the root user
can, whose keys open the whole account. So none is made: operators supply keys of another account that they let in.
Source: https://docs.outscale.com/en/userguide/EIM-Policy-Generator.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CreateResult, ReadResult, UpdateResult
from pydantic import Field

from .base import Provider
from .credentials import keys
from .errors import ApiError, NotUnique, OutscaleError
from .inputs import Inputs, defaults
from .pace import PACE
from .resource import OutscaleResource

#: how S3 says that there is no setting, or no bucket
_NONE = frozenset(("404", "NoSuchBucket", "NoSuchCORSConfiguration", "ServerSideEncryptionConfigurationNotFoundError"))
_METHODS = ["GET", "HEAD", "PUT", "POST"]


class BucketInputs(Inputs):
    """bucket_name: unique in the region, of everybody. endpoint: of the object store. encryption: at rest.

    force_destroy: whether its removal empties it first, old versions too; otherwise only an empty one can be removed.
    """

    bucket_name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    versioning: bool = True
    encryption: str = Field(default="AES256", pattern=r"^AES256$")
    cors_origins: tuple[str, ...] = ()
    force_destroy: bool = False


class BucketProvider(Provider[BucketInputs]):
    kind = "bucket"
    inputs = BucketInputs
    fixed = frozenset(("region", "bucketName"))
    # The store keeps no tags that we could tell buckets by: their names are unique.
    ignored = frozenset(("tags",))

    def create(self, props: dict[str, Any]) -> CreateResult:
        inputs = self._typed(props)
        store = Store(inputs.region, inputs.endpoint)
        if store.state(inputs.bucket_name) is None:
            store.make(inputs.bucket_name)
        store.apply(inputs)
        return CreateResult(inputs.bucket_name, self._shown(store, inputs))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        # The state holds what an earlier refresh saw, which inputs may refuse: it is taken as it is.
        given = {**defaults(self.inputs), **self._known(props), "bucketName": id_}
        store = Store(str(given["region"]), str(given["endpoint"]))
        # gone is only what is gone at a second look
        state = store.state(id_) or store.state(id_)
        return ReadResult(id_, {**given, **state}) if state is not None else ReadResult(None, {})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        inputs = self._typed(_news)
        store = Store(inputs.region, inputs.endpoint)
        store.apply(inputs)
        return UpdateResult(self._shown(store, inputs))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        store = Store(str(_props["region"]), str(_props["endpoint"]))
        if store.state(_id) is not None:
            store.remove(_id, everything=_props.get("forceDestroy") is True)

    def _shown(self, store: Store, inputs: BucketInputs) -> dict[str, Any]:
        return {**inputs.dump(), **(store.state(inputs.bucket_name) or {})}


class Store:
    """The object store of a region, through boto3 with the two checksum settings that OOS needs."""

    def __init__(self, region: str, endpoint: str) -> None:
        import boto3
        import botocore.session
        from botocore.config import Config

        self.endpoint = endpoint
        chosen = keys()
        # Profiles and files of Amazon's own tools have no say here; one that does not exist would even be an error.
        ambient = dict.fromkeys(("profile", "config_file", "credentials_file"), (None, None, None, None))
        session = boto3.session.Session(botocore_session=botocore.session.Session(session_vars=ambient))
        self.s3 = session.client(
            "s3",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=chosen.access,
            aws_secret_access_key=chosen.secret,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=PACE.connect,
                read_timeout=PACE.answer,
                # S3's requests are harmless when repeated, creation of a bucket of our own included.
                retries={"mode": "standard", "total_max_attempts": PACE.attempts},
            ),
        )

    def state(self, name: str) -> dict[str, Any] | None:
        """The bucket's settings as inputs say them, None when there is no such bucket. Raises OutscaleError."""
        try:
            if self._ask("head_bucket", Bucket=name) is None:
                return None
        except ApiError as error:
            if error.status != 403:
                raise
            # An answer to HEAD has no body, so nobody says which of the two it is.
            said = (
                f"bucket {name}: the name is another account's, or these keys are of an EIM user: "
                "the object store takes those of an account's root user only"
            )
            raise NotUnique(f"{said} ({error})") from None
        versions = self._ask("get_bucket_versioning", Bucket=name) or {}
        rules = (self._ask("get_bucket_encryption", Bucket=name) or {}).get("ServerSideEncryptionConfiguration", {})
        cors = (self._ask("get_bucket_cors", Bucket=name) or {}).get("CORSRules", [])
        used = [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules.get("Rules", [])]
        return {
            "versioning": versions.get("Status") == "Enabled",
            "encryption": used[0] if used else "none",
            "corsOrigins": sorted(origin for rule in cors for origin in rule.get("AllowedOrigins", [])),
        }

    def make(self, name: str) -> None:
        """Create it; having been created by an earlier attempt is as good. Raises NotUnique when it is somebody's."""
        try:
            self._ask("create_bucket", Bucket=name)
        except ApiError as error:
            if error.code == "BucketAlreadyOwnedByYou":
                return
            if error.code == "BucketAlreadyExists":
                raise NotUnique(
                    f"the bucket name {name} is taken by another account: choose another suite name"
                ) from None
            raise

    def apply(self, inputs: BucketInputs) -> None:
        """Bring its settings to what is wanted; asks for nothing that is so already."""
        name, now = inputs.bucket_name, self.state(inputs.bucket_name) or {}
        if now.get("versioning") != inputs.versioning:
            status = "Enabled" if inputs.versioning else "Suspended"
            self._ask("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": status})
        if now.get("encryption") != inputs.encryption:
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": inputs.encryption}}
            self._ask("put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        if now.get("corsOrigins") != sorted(inputs.cors_origins):
            if inputs.cors_origins:
                cors = {
                    "AllowedOrigins": sorted(inputs.cors_origins),
                    "AllowedMethods": _METHODS,
                    "AllowedHeaders": ["*"],
                }
                self._ask("put_bucket_cors", Bucket=name, CORSConfiguration={"CORSRules": [cors]})
            else:
                self._ask("delete_bucket_cors", Bucket=name)

    def remove(self, name: str, *, everything: bool) -> None:
        """Remove the bucket; with `everything`, every version of every object before. Raises OutscaleError."""
        while everything:
            page = self._ask("list_object_versions", Bucket=name) or {}
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not found:
                break
            for item in found:
                self._ask("delete_object", Bucket=name, Key=item["Key"], VersionId=item["VersionId"])
        self._ask("delete_bucket", Bucket=name)

    def _ask(self, action: str, **parameters: Any) -> Mapping[str, Any] | None:
        """One request; None when what it is about does not exist. Raises OutscaleError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: Mapping[str, Any] = getattr(self.s3, action)(**parameters)
            return answer
        except ClientError as error:
            said, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
            if said.get("Code") in _NONE:
                return None
            where = f"{action} {parameters.get('Bucket', '')}".strip()
            code, request = str(said.get("Code", "")), str(about.get("RequestId") or "unknown")
            status = int(about.get("HTTPStatusCode", 0))
            kind = "AccessDenied" if status in (401, 403) else code
            raise ApiError(where, status, code, kind, str(said.get("Message", "")), request) from None
        except BotoCoreError as error:
            raise OutscaleError(f"{action}: {self.endpoint} cannot be reached: {error}") from None


class Bucket(OutscaleResource, module="outscale", name="Bucket"):
    """A bucket."""

    provider = BucketProvider()
