# SPDX-License-Identifier: MIT
"""The words an expression in component.yml or a component's template may use. Documented for component authors.

suite   .name .domain .profile .edge_address .data_address .users .container_network .bucket_region
self    .slug .hostname .url .options.<name> .uid_base .version .subnet .host_address .public_address
        .hostnames.<key> .ports.<name> .need.<parameter> .consumers (each .slug .url .webhook)
db      .host .port .name .user .ca_file          (needs.postgresql)
cache   .host .port .ca_file                      (needs.valkey)
bucket  .endpoint .host .port .name .region .access_key .addressing .checksums    (needs.bucket)
        .interface, `s3` or `swift`; with `swift`, .auth_url is Keystone's, .access_key the id of an application
        credential and secret('bucket') its secret
livekit .url .ws_url .api_key                     (needs.livekit)
mail    .host .port .from .user .starttls, or none (needs.smtp)
oidc    .issuer .client_id .scopes                (needs.oidc_client)
secret(name)  placeholder of one of the component's own secrets; `postgresql`, `valkey`, `oidc`, `bucket`, `livekit`
              too, and `smtp` where the relay asks for a password
peer(kind)    the component that provides a kind: .url .hostname .slug .options.<name>, or none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..errors import CouldNotRun
from ..model.deployment import POSTGRESQL_PORT, Component, Deployment
from ..paths import resource_root
from .tree import placeholder

#: where every container finds the suite's own CA certificate
CA_FILE = "/etc/suite-ca.pem"
#: the region that the suite's own object store says it is
OWN_REGION = "suite"
HTTPS_PORT = 443
#: submission with TLS from the first byte; other ports begin in clear and upgrade (RFC 8314)
SUBMISSIONS_PORT = 465


@dataclass(frozen=True)
class Addresses:
    """Where the hosts are.

    private: host → private address. public: address of edge. own_public: host → public address, for those with one.
    """

    private: Mapping[str, str]
    public: str
    own_public: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def unknown(cls, deployment: Deployment) -> Addresses:
        """Before the infrastructure exists: documentation addresses (RFC 5737), stable per host."""
        names = [host.name for host in deployment.hosts]
        given = {host.name: host.private_address for host in deployment.hosts}
        private = {name: given[name] or f"192.0.2.{index + 1}" for index, name in enumerate(names)}
        return cls(private, private[deployment.host_of("edge").name])


def context(deployment: Deployment, component: Component, addresses: Addresses) -> dict[str, Any]:
    """The variables of the expressions of one component."""
    description, needs = component.description, component.description.needs
    known = _secret_names(deployment, component)
    edge, data = deployment.host_of("edge").name, deployment.host_of("data").name

    def secret(name: str) -> str:
        if name not in known:
            raise jinja2.UndefinedError(f"{component.slug} declares no secret {name!r} (it has: {', '.join(known)})")
        return placeholder(known[name])

    def peer(kind: str) -> SimpleNamespace | None:
        other = deployment.provider_for(component, kind)
        if other is None:
            return None
        options = SimpleNamespace(**other.options)
        return SimpleNamespace(url=other.url, hostname=other.hostname, slug=other.slug, options=options)

    words: dict[str, Any] = {
        "suite": SimpleNamespace(
            name=deployment.suite.suite,
            domain=deployment.domain,
            profile=deployment.suite.profile,
            users=deployment.suite.users,
            edge_address=addresses.private[edge],
            data_address=addresses.private[data],
            container_network=str(deployment.container_network),
            bucket_region=OWN_REGION,
        ),
        "_component": SimpleNamespace(
            slug=component.slug,
            hostname=component.hostname,
            url=component.url,
            options=SimpleNamespace(**component.options),
            uid_base=component.uid_base,
            version=next(iter(description.images.values())).tag,
            subnet=deployment.container_subnet(component),
            port=component.loopback_port,
            host_address=addresses.private[component.host],
            public_address=addresses.own_public.get(component.host, addresses.private[component.host]),
            hostnames=SimpleNamespace(**component.hostnames),
            ports=SimpleNamespace(**description.ports),
            need=SimpleNamespace(**component.need),
            consumers=[_consumer(item) for item in deployment.consumers_of(component)],
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
    if needs.bucket:
        words["bucket"] = bucket_of(deployment, component)
    if needs.livekit:
        media = deployment.provider_for(component, "livekit")
        assert media is not None, "the loader refuses a need for a media server that nobody serves"
        words["livekit"] = SimpleNamespace(url=media.url, ws_url=f"wss://{media.hostname}", api_key=media.slug)
    if needs.smtp:
        words["mail"] = _mail(deployment)
    if needs.oidc_client:
        identity = deployment.provider_of("identity")
        assert identity is not None, "the loader refuses an oidc_client without an identity provider"
        words["oidc"] = SimpleNamespace(
            issuer=f"{identity.url}/realms/suite", client_id=component.slug, scopes=needs.oidc_client.scopes
        )
    return words


def _consumer(component: Component) -> SimpleNamespace:
    need = component.description.needs.livekit
    webhook = f"{component.url}{need.webhook}" if need and need.webhook else ""
    return SimpleNamespace(slug=component.slug, url=component.url, webhook=webhook)


def bucket_name(deployment: Deployment, component: Component) -> str:
    """A component's bucket; a provider's store has one name space for everyone, so the suite's name is in it."""
    return f"{deployment.suite.suite}-{component.slug}"


