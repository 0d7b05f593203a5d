# SPDX-License-Identifier: MIT
"""The secrets file: one YAML key per secret, plain on local hosts, one vaulted value per key elsewhere.

    suite_secrets:
      docs.oidc: !vault |
        $ANSIBLE_VAULT;1.1;AES256
        …

Values are only ever added; comments, order and what stands there already are left alone, so forks can merge and review.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.yamlfile import Vaulted, YamlFile, load_yaml
from suite_deploy.secrets import vault
from suite_deploy.secrets.password import OPTION, VARIABLE, VaultPassword
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import NAME

TOP_KEY = "suite_secrets"


def _own_top(key: str) -> str:
    return f"Accepted: one top-level key `{key}` with a secret per line, `<component>.<name>: value`."


class SecretStore(Mapping[str, Secret]):
    """What a secrets file holds: name → Secret, in the file's order. Reading decrypts nothing until `reveal()`."""

    def __init__(
        self,
        path: Path,
        *,
        vaulted: bool,
        password: VaultPassword | None = None,
        top_key: str = TOP_KEY,
        inventory: str = "NAME",
    ):
        """Read `path`; a file that does not exist is an empty store.

        vaulted: values must be vaulted, and are written so; otherwise they are plain and the file must be 0600.
        password: opens and makes vaulted values; only needed once one is revealed or added. top_key: the file's one
        key. inventory: how the operator calls it, for next steps. Raises InvalidInput with every problem of the file.
        """
        self.top_key, self.inventory = top_key, inventory
        self.path, self.vaulted, self.password = path, vaulted, password
        self.lines: dict[str, int] = {}
        self._values: dict[str, Secret] = {}
        self._read()

    def __getitem__(self, name: str) -> Secret:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"SecretStore({str(self.path)!r}, {len(self)} secrets)"

    def add(self, new: Mapping[str, Secret]) -> tuple[str, ...]:
        """Append the secrets whose names are not in the file yet; returns the names added, in order.

        The file is replaced in one step and keeps its owner. Raises InvalidInput without a vault password or with one
        that does not open what is there, CouldNotRun when the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self.path.parent):
            self._read()
            names = tuple(name for name in new if name not in self)
            if not names:
                return ()
            if self.vaulted:
                self._prove_password(names[0])
            else:
                self._refuse_templates({name: new[name] for name in names})
            old = self.path.read_text(encoding="utf-8-sig") if self.path.exists() else ""
            text = self._appended(old, {name: new[name] for name in names})
            self._replace(text)
            self._read()
        return names

    def include(self, other: SecretStore) -> None:
        """Let the secrets of another store be read here too; this one's own come first and its file stays as it is."""
        self._values = {**other._values, **self._values}

    # reading

    def _read(self) -> None:
        self._values, self.lines = {}, {}
        try:
            with self.path.open("rb") as raw:
                start = raw.read(len(vault.HEADER))
        except FileNotFoundError:
            return
        except OSError as error:
            raise CouldNotRun(f"{self.path}: cannot be read: {error.strerror}.") from error
        if start == vault.HEADER.encode():
            raise self._whole_file_vault()
        problems: list[Problem] = []
        file = load_yaml(self.path)
        for name, value in self._entries(file).items():
            place = file.place((self.top_key, name))
            self.lines[name] = place.line
            wrong = self._wrong(name, value)
            if wrong:
                problems.append(Problem(place.file, place.line, name, *wrong))
            elif isinstance(value, Vaulted):
                self._values[name] = Secret(name, self._opener(name, value, place.line))
            else:
                self._values[name] = Secret(name, str(value))
        if problems:
            raise InvalidInput(problems)

    def _entries(self, file: YamlFile) -> Mapping[str, object]:
        data = file.data if file.data is not None else {}
        if not isinstance(data, dict):
            raise InvalidInput([Problem(file.name, 1, "", "is not a mapping.", _own_top(self.top_key))])
        unknown = [key for key in data if key != self.top_key]
        if unknown:
            raise InvalidInput(
                [
                    Problem(file.name, file.place((key,)).line, key, "unknown key.", _own_top(self.top_key))
                    for key in unknown
                ]
            )
        entries = data.get(self.top_key)
        if entries is not None and not isinstance(entries, dict):
            raise InvalidInput(
                [
                    Problem(
                        file.name,
                        file.place((self.top_key,)).line,
                        self.top_key,
                        "is not a mapping.",
                        _own_top(self.top_key),
                    )
                ]
            )
        if not self.vaulted and any(not isinstance(value, Vaulted) for value in (entries or {}).values()):
            self._refuse_open_mode()
        return entries or {}

    def _wrong(self, name: str, value: object) -> tuple[str, ...]:
        """What is wrong with one entry: found, accepted, next step. Never the value."""
        if not NAME.fullmatch(name):
            return "is no name of a secret.", "Accepted: `<component>.<name>`, lower case."
        if isinstance(value, Vaulted):
            return ()
        if not isinstance(value, str):
            return f"is {_kind(value)}, not text.", "Put the value in quotes."
        if not value:
            return ("is empty.", "Remove the line to have it generated or asked for.")
        if self.vaulted:
            how = f"Remove the line, then: suite-deploy secrets set {self.inventory} {name}"
            return "stands here in clear.", "Accepted: vaulted values (`!vault`) only.", how
        return _template(value)

    def _whole_file_vault(self) -> InvalidInput:
        found = "is encrypted as a whole."
        accepted = "Accepted: one vaulted value per key, so that names can be merged and reviewed."
        return InvalidInput(
            [
                Problem(
                    str(self.path), 1, "", found, accepted, f"Run: ansible-vault decrypt {self.path}, then vault each."
                )
            ]
        )

    def _refuse_open_mode(self) -> None:
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            found = f"holds values in clear and has mode {mode:04o}."
            step = f"Run: chmod 600 {self.path} — and consider its values known to this machine's users."
            raise InvalidInput([Problem(str(self.path), 0, "", found, "Accepted: 0600.", step)])

    def _opener(self, name: str, value: Vaulted, line: int) -> Callable[[], str]:
        def reveal() -> str:
            try:
                return vault.decrypt(value.text, self._needed_password(name, line).value)
            except vault.VaultError as error:
                source = f"The password came from {self.password.source}." if self.password else ""
                raise InvalidInput([Problem(str(self.path), line, name, f"{error}.", source)]) from error

        return reveal

    def _needed_password(self, name: str, line: int) -> VaultPassword:
        if self.password is None:
            found = f"{'is' if line else 'is to be'} vaulted and no vault password was given."
            step = f"Give {OPTION} FILE or set {VARIABLE}. How to make the file: suite-deploy secrets init --help"
            raise InvalidInput([Problem(str(self.path), line, name, found, next_step=step)])
        return self.password

    # writing

    def _refuse_templates(self, new: Mapping[str, Secret]) -> None:
        wrong = [(name, _template(secret.reveal())) for name, secret in new.items()]
        problems = [Problem(str(self.path), 0, name, *found) for name, found in wrong if found]
        if problems:
            raise InvalidInput(problems)

    def _prove_password(self, name: str) -> None:
        """There is a password, and it opens the first value there: two passwords in one file would be unusable."""
        self._needed_password(name, 0)
        for first in list(self._values)[:1]:
            self[first].reveal()

    def _appended(self, old: str, new: Mapping[str, Secret]) -> str:
        head = old if old.strip() else f"# Secrets of this suite. Made by `suite-deploy secrets init`.\n{TOP_KEY}:\n"
        if not head.endswith("\n"):
            head += "\n"
        if not self._values:
            head = _opened(head)
        indent = self._indent(head)
        return head + "".join(self._entry(secret, indent) for secret in new.values())

    def _entry(self, secret: Secret, indent: str) -> str:
        value = secret.reveal()
        if self.vaulted:
            value = vault.encrypt(value, self._needed_password(secret.name, 0).value)
            return f"{indent}{secret.name}: !vault |\n{textwrap.indent(value, f'{indent}  ')}"
        if _fits_block(value):
            return f"{indent}{secret.name}: |\n{textwrap.indent(value, f'{indent}  ')}"
        return f"{indent}{secret.name}: {json.dumps(value)}\n"

    def _indent(self, text: str) -> str:
        first = min(self.lines.values(), default=0)
        line = text.splitlines()[first - 1] if first else "  "
        return line[: len(line) - len(line.lstrip(" "))] or "  "

    def _replace(self, text: str) -> None:
        target = self.path.resolve()
        before = target.stat() if target.exists() else None
        try:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".secrets-")
        except OSError as error:
            raise CouldNotRun(f"{target.parent}: cannot be written: {error.strerror}") from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            self._same_and_more(temporary)
            if before is not None:
                temporary.chmod(before.st_mode & (0o777 if self.vaulted else 0o600))
                if os.geteuid() == 0:
                    os.chown(temporary, before.st_uid, before.st_gid)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def _same_and_more(self, temporary: Path) -> None:
        """What is about to replace the file reads back with every old value untouched, or the file stays as it is."""
        found = "cannot be added to in its present layout."
        step = f"Write it in block style (`{TOP_KEY}:`, then one indented entry per line) and without a `...` line."
        problem = InvalidInput([Problem(str(self.path), 0, "", found, next_step=step)])
        try:
            fresh = load_yaml(temporary)
        except InvalidInput:
            raise problem from None
        old = self._entries(load_yaml(self.path)) if self.path.exists() else {}
        new = fresh.data.get(TOP_KEY) if isinstance(fresh.data, dict) else None
        if not isinstance(new, dict) or list(fresh.data) != [TOP_KEY] or list(new)[: len(old)] != list(old):
            raise problem
        if len(new) <= len(old) or any(new[name] != value for name, value in old.items()):
            raise problem


