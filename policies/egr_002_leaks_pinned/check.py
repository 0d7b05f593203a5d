# SPDX-License-Identifier: MIT
"""Leak keys, compared with what was rendered and never with what was meant to be."""

import json
from collections.abc import Iterator
from typing import Any

from suite_deploy.policy.rule import ComponentView, LeakKey, Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.scan import ABSENT, MISSING, same_value, setting, structure


@clause("wanted_value")
def wanted_value(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        for leak in component.leaks:
            said = True
            target = f"components.{component.slug}.leaks.{leak.id}"
            data = _rendered(component, leak)
            if data is None:
                yield not_applicable(target, f"{leak.where} is not rendered (place_exists)")
                continue
            found = setting(data, leak.key)
            missing = found is MISSING
            if leak.value == ABSENT:
                if missing:
                    yield passed(target, f"{leak.key} is absent")
                else:
                    yield failed(
                        target, f"{leak.key} in {leak.where} is {_show(found)}; it must be absent: {leak.why}."
                    )
            elif missing:
                yield failed(target, f"{leak.key} is not in {leak.where}; it must be {_show(leak.value)}: {leak.why}.")
            elif same_value(found, leak.value):
                yield passed(target, f"{leak.key} is {_show(found)}")
            else:
                yield failed(
                    target, f"{leak.key} in {leak.where} is {_show(found)}; it must be {_show(leak.value)}: {leak.why}."
                )
    if not said:
        yield not_applicable("components", "no component names a leak")


@clause("place_exists")
def place_exists(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        for where in dict.fromkeys(leak.where for leak in component.leaks):
            said = True
            target = f"components.{component.slug}.leaks"
            leak = next(item for item in component.leaks if item.where == where)
            if _rendered(component, leak) is None:
                yield failed(target, f"{where} is not rendered, or holds no settings that can be read.")
            else:
                yield passed(target, where)
    if not said:
        yield not_applicable("components", "no component names a leak")


def _rendered(component: ComponentView, leak: LeakKey) -> Any:
    kind, _, name = leak.where.partition(":")
    if kind == "env":
        return component.env.get(name)
    text = component.files.get(name)
    return structure(name, text) if text is not None else None


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text) if isinstance(value, str) else text
