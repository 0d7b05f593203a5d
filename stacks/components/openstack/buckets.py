# SPDX-License-Identifier: MIT
"""Buckets in the cloud's object store, and a key pair for each component.

EC2 credentials belong to the account that made them: each pair can be withdrawn alone, but opens every bucket of the
project. Where the store knows policies per bucket, a cloud's own program narrows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_openstack import identity, objectstorage

from stacks.components.openstack.place import Place
from stacks.components.outputs import BucketCredential
from stacks.components.spec import BucketSpec


def _cors(bucket: BucketSpec) -> dict[str, str]:
    """How Swift is told which pages may reach a container; its S3 interface reads it too."""
    if not bucket.cors_origins:
        return {}
    return {"access-control-allow-origin": " ".join(bucket.cors_origins), "access-control-expose-headers": "etag"}


@dataclass(frozen=True)
class BucketsConfig:
    """buckets: what is wanted."""

    buckets: tuple[BucketSpec, ...]


class Buckets(pulumi.ComponentResource):
    """A container and a key pair per component. Output: credentials, by component (secret)."""

    credentials: Mapping[str, BucketCredential]

    def __init__(self, name: str, place: Place, config: BucketsConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:storage:Buckets", name, None, opts)
        self.credentials = {}
        for bucket in config.buckets:
            objectstorage.Container(
                f"bucket-{bucket.slug}",
                name=bucket.name,
                versioning=bucket.versioning,
                metadata=place.metadata(component=bucket.slug) | _cors(bucket),
                # without it a bucket that was asked to go would stay for its objects
                force_destroy=place.unprotect,
                region=place.region,
                opts=place.data_under(self),
            )
            pair = identity.Ec2CredentialV3(
                f"credential-{bucket.slug}",
                region=place.region,
                opts=place.under(self, additional_secret_outputs=["access", "secret"]),
            )
            self.credentials = {**self.credentials, bucket.slug: BucketCredential(pair.access, pair.secret)}
        self.register_outputs({"buckets": [bucket.name for bucket in config.buckets]})
