#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Install a set of rendered files at once, filling in their secrets."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: suite_files
short_description: Install rendered configuration files, filling in secrets on the host
description:
  - Puts every file of a component in place in one run, with content, owner, group and mode.
  - Secrets stand in the texts as C(@secret:NAME@) and are filled in here, so that no text with a secret
    exists anywhere else.
  - Files are replaced atomically. Check mode and diff mode are supported; the diff shows texts before secrets
    are filled in.
  - Files below O(owned_directories) that are not listed are removed.
options:
  files:
    description: The files wanted.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where the file goes., type: path, required: true}
      content: {description: Its text, secrets as placeholders., type: str, required: true}
      mode: {description: Octal mode., type: str, required: true}
      owner: {description: Numeric owner., type: int, required: true}
      group: {description: Numeric group., type: int, required: true}
      restarts: {description: Units that read it., type: list, elements: str, default: []}
  secrets:
    description: Name to value; only those that the files use are needed.
    type: dict
    default: {}
  owned_directories:
    description: Directories (mode 0750, root) in which only the listed files may exist.
    type: list
    elements: path
    default: []
  owned_pattern:
    description: A regular expression of full paths that also belong to this set, such as a component's units.
    type: str
    default: ''
  others:
    description: Paths that fit O(owned_pattern) and belong to other sets, whose name begins like this one's.
    type: list
    elements: path
    default: []
  marks:
    description:
      - Directory with one file per unit, named like it, that whoever restarts a unit writes with the digest returned in
        RV(digests). A mark goes before a file of its unit is written, so an interrupted run restarts it next time.
    type: path
    default: /var/lib/suite/loaded
author: The suite-deploy authors
"""

EXAMPLES = r"""
- name: Configuration is installed
  suite_files:
    files:
      - {path: /etc/suite/docs/backend.env, content: "KEY=@secret:docs.key@\n", mode: "0400", owner: 0, group: 0}
    secrets: {docs.key: "{{ suite_secrets['docs.key'] }}"}
    owned_directories: [/etc/suite/docs]
"""

RETURN = r"""
changed_paths: {description: Paths that were written, removed or given other rights., returned: always, type: list}
restarts: {description: Units that have not been restarted since their files changed., returned: always, type: list}
digests: {description: Unit to the digest of all the files it reads., returned: always, type: dict}
"""

#: the directory of a component's files: only root looks inside, services get their files mounted
DIRECTORY_MODE = 0o750
PLACEHOLDER = re.compile(r"@secret:([a-z0-9][a-z0-9._-]*)@")
FILE_OPTIONS = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "required": True},
    "owner": {"type": "int", "required": True},
    "group": {"type": "int", "required": True},
    "restarts": {"type": "list", "elements": "str", "default": []},
}


def fill(content, secrets):
    """The text with its secrets; KeyError names a missing one."""
    return PLACEHOLDER.sub(lambda match: secrets[match.group(1)], content)


def differs(wanted, content):
    """Whether the file on disk is not as wanted, in content, rights or kind."""
    path = wanted["path"]
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return True
    if not os.path.isfile(path) or os.path.islink(path):
        return True
    if (status.st_mode & 0o7777, status.st_uid, status.st_gid) != (
        int(wanted["mode"], 8),
        wanted["owner"],
        wanted["group"],
    ):
        return True
    with open(path, "rb") as current:
        return current.read() != content.encode()


def write(wanted, content):
    """Replace the file atomically; it is never readable by anyone else, not even for a moment."""
    directory = os.path.dirname(wanted["path"])
    os.makedirs(directory, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".suite-")
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(content.encode())
            os.fchown(new.fileno(), wanted["owner"], wanted["group"])
            os.fchmod(new.fileno(), int(wanted["mode"], 8))
            os.fsync(new.fileno())
        os.replace(temporary, wanted["path"])
    except BaseException:
        os.unlink(temporary)
        raise


def strangers(directories, pattern, wanted_paths):
    """Files that belong to this set by their place and are not in it any more."""
    found = []
    for directory in directories:
        for top, _names, files in os.walk(directory):
            found += [os.path.join(top, name) for name in files]
    if pattern:
        folder = os.path.dirname(pattern)
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found += [os.path.join(folder, name) for name in names if re.fullmatch(pattern, os.path.join(folder, name))]
    return sorted(set(found) - wanted_paths)


def ensure_directories(directories, check_mode):
    """Make the owned directories root's own; returns those that were not."""
    changed = []
    for path in directories:
        status = os.stat(path) if os.path.isdir(path) else None
        if status and (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o750, 0, 0):
            continue
        changed.append(path)
        if not check_mode:
            os.makedirs(path, mode=DIRECTORY_MODE, exist_ok=True)
            os.chown(path, 0, 0)
            os.chmod(path, DIRECTORY_MODE)
    return changed


def unit_digests(files, secrets):
    """Unit to a digest over every file it reads, with rights and secrets."""
    digests = {}
    for item in sorted(files, key=lambda each: each["path"]):
        rights = "\0".join([item["path"], item["mode"], str(item["owner"]), str(item["group"])])
        for unit in item["restarts"]:
            digest = digests.setdefault(unit, hashlib.sha256())
            digest.update(rights.encode() + b"\0" + fill(item["content"], secrets).encode() + b"\0")
    return {unit: digest.hexdigest() for unit, digest in digests.items()}


def unmarked(digests, marks):
    """Units whose mark is absent or of other files."""
    result = []
    for unit, digest in sorted(digests.items()):
        try:
            with open(os.path.join(marks, unit), encoding="utf-8") as mark:
                same = mark.read().strip() == digest
        except FileNotFoundError:
            same = False
        if not same:
            result.append(unit)
    return result


def forget(unit, marks):
    """Take the mark away before the unit's files are touched."""
    try:
        os.unlink(os.path.join(marks, unit))
    except FileNotFoundError:
        return


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE_OPTIONS},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "owned_directories": {"type": "list", "elements": "path", "default": []},
            "owned_pattern": {"type": "str", "default": ""},
            "others": {"type": "list", "elements": "path", "default": []},
            "marks": {"type": "path", "default": "/var/lib/suite/loaded"},
        },
        supports_check_mode=True,
    )
    wanted, secrets, marks = module.params["files"], module.params["secrets"], module.params["marks"]
    missing = sorted({name for item in wanted for name in PLACEHOLDER.findall(item["content"]) if name not in secrets})
    if missing:
        module.fail_json(msg=f"No value was given for these secrets: {', '.join(missing)}")
    changed = ensure_directories(module.params["owned_directories"], module.check_mode)
    diffs = []
    for item in wanted:
        content = fill(item["content"], secrets)
        if not differs(item, content):
            continue
        changed.append(item["path"])
        diffs.append(
            {"before_header": item["path"], "after_header": item["path"], "before": "", "after": item["content"]}
        )
        if not module.check_mode:
            for unit in item["restarts"]:
                forget(unit, marks)
            write(item, content)
    paths = {item["path"] for item in wanted} | set(module.params["others"])
    for path in strangers(module.params["owned_directories"], module.params["owned_pattern"], paths):
        changed.append(path)
        if not module.check_mode:
            os.unlink(path)
    digests = unit_digests(wanted, secrets)
    module.exit_json(
        changed=bool(changed),
        changed_paths=changed,
        restarts=unmarked(digests, marks),
        digests=digests,
        diff=diffs,
    )


if __name__ == "__main__":
    main()
