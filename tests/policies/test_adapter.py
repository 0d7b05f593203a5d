# SPDX-License-Identifier: MIT
"""From a deployment and what was rendered of it to what rules judge: nothing lost, nothing made up."""

from __future__ import annotations

from dataclasses import replace

from suite_deploy.model.deployment import Deployment
from suite_deploy.policy import profiles
from suite_deploy.policy.adapter import subject_of
from suite_deploy.policy.findings import Status
from suite_deploy.policy.register import builtin
from suite_deploy.policy.subject import Subject
from suite_deploy.render.render import render

from .support import REGISTER_DAY, deployment, failing, judge


def adapted(given: Deployment) -> Subject:
    return subject_of(
        given,
        render(given),
        register=builtin(),
        profile=profiles.load(given.suite.profile),
        on=REGISTER_DAY,
        ambient={},
    )


def test_keys_nobody_wrote_are_absent_and_aliases_are_the_operators() -> None:
    found = adapted(deployment("example-openstack-accepted"))
    assert found.get("ssh.from") == ["192.0.2.0/24"]
    assert found.get("mail.from") == "suite@region-x.example"
    assert found.get("ssh.port") is None
    assert found.get("tls") is None


def test_findings_stand_where_the_key_was_written() -> None:
    found = adapted(deployment("example-openstack-accepted"))
    file, line = found.locate(("infrastructure", "region"))
    written = (deployment("example-openstack-accepted").directory / "suite.yml").read_text().splitlines()
    assert file.endswith("suite.yml")
    assert written[line - 1].strip().startswith("region:")
    assert found.locate(("ssh", "from[0]"))[1] == found.locate(("ssh", "from"))[1]


def test_images_are_those_of_the_lock_under_the_mirror() -> None:
    found = {
        image.owner: image
        for item in adapted(deployment("example-outscale-accepted")).components
        for image in item.images
    }
    assert found
    for image in found.values():
        assert image.reference.startswith("registry.agency.example/suite/")
        assert "@sha256:" in image.reference
        assert image.locked


def test_without_a_lock_images_are_what_upstream_calls_them() -> None:
    found = [image for item in adapted(deployment("example-openstack-refused")).components for image in item.images]
    assert found
    assert not [image for image in found if image.locked or "@" in image.reference]
    assert {image.reference.partition("/")[0] for image in found} <= {"docker.io", "ghcr.io", "quay.io"}


def test_every_service_and_job_brings_its_image_and_its_environment() -> None:
    given = deployment("demo")
    for view, component in zip(adapted(given).components, given.ordered, strict=True):
        names = [*component.description.services, *component.description.jobs]
        assert [image.owner.partition(" ")[2] for image in view.images] == names
        assert set(view.env) == set(names)
        assert set(component.description.files) <= set(view.files)
        assert len(view.leaks) == len(component.description.leaks)


def test_partners_that_the_operator_named_are_declared() -> None:
    (homeserver,) = [
        item for item in adapted(deployment("example-ovh-accepted")).components if "homeserver" in item.provides
    ]
    assert "matrix.partner.example" in homeserver.declared_hosts


def test_what_the_edge_answers_for_a_component_is_scanned_too() -> None:
    given = deployment("demo")
    slug, component = next((slug, item) for slug, item in given.components.items() if item.description.routes)
    away = component.description.routes[0].model_copy(update={"to": None, "redirect": "https://elsewhere.example.org/"})
    described = component.description.model_copy(update={"routes": (away,)})
    changed = replace(given, components={**given.components, slug: replace(component, description=described)})
    tree = render(given)
    assert "EGR-001" not in failing(judge(given, tree))
    found = judge(changed, tree)
    assert [item.target for item in found.findings if item.rule == "EGR-001" and item.status == "fail"] == [
        f"components.{slug}.hosts.elsewhere.example.org"
    ]


def test_hosts_that_derive_from_users_are_judged_like_written_ones() -> None:
    written = deployment("example-openstack-accepted", **{"infrastructure.volumes": {}})
    derived = deployment("example-openstack-accepted", **{"infrastructure.volumes": {}, "infrastructure.hosts": {}})
    assert {"edge", "apps", "data"} <= {group for host in adapted(derived).hosts.values() for group in host["groups"]}
    for given in (written, derived):
        found = [item for item in judge(given).findings if item.clause == "volumes_declared"]
        assert [item.status for item in found] == [Status.FAIL]
        assert "nothing says" in found[0].message


def test_derived_hosts_stand_where_the_infrastructure_does() -> None:
    given = deployment("example-openstack-accepted", **{"infrastructure.hosts": {}})
    found = adapted(given)
    assert found.derived_hosts.keys() == {host.name for host in given.hosts}
    assert found.locate(("infrastructure", "hosts"))[1] > 0
    assert not adapted(deployment("example-openstack-accepted")).derived_hosts
