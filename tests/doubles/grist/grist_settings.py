# SPDX-License-Identifier: MIT
"""The environment of Grist, read as 1.7.17 reads it; the double also refuses what is unsafe, or was never read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

NAMES = Path(__file__).with_name("names.txt")
_PREFIXES = ("APP_", "ALLOWED_", "ASSISTANT_", "GOOGLE_", "GRIST_", "GVISOR_", "REDIS_", "TYPEORM_")
_PROTECTIONS = {"PKCE", "STATE", "NONCE"}
_TRUE = ("1", "true", "yes", "on")
_REQUIRED = (
    "APP_HOME_URL",
    "GRIST_ADMIN_EMAIL",
    "GRIST_BOOT_KEY",
    "GRIST_OIDC_IDP_CLIENT_ID",
    "GRIST_OIDC_IDP_CLIENT_SECRET",
    "GRIST_OIDC_IDP_ISSUER",
    "GRIST_SESSION_SECRET",
    "NODE_EXTRA_CA_CERTS",
    "REDIS_URL",
    "TYPEORM_DATABASE",
    "TYPEORM_HOST",
    "TYPEORM_PASSWORD",
    "TYPEORM_USERNAME",
)
#: unset, Grist would call or load from somebody else: the value that stops it
_SHUT = {
    "GRIST_ALLOW_AUTOMATIC_VERSION_CHECKING": "false",
    "GRIST_EXT_FULL_EDITION_BASE_URL": "",
    "GRIST_HELP_US_IMPROVE_SURVEY_URL": "",
    "GRIST_TELEMETRY_LEVEL": "off",
    "GRIST_WIDGET_LIST_URL": "",
}


class Refused(Exception):
    """Why Grist would not start, or not safely, in one line that names the setting."""


@dataclass(frozen=True)
class Bucket:
    endpoint: str
    name: str
    region: str
    prefix: str
    access_key: str
    secret_key: str
    secure: bool


@dataclass(frozen=True)
class Settings:
    """What the double needs to know."""

    home: str
    port: int
    site: str
    admin: str
    force_login: bool
    issuer: str
    client_id: str
    client_secret: str
    scopes: str
    pkce: bool
    nonce: bool
    ignore_unverified: bool
    session_secret: str
    cookie: str
    authorities: str
    database: Mapping[str, str]
    redis: str
    bucket: Bucket
    data: Path


def read(environment: Mapping[str, str]) -> Settings:
    """Read and check. Raises Refused."""
    known = set(NAMES.read_text().split())
    strange = sorted(name for name in environment if name.startswith(_PREFIXES) and name not in known)
    if strange:
        raise Refused(f"{strange[0]}: Grist reads no such variable")
    for name in _REQUIRED:
        if not environment.get(name):
            raise Refused(f"{name}: missing environment variable")
    for name, wanted in _SHUT.items():
        if environment.get(name) != wanted:
            raise Refused(f"{name}: must be {wanted!r}, or somebody outside is called")
    _sign_in(environment)
    _sandbox(environment)
    protections = set(environment.get("GRIST_OIDC_IDP_ENABLED_PROTECTIONS", "PKCE,STATE").split(","))
    if not protections <= _PROTECTIONS or "STATE" not in protections:
        raise Refused("GRIST_OIDC_IDP_ENABLED_PROTECTIONS: expected some of PKCE, STATE, NONCE, and STATE")
    authorities = environment["NODE_EXTRA_CA_CERTS"]
    if not os.access(authorities, os.R_OK):
        raise Refused(f"NODE_EXTRA_CA_CERTS: cannot read {authorities}")
    data = Path(environment.get("GRIST_DATA_DIR", "docs"))
    if not os.access(data.parent, os.W_OK):
        raise Refused(f"GRIST_DATA_DIR: {data.parent} is not writable")
    return Settings(
        home=environment["APP_HOME_URL"].rstrip("/"),
        port=int(environment.get("PORT") or 8484),
        site=environment.get("GRIST_SINGLE_ORG", ""),
        admin=environment["GRIST_ADMIN_EMAIL"],
        force_login=environment.get("GRIST_FORCE_LOGIN", "").lower() in _TRUE,
        issuer=environment["GRIST_OIDC_IDP_ISSUER"],
        client_id=environment["GRIST_OIDC_IDP_CLIENT_ID"],
        client_secret=environment["GRIST_OIDC_IDP_CLIENT_SECRET"],
        scopes=environment.get("GRIST_OIDC_IDP_SCOPES") or "openid email profile",
        pkce="PKCE" in protections,
        nonce="NONCE" in protections,
        ignore_unverified=environment.get("GRIST_OIDC_SP_IGNORE_EMAIL_VERIFIED", "").lower() in _TRUE,
        session_secret=environment["GRIST_SESSION_SECRET"],
        cookie=environment.get("GRIST_SESSION_COOKIE", "grist_core2"),
        authorities=authorities,
        database=_database(environment),
        redis=_redis(environment),
        bucket=_bucket(environment),
        data=data,
    )


def _sign_in(environment: Mapping[str, str]) -> None:
    if environment.get("GRIST_LOGIN_SYSTEM_TYPE") != "oidc":
        raise Refused("GRIST_LOGIN_SYSTEM_TYPE: must be oidc")
    if environment.get("GRIST_IN_SERVICE") != "true":
        raise Refused("GRIST_IN_SERVICE: a new installation waits for its first visitor to set it up")
    home = urlsplit(environment["APP_HOME_URL"])
    if home.scheme != "https" or not home.hostname:
        raise Refused("APP_HOME_URL: no https URL")
    if (environment.get("GRIST_OIDC_SP_HOST") or environment["APP_HOME_URL"]) != environment["APP_HOME_URL"]:
        raise Refused("GRIST_OIDC_SP_HOST: people would come back to another place than APP_HOME_URL")


def _sandbox(environment: Mapping[str, str]) -> None:
    if environment.get("GRIST_SANDBOX_FLAVOR") not in ("pyodide", "gvisor"):
        raise Refused("GRIST_SANDBOX_FLAVOR: formulas would run unsandboxed")
    if environment.get("GRIST_PYODIDE_SKIP_DENO"):
        raise Refused("GRIST_PYODIDE_SKIP_DENO: formulas would run as the server does")


def _database(environment: Mapping[str, str]) -> dict[str, str]:
    if environment.get("TYPEORM_TYPE") != "postgres":
        raise Refused("TYPEORM_TYPE: people and documents would be kept in a file")
    try:
        extra = json.loads(environment.get("TYPEORM_EXTRA") or "{}")
    except ValueError as error:
        raise Refused(f"TYPEORM_EXTRA: {error}") from error
    if extra.get("ssl") not in (True, {"rejectUnauthorized": True}):
        raise Refused("TYPEORM_EXTRA: the database would be reached without TLS, or with anybody's certificate")
    return {
        "host": environment["TYPEORM_HOST"],
        "port": environment.get("TYPEORM_PORT") or "5432",
        "dbname": environment["TYPEORM_DATABASE"],
        "user": environment["TYPEORM_USERNAME"],
        "password": environment["TYPEORM_PASSWORD"],
        "sslmode": "verify-full",
        "sslrootcert": environment["NODE_EXTRA_CA_CERTS"],
    }


def _redis(environment: Mapping[str, str]) -> str:
    url = urlsplit(environment["REDIS_URL"])
    if url.scheme != "rediss" or not url.password:
        raise Refused("REDIS_URL: expected rediss://:PASSWORD@HOST:PORT/NUMBER")
    if re.search(r"[^0-9]", url.path.removeprefix("/")):
        raise Refused("REDIS_URL has an unexpected structure")
    return environment["REDIS_URL"]


def _bucket(environment: Mapping[str, str]) -> Bucket:
    def need(name: str) -> str:
        full = f"GRIST_DOCS_MINIO_{name}"
        if not environment.get(full):
            raise Refused(f"{full}: missing environment variable")
        return environment[full]

    secure = environment.get("GRIST_DOCS_MINIO_USE_SSL", "").lower() in _TRUE
    host, port = need("ENDPOINT"), environment.get("GRIST_DOCS_MINIO_PORT", "")
    if "/" in host or ":" in host:
        raise Refused(
            "GRIST_DOCS_MINIO_ENDPOINT: expected a host name; the port and the scheme have variables of their own"
        )
    return Bucket(
        endpoint=f"{host}:{port}" if port else host,
        name=need("BUCKET"),
        region=environment.get("GRIST_DOCS_MINIO_BUCKET_REGION") or "us-east-1",
        prefix=environment.get("GRIST_DOCS_MINIO_PREFIX") or "docs/",
        access_key=need("ACCESS_KEY"),
        secret_key=need("SECRET_KEY"),
        secure=secure,
    )
