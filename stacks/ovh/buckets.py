# SPDX-License-Identifier: MIT
"""Buckets in OVHcloud's object store: encrypted at rest, and per component an account that may use its own one only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_ovh import cloudproject

from stacks.components.outputs import BucketCredential
from stacks.components.spec import BucketSpec
from stacks.ovh.place import Project

#: what an application does with its bucket; nothing that changes who may use it. Names of OVHcloud's guide
#: "Object Storage - Identity and access management", where versions have none of their own: GetObject and DeleteObject
#: cover them
ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
#: with which the stack's driver says which pages reach a bucket: OVHcloud's provider has no resource for it
CORS_ACTIONS = ("s3:GetBucketCORS", "s3:PutBucketCORS")


@dataclass(frozen=True)
class BucketsConfig:
    """buckets: what is wanted. region: the object store's own name of the region, like `GRA`."""

    buckets: tuple[BucketSpec, ...]
    region: str


class Buckets(pulumi.ComponentResource):
    """A container, an account, its key pair and policy per component. Output: credentials, by component (secret)."""

    credentials: Mapping[str, BucketCredential]

    def __init__(self, name: str, project: Project, config: BucketsConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:storage:Buckets", name, None, opts)
        self.credentials = {bucket.slug: self._bucket(project, config.region, bucket) for bucket in config.buckets}
        self.register_outputs({"buckets": [bucket.name for bucket in config.buckets]})

    def _bucket(self, project: Project, region: str, bucket: BucketSpec) -> BucketCredential:
        cloudproject.Storage(
            f"bucket-{bucket.slug}",
            service_name=project.id,
            region_name=region,
            name=bucket.name,
            encryption=cloudproject.StorageEncryptionArgs(sse_algorithm="AES256"),
            versioning=cloudproject.StorageVersioningArgs(status="enabled" if bucket.versioning else "disabled"),
            tags={**project.place.tags, "component": bucket.slug},
            # names of people's files have no place in the engine's state
            hide_objects=True,
            opts=project.data_under(self),
        )
        # Account, key and policy stay as long as the bucket: nothing else could empty it when it shall go at last.
        account = cloudproject.User(
            f"account-{bucket.slug}",
            service_name=project.id,
            description=project.place.called(bucket.slug),
            role_names=["objectstore_operator"],
            opts=project.data_under(self, additional_secret_outputs=["password", "openstackRc"]),
        )
        pair = cloudproject.S3Credential(
            f"credential-{bucket.slug}",
            service_name=project.id,
            user_id=account.id,
            opts=project.data_under(self, additional_secret_outputs=["accessKeyId", "secretAccessKey"]),
        )
        cloudproject.S3Policy(
            f"policy-{bucket.slug}",
            service_name=project.id,
            user_id=account.id,
            policy=policy_of(bucket),
            opts=project.data_under(self),
        )
        return BucketCredential(pair.access_key_id, pair.secret_access_key)


def policy_of(bucket: BucketSpec) -> str:
    """What the account of one bucket may do, as the object store wants it."""
    where = [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"]
    actions = [*ACTIONS, *(CORS_ACTIONS if bucket.cors_origins else ())]
    statement = {"Sid": "OwnBucket", "Effect": "Allow", "Action": actions, "Resource": where}
    return json.dumps({"Statement": [statement]})
