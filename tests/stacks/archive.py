# SPDX-License-Identifier: MIT
"""A component of a fork's own, which keeps files by Swift: what it needs, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.checkout import ROOT

SWIFT = "https://swift.region-x.snc.example"
STORE = {"interface": "swift", "endpoint": SWIFT, "region": "eu-west-sbg-snc"}
ARCHIVE: dict[str, Any] = {
    "title": "Archive",
    "id_range": 190,
    "hostname": "archive",
    "needs": {"bucket": {"interfaces": ["s3", "swift"], "versioning": "required"}},
    "images": {"server": {"name": "docker.io/fork/archive", "tag": "1.0"}},
    "services": {
        "server": {
            "image": "server",
            "port": 8080,
            "memory": "256M",
            "env": {
                "STORE": "{{ bucket.interface }}",
                "OS_AUTH_URL": "{{ bucket.auth_url }}",
                "OS_REGION_NAME": "{{ bucket.region }}",
                "OS_APPLICATION_CREDENTIAL_ID": "{{ bucket.access_key }}",
                "CONTAINER": "{{ bucket.name }}",
            },
            "secret_env": {"OS_APPLICATION_CREDENTIAL_SECRET": "{{ secret('bucket') }}"},
        }
    },
    "routes": [{"path": "/", "to": "server"}],
    "backup": {"bucket": "all-versions"},
    "sizing": {"base": {"cpu": 0.1, "memory_mib": 256}},
    "chart": "not-yet",
}


def changes(**store: Any) -> dict[str, Any]:
    """An inventory with the component, and these changes to where files are kept."""
    return {
        "profile": "dev",
        "infrastructure.object_store": {**STORE, **store},
        "components": {"keycloak": {}, "archive": {}},
    }


def roles_with_it(root: Path, **needs: Any) -> None:
    """Lay a roles tree below `root`: the shipped components and this one; `needs` changes what it asks of a bucket."""
    folder = root / "roles" / "archive"
    folder.mkdir(parents=True)
    for role in (ROOT / "roles").iterdir():
        (root / "roles" / role.name).symlink_to(role)
    description = {**ARCHIVE, "needs": {"bucket": {**ARCHIVE["needs"]["bucket"], **needs}}}
    (folder / "component.yml").write_text(yaml.safe_dump(description))
