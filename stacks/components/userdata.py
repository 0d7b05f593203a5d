# SPDX-License-Identifier: MIT
"""What a new host is told at its first boot: just enough for Ansible to sign in. Never a secret."""

from __future__ import annotations

from typing import Any

import yaml

#: cloud-init is written in Python itself, so this installs nothing on an ordinary image
_PYTHON = "command -v python3 >/dev/null || { apt-get update -q && apt-get install -q --yes python3; }"
#: without it sudo waits for DNS at every call; written once, since the role keeps /etc/hosts afterwards
_OWN_NAME = "grep -q '^127\\.0\\.1\\.1 ' /etc/hosts || echo \"127.0.1.1 $(hostname)\" >>/etc/hosts"


def user_data(*, hostname: str, user: str, public_key: str, ssh_port: int = 22) -> str:
    """cloud-config for one host.

    hostname: short name. user: account made with sudo without a password and no password of its own. public_key: one
    line in authorized_keys format. ssh_port: port sshd shall listen on.
    """
    content: dict[str, Any] = {
        "hostname": hostname,
        # cloud-init would write /etc/hosts anew at each boot, without the suite's names
        "manage_etc_hosts": False,
        "ssh_pwauth": False,
        "disable_root": True,
        "users": [
            {
                "name": user,
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [public_key.strip()],
            }
        ],
        "runcmd": [["sh", "-c", _OWN_NAME], ["sh", "-c", _PYTHON]],
    }
    if ssh_port != 22:
        content["write_files"] = [
            {"path": "/etc/ssh/sshd_config.d/10-port.conf", "content": f"Port {ssh_port}\n", "permissions": "0644"}
        ]
        content["runcmd"].append(["systemctl", "restart", "ssh"])
    return "#cloud-config\n" + yaml.safe_dump(content, sort_keys=False, width=1000)
