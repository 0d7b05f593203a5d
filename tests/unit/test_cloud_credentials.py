# SPDX-License-Identifier: MIT
"""Credentials from variables or the tools' own files; places are never taken from either."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from suite_deploy.cloud.credentials import find_credentials
from suite_deploy.errors import CouldNotRun

CLOUDS = """
clouds:
  work:
    region_name: elsewhere
    auth:
      auth_url: https://elsewhere.example/v3
      username: ann
      project_name: p
      user_domain_name: Default
  play: {auth: {username: bob, password: play-password, project_id: q}}
"""


def clouds(home: Path) -> Path:
    folder = home / ".config" / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text(CLOUDS)
    (folder / "secure.yaml").write_text("clouds: {work: {auth: {password: work-password}}}")
    return folder


def test_variables_are_enough(tmp_path: Path) -> None:
    given = {"OS_USERNAME": "ann", "OS_PASSWORD": "secret-one", "OS_TENANT_NAME": "p", "OS_REGION_NAME": "r"}
    found = find_credentials("openstack", given | {"OS_AUTH_URL": "https://x"}, tmp_path)
    assert not found.missing
    assert found.variables == {"OS_USERNAME": "ann", "OS_PASSWORD": "secret-one", "OS_PROJECT_NAME": "p"}
    assert found.sources == {"openstack": "environment"}


def test_a_cloud_of_the_file_gives_credentials_and_no_place(tmp_path: Path) -> None:
    folder = clouds(tmp_path)
    found = find_credentials("openstack", {"OS_CLOUD": "work"}, tmp_path)
    assert found.variables["OS_PASSWORD"] == "work-password", "from secure.yaml"
    assert not {"OS_REGION_NAME", "OS_AUTH_URL", "OS_CLOUD"} & found.variables.keys()
    assert found.sources == {"openstack": f"{folder / 'clouds.yaml'} (work)"}


def test_a_cloud_that_is_not_in_the_file_is_said_with_those_that_are(tmp_path: Path) -> None:
    clouds(tmp_path)
    with pytest.raises(CouldNotRun, match=r"OS_CLOUD says 'other'; the file has: work, play"):
        find_credentials("openstack", {"OS_CLOUD": "other"}, tmp_path)


def test_several_clouds_and_none_chosen_gives_none(tmp_path: Path) -> None:
    clouds(tmp_path)
    assert find_credentials("openstack", {}, tmp_path).missing


def test_a_broken_file_is_said_without_a_traceback(tmp_path: Path) -> None:
    (clouds(tmp_path) / "clouds.yaml").write_text("clouds: [")
    with pytest.raises(CouldNotRun, match="cannot be read"):
        find_credentials("openstack", {}, tmp_path)


def test_ovh_needs_both_interfaces_and_takes_the_project_from_the_inventory(tmp_path: Path) -> None:
    openstack = {"OS_USERNAME": "user-x", "OS_PASSWORD": "secret-one", "OS_PROJECT_NAME": "another"}
    found = find_credentials("ovh", openstack, tmp_path, project="0123")
    assert len(found.missing) == 1 and "OVH_APPLICATION_KEY" in found.missing[0]
    (tmp_path / ".ovh.conf").write_text(
        "[default]\nendpoint=ovh-us\n[ovh-eu]\napplication_key=k\napplication_secret=secret-two\nconsumer_key=c\n"
    )
    found = find_credentials("ovh", openstack, tmp_path, project="0123", endpoint="ovh-eu")
    assert not found.missing
    assert found.variables["OS_PROJECT_ID"] == "0123"
    assert "OS_PROJECT_NAME" not in found.variables, "a project of the environment is another project"
    assert "OVH_ENDPOINT" not in found.variables
    assert found.variables["OVH_APPLICATION_SECRET"] == "secret-two"


def test_outscale_reads_the_chosen_profile_without_its_region(tmp_path: Path) -> None:
    (tmp_path / ".osc").mkdir()
    profile = {"access_key": "AK", "secret_key": "secret-one", "region": "us-east-2"}
    (tmp_path / ".osc" / "config.json").write_text(json.dumps({"work": profile}))
    found = find_credentials("outscale", {"OSC_PROFILE": "work"}, tmp_path)
    assert found.variables == {"OSC_ACCESS_KEY": "AK", "OSC_SECRET_KEY": "secret-one"}
    assert find_credentials("outscale", {}, tmp_path).missing


def test_values_are_not_in_the_representation(tmp_path: Path) -> None:
    found = find_credentials("outscale", {"OSC_ACCESS_KEY": "AK", "OSC_SECRET_KEY": "secret-one"}, tmp_path)
    assert "secret-one" not in repr(found)
    assert found.secret_values == ("AK", "secret-one")


def test_a_profile_that_is_not_in_the_file_is_said_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / ".osc").mkdir()
    (tmp_path / ".osc" / "config.json").write_text('{"default": {}, "work": {"access_key": "A", "secret_key": "S"}}')
    found = find_credentials("outscale", {"OSC_PROFILE": "zz"}, tmp_path)
    said = f"{tmp_path}/.osc/config.json has no profile 'zz'; it has: default, work"
    assert found.partly == (said,)
    with pytest.raises(CouldNotRun, match=r"missing: an access key.* has no profile 'zz'"):
        found.require()


def test_another_companys_section_of_ovh_conf_is_said(tmp_path: Path) -> None:
    (tmp_path / ".ovh.conf").write_text("[ovh-ca]\napplication_key=k\n")
    found = find_credentials("ovh", {}, tmp_path, endpoint="ovh-eu")
    assert found.partly[-1] == f"{tmp_path}/.ovh.conf has no section ovh-eu; it has: ovh-ca"


def test_of_a_broken_file_the_line_is_said_and_never_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text("clouds:\n  prod: {auth: {password: hunter2, username: x\n")
    with pytest.raises(CouldNotRun, match=r"clouds\.yaml: cannot be read: line 3: ") as refused:
        find_credentials("openstack", {}, tmp_path)
    (tmp_path / ".ovh.conf").write_text("[ovh-eu]\nhunter2\n")
    with pytest.raises(CouldNotRun, match=r"ovh\.conf: cannot be read: line 2") as other:
        find_credentials("ovh", {"OS_TOKEN": "t", "OS_PROJECT_ID": "p"}, tmp_path)
    assert "hunter2" not in f"{refused.value}{other.value}"


@pytest.mark.parametrize(
    "value",
    [
        "!hunter2",
        "*hunter2",
        "*hunter2{",
        "!hunter2!x",
        "!!int hunter2",
        "!!bool hunter2",
        "!!timestamp hunter2",
        "2026-13-45",
    ],
)
def test_a_password_that_yaml_takes_for_something_else_is_not_repeated(tmp_path: Path, value: str) -> None:
    (clouds(tmp_path) / "clouds.yaml").write_text(f"clouds:\n  prod:\n    auth:\n      password: {value}\n")
    with pytest.raises(CouldNotRun, match=r"clouds\.yaml: cannot be read: (.|\n)*Mend that file, or give") as refused:
        find_credentials("openstack", {}, tmp_path)
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))
    if value.startswith(("!h", "*")):
        assert "line 4: a tag or an alias stands there" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("hunter2 = 1\n", "line 1: it belongs to no [section]"),
        ("[ovh-eu]\nhunter2\n", "line 2: neither a [section] nor `key = value`"),
        ("[ovh-eu]\nhunter2=1\nhunter2=2\n", "line 3: it stands there already"),
        ("[hunter2]\n[hunter2]\n", "line 2: it stands there already"),
    ],
)
def test_a_broken_ovh_conf_is_said_with_the_line_and_the_step(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / ".ovh.conf").write_text(content)
    with pytest.raises(CouldNotRun) as refused:
        find_credentials("ovh", {}, tmp_path)
    step = "Mend that file, or give the credentials as variables."
    assert str(refused.value) == f"{tmp_path}/.ovh.conf: cannot be read: {why}\n  {step}"
