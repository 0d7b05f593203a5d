# SPDX-License-Identifier: MIT
"""Encryption of volumes and buckets."""

import re
from collections.abc import Iterator

from suite_deploy.policy.rule import (
    UNKNOWN,
    Outcome,
    Resource,
    Subject,
    clause,
    failed,
    not_applicable,
    passed,
    resource_clause,
)

_ENCRYPTED_TYPE = re.compile(r"luks|encrypt|crypt", re.IGNORECASE)


KEY = "infrastructure.volumes"
#: clouds whose volumes are encrypted or not by their type alone: nothing else of the inventory reaches them
BY_TYPE = ("openstack", "ovh")


@clause("volumes_declared")
def volumes_declared(subject: Subject) -> Iterator[Outcome]:
    kind, encrypted = subject.get(f"{KEY}.type"), subject.get(f"{KEY}.encrypted")
    if not subject.has_data_volumes:
        yield not_applicable(KEY, "no data volume of a provider is asked for")
    elif encrypted is False:
        yield failed(f"{KEY}.encrypted", "is false: data volumes would be readable for whoever gets hold of a disk.")
    elif encrypted and not kind and subject.driver in BY_TYPE:
        yield failed(
            KEY,
            "says `encrypted: true` and names no `type`, so nothing is asked for: the cloud takes its default type.",
            "Add `type`, the cloud's name of one that encrypts: `openstack volume type list` names them.",
        )
    elif encrypted or (kind and _ENCRYPTED_TYPE.search(str(kind))):
        yield passed(KEY, str(kind or "encrypted"))
    else:
        yield failed(KEY, f"{f'the type {kind!r}' if kind else 'nothing'} says that data volumes are encrypted.")


@resource_clause("volume_encrypted", "openstack:blockstorage/volume:Volume", "pulumi-python:dynamic/outscale:Volume")
def volume_encrypted(resource: Resource, subject: Subject) -> str | None:
    kind = resource.props.get("volumeType")
    if resource.props.get("encrypted") is True or (isinstance(kind, str) and _ENCRYPTED_TYPE.search(kind)):
        return None
    # the operator vouches for this type and no other, whatever it is called
    if subject.get(f"{KEY}.encrypted") is True and isinstance(kind, str) and kind == subject.get(f"{KEY}.type"):
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
