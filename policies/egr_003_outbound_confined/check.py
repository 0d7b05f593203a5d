# SPDX-License-Identifier: MIT
"""Shape of the way out."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause


@clause("exact_hosts")
def exact_hosts(subject: Subject) -> Iterator[Outcome]:
    if not subject.components:
        yield not_applicable("components", "no component")
    for component in subject.components:
        target = f"components.{component.slug}.egress"
        wide = [item for item in component.egress if "*" in item or "/" in item.partition("://")[2]]
        if wide:
            yield failed(
                target,
                f"{component.title or component.slug} declares {', '.join(wide)}; exact host names are required.",
            )
        else:
            yield passed(target, ", ".join(component.egress) or "nothing")


@clause("own_network")
def own_network(subject: Subject) -> Iterator[Outcome]:
    if not subject.components:
        yield not_applicable("components", "no component")
    for component in subject.components:
        target = f"components.{component.slug}.network"
        if component.host_network:
            yield failed(
                target,
                f"{', '.join(component.host_network)} shares the host's network, where its way out is the host's.",
            )
        else:
            yield passed(target)


@resource_clause("security_group", "openstack:networking/secGroupRule:SecGroupRule")
def security_group(resource: Resource, subject: Subject) -> str | None:
    props = resource.props
    if props.get("direction") != "egress" or props.get("remoteGroupId"):
        return None
    if props.get("remoteIpPrefix") in (None, "", "0.0.0.0/0", "::/0") and not props.get("portRangeMin"):
        return "lets everything out to everywhere."
    return None
