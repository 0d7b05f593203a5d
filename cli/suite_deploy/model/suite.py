# SPDX-License-Identifier: MIT
"""The typed schema of `suite.yml`: every key an operator may write, with what is accepted."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .component import Port, Slug, Strict

_LABEL = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)$")


def hostname(value: str) -> str:
    """A fully qualified lower-case name; raises ValueError with the rule that was broken."""
    name = value.strip()
    if name != value or name != name.lower():
        raise ValueError(f"{value!r} is no host name: write it in lower case, without spaces")
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{value!r} is no domain name. Accepted: labels of a-z, 0-9 and -, joined by dots")
    if labels[-1].isdigit():
        raise ValueError(f"{value!r} is an address, not a domain name")
    return name


def network(value: str) -> str:
    """An IPv4 network in CIDR form."""
    try:
        return str(ipaddress.IPv4Network(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IPv4 network ({error}). Accepted: like 10.20.0.0/24") from error


def address(value: str) -> str:
    """An IP address literal."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IP address") from error


def host_or_address(value: str) -> str:
    """A domain name or an IP address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return hostname(value)


def url(value: str) -> str:
    """An http or https URL without credentials; the policies judge plain http."""
    if not re.match(r"^https?://[A-Za-z0-9.-]+(:\d+)?(/\S*)?$", value):
        raise ValueError(f"{value!r} is not accepted. Accepted: http(s)://host[:port][/path] without user and password")
    return value


def https_url(value: str) -> str:
    """An https URL without credentials."""
    if not re.match(r"^https://[A-Za-z0-9.-]+(:\d+)?(/\S*)?$", value):
        raise ValueError(f"{value!r} is not accepted. Accepted: an https:// URL without user and password")
    return value


def size(value: str) -> str:
    """A size with a binary unit."""
    if not re.match(r"^[1-9]\d*(MiB|GiB|TiB)$", value):
        raise ValueError(f"{value!r} is no size. Accepted: a whole number with MiB, GiB or TiB, like 100GiB")
    return value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Hostname = Annotated[str, AfterValidator(hostname)]
Network = Annotated[str, AfterValidator(network)]
Address = Annotated[str, AfterValidator(address)]
HostOrAddress = Annotated[str, AfterValidator(host_or_address)]
HttpsUrl = Annotated[str, AfterValidator(https_url)]
Url = Annotated[str, AfterValidator(url)]
Size = Annotated[str, AfterValidator(size)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
HostOrAddresses = Annotated[tuple[HostOrAddress, ...], BeforeValidator(_one_or_more)]
Group = Literal["edge", "apps", "data", "media"]
HostName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class DataClass(Strict):
    """Who the suite serves and what it holds; the profile fr-snc judges by it."""

    sensitivity: Literal["particular", "ordinary", "health"]
    entity: Literal[
        "state", "state-operator", "gip", "region", "departement", "commune", "intercommunality", "hospital", "other"
    ]


class OsImage(Strict):
    """The operating system image of cloud hosts: by the cloud's name or id, or fetched from a URL with its hash."""

    name: str | None = None
    id: str | None = None
    url: Url | None = None
    sha256: Sha256 | None = None


class VolumeSettings(Strict):
    """Kind and encryption of data volumes; `type` is the cloud's own name."""

    type: str | None = None
    encrypted: bool | None = None


class ObjectStore(Strict):
    """The provider's S3, as applications reach it."""

    endpoint: Url
    region: str
    replicate_to: tuple[str, ...] = ()


class Host(Strict):
    """A host wanted; `flavor` and `zone` are the cloud's own names."""

    groups: tuple[Group, ...] = Field(min_length=1)
    flavor: str | None = None
    zone: str | None = None
    volumes: dict[Slug, Size] = {}
    public: bool = False


class LocalHost(Strict):
    """A host made on this machine."""

    groups: tuple[Group, ...] = Field(min_length=1)
    volumes: dict[Slug, Size] = {}


class ExistingHost(Strict):
    """A host that exists: reached by SSH."""

    groups: tuple[Group, ...] = Field(min_length=1)
    address: HostOrAddress
    private_address: Address
    public: bool = False


class Evidence(Strict):
    """What the operator holds where the register cannot know the host."""

    contract: str
    attestation_sha256: Sha256


class Local(Strict):
    driver: Literal["local"]
    hosts: dict[HostName, LocalHost] = {}


class Existing(Strict):
    driver: Literal["existing"]
    hosts: dict[HostName, ExistingHost] = Field(min_length=1)
    offer: str | None = None
    region: str | None = None
    evidence: Evidence | None = None


class Cloud(Strict):
    """What every cloud driver takes: offer and region are literals, never read from the environment."""

    offer: str
    region: str
    evidence: Evidence | None = None
    #: service → URL, instead of the catalogue's
    endpoints: dict[str, Url] = {}
    #: whether certificates of the cloud's API go unchecked; exists to be refused readably
    insecure: bool = False
    image: OsImage | None = None
    volumes: VolumeSettings = VolumeSettings()
    object_store: ObjectStore | None = None
    hosts: dict[HostName, Host] = {}


class OpenStack(Cloud):
    driver: Literal["openstack"]
    auth_url: Url
    external_network: str | None = None


class Ovh(Cloud):
    driver: Literal["ovh"]
    #: OVHcloud's API, by the name its own tools use
    endpoint: Literal["ovh-eu", "ovh-ca", "ovh-us"] = "ovh-eu"
    project: str


