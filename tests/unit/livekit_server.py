# SPDX-License-Identifier: MIT
"""The double of LiveKit, started on free ports of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.checkout import ROOT

FOLDER = ROOT / "tests" / "doubles" / "livekit"
KEY, SECRET = "livekit", "s" * 64


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listened on a moment ago."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def configuration(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration that works; `changes` replace dotted keys, None removes one."""
    api, tcp, udp, turn_udp, turn_tls = free_ports(5)
    (folder / "keys.yaml").write_text(f"{KEY}: {SECRET}\n")
    (folder / "keys.yaml").chmod(0o400)
    found: dict[str, Any] = {
        "port": api,
        "bind_addresses": ["127.0.0.1"],
        "key_file": str(folder / "keys.yaml"),
        "rtc": {
            "tcp_port": tcp,
            "udp_port": udp,
            "use_external_ip": False,
            "node_ip": "127.0.0.1",
            "ips": {"includes": ["127.0.0.1/32"]},
        },
        "turn": {
            "enabled": True,
            "domain": "turn.suite.example",
            "tls_port": turn_tls,
            "external_tls": True,
            "udp_port": turn_udp,
        },
        "room": {"auto_create": False},
    }
    for key, value in changes.items():
        place, parts = found, key.split("__")
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        if value is None:
            place.pop(parts[-1])
        else:
            place[parts[-1]] = value
    return found


def start(folder: Path, content: dict[str, Any]) -> subprocess.Popen[str]:
    """Start it with a configuration, whatever it says to that."""
    path = folder / "livekit.yaml"
    path.write_text(yaml.safe_dump(content))
    command = [sys.executable, str(FOLDER / "livekit_double.py"), "--config", str(path)]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


class Running:
    """A server that answers, and its configuration."""

    def __init__(self, process: subprocess.Popen[str], content: dict[str, Any]):
        self.process, self.content = process, content
        self.url = f"http://127.0.0.1:{content['port']}"

    def validate(self, token: str = "", **parameters: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.url}/rtc/validate", headers=headers, params=parameters, timeout=10)

    def call(self, method: str, token: str, body: dict[str, Any]) -> requests.Response:
        url = f"{self.url}/twirp/livekit.RoomService/{method}"
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def run(folder: Path, **changes: Any) -> Iterator[Running]:
    """Start it, wait until it answers, stop it in the end; for fixtures."""
    content = configuration(folder, **changes)
    process = start(folder, content)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            try:
                requests.get(f"http://127.0.0.1:{content['port']}/", timeout=1)
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline, "it does not answer"
                time.sleep(0.05)
        yield Running(process, content)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        if process.stderr:
            process.stderr.close()


def token(secret: str = SECRET, key: str = KEY, identity: str = "alice", **grants: Any) -> str:
    """A token as LiveKit's own client signs it."""
    from livekit import api

    return api.AccessToken(key, secret).with_identity(identity).with_grants(api.VideoGrants(**grants)).to_jwt()
