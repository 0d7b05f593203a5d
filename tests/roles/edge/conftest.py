# SPDX-License-Identifier: MIT
"""One edge for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from suite_deploy.secrets.authority import new_certificate, new_key
from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.edge.site import PORT, Variables, variables
from tests.roles.web import Browser, application, browsing


@pytest.fixture(scope="package")
def ca() -> Authority:
    key = new_key()
    return Authority(new_certificate(key, subject="role test", domains=["suite.example"]), key)


@pytest.fixture(scope="package")
def wanted(ca: Authority) -> Variables:
    return variables(ca)


@pytest.fixture(scope="package")
def edge(box: Box, wanted: Variables) -> Iterator[Box]:
    # what role host does in a suite: a new machine knows no packages yet
    box.succeed("apt-get -q update")
    box.converge("edge", "default", wanted)
    with application(box, PORT):
        yield box


@pytest.fixture(scope="package")
def browser(edge: Box, ca: Authority) -> Iterator[Browser]:
    with browsing(edge, ca.certificate) as browser:
        yield browser
