# SPDX-License-Identifier: MIT
"""Settings around the inventory: found where tools find them, without their credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite_deploy.policy.ambient import collect_ambient

from .support import failing, find, subject, verdict

CLOUDS = """
clouds:
  old:
    region_name: GRA11
    verify: false
    profile: ovh
    auth: {auth_url: "https://auth.cloud.ovh.net/v3", username: u, password: hunter2}
    volume_endpoint_override: https://volume.example.org
  new:
    region_name: eu-west-sbg-snc
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".config/openstack").mkdir(parents=True)
    (folder / ".config/openstack/clouds.yaml").write_text(CLOUDS)
    return folder


def collected(environ: dict[str, str], home: Path, directory: Path | None = None) -> dict[str, str]:
    found = collect_ambient(environ, home, directory)
    return {key: value for key, value in found.items() if "/etc/" not in key}


def test_variables_that_decide_about_the_place_are_collected_and_no_others(tmp_path: Path) -> None:
    given = {
        "OS_REGION_NAME": "a",
        "OS_COMPUTE_ENDPOINT_OVERRIDE": "https://b",
        "OSC_ENDPOINT_API": "https://c",
        "AWS_ENDPOINT_URL_S3": "https://d",
        "OS_PASSWORD": "hunter2",
        "OSC_SECRET_KEY": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "PULUMI_CONFIG_PASSPHRASE": "hunter2",
        "PATH": "/bin",
        "OS_AUTH_URL": "",
    }
    found = collected(given, tmp_path)
    assert sorted(found) == [
        "AWS_ENDPOINT_URL_S3",
        "OSC_ENDPOINT_API",
        "OS_COMPUTE_ENDPOINT_OVERRIDE",
        "OS_REGION_NAME",
    ]


def test_a_token_is_known_to_exist_and_never_read(tmp_path: Path) -> None:
    assert collected({"PULUMI_ACCESS_TOKEN": "pul-hunter2"}, tmp_path) == {"PULUMI_ACCESS_TOKEN": "set"}


def test_the_chosen_cloud_is_read_and_its_password_is_not(home: Path) -> None:
    found = collected({"OS_CLOUD": "old"}, home)
    assert "hunter2" not in json.dumps(found)
    values = {key.rpartition("#")[2]: value for key, value in found.items() if "#" in key}
    assert values == {
        "clouds.old.auth.auth_url": "https://auth.cloud.ovh.net/v3",
        "clouds.old.profile": "ovh",
        "clouds.old.region_name": "GRA11",
        "clouds.old.verify": "False",
        "clouds.old.volume_endpoint_override": "https://volume.example.org",
    }


def test_without_a_choice_among_several_clouds_none_is_read(home: Path) -> None:
    assert collected({}, home) == {}


def test_the_only_cloud_there_is_counts_without_being_chosen(home: Path) -> None:
    (home / ".config/openstack/clouds.yaml").write_text("clouds: {only: {region_name: GRA11}}")
    assert list(collected({}, home).values()) == ["GRA11"]


