# SPDX-License-Identifier: MIT
"""What an inventory holds that no cloud and no host would take, as far as that is known before one is asked."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator

from ..errors import Problem
from .inventory import Inventory
from .suite import Outscale, Ovh, SuiteFile, TlsProvided
from .yamlfile import dotted

#: https://docs.outscale.com/en/userguide/VM-Types.html: family and size with a dot between; Tina's say what they are
_TINA = re.compile(r"tinav\d+\.c\d+r\d+(p[1-3])?")
_VM_TYPE = re.compile(r"(?!tina)[a-z][a-z0-9-]*\.[a-z0-9]+A?")
_OMI = re.compile(r"ami-[0-9a-f]+")
#: volume types of Outscale that need nothing said beside them; `io1` needs a number of operations
_OUTSCALE_VOLUMES = ("gp2", "standard")
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def offline_problems(suite: SuiteFile, inventory: Inventory) -> list[Problem]:
    """Words of a cloud that are none of its own, and a certificate that is not there."""
    return [*_ovh(suite, inventory), *_outscale(suite, inventory), *_certificate(suite, inventory)]


def _ovh(suite: SuiteFile, inventory: Inventory) -> Iterator[Problem]:
    cloud = suite.infrastructure
    if isinstance(cloud, Ovh) and not re.fullmatch(r"[0-9A-Za-z-]+", cloud.project):
        accepted = "Accepted: the project's identifier, of digits and letters; the console shows it beside the name."
        yield _problem(inventory, ("infrastructure", "project"), f"{cloud.project!r} is no identifier.", accepted)


def _outscale(suite: SuiteFile, inventory: Inventory) -> Iterator[Problem]:
    cloud = suite.infrastructure
    if not isinstance(cloud, Outscale):
        return
    if cloud.image and cloud.image.id and not _OMI.fullmatch(cloud.image.id):
        accepted = "Accepted: like ami-0a1b2c3d. An image's name is written as `name`."
        yield _problem(inventory, ("infrastructure", "image", "id"), f"{cloud.image.id!r} is no image.", accepted)
    if cloud.volumes.type and cloud.volumes.type not in _OUTSCALE_VOLUMES:
        accepted = f"Accepted: {', '.join(_OUTSCALE_VOLUMES)}."
        found = f"{cloud.volumes.type!r} is not accepted."
        yield _problem(inventory, ("infrastructure", "volumes", "type"), found, accepted)
    for name, host in cloud.hosts.items():
        if host.flavor and not (_TINA.fullmatch(host.flavor) or _VM_TYPE.fullmatch(host.flavor)):
            accepted = "Accepted: like tinav6.c4r16p2, for generation 6, 4 cores, 16 GiB and performance 2."
            found = f"{host.flavor!r} is no type of Outscale's."
            yield _problem(inventory, ("infrastructure", "hosts", name, "flavor"), found, accepted)


def _certificate(suite: SuiteFile, inventory: Inventory) -> Iterator[Problem]:
    if not isinstance(suite.tls, TlsProvided):
        return
    path = inventory.directory / suite.tls.certificate
    key = ("tls", "certificate")
    accepted = "Accepted: a PEM file beside suite.yml, the certificate first and then its chain."
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        yield _problem(inventory, key, f"{path} cannot be read: {error.strerror}.", accepted)
        return
    if _CERTIFICATE not in text:
        yield _problem(inventory, key, f"{path} holds no certificate.", accepted)
    elif "PRIVATE KEY-----" in text:
        found = f"{path} holds a private key, and every host with a proxy gets this file as it is."
        step = "Take it out: the key is the secret suite.tls_key."
        yield _problem(inventory, key, found, "", step)


def _problem(
    inventory: Inventory, path: tuple[Hashable, ...], found: str, accepted: str = "", step: str = ""
) -> Problem:
    where = inventory.place(path)
    return Problem(where.file, where.line, dotted(path), found, accepted, step)
