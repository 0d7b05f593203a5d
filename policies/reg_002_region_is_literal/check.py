# SPDX-License-Identifier: MIT
"""Region and endpoint come from the inventory, as text."""

import re
from collections.abc import Iterator

from suite_deploy.policy.ambient import of_kind, unreadable
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed

REGION = "infrastructure.region"
_COMPUTED = re.compile(r"[${}%<>`]|^(?:env|file|vault|ssm):|\s")


@clause("region_literal")
def region_literal(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud and not subject.region:
        yield not_applicable(REGION, f"the driver {subject.driver} takes no region from anywhere")
    elif not subject.region:
        yield failed(REGION, "is not written, so the driver would take one from the environment.")
    elif _COMPUTED.search(subject.region):
        yield failed(REGION, f"{subject.region!r} is no literal; write the region id itself.")
    else:
        yield passed(REGION, subject.region)


@clause("endpoint_literal")
def endpoint_literal(subject: Subject) -> Iterator[Outcome]:
    keys = {
        "openstack": "infrastructure.auth_url",
        "outscale": "infrastructure.endpoint",
        "ovh": "infrastructure.endpoint",
    }
    key = keys.get(subject.driver)
    if key is None:
        yield not_applicable("infrastructure", f"the driver {subject.driver} signs in nowhere")
        return
    written = subject.get(key)
    if not written and subject.driver == "openstack":
        yield failed(key, "is not written, so the driver would take one from the environment.")
    elif not written:
        yield passed(key, f"derived from the inventory: {subject.auth_host}")
    elif _COMPUTED.search(str(written)):
        yield failed(key, f"{written!r} is no literal; write the address itself.")
    else:
        yield passed(key, str(written))


@clause("ambient_region_agrees")
def ambient_region_agrees(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud:
        yield not_applicable("environment", f"the driver {subject.driver} reads no region")
        return
    stores = {
        str(subject.get(f"{key}.region")) for key in ("state.s3", "backup.target") if subject.get(f"{key}.region")
    }
    names = [str(subject.region or "").lower()]
    if subject.region_row:
        # an object store has its own name for the same place: s3.gra.… is GRA11's
        names += [host.split(".")[1].lower() for host in subject.region_row.hosts if host.startswith(("s3.", "oos."))]
    said = False
    for source, value in of_kind(subject.ambient, subject.driver, "region"):
        said = True
        storage = source.startswith(("AWS_", "aws"))
        if value == subject.region or (storage and (value in stores or value.lower() in names)):
            yield passed(f"environment.{source}", value)
        else:
            yield failed(
                f"environment.{source}",
                f"{source} says region {value!r}; the inventory declares {subject.region!r}.",
                "Equal values pass. Unset it, or correct whichever is wrong.",
            )
    if not said:
        yield passed("environment", "nothing in the environment names a region")


@clause("ambient_files_readable")
def ambient_files_readable(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud:
        yield not_applicable("environment", f"the driver {subject.driver} reads no profile file")
        return
    broken = list(unreadable(subject.ambient, subject.driver))
    for source, why in broken:
        yield failed(
            f"environment.{source}",
            f"{source.partition(':')[2]} would be read by the driver's tools and cannot be judged: {why}.",
            f"Mend that file{', or correct OS_CLOUD' if why.startswith('OS_CLOUD ') else ''}, or move it away.",
        )
    if not broken:
        yield passed("environment", "every profile file could be read")
