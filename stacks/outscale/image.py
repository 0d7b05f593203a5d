# SPDX-License-Identifier: MIT
"""The hosts' system image (OMI): a pinned id, or a name that is looked up."""

from __future__ import annotations

from stacks.outscale.place import Place
from stacks.outscale.providers.client import Answer, Client
from stacks.outscale.providers.errors import OutscaleError
from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Outscale

SHOWN = 20
#: alias of the account that publishes the official images
OUTSCALE = "Outscale"


def boot_image(deployment: Deployment, place: Place) -> str:
    """The id of the image that hosts boot from.

    Raises InvalidInput when none is named, or the name fits nothing; CouldNotRun when the API does not answer.
    """
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Outscale)
    wanted = infrastructure.image
    if wanted and wanted.id:
        return wanted.id
    if not wanted or not wanted.name:
        step = "Write `image: {id: ami-…}`: a Debian 13 image of this region, from `oapi-cli ReadImages`."
        found = "comes from a URL; this driver boots images of the account." if wanted else "is missing."
        raise _problem(deployment, found, step)
    if wanted.checksums:
        step = "Pin the image by its id instead: `image: {id: ami-…}`."
        said = f"has a `{next(iter(wanted.checksums))}`, but Outscale tells no hash of its images."
        raise _problem(deployment, said, step)
    try:
        return _newest(deployment, place, wanted.name)
    except OutscaleError as error:
        raise CouldNotRun(str(error)) from error


def _newest(deployment: Deployment, place: Place, name: str) -> str:
    client = Client(place.region, place.endpoint)
    images = _trusted(client, name)
    if not images:
        names = sorted({str(item.get("ImageName")) for item in _trusted(client, "Debian*")})[:SHOWN]
        there = f"There is: {', '.join(names)}." if names else "This account sees no Debian image."
        found = f"no image of Outscale's or of this account is named {name!r} in {place.region}."
        raise _problem(deployment, found, there)
    newest = max(images, key=lambda item: str(item.get("CreationDate")))
    return str(newest["ImageId"])


def _trusted(client: Client, name: str) -> list[Answer]:
    """Images of that name by Outscale or by the account itself: anybody may publish one under any name."""
    own = client.account()
    found = client.read("ReadImages", Filters={"ImageNames": [name], "States": ["available"]}).get("Images") or []
    return [item for item in found if item.get("AccountAlias") == OUTSCALE or (own and item.get("AccountId") == own)]


def _problem(deployment: Deployment, found: str, step: str) -> InvalidInput:
    where = deployment.place("infrastructure", "image")
    return InvalidInput([Problem(where.file, where.line, "infrastructure.image", found, "", step)])
