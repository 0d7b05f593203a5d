# SPDX-License-Identifier: MIT
"""The secrets file only grows, keeps what people wrote, and says what is wrong with its line."""

from __future__ import annotations

import os
import re
import stat
import textwrap
from pathlib import Path

import pytest

from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.secrets import vault
from suite_deploy.secrets.ensure import add_missing, missing, require
from suite_deploy.secrets.password import VaultPassword
from suite_deploy.secrets.store import SecretStore
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import SecretWanted, authority_wanted

PASSWORD = VaultPassword("a test", b"correct horse")
WANTED = (
    *authority_wanted("demo", "suite.example"),
    SecretWanted("docs.postgresql", "password"),
    SecretWanted("synapse.signing_key", "matrix_signing_key"),
)
SUPPLIED = SecretWanted("mail.password", "supplied", "password at the mail relay")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.yml"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(textwrap.dedent(text))
    path.chmod(mode)
    return path


def store(path: Path, vaulted: bool = False, password: VaultPassword | None = PASSWORD) -> SecretStore:
    return SecretStore(path, vaulted=vaulted, password=password)


def values(some: SecretStore) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in some.items()}


@pytest.mark.parametrize("vaulted", [False, True])
def test_what_was_added_is_read_back_and_never_changes(path: Path, vaulted: bool) -> None:
    first = store(path, vaulted)
    assert add_missing(first, WANTED) == tuple(one.name for one in WANTED)
    before, content = values(first), path.read_bytes()
    again = store(path, vaulted)
    assert values(again) == before
    assert add_missing(again, WANTED) == ()
    assert path.read_bytes() == content
    more = (*WANTED, SecretWanted("grist.session", "hex64"))
    assert add_missing(again, more) == ("grist.session",)
    assert path.read_bytes().startswith(content)
    assert {name: value for name, value in values(again).items() if name in before} == before


@pytest.mark.parametrize("vaulted", [False, True])
def test_a_new_file_is_its_owners_alone(path: Path, vaulted: bool) -> None:
    mask = os.umask(0)
    try:
        add_missing(store(path, vaulted), WANTED)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_no_value_stands_in_a_vaulted_file(path: Path) -> None:
    some = store(path, vaulted=True)
    add_missing(some, WANTED)
    text = path.read_text()
    for name, value in values(some).items():
        assert name in text
        assert not [line for line in value.splitlines() if line in text]


def test_comments_order_and_layout_stay(path: Path) -> None:
    written(
        path,
        """\
        # ours, see the wiki

        suite_secrets:
            zulu.one: "first"   # written by hand
            # not to be changed before March
            alpha.two: |
                two
                lines
        # the end""",
    )
    before = path.read_text()
    some = store(path)
    some.add({"mike.three": Secret("mike.three", "middle"), "alpha.two": Secret("alpha.two", "other")})
    assert path.read_text() == before + '\n    mike.three: "middle"\n'
    assert list(values(store(path)).items()) == [
        ("zulu.one", "first"),
        ("alpha.two", "two\nlines\n"),
        ("mike.three", "middle"),
    ]


@pytest.mark.parametrize("start", ["", "# only a comment\n", "suite_secrets:\n", "suite_secrets: {}\n", "# a\n---\n"])
def test_files_without_secrets_yet_can_be_added_to(path: Path, start: str) -> None:
    written(path, start)
    store(path).add({"a.b": Secret("a.b", "value")})
    assert values(store(path)) == {"a.b": "value"}
    assert "only a comment" in path.read_text() or "only" not in start


@pytest.mark.parametrize("start", ['suite_secrets: {a.a: "x"}\n', 'suite_secrets:\n  a.a: "x"\n...\n'])
def test_layouts_that_cannot_grow_are_left_alone(path: Path, start: str) -> None:
    written(path, start)
    with pytest.raises(InvalidInput, match="block style"):
        store(path).add({"a.b": Secret("a.b", "value")})
    assert path.read_text() == start
    assert list(path.parent.iterdir()) == [path]


TEXTS = ["plain", "with 'quotes' \"both\"", "é€", "line\nline\n", " lead\n x\n", "a: b", "#", "\\n", "1"]


@pytest.mark.parametrize("value", [*TEXTS, "{{ template }}"])
@pytest.mark.parametrize("vaulted", [False, True])
def test_any_text_comes_back_as_it_was(path: Path, value: str, vaulted: bool) -> None:
    if "{{" in value and not vaulted:
        with pytest.raises(InvalidInput, match="which Ansible would evaluate"):
            store(path).add({"a.b": Secret("a.b", value)})
        written(path, f"suite_secrets:\n  a.b: '{value}'\n")
        with pytest.raises(InvalidInput, match=r"secrets.yml:2: a\.b: holds"):
            store(path)
        return
    store(path, vaulted).add({"a.b": Secret("a.b", value)})
    assert values(store(path, vaulted)) == {"a.b": value}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("suite_secrets:\n  a.b: x\n  a.b: y\n", 3, "written twice"),
        ("suite_secrets:\n  a.b: x\nother: 1\n", 3, "unknown key"),
        ("suite_secrets:\n  a.b: 1234\n", 2, "a number, not text"),
        ("suite_secrets:\n  a.b: yes\n", 2, "a boolean, not text"),
        ("suite_secrets:\n  a.b:\n", 2, "is empty, not text"),
        ("suite_secrets:\n  a.b: ''\n", 2, "is empty"),
        ("suite_secrets:\n  a.b: [x]\n", 2, "a list, not text"),
        ("suite_secrets:\n  nodot: x\n", 2, "no name of a secret"),
        ("suite_secrets: text\n", 1, "is not a mapping"),
        ("- a\n", 1, "is not a mapping"),
        ("suite_secrets:\n  a.b: !other x\n", 2, "this tag is not accepted"),
        ("suite_secrets: [\n", 2, "is not YAML"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", 1, "encrypted as a whole"),
    ],
)
def test_problems_say_the_line_and_no_value(path: Path, text: str, line: int, says: str) -> None:
    written(path, text)
    with pytest.raises(InvalidInput) as caught:
        store(path)
    assert f"{path}:{line}: " in str(caught.value)
    assert says in str(caught.value)
    assert "1234" not in str(caught.value)


