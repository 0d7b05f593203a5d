# SPDX-License-Identifier: MIT
"""The scanner of rendered configuration."""

from collections.abc import Iterator

from suite_deploy.policy.reach import allowed, declared_hosts
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.scan import hosts_in, hosts_of_text


@clause("files")
def files(subject: Subject) -> Iterator[Outcome]:
    declared, said = declared_hosts(subject), False
    for component in subject.components:
        for name, text in component.files.items():
            said = True
            bad = [
                (host, where) for host, where in hosts_in(name, text) if not allowed(host, component, subject, declared)
            ]
            for host, where in bad:
                yield failed(
                    f"components.{component.slug}.hosts.{host}",
                    f"{name} ({where}) names {host}, which {component.title or component.slug} does not declare.",
                )
            if not bad:
                yield passed(f"components.{component.slug}.files.{name}")
    if not said:
        yield not_applicable("components", "no component has a rendered file")


@clause("environment")
def environment(subject: Subject) -> Iterator[Outcome]:
    declared, said = declared_hosts(subject), False
    for component in subject.components:
        for service, variables in component.env.items():
            said = True
            clean = True
            name = component.title or component.slug
            for variable, value in variables.items():
                for host in dict.fromkeys(hosts_of_text(value)):
                    if not allowed(host, component, subject, declared):
                        clean = False
                        yield failed(
                            f"components.{component.slug}.hosts.{host}",
                            f"{variable} of {service} names {host}, which {name} does not declare.",
                        )
            if clean:
                yield passed(f"components.{component.slug}.env.{service}")
    if not said:
        yield not_applicable("components", "no component has an environment")
