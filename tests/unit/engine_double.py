# SPDX-License-Identifier: MIT
"""A double of the engine's command line: what the SDK's protocol needs of it, driven by a script, and nothing more.

It is no engine: it plans nothing and makes nothing. Each call is recorded with its words and environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERSION = "3.272.0"
HISTORY = {"kind": "update", "startTime": "2026-11-22T08:00:00.000Z", "message": "", "environment": {}, "config": {}}
HISTORY |= {"result": "succeeded"}

#: reads `script.json` beside itself: command → {stdout, stderr, status, events, sleep}; the first of a list is used up
PROGRAM = r"""#!{python} -IS
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).resolve().parent
words = [word for word in sys.argv[1:] if word != "--non-interactive"]
calls = here / "calls.jsonl"
with calls.open("a") as record:
    record.write(json.dumps({{"words": words, "environment": dict(os.environ), "cwd": os.getcwd()}}) + "\n")
script_file = here / "script.json"
script = json.loads(script_file.read_text())
key = next((k for n in (4, 2, 1) if (k := " ".join(words[:n])) in script), "")
said = script.get(key, {{}})
if isinstance(said, list):
    said, rest = said[0], said[1:] or said[:1]
    script[key] = rest
    script_file.write_text(json.dumps(script))
if words[:2] == ["stack", "init"]:
    pathlib.Path("Pulumi." + words[2] + ".yaml").write_text("encryptionsalt: made-by-init\n")
if words[:2] == ["stack", "import"]:
    (here / "imported.json").write_text(pathlib.Path(words[words.index("--file") + 1]).read_text())
if said.get("sleep"):
    def graceful(number, frame):
        (here / "interrupted").write_text(str(number))
        sys.exit(255)
    signal.signal(signal.SIGINT, graceful)
    (here / "sleeping").write_text("")
    time.sleep(said["sleep"])
if said.get("events") is not None and "--event-log" in words:
    sys.path += {path}
    import grpc
    # The one message of the protocol, encoded by hand: loading the SDK for it would take longer than all the rest.
    def encoded(event):
        text = json.dumps(event).encode()
        size, prefix = len(text), bytearray([1 << 3 | 2])
        while size > 127:
            prefix.append(size & 127 | 128)
            size >>= 7
        return bytes([*prefix, size]) + text
    address = words[words.index("--event-log") + 1].removeprefix("tcp://")
    with grpc.insecure_channel(address) as channel:
        send = channel.stream_unary("/pulumirpc.Events/StreamEvents", encoded, bytes)
        send(iter(said["events"]))
sys.stdout.write(said.get("stdout", ""))
sys.stderr.write(said.get("stderr", ""))
sys.exit(said.get("status", 0))
"""


class EngineDouble:
    """Made in a folder; `script` says what each command answers."""

    def __init__(self, folder: Path, script: dict[str, Any] | None = None) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir(parents=True)
        self.program = self.folder / "pulumi"
        self.program.write_text(PROGRAM.format(python=sys.executable, path=[entry for entry in sys.path if entry]))
        self.program.chmod(0o755)
        self.script(script or {})

    def script(self, script: dict[str, Any]) -> None:
        defaults = {
            "version": {"stdout": f"v{VERSION}\n"},
            "stack history": {"stdout": json.dumps([HISTORY])},
            "stack output": {"stdout": "{}"},
            "stack export": {"stdout": json.dumps({"version": 3, "deployment": {}})},
        }
        (self.folder / "script.json").write_text(json.dumps(defaults | script))

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def words(self) -> list[list[str]]:
        return [call["words"] for call in self.calls]

    def call(self, *beginning: str) -> dict[str, Any]:
        """The last call that begins with these words."""
        return [call for call in self.calls if call["words"][: len(beginning)] == list(beginning)][-1]


def urn(type: str, name: str) -> str:
    return f"urn:pulumi:s::suite-openstack::{type}::{name}"


def step(op: str, type: str, name: str, *, protect: bool = False, inputs: Any = None, keys: Sequence[str] = ()) -> Any:
    """An engine event that says what happens to one resource."""
    state = {"type": type, "urn": urn(type, name), "custom": True, "protect": protect, "inputs": inputs or {}}
    old = None if op == "create" else state
    metadata = {"op": op, "urn": urn(type, name), "type": type, "provider": "", "old": old, "new": state}
    return {"resourcePreEvent": {"metadata": metadata | {"keys": list(keys)}, "planning": True}}


def error(message: str, name: str = "") -> Any:
    """An engine event that says what went wrong."""
    event = {"message": f"<{{%reset%}}>{message}<{{%reset%}}>\n", "color": "never", "severity": "error"}
    return {"diagnosticEvent": event | ({"urn": urn("a:b/c:C", name)} if name else {})}


def summary() -> Any:
    """The event that ends every preview."""
    return {"summaryEvent": {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {}, "PolicyPacks": {}}}
