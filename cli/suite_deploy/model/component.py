# SPDX-License-Identifier: MIT
"""The typed schema of `roles/<component>/component.yml`: what a component is, needs and may do.

Shared code reads kinds (service, database, route, secret …) from here and never a component's name.
Strings marked *expression* are Jinja over the vocabulary of render/vocabulary.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from .strict import Strict

#: what a component may provide and others need
Kind = Literal["identity", "homeserver", "livekit", "objectstore", "matrixrtc", "webclient"]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
_NAMED = {"type": "string", "pattern": r"^ports\.[a-z_]+$"}
#: a port, or `ports.<name>`, which is replaced before this schema is asked
ServicePort = Annotated[Port, WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, _NAMED]})]
Ports = Annotated[str, BeforeValidator(str), WithJsonSchema({"type": ["string", "integer"]})]
#: a string, number or boolean that becomes text; an expression when it holds `{{`
Text = str | int | float | bool


class Option(Strict):
    """A setting an operator may write under `components.<slug>`."""

    type: Literal["string", "boolean", "integer", "hostname", "choice", "peers"]  #: what is accepted
    default: Any = None  #: an expression over `suite.domain`, or a value
    choices: tuple[str, ...] = ()  #: for the type `choice`
    required: bool = False  #: whether the operator must write it
    immutable: bool = False  #: recorded at the first `up`, refused when it changes later
    description: str  #: what it does, for docs/reference and editors


class PostgresqlNeed(Strict):
    database: str  #: name of the database and of its owner
    extensions: tuple[str, ...] = ()  #: made by the role, not by the application
    locale: Literal["builtin", "C"] = "builtin"  #: `builtin` is C.UTF-8 of PostgreSQL itself


class ValkeyNeed(Strict):
    """One instance of its own."""


class BucketNeed(Strict):
    #: what it speaks to an object store; the suite's own store speaks `s3`
    interfaces: tuple[Literal["s3", "swift"], ...] = Field(default=("s3",), min_length=1)
    versioning: Literal["required", "optional"] = "optional"  #: whether old versions must be kept
    cors: bool = False  #: whether browsers reach it from the component's page


class LivekitNeed(Strict):
    """A media server; whoever asks for the same parameters shares one."""

    auto_create: bool  #: whether joining a room makes it
    webhook: str | None = None  #: path below the component's URL that hears of what happens in rooms

    @property
    def parameters(self) -> dict[str, Any]:
        """What tells one instance from another."""
        return {"auto_create": self.auto_create}


class OidcClientNeed(Strict):
    """Paths are below the component's URL."""

    redirect: tuple[str, ...]  #: where people come back after signing in
    post_logout: tuple[str, ...] = ()  #: where they come back after signing out
    backchannel_logout: str | None = None  #: where the identity provider reports a session's end
    pkce: Literal["S256"] = "S256"  #: the only method there is
    scopes: tuple[str, ...] = ("openid", "profile", "email", "lasuite")  #: asked for at each sign-in


