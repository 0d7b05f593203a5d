# SPDX-License-Identifier: MIT
"""Management and metrics do not answer from outside, however the path is written."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from suite_deploy.verify.fixtures import ClosedPath
from suite_deploy.verify.web import Web

#: what the edge itself says; 401 or 405 would come from the application behind it
_CLOSED = (400, 403, 404)


def spellings(path: str, prefixes: list[str]) -> Iterator[str]:
    """Ways to write a path that a careless proxy passes on. prefixes: paths that are open."""
    yield path
    yield f"/{path}"
    yield f"/.{path}"
    yield f"{path}/"
    yield "/" + "".join(f"%{ord(character):02x}" for character in path[1:3]) + path[3:]
    for prefix in prefixes:
        base = prefix.rstrip("/")
        # as far up as the prefix is deep: one step less would end at another path of the application
        up = max(base.count("/"), 1)
        for step in ("/..", "/%2e%2e", "/..;"):
            yield f"{base}{step * up}{path}"
        yield f"{base}/{'..%2f' * up}{path[1:]}"


def test_closed_path_does_not_answer(closed_path: ClosedPath, web: Web) -> None:
    parts = urlsplit(closed_path.url)
    routes = closed_path.component.description.routes
    prefixes = [route.path for route in routes if route.to and route.match == "prefix" and route.host == "self"]
    answers = web.statuses(parts.netloc, spellings(parts.path, prefixes))
    wrong = [f"{target} answers {status}" for target, status in answers.items() if status not in _CLOSED]
    assert not wrong, f"on {parts.netloc}:\n" + "\n".join(wrong)
