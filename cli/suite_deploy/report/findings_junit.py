# SPDX-License-Identifier: MIT
"""A verdict as JUnit XML: one suite per rule, one case per clause and target."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..policy.findings import Finding, Verdict

#: what XML 1.0 cannot hold
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def render_junit(verdict: Verdict) -> str:
    """JUnit: mandatory failures fail, errors are errors, waived and not applicable are skipped with the reason.

    A warning passes and says so in system-out: what does not block must not turn a pipeline red.
    """
    root = ElementTree.Element("testsuites", name=f"policies of {verdict.suite}")
    by_rule = sorted(verdict.findings, key=lambda item: item.rule)
    for rule, group in groupby(by_rule, key=lambda item: item.rule):
        items = list(group)
        suite = ElementTree.SubElement(root, "testsuite", name=rule, tests=str(len(items)))
        suite.set("failures", str(sum(1 for item in items if item.status.value == "fail" and item.is_blocking)))
        suite.set("errors", str(sum(1 for item in items if item.status.value == "error")))
        skipped = sum(1 for item in items if item.status.value in ("waived", "not_applicable"))
        suite.set("skipped", str(skipped))
        for item in items:
            _case(suite, item)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, item: Finding) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"policies.{item.rule}", name=_clean(f"{item.clause}: {item.target}")
    )
    if item.file:
        case.set("file", item.file)
        case.set("line", str(item.line))
    text = _clean("\n".join((item.message, *item.details)))
    if item.status.value == "error":
        ElementTree.SubElement(case, "error", message=_clean(item.message)).text = text
    elif item.status.value == "fail" and item.is_blocking:
        ElementTree.SubElement(case, "failure", message=_clean(item.message), type=item.level.value).text = text
    elif item.status.value == "fail":
        ElementTree.SubElement(case, "system-out").text = f"warning ({item.severity}): {text}"
    elif item.status.value == "waived":
        reason = item.waiver["reason"] if item.waiver else ""
        expires = item.waiver["expires"] if item.waiver else ""
        ElementTree.SubElement(case, "skipped", message=_clean(f"waived until {expires}: {reason}")).text = text
    elif item.status.value == "not_applicable":
        ElementTree.SubElement(case, "skipped", message=_clean(f"not applicable: {item.message}"))


def _clean(text: str) -> str:
    return _CONTROL.sub("�", text)
