# SPDX-License-Identifier: MIT
"""Federation of whatever component provides a homeserver."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed


@clause("mode_allowed")
def mode_allowed(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        if "homeserver" not in component.provides:
            continue
        said = True
        target = f"components.{component.slug}.federation"
        written = component.options.get("federation")
        mode = "open" if written is None else written if isinstance(written, str) else "peers"
        if mode in subject.profile.federation:
            yield passed(target, mode)
        else:
            found = (
                "is not set, which leaves it open to every server"
                if written is None
                else f"{mode} lets every server in"
            )
            yield failed(
                target, f"{found}; profile {subject.profile.name} allows: {', '.join(subject.profile.federation)}."
            )
    if not said:
        yield not_applicable("components", "no component federates")
