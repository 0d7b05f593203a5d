# SPDX-License-Identifier: MIT
"""What an inventory may say of a provider's parts: the hosts' image, volumes, object store and DNS."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from .strict import Strict
from .values import Sha256, Sha512, Url, Zone


class OsImage(Strict):
    """The operating system image of cloud hosts: by the cloud's name or id, or fetched from a URL with its hash."""

    name: str | None = None  #: the cloud's name of it
    id: str | None = None  #: the cloud's identifier of it
    url: Url | None = None  #: where it is fetched from; needs `sha256`
    sha256: Sha256 | None = None  #: of the file behind `url`, or of the image that `name` stands for
    #: of the image that `name` stands for, where that is what the cloud publishes: Glance does unless told otherwise
    sha512: Sha512 | None = None
    #: of the file behind `url`; needed where its name does not end in `.qcow2` or `.raw`
    format: Literal["qcow2", "raw"] | None = None

    @property
    def disk_format(self) -> Literal["qcow2", "raw"] | None:
        """Format of the file behind `url`: as written, or as its name says; None when neither does."""
        named: dict[str, Literal["qcow2", "raw"]] = {".qcow2": "qcow2", ".raw": "raw"}
        path = urlsplit(self.url or "").path.lower()
        return self.format or next((kind for suffix, kind in named.items() if path.endswith(suffix)), None)

    @property
    def checksums(self) -> dict[str, str]:
        """Algorithm → what is written for it, as Glance calls them."""
        written = {"sha256": self.sha256, "sha512": self.sha512}
        return {algorithm: value for algorithm, value in written.items() if value}

    @model_validator(mode="after")
    def sha512_of_a_name(self) -> OsImage:
        if self.sha512 and not self.name:
            raise ValueError(
                "`sha512` goes with `name`: a file behind `url` is held against `sha256`, an `id` is a pin"
            )
        return self

    @model_validator(mode="after")
    def known_format(self) -> OsImage:
        if self.format and not self.url:
            raise ValueError("`format` goes with `url`: what the cloud has already, it knows the format of")
        if self.url and not self.disk_format:
            raise ValueError(
                f"the name of {self.url} does not say its format (`.img` is qcow2 at some and raw at others)."
                " Add `format: qcow2` or `format: raw`; `qemu-img info FILE` tells which"
            )
        return self


class VolumeSettings(Strict):
    """Kind and encryption of data volumes; `type` is the cloud's own name."""

    type: str | None = None  #: the cloud's volume type
    #: whether volumes of that type are encrypted at rest: your word, which policies judge by; it sets nothing
    encrypted: bool | None = None


class OpenStackVolumes(VolumeSettings):
    """Kind, encryption and zone of data volumes; `type` and `zone` are the cloud's own names."""

    #: availability zone of data volumes; when absent, the host's, where the cloud has volumes in it
    zone: str | None = None


class ObjectStore(Strict):
    """The provider's object store, as applications reach it."""

    #: what applications speak to it; `swift` with `driver: openstack` alone, and no component of the suite's speaks it
    interface: Literal["s3", "swift"] = "s3"
    endpoint: Url  #: its URL for that interface
    region: str  #: the region it lies in
    replicate_to: tuple[str, ...] = ()  #: regions it copies to; judged, and refused outside the profile's places
    #: bucket in the path, or in the host name, which `up` refuses: the applications speak path style
    addressing: Literal["path", "virtual"] = "path"
    #: when clients add checksums of their own; many stores refuse them unless they are required
    checksums: Literal["when_required", "when_supported"] = "when_required"
    #: with `swift`: roles of the account that the credential of a bucket gets; all of them when empty
    roles: tuple[str, ...] = ()

    @model_validator(mode="after")
    def words_of_its_interface(self) -> ObjectStore:
        strange = {"s3": ["roles"], "swift": ["addressing", "checksums"]}[self.interface]
        written = [f"`{name}`" for name in strange if name in self.model_fields_set]
        if written:
            raise ValueError(f"{', '.join(written)} has no meaning with `interface: {self.interface}`")
        return self


class DnsSettings(Strict):
    """The provider's DNS: the suite's names are published in a zone that is there already."""

    zone: Zone  #: name of the zone; the suite's domain lies in it
    #: seconds that others may remember an answer
    ttl: Annotated[int, Field(ge=60, le=86_400)] = 300
