# SPDX-License-Identifier: MIT
"""Encryption of volumes and buckets."""

import re

from suite_deploy.policy.rule import UNKNOWN, Resource, Subject, resource_clause

_ENCRYPTED_TYPE = re.compile(r"luks|encrypt|crypt", re.IGNORECASE)


@resource_clause("volume_encrypted", "openstack:blockstorage/volume:Volume", "pulumi-python:dynamic/outscale:Volume")
def volume_encrypted(resource: Resource, subject: Subject) -> str | None:
    kind = resource.props.get("volumeType")
    if resource.props.get("encrypted") is True or (isinstance(kind, str) and _ENCRYPTED_TYPE.search(kind)):
        return None
    if kind is UNKNOWN or not kind:
        return "names no encrypted volume type."
    return f"has the volume type {kind!r}, which does not say that it is encrypted."


@resource_clause("bucket_encrypted", "ovh:CloudProject/storage:Storage", "pulumi-python:dynamic/outscale:Bucket")
def bucket_encrypted(resource: Resource, subject: Subject) -> str | None:
    encryption = resource.props.get("encryption")
    algorithm = encryption.get("sseAlgorithm") if isinstance(encryption, dict) else encryption
    if algorithm and algorithm is not UNKNOWN and str(algorithm).lower() not in ("none", "plaintext"):
        return None
    return "has no server-side encryption."
