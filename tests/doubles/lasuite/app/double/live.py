# SPDX-License-Identifier: MIT
"""What the settings lead to: each is tried once before the application starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

PATIENCE = 10


class Unusable(Exception):
    """A setting that leads nowhere; the text says which one, without its secret."""


def database() -> None:
    """Over verified TLS, with the extensions that the migrations would otherwise have to make."""
    from django.conf import settings
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            if cursor.fetchone() != (True,):
                raise Unusable("PGSSLMODE: the database was reached without TLS")
            cursor.execute("select extname from pg_extension")
            missing = set(settings.WANTED_EXTENSIONS) - {name for (name,) in cursor.fetchall()}
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD: {_short(error)}") from error
    if missing:
        raise Unusable(f"DB_NAME: the database lacks the extensions {', '.join(sorted(missing))}")


def cache() -> None:
    """Sessions live here."""
    from django.core.cache import cache as store

    try:
        store.set("double", "here", 10)
        if store.get("double") != "here":
            raise Unusable("REDIS_URL: what was written cannot be read")
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"REDIS_URL: {_short(error)}") from error


def broker() -> None:
    """What the queue is fed through."""
    from celery import current_app

    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=PATIENCE)
    except Exception as error:
        raise Unusable(f"CELERY_BROKER_URL: {_short(error)}") from error


def bucket() -> None:
    """Written and removed again; with versions where they are the application's history."""
    from core.storage import client
    from django.conf import settings

    name, key = settings.AWS_STORAGE_BUCKET_NAME, "double/probe"
    try:
        written = client().put_object(Bucket=name, Key=key, Body=b"probe")
        version = written.get("VersionId", "null")
        client().delete_object(Bucket=name, Key=key, **({"VersionId": version} if version != "null" else {}))
    except Exception as error:
        raise Unusable(f"AWS_S3_ENDPOINT_URL, AWS_S3_*, AWS_STORAGE_BUCKET_NAME: {_short(error)}") from error
    if settings.WANTS_VERSIONS and version == "null":
        raise Unusable("AWS_STORAGE_BUCKET_NAME: the bucket keeps no versions")


def identity() -> None:
    """Keys are published, and the client is known: a wrong code is refused for being wrong, not for who sends it."""
    import requests
    from django.conf import settings

    try:
        keys = requests.get(settings.OIDC_OP_JWKS_ENDPOINT, timeout=PATIENCE).json()["keys"]
        grant = {
            "grant_type": "authorization_code",
            "code": "none",
            "redirect_uri": f"{settings.LOGIN_REDIRECT_URL}/api/v1.0/callback/",
            "client_id": settings.OIDC_RP_CLIENT_ID,
            "client_secret": settings.OIDC_RP_CLIENT_SECRET,
        }
        answer = requests.post(settings.OIDC_OP_TOKEN_ENDPOINT, data=grant, timeout=PATIENCE)
        error = answer.json().get("error")
    except Exception as failure:
        raise Unusable(f"OIDC_OP_JWKS_ENDPOINT, OIDC_OP_TOKEN_ENDPOINT: {_short(failure)}") from failure
    if not keys:
        raise Unusable("OIDC_OP_JWKS_ENDPOINT: no key is published")
    if error != "invalid_grant":
        raise Unusable(f"OIDC_RP_CLIENT_ID, OIDC_RP_CLIENT_SECRET: the provider says {error}")


STEPS: tuple[Callable[[], None], ...] = (database, cache, broker, bucket, identity)


def unusable() -> Iterator[str]:
    """What every try has to complain about, one line each."""
    for step in STEPS:
        try:
            step()
        except Unusable as error:
            yield str(error)


def _short(error: Exception) -> str:
    """The kind of error and its first line; URLs with passwords are not in the messages of these libraries."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
