# SPDX-License-Identifier: MIT
"""What a project of the cloud holds, by the cloud's own lists; what the engine's state knows plays no part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Census = dict[str, str]


def census(cloud: Any) -> Census:
    """Everything that people make in the project, id → `kind name`; what the cloud adds of its own accord is left out.

    Foreign ports are those of the cloud's own services; boot volumes go with their servers and are counted by those.
    """
    project, network = cloud.current_project_id, cloud.network
    routers = list(network.routers(project_id=project))
    groups = [item for item in network.security_groups(project_id=project) if item.name != "default"]
    group_ids = {group.id for group in groups}
    volumes = list(cloud.block_storage.volumes())
    user = f"/users/{cloud.current_user_id}"
    pairs = cloud.identity.get(f"{user}/credentials/OS-EC2").json()["credentials"]
    applications = cloud.identity.get(f"{user}/application_credentials").json()["application_credentials"]
    ports = list(network.ports(project_id=project))
    found: dict[str, Iterable[Any]] = {
        "server": cloud.compute.servers(),
        "server group": cloud.compute.server_groups(),
        "volume": [item for item in volumes if item.name],
        "boot volume": [item for item in volumes if not item.name],
        "network": network.networks(project_id=project),
        "subnet": network.subnets(project_id=project),
        "router": routers,
        "router interface": [item for item in ports if item.device_owner == "network:router_interface"],
        "port": [item for item in ports if not item.device_owner.startswith("network:")],
        "security group": groups,
    }
    made = {item.id: f"{kind} {item.name}".strip() for kind, items in found.items() for item in items}
    for rule in network.security_group_rules(project_id=project):
        if rule.security_group_id in group_ids:
            ports_ = f"{rule.port_range_min}-{rule.port_range_max}"
            who = rule.remote_ip_prefix or rule.remote_group_id
            what = f"{rule.direction} {rule.ether_type} {rule.protocol} {ports_} {who}"
            made[rule.id] = f"rule {rule.security_group_id} {what}"
    made |= {item.id: f"address {item.description}" for item in network.ips(project_id=project)}
    made |= {item.name: f"container {item.name}" for item in cloud.object_store.containers()}
    made |= {item["id"]: f"application credential {item['name']}" for item in applications}
    return made | {item["access"]: f"key pair {item['access']}" for item in pairs}


def twice(found: Census) -> list[str]:
    """What is there more than once under one name; boot volumes have none."""
    names = [name for name in found.values() if name != "boot volume"]
    return sorted({name for name in names if names.count(name) > 1})


def unknown(found: Census, known: Iterable[str]) -> list[str]:
    """What the cloud holds and nobody knows; boot volumes are known by their servers."""
    ids = set(known)
    return sorted(name for id_, name in found.items() if id_ not in ids and name != "boot volume")


def absent(found: Census, known: Iterable[str]) -> list[str]:
    """What is known and the cloud does not hold; `server/volume` is an attachment, which no list names."""
    return sorted(id_ for id_ in known if id_ not in found and "/" not in id_)
