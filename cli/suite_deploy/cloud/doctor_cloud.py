# SPDX-License-Identifier: MIT
"""What `doctor` says of a cloud: credentials by name, what answers where, sign-in and region. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import CouldNotRun, SuiteError
from ..model.deployment import Deployment
from ..model.suite import Cloud, Outscale, Ovh
from . import asking, openstack_room, ovh_room, room
from .check import Check, wrong
from .credentials import Credentials, find_driver_credentials
from .failures import innermost
from .ovhapi import API
from .sdk import missing

#: seconds a server gets to answer
ANSWER = 10.0
#: what OVHcloud has besides OpenStack
_OWN = "OVHcloud's own interface"


def cloud_checks(deployment: Deployment) -> Iterator[Check]:
    """Credentials, the way to the cloud, whether it takes them and has the region. Changes nothing."""
    infrastructure, state = deployment.suite.infrastructure, deployment.suite.state
    assert isinstance(infrastructure, Cloud)
    try:
        credentials = find_driver_credentials(deployment)
    except CouldNotRun as error:
        yield wrong("credentials", error)
        credentials = Credentials({}, {}, (str(error),))
    else:
        yield from _found(credentials)
    if isinstance(infrastructure, Outscale) and infrastructure.object_store and "outscale" in credentials.sources:
        said = "the object store takes OSC_ACCESS_KEY only when it is the key of the account's root user"
        yield Check("key for the object store", "not checked", said, 'docs/operator/outscale.md, "Keys of buckets"')
    urls = {"cloud": infrastructure.sign_in}
    if isinstance(infrastructure, Ovh):
        urls[_OWN] = f"{API[infrastructure.endpoint]}/auth/time"
    if state and state.s3:
        urls["state"] = state.s3.endpoint
    if deployment.suite.engine.plugins:
        urls["mirror of plugins"] = deployment.suite.engine.plugins
    asked = {_OWN, *(() if isinstance(infrastructure, Outscale) else ("cloud",))}
    reached = {
        name: _reach(name, url, credentials.variables.get("OS_CACERT"), page=name not in asked)
        for name, url in urls.items()
    }
    yield from reached.values()
    own = None
    if isinstance(infrastructure, Ovh):
        own = _own_interface(deployment, infrastructure, credentials, reached[_OWN].status == "ok")
        yield own
    yield _sign_in(deployment, not credentials.missing and reached["cloud"].status == "ok", own)


def _found(credentials: Credentials) -> Iterator[Check]:
    for kind, source in credentials.sources.items():
        names = sorted(name for name in credentials.variables if _belongs(name, kind))
        yield Check(f"credentials: {kind}", "ok", f"{source}: {', '.join(names)}")
    for sentence, partly in zip(credentials.missing, credentials.partly, strict=True):
        found = partly or "none in the environment, nor in a file of the cloud's own tools"
        yield Check("credentials", "missing", found, sentence)


def _own_interface(deployment: Deployment, infrastructure: Ovh, credentials: Credentials, reached: bool) -> Check:
    """Whether OVHcloud's own interface takes the keys, knows the project, and has its region open. Reads only."""
    if not reached or "ovh" not in credentials.sources:
        return Check(_OWN, "not checked", "keys or the way to it are missing")
    region = infrastructure.region
    try:
        own = ovh_room.own_interface(infrastructure, credentials)
        with room.placed(deployment):
            opened, vrack = ovh_room.is_open(own, region), ovh_room.vrack_of(own)
    except SuiteError as error:
        return wrong(_OWN, error)
    said = f"region {region} open" if opened else f"region {region} not open yet: `up` opens it"
    return Check(_OWN, "ok", f"keys accepted, project known, vRack {vrack}, {said}")


def _belongs(name: str, kind: str) -> bool:
    return name.startswith({"openstack": "OS_", "ovh": "OVH_", "outscale": "OSC_", "s3": "AWS_"}[kind])


def _reach(name: str, url: str, cacert: str | None, *, page: bool) -> Check:
    """Whether something answers there that may be what is wanted. page: whether that may be a page for people."""
    import requests

    title = f"reach: {name}"
    try:
        answer = requests.get(url, timeout=ANSWER, verify=cacert or True, allow_redirects=False)
    except requests.RequestException as error:
        reason = innermost(str(error).splitlines()[0])[:200]
        return Check(title, "wrong", f"{url}: {reason}", "Look at the name, the firewall and the proxy variables.")
    if answer.status_code >= 500:
        step = "It, or a proxy on the way, does not work just now: try again later."
        return Check(title, "wrong", f"{url}: answers HTTP {answer.status_code}", step)
    if not page and "text/html" in answer.headers.get("Content-Type", ""):
        step = "Look at the address; a proxy or a portal on the way may have answered in its place."
        return Check(title, "wrong", f"{url}: a page for people answers (HTTP {answer.status_code})", step)
    return Check(title, "ok", f"{url} (HTTP {answer.status_code})")


def _sign_in(deployment: Deployment, possible: bool, own: Check | None = None) -> Check:
    """Whether the cloud takes the credentials and knows the region; asks for flavors and quota, changes nothing.

    own: what OVHcloud's own interface said, which has to be asked first.
    """
    title, infrastructure = "sign-in and region", deployment.suite.infrastructure
    if not possible or missing(deployment.driver):
        return Check(title, "not checked", "credentials, packages or the way to the cloud are missing")
    try:
        credentials = find_driver_credentials(deployment)
        if own is not None and own.status != "ok" and isinstance(infrastructure, Cloud):
            listed = openstack_room.listed_regions(infrastructure, credentials)
            return Check(title, "ok", f"signed in; regions: {', '.join(listed)}")
        found = asking.ask(deployment, credentials)
    except SuiteError as error:
        return wrong(title, error)
    if found.closed:
        return Check(title, "ok", "; ".join(("signed in", *found.silent)))
    return Check(title, "ok", f"{len(set(found.flavors.values()))} flavors, {len(found.left)} quotas")
