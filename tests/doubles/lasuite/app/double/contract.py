# SPDX-License-Identifier: MIT
"""Which settings the two applications must be given, by the names upstream reads, and what is wrong with a value.

A name upstream does not read counts for nothing here either: a wrong prefix is a missing setting. The lists in
tests/contract say what upstream reads. Standard library only: each rule is tested without the packages of the image.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

#: says what is wrong with a value, or nothing
Check = Callable[[str, Mapping[str, str]], str]
Exists = Callable[[str], bool]
TRUE, FALSE = ("yes", "y", "true", "1"), ("no", "n", "false", "0", "")
SHORTEST_SECRET = 32


@dataclass(frozen=True)
class Setting:
    """One variable. default: what upstream takes when it is absent (None: it must be there)."""

    name: str
    check: Check
    default: str | None = None
    #: the same name with _FILE may name a file instead
    secret: bool = False


def _any(value: str, env: Mapping[str, str]) -> str:
    return "" if value else "is empty"


def _is(*accepted: str) -> Check:
    return lambda value, env: "" if value in accepted else f"is {value!r}, not {' or '.join(accepted)}"


def _not(refused: str, why: str) -> Check:
    return lambda value, env: why if value == refused else _any(value, env)


def _boolean(wanted: bool | None = None) -> Check:
    def check(value: str, env: Mapping[str, str]) -> str:
        if value.lower() not in TRUE + FALSE:
            return f"is {value!r}, which is no boolean"
        return "" if wanted in (None, value.lower() in TRUE) else f"is {value!r}"

    return check


def _number(value: str, env: Mapping[str, str]) -> str:
    return "" if value.isdigit() and int(value) > 0 else f"is {value!r}, which is no positive number"


def _dictionary(value: str, env: Mapping[str, str]) -> str:
    try:
        return "" if isinstance(ast.literal_eval(value), dict) else f"is {value!r}, which is no dictionary"
    except (ValueError, SyntaxError):
        return f"is {value!r}, which is no dictionary"


def _secret(value: str, env: Mapping[str, str]) -> str:
    return "" if len(value) >= SHORTEST_SECRET else f"is shorter than {SHORTEST_SECRET} characters"


def _hosts(value: str, env: Mapping[str, str]) -> str:
    wrong = [item for item in value.split(",") if not item.strip() or set(item) & set("*[]\"'/: ")]
    return f"holds {wrong[0]!r}, which is no host name" if wrong else ""


def _own_hosts(env: Mapping[str, str]) -> list[str]:
    return env.get("DJANGO_ALLOWED_HOSTS", "").split(",")


def _origins(value: str, env: Mapping[str, str]) -> str:
    for item in value.split(","):
        url = urlsplit(item)
        if url.scheme != "https" or url.hostname not in _own_hosts(env) or url.path:
            return f"holds {item!r}, which is no origin of this application"
    return ""


def _https(value: str, env: Mapping[str, str]) -> str:
    return "" if urlsplit(value).scheme == "https" and urlsplit(value).hostname else f"is {value!r}, not an https URL"


def _own(scheme: str = "https", end: str = "") -> Check:
    def check(value: str, env: Mapping[str, str]) -> str:
        url = urlsplit(value)
        right = url.scheme == scheme and url.hostname in _own_hosts(env) and url.path == end
        return "" if right else f"is {value!r}, not {scheme}://<own name>{end}"

    return check


def _valkey(value: str, env: Mapping[str, str]) -> str:
    url = urlsplit(value)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.scheme != "rediss":
        return "is not reached over TLS (rediss://)"
    if not url.password:
        return "holds no password"
    if query.get("ssl_cert_reqs") != "required":
        return "does not ask for a verified certificate (ssl_cert_reqs=required)"
    if query.get("ssl_check_hostname", "").lower() != "true":
        return "takes any host's certificate (ssl_check_hostname=true is missing)"
    return "" if query.get("ssl_ca_certs") else "names no authority (ssl_ca_certs)"


def _provider(value: str, env: Mapping[str, str]) -> str:
    other = urlsplit(env.get("OIDC_OP_AUTHORIZATION_ENDPOINT", "")).hostname
    return _https(value, env) or ("" if urlsplit(value).hostname == other else f"is at another provider than {other}")


def _scopes(value: str, env: Mapping[str, str]) -> str:
    missing = {"openid", "email", "profile"} - set(value.split())
    return f"lacks {', '.join(sorted(missing))}" if missing else ""


def _with_mail(check: Check) -> Check:
    return lambda value, env: check(value, env) if ".smtp." in env.get("DJANGO_EMAIL_BACKEND", ".smtp.") else ""


def _one_tls(value: str, env: Mapping[str, str]) -> str:
    both = value.lower() in TRUE and env.get("DJANGO_EMAIL_USE_TLS", "").lower() in TRUE
    return _boolean()(value, env) or ("excludes DJANGO_EMAIL_USE_TLS" if both else "")


_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_DUMMY = "django.core.mail.backends.dummy.EmailBackend"
_CHECKSUMS = _is("when_required", "when_supported")

COMMON = (
    Setting("DJANGO_CONFIGURATION", _is("Production"), default="Development"),
    Setting("DJANGO_SECRET_KEY", _secret, secret=True),
    Setting("DJANGO_ALLOWED_HOSTS", _hosts),
    Setting("DJANGO_CSRF_TRUSTED_ORIGINS", _origins),
    Setting("DB_HOST", _not("localhost", "is the default")),
    Setting("DB_PORT", _number, default="5432"),
    Setting("DB_NAME", _any),
    Setting("DB_USER", _not("dinum", "is the default")),
    Setting("DB_PASSWORD", _not("pass", "is the default, which everybody knows"), secret=True),
    Setting("PGSSLMODE", _is("verify-full"), default="prefer"),
    Setting("PGSSLROOTCERT", _any),
    Setting("REDIS_URL", _valkey),
    Setting("AWS_S3_ENDPOINT_URL", _https),
    Setting("AWS_S3_ACCESS_KEY_ID", _any, secret=True),
    Setting("AWS_S3_SECRET_ACCESS_KEY", _any, secret=True),
    Setting("AWS_S3_REGION_NAME", _any),
    Setting("AWS_STORAGE_BUCKET_NAME", _any),
    Setting("AWS_REQUEST_CHECKSUM_CALCULATION", _CHECKSUMS, default="when_supported"),
    Setting("AWS_RESPONSE_CHECKSUM_VALIDATION", _CHECKSUMS, default="when_supported"),
    Setting("OIDC_OP_AUTHORIZATION_ENDPOINT", _https),
    Setting("OIDC_OP_JWKS_ENDPOINT", _provider),
    Setting("OIDC_OP_TOKEN_ENDPOINT", _provider),
    Setting("OIDC_OP_USER_ENDPOINT", _provider),
    Setting("OIDC_OP_LOGOUT_ENDPOINT", _provider),
    Setting("OIDC_RP_CLIENT_ID", _any),
    Setting("OIDC_RP_CLIENT_SECRET", _any, secret=True),
    Setting("OIDC_RP_SIGN_ALGO", _is("RS256"), default="RS256"),
    Setting("OIDC_RP_SCOPES", _scopes, default="openid email"),
    Setting("OIDC_USE_PKCE", _boolean(True), default="false"),
    Setting("OIDC_TIMEOUT", _number, default="5"),
    Setting("OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION", _boolean(False), default="true"),
    Setting("OIDC_REDIRECT_REQUIRE_HTTPS", _boolean(True), default="false"),
    Setting("OIDC_REDIRECT_ALLOWED_HOSTS", _hosts),
    Setting("LOGIN_REDIRECT_URL", _own()),
    Setting("LOGIN_REDIRECT_URL_FAILURE", _own()),
    Setting("LOGOUT_REDIRECT_URL", _own()),
    Setting("DJANGO_EMAIL_BACKEND", _is(_SMTP, _DUMMY), default=_SMTP),
    Setting("DJANGO_EMAIL_HOST", _with_mail(_any), default=""),
    Setting("DJANGO_EMAIL_PORT", _number, default=""),
    Setting("DJANGO_EMAIL_FROM", _not("from@example.com", "is the default"), default="from@example.com"),
    Setting("DJANGO_EMAIL_USE_TLS", _boolean(), default="false"),
    Setting("DJANGO_EMAIL_USE_SSL", _one_tls, default="false"),
    Setting("REQUESTS_CA_BUNDLE", _any),
    Setting("SSL_CERT_FILE", _any),
    Setting("AWS_CA_BUNDLE", _any),
    Setting("SIGNUP_NEW_USER_TO_MARKETING_EMAIL", _boolean(False), default="false"),
)

DOCS = (
    Setting("DJANGO_SETTINGS_MODULE", _is("impress.settings")),
    Setting("DJANGO_LANGUAGE_CODE", _is("en-us", "fr-fr", "de-de", "nl-nl", "es-es"), default="en-us"),
    Setting("DJANGO_CELERY_BROKER_URL", _valkey),
    Setting("MEDIA_BASE_URL", _own()),
    Setting("DOCUMENT_IMAGE_MAX_SIZE", _number, default="10485760"),
    Setting("TRASHBIN_CUTOFF_DAYS", _number, default="30"),
    Setting("COLLABORATION_WS_URL", _own("wss", "/collaboration/ws/")),
    Setting("COLLABORATION_API_URL", _own("https", "/collaboration/api/")),
    Setting("COLLABORATION_SERVER_SECRET", _secret, secret=True),
    Setting("COLLABORATION_WS_NOT_CONNECTED_READ_ONLY", _boolean(True), default="false"),
    Setting("Y_PROVIDER_API_BASE_URL", lambda value, env: "" if value.endswith("/api/") else f"is {value!r}"),
    Setting("Y_PROVIDER_API_KEY", _secret, secret=True),
    Setting("CONVERSION_UPLOAD_ENABLED", _boolean(), default="false"),
    Setting("AI_FEATURE_ENABLED", _boolean(False), default="false"),
)

MEET = (
    Setting("DJANGO_SETTINGS_MODULE", _is("meet.settings")),
    Setting("DJANGO_LANGUAGE_CODE", _is("en-us", "fr-fr", "nl-nl", "de-de"), default="en-us"),
    Setting("CELERY_ENABLED", _boolean(), default="false"),
    Setting("CELERY_BROKER_URL", _valkey),
    Setting("LIVEKIT_API_URL", _https),
    Setting("LIVEKIT_API_KEY", _any, secret=True),
    Setting("LIVEKIT_API_SECRET", _secret, secret=True),
    Setting("ALLOW_UNREGISTERED_ROOMS", _boolean(False), default="true"),
    Setting("RESOURCE_DEFAULT_ACCESS_LEVEL", _is("trusted", "restricted", "public"), default="public"),
    Setting("OIDC_CREATE_USER", _boolean(True), default="true"),
    Setting("FILE_UPLOAD_ENABLED", _boolean(), default="false"),
    Setting("MEDIA_BASE_URL", _own()),
    Setting("FRONTEND_ANALYTICS", _dictionary, default="{}"),
    Setting("FRONTEND_SUPPORT", _dictionary, default="{}"),
    Setting("FRONTEND_FEEDBACK", _dictionary, default="{}"),
)

APPLICATIONS = {"impress.settings": (*DOCS, *COMMON), "meet.settings": (*MEET, *COMMON)}
#: variables that name a file, and the part of the two URLs that does
_FILES = ("PGSSLROOTCERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")
_URLS_WITH_FILES = ("REDIS_URL", "DJANGO_CELERY_BROKER_URL", "CELERY_BROKER_URL")


def problems(application: str, env: Mapping[str, str], exists: Exists = os.path.exists) -> list[str]:
    """What keeps an application from starting, one line each, no secret in any of them.

    application: `impress.settings` or `meet.settings`. exists: whether a file is there.
    """
    found = []
    # Celery itself prefers this name to whatever the application's settings say
    env = {**env, "DJANGO_CELERY_BROKER_URL": env["CELERY_BROKER_URL"]} if "CELERY_BROKER_URL" in env else env
    for setting in APPLICATIONS[application]:
        if setting.secret and f"{setting.name}_FILE" in env:
            if not exists(env[f"{setting.name}_FILE"]):
                found.append(f"{setting.name}_FILE names a file that is not there")
            continue
        value = env.get(setting.name, setting.default)
        if value is None:
            found.append(f"{setting.name} is not set")
        elif wrong := setting.check(value, env):
            found.append(f"{setting.name} {wrong}")
    named = [(name, env.get(name, "")) for name in _FILES]
    for name in _URLS_WITH_FILES:
        named += [(name, path) for path in parse_qs(urlsplit(env.get(name, "")).query).get("ssl_ca_certs", [])]
    return found + [f"{name} names a file that is not there" for name, path in named if path and not exists(path)]
