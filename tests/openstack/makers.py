# SPDX-License-Identifier: MIT
"""How each resource type is made, found and removed on a real OpenStack, through its own SDK.

A test double of the provider: it shows that a program's inputs make working things, not how the provider itself acts.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keystoneauth1.exceptions import ConnectFailure
from openstack.exceptions import NotFoundException, raise_from_response

Inputs = Mapping[str, Any]
#: id, and the properties the cloud adds
Made = tuple[str, dict[str, Any]]
#: seconds
PATIENCE = 900


class GivenUp(RuntimeError):
    """The cloud says that a thing will never be what was asked for."""


@dataclass(frozen=True)
class Maker:
    """make(inputs); find(id, inputs): None when it is gone; remove(id, inputs).

    ready(id): waits until what the cloud has begun is done. Raises GivenUp when it never will be. None: the cloud does
    it at once, and what was not finished is a matter of ours.
    """

    make: Callable[[Inputs], Made]
    find: Callable[[str, Inputs], Any]
    remove: Callable[[str, Inputs], None]
    ready: Callable[[str], None] | None = None


def until(
    read: Callable[[], Any], wanted: Any, seconds: float = PATIENCE, bad: tuple[Any, ...] = ("ERROR", "error")
) -> None:
    """Wait until `read` returns `wanted`. Raises GivenUp for a bad state, RuntimeError after `seconds`."""
    end = time.monotonic() + seconds
    while (state := read()) != wanted:
        if state in bad:
            raise GivenUp(f"state {state!r}, wanted {wanted!r}")
        if time.monotonic() > end:
            raise RuntimeError(f"state {state!r} after {seconds} s, wanted {wanted!r}")
        time.sleep(1)


class Makers:
    """The makers of one cloud. begun: told an id as soon as the cloud has given it, where making takes longer."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.begun: Callable[[str], None] = lambda id_: None
        network, compute, storage = cloud.network, cloud.compute, cloud.block_storage
        there = self._there
        self.by_type: dict[str, Maker] = {
            "networking/network:Network": Maker(
                self._network, there(network.get_network), lambda id_, _: network.delete_network(id_)
            ),
            "networking/subnet:Subnet": Maker(
                self._subnet, there(network.get_subnet), lambda id_, _: network.delete_subnet(id_)
            ),
            "networking/router:Router": Maker(
                self._router, there(network.get_router), lambda id_, _: network.delete_router(id_)
            ),
            "networking/routerInterface:RouterInterface": Maker(
                self._interface,
                there(network.get_port),
                lambda id_, inputs: network.remove_interface_from_router(inputs["routerId"], port_id=id_),
                self._interface_ready,
            ),
            "networking/secGroup:SecGroup": Maker(
                self._group, there(network.get_security_group), lambda id_, _: network.delete_security_group(id_)
            ),
            "networking/secGroupRule:SecGroupRule": Maker(
                self._rule,
                there(network.get_security_group_rule),
                lambda id_, _: network.delete_security_group_rule(id_),
            ),
            "networking/port:Port": Maker(self._port, there(network.get_port), lambda id_, _: network.delete_port(id_)),
            "networking/floatingIp:FloatingIp": Maker(
                self._address, there(network.get_ip), lambda id_, _: network.delete_ip(id_)
            ),
            "networking/floatingIpAssociate:FloatingIpAssociate": Maker(
                self._association, self._find_association, lambda id_, _: network.update_ip(id_, port_id=None)
            ),
            "compute/serverGroup:ServerGroup": Maker(
                self._server_group, there(compute.get_server_group), lambda id_, _: compute.delete_server_group(id_)
            ),
            "compute/instance:Instance": Maker(
                self._server, there(compute.get_server), self._remove_server, self._server_ready
            ),
            "blockstorage/volume:Volume": Maker(
                self._volume, there(storage.get_volume), self._remove_volume, self._volume_ready
            ),
            "compute/volumeAttach:VolumeAttach": Maker(self._attach, self._find_attachment, self._detach),
            "objectstorage/container:Container": Maker(self._container, self._find_container, self._remove_container),
            "identity/ec2CredentialV3:Ec2CredentialV3": Maker(
                self._credential, self._find_credential, self._remove_credential
            ),
            "identity/applicationCredential:ApplicationCredential": Maker(
                self._application, self._find_application, self._remove_application
            ),
        }

    def _there(self, get: Callable[[str], Any]) -> Callable[[str, Inputs], Any]:
        def find(id_: str, inputs: Inputs) -> Any:
            try:
                return get(id_)
            except NotFoundException:
                return None
            except ConnectFailure:
                # a busy interface drops idle connections; asking again makes a new one
                return get(id_)

        return find

    def _tagged(self, thing: Any, inputs: Inputs) -> None:
        self.begun(thing.id)
        if inputs.get("tags"):
            self.cloud.network.set_tags(thing, inputs["tags"])

    def _network(self, inputs: Inputs) -> Made:
        made = self.cloud.network.create_network(name=inputs["name"], admin_state_up=inputs["adminStateUp"])
        self._tagged(made, inputs)
        return made.id, {}

    def _subnet(self, inputs: Inputs) -> Made:
        made = self.cloud.network.create_subnet(
            network_id=inputs["networkId"],
            name=inputs["name"],
            cidr=inputs["cidr"],
            ip_version=inputs["ipVersion"],
            enable_dhcp=inputs["enableDhcp"],
            dns_nameservers=inputs.get("dnsNameservers") or [],
        )
        self._tagged(made, inputs)
        return made.id, {}

    def _router(self, inputs: Inputs) -> Made:
        made = self.cloud.network.create_router(
            name=inputs["name"], external_gateway_info={"network_id": inputs["externalNetworkId"]}
        )
        self._tagged(made, inputs)
        return made.id, {}

    def _interface(self, inputs: Inputs) -> Made:
        made = self.cloud.network.add_interface_to_router(inputs["routerId"], subnet_id=inputs["subnetId"])
        self.begun(made["port_id"])
        self._interface_ready(made["port_id"])
        return made["port_id"], {}

    def _interface_ready(self, id_: str) -> None:
        until(lambda: self.cloud.network.get_port(id_).status, "ACTIVE", 300)

    def _group(self, inputs: Inputs) -> Made:
        made = self.cloud.network.create_security_group(name=inputs["name"], description=inputs["description"])
        self.begun(made.id)
        if inputs.get("deleteDefaultRules"):
            for rule in list(made.security_group_rules):
                self.cloud.network.delete_security_group_rule(rule["id"])
        self._tagged(made, inputs)
        return made.id, {}

    def _rule(self, inputs: Inputs) -> Made:
        names = {
            "direction": "direction",
            "ethertype": "ethertype",
            "protocol": "protocol",
            "portRangeMin": "port_range_min",
            "portRangeMax": "port_range_max",
            "remoteIpPrefix": "remote_ip_prefix",
            "remoteGroupId": "remote_group_id",
            "securityGroupId": "security_group_id",
        }
        values = {names[key]: value for key, value in inputs.items() if key in names}
        return self.cloud.network.create_security_group_rule(**values).id, {}

    def _port(self, inputs: Inputs) -> Made:
        made = self.cloud.network.create_port(
            network_id=inputs["networkId"],
            name=inputs["name"],
            security_group_ids=inputs["securityGroupIds"],
            fixed_ips=[{"subnet_id": item["subnetId"]} for item in inputs["fixedIps"]],
        )
        self._tagged(made, inputs)
        return made.id, {"allFixedIps": [item["ip_address"] for item in made.fixed_ips]}

    def _address(self, inputs: Inputs) -> Made:
        pool = self.cloud.network.find_network(inputs["pool"], ignore_missing=False)
        made = self.cloud.network.create_ip(floating_network_id=pool.id, description=inputs["description"])
        return made.id, {"address": made.floating_ip_address}

    def _association(self, inputs: Inputs) -> Made:
        found = self.cloud.network.find_ip(inputs["floatingIp"], ignore_missing=False)
        self.cloud.network.update_ip(found, port_id=inputs["portId"])
        return found.id, {}

    def _find_association(self, id_: str, inputs: Inputs) -> Any:
        found = self._there(self.cloud.network.get_ip)(id_, inputs)
        return found if found is not None and found.port_id == inputs["portId"] else None

    def _server_group(self, inputs: Inputs) -> Made:
        return self.cloud.compute.create_server_group(name=inputs["name"], policies=[inputs["policies"]]).id, {}

    def _server(self, inputs: Inputs) -> Made:
        disks = [
            {
                "uuid": disk["uuid"],
                "source_type": disk["sourceType"],
                "destination_type": disk["destinationType"],
                "volume_size": disk["volumeSize"],
                "boot_index": disk["bootIndex"],
                "delete_on_termination": disk["deleteOnTermination"],
            }
            for disk in inputs["blockDevices"]
        ]
        made = self.cloud.compute.create_server(
            name=inputs["name"],
            flavor_id=inputs["flavorId"],
            block_device_mapping=disks,
            networks=[{"port": item["port"]} for item in inputs["networks"]],
            scheduler_hints={"group": inputs["schedulerHints"][0]["group"]},
            config_drive=inputs["configDrive"],
            user_data=base64.b64encode(inputs["userData"].encode()).decode(),
            metadata=inputs["metadata"],
        )
        self.begun(made.id)
        self._server_ready(made.id)
        return made.id, {}

    def _server_ready(self, id_: str) -> None:
        try:
            until(lambda: self.cloud.compute.get_server(id_).status, "ACTIVE")
        except GivenUp as error:
            server = self.cloud.compute.get_server(id_)
            raise GivenUp(f"server {server.name}: {error}: {(server.fault or {}).get('message', '')}") from error

    def _remove_server(self, id_: str, inputs: Inputs) -> None:
        """With stopBeforeDestroy, as the provider: first a shutdown from within, which writes out what is unwritten."""
        if inputs.get("stopBeforeDestroy") and self.cloud.compute.get_server(id_).status == "ACTIVE":
            self.cloud.compute.stop_server(id_)
            until(lambda: self.cloud.compute.get_server(id_).status, "SHUTOFF")
        self.cloud.compute.delete_server(id_)
        until(lambda: self._there(self.cloud.compute.get_server)(id_, inputs), None)

    def _volume(self, inputs: Inputs) -> Made:
        made = self.cloud.block_storage.create_volume(
            name=inputs["name"],
            size=inputs["size"],
            description=inputs["description"],
            volume_type=inputs.get("volumeType"),
            metadata=inputs["metadata"],
        )
        self.begun(made.id)
        self._volume_ready(made.id)
        return made.id, {}

    def _volume_ready(self, id_: str) -> None:
        def state() -> str:
            status = str(self.cloud.block_storage.get_volume(id_).status)
            return "available" if status == "in-use" else status

        until(state, "available")

    def _remove_volume(self, id_: str, inputs: Inputs) -> None:
        # a server that was removed leaves its volume a little later than itself
        leaving = ("in-use", "detaching")
        until(lambda: self.cloud.block_storage.get_volume(id_).status in leaving, False)
        self.cloud.block_storage.delete_volume(id_)
        until(lambda: self._there(self.cloud.block_storage.get_volume)(id_, inputs), None)

    def _attach(self, inputs: Inputs) -> Made:
        server, volume = inputs["instanceId"], inputs["volumeId"]
        # a server that was removed leaves its volume a little later than itself
        until(lambda: self.cloud.block_storage.get_volume(volume).status, "available")
        self.cloud.compute.create_volume_attachment(server, volume_id=volume)
        until(lambda: self.cloud.block_storage.get_volume(volume).status, "in-use")
        return f"{server}/{volume}", {}

    def _find_attachment(self, id_: str, inputs: Inputs) -> Any:
        there = self._there(self.cloud.block_storage.get_volume)
        volume = there(inputs["volumeId"], inputs)
        while volume is not None and volume.status == "attaching":
            time.sleep(1)
            volume = there(inputs["volumeId"], inputs)
        attached = [item["server_id"] for item in volume.attachments] if volume is not None else []
        return volume if inputs["instanceId"] in attached else None

    def _detach(self, id_: str, inputs: Inputs) -> None:
        self.cloud.compute.delete_volume_attachment(inputs["instanceId"], inputs["volumeId"])
        until(lambda: self.cloud.block_storage.get_volume(inputs["volumeId"]).status, "available")

    def _container(self, inputs: Inputs) -> Made:
        headers = {f"X-Container-Meta-{key}": value for key, value in inputs["metadata"].items()}
        headers["X-Versions-Enabled"] = str(bool(inputs.get("versioning"))).lower()
        self._swift("put", inputs["name"], headers=headers)
        return inputs["name"], {}

    def _find_container(self, id_: str, inputs: Inputs) -> Any:
        answer = self.cloud.object_store.head(f"/{id_}", raise_exc=False)
        return answer if answer.status_code < 300 else None

    def _remove_container(self, id_: str, inputs: Inputs) -> None:
        listed = self._swift("get", f"{id_}?versions&format=json").json()
        for item in listed:
            self._swift("delete", f"{id_}/{item['name']}?version-id={item['version_id']}")
        self._swift("delete", id_)

    def _swift(self, method: str, path: str, **more: Any) -> Any:
        answer = getattr(self.cloud.object_store, method)(f"/{path}", **more)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    @property
    def _pairs(self) -> str:
        return f"/users/{self.cloud.current_user_id}/credentials/OS-EC2"

    def _credential(self, inputs: Inputs) -> Made:
        answer = self.cloud.identity.post(self._pairs, json={"tenant_id": self.cloud.current_project_id})
        raise_from_response(answer)
        made = answer.json()["credential"]
        return made["access"], {"access": made["access"], "secret": made["secret"]}

    def _find_credential(self, id_: str, inputs: Inputs) -> Any:
        answer = self.cloud.identity.get(f"{self._pairs}/{id_}", raise_exc=False)
        return answer if answer.status_code < 300 else None

    def _remove_credential(self, id_: str, inputs: Inputs) -> None:
        raise_from_response(self.cloud.identity.delete(f"{self._pairs}/{id_}"))

    @property
    def _applications(self) -> str:
        return f"/users/{self.cloud.current_user_id}/application_credentials"

    def _application(self, inputs: Inputs) -> Made:
        wanted = {name: inputs[name] for name in ("name", "description", "unrestricted") if name in inputs}
        if inputs.get("roles"):
            wanted["roles"] = [{"name": role} for role in inputs["roles"]]
        answer = self.cloud.identity.post(self._applications, json={"application_credential": wanted})
        raise_from_response(answer)
        made = answer.json()["application_credential"]
        return made["id"], {"secret": made["secret"]}

    def _find_application(self, id_: str, inputs: Inputs) -> Any:
        answer = self.cloud.identity.get(f"{self._applications}/{id_}", raise_exc=False)
        return answer if answer.status_code < 300 else None

    def _remove_application(self, id_: str, inputs: Inputs) -> None:
        raise_from_response(self.cloud.identity.delete(f"{self._applications}/{id_}"))
