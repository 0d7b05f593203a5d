# SPDX-License-Identifier: MIT
"""What is wrong in an inventory is said in words a person can act on, and a password in it is not said again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.model.suite import SuiteFile
from suite_deploy.model.validation import nearest
from suite_deploy.model.values import PATTERNS, without_login
from suite_deploy.model.whichcloud import other_cloud
from suite_deploy.model.yamlfile import parse_yaml

HOSTS = {"one": {"groups": ["edge", "apps", "data"], "volumes": {"postgresql": "10GiB"}}}
OPENSTACK = {
    "driver": "openstack",
    "offer": "elastx/public-cloud",
    "region": "se-sto",
    "auth_url": "https://ops.elastx.cloud:5000/v3",
    "hosts": HOSTS,
}
OVH = {"driver": "ovh", "offer": "ovhcloud/public-cloud", "region": "GRA11", "project": "0123abcd", "hosts": HOSTS}
OUTSCALE = {
    "driver": "outscale",
    "offer": "outscale/iaas-cloud-on-demand",
    "region": "cloudgouv-eu-west-1",
    "image": {"id": "ami-0a1b2c3d"},
    "hosts": HOSTS,
}
BASE: dict[str, Any] = {
    "schema": 1,
    "suite": "region-x",
    "domain": "region-x.example",
    "profile": "dev",
    "infrastructure": {"driver": "local"},
    "components": {"keycloak": {}},
}
PASSWORD = "S3cret"
WITH_LOGIN = f"https://admin:{PASSWORD}@cloud.example/v3"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path / "state"))


def written(folder: Path, **changes: Any) -> str:
    (folder / "suite.yml").write_text(yaml.safe_dump(BASE | changes, sort_keys=False))
    return str(folder / "suite.yml")


def said(folder: Path, **changes: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        load(written(folder, **changes))
    return str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"infrastructure": OPENSTACK | {"auth_url": WITH_LOGIN}},
        {"infrastructure": OPENSTACK | {"endpoints": {"compute": WITH_LOGIN}}},
        {"infrastructure": OPENSTACK | {"object_store": {"endpoint": WITH_LOGIN, "region": "r"}}},
        {"engine": {"plugins": WITH_LOGIN}},
        {"state": {"s3": {"endpoint": WITH_LOGIN, "region": "r", "bucket": "b"}}},
        {"apt": {"mirror": WITH_LOGIN}},
        {"network": {"proxy": WITH_LOGIN}},
        {"network": {"dns": [f"admin:{PASSWORD}@cloud.example"]}},
        {"images": {"mirror": f"admin:{PASSWORD}@cloud.example"}},
        {"images": {"mirror": WITH_LOGIN}},
        {"mail": {"relay": f"admin:{PASSWORD}@cloud.example", "from": "suite@region-x.example"}},
        {"mail": {"relay": f"smtp://admin:{PASSWORD}@cloud.example:25", "from": "suite@region-x.example"}},
        {"users": WITH_LOGIN},
        {"target": WITH_LOGIN},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_password_in_the_inventory_is_not_printed(tmp_path: Path, changes: dict[str, Any]) -> None:
    text = said(tmp_path, **changes)
    assert PASSWORD not in text and "admin" not in text, text
    assert "…@cloud.example" in text


def test_a_url_with_a_password_is_told_from_one_that_is_misspelt(tmp_path: Path) -> None:
    text = said(tmp_path, infrastructure=OPENSTACK | {"auth_url": WITH_LOGIN})
    assert "'https://…@cloud.example/v3' holds a user or password (not shown). Remove it, and change that pass" in text
    assert "'ftp://cloud.example' is not accepted" in said(tmp_path, apt={"mirror": "ftp://cloud.example"})
    assert load(written(tmp_path, apt={"mirror": "https://cloud.example/a@b"}))


@pytest.mark.parametrize("port", [0, 65536, 99999])
def test_a_port_that_does_not_exist_is_refused(tmp_path: Path, port: int) -> None:
    address = f"https://cloud.example:{port}/v3"
    for changes in ({"infrastructure": OPENSTACK | {"auth_url": address}}, {"apt": {"mirror": address}}):
        text = said(tmp_path, **changes)
        assert f"'{address}' is not accepted. Accepted: a port of 1 to 65535" in text, text
    assert load(written(tmp_path, apt={"mirror": "https://cloud.example:65535/v3"}))


def test_an_address_of_the_record_that_is_none_is_another_one(tmp_path: Path) -> None:
    deployment = load(written(tmp_path, infrastructure=OPENSTACK))
    for known in ("https://ops.elastx.cloud:99999/v3", "https://[ops.elastx.cloud/v3"):
        (problem,) = other_cloud(deployment, {"infrastructure.auth_url": known}, tmp_path / "immutable.json")
        assert problem.key == "infrastructure.auth_url" and known in problem.found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p/w@host:1/x", "https://…@host:1/x"),
        ("https://u:p@w@host", "https://…@host"),
        ("https://token@host", "https://…@host"),
        ("u:p@host", "…@host"),
        ("https:/u:p@host", "https:/…@host"),
        ("someone@example.org", "someone@example.org"),
        ("host:3128", "host:3128"),
    ],
)
def test_what_stands_before_a_host_is_left_out(text: str, shown: str) -> None:
    assert without_login(text) == shown


def test_every_pattern_an_operator_can_meet_is_said_in_words() -> None:
    def patterns(part: Any) -> set[str]:
        below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        own = {part["pattern"]} if isinstance(part, dict) and isinstance(part.get("pattern"), str) else set()
        return own.union(*map(patterns, below))

    met = patterns(SuiteFile.model_json_schema())
    assert len(met) > 4
    assert met <= set(PATTERNS), f"without words: {met - set(PATTERNS)}"


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("ovh-fr", ["ovh-eu", "ovh-ca", "ovh-us"], None),
        ("eu-west-par", ["EU-WEST-LIM", "EU-WEST-PAR", "GRA11"], "EU-WEST-PAR"),
        ("SE-STO", ["se-sto"], "se-sto"),
        ("hostnam", ["hostname", "host"], "hostname"),
    ],
)
def test_a_guess_is_the_one_closest_word_whatever_its_letters_case(
    word: str, known: list[str], near: str | None
) -> None:
    assert nearest(word, known) == near


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\tb: 1\n", 2, "A tab stands there; YAML is indented with spaces"),
        ("a:\n  b: 1\n \tc: 2\n", 3, "A tab stands there"),
        ("a: 1\nb: @x\n", 2, "A text that begins with @ goes in quotes"),
        ("a: é\r\nb: `x\r\n", 2, "A text that begins with ` goes in quotes"),
        ("a: 1\rb: @x\r", 2, "A text that begins with @ goes in quotes"),
        ("a: é\u0085b: @x\n", 2, "A text that begins with @ goes in quotes"),
        ("a: é\u2028b: @x", 2, "A text that begins with @ goes in quotes"),
    ],
)
def test_a_character_that_yaml_does_not_take_is_named(text: str, line: int, words: str) -> None:
    with pytest.raises(InvalidInput, match=f"suite.yml:{line}: (.|\n)*{words}"):
        parse_yaml(text.encode(), "suite.yml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"infrastructure": OVH | {"hosts": {"one": HOSTS["one"] | {"volumes": {"postgresql": 100}}}}}, "like 100GiB"),
        ({"infrastructure": OVH | {"region": 3}}, "is read as a number, not as text.\n  Write it in quotes."),
        ({"infrastructure": OVH | {"offer": True}}, "is read as true or false, not as text"),
        ({"users": 0}, "0 is not accepted.\n  Accepted: 1 or more."),
        ({"users": 100_001}, "Accepted: 100000 or less."),
        ({"users": "many"}, "'many' is not accepted.\n  Accepted: a whole number."),
        ({"users": 2.5}, "Accepted: a whole number."),
        ({"apt": "https://deb.example"}, "Accepted: keys with their values, indented below it."),
        ({"ssh": {"from": "10.0.0.0/8"}}, "Accepted: a list"),
        (
            {"infrastructure": OVH | {"evidence": {"contract": "C", "attestation_sha256": "5f1d…"}}},
            "64 digits of 0-9 and a-f, the first word that `sha256sum FILE` prints",
        ),
    ],
)
def test_what_is_accepted_stands_beside_what_was_found(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    text = said(tmp_path, **changes)
    assert words in text, text
    assert "input should" not in text, text


def with_flavor(flavor: str) -> dict[str, Any]:
    return {"one": HOSTS["one"] | {"flavor": flavor}}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (OVH | {"project": "mon projet"}, "infrastructure.project: 'mon projet'"),
        (OUTSCALE | {"image": {"id": "debian"}}, "infrastructure.image.id: 'debian'"),
        (OUTSCALE | {"hosts": with_flavor("b3-16")}, "infrastructure.hosts.one.flavor: 'b3-16'"),
        (OUTSCALE | {"hosts": with_flavor("tinav6.c4p2")}, "infrastructure.hosts.one.flavor: 'tinav6.c4p2'"),
        (OUTSCALE | {"hosts": with_flavor("m5.LARGE")}, "infrastructure.hosts.one.flavor: 'm5.LARGE'"),
        (OUTSCALE | {"volumes": {"type": "io1"}}, "infrastructure.volumes.type: 'io1'"),
    ],
)
def test_a_word_that_is_none_of_its_clouds_is_refused_where_it_stands(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    text = said(tmp_path, infrastructure=changes)
    line = next(
        number
        for number, line in enumerate((tmp_path / "suite.yml").read_text().splitlines(), 1)
        if key.rpartition(": ")[2].strip("'") in line
    )
    assert f"suite.yml:{line}: {key}" in text and "Accepted: " in text, text


@pytest.mark.parametrize("flavor", ["tinav6.c4r16p2", "tinav5.c1r1p3", "m5.large", "inference7-l40s.mediumA"])
def test_types_that_outscale_sells_are_accepted(tmp_path: Path, flavor: str) -> None:
    assert load(written(tmp_path, infrastructure=OUTSCALE | {"hosts": with_flavor(flavor)})).hosts[0].flavor == flavor


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "suite.pem cannot be read: No such file"),
        ("words\n", "suite.pem holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n", "suite.pem holds a private key"),
    ],
)
def test_a_provided_certificate_is_looked_at_before_anything_is_made(
    tmp_path: Path, content: str | None, words: str
) -> None:
    if content:
        (tmp_path / "suite.pem").write_text(content)
    text = said(tmp_path, tls={"issuer": "provided", "certificate": "suite.pem"})
    assert "tls.certificate: " in text and words in text, text


def test_a_certificate_with_its_chain_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "suite.pem").write_text("-----BEGIN CERTIFICATE-----\n" * 2)
    assert load(written(tmp_path, tls={"issuer": "provided", "certificate": "suite.pem"}))
