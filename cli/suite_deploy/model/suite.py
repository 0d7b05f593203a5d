# SPDX-License-Identifier: MIT
"""The typed schema of `suite.yml`: every key an operator may write, with what is accepted."""

from __future__ import annotations

import ipaddress
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from .component import Port, Slug
from .provider import DnsSettings, ObjectStore, OpenStackVolumes, OsImage, VolumeSettings
from .strict import Strict
from .values import (
    OUTSCALE_API,
    OVH_AUTH,
    Address,
    Group,
    HostName,
    Hostname,
    HostOrAddress,
    HostOrAddresses,
    HttpsUrl,
    Network,
    Service,
    Sha256,
    Size,
    Url,
    Vlan,
)


class DataClass(Strict):
    """Who the suite serves and what it holds; the profile fr-snc judges by it."""

    #: of the data: particular (art. 31 of law 2024-449), ordinary, or health data
    sensitivity: Literal["particular", "ordinary", "health"]
    #: who the suite serves
    entity: Literal[
        "state", "state-operator", "gip", "region", "departement", "commune", "intercommunality", "hospital", "other"
    ]


class Host(Strict):
    """A host wanted; `flavor` and `zone` are the cloud's own names."""

    groups: tuple[Group, ...] = Field(min_length=1)  #: what runs there
    flavor: str | None = None  #: size
    zone: str | None = None  #: availability zone
    volumes: dict[Slug, Size] = {}  #: kind (the folder below /srv) to size
    public: bool = False  #: whether it has a public address


class LocalHost(Strict):
    """A host made on this machine."""

    groups: tuple[Group, ...] = Field(min_length=1)  #: what runs there
    #: kind (the folder below /srv) to size; directories on this machine, the size is not enforced
    volumes: dict[Slug, Size] = {}


class ExistingHost(Strict):
    """A host that exists: reached by SSH."""

    groups: tuple[Group, ...] = Field(min_length=1)  #: what runs there
    address: HostOrAddress  #: what SSH connects to, and on the edge host what users reach
    private_address: Address  #: how the other hosts of the suite reach it
    public: bool = False  #: whether it is meant to be reached from outside


class Evidence(Strict):
    """What the operator holds where the register cannot know the host."""

    contract: str  #: reference of the contract that names the service
    attestation_sha256: Sha256  #: hash of the attestation on file


class Local(Strict):
    """Hosts made on this machine as systemd-nspawn containers."""

    no_swift: ClassVar[str] = "with hosts of this machine nothing makes credentials of a Swift"
    absent: ClassVar[Mapping[str, str]] = {"dns": "the names of hosts made on this machine stand in its /etc/hosts"}

    driver: Literal["local"]  #: hosts made on this machine
    object_store: ObjectStore | None = None  #: an object store elsewhere instead of the suite's own
    hosts: dict[HostName, LocalHost] = {}  #: host name to host; one host with every group when absent


class Existing(Strict):
    """Hosts that exist already; nothing is created and nothing removed."""

    no_swift: ClassVar[str] = "with hosts that exist nothing makes credentials of a Swift"
    absent: ClassVar[Mapping[str, str]] = {
        "dns": "for hosts that exist nothing is created: `up` lists the records to publish"
    }

    driver: Literal["existing"]  #: hosts that are there
    hosts: dict[HostName, ExistingHost] = Field(min_length=1)  #: host name to host
    offer: str | None = None  #: the registered offer they are hosted on: `suite-deploy policy register --all`
    region: str | None = None  #: region of that offer
    evidence: Evidence | None = None  #: for offers the register cannot tie to a host
    object_store: ObjectStore | None = None  #: the provider's object store instead of the suite's own


class Cloud(Strict):
    """What every cloud driver takes: offer and region are literals, never read from the environment."""

    #: whether the stack makes a key per bucket; otherwise the operator does and supplies it
    makes_bucket_keys: ClassVar[bool] = True
    #: why applications cannot speak Swift there; empty where they can
    no_swift: ClassVar[str] = ""
    #: keys that other clouds have, and why this one has not
    absent: ClassVar[Mapping[str, str]] = {}

    offer: str  #: a registered offer: `suite-deploy policy register --all`
    region: str  #: exact region identifier of that offer
    evidence: Evidence | None = None  #: for endpoints that are only known at delivery
    #: service → URL, instead of the catalogue's; refused with `outscale`, which has one `endpoint`
    endpoints: dict[Service, Url] = {}
    #: whether certificates of the cloud's API go unchecked; exists to be refused readably
    insecure: bool = False
    image: OsImage | None = None  #: operating system image of the hosts
    volumes: VolumeSettings = VolumeSettings()  #: kind of data volumes
    object_store: ObjectStore | None = None  #: the provider's object store
    hosts: dict[HostName, Host] = {}  #: host name to host; derived from `users` and the components when absent

    @property
    @abstractmethod
    def sign_in(self) -> str:
        """The URL where this cloud signs people in."""