class Outscale(Cloud):
    driver: Literal["outscale"]
    #: API endpoint; derived from the region when absent
    endpoint: Url | None = None


Infrastructure = Annotated[Local | Existing | OpenStack | Ovh | Outscale, Field(discriminator="driver")]


class S3Target(Strict):
    """An S3 bucket elsewhere; the region is a literal."""

    endpoint: Url
    region: str
    bucket: str
    #: which registered offer the endpoint belongs to
    offer: str | None = None


class State(Strict):
    """Where state lives: a directory, or S3."""

    directory: str | None = Field(default=None, pattern=r"^/\S*$")
    s3: S3Target | None = None

    @model_validator(mode="after")
    def one_place(self) -> State:
        if bool(self.directory) == bool(self.s3):
            raise ValueError("exactly one of `directory`, `s3` is needed")
        return self


class Eab(Strict):
    """External account binding; the key itself is the secret `suite.acme_eab_hmac`."""

    kid: str
    hmac: Literal["secret"] = "secret"


class TlsInternal(Strict):
    issuer: Literal["internal-ca"]


class TlsProvided(Strict):
    """Certificate and chain in PEM; the private key is the secret `suite.tls_key`."""

    issuer: Literal["provided"]
    certificate: str


class TlsAcme(Strict):
    issuer: Literal["acme"]
    directory: HttpsUrl
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    eab: Eab | None = None


Tls = Annotated[TlsInternal | TlsProvided | TlsAcme, Field(discriminator="issuer")]


class NetworkSettings(Strict):
    """Name servers, time servers, the way out, and the addresses of container networks."""

    dns: HostOrAddresses = ()
    ntp: HostOrAddresses = ()
    proxy: Url | None = None
    #: one /24 per component is cut out of it
    containers: Network = "10.89.0.0/16"

    @model_validator(mode="after")
    def room_for_every_component(self) -> NetworkSettings:
        if ipaddress.IPv4Network(self.containers).prefixlen != 16:
            raise ValueError("`containers` must be a /16: each component gets one /24 of it")
        return self


class Apt(Strict):
    #: base URL of a Debian mirror
    mirror: Url | None = None
    #: base URL of its security archive; `mirror` with `-security` appended when absent
    security_mirror: Url | None = None

    @model_validator(mode="after")
    def mirror_first(self) -> Apt:
        if self.security_mirror and not self.mirror:
            raise ValueError("`security_mirror` goes with `mirror`")
        return self


class Images(Strict):
    """Where container images come from instead of their upstream registries: host[:port][/path]."""

    mirror: str | None = Field(default=None, pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$")


class Ssh(Strict):
    user: str = Field(default="suite", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    port: Port = 22
    #: private key file used to reach existing hosts
    key: str | None = None
    #: networks that may reach SSH
    from_: tuple[Network, ...] = Field(default=(), alias="from")


class BackupSettings(Strict):
    target: S3Target
    encryption: Literal["client-side", "none"] = "client-side"
    replicate_to: tuple[str, ...] = ()
    schedule: str = "daily"
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30


class Monitoring(Strict):
    remote_write: HttpsUrl


class Mail(Strict):
    relay: Hostname
    port: Port = 587
    from_: str = Field(alias="from", pattern=r"^[^@\s]+@[^@\s]+$")
    user: str | None = None


class Identity(Strict):
    upstream: Literal["none", "proconnect-integration", "proconnect-production", "oidc"] = "none"
    issuer: HttpsUrl | None = None
    client_id: str | None = None

    @model_validator(mode="after")
    def only_with_an_upstream(self) -> Identity:
        if self.upstream == "none" and (self.issuer or self.client_id):
            raise ValueError("`issuer` and `client_id` go with an `upstream` other than none")
        return self


class RegisterSettings(Strict):
    """A newer register of qualified offers than the built-in one."""

    file: str | None = None
    sha256: Sha256 | None = None
    #: days; only fr-snc makes it mandatory
    max_age: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def file_with_hash(self) -> RegisterSettings:
        if bool(self.file) != bool(self.sha256):
            raise ValueError("`file` and `sha256` go together")
        return self


class SuiteFile(Strict):
    """`suite.yml`, after `extends` was merged. `components` is validated against each component's own options."""

    schema_: Literal[1] = Field(alias="schema")
    requires: str | None = None
    suite: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    domain: Hostname
    profile: Literal["fr-snc", "fr-hds", "eu-strict", "eu", "dev"]
    data: DataClass | None = None
    users: Annotated[int, Field(ge=1, le=100_000)] = 50
    target: Literal["vm", "kubernetes"] = "vm"
    infrastructure: Infrastructure
    state: State | None = None
    #: what encrypts secrets in the engine's state: a passphrase, or the URL of a key service
    secrets_provider: str = Field(default="passphrase", pattern=r"^(passphrase|[a-z]+://\S+)$")
    tls: Tls = TlsInternal(issuer="internal-ca")
    network: NetworkSettings = NetworkSettings()
    apt: Apt = Apt()
    images: Images = Images()
    ssh: Ssh = Ssh()
    backup: BackupSettings | None = None
    monitoring: Monitoring | None = None
    mail: Mail | None = None
    identity: Identity = Identity()
    register_: RegisterSettings = Field(default=RegisterSettings(), alias="register")
    components: dict[Slug, dict[str, Any] | None] = Field(min_length=1)
