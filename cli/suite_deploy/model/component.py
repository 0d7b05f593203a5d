# SPDX-License-Identifier: MIT
"""The typed schema of `roles/<component>/component.yml`: what a component is, needs and may do.

Shared code reads kinds (service, database, route, secret …) from here and never a component's name.
Strings marked *expression* are Jinja over the vocabulary of render/vocabulary.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
#: a string, number or boolean that becomes text; an expression when it holds `{{`
Text = str | int | float | bool


class Strict(BaseModel):
    """Unknown keys are errors, objects do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(Strict):
    """A setting an operator may write under `components.<slug>`."""

    type: Literal["string", "boolean", "integer", "hostname", "choice", "peers"]
    default: Any = None
    choices: tuple[str, ...] = ()
    required: bool = False
    immutable: bool = False
    description: str


class PostgresqlNeed(Strict):
    database: str
    extensions: tuple[str, ...] = ()
    locale: Literal["builtin", "C"] = "builtin"


class ValkeyNeed(Strict):
    """One instance of its own."""


class BucketNeed(Strict):
    versioning: Literal["required", "optional"] = "optional"
    cors: bool = False


class OidcClientNeed(Strict):
    """Paths are below the component's URL."""

    redirect: tuple[str, ...]
    post_logout: tuple[str, ...] = ()
    backchannel_logout: str | None = None
    pkce: Literal["S256"] = "S256"
    scopes: tuple[str, ...] = ("openid", "profile", "email", "lasuite")


class Needs(Strict):
    postgresql: PostgresqlNeed | None = None
    valkey: ValkeyNeed | None = None
    bucket: BucketNeed | None = None
    oidc_client: OidcClientNeed | None = None
    livekit: dict[str, Any] | None = None
    smtp: Literal["optional", "required"] | None = None


class Image(Strict):
    name: str
    tag: str


class Probe(Strict):
    """HTTP readiness, asked from the host on the loopback-published port."""

    http: str
    port: Port | None = None
    status: int = 200
    #: seconds to wait after a start
    timeout: int = 180


class Listen(Strict):
    proto: Literal["tcp", "udp"]
    ports: str
    public: bool = False


class Trust(Strict):
    """How this runtime learns which authorities to trust: a variable naming a bundle, or a bundle put at a path."""

    env: str | None = None
    path: str = "/etc/suite-ca-bundle.pem"


class Service(Strict):
    image: Slug
    command: tuple[str, ...] = ()
    port: Port | None = None
    #: uid and gid inside the container
    user: int = 1000
    probe: Probe | None = None
    env: dict[str, Text] = {}
    secret_env: dict[str, str] = {}
    trust: Trust | None = None
    tmpfs: tuple[str, ...] = ()
    read_only: bool = True
    capabilities: tuple[str, ...] = ()
    network: Literal["own", "host"] = "own"
    listen: tuple[Listen, ...] = ()
    #: limit in [Service], e.g. 1G
    memory: str
    #: seconds systemd waits for a clean stop
    stop_timeout: int = 30


class Job(Strict):
    image: Slug
    command: tuple[str, ...]
    when: Literal["before-start", "after-start"] = "before-start"
    once: Literal["per-version", "ever"] = "per-version"
    env_of: Slug | None = None


class File(Strict):
    """A configuration file rendered by the CLI, mounted read-only into the services named."""

    template: str
    mount: str
    services: tuple[Slug, ...]


class Volume(Strict):
    """Persistent data: /srv/<component>/<volume> on the host."""

    mount: str
    services: tuple[Slug, ...]


class Secret(Strict):
    kind: Literal["password", "hex64", "fernet", "matrix_signing_key", "rsa_private_key", "supplied"]
    #: only generated and used when the profile is `dev`
    dev_only: bool = False
    description: str = ""


class Route(Strict):
    """One location at the edge. Exactly one of `to`, `respond`, `deny`, `redirect` says what happens there."""

    #: `self` (the component's host name) or `domain` (the suite's own domain)
    host: Literal["self", "domain"] = "self"
    path: str
    match: Literal["prefix", "exact", "regex"] = "prefix"
    to: str | None = None
    respond: dict[str, Any] | None = None
    deny: bool = False
    redirect: str | None = None
    websocket: bool = False
    #: request body limit, e.g. 100m; an expression
    body_size: str = "10m"
    #: seconds
    timeout: int = 60
    #: forward the request target byte for byte
    raw_uri: bool = False
    cors: bool = False
    auth: str | None = None

    @model_validator(mode="after")
    def one_outcome(self) -> Route:
        chosen = [name for name in ("to", "respond", "deny", "redirect") if getattr(self, name)]
        if len(chosen) != 1:
            raise ValueError("exactly one of `to`, `respond`, `deny`, `redirect` is needed")
        return self


class Leak(Strict):
    """An upstream default that would call out, and where the wanted value stands in what we render."""

    id: str
    #: `file:<name in files>` or `env:<service>`
    where: Annotated[str, Field(pattern=r"^(file|env):.+$")]
    key: str
    value: Any
    why: str


class Portal(Strict):
    """How the portal names the application; only for what a person opens."""

    name: dict[Literal["en", "fr"], str]
    description: dict[Literal["en", "fr"], str]
    path: str = "/"


class Backup(Strict):
    database: Literal["dump"] | None = None
    volumes: tuple[Slug, ...] = ()
    bucket: Literal["all-versions"] | None = None
    secrets: tuple[str, ...] = ()
    order: Literal["database-first"] = "database-first"


class Sizing(Strict):
    """Per 100 users, on top of `base`."""

    base: dict[Literal["cpu", "memory_mib", "disk_gib"], float]
    per_100_users: dict[Literal["cpu", "memory_mib", "disk_gib"], float] = {}


class ComponentFile(Strict):
    """`component.yml` as written."""

    title: str
    #: stable, unique over all components and never reused: user-id range, container subnet, loopback ports
    id_range: Annotated[int, Field(ge=1, le=199)]
    hostname: str | None = None
    placement: Literal["apps", "media", "data", "edge"] = "apps"
    #: kinds others may need: `identity` is started before whoever needs an oidc_client
    provides: tuple[Literal["identity", "homeserver", "livekit"], ...] = ()
    options: dict[str, Option] = {}
    needs: Needs = Needs()
    images: dict[Slug, Image]
    services: dict[Slug, Service]
    jobs: dict[Slug, Job] = {}
    files: dict[str, File] = {}
    volumes: dict[Slug, Volume] = {}
    secrets: dict[str, Secret] = {}
    routes: tuple[Route, ...] = ()
    portal: Portal | None = None
    egress: tuple[str, ...] = ()
    leaks: tuple[Leak, ...] = ()
    #: paths that must not answer from outside, checked by verify
    closed_paths: tuple[str, ...] = ()
    backup: Backup
    sizing: Sizing
    chart: str
