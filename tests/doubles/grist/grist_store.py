# SPDX-License-Identifier: MIT
"""Where Grist keeps things: people and names of documents in PostgreSQL, documents in the bucket, sessions in Redis."""

from __future__ import annotations

import io
import json
import secrets
from typing import Any

import minio
import psycopg
import redis
import urllib3
from grist_settings import Refused, Settings
from psycopg.rows import dict_row

_SESSION_SECONDS = 86_400
_SCHEMA = """
create table if not exists users (
    id serial primary key, email text unique not null, name text not null, api_key text unique);
create table if not exists workspaces (
    id serial primary key, name text not null, owner integer not null references users);
create table if not exists docs (
    id text primary key, name text not null, workspace integer not null references workspaces);
"""


class Store:
    """Opened once; every call fails as the service behind it does."""

    def __init__(self, settings: Settings):
        """Connect to all three. Raises Refused naming the setting that leads nowhere."""
        self._settings = settings
        pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=settings.authorities, retries=False, timeout=10)
        bucket = settings.bucket
        self._objects = minio.Minio(
            bucket.endpoint,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            secure=bucket.secure,
            region=bucket.region,
            http_client=pool,
        )
        self._cache = redis.Redis.from_url(settings.redis, ssl_ca_certs=settings.authorities, decode_responses=True)
        self._check_database()
        self._check_cache()
        check_versions(self._objects, bucket.name)

    def _check_database(self) -> None:
        try:
            with self._database() as connection:
                connection.execute(_SCHEMA)
        except psycopg.Error as error:
            raise Refused(f"TYPEORM_*: {str(error).strip().splitlines()[0]}") from error

    def _check_cache(self) -> None:
        try:
            self._cache.ping()
        except redis.RedisError as error:
            raise Refused(f"REDIS_URL: {error}") from error

    def _database(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(**self._settings.database, connect_timeout=10, row_factory=dict_row)

    def healthy(self) -> dict[str, bool]:
        """Whether the database and the cache answer now."""
        found = {}
        for name, check in (("db", self._check_database), ("redis", self._check_cache)):
            try:
                check()
                found[name] = True
            except Refused:
                found[name] = False
        return found

    # people

    def user(self, email: str, name: str) -> dict[str, Any]:
        """The person with an address; made at their first sign-in, with a workspace of their own."""
        with self._database() as connection:
            row = connection.execute(
                "insert into users (email, name) values (%s, %s) "
                "on conflict (email) do update set name = excluded.name returning *",
                (email.lower(), name),
            ).fetchone()
            assert row is not None
            known = connection.execute("select 1 from workspaces where owner = %s", (row["id"],)).fetchone()
            if known is None:
                connection.execute("insert into workspaces (name, owner) values ('Home', %s)", (row["id"],))
            return row

    def user_by(self, column: str, value: Any) -> dict[str, Any] | None:
        """column: `id` or `api_key`."""
        query = {"id": "select * from users where id = %s", "api_key": "select * from users where api_key = %s"}
        with self._database() as connection:
            return connection.execute(query[column], (value,)).fetchone()

    def set_api_key(self, user: int, key: str | None) -> None:
        with self._database() as connection:
            connection.execute("update users set api_key = %s where id = %s", (key, user))

    # names of documents

    def workspaces(self, user: int) -> list[dict[str, Any]]:
        with self._database() as connection:
            found = connection.execute(
                "select id, name from workspaces where owner = %s order by id", (user,)
            ).fetchall()
            for workspace in found:
                query = "select id, name from docs where workspace = %s order by name"
                workspace["docs"] = connection.execute(query, (workspace["id"],)).fetchall()
            return found

    def may_edit(self, user: int, document: str) -> bool:
        query = "select 1 from docs join workspaces w on w.id = workspace where docs.id = %s and w.owner = %s"
        with self._database() as connection:
            return connection.execute(query, (document, user)).fetchone() is not None

    def add_document(self, workspace: int, name: str) -> str:
        document = secrets.token_urlsafe(16).replace("-", "a").replace("_", "b")
        self.write(document, {"tables": {}})
        with self._database() as connection:
            query = "insert into docs (id, name, workspace) values (%s, %s, %s)"
            connection.execute(query, (document, name, workspace))
        return document

    def remove_document(self, document: str) -> None:
        with self._database() as connection:
            connection.execute("delete from docs where id = %s", (document,))
        for version in self._objects.list_objects(
            self._settings.bucket.name, prefix=self._key(document), include_version=True
        ):
            self._objects.remove_object(version.bucket_name, version.object_name or "", version_id=version.version_id)

    # documents

    def _key(self, document: str) -> str:
        return f"{self._settings.bucket.prefix}{document}.grist"

    def write(self, document: str, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        written = self._objects.put_object(self._settings.bucket.name, self._key(document), io.BytesIO(body), len(body))
        if not written.version_id:
            raise RuntimeError("the bucket gave the document no version")

    def read(self, document: str) -> dict[str, Any]:
        answer = self._objects.get_object(self._settings.bucket.name, self._key(document))
        try:
            return dict(json.loads(answer.data))
        finally:
            answer.close()
            answer.release_conn()

    def versions(self, document: str) -> list[str]:
        """Newest first."""
        found = self._objects.list_objects(self._settings.bucket.name, prefix=self._key(document), include_version=True)
        return [item.version_id or "" for item in found if not item.is_delete_marker]

    # sessions

    def session(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self._cache.get(f"sess:{name}") or "{}")) if name else {}

    def keep_session(self, name: str, content: dict[str, Any]) -> None:
        self._cache.set(f"sess:{name}", json.dumps(content), ex=_SESSION_SECONDS)

    def end_session(self, name: str) -> None:
        self._cache.delete(f"sess:{name}")


def check_versions(client: Any, bucket: str) -> None:
    """Grist's own check at its start. Raises Refused."""
    try:
        status = client.get_bucket_versioning(bucket).status
    except Exception as error:
        raise Refused(f"GRIST_DOCS_MINIO_*: {str(error).splitlines()[0]}") from error
    if status != "Enabled":
        raise Refused(f'FATAL: the MinIO bucket "{bucket}" does not have versioning enabled')
