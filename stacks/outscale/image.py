# SPDX-License-Identifier: MIT
"""The hosts' system image (OMI): a pinned id, or a name that is looked up."""

from __future__ import annotations

from stacks.outscale.place import Place
from stacks.outscale.providers.client import Client
from stacks.outscale.providers.errors import OutscaleError
from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Outscale

SHOWN = 20


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
    client = Client(place.region, place.endpoint)
    try:
        images = client.read("ReadImages", Filters={"ImageNames": [wanted.name]}).get("Images") or []
        if not images:
            there = client.read("ReadImages", Filters={"ImageNames": ["Debian*"]}).get("Images") or []
            names = sorted({str(item.get("ImageName")) for item in there})[:SHOWN]
            said = f"There is: {', '.join(names)}." if names else "This account sees no Debian image."
            raise _problem(deployment, f"no image is named {wanted.name!r} in {place.region}.", said)
    except OutscaleError as error:
        raise CouldNotRun(str(error)) from error
    newest = max(images, key=lambda item: str(item.get("CreationDate")))
    return str(newest["ImageId"])


def _problem(deployment: Deployment, found: str, step: str) -> InvalidInput:
    where = deployment.place("infrastructure", "image")
    return InvalidInput([Problem(where.file, where.line, "infrastructure.image", found, "", step)])