def test_all_problems_are_told_at_once(path: Path) -> None:
    written(path, "suite_secrets:\n  a.b: 1\n  c.d: 2\n")
    with pytest.raises(InvalidInput) as caught:
        store(path)
    assert [problem.line for problem in caught.value.problems] == [2, 3]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_plain_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    written(path, "suite_secrets:\n  a.b: value\n", mode)
    with pytest.raises(InvalidInput, match=f"mode {mode:04o}.*\n.*0600.*\n.*chmod 600"):
        store(path)


def test_a_vaulted_file_may_be_public_and_keeps_its_mode(path: Path) -> None:
    add_missing(store(path, vaulted=True), WANTED)
    path.chmod(0o644)
    add_missing(store(path, vaulted=True), [SecretWanted("a.b", "hex64")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_value_in_clear_is_refused_where_values_are_vaulted(path: Path) -> None:
    written(path, "suite_secrets:\n  a.b: value\n")
    with pytest.raises(InvalidInput, match=r"a\.b: stands here in clear") as caught:
        store(path, vaulted=True)
    assert "value\n" not in str(caught.value)


def test_a_link_to_the_file_stays_a_link(tmp_path: Path, path: Path) -> None:
    real = tmp_path / "elsewhere.yml"
    written(real, "suite_secrets:\n  a.a: x\n")
    path.symlink_to(real)
    store(path).add({"a.b": Secret("a.b", "value")})
    assert path.is_symlink()
    assert values(store(real)) == {"a.a": "x", "a.b": "value"}


def test_an_unreadable_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "secrets.yml").mkdir()
    with pytest.raises(CouldNotRun, match=r"secrets\.yml: cannot be read"):
        store(tmp_path / "secrets.yml")


class TestVaultPassword:
    def vaulted(self, path: Path) -> SecretStore:
        add_missing(store(path, vaulted=True), WANTED)
        return store(path, vaulted=True, password=VaultPassword("another file", b"wrong"))

    def test_names_are_listed_without_one(self, path: Path) -> None:
        self.vaulted(path)
        assert list(store(path, vaulted=True, password=None)) == [one.name for one in WANTED]

    def test_a_value_without_one_is_refused_with_the_option(self, path: Path) -> None:
        self.vaulted(path)
        with pytest.raises(InvalidInput, match=r"secrets.yml:\d+: suite.ca_key.*\n.*--vault-password-file"):
            store(path, vaulted=True, password=None)["suite.ca_key"].reveal()

    def test_a_wrong_one_is_refused_with_its_source(self, path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"does not open it.*\n.*another file"):
            self.vaulted(path)["suite.ca_key"].reveal()

    def test_nothing_is_added_under_another_one(self, path: Path) -> None:
        some = self.vaulted(path)
        before = path.read_bytes()
        with pytest.raises(InvalidInput, match="does not open it"):
            add_missing(some, [SecretWanted("a.b", "hex64")])
        assert path.read_bytes() == before

    def test_nothing_is_begun_without_one(self, path: Path) -> None:
        with pytest.raises(InvalidInput, match="no vault password"):
            add_missing(store(path, vaulted=True, password=None), WANTED)
        assert not path.exists()


def test_supplied_secrets_are_asked_for_by_name_and_command(path: Path) -> None:
    some = store(path)
    add_missing(some, [*WANTED, SUPPLIED])
    assert missing(some, [*WANTED, SUPPLIED]) == (SUPPLIED,)
    with pytest.raises(InvalidInput, match=r"mail\.password: is missing \(password at the mail relay\)") as caught:
        require(some, [*WANTED, SUPPLIED], inventory="region-x")
    assert "suite-deploy secrets set region-x mail.password" in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_missing_secret_is_named(path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        require(store(path), WANTED, inventory="region-x")
    assert [problem.key for problem in caught.value.problems] == sorted(one.name for one in WANTED)
    assert "suite-deploy secrets init region-x" in str(caught.value)


def test_an_authority_without_its_key_is_not_given_another(path: Path) -> None:
    some = store(path)
    some.add({"suite.ca_cert": Secret("suite.ca_cert", "-----BEGIN CERTIFICATE-----")})
    with pytest.raises(InvalidInput, match=r"suite\.ca_key: is missing while suite\.ca_cert is there"):
        add_missing(some, WANTED)


def test_secrets_of_the_infrastructure_are_read_beside_the_operators_own_and_never_written_there(path: Path) -> None:
    some = store(path)
    some.add({"a.b": Secret("a.b", "the operator's")})
    other = path.with_name("stack-secrets.yml")
    other.write_text("stack_secrets: {a.b: another, c.d: the cloud's}\n")
    other.chmod(0o600)
    some.include(SecretStore(other, vaulted=False, top_key="stack_secrets"))
    assert values(some) == {"a.b": "the operator's", "c.d": "the cloud's"}
    assert "cloud" not in path.read_text()


def test_a_damaged_vault_value_is_said(path: Path) -> None:
    text = re.sub(r"AES256\n.", "AES256\nz", vault.encrypt("value", PASSWORD.value))
    written(path, "suite_secrets:\n  a.b: !vault |\n" + textwrap.indent(text, "    "))
    with pytest.raises(InvalidInput, match=r"a\.b: damaged"):
        store(path, vaulted=True)["a.b"].reveal()
