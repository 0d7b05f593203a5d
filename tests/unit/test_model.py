# SPDX-License-Identifier: MIT
"""From suite.yml to a Deployment: every problem at once, in the operator's words; merging; nothing ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.model.immutable import record_immutables
from suite_deploy.model.loader import load
from suite_deploy.model.values import Service
from suite_deploy.secrets.ensure import open_store, require

BASE: dict[str, Any] = {
    "schema": 1,
    "suite": "region-x",
    "domain": "region-x.example",
    "profile": "dev",
    "infrastructure": {"driver": "local", "hosts": {"one": {"groups": ["edge", "apps", "data"]}}},
    "components": {"keycloak": {}, "synapse": {}},
}


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path / "state"))
    return tmp_path / "state"


def inventory(tmp_path: Path, name: str = "region-x", **changes: Any) -> str:
    content = {key: value for key, value in (BASE | changes).items() if value is not ...}
    return written(tmp_path, yaml.safe_dump(content, sort_keys=False), name)


def written(tmp_path: Path, text: str, name: str = "region-x") -> str:
    path = tmp_path / name / "suite.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def problems(wanted: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        load(wanted)
    assert all(problem.file for problem in caught.value.problems)
    return str(caught.value)


def test_the_demo_inventory_loads() -> None:
    deployment = load("demo")
    assert deployment.components and deployment.is_local


def test_all_problems_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    text = problems(
        written(
            tmp_path,
            "schema: 2\n"
            "suite: Region X\n"
            "domain: nodots\n"
            "profile: fr-sncc\n"
            "users: many\n"
            "infrastructure: {driver: local}\n"
            "componets: {}\n"
            "components:\n"
            "  synapse: {federaton: closed}\n"
            "  keyclok: {}\n",
        )
    )
    for line, words in {
        1: "schema",
        2: "suite",
        3: "no domain name",
        4: "fr-snc",
        5: "users",
        7: "`components`",
    }.items():
        assert any(f"suite.yml:{line}:" in row and words in text for row in text.splitlines()), (line, words, text)
    assert "suite.yml:9: components.synapse.federaton: unknown key. Did you mean `federation`?" in text
    assert "suite.yml:10: components.keyclok: no such component. Did you mean `keycloak`?" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"domain": "192.0.2.1"}, "is an address"),
        ({"domain": "Region.Example"}, "lower case"),
        ({"domain": "a..b"}, "no domain name"),
        ({"domain": "-a.example"}, "no domain name"),
        ({"domain": 7}, "is read as a number, not as text.\n  Write it in quotes"),
        ({"suite": "x" * 60}, "is not accepted"),
        ({"users": 0}, "0 is not accepted.\n  Accepted: 1 or more"),
        ({"infrastructure": {"driver": "azure"}}, "'local', 'existing', 'openstack', 'ovh', 'outscale'"),
        ({"infrastructure": {}}, "infrastructure.driver: is required"),
        ({"infrastructure": ...}, "infrastructure: is required"),
        ({"infrastructure": {"driver": "openstack", "offer": "x/y", "region": "r"}}, "auth_url: is required"),
        ({"infrastructure": {"driver": "local", "hosts": {"a": {"groups": []}}}}, "at least 1 item"),
        (
            {"infrastructure": {"driver": "local", "hosts": {"a": {"groups": ["edge"]}}}},
            "0 hosts are in the group `data`",
        ),
        (
            {"infrastructure": {"driver": "local", "hosts": {"a": {"groups": ["web"]}}}},
            "'edge', 'apps', 'data' or 'media'",
        ),
        (
            {"infrastructure": {"driver": "local", "hosts": {n: {"groups": ["edge", "apps", "data"]} for n in "ab"}}},
            "2 hosts are in the group `edge`: a, b",
        ),
        ({"infrastructure": {"driver": "local", "flavour": 1}}, "infrastructure.flavour: unknown key"),
        ({"network": {"containers": "10.1.2.0/24"}}, "must be a /16"),
        ({"network": {"containers": "10.1.2.3/16"}}, "no IPv4 network"),
        ({"network": {"containers": "10.1.0.0/16", "dns": "10.1.0.53"}}, "overlaps network.dns[0] (10.1.0.53)"),
        ({"network": {"ntp": ["not a host"]}}, "is no domain name"),
        ({"ssh": {"from": ["10.89.3.0/24"]}}, "lies inside the container networks"),
        ({"tls": {"issuer": "letsencrypt"}}, "'internal-ca', 'provided', 'acme'"),
        ({"tls": {"issuer": "acme"}}, "directory: is required"),
        ({"state": {"directory": "relative"}}, "is not accepted"),
        ({"state": {}}, "exactly one of"),
        ({"requires": "suite-deploy >=99"}, "this inventory wants suite-deploy >=99"),
        ({"requires": "something else"}, "like `suite-deploy >=0.1,<1`"),
        ({"register": {"file": "x.yml"}}, "go together"),
        ({"components": {}}, "at least 1 item"),
        ({"components": ["synapse"]}, "keys with their values, indented below it"),
        ({"components": {"synapse": {}}}, "cannot do without an identity provider"),
        ({"components": {"keycloak": {"host": "two"}}}, "no host of the group"),
        ({"components": {"keycloak": {"hostname": "region-x.example"}}}, "already the name of the portal"),
        ({"components": {"keycloak": {"hostname": "postgresql.region-x.example"}}}, "already the name of the database"),
        (
            {"components": {"keycloak": {}, "synapse": {"hostname": "id.region-x.example"}}},
            "already the name of keycloak",
        ),
        ({"components": {"keycloak": {}, "synapse": {"federation": []}}}, "write `closed` instead"),
        ({"components": {"keycloak": {}, "synapse": {"federation": ["no host"]}}}, "is no domain name"),
        ({"components": {"keycloak": {}, "synapse": {"federation": 7}}}, "closed, open, or a list"),
    ],
)
def test_bad_values_are_refused_in_words(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert expected in problems(inventory(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "[]", "just words", "7"])
def test_a_suite_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "suite.yml:1" in problems(written(tmp_path, text))


def test_an_unknown_inventory_names_those_there_are() -> None:
    text = problems("dmeo")
    assert "no such inventory" in text and "demo" in text


def test_maps_merge_lists_replace_and_null_removes(tmp_path: Path) -> None:
    inventory(tmp_path, "base", network={"dns": ["192.0.2.53", "192.0.2.54"], "ntp": ["ntp.example.org"]}, users=10)
    child = written(
        tmp_path,
        "extends: ../base/suite.yml\nsuite: child\nusers: null\nnetwork: {dns: [198.51.100.1]}\n"
        "components: {synapse: {presence: true}}\n",
        "child",
    )
    deployment = load(child)
    assert deployment.suite.network.dns == ("198.51.100.1",)
    assert deployment.suite.network.ntp == ("ntp.example.org",)
    assert deployment.suite.users == 50
    assert deployment.suite.suite == "child"
    assert deployment.components["synapse"].options["presence"] is True
    assert "keycloak" in deployment.components
    assert deployment.place("network", "dns").file.endswith("child/suite.yml")
    assert deployment.place("network", "ntp").file.endswith("base/suite.yml")


def test_a_component_written_as_null_is_enabled_unless_it_takes_away_an_inherited_one(tmp_path: Path) -> None:
    assert set(load(inventory(tmp_path, components={"keycloak": None})).components) == {"keycloak"}
    child = written(tmp_path, "extends: ../region-x/suite.yml\ncomponents: {keycloak: null, synapse: null}\n", "child")
    inventory(tmp_path)
    with pytest.raises(InvalidInput, match="at least 1 item"):
        load(child)


def test_another_driver_replaces_the_inherited_infrastructure(tmp_path: Path) -> None:
    inventory(tmp_path, "base")
    hosts = "{h: {groups: [edge, apps, data], address: h.example.org, private_address: 192.0.2.1}}"
    child = written(
        tmp_path, f"extends: ../base/suite.yml\ninfrastructure: {{driver: existing, hosts: {hosts}}}\n", "child"
    )
    deployment = load(child)
    assert deployment.driver == "existing"
    assert [host.name for host in deployment.hosts] == ["h"]


def test_a_circle_of_extends_is_refused_with_the_chain(tmp_path: Path) -> None:
    written(tmp_path, "extends: ../b\n", "a")
    path = written(tmp_path, "extends: ../a/suite.yml\n", "b")
    text = problems(path)
    assert "comes back to where it was" in text and "→" in text


@pytest.mark.parametrize("extends", ["../nowhere/suite.yml", "builtin:nothing", 7, ["a"]])
def test_extends_must_lead_somewhere(tmp_path: Path, extends: Any) -> None:
    assert "extends" in problems(written(tmp_path, yaml.safe_dump({"extends": extends})))


def test_builtin_inventories_can_be_extended(tmp_path: Path) -> None:
    deployment = load(written(tmp_path, "extends: builtin:demo\nsuite: mine\ndomain: mine.example\n", "mine"))
    assert deployment.domain == "mine.example"
    assert deployment.components["synapse"].hostname == "matrix.mine.example"


def test_what_cannot_change_is_refused_after_the_first_up(tmp_path: Path, state_root: Path) -> None:
    deployment = load(inventory(tmp_path))
    deployment.state_dir.mkdir(parents=True)
    record_immutables(deployment)
    load(inventory(tmp_path, users=99))
    text = problems(inventory(tmp_path, components={"keycloak": {}, "synapse": {"server_name": "other.example"}}))
    assert "components.synapse.server_name: 'other.example', but this suite was made with 'region-x.example'" in text
    assert "domain" in problems(inventory(tmp_path, domain="other.example"))


@pytest.mark.parametrize("spoil", ["no json", None])
def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, state_root: Path, spoil: str | None) -> None:
    state = load(inventory(tmp_path)).state_dir
    state.parent.mkdir(parents=True)
    if spoil is None:
        state.write_text("a file where the state's directory should be")
    else:
        state.mkdir()
        (state / "immutable.json").write_text(spoil)
    with pytest.raises(CouldNotRun, match=f"{state}/immutable.json: cannot be read"):
        load(inventory(tmp_path))


def test_a_next_step_names_the_inventory_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = inventory(tmp_path, "a region")
    assert load(path).given == f"'{path}'", "a shell takes it as one word"
    monkeypatch.chdir(tmp_path)
    deployment = load("./a region")
    with pytest.raises(InvalidInput, match="suite-deploy secrets init './a region'"):
        require(open_store(deployment), deployment.secrets_wanted, inventory=deployment.given)


def test_loading_does_not_read_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = inventory(tmp_path)
    before = load(path)
    for name in ("OS_REGION_NAME", "OS_AUTH_URL", "OSC_REGION", "AWS_REGION", "SUITE_DOMAIN"):
        monkeypatch.setenv(name, "elsewhere")
    assert load(path) == before


def test_the_deployment_does_not_change_after_loading() -> None:
    deployment = load("demo")
    for thing, name in ((deployment.suite, "domain"), (deployment, "name"), (deployment.hosts[0], "groups")):
        with pytest.raises((AttributeError, ValidationError)):
            setattr(thing, name, "x.example")


CLOUD = {"offer": "a/b", "region": "r"}
OPENSTACK = CLOUD | {"driver": "openstack", "auth_url": "https://auth.example/v3"}


def test_a_misspelt_driver_is_answered_with_the_drivers(tmp_path: Path) -> None:
    text = problems(inventory(tmp_path, infrastructure=CLOUD | {"driver": "opnstack"}))
    assert "infrastructure.driver: 'opnstack' is not accepted. Did you mean `openstack`?" in text
    assert "Accepted: 'local', 'existing', 'openstack', 'ovh', 'outscale'." in text
    line = next(row for row in text.splitlines() if "infrastructure.driver" in row).split(":")[1]
    assert "driver: opnstack" in (tmp_path / "region-x" / "suite.yml").read_text().splitlines()[int(line) - 1]


def test_an_endpoint_of_a_service_that_nothing_asks_is_refused(tmp_path: Path) -> None:
    text = problems(inventory(tmp_path, infrastructure=OPENSTACK | {"endpoints": {"computee": "https://c.example"}}))
    assert "infrastructure.endpoints.computee: 'computee' is not accepted. Did you mean `compute`?" in text
    assert "'object-store' or 'volumev3'" in text


def test_outscale_has_one_endpoint(tmp_path: Path) -> None:
    written_out = CLOUD | {"driver": "outscale", "endpoints": {"compute": "https://c.example"}}
    assert "write it as `endpoint`" in problems(inventory(tmp_path, infrastructure=written_out))


@pytest.mark.parametrize("service", get_args(Service))
def test_every_service_that_may_be_written_is_one_of_the_sdks(service: str) -> None:
    """A word the SDK does not know would be taken, and the catalogue's address asked all the same."""
    known = pytest.importorskip("os_service_types", reason="the SDK is not installed (extra `cloud`)")
    assert known.ServiceTypes().get_service_type(service)
