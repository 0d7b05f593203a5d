# SPDX-License-Identifier: MIT
"""Containers in the cloud's object store, and a credential for each component: of S3 (EC2 credentials) or of Swift.

Both kinds belong to the account that made them: each can be withdrawn alone, but opens every bucket of the project. An
application credential opens whatever else its roles allow there, so an inventory can name fewer roles than the
account's. Where the store knows policies per bucket, a cloud's own program narrows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_openstack import identity, objectstorage

from stacks.components.openstack.place import Place
from stacks.components.outputs import BucketCredential
from stacks.components.spec import BucketSpec, StackSpec
from suite_deploy.model.provider import ObjectStore


def _cors(bucket: BucketSpec) -> dict[str, str]:
    """How Swift is told which pages may reach a container; its S3 interface reads it too."""
    if not bucket.cors_origins:
        return {}
    return {"access-control-allow-origin": " ".join(bucket.cors_origins), "access-control-expose-headers": "etag"}


@dataclass(frozen=True)
class BucketsConfig:
    """buckets: what is wanted. interface: what components speak, `s3` or `swift`.

    roles: of the account, that a credential for Swift gets; all of them when empty.
    """

    buckets: tuple[BucketSpec, ...]
    interface: Literal["s3", "swift"] = "s3"
    roles: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: StackSpec, store: ObjectStore | None) -> BucketsConfig:
        """What a deployment's components need in the store that the inventory names."""
        return cls(spec.buckets, store.interface, store.roles) if store else cls(spec.buckets)


class Buckets(pulumi.ComponentResource):
    """A container and a credential per component. Output: credentials, by component (secret)."""

    credentials: Mapping[str, BucketCredential]

    def __init__(self, name: str, place: Place, config: BucketsConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:storage:Buckets", name, None, opts)
        self._place, self._config = place, config
        credential = self._of_swift if config.interface == "swift" else self._of_s3
        self.credentials = {bucket.slug: credential(bucket) for bucket in config.buckets}
        for bucket in config.buckets:
            objectstorage.Container(
                f"bucket-{bucket.slug}",
                name=bucket.name,
                versioning=bucket.versioning,
                metadata=place.metadata(component=bucket.slug) | _cors(bucket),
                # without it a bucket that was asked to go would stay for its objects
                force_destroy=place.unprotect,
                region=place.region,
                # over S3 it is the driver that sees to versions: not every store answers to Swift's header for them
                opts=place.data_under(self, ignore_changes=[] if config.interface == "swift" else ["versioning"]),
            )
        self.register_outputs({"buckets": [bucket.name for bucket in config.buckets]})

    def _of_s3(self, bucket: BucketSpec) -> BucketCredential:
        pair = identity.Ec2CredentialV3(
            f"credential-{bucket.slug}",
            region=self._place.region,
            opts=self._place.under(self, additional_secret_outputs=["access", "secret"]),
        )
        return BucketCredential(pair.access, pair.secret)

    def _of_swift(self, bucket: BucketSpec) -> BucketCredential:
        """Keystone makes the secret, so that no argument of ours ends in a state."""
        made = identity.ApplicationCredential(
            f"credential-{bucket.slug}",
            name=self._place.called(bucket.slug),
            description=f"bucket {bucket.name} of suite {self._place.suite}",
            roles=list(self._config.roles) or None,
            # it opens a bucket and makes no further credentials
            unrestricted=False,
            region=self._place.region,
            # its name is unique for an account, so that the new one cannot stand beside the old one
            opts=self._place.under(self, delete_before_replace=True),
        )
        return BucketCredential(made.id, made.secret)
