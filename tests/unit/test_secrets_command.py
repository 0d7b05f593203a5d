# SPDX-License-Identifier: MIT
"""`suite-deploy secrets` as an operator meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from suite_deploy import main
from suite_deploy.commands.secrets import command
from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.secrets.ensure import open_store

HOSTS = "{h: {groups: [edge, apps, data, media], address: h.example.org, private_address: 192.0.2.1}}"
SUITE = f"""\
extends: builtin:demo
suite: region
domain: region.example
profile: eu
infrastructure: {{driver: existing, hosts: {HOSTS}}}
"""
#: of a component of the demo, in every profile
KEY = "synapse.postgresql"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite on hosts that exist: vaulted values beside the inventory, the password by the environment."""
    password = tmp_path / "password"
    password.write_text("correct horse")
    password.chmod(0o600)
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path / "state"))
    folder = tmp_path / "region"
    folder.mkdir()
    (folder / "suite.yml").write_text(SUITE)
    return folder


def secrets(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)


def kept(inventory: Path) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in open_store(load(str(inventory))).items()}


def test_init_makes_all_that_is_wanted_once_and_shows_no_value(inventory: Path) -> None:
    first = secrets("init", inventory)
    assert first.exit_code == 0, first.output
    values = kept(inventory)
    assert set(values) == {one.name for one in load(str(inventory)).secrets_wanted}
    assert not [name for name, value in values.items() if value in first.output]
    again = secrets("init", inventory)
    assert "0 added" in again.output
    assert kept(inventory) == values


def test_init_vaults_without_a_state_directory(inventory: Path) -> None:
    secrets("init", inventory)
    assert (inventory / "secrets.yml").read_text().count("!vault") == len(kept(inventory))
    assert not (inventory.parent / "state").exists()


def test_init_without_a_vault_password_names_the_option(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    result = secrets("init", inventory)
    assert isinstance(result.exception, InvalidInput)
    assert "--vault-password-file" in str(result.exception)
    assert not (inventory / "secrets.yml").exists()


def test_list_tells_present_missing_and_unused_without_the_vault_password(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {row["state"] for row in json.loads(secrets("list", inventory, "--format", "json").stdout)["secrets"]} == {
        "missing"
    }
    secrets("init", inventory)
    file = inventory / "secrets.yml"
    file.write_text(file.read_text().replace(f"  {KEY}:", "  gone.postgresql:"))
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE")
    result = secrets("list", inventory, "--format", "json")
    assert result.exit_code == 0
    states = {row["name"]: row["state"] for row in json.loads(result.stdout)["secrets"]}
    assert states.pop(KEY) == "missing"
    assert states.pop("gone.postgresql") == "unused"
    assert set(states.values()) == {"present"}
    text = secrets("list", inventory).stdout
    assert f"{KEY} " in text and "missing" in text and "ANSIBLE_VAULT" not in text


def test_show_prints_a_value_only_when_told_to_write_it_elsewhere(inventory: Path) -> None:
    secrets("init", inventory)
    value = kept(inventory)[KEY]
    refused = secrets("show", inventory, KEY)
    assert refused.exit_code == 2
    assert value not in refused.output and "--reveal" in refused.output
    assert secrets("show", inventory, KEY, "--reveal").stdout == f"{value}\n"


@pytest.mark.parametrize(("key", "step"), [(KEY, "secrets init"), ("no.such", "secrets list")])
def test_show_of_what_is_not_there_says_how_to_go_on(inventory: Path, key: str, step: str) -> None:
    result = secrets("show", inventory, key, "--reveal")
    assert isinstance(result.exception, InvalidInput)
    assert step in str(result.exception)


def test_set_keeps_what_it_is_given_and_never_replaces(inventory: Path) -> None:
    assert secrets("set", inventory, KEY, stdin="from outside\n").exit_code == 0
    assert kept(inventory) == {KEY: "from outside"}
    refused = secrets("set", inventory, KEY, stdin="another")
    assert isinstance(refused.exception, InvalidInput)
    assert "has a value already" in str(refused.exception)
    secrets("init", inventory)
    assert kept(inventory)[KEY] == "from outside"


def test_set_keeps_several_lines_as_they_are(inventory: Path) -> None:
    secrets("set", inventory, KEY, stdin="two\nlines\n")
    assert kept(inventory) == {KEY: "two\nlines\n"}


@pytest.mark.parametrize(("key", "stdin", "says"), [(KEY, "", "empty value"), ("no.such", "x", "no secret of this")])
def test_set_refuses_what_cannot_be_meant(inventory: Path, key: str, stdin: str, says: str) -> None:
    result = secrets("set", inventory, key, stdin=stdin)
    assert isinstance(result.exception, InvalidInput)
    assert says in str(result.exception)


def test_a_wrong_file_is_one_readable_message_and_exit_2(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inventory / "secrets.yml").write_text("suite_secrets:\n  synapse.postgresql: in clear\n")
    assert main.main(["secrets", "list", str(inventory)]) == 2
    shown = capsys.readouterr().err
    assert "secrets.yml:2: synapse.postgresql: stands here in clear." in shown
    assert f"suite-deploy secrets set {inventory} synapse.postgresql" in shown
    assert "Traceback" not in shown
