# SPDX-License-Identifier: MIT
"""OVHcloud's own interface: does it take the keys, know the project, and which regions are open. Reads only.

Asked directly: OVHcloud's library reads variables and files that we do not, knows no access tokens, and waits for
ever for one of an account. Signatures and addresses are those of that library (ovh/python-ovh).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import CouldNotRun
from .failures import innermost

#: the interface, by the company of the account
API = {
    "ovh-eu": "https://eu.api.ovh.com/1.0",
    "ovh-ca": "https://ca.api.ovh.com/1.0",
    "ovh-us": "https://api.us.ovhcloud.com/1.0",
}
#: where service accounts get a token
TOKENS = {
    "ovh-eu": "https://www.ovh.com/auth/oauth2/token",
    "ovh-ca": "https://ca.ovh.com/auth/oauth2/token",
    "ovh-us": "https://us.ovhcloud.com/auth/oauth2/token",
}
#: seconds each answer may take
ANSWER = 10.0
#: what the interface says of a project that does not exist, or is somebody else's
_NO_PROJECT = "This service does not exist"
#: what the interface says of keys that are good, and may not do this
_NO_RIGHT = ("NOT_GRANTED_CALL", "not been granted", "not granted for this request")
_KEYS = (
    "Check OVH_APPLICATION_KEY, OVH_APPLICATION_SECRET and OVH_CONSUMER_KEY (or OVH_CLIENT_ID and OVH_CLIENT_SECRET, or"
    " ovh.conf): they belong to infrastructure.endpoint."
)
_RIGHTS = "They need GET, POST, PUT and DELETE on /cloud/project/PROJECT/*: docs/operator/ovhcloud.md"
_PROJECT = "infrastructure.project is the id of a project that these keys may use, as OVHcloud's console shows it."
_AGAIN = "Nothing was touched. Run the same command again once it answers; see suite-deploy doctor NAME."


class NotThere(CouldNotRun):
    """The interface knows the project, and not what was asked of it."""


class Interface:
    """One project at OVHcloud's own interface.

    endpoint: `ovh-eu`, `ovh-ca` or `ovh-us`. variables: OVH_* with the keys. Every question raises CouldNotRun when the
    interface does not answer, refuses the keys, or knows no such project; never with a key in its text.
    """

    def __init__(self, endpoint: str, project: str, variables: Mapping[str, str]) -> None:
        self.url, self._tokens, self.project = API[endpoint], TOKENS[endpoint], project
        self._keys = {name: value for name, value in variables.items() if name.startswith("OVH_")}
        self._sign: Callable[[Any], Any] | None = None

    def regions(self) -> frozenset[str]:
        """The regions that are open for the project."""
        return frozenset(map(str, self._list("/region")))

    def closed_regions(self) -> frozenset[str]:
        """The regions that the project may still open."""
        return frozenset(str(item.get("name")) for item in self._list("/regionAvailable") if isinstance(item, Mapping))

    def is_up(self, region: str) -> bool:
        """Whether a region is open and works."""
        if region not in self.regions():
            return False
        found = self._ask(f"/region/{quote(region, safe='')}")
        return isinstance(found, Mapping) and found.get("status") == "UP"

    def vrack(self) -> str | None:
        """The vRack that the project is attached to; None when there is none."""
        try:
            found = self._ask("/vrack")
        except NotThere:
            return None
        return str(found.get("id") or "") or None if isinstance(found, Mapping) else None

    def gateways(self, region: str) -> tuple[int, int] | None:
        """(limit, in use) of gateways in an open region; None when the interface does not say."""
        for item in self._list("/quota"):
            network = item.get("network") if isinstance(item, Mapping) and item.get("region") == region else None
            if isinstance(network, Mapping) and network.get("maxGateways") is not None:
                return int(network["maxGateways"]), int(network.get("usedGateways") or 0)
        return None

    def _list(self, path: str) -> list[Any]:
        found = self._ask(path)
        if not isinstance(found, list):
            raise self._failed("answers something that is no list", path, _AGAIN)
        return found

    def _ask(self, path: str) -> Any:
        return self._get(f"/cloud/project/{quote(self.project, safe='')}{path}", self._signature())

    def _get(self, path: str, sign: Callable[[Any], Any] | None = None) -> Any:
        return self._answer("GET", self.url + path, auth=sign)

    def _answer(self, method: str, url: str, **options: Any) -> Any:
        import requests

        try:
            # A redirect would take the keys elsewhere.
            answer = requests.request(method, url, timeout=ANSWER, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise self._failed("does not answer", innermost(str(error).splitlines()[0])[:200], _AGAIN) from None
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.status_code == 200 and content is not None:
            return content
        raise self._refused(answer.status_code, content, answer.headers.get("X-OVH-QUERYID", ""))

    def _refused(self, status: int, content: Any, request: str) -> CouldNotRun:
        body: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
        words = str(body.get("message") or body.get("error_description") or body.get("error") or "no reason given")
        said = f"HTTP {status}: {words}" + (f" (request {request})" if request else "")
        if status == 404 and _NO_PROJECT in words:
            return self._failed("knows no such project", said, _PROJECT)
        if any(text in words or text == body.get("errorCode") for text in _NO_RIGHT):
            return self._failed("does not let these keys do that", said, _RIGHTS)
        if status in (400, 401, 403):
            return self._failed("does not accept the keys", said, _KEYS)
        failed = self._failed("could not be asked", said, _AGAIN)
        return NotThere(str(failed)) if status == 404 else failed

    def _failed(self, what: str, said: str, step: str) -> CouldNotRun:
        for value in filter(None, self._keys.values()):
            said = said.replace(value, "…")
        return CouldNotRun(f"{urlsplit(self.url).hostname}: OVHcloud's own interface {what}\n  {said}\n  {step}")

    def _signature(self) -> Callable[[Any], Any]:
        """What signs a request; found once."""
        if self._sign is None:
            keys = self._keys
            if keys.get("OVH_APPLICATION_KEY"):
                self._sign = self._by_keys()
            else:
                self._sign = _bearer(keys.get("OVH_ACCESS_TOKEN") or self._token())
        return self._sign

    def _by_keys(self) -> Callable[[Any], Any]:
        keys = self._keys
        # A clock that is wrong here is no reason to be refused.
        behind = int(self._get("/auth/time")) - int(time.time())

        def sign(request: Any) -> Any:
            now = str(int(time.time()) + behind)
            words = (keys["OVH_APPLICATION_SECRET"], keys["OVH_CONSUMER_KEY"], request.method, request.url, "", now)
            # OVHcloud's choice of hash; said to be none of ours, so that systems which forbid it let it pass
            digest = hashlib.sha1("+".join(words).encode(), usedforsecurity=False).hexdigest()
            request.headers.update(
                {
                    "X-Ovh-Application": keys["OVH_APPLICATION_KEY"],
                    "X-Ovh-Consumer": keys["OVH_CONSUMER_KEY"],
                    "X-Ovh-Timestamp": now,
                    "X-Ovh-Signature": f"$1${digest}",
                }
            )
            return request

        return sign

    def _token(self) -> str:
        account = {"client_id": self._keys["OVH_CLIENT_ID"], "client_secret": self._keys["OVH_CLIENT_SECRET"]}
        form = {"grant_type": "client_credentials", "scope": "all", **account}
        found = self._answer("POST", self._tokens, data=form)
        token = str(found.get("access_token") or "") if isinstance(found, Mapping) else ""
        if not token:
            raise self._failed("gives no token", "the answer holds none", _KEYS)
        self._keys["the token"] = token
        return token


def _bearer(token: str) -> Callable[[Any], Any]:
    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign
