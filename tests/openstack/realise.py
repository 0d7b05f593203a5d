# SPDX-License-Identifier: MIT
"""What the unmodified program registers is made on a real OpenStack, through its own SDK. A double of the provider.

It knows no update: whatever differs is made anew. An id is told as soon as the cloud has said it, and what was begun
and not seen to its end is taken up again: made anew only where the cloud gave it up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openstack
from keystoneauth1 import exceptions as refused
from openstack.exceptions import ServiceDisabledException

from tests.openstack.makers import GivenUp, Maker, Makers
from tests.stacks.realiser import Asked, Difference, Inputs, Kept, Realiser

_PREFIX = "openstack:"
#: what the real provider says; the program and the driver go by these words. Sources: the look-ups of
#: terraform-provider-openstack; github.com/gophercloud/gophercloud, errors.go
NOTHING = "Your query returned no results. Please change your search criteria and try again."
NO_ENDPOINT = "No suitable endpoint could be found in the service catalog."
#: what marks a thing that was begun and that the cloud gave up
_GIVEN_UP = "givenUp"


class OpenStack(Realiser):
    """One cloud, as programs said it last; before that, as given.

    relay: URL of what stands between it and us, "" for nothing. before: called with the name of what is made next.
    """

    def __init__(self, auth_url: str, region: str) -> None:
        self.provided: Inputs = {"authUrl": auth_url, "region": region}
        self.relay = ""
        self.before: Callable[[str], None] = lambda name: None
        self._threads = threading.local()

    @property
    def makers(self) -> Makers:
        """Of this thread: a client is not shared between threads. Where to go is the program's word."""
        if not hasattr(self._threads, "makers"):
            # who asks comes from the environment, as for the real provider
            cloud = openstack.connect(auth_url=self.provided["authUrl"], region_name=self.provided["region"])
            cloud.session.session.proxies = {"http": self.relay} if self.relay else {}
            self._threads.makers = Makers(cloud)
        found: Makers = self._threads.makers
        return found

    def start(self, environment: Mapping[str, str]) -> None:
        # another account, another relay: every run signs in anew
        self._threads = threading.local()

    def makes(self, type: str) -> bool:
        return type.startswith(_PREFIX)

    def provider(self, type: str, inputs: Inputs) -> None:
        self.provided = inputs

    def call(self, token: str, args: Mapping[str, Any]) -> Inputs:
        name, found = args.get("name"), list[Any]()
        with _worded():
            cloud = self.makers.cloud
            if token.endswith(":getNetwork"):
                found = [item for item in cloud.network.networks(is_router_external=True) if name in (None, item.name)]
            elif token.endswith(":getFlavor"):
                found = [item for item in cloud.compute.flavors() if item.name == name]
            else:
                found = list(cloud.image.images(name=name))
        if not found:
            raise RuntimeError(NOTHING)
        said = {"id": found[0].id, "name": found[0].name, "properties": {}}
        if token.endswith(":getImage"):
            image = found[0]
            said |= {"minDiskGb": image.min_disk, "sizeBytes": image.size, "diskFormat": image.disk_format}
        return said

    def find(self, kept: Kept) -> Inputs | None:
        with _worded():
            maker = self._maker(kept.type)
            if maker.find(kept.id, kept.inputs) is None:
                return None
            if not kept.begun:
                return kept.outs
            if maker.ready is None:
                return {**kept.inputs, _GIVEN_UP: "its making did not end"}
            try:
                maker.ready(kept.id)
            except GivenUp as error:
                return {**kept.inputs, _GIVEN_UP: str(error)}
            return dict(kept.inputs)

    def compare(self, kept: Kept, inputs: Inputs) -> Difference:
        changed = (*super().compare(kept, inputs).changed, *((_GIVEN_UP,) if _GIVEN_UP in kept.outs else ()))
        return Difference(changed, replace=bool(changed))

    def create(self, asked: Asked, begun: Callable[[str], None]) -> tuple[str, Inputs]:
        self.before(asked.name)
        started = time.monotonic()
        with _worded():
            maker, self.makers.begun = self._maker(asked.type), begun
            id_, added = maker.make(asked.inputs)
        self._say("made", asked.type, asked.name, started)
        return id_, {**asked.inputs, **added}

    def delete(self, kept: Kept) -> None:
        started = time.monotonic()
        with _worded():
            self._maker(kept.type).remove(kept.id, kept.inputs)
        self._say("removed", kept.type, kept.name, started)

    def _maker(self, type: str) -> Maker:
        return self.makers.by_type[type.removeprefix(_PREFIX)]

    def _say(self, what: str, type: str, name: str, started: float) -> None:
        """Shown as it goes: a run takes minutes."""
        print(f"  {time.monotonic() - started:6.1f} s  {what:<8} {type.rpartition(':')[2]:<20} {name}", flush=True)


@contextmanager
def _worded() -> Iterator[None]:
    """Errors of the SDK in the words of the real provider, where the program or the driver would miss those."""
    try:
        yield
    except (refused.EndpointNotFound, ServiceDisabledException) as error:
        raise RuntimeError(NO_ENDPOINT) from error
