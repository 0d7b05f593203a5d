# SPDX-License-Identifier: MIT
"""AI services in rendered settings."""

import re
from collections.abc import Iterator
from typing import Any

from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.rule import ComponentView, Outcome, Subject, clause, failed, passed
from suite_deploy.policy.scan import setting_paths, structure

_WORDS = r"(?:OPENAI|MISTRAL|ANTHROPIC|WHISPERX?|LANGFUSE|LLM|ASSISTANT|STT|TTS|AI)"
_ENDPOINT = re.compile(rf"(?:^|[_.]){_WORDS}(?:_[A-Z0-9]+)*_?(?:URL|ENDPOINT|HOST|BASE_URL)$", re.IGNORECASE)
_KEY = re.compile(rf"(?:^|[_.]){_WORDS}(?:_[A-Z0-9]+)*_?API_KEY$", re.IGNORECASE)
_FLAG = re.compile(rf"(?:^|[_.]){_WORDS}(?:_[A-Z0-9]+)*_?ENABLED$", re.IGNORECASE)
#: services known by their hosts, whatever the setting is called
_HOSTS = (
    "*.openai.com",
    "*.openai.azure.com",
    "api.anthropic.com",
    "api.mistral.ai",
    "api.deepgram.com",
    "*.langfuse.com",
    "*.googleapis.com",
    "*.huggingface.co",
)


@clause("endpoints_allowed")
def endpoints_allowed(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        for where, key, value in _settings(component):
            host = host_of(str(value)) if isinstance(value, str) and value else None
            named = host and (_ENDPOINT.search(key) or host_in(host, _HOSTS))
            if named and host and "." in host and not _allowed(host, subject):
                said = True
                yield failed(f"components.{component.slug}.ai.{key}", f"{key} in {where} sends text to {host}.")
    if not said:
        yield passed("components", "no setting names an AI service that was not allowed")


@clause("features_off")
def features_off(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        found = list(_settings(component))
        endpoints = [host_of(str(value)) or "" for _, key, value in found if _ENDPOINT.search(key) and value]
        allowed = bool(endpoints) and all(_allowed(host, subject) for host in endpoints)
        for where, key, value in found:
            on = _FLAG.search(key) and str(value).strip().lower() in ("1", "true", "yes", "on")
            if (on or (_KEY.search(key) and value)) and not allowed:
                said = True
                yield failed(
                    f"components.{component.slug}.ai.{key}",
                    f"{key} in {where} turns a feature on without an allowed service.",
                )
    if not said:
        yield passed("components", "no AI feature is on without an allowed service")


def _settings(component: ComponentView) -> Iterator[tuple[str, str, Any]]:
    for service, variables in component.env.items():
        for variable, value in variables.items():
            yield service, variable, value
    for name, text in component.files.items():
        for path, value in setting_paths(structure(name, text)):
            yield name, path, value


def _allowed(host: str, subject: Subject) -> bool:
    domain = str(subject.get("domain", ""))
    return host == domain or host.endswith(f".{domain}") or host_in(host, subject.profile.allow.ai)
