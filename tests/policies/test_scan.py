# SPDX-License-Identifier: MIT
"""What counts as a host, as a setting, as the same value, as the same registry."""

from __future__ import annotations

from typing import Any

import pytest

from suite_deploy.policy.hosts import host_matches, host_of
from suite_deploy.policy.imageref import is_under, parse_reference
from suite_deploy.policy.scan import MISSING, hosts_in, hosts_of_text, same_value, setting, structure


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("https://matrix.org/_matrix/push", ["matrix.org"]),
        ("postgresql://user:p@db.example.org:5432/x", ["db.example.org"]),
        ("https://key@o1.ingest.sentry.io/2", ["o1.ingest.sentry.io"]),
        ("stun:stun.l.google.com:19302", ["stun.l.google.com"]),
        ("turns:turn.example.org", ["turn.example.org"]),
        ("a.example.com,b.example.com", ["a.example.com", "b.example.com"]),
        ("8.8.8.8", ["8.8.8.8"]),
        ("8.8.8.8:53", ["8.8.8.8"]),
        ("MATRIX.ORG.", ["matrix.org"]),
        ("wss://[2001:db8::1]:443/x", []),
        ("https://[2606:4700:4700::1111]/dns-query", ["2606:4700:4700::1111"]),
        ("10.0.0.1 192.168.1.1 127.0.0.1 0.0.0.0", []),
        ("192.88.99.0/24", []),
        ("homeserver.yaml django.db.backends org.matrix.msc3575 1.2.3 v1.163.2 start.sh setup.py", []),
        ("http://localhost:8080/admin https://{host}/x http://$HOST/", []),
        ("http://www.w3.org/2000/svg", []),
        ("jdbc:postgresql://postgresql.demo.test:5432/keycloak", ["postgresql.demo.test"]),
        ("user@example.org", []),
    ],
)
def test_hosts_of_a_value(text: str, hosts: list[str]) -> None:
    assert list(hosts_of_text(text)) == hosts


def test_a_file_that_cannot_be_parsed_is_scanned_line_by_line() -> None:
    assert list(hosts_in("broken.yaml", "a: [\nb: https://x.example.org\n")) == [("x.example.org", "line 2")]


def test_comments_and_images_of_units_are_left_out() -> None:
    unit = "# https://doc.example.org\n[Container]\nImage=docker.io/x\nDocumentation=https://d.example.org\nNetwork=a.network\n"
    assert list(hosts_in("a.container", unit)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("a", 1), ("b.c", 2), ("m.homeserver.base_url", 3), ("b", {"c": 2}), ("b.d", MISSING), ("a.x", MISSING)],
)
def test_settings_by_dotted_key(key: str, value: Any) -> None:
    data = {"a": 1, "b": {"c": 2}, "m.homeserver": {"base_url": 3}}
    assert setting(data, key) == value


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        (False, False, True),
        (0, False, False),
        (None, False, False),
        (None, [], False),
        ("False", False, True),
        ("false", False, True),
        ("0", False, False),
        ("no", False, False),
        ("[]", [], True),
        ("{}", {}, True),
        ("", "", True),
        ("3", 3, True),
        (True, 1, False),
        ("true", True, True),
        ([1], [1], True),
    ],
)
def test_values_are_compared_across_texts(found: Any, wanted: Any, same: bool) -> None:
    assert same_value(found, wanted) is same


def test_structure_follows_the_ending() -> None:
    assert structure("a.json", '{"x": 1}') == {"x": 1}
    assert structure("a.env", "# c\nX=1=2\n") == {"X": "1=2"}
    assert structure("a.key", "x: 1") is None


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("synapse", "docker.io/library/synapse"),
        ("synapse:1", "docker.io/library/synapse"),
        ("lasuite/x:v1", "docker.io/lasuite/x"),
        ("index.docker.io/lasuite/x", "docker.io/lasuite/x"),
        ("localhost/x", "localhost/x"),
        ("registry:5000/x@sha256:00", "registry:5000/x"),
        ("QUAY.IO/x/y:1", "quay.io/x/y"),
        ("registry-example/x", "docker.io/registry-example/x"),
    ],
)
def test_references_are_normalised(reference: str, repository: str) -> None:
    assert parse_reference(reference).repository == repository


@pytest.mark.parametrize(
    ("reference", "allowed", "inside"),
    [
        ("registry.example/x", "registry.example", True),
        ("registry.example/suite/x", "registry.example/suite", True),
        ("registry.example/suite", "registry.example/suite/", True),
        ("registry.example.evil.example/x", "registry.example", False),
        ("registry.exampleevil/x", "registry.example", False),
        ("evil-registry.example/x", "registry.example", False),
        ("registry.example:5000/x", "registry.example", False),
        ("registry.example/suite-evil/x", "registry.example/suite", False),
        ("a.gcr.io/x", "*.gcr.io", True),
        ("agcr.io/x", "*.gcr.io", False),
        ("registry.example/x", "docker.io", False),
    ],
)
def test_registries_are_compared_whole(reference: str, allowed: str, inside: bool) -> None:
    assert is_under(parse_reference(reference), allowed) is inside


def test_only_a_well_formed_digest_pins() -> None:
    assert parse_reference("a.b/x@sha256:" + "0" * 64).by_digest
    assert not parse_reference("a.b/x@sha256:" + "0" * 63).by_digest
    assert not parse_reference("a.b/x:sha256").by_digest


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.Example.org:443/v3", "a.example.org"),
        ("a.example.org:5000", "a.example.org"),
        ("https://u:p@a.example.org/", "a.example.org"),
        ("https://a.example.org@evil.example/", "evil.example"),
        ("https://a.example.org.", "a.example.org"),
        ("", None),
        ("https://[::1", None),
    ],
)
def test_hosts_of_urls(url: str, host: str | None) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("host", "pattern", "same"),
    [
        ("a.example.org", "*.example.org", True),
        ("b.a.example.org", "*.example.org", True),
        ("example.org", "*.example.org", False),
        ("evilexample.org", "*.example.org", False),
        ("a.example.org.evil", "*.example.org", False),
        ("A.example.org.", "a.EXAMPLE.org", True),
    ],
)
def test_hosts_match_label_by_label(host: str, pattern: str, same: bool) -> None:
    assert host_matches(host, pattern) is same
