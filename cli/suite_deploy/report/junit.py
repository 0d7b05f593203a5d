# SPDX-License-Identifier: MIT
"""Findings of a verification as JUnit XML, the form CI systems read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from ..verify.result import Finding, VerifyResult

#: characters XML 1.0 cannot hold, not even escaped
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: VerifyResult, suite: str) -> str:
    """The XML document: one test suite per group, one test case per check. suite: the deployed suite's name."""
    root = ElementTree.Element("testsuites", _counts(result.findings, result.seconds), name=_text(suite))
    for group in dict.fromkeys(finding.group for finding in result.findings):
        findings = [finding for finding in result.findings if finding.group == group]
        seconds = sum(finding.seconds for finding in findings)
        node = ElementTree.SubElement(root, "testsuite", _counts(findings, seconds), name=f"{suite}.{group}")
        for finding in findings:
            _case(node, finding)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def write_junit(result: VerifyResult, path: Path, suite: str) -> None:
    """Write the document. A run that looked at nothing holds one failure, so that no CI system takes it for success."""
    from ..errors import CouldNotRun
    from ..verify.result import Finding, VerifyResult

    if not result.findings:
        nothing = Finding("verify/selection/anything", "failed", "something was looked at", "no check was run")
        result = VerifyResult((nothing,), result.seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(junit(result, suite), encoding="utf-8")
    except OSError as error:
        raise CouldNotRun(f"{path}: cannot be written: {error.strerror}") from error


def _counts(findings: list[Finding] | tuple[Finding, ...], seconds: float) -> dict[str, str]:
    return {
        "tests": str(len(findings)),
        "failures": str(sum(finding.status == "failed" for finding in findings)),
        "errors": "0",
        "skipped": str(sum(finding.status == "skipped" for finding in findings)),
        "time": f"{seconds:.3f}",
    }


def _case(parent: ElementTree.Element, finding: Finding) -> None:
    group, _, rest = finding.id.partition("/")
    module, _, name = rest.partition("/")
    # a report that shows names only must not pass a double off as the application
    named = name + (finding.on if finding.image == "double" else "")
    attributes = {"classname": f"{group}.{module}", "name": _text(named), "time": f"{finding.seconds:.3f}"}
    case = ElementTree.SubElement(parent, "testcase", attributes)
    if finding.image:
        properties = ElementTree.SubElement(case, "properties")
        ElementTree.SubElement(properties, "property", name="image", value=finding.image)
    if finding.status == "failed":
        first = finding.message.partition("\n")[0]
        failure = ElementTree.SubElement(case, "failure", message=_text(first))
        failure.text = _text("\n".join([finding.message, *(f"look at: {line}" for line in finding.look_at)]))
        if finding.journal:
            ElementTree.SubElement(case, "system-out").text = _text(finding.journal)
    elif finding.status == "skipped":
        ElementTree.SubElement(case, "skipped", message=_text(finding.message))


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