class OpenStack(Cloud):
    driver: Literal["openstack"]  #: a cloud with OpenStack's API
    auth_url: Url  #: Keystone's URL
    volumes: OpenStackVolumes = OpenStackVolumes()  #: kind and zone of data volumes
    external_network: str | None = None  #: network that public addresses come from
    dns: DnsSettings | None = None  #: a zone of the cloud's DNS (Designate) for the suite's names

    @property
    def sign_in(self) -> str:
        return self.auth_url


class Ovh(Cloud):
    no_swift: ClassVar[str] = "S3 is the standard interface of OVHcloud's object store, and what the stack makes there"

    driver: Literal["ovh"]  #: OVHcloud's public cloud
    #: OVHcloud's API, by the name its own tools use
    endpoint: Literal["ovh-eu", "ovh-ca", "ovh-us"] = "ovh-eu"
    project: str  #: identifier of the project
    #: of the private network on the project's vRack; derived from the suite's name when absent
    vlan: Vlan | None = None
    dns: DnsSettings | None = None  #: a DNS zone of the account for the suite's names

    @property
    def sign_in(self) -> str:
        return OVH_AUTH[self.endpoint]


class Outscale(Cloud):
    makes_bucket_keys: ClassVar[bool] = False
    no_swift: ClassVar[str] = "Outscale's object store (OOS) speaks S3"
    absent: ClassVar[Mapping[str, str]] = {
        "dns": "Outscale has no DNS service: publish the records elsewhere, `up` lists them"
    }

    driver: Literal["outscale"]  #: 3DS OUTSCALE
    #: API endpoint; derived from the region when absent
    endpoint: Url | None = None

    @property
    def sign_in(self) -> str:
        return self.endpoint or OUTSCALE_API.format(region=self.region)

    @field_validator("endpoints")
    @classmethod
    def one_endpoint(cls, value: Mapping[Service, str]) -> Mapping[Service, str]:
        if value:
            raise ValueError("Outscale has one address for all its services: write it as `endpoint`")
        return value


Infrastructure = Annotated[Local | Existing | OpenStack | Ovh | Outscale, Field(discriminator="driver")]


class S3Target(Strict):
    """An S3 bucket elsewhere; the region is a literal."""

    endpoint: Url  #: its S3 URL
    region: str  #: the region it lies in
    bucket: str  #: name of the bucket
    #: which registered offer the endpoint belongs to
    offer: str | None = None


class State(Strict):
    """Where state lives: a directory, or S3."""

    #: absolute path; a folder of one's own or on shared storage
    directory: str | None = Field(default=None, pattern=r"^/\S*$")
    s3: S3Target | None = None  #: a bucket

    @model_validator(mode="after")
    def one_place(self) -> State:
        if bool(self.directory) == bool(self.s3):
            raise ValueError("exactly one of `directory`, `s3` is needed")
        return self


class Eab(Strict):
    """External account binding; the key itself is the secret `suite.acme_eab_hmac`."""

    kid: str  #: key identifier given by the issuer
    hmac: Literal["secret"] = "secret"  #: the key is a secret, never written here


class TlsInternal(Strict):
    """Certificates from an authority of the suite's own."""

    issuer: Literal["internal-ca"]  #: an authority of the suite's own, made by `suite-deploy secrets init`


class TlsProvided(Strict):
    """Certificate and chain in PEM; the private key is the secret `suite.tls_key`."""

    issuer: Literal["provided"]  #: certificate and key are yours
    certificate: str  #: PEM file beside suite.yml: certificate first, then its chain; must cover every host name


class TlsAcme(Strict):
    """Certificates from an ACME service."""

    issuer: Literal["acme"]  #: an ACME service
    directory: HttpsUrl  #: its directory URL
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")  #: whom the issuer writes to
    eab: Eab | None = None  #: account binding, where the issuer asks for it


Tls = Annotated[TlsInternal | TlsProvided | TlsAcme, Field(discriminator="issuer")]


