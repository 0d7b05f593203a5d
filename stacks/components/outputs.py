# SPDX-License-Identifier: MIT
"""What every cloud's program exports, and how it is read back: the one place that knows the exports' shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import HostOutput, StackOutputs

if TYPE_CHECKING:
    import pulumi

    from stacks.components.spec import StackSpec

#: export names: everything but secrets, and the secrets the stack made
OUTPUTS, SECRETS = "outputs", "stack_secrets"


@dataclass(frozen=True)
class MadeHost:
    """A host as the program made it. Values are the engine's outputs, or plain.

    identity: what changes when the host is made anew. public_address: "" when it has none. volumes: kind → device as
    the host sees it.
    """

    private_address: pulumi.Input[str]
    identity: pulumi.Input[str]
    public_address: pulumi.Input[str] = ""
    volumes: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class BucketCredential:
    """What opens one bucket: a key pair of S3, or id and secret of an application credential for Swift."""

    access_key: pulumi.Input[str]
    secret_key: pulumi.Input[str]


def export(
    spec: StackSpec,
    hosts: Mapping[str, MadeHost],
    credentials: Mapping[str, BucketCredential],
    facts: Mapping[str, pulumi.Input[str]],
) -> None:
    """Export a stack. credentials: component → key pair of its bucket, exported as a secret."""
    import pulumi

    edge = hosts[spec.edge].public_address
    pulumi.export(
        OUTPUTS,
        {
            "driver": spec.driver,
            "suite": spec.suite,
            # a list: the engine sorts the keys of maps, and the order of hosts is the inventory's
            "hosts": [_host(spec, host.name, hosts[host.name]) for host in spec.hosts],
            "private_networks": [spec.private_network],
            "public_address": edge,
            "dns_records": dict.fromkeys(spec.names, edge),
            "dns_created": list(spec.dns.names) if spec.dns else [],
            # a host behind edge sees deployments come from edge's private address
            "host_vars": {"host_ssh_sources": [*spec.ssh_sources, spec.private_network]},
            "facts": {"region": spec.region, **facts},
        },
    )
    pulumi.export(
        SECRETS,
        pulumi.Output.secret(
            {
                name: value
                for slug, pair in credentials.items()
                for name, value in (
                    (f"{slug}.bucket", pair.secret_key),
                    (f"{slug}.bucket_access_key", pair.access_key),
                )
            }
        ),
    )


def _host(spec: StackSpec, name: str, made: MadeHost) -> dict[str, Any]:
    wanted = spec.host(name)
    return {
        "name": name,
        "address": made.public_address if wanted.public else made.private_address,
        "private_address": made.private_address,
        "public_address": made.public_address,
        "groups": list(wanted.groups),
        "ssh_user": spec.ssh_user,
        "ssh_port": spec.ssh_port,
        "jump": "" if wanted.public else spec.edge,
        "identity": made.identity,
        "volumes": dict(made.volumes),
    }


def read_outputs(exports: Mapping[str, Any], *, ssh_private_key: Path, ssh_known_hosts: Path) -> StackOutputs:
    """The exports of a stack (name → plain value) as every driver's outputs.

    ssh_private_key, ssh_known_hosts: of the machine that reads, so never part of a stack's state.
    Raises CouldNotRun when the stack was never brought up, or by something else.
    """
    try:
        content = exports[OUTPUTS]
        hosts = tuple(
            HostOutput(
                name=host["name"],
                address=host["address"],
                private_address=host["private_address"],
                public_address=host["public_address"],
                groups=tuple(host["groups"]),
                ssh_user=host["ssh_user"],
                ssh_port=int(host["ssh_port"]),
                jump=host["jump"],
                identity=host["identity"],
                volumes=dict(host["volumes"]),
            )
            for host in content["hosts"]
        )
        return StackOutputs(
            driver=content["driver"],
            suite=content["suite"],
            hosts=hosts,
            private_networks=tuple(content["private_networks"]),
            public_address=content["public_address"],
            ssh_private_key=ssh_private_key,
            ssh_known_hosts=ssh_known_hosts,
            dns_records=dict(content["dns_records"]),
            # a stack brought up by an earlier version says nothing of it, and made none
            dns_created=tuple(content.get("dns_created", ())),
            host_vars=dict(content["host_vars"]),
            facts=dict(content["facts"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CouldNotRun(
            f"the stack's outputs are not complete ({error}): it was never brought up to its end"
        ) from error


def read_secrets(exports: Mapping[str, Any]) -> dict[str, str]:
    """Secrets the stack made: secret name → value; empty when it made none."""
    return {str(name): str(value) for name, value in (exports.get(SECRETS) or {}).items()}
