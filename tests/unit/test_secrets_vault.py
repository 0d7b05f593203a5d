# SPDX-License-Identifier: MIT
"""Vault values go both ways between this program and the real Ansible."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml

from suite_deploy.errors import InvalidInput
from suite_deploy.secrets import vault
from suite_deploy.secrets.ensure import add_missing
from suite_deploy.secrets.password import find_vault_password
from suite_deploy.secrets.store import SecretStore
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import SecretWanted, authority_wanted

BIN = Path(sys.executable).parent
TEXTS = ["short", "sixteen bytes ok", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "{{ no template }} é€ \"'\\", ""]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    return file


def ansible(program: str, *arguments: object, directory: Path, stdin: str = "") -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | {
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    argv = [str(BIN / program), *map(str, arguments)]
    done = subprocess.run(
        argv, env=environment, cwd=directory, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("label", ["", "region-x"])
def test_what_is_encrypted_is_decrypted(text: str, label: str) -> None:
    closed = vault.encrypt(text, b"pw", label=label)
    assert closed.startswith(f"$ANSIBLE_VAULT;1.2;AES256;{label}\n" if label else "$ANSIBLE_VAULT;1.1;AES256\n")
    assert max(map(len, closed.splitlines())) <= 80
    assert vault.decrypt(closed, b"pw") == text


def test_the_same_value_is_never_encrypted_alike() -> None:
    assert vault.encrypt("text", b"pw") != vault.encrypt("text", b"pw")


def test_a_changed_byte_is_noticed() -> None:
    head, body = vault.encrypt("text", b"pw").split("\n", 1)
    flipped = body[:-3] + ("0" if body[-3] != "0" else "1") + body[-2:]
    with pytest.raises(vault.VaultError):
        vault.decrypt(f"{head}\n{flipped}", b"pw")


@pytest.mark.parametrize(
    "text", ["", "plain", "$ANSIBLE_VAULT;1.1;AES\n00", "$ANSIBLE_VAULT;1.1;AES256\nzz", "$ANSIBLE_VAULT"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(vault.VaultError):
        vault.decrypt(text, b"pw")


def test_opening_a_value_takes_milliseconds() -> None:
    closed = vault.encrypt("text", b"pw")
    started = time.process_time()
    for _ in range(10):
        vault.decrypt(closed, b"pw")
    assert (time.process_time() - started) / 10 < 0.1


@pytest.mark.slow
def test_ansible_reads_our_file(tmp_path: Path, password_file: Path) -> None:
    store = SecretStore(tmp_path / "secrets.yml", vaulted=True, password=find_vault_password(password_file))
    add_missing(store, [*authority_wanted("x", "x.example"), SecretWanted("synapse.signing", "matrix_signing_key")])
    store.add({"mail.password": Secret("mail.password", "a \"quoted\" é {{ 1 + 1 }} 'value'")})
    (tmp_path / "play.yml").write_text(
        textwrap.dedent(
            """\
            - hosts: localhost
              gather_facts: false
              tasks:
                - ansible.builtin.copy:
                    content: "{{ suite_secrets | to_json }}"
                    dest: "{{ playbook_dir }}/seen.json"
                    mode: "0600"
                  no_log: true
            """
        )
    )
    arguments = [
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-e",
        "@secrets.yml",
        "--vault-password-file",
        password_file,
    ]
    ansible("ansible-playbook", "-i", "localhost,", "-c", "local", "play.yml", *arguments, directory=tmp_path)
    seen = yaml.safe_load((tmp_path / "seen.json").read_text())
    assert seen == {name: secret.reveal() for name, secret in store.items()}


@pytest.mark.slow
@pytest.mark.parametrize("vault_id", [(), ("--encrypt-vault-id", "region")])
def test_we_read_what_ansible_vault_wrote(tmp_path: Path, password_file: Path, vault_id: tuple[str, ...]) -> None:
    how = ["--vault-id", f"{'region' if vault_id else 'default'}@{password_file}", *vault_id]
    block = ansible(
        "ansible-vault", "encrypt_string", *how, "--stdin-name", "mail.password", directory=tmp_path, stdin="a é value"
    )
    (tmp_path / "secrets.yml").write_text("suite_secrets:\n" + textwrap.indent(block, "  "))
    store = SecretStore(tmp_path / "secrets.yml", vaulted=True, password=find_vault_password(password_file))
    assert store["mail.password"].reveal() == "a é value"


@pytest.mark.slow
def test_ansible_vault_opens_our_text(tmp_path: Path, password_file: Path) -> None:
    (tmp_path / "closed").write_text(vault.encrypt("a é value\n", b"correct horse battery"))
    opened = ansible("ansible-vault", "view", "--vault-password-file", password_file, "closed", directory=tmp_path)
    assert opened.strip() == "a é value"


class TestPassword:
    def script(self, tmp_path: Path, body: str, name: str = "ask") -> Path:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return file

    def test_a_file_is_read_without_its_line_end(self, password_file: Path) -> None:
        found = find_vault_password(password_file, {})
        assert found is not None
        assert found.value == b"correct horse battery"
        assert "correct" not in repr(found)

    def test_the_option_wins_over_the_variable(self, tmp_path: Path, password_file: Path) -> None:
        environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "none")}
        found = find_vault_password(password_file, environment)
        assert found is not None and found.value == b"correct horse battery"
        with pytest.raises(InvalidInput, match="ANSIBLE_VAULT_PASSWORD_FILE: there is no such file"):
            find_vault_password(None, environment)

    def test_a_password_named_by_the_variable_is_said_to_be(self, password_file: Path) -> None:
        """The command line hands over the variable's file as if somebody had typed the option."""
        environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(password_file)}
        found = find_vault_password(password_file, environment)
        assert found is not None and found.source == f"{password_file} (ANSIBLE_VAULT_PASSWORD_FILE)"
        other = find_vault_password(password_file, {})
        assert other is not None and other.source == f"{password_file} (--vault-password-file)"

    def test_a_folder_is_called_one(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="--vault-password-file: is a folder"):
            find_vault_password(tmp_path, {})

    def test_without_either_there_is_none(self) -> None:
        assert find_vault_password(None, {}) is None

    def test_a_program_is_run(self, tmp_path: Path) -> None:
        found = find_vault_password(self.script(tmp_path, "echo 'from a program'"), {})
        assert found is not None and found.value == b"from a program"

    def test_a_client_program_is_told_the_vault_id(self, tmp_path: Path) -> None:
        found = find_vault_password(self.script(tmp_path, 'echo "$@"', "keyring-client.sh"), {})
        assert found is not None and found.value == b"--vault-id default"

    def test_a_program_that_fails_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"ask: --vault-password-file: gave no password(.|\n)*Run it by hand"):
            find_vault_password(self.script(tmp_path, "echo locked >&2; exit 3"), {})

    def test_an_empty_one_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="empty password"):
            find_vault_password(self.script(tmp_path, "true"), {})

    def test_one_that_everyone_can_read_is_refused(self, password_file: Path) -> None:
        password_file.chmod(password_file.stat().st_mode | stat.S_IROTH)
        with pytest.raises(InvalidInput, match="every user.*\n.*chmod 600"):
            find_vault_password(password_file, {})
