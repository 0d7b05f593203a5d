# SPDX-License-Identifier: MIT
"""Calls to Outscale's API through its own SDK, which signs them; what is sent again, and when, is decided here.

The SDK sends every failed request again by itself, creations too: a lost answer would make a second VM. So its retries
are off, and ours know the difference between "was refused unseen" and "nobody knows".
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .credentials import Keys, keys
from .errors import ApiError, LostAnswer, OutscaleError
from .pace import PACE

T = TypeVar("T")
Answer = dict[str, Any]
#: refused before anything was done: safe to send again, whatever it was
_THROTTLED = {(503, "6"), (429, "24"), (429, "25")}
_PACING = threading.Lock()
_LIMITERS: dict[str, Any] = {}
_ACCOUNTS: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Client:
    """region: signs requests. endpoint: URL of the API, with its version. keys: who asks, else those of the run."""

    region: str
    endpoint: str
    keys: Keys | None = field(default=None, repr=False)

    def read(self, action: str, **parameters: Any) -> Answer:
        """Send a request that may be carried out twice without harm. Raises OutscaleError."""
        return self._send(action, parameters, repeat=True)

    def do(self, action: str, **parameters: Any) -> Answer:
        """Send a request that must not be carried out twice.

        Raises LostAnswer when nobody knows whether it was, other OutscaleErrors when it was not.
        """
        return self._send(action, parameters, repeat=False)

    def once(self, send: Callable[[], T], look: Callable[[], T | None]) -> T:
        """Do what must be done exactly once: after a lost answer, look for what it made before sending it again.

        look: finds what an earlier attempt made; asked for as long as something new may stay invisible.
        """
        for pause in (*PACE.pauses(), None):
            try:
                return send()
            except LostAnswer:
                found = self.patiently(look)
                if found is not None:
                    return found
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def patiently(self, look: Callable[[], T | None]) -> T | None:
        """What `look` finds within the time that something new may stay invisible; None when it is not there."""
        end = time.monotonic() + PACE.settle
        while True:
            found = look()
            if found is not None or time.monotonic() >= end:
                return found
            time.sleep(PACE.poll)

    def settled(self, call: Callable[[], T]) -> T:
        """The answer of a call about something just made, which part of the API may not know yet."""
        end = time.monotonic() + PACE.settle
        while True:
            try:
                return call()
            except ApiError as error:
                if not error.is_missing or time.monotonic() >= end:
                    raise
                time.sleep(min(PACE.poll, 1.0))

    def account(self) -> str:
        """Number of the account that the credentials belong to; empty when they may not ask."""
        chosen = self.keys or keys()
        place = (self.endpoint, chosen.access)
        if place not in _ACCOUNTS:
            try:
                accounts = self.read("ReadAccounts").get("Accounts") or [{}]
            except ApiError as error:
                if not error.is_denied:
                    raise
                accounts = [{}]
            _ACCOUNTS[place] = str(accounts[0].get("AccountId") or "")
        return _ACCOUNTS[place]

    def _send(self, action: str, parameters: dict[str, Any], *, repeat: bool) -> Answer:
        chosen = self.keys or keys()
        wanted = {name: value for name, value in parameters.items() if value is not None}
        for number, pause in enumerate((*PACE.pauses(), None), start=1):
            try:
                return self._attempt(action, wanted, chosen)
            except _Again as again:
                if pause is None or number == again.tries or not (repeat or again.unseen):
                    raise again.error from None
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _attempt(self, action: str, parameters: dict[str, Any], chosen: Keys) -> Answer:
        """One request. Raises _Again for what may be sent again, OutscaleError for the rest."""
        import requests

        self._wait_for_turn()
        try:
            with _session() as session:
                answer: Answer = self._requester(session, action, chosen).send(json.dumps(parameters))
            return answer
        except requests.exceptions.HTTPError as error:
            raise _judge(action, error.response) from None
        except requests.exceptions.SSLError as error:
            raise OutscaleError(f"{action}: {self.endpoint} has no certificate we trust: {_plain(error)}") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise OutscaleError(f"{action}: {self.endpoint!r} is no URL of an API") from None
        except requests.exceptions.RequestException as error:
            if _never_sent(error):
                text = f"{action}: {self.endpoint} cannot be reached: {_plain(error)}"
                raise _Again(OutscaleError(text), unseen=True, tries=PACE.connections) from None
            text = f"{action}: {self.endpoint} gave no answer; it may have done what was asked: {_plain(error)}"
            raise _Again(LostAnswer(text), unseen=False) from None

    def _requester(self, session: Any, action: str, chosen: Keys) -> Any:
        """The SDK's signed request, with our keys and place instead of the environment's, and without its retries."""
        # `Gateway` would parse the whole API description first, which takes seconds in every process.
        from osc_sdk_python.authentication import Authentication
        from osc_sdk_python.credentials import Profile
        from osc_sdk_python.requester import Requester

        url = f"{self.endpoint.rstrip('/')}/{action}"
        profile = Profile(
            access_key=chosen.access,
            secret_key=chosen.secret,
            x509_client_cert=chosen.certificate,
            region=self.region,
        )
        signer = Authentication(profile, urlsplit(url).hostname or "", user_agent="suite-deploy")
        return Requester(session, signer, url, max_retries=0)

    def _wait_for_turn(self) -> None:
        from osc_sdk_python import RateLimiter

        with _PACING:
            if self.endpoint not in _LIMITERS:
                _LIMITERS[self.endpoint] = RateLimiter(timedelta(seconds=1), PACE.per_second)
            _LIMITERS[self.endpoint].acquire()


class _Again(Exception):
    """A request that failed and may be sent again.

    unseen: it was certainly not carried out. tries: how often at most, None for the usual number.
    """

    def __init__(self, error: OutscaleError, *, unseen: bool, tries: int | None = None):
        super().__init__(str(error))
        self.error, self.unseen, self.tries = error, unseen, tries


def _judge(action: str, response: Any) -> Exception:
    """What an error answer means: refused, refused unseen (throttled), or nobody knows (the server failed)."""
    body = _body(response)
    first = (body.get("Errors") or [{}])[0]
    request_id = str((body.get("ResponseContext") or {}).get("RequestId") or "unknown")
    code, kind = str(first.get("Code") or ""), str(first.get("Type") or "")
    error = ApiError(action, response.status_code, code, kind, str(first.get("Details") or ""), request_id)
    if (response.status_code, code) in _THROTTLED or response.status_code == 429:
        return _Again(error, unseen=True)
    if response.status_code >= 500:
        text = f"{action}: Outscale failed with HTTP {response.status_code} (request {request_id}); it may have done it"
        return _Again(LostAnswer(text), unseen=False)
    return error


def _body(response: Any) -> Answer:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _never_sent(error: Exception) -> bool:
    """Whether a connection was never made, so that nothing can have been carried out."""
    from requests.exceptions import ConnectTimeout, ProxyError
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, (ConnectTimeout, ProxyError)):
        return True
    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", inner), NewConnectionError)


def _plain(error: Exception) -> str:
    """The innermost reason in one line, without addresses of objects."""
    inner = error.args[0] if error.args else error
    text = str(getattr(inner, "reason", inner))
    return text.rpartition("object at 0x")[2].partition(">: ")[2] or text if "object at 0x" in text else text


def _session() -> Any:
    """A session whose requests end: the SDK's own wait for ever."""
    import requests
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        def send(
            self,
            request: requests.PreparedRequest,
            stream: bool = False,
            timeout: Any = None,
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> requests.Response:
            return super().send(request, stream, timeout or (PACE.connect, PACE.answer), verify, cert, proxies)

    session = requests.Session()
    session.mount("https://", Limited())
    session.mount("http://", Limited())
    return session
