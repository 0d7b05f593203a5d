# SPDX-License-Identifier: MIT
"""Claims of qualification in what people read."""

import re
from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, passed

_LABEL = r"(?:SecNumCloud|ANSSI|HDS)"
_CLAIM = r"(?:qualifi\w*|certifi\w*|compliant|compliance|conforme?s?|conformité|label\w*)"
_SAYS = re.compile(
    rf"{_LABEL}\W{{0,3}}(?:\w+\W+){{0,3}}?{_CLAIM}|{_CLAIM}\W{{0,3}}(?:\w+\W+){{0,3}}?{_LABEL}", re.IGNORECASE
)
#: the one wording that is about the hosting, and what names it in French
_ABOUT_HOSTING = re.compile(
    r"hosted on (?:an )?(?:ANSSI-qualified|HDS-certified)|hébergée? sur un service qualifié", re.IGNORECASE
)


@clause("rendered_texts")
def rendered_texts(subject: Subject) -> Iterator[Outcome]:
    said = False
    texts = [
        (f"components.{item.slug}.files.{name}", text)
        for item in subject.components
        for name, text in item.files.items()
    ]
    texts += [(name, text) for name, text in subject.shared_files.items()]
    for target, text in texts:
        found = _claim(text)
        if found:
            said = True
            yield failed(target, f"claims {found!r}; only the hosting can be qualified.")
    if not said:
        yield passed("components", f"{len(texts)} rendered texts claim nothing")


@clause("report_texts", of_the_run=True)
def report_texts(subject: Subject) -> Iterator[Outcome]:
    said = False
    for text in subject.run.evidence.get("hosting", ()):
        if _claim(str(text)):
            said = True
            yield failed("evidence.hosting", f"claims {_claim(str(text))!r}; only the hosting can be qualified.")
    if not said:
        yield passed("evidence", "the report speaks of the hosting only")


def _claim(text: str) -> str | None:
    for match in _SAYS.finditer(text):
        before = text[max(0, match.start() - 40) : match.end()]
        if not _ABOUT_HOSTING.search(before):
            return " ".join(match.group(0).split())
    return None