class Needs(Strict):
    postgresql: PostgresqlNeed | None = None  #: a database of its own
    valkey: ValkeyNeed | None = None  #: a cache of its own
    bucket: BucketNeed | None = None  #: a bucket of its own
    oidc_client: OidcClientNeed | None = None  #: sign-in through the identity provider
    livekit: LivekitNeed | None = None  #: a media server
    peers: tuple[Kind, ...] = ()  #: kinds of components it cannot do without
    smtp: Literal["optional", "required"] | None = None  #: a mail relay

    def parameters(self, kind: str) -> dict[str, Any]:
        """What it asks of whoever provides this kind, beyond being there."""
        found: dict[str, Any] = getattr(getattr(self, kind, None), "parameters", {})
        return found

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind of component it cannot do without."""
        asked: dict[Kind, bool] = {
            "identity": self.oidc_client is not None,
            "objectstore": self.bucket is not None,
            "livekit": self.livekit is not None,
        }
        return tuple(dict.fromkeys([*(kind for kind, wanted in asked.items() if wanted), *self.peers]))


class Image(Strict):
    name: str  #: with its registry, without a tag
    tag: str  #: a release; never `latest`


class Probe(Strict):
    """HTTP readiness, asked from the host on the loopback-published port."""

    http: str  #: path that is asked for
    port: ServicePort | None = None  #: port in the container; the service's own when absent
    status: int = 200  #: the answer that means ready
    #: seconds to wait after a start
    timeout: int = 180


class Listen(Strict):
    proto: Literal["tcp", "udp"]  #: transport protocol
    ports: Ports  #: a port or a range, first-last; or `ports.<name>`
    public: bool = False  #: whether everyone may reach it, or the suite's hosts only
    #: a key of `hostnames`: edge takes TLS for that name on 443, ends it, and passes plain TCP on to this port
    sni: str | None = None
    #: the program listens on every address, whatever it is told: the firewall alone keeps others out
    every_address: bool = False
    on_demand: bool = False  #: taken only while somebody uses them


class Trust(Strict):
    """How this runtime learns which authorities to trust: a variable naming a bundle, or a bundle put at a path."""

    env: str | None = None  #: variable that names the bundle
    path: str = "/etc/suite-ca-bundle.pem"  #: where the bundle is mounted in the container


class Service(Strict):
    image: Slug  #: a key of `images`
    command: tuple[str, ...] = ()  #: arguments of the image's entrypoint
    port: ServicePort | None = None  #: port in the container, published to edge only
    #: uid and gid inside the container
    user: int = 1000
    probe: Probe | None = None  #: when it counts as started
    env: dict[str, Text] = {}  #: variables; expressions
    secret_env: dict[str, str] = {}  #: variables with a secret in them; expressions
    trust: Trust | None = None  #: for runtimes that must be told about the suite's authority
    tmpfs: tuple[str, ...] = ()  #: writable folders in memory, where the root is read-only
    read_only: bool = True  #: whether the container's root is
    capabilities: tuple[str, ...] = ()  #: Linux capabilities it keeps; none unless named
    network: Literal["own", "host"] = "own"  #: its component's own network, or the host's
    listen: tuple[Listen, ...] = ()  #: raw ports beside HTTP, with `network: host`
    #: limit in [Service], e.g. 1G
    memory: str
    #: seconds systemd waits for a clean stop
    stop_timeout: int = 30


class Job(Strict):
    image: Slug  #: a key of `images`
    command: tuple[str, ...]  #: arguments of the image's entrypoint
    when: Literal["before-start", "after-start"] = "before-start"  #: relative to the component's services
    once: Literal["per-version", "ever"] = "per-version"  #: how often it runs
    env_of: Slug | None = None  #: service whose variables and files it gets


class File(Strict):
    """A configuration file rendered by the CLI, mounted read-only into the services named."""

    template: str  #: name below the component's `templates/`
    mount: str  #: where the container finds it
    services: tuple[Slug, ...]  #: which services read it


class Volume(Strict):
    """Persistent data: /srv/<component>/<volume> on the host."""

    mount: str  #: where the container finds it
    services: tuple[Slug, ...]  #: which services use it; the first one's user owns it


class Secret(Strict):
    #: how it is made; `supplied` is given by the operator
    kind: Literal["password", "hex64", "fernet", "matrix_signing_key", "rsa_private_key", "supplied"]
    #: only generated and used when the profile is `dev`
    dev_only: bool = False
    description: str = ""  #: what it is for, for `secrets list`


class RouteAuth(Strict):
    """Who decides about each request before the bucket is asked; its answer carries the signature for the bucket."""

    service: Slug  #: a key of `services`
    path: str  #: path at that service


class Route(Strict):
    """One location at the edge. Exactly one of `to`, `respond`, `deny`, `redirect` says what happens there."""

    #: `self` (the component's host name) or `domain` (the suite's own domain)
    host: Literal["self", "domain"] = "self"
    path: str  #: path at that host; an expression
    match: Literal["prefix", "exact", "regex"] = "prefix"  #: how the path is compared
    to: str | None = None  #: a key of `services`, or `bucket`
    #: edge answers itself: `json` or `text`, `content_type`, `headers`, `status`
    respond: dict[str, Any] | None = None
    deny: bool = False  #: edge answers 404
    redirect: str | None = None  #: edge answers with another address
    websocket: bool = False  #: whether connections may be upgraded
    #: request body limit, e.g. 100m; an expression
    body_size: str = "10m"
    #: seconds
    timeout: int = 60
    #: forward the request target byte for byte
    raw_uri: bool = False
    #: pass everything as it came, headers with odd names too, and spool nothing; implies `raw_uri`
    verbatim: bool = False
    cors: bool = False  #: whether pages of other origins may read the answer
    #: for `to: bucket`: what of the path is no part of an object's key; the route's path when absent
    strip: str | None = None
    auth: RouteAuth | None = None  #: for `to: bucket`: asked about each request
    #: query argument by which requests are spread over the service's containers, always the same way
    hash_by: str | None = None
    internal: bool = False  #: only the suite's own hosts and containers are answered, everyone else gets 404
    headers: dict[str, str] = {}  #: added to every answer

    @model_validator(mode="after")
    def one_outcome(self) -> Route:
        chosen = [name for name in ("to", "respond", "deny", "redirect") if getattr(self, name)]
        if len(chosen) != 1:
            raise ValueError("exactly one of `to`, `respond`, `deny`, `redirect` is needed")
        if self.auth and self.to != "bucket":
            raise ValueError("`auth` goes with `to: bucket`")
        if self.strip is not None and not (self.to == "bucket" and self.path.startswith(self.strip)):
            raise ValueError("`strip` goes with `to: bucket` and is what `path` begins with")
        return self


class Leak(Strict):
    """An upstream default that would call out, and where the wanted value stands in what we render."""

    id: str  #: stable, for findings and waivers
    #: `file:<name in files>` or `env:<service>`
    where: Annotated[str, Field(pattern=r"^(file|env):.+$")]
    key: str  #: dotted path in the file, or name of the variable
    value: Any  #: what must stand there; `absent` for nothing at all
    why: str  #: whom it would call, and what that tells them


class Portal(Strict):
    """How the portal names the application; only for what a person opens."""

    name: dict[Literal["en", "fr"], str]  #: per language
    description: dict[Literal["en", "fr"], str]  #: per language
    path: str = "/"  #: below the component's URL


class Backup(Strict):
    database: Literal["dump"] | None = None  #: `dump` for whoever has one
    volumes: tuple[Slug, ...] = ()  #: every key of `volumes`
    bucket: Literal["all-versions"] | None = None  #: for whoever has one
    secrets: tuple[str, ...] = ()  #: without which the data cannot be used
    order: Literal["database-first"] = "database-first"  #: what is saved first


class Sizing(Strict):
    """Per 100 users, on top of `base`."""

    base: dict[Literal["cpu", "memory_mib", "disk_gib"], float]  #: for the first people
    per_100_users: dict[Literal["cpu", "memory_mib", "disk_gib"], float] = {}  #: for each hundred more


class Instance(Strict):
    """One of several copies of a component, made when somebody has the need it serves; other keys replace."""

    need: dict[str, Any]  #: parameters of the need
    id_range: Annotated[int, Field(ge=1, le=199)] | None = None  #: the component's own when absent
    hostname: str | None = None  #: the component's own when absent
    hostnames: dict[str, str] = {}  #: replace those of the component, key by key
    ports: dict[str, int | str] = {}  #: replace those of the component, key by key


class ComponentFile(Strict):
    """`component.yml` as written."""

    title: str  #: as people know it
    #: stable, unique over all components and never reused: user-id range, container subnet, loopback ports
    id_range: Annotated[int, Field(ge=1, le=199)]
    hostname: str | None = None  #: label under the suite's domain
    placement: Literal["apps", "media", "data", "edge"] = "apps"  #: group of hosts it runs on
    #: kinds others may need: `identity` is started before whoever needs an oidc_client
    provides: tuple[Kind, ...] = ()
    #: enabled by itself, with its defaults, when another component needs a kind that it provides
    implied: bool = False
    #: slug to copy: one for each distinct need that somebody has; the component itself when empty
    instances: dict[Slug, Instance] = {}
    hostnames: dict[str, str] = {}  #: key to label of further names under the suite's domain
    ports: dict[str, int | str] = {}  #: name to port or range; `ports.<name>` stands for it in services
    options: dict[str, Option] = {}  #: what an operator may set
    needs: Needs = Needs()  #: what it needs from others
    images: dict[Slug, Image]  #: key to image; the first one's tag is the component's version
    services: dict[Slug, Service]  #: key to long-running container
    jobs: dict[Slug, Job] = {}  #: key to a container that runs and ends
    files: dict[str, File] = {}  #: name to configuration file
    volumes: dict[Slug, Volume] = {}  #: name to persistent data
    secrets: dict[str, Secret] = {}  #: name to secret of its own
    routes: tuple[Route, ...] = ()  #: what edge serves of it; the rest is closed
    portal: Portal | None = None  #: its card on the portal
    egress: tuple[str, ...] = ()  #: hosts it may call over TLS; expressions; the suite's own names need not be here
    leaks: tuple[Leak, ...] = ()  #: upstream defaults that would call out, pinned
    #: paths that must not answer from outside, checked by verify
    closed_paths: tuple[str, ...] = ()
    backup: Backup  #: what a backup must hold
    sizing: Sizing  #: processors, memory, disk
    chart: str  #: Helm chart and version, or `not-yet`