def test_a_clouds_file_beside_the_command_comes_first(home: Path, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {old: {region_name: RegionOne}}")
    assert "RegionOne" in collected({"OS_CLOUD": "old"}, home, tmp_path).values()


@pytest.mark.parametrize("content", ["clouds: [", "[]", "clouds: 3", "x: {}"])
def test_a_clouds_file_that_cannot_be_read_is_a_finding(home: Path, content: str) -> None:
    (home / ".config/openstack/clouds.yaml").write_text(content)
    ambient = collected({"OS_CLOUD": "old"}, home)
    assert failing(verdict(subject(ambient=ambient)), blocking=True) == {"REG-002"}


def test_a_chosen_cloud_that_is_not_there_is_a_finding(home: Path) -> None:
    ambient = collected({"OS_CLOUD": "missing"}, home)
    said = find(verdict(subject(ambient=ambient)), "REG-002")
    assert "OS_CLOUD says 'missing', and it has old, new" in said.message
    assert said.details == ("Mend that file, or correct OS_CLOUD, or move it away.",)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (".config/openstack/clouds.yaml", "clouds:\n  old: {password: hunter2,\n", "line 3: "),
        (".config/openstack/clouds.yaml", "password: hunter2\n", "not the shape"),
        (".osc/config.json", '{"a": "hunter2",\n', "line 2 column 1"),
        (".ovh.conf", "[default]\nhunter2\n", "line 2: "),
        (".ovh.conf", "hunter2\n", "line 1: "),
        (".ovh.conf", "[default]\nhunter2=1\nhunter2=2\n", "line 3: "),
        *(
            (".config/openstack/clouds.yaml", f"clouds:\n  old:\n    password: {value}\n", why)
            for value, why in (
                ("!hunter2", "line 3: a tag or an alias"),
                ("*hunter2", "line 3: a tag or an alias"),
                ("!hunter2!x", "line 3: a tag or an alias"),
                ("!hunter2{", "line 3: a tag or an alias"),
                ("!!int hunter2", "goes in quotes"),
                ("!!bool hunter2", "not the shape"),
                ("2026-13-45", "goes in quotes"),
            )
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line_and_never_its_text(
    tmp_path: Path, name: str, content: str, why: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    ambient = collected({}, tmp_path)
    (said,) = [value for source, value in ambient.items() if source.endswith("#unreadable")]
    assert why in said and "hunter2" not in said


def test_a_cloud_named_by_a_number_is_named_where_the_chosen_one_is_not_there(home: Path) -> None:
    (home / ".config/openstack/clouds.yaml").write_text("clouds: {1: {}, 2: {}}")
    assert "OS_CLOUD says 'old', and it has 1, 2" in "".join(collected({"OS_CLOUD": "old"}, home).values())


def test_a_broken_file_is_to_be_mended(home: Path) -> None:
    (home / ".config/openstack/clouds.yaml").write_text("clouds: [")
    found = find(verdict(subject(ambient=collected({"OS_CLOUD": "old"}, home))), "REG-002")
    assert found.details == ("Mend that file, or move it away.",)


def test_every_contradiction_of_one_entry_is_found(home: Path) -> None:
    ambient = collected({"OS_CLOUD": "old"}, home)
    assert failing(verdict(subject(ambient=ambient)), blocking=True) == {"REG-002", "REG-003", "REG-009"}


def test_an_entry_that_says_the_same_passes(home: Path) -> None:
    assert not verdict(subject(ambient=collected({"OS_CLOUD": "new"}, home))).blocking


def test_profiles_of_other_tools_are_read(tmp_path: Path) -> None:
    (tmp_path / ".osc").mkdir()
    (tmp_path / ".osc/config.json").write_text(
        json.dumps({"work": {"region": "us-east-2", "secret_key": "hunter2", "endpoints": {"api": "api.x.example"}}})
    )
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[profile work]\nregion = us-east-1\nendpoint_url = https://s3.example\n")
    (tmp_path / ".ovh.conf").write_text("[default]\nendpoint=ovh-us\n[ovh-us]\napplication_secret=hunter2\n")
    found = collected({"OSC_PROFILE": "work", "AWS_PROFILE": "work"}, tmp_path)
    assert "hunter2" not in json.dumps(found)
    assert {"us-east-2", "api.x.example", "us-east-1", "https://s3.example", "ovh-us"} <= set(found.values())
    outscale = verdict(subject("outscale", ambient=found))
    assert failing(outscale, blocking=True) == {"REG-002", "REG-003"}
    assert failing(verdict(subject("public", ambient=found)), blocking=True) == {"REG-002", "REG-003"}


def test_the_engines_login_and_project_files_are_read(tmp_path: Path) -> None:
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi/credentials.json").write_text(
        json.dumps({"current": "https://api.pulumi.com", "accessTokens": {"https://api.pulumi.com": "pul-hunter2"}})
    )
    project = tmp_path / "stack"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: x\nbackend: {url: https://api.pulumi.com}\n")
    (project / "Pulumi.prod.yaml").write_text("secretsprovider: awskms://alias/x\nencryptedkey: hunter2\n")
    found = collected({}, tmp_path, project)
    assert "hunter2" not in json.dumps(found)
    assert failing(verdict(subject(ambient=found)), blocking=True) == {"STA-001", "STA-002"}


def test_settings_of_other_tools_do_not_concern_hosts_on_this_machine() -> None:
    ambient = {"OS_REGION_NAME": "RegionOne", "OSC_REGION": "x", "PULUMI_ACCESS_TOKEN": "set"}
    assert not failing(verdict(subject("local", ambient=ambient))) & {"REG-002", "REG-003", "REG-009", "STA-001"}


def test_a_password_inside_an_address_is_left_out(tmp_path: Path) -> None:
    found = collected({"OS_AUTH_URL": "https://user:hunter2@keystone.example.org/v3"}, tmp_path)
    assert found == {"OS_AUTH_URL": "https://keystone.example.org/v3"}


def test_provider_settings_of_a_stack_file_are_judged(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  openstack:region: GRA11\n  openstack:authUrl: https://keystone.example.org/v3\n"
        "  openstack:insecure: 'true'\n  openstack:password: {secure: hunter2}\n  suite:inventory: x\n"
    )
    found = collected({}, tmp_path / "home", tmp_path)
    assert sorted(key.rpartition("#")[2] for key in found) == [
        "openstack.authUrl",
        "openstack.insecure",
        "openstack.region",
    ]
    assert failing(verdict(subject(ambient=found)), blocking=True) == {"REG-002", "REG-003", "REG-009"}


def test_files_this_user_cannot_read_are_not_read_by_tools_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "is_file", refuse)
    assert collect_ambient({"OS_CLOUD": "old"}, tmp_path) == {"OS_CLOUD": "old"}
