# SPDX-License-Identifier: MIT
"""How the API says no. Codes and types: gateway_errors.yaml of osc-sdk-python; statuses: the API.s page of errors."""

from __future__ import annotations


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, kind: str, details: str = "") -> None:
        super().__init__(f"{kind} {code}: {details}")
        self.status, self.code, self.kind, self.details = status, code, kind, details


def missing(code: str, details: str) -> Refusal:
    """Something named does not exist."""
    return Refusal(400, code, "InvalidResource", details)


def conflict(code: str, details: str) -> Refusal:
    """Something like it exists, or is used."""
    return Refusal(409, code, "ResourceConflict", details)


def dependency(code: str, details: str) -> Refusal:
    """Something else needs it."""
    return Refusal(424, code, "DependencyProblem", details)


def state(code: str, details: str) -> Refusal:
    """Not now."""
    return Refusal(409, code, "InvalidState", details)


def invalid(code: str, details: str) -> Refusal:
    """A value that the API does not take."""
    return Refusal(400, code, "InvalidParameterValue", details)


def too_many(code: str, details: str) -> Refusal:
    """The quota is used up."""
    return Refusal(400, code, "TooManyResources (QuotaExceded)", details)
