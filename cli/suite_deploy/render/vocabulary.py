# SPDX-License-Identifier: MIT
"""The words an expression in component.yml or a component's template may use. Documented for component authors.

suite   .name .domain .profile .edge_address .data_address .users .names .container_network .mail
self    .slug .hostname .url .options.<name> .uid_base .version
db      .host .port .name .user .ca_file          (needs.postgresql)
cache   .host .port .ca_file                      (needs.valkey)
oidc    .issuer .client_id .scopes                (needs.oidc_client)
secret(name)  placeholder of one of the component's own secrets; `postgresql`, `valkey`, `oidc` too
peer(kind)    the component that provides a kind: .url .hostname .slug, or none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import jinja2
import yaml
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..errors import CouldNotRun
from ..model.deployment import POSTGRESQL_PORT, Component, Deployment
from .tree import placeholder

#: where every container finds the suite's own CA certificate
CA_FILE = "/etc/suite-ca.pem"


@dataclass(frozen=True)
class Addresses:
    """Private address of each host, and the public address of edge."""

    private: Mapping[str, str]
    public: str

    @classmethod
    def unknown(cls, deployment: Deployment) -> Addresses:
        """Before the infrastructure exists: documentation addresses (RFC 5737), stable per host."""
        names = [host.name for host in deployment.hosts]
        given = {host.name: host.private_address for host in deployment.hosts}
        private = {name: given[name] or f"192.0.2.{index + 1}" for index, name in enumerate(names)}
        return cls(private, private[deployment.host_of("edge").name])


def context(deployment: Deployment, component: Component, addresses: Addresses) -> dict[str, Any]:
    """The variables of the expressions of one component."""
    needs = component.description.needs
    known = _secret_names(deployment, component)
    edge, data = deployment.host_of("edge").name, deployment.host_of("data").name

    def secret(name: str) -> str:
        if name not in known:
            raise jinja2.UndefinedError(f"{component.slug} declares no secret {name!r} (it has: {', '.join(known)})")
        return placeholder(f"{component.slug}.{name}")

    def peer(kind: str) -> SimpleNamespace | None:
        other = deployment.provider_of(kind)
        return SimpleNamespace(url=other.url, hostname=other.hostname, slug=other.slug) if other else None

    words: dict[str, Any] = {
        "suite": SimpleNamespace(
            name=deployment.suite.suite,
            domain=deployment.domain,
            profile=deployment.suite.profile,
            users=deployment.suite.users,
            edge_address=addresses.private[edge],
            data_address=addresses.private[data],
            container_network=str(deployment.container_network),
            mail=deployment.suite.mail,
        ),
        "_component": SimpleNamespace(
            slug=component.slug,
            hostname=component.hostname,
            url=component.url,
            options=SimpleNamespace(**component.options),
            uid_base=component.uid_base,
            version=next(iter(component.description.images.values())).tag,
            subnet=deployment.container_subnet(component),
            port=component.loopback_port,
        ),
        "secret": secret,
        "peer": peer,
    }
    if needs.postgresql:
        name = needs.postgresql.database
        words["db"] = SimpleNamespace(
            host=deployment.postgresql_name, port=POSTGRESQL_PORT, name=name, user=name, ca_file=CA_FILE
        )
    if needs.valkey:
        words["cache"] = SimpleNamespace(host=deployment.valkey_name, port=component.valkey_port, ca_file=CA_FILE)
    if needs.oidc_client:
        identity = deployment.provider_of("identity")
        assert identity is not None, "the loader refuses an oidc_client without an identity provider"
        words["oidc"] = SimpleNamespace(
            issuer=f"{identity.url}/realms/suite", client_id=component.slug, scopes=needs.oidc_client.scopes
        )
    return words


def _secret_names(deployment: Deployment, component: Component) -> tuple[str, ...]:
    prefix = f"{component.slug}."
    return tuple(item.name.removeprefix(prefix) for item in deployment.secrets_wanted if item.name.startswith(prefix))


class SelfIsTheComponent(Extension):
    """Jinja keeps `self` for itself; ours is the component, as authors read it."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Let `self` in expressions name our word."""
        for token in stream:
            mine = token.type == "name" and token.value == "self"
            yield Token(token.lineno, "name", "_component") if mine else token


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Sandboxed, strict about undefined words, no HTML escaping: configuration files are not pages."""
    result = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[SelfIsTheComponent],
    )
    result.filters["to_yaml"] = to_yaml
    return result


def to_yaml(value: Any) -> str:
    """A value as inline YAML, so that a template cannot be broken by what it holds."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).removesuffix("...\n").strip()
    )


def evaluate(text: Any, words: Mapping[str, Any], where: str) -> str:
    """Render one expression. Raises CouldNotRun naming `where` when a word is unknown (a bug in a component)."""
    if isinstance(text, bool):
        return "true" if text else "false"
    if not isinstance(text, str):
        return str(text)
    if "{" not in text:
        return text
    try:
        return environment().from_string(text).render(words)
    except jinja2.TemplateError as error:
        raise CouldNotRun(f"{where}: {error}") from error


def evaluate_deep(value: Any, words: Mapping[str, Any], where: str) -> Any:
    """Render every expression inside maps and lists; other values stay as they are."""
    if isinstance(value, Mapping):
        return {key: evaluate_deep(item, words, where) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [evaluate_deep(item, words, where) for item in value]
    return evaluate(value, words, where) if isinstance(value, str) else value
