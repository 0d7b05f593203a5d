# SPDX-License-Identifier: MIT
"""The offer is known, holds the label, and the region is one of its own."""

from collections.abc import Iterator

from suite_deploy.policy.register_schema import CONFIDENCE_ORDER
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.sentences import did_you_mean, label_name, places_qualified, status_sentence

ALL_OFFERS = "Every offer, with or without a label: `suite-deploy policy register --all`."
OWN_CLOUD = (
    "For a cloud it does not know, add offer and region to a register of your own (`suite-deploy policy register"
    " --export FILE`), or waive this in waivers.yml."
)
DRIVER, OFFER, REGION, EVIDENCE = (f"infrastructure.{key}" for key in ("driver", "offer", "region", "evidence"))


@clause("driver_has_provider")
def driver_has_provider(subject: Subject) -> Iterator[Outcome]:
    if not subject.get("infrastructure.driver"):
        yield failed(DRIVER, "no driver is declared, so nobody can say who hosts the suite.")
    elif not subject.is_local:
        yield passed(DRIVER)
    elif subject.profile.local:
        yield not_applicable(DRIVER, "hosts on this machine have no provider to judge")
    else:
        yield failed(
            DRIVER,
            f"`local` makes hosts on this machine; profile {subject.profile.name} does not allow it.",
            "`local` is for the profile dev.",
        )


@clause("offer_known")
def offer_known(subject: Subject) -> Iterator[Outcome]:
    if subject.is_local:
        yield not_applicable(OFFER, "hosts on this machine have no offer")
    elif not subject.offer:
        yield failed(
            OFFER,
            "no offer is declared, so neither place nor label can be judged.",
            f"Offers: {', '.join(subject.register.offer_keys)}.",
        )
    elif subject.offer not in subject.register.offer_keys:
        provider = subject.offer.partition("/")[0]
        near = [key for key in subject.register.offer_keys if key.startswith(provider + "/")]
        yield failed(
            OFFER,
            f"{subject.offer!r} is no offer of the register.{did_you_mean(subject.offer, subject.register.offer_keys)}",
            f"Offers of {provider}: {', '.join(near)}." if near else ALL_OFFERS,
            "" if near else OWN_CLOUD,
        )
    else:
        yield passed(OFFER, subject.offer)


@clause("label_held")
def label_held(subject: Subject) -> Iterator[Outcome]:
    if subject.is_local:
        yield not_applicable(OFFER, "hosts on this machine hold no label")
        return
    if not subject.labels:
        yield not_applicable(OFFER, f"profile {subject.profile.name} asks for no label here")
        return
    for label in subject.labels:
        row = subject.decision(label)
        if row is None:
            yield failed(
                OFFER,
                f"{subject.offer or 'no offer'} holds no {label_name(label)}.",
                f"Profile {subject.profile.name} requires it.",
                places_qualified(subject, label),
            )
        elif row.status != "qualified":
            yield failed(OFFER, *status_sentence(row, subject), places_qualified(subject, label))
        else:
            yield passed(OFFER, f"{row.title}: decision {row.decision} (confidence {row.confidence.decision})")


@clause("region_linked")
def region_linked(subject: Subject) -> Iterator[Outcome]:
    if subject.is_local:
        yield not_applicable(REGION, "hosts on this machine are in no region")
        return
    if not subject.region:
        yield failed(
            REGION, "no region is declared.", f"Profile {subject.profile.name} judges the place by its region id."
        )
        return
    if subject.offer not in subject.register.offer_keys:
        yield not_applicable(REGION, "the offer is not known")
        return
    ids = [identifier for row in subject.offer_regions for identifier in row.ids]
    if subject.region in ids:
        row = next(row for row in subject.offer_regions if subject.region in row.ids)
        yield passed(REGION, f"{subject.region} belongs to {subject.offer} (confidence {row.link})")
        return
    place = f"{subject.provider} {subject.region}"
    link = min((row.link for row in subject.offer_regions), key=CONFIDENCE_ORDER.index, default="?")
    known = f"{', '.join(ids)} only (confidence {link})" if ids else "no region that an interface names"
    others = sorted({row.offer for row in subject.register.find_regions(subject.region, provider=subject.provider)})
    elsewhere = f"{subject.region} belongs to {', '.join(others)}." if others else ""
    if not subject.labels:
        near = did_you_mean(subject.region, ids)
        yield failed(
            REGION,
            f"{place} is no region of {subject.offer}.{near}",
            f"The register links the offer to {known}.",
            elsewhere,
        )
        return
    for label in subject.labels:
        row = subject.decision(label)
        decision = (
            f"Decision {row.decision} ({row.title}, until {row.until})" if row and row.decision else subject.offer
        )
        yield failed(
            REGION,
            f"{place} is not covered by a {label_name(label)}.",
            f"{decision}: the register links it to {known}. Profile {subject.profile.name} requires a qualified offer.",
            elsewhere,
            places_qualified(subject, label),
        )


@clause("evidence_where_unsure")
def evidence_where_unsure(subject: Subject) -> Iterator[Outcome]:
    threshold = subject.profile.evidence_from
    if subject.is_local or threshold is None:
        yield not_applicable(EVIDENCE, f"profile {subject.profile.name} asks for no evidence of the operator's own")
    elif subject.region_row is None or subject.region_row.offer != subject.offer:
        yield not_applicable(EVIDENCE, "the register links no such region to the offer")
    elif CONFIDENCE_ORDER.index(subject.confidence) < CONFIDENCE_ORDER.index(threshold):
        yield passed(EVIDENCE, f"the register's confidence is {subject.confidence}")
    elif subject.evidence:
        yield passed(EVIDENCE, f"confidence {subject.confidence}; declared by the operator, not verified")
    else:
        yield failed(
            EVIDENCE,
            f"the register's confidence in {subject.offer} in {subject.region} is {subject.confidence} (dates, link of "
            "region and sign-in host), and no evidence of your own is declared.",
            f"Profile {subject.profile.name} then needs `contract` (reference) and `attestation_sha256` (its hash).",
        )
