# SPDX-License-Identifier: MIT
"""Mail relays, declared and rendered."""

import re
from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of, is_private
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.scan import setting_paths, structure

KEY = "mail.relay"
_VARIABLE = re.compile(
    r"(?:^|_)(?:EMAIL|SMTP|MAIL)_?(?:RELAY_?)?HOST$|(?:^|\.)(?:smtp_host|smtpServer\.host)$", re.IGNORECASE
)


@clause("relay_allowed")
def relay_allowed(subject: Subject) -> Iterator[Outcome]:
    relay = subject.get(KEY)
    if not subject.get("mail"):
        yield not_applicable("mail", "the suite sends no mail")
    elif not relay:
        yield failed(KEY, "is not written, so each component would try a default of its own.")
    elif _allowed(str(relay), subject):
        yield passed(KEY, str(relay))
    else:
        yield failed(
            KEY,
            f"{relay} is neither of your own organisation ({_organisation(subject)}) nor on the list of relays.",
        )


@clause("rendered_relay")
def rendered_relay(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        for name, value in _relays(component):
            said = True
            target = f"components.{component.slug}.mail"
            host = host_of(value) or ""
            if host == subject.get(KEY) or _allowed(host, subject) or host == "localhost" or not host:
                yield passed(target, value)
            else:
                yield failed(target, f"{name} sends mail through {host}, which is not the declared relay.")
    if not said:
        yield not_applicable("components", "no component names a relay")


def _relays(component) -> Iterator[tuple[str, str]]:
    for service, variables in component.env.items():
        for variable, value in variables.items():
            if _VARIABLE.search(variable):
                yield f"{variable} of {service}", value
    for name, text in component.files.items():
        for path, value in setting_paths(structure(name, text)):
            if _VARIABLE.search(path) and isinstance(value, str):
                yield f"{path} in {name}", value


def _organisation(subject: Subject) -> str:
    """The domain above the suite's, when that is more than a public suffix; else the suite's own."""
    domain = str(subject.get("domain", ""))
    parent = domain.partition(".")[2]
    return parent if parent.count(".") >= 1 else domain


def _allowed(host: str, subject: Subject) -> bool:
    organisation = _organisation(subject)
    return host_in(host, (organisation, f"*.{organisation}", *subject.profile.allow.mail)) or is_private(host)