class NetworkSettings(Strict):
    """Name servers, time servers, the way out, and the addresses of container networks."""

    dns: HostOrAddresses = ()  #: name servers of the hosts; the hosts' own when empty
    ntp: HostOrAddresses = ()  #: time servers of the hosts; the hosts' own when empty
    proxy: Url | None = None  #: the one way out for outbound calls
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

    #: registry that holds copies of all images, under their upstream names
    mirror: str | None = Field(default=None, pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$")


class Ssh(Strict):
    #: account on the hosts, with sudo without a password
    user: str = Field(default="suite", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    port: Port = 22  #: port of sshd
    #: private key file used to reach existing hosts
    key: str | None = None
    #: networks that may reach SSH
    from_: tuple[Network, ...] = Field(default=(), alias="from")


class BackupSettings(Strict):
    """Backups to a remote target."""

    target: S3Target  #: where backups go
    encryption: Literal["client-side", "none"] = "client-side"  #: before they leave the hosts
    replicate_to: tuple[str, ...] = ()  #: regions the target copies to; judged like it
    schedule: str = "daily"  #: when
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30  #: how long backups are kept


class Monitoring(Strict):
    remote_write: HttpsUrl  #: Prometheus remote-write URL


class Mail(Strict):
    relay: Hostname  #: SMTP relay that takes the suite's mail
    port: Port = 587  #: SMTP submission port
    from_: str = Field(alias="from", pattern=r"^[^@\s]+@[^@\s]+$")  #: sender address
    user: str | None = None  #: account at the relay; its password is the secret `suite.smtp_password`


class Identity(Strict):
    #: who signs people in beyond the suite's own accounts
    upstream: Literal["none", "proconnect-integration", "proconnect-production", "oidc"] = "none"
    issuer: HttpsUrl | None = None  #: URL of an `oidc` upstream
    client_id: str | None = None  #: the suite's client there

    @model_validator(mode="after")
    def only_with_an_upstream(self) -> Identity:
        if self.upstream == "none" and (self.issuer or self.client_id):
            raise ValueError("`issuer` and `client_id` go with an `upstream` other than none")
        return self


class EngineSettings(Strict):
    """The infrastructure engine of the clouds."""

    #: mirror of the engine's provider plugins, where their own site is not reached
    plugins: HttpsUrl | None = None


class RegisterSettings(Strict):
    """A newer register of qualified offers than the built-in one."""

    file: str | None = None  #: the newer register, beside suite.yml
    sha256: Sha256 | None = None  #: its hash: another file under the same name is refused
    #: days; only fr-snc makes it mandatory
    max_age: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def file_with_hash(self) -> RegisterSettings:
        if bool(self.file) != bool(self.sha256):
            raise ValueError("`file` and `sha256` go together")
        return self


class SuiteFile(Strict):
    """`suite.yml`, after `extends` was merged. `components` is validated against each component's own options."""

    schema_: Literal[1] = Field(alias="schema")  #: version of this file's schema
    requires: str | None = None  #: versions of suite-deploy that may use this file, like `suite-deploy >=0.1,<1`
    #: name of the suite, unique among those of an operator
    suite: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    domain: Hostname  #: the portal's name; every host name derives from it
    profile: Literal["fr-snc", "fr-hds", "eu-strict", "eu", "dev"]  #: which policies block: docs/policies
    data: DataClass | None = None  #: who is served and what is held; asked for by `fr-snc`
    users: Annotated[int, Field(ge=1, le=100_000)] = 50  #: how many people; chooses sizes
    target: Literal["vm", "kubernetes"] = "vm"  #: virtual machines or Kubernetes
    infrastructure: Infrastructure  #: where hosts come from
    state: State | None = None  #: where this program keeps what it knows; below the home directory when absent
    #: what encrypts secrets in the engine's state: a passphrase, or the URL of a key service
    secrets_provider: str = Field(default="passphrase", pattern=r"^(passphrase|[a-z]+://\S+)$")
    engine: EngineSettings = EngineSettings()  #: the infrastructure engine of the clouds
    tls: Tls = TlsInternal(issuer="internal-ca")  #: who issues certificates
    network: NetworkSettings = NetworkSettings()  #: name and time servers, container networks
    apt: Apt = Apt()  #: Debian mirrors of the hosts
    images: Images = Images()  #: image mirror
    ssh: Ssh = Ssh()  #: how hosts are reached
    backup: BackupSettings | None = None  #: backups to a remote target
    monitoring: Monitoring | None = None  #: where metrics go
    mail: Mail | None = None  #: how mail leaves
    identity: Identity = Identity()  #: an identity provider above the suite's own
    #: a newer register of qualified offers
    register_: RegisterSettings = Field(default=RegisterSettings(), alias="register")
    #: component to its options, `{}` for the defaults
    components: dict[Slug, dict[str, Any] | None] = Field(min_length=1)
