# SPDX-License-Identifier: MIT
"""What can go wrong with Outscale's API, said so that a person can act; every refusal carries the API's request id."""

from __future__ import annotations

#: type of the error, or its code → what to do about it. Source: https://docs.outscale.com/api-errors.html
_HINTS = {
    "1": "Check OSC_ACCESS_KEY and OSC_SECRET_KEY (or the profile in ~/.osc/config.json): are they of this region?",
    "11": "The account is locked after too many wrong sign-ins: ask Outscale's support to unlock it.",
    "13": "The account is locked for 60 seconds after wrong sign-ins: correct the keys, wait, and run it again.",
    "14": "The account's API access rules refuse this machine's address or want a certificate.",
    **dict.fromkeys(("6", "24", "25"), "Too many requests at once: run it again in a few minutes."),
    "InvalidAccessKeyId": "The object store takes keys of an account's root user only, none of EIM users.",
    "5024": "No such VM type: `flavor` of the host is one of Outscale's, like tinav6.c4r16p2.",
    "AccessDenied": "The keys are good, but may not do this: ask for the right, or use other keys.",
    "TooManyResources": "The account's quota is used up: remove something, or have it raised, then run it again.",
    "InsufficientCapacity": "The subregion has no room for this VM type now: try later, another type or `zone`.",
}
MISSING_CODES = range(5000, 6000)


class OutscaleError(Exception):
    """Anything that ends an operation on a resource; its text is meant for the operator."""


class CredentialsMissing(OutscaleError):
    """No access key was found in the environment or in the SDK's profile file."""


class WrongAccount(OutscaleError):
    """The credentials belong to another account than the one that holds the resource."""


class NotUnique(OutscaleError):
    """Several things, or a different thing, already carry the name of what is to be made."""


class TimedOut(OutscaleError):
    """Something did not reach the wanted state in time; nothing is lost, the next run finds it."""


class LostAnswer(OutscaleError):
    """The request may or may not have been carried out: the connection broke, or the server failed on the way."""


class ApiError(OutscaleError):
    """The API refused a request.

    action: what was asked. status: of HTTP. code, kind, details: as the API names the error. request_id: for support.
    """

    def __init__(self, action: str, status: int, code: str, kind: str, details: str, request_id: str):
        self.action, self.status, self.code = action, status, code
        self.kind, self.details, self.request_id = kind, details, request_id
        said = f"{action}: Outscale refuses: {kind or 'error'} {code}".rstrip()
        parts = [f"{said}, {details}." if details else f"{said}.", self.hint, f"(HTTP {status}, request {request_id})"]
        super().__init__(" ".join(part for part in parts if part))

    @property
    def hint(self) -> str:
        """What to do about it, empty where the API's own words must do."""
        return _HINTS.get(self.code) or _HINTS.get(self.kind.split(" ")[0], "")

    @property
    def is_denied(self) -> bool:
        """Whether the keys are good and lack the right: HTTP 401 like wrong keys, told apart by the code only."""
        return self.status in (401, 403) and self.code == "4"

    @property
    def is_missing(self) -> bool:
        """Whether the thing asked about does not exist (any more, or yet)."""
        return self.kind.startswith("InvalidResource") or (self.code.isdigit() and int(self.code) in MISSING_CODES)

    @property
    def is_busy(self) -> bool:
        """Whether the same request may pass once something else has ended: a dependency, a state in between."""
        return self.kind in ("DependencyProblem", "InvalidState", "ResourceConflict") or self.status in (409, 424)

    @property
    def is_conflict(self) -> bool:
        """Whether something like it is already there."""
        return self.kind == "ResourceConflict" or self.status == 409