def bucket_of(deployment: Deployment, component: Component) -> SimpleNamespace:
    """How a component reaches its bucket, in the provider's store or in the suite's own."""
    store = deployment.object_store
    if store:
        url = urlsplit(store.endpoint)
        return SimpleNamespace(
            endpoint=store.endpoint.rstrip("/"),
            host=url.hostname,
            port=url.port or HTTPS_PORT,
            name=bucket_name(deployment, component),
            interface=store.interface,
            auth_url=getattr(deployment.suite.infrastructure, "auth_url", "") if store.interface == "swift" else "",
            region=store.region,
            access_key=placeholder(f"{component.slug}.bucket_access_key"),
            addressing=store.addressing,
            checksums=store.checksums,
        )
    own = deployment.provider_of("objectstore")
    assert own is not None, "the loader enables an object store for whoever needs a bucket"
    return SimpleNamespace(
        endpoint=own.url,
        host=own.hostname,
        port=HTTPS_PORT,
        name=bucket_name(deployment, component),
        interface="s3",
        auth_url="",
        region=OWN_REGION,
        access_key=component.slug,
        addressing="path",
        checksums="when_required",
    )


def _mail(deployment: Deployment) -> SimpleNamespace | None:
    mail = deployment.suite.mail
    if mail is None:
        return None
    # `from` is a word of Python, not of Jinja
    words = {"host": mail.relay, "port": mail.port, "from": mail.from_, "user": mail.user or ""}
    return SimpleNamespace(**words, starttls=mail.port != SUBMISSIONS_PORT)


def _secret_names(deployment: Deployment, component: Component) -> dict[str, str]:
    """What `secret()` takes → the secret's full name."""
    prefix, wanted = (
        f"{component.slug}.",
        [*(item.name for item in deployment.secrets_wanted), *deployment.stack_secrets],
    )
    names = {name.removeprefix(prefix): name for name in wanted if name.startswith(prefix)}
    media = deployment.provider_for(component, "livekit") if component.description.needs.livekit else None
    if media:
        names["livekit"] = f"{media.slug}.api_secret"
    if component.description.needs.smtp and "suite.smtp_password" in wanted:
        names["smtp"] = "suite.smtp_password"
    return names


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


def template_text(path: str, values: Mapping[str, Any]) -> str:
    """A rendered template of the product. path: below its resources. Raises CouldNotRun naming file and line."""
    try:
        text = (resource_root() / path).read_text(encoding="utf-8")
        return environment().from_string(text).render(values)
    except (OSError, jinja2.TemplateError) as error:
        line = f":{error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise CouldNotRun(f"{path}{line}: {error}") from error
