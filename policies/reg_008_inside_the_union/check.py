# SPDX-License-Identifier: MIT
"""Country of the region, company behind the account."""

from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.register_schema import EEA, EU
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause

OUTSIDE_HOSTS = ("auth.cloud.ovh.us", "*.cloud.ovh.us", "*.ovhcloud.us")


@clause("country_allowed")
def country_allowed(subject: Subject) -> Iterator[Outcome]:
    key = "infrastructure.region"
    if subject.is_local or subject.profile.location == "any":
        yield not_applicable(
            key, "the profile allows any place" if not subject.is_local else "hosts are on this machine"
        )
        return
    row = subject.region_row
    if row is None:
        yield not_applicable(key, "the register does not know the region (REG-001)")
        return
    if row.country in (EU if subject.profile.location == "eu" else EEA):
        yield passed(key, f"{row.city}, {row.country}")
    else:
        country = row.country or "country not known"
        yield failed(
            key,
            f"{row.provider} {subject.region} is {row.city} ({country}, confidence {row.confidence}).",
            f"Profile {subject.profile.name} allows {subject.profile.places}.",
        )


@clause("entity_allowed")
def entity_allowed(subject: Subject) -> Iterator[Outcome]:
    key = "infrastructure.endpoint" if subject.driver == "ovh" else "infrastructure.auth_url"
    if not subject.is_cloud or subject.profile.location == "any":
        yield not_applicable(key, "no account whose company the profile would judge")
        return
    interface = str(subject.get("infrastructure.endpoint", "ovh-eu")) if subject.driver == "ovh" else ""
    host = subject.auth_host or ""
    if interface == "ovh-us" or host_in(host, OUTSIDE_HOSTS):
        yield failed(key, f"{interface or host} is OVH US LLC, an American company, whatever the region.")
    elif interface == "ovh-ca" and subject.profile.control == "eu":
        yield failed(
            key,
            "`ovh-ca` is an account with the Canadian company.",
            f"Profile {subject.profile.name} asks for European control.",
        )
    elif str(subject.region or "").upper().startswith("US-"):
        yield failed("infrastructure.region", f"{subject.region} is a region of an American company.")
    else:
        yield passed(key)


@clause("under_european_control")
def under_european_control(subject: Subject) -> Iterator[Outcome]:
    key = "infrastructure.offer"
    if subject.is_local or subject.profile.control == "any":
        yield not_applicable(key, "the profile does not judge control")
        return
    rows = subject.register.rows(subject.offer) if subject.offer else ()
    if not rows:
        yield not_applicable(key, "the register does not know the offer (REG-001)")
        return
    row = rows[-1]
    name = row.legal_entity.name if row.legal_entity else row.provider
    closed = [item for item in row.control if item.outcome == "closed" and item.effect == "non_eu"]
    if row.control_is == "eu":
        pending = [item for item in row.control if item.outcome == "announced" and item.effect == "non_eu"]
        yield passed(key, f"{name}; announced and not closed: {pending[0].event}" if pending else name)
    elif row.control_is == "non_eu":
        country = row.legal_entity.country if row.legal_entity else "?"
        why = (
            f"{closed[-1].event} ({closed[-1].date}, confidence {closed[-1].confidence})"
            if closed
            else f"established in {country}"
        )
        yield failed(key, f"{name} is not under European control: {why}.")
    else:
        yield failed(key, f"nothing shows that {name} is under European control.", row.note)


@resource_clause("provider_entity", "pulumi:providers:ovh", "pulumi:providers:openstack", "ovh:", "openstack:")
def provider_entity(resource: Resource, subject: Subject) -> str | None:
    settings = resource.props if resource.package == "pulumi" else resource.provider
    if subject.profile.location == "any" or not settings:
        return None
    if settings.get("endpoint") == "ovh-us" or host_in(
        host_of(str(settings.get("authUrl") or "")) or "", OUTSIDE_HOSTS
    ):
        return "its provider signs in at OVH US LLC, an American company."
    return None