def _opened(head: str) -> str:
    """An empty mapping written as `suite_secrets: {}` becomes one that lines can follow; a lacking key is added."""
    lines = head.splitlines()
    for index, line in enumerate(lines):
        if line.split("#")[0].replace(" ", "") == f"{TOP_KEY}:{{}}":
            lines[index] = line.replace("{}", "", 1).rstrip()
        if line.startswith(f"{TOP_KEY}:"):
            return "\n".join(lines) + "\n"
    return "\n".join([*lines, f"{TOP_KEY}:"]) + "\n"


def _fits_block(value: str) -> bool:
    """Whether a literal block gives the value back exactly: lines of plain ASCII, one newline at the end."""
    lines = value.split("\n")
    return (
        len(lines) > 2
        and lines.pop() == ""
        and all(line and line.isascii() and line.isprintable() and not line[0].isspace() for line in lines)
    )


def _template(value: str) -> tuple[str, ...]:
    """What is wrong with a plain value for Ansible, which evaluates what it reads from a file unless it is vaulted."""
    if any(mark in value for mark in ("{{", "{%", "{#")):
        return ("holds `{{`, `{%` or `{#`, which Ansible would evaluate.", "Choose a value without them.")
    return ()


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return "empty" if value is None else names.get(type(value), "a date or another YAML type")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the lock is the directory's own and leaves no file behind."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
