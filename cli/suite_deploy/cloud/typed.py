# SPDX-License-Identifier: MIT
"""Next steps that name commands to type: `suite-deploy VERB NAME` with the inventory as the operator calls it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ..errors import InvalidInput, SuiteError
from ..model.deployment import Deployment


class OfDeployment(Protocol):
    """Whatever works on one deployment."""

    deployment: Deployment


P = ParamSpec("P")
R = TypeVar("R")
Worker = TypeVar("Worker", bound=OfDeployment)

_COMMAND = re.compile(r"(?P<command>\bsuite-deploy (?:[a-z]+ ){1,2})NAME\b")


def typed(text: str, inventory: str) -> str:
    """A text whose commands name the inventory. inventory: as the operator called it, quoted for a shell."""
    return _COMMAND.sub(lambda match: match["command"] + inventory, text)


@contextmanager
def naming(inventory: str) -> Iterator[None]:
    """Commands in what is raised name the inventory; deep inside, where a failure is met, nobody knows its name."""
    try:
        yield
    except SuiteError as error:
        error.args = tuple(typed(one, inventory) if isinstance(one, str) else one for one in error.args)
        if isinstance(error, InvalidInput):
            error.problems = tuple(
                replace(problem, found=typed(problem.found, inventory), next_step=typed(problem.next_step, inventory))
                for problem in error.problems
            )
        raise


def names_inventory(method: Callable[Concatenate[Worker, P], R]) -> Callable[Concatenate[Worker, P], R]:
    """`naming` for everything that a method raises."""

    @functools.wraps(method)
    def wrapped(self: Worker, /, *given: P.args, **named: P.kwargs) -> R:
        with naming(self.deployment.given):
            return method(self, *given, **named)

    return wrapped
