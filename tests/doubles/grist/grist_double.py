# SPDX-License-Identifier: MIT
"""Grist without its tables' engine: health, sign-in and as much of the REST API as a table by API takes."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import sys
from typing import Any

import flask
from grist_settings import Refused, Settings, read
from grist_signin import Provider, SignInFailed
from grist_store import Store
from werkzeug.serving import WSGIRequestHandler, make_server

_SIGNED = re.compile(r"^/o/[a-z0-9-]+(?=/|$)")
log = logging.getLogger("grist")


class ApiError(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class SingleSite:
    """`/o/<site>/…` is the same as `/…` where there is one site."""

    def __init__(self, inner: Any):
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        environ["PATH_INFO"] = _SIGNED.sub("", environ["PATH_INFO"]) or "/"
        return self._inner(environ, start)


class Server:
    def __init__(self, settings: Settings, store: Store, provider: Provider):
        self._settings, self._store, self._provider = settings, store, provider

    def application(self) -> flask.Flask:
        application = flask.Flask("grist")
        for path, view, methods in (
            ("/status", self.status, ["GET"]),
            ("/", self.home, ["GET"]),
            ("/login", self.login, ["GET"]),
            ("/oauth2/callback", self.callback, ["GET"]),
            ("/logout", self.logout, ["GET"]),
            ("/signed-out", self.signed_out, ["GET"]),
            ("/api/session/access/active", self.active, ["GET"]),
            ("/api/profile/apikey", self.api_key, ["GET", "POST", "DELETE"]),
            ("/api/orgs/<site>/workspaces", self.workspaces, ["GET"]),
            ("/api/workspaces/<int:workspace>/docs", self.add_document, ["POST"]),
            ("/api/docs/<document>", self.document, ["GET", "DELETE"]),
            ("/api/docs/<document>/tables", self.tables, ["GET", "POST"]),
            ("/api/docs/<document>/tables/<table>/records", self.records, ["GET", "POST"]),
            ("/api/docs/<document>/snapshots", self.snapshots, ["GET"]),
            ("/api/widgets", self.widgets, ["GET"]),
        ):
            application.add_url_rule(path, view.__name__, view, methods=methods)
        application.register_error_handler(ApiError, self._refusal)
        application.wsgi_app = SingleSite(application.wsgi_app)  # the documented way to wrap an application
        return application

    def _refusal(self, error: ApiError) -> tuple[flask.Response, int]:
        return flask.jsonify(error=str(error)), error.status

    # who

    def _session(self) -> tuple[str, dict[str, Any]]:
        name = flask.request.cookies.get(self._settings.cookie, "")
        return name, self._store.session(name)

    def _user(self) -> dict[str, Any]:
        """Whoever asks, by key or by session. Raises ApiError as Grist answers."""
        request = flask.request
        header = request.headers.get("Authorization", "")
        if header:
            key = header.removeprefix("Bearer ")
            found = self._store.user_by("api_key", key) if header.startswith("Bearer ") and key else None
            if found is None:
                raise ApiError(401, "invalid API key")
            return found
        marked = request.content_type == "application/json" or request.headers.get("X-Requested-With")
        if request.method != "GET" and not marked:
            wanted = "'Content-Type: application/json' or 'X-Requested-With: XMLHttpRequest'"
            raise ApiError(401, f"Unauthenticated requests require one of the headers {wanted}")
        _, session = self._session()
        found = self._store.user_by("id", session["user"]) if "user" in session else None
        if found is None:
            raise ApiError(403 if self._settings.force_login else 401, "access denied")
        return found

    def _mine(self, document: str) -> None:
        if not self._store.may_edit(self._user()["id"], document):
            raise ApiError(404, "document not found")

    # pages

    def status(self) -> tuple[str, int]:
        asked = [name for name in ("db", "redis", "ready") if flask.request.args.get(name) in ("1", "true")]
        found = {**self._store.healthy(), "ready": True} if asked else {}
        told = ", ".join(f"{name} {'ok' if found[name] else 'not ok'}" for name in asked)
        healthy = all(found[name] for name in asked)
        text = f"Grist server(home,docs,static) is {'alive' if healthy else 'unhealthy'}{f' ({told})' if told else ''}."
        return text, 200 if healthy else 500

    def home(self) -> Any:
        _, session = self._session()
        if "user" not in session and self._settings.force_login:
            return flask.redirect(f"{self._settings.home}/login")
        return "<!doctype html><title>Grist (double)</title><p>This stands in for Grist in tests.</p>"

    def login(self) -> Any:
        name = secrets.token_urlsafe(32)
        place, kept = self._provider.begin(f"{self._settings.home}/")
        self._store.keep_session(name, {"oidc": kept})
        answer = flask.redirect(place)
        answer.set_cookie(self._settings.cookie, name, secure=True, httponly=True, samesite="Lax")
        return answer

    def callback(self) -> Any:
        old, session = self._session()
        kept = session.get("oidc", {})
        try:
            person, id_token = self._provider.finish(kept, flask.request.args.to_dict())
        except SignInFailed as error:
            log.error("OIDC callback failed: %s", error)
            return f"<!doctype html><title>Error</title><p>{error}</p>", 500
        self._store.end_session(old)
        names = f"{person.get('given_name', '')} {person.get('family_name', '')}".strip()
        user = self._store.user(str(person["email"]), names or str(person.get("name", "")))
        name = secrets.token_urlsafe(32)
        self._store.keep_session(name, {"user": user["id"], "id_token": id_token})
        answer = flask.redirect(kept["targetUrl"])
        answer.set_cookie(self._settings.cookie, name, secure=True, httponly=True, samesite="Lax")
        return answer

    def logout(self) -> Any:
        name, session = self._session()
        self._store.end_session(name)
        return flask.redirect(self._provider.end(session.get("id_token", "")))

    def signed_out(self) -> str:
        return "<!doctype html><title>Signed out</title><p>You are signed out.</p>"

    # API

    def active(self) -> Any:
        user = self._user()
        shown = {"id": user["id"], "email": user["email"], "name": user["name"]}
        shown["isInstallAdmin"] = user["email"] == self._settings.admin.lower()
        return {"user": shown, "org": {"id": 0, "domain": self._settings.site, "name": self._settings.site}}

    def api_key(self) -> Any:
        user = self._user()
        if flask.request.method == "GET":
            return user["api_key"] or ""
        if flask.request.method == "DELETE":
            self._store.set_api_key(user["id"], None)
            return "OK"
        if user["api_key"] and not (flask.request.get_json(silent=True) or {}).get("force"):
            raise ApiError(400, "An api key is already set, use `{force: true}` to override it.")
        key = secrets.token_hex(20)
        self._store.set_api_key(user["id"], key)
        return key

    def workspaces(self, site: str) -> Any:
        user = self._user()
        if site not in (self._settings.site, "0", "current"):
            raise ApiError(404, "organization not found")
        return flask.jsonify(self._store.workspaces(user["id"]))

    def add_document(self, workspace: int) -> Any:
        user = self._user()
        if workspace not in [item["id"] for item in self._store.workspaces(user["id"])]:
            raise ApiError(403, "access denied")
        name = (flask.request.get_json(silent=True) or {}).get("name")
        if not name:
            raise ApiError(400, "Bad request: name required")
        return flask.jsonify(self._store.add_document(workspace, str(name)))

    def document(self, document: str) -> Any:
        self._mine(document)
        if flask.request.method == "DELETE":
            self._store.remove_document(document)
            return flask.jsonify(document)
        return {"id": document, "access": "owners"}

    def tables(self, document: str) -> Any:
        self._mine(document)
        content = self._store.read(document)
        if flask.request.method == "GET":
            return {"tables": [{"id": name, "fields": {}} for name in content["tables"]]}
        made = []
        for wish in (flask.request.get_json(silent=True) or {}).get("tables", []):
            columns = [column["id"] for column in wish.get("columns", [])]
            content["tables"][wish["id"]] = {"columns": columns, "records": []}
            made.append({"id": wish["id"]})
        self._store.write(document, content)
        return {"tables": made}

    def records(self, document: str, table: str) -> Any:
        self._mine(document)
        content = self._store.read(document)
        if table not in content["tables"]:
            raise ApiError(404, f'Table not found "{table}"')
        found = content["tables"][table]
        if flask.request.method == "GET":
            return {"records": found["records"]}
        made = []
        for wish in (flask.request.get_json(silent=True) or {}).get("records", []):
            strange = sorted(set(wish["fields"]) - set(found["columns"]))
            if strange:
                raise ApiError(400, f'Invalid column "{strange[0]}"')
            found["records"].append({"id": len(found["records"]) + 1, "fields": wish["fields"]})
            made.append({"id": len(found["records"])})
        self._store.write(document, content)
        return {"records": made}

    def snapshots(self, document: str) -> Any:
        self._mine(document)
        return {"snapshots": [{"snapshotId": version} for version in self._store.versions(document)]}

    def widgets(self) -> Any:
        """None: the list would come from somebody else."""
        return flask.jsonify([])


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        """The edge writes down every request already."""


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        settings = read(os.environ)
        settings.data.mkdir(parents=True, exist_ok=True)
        server = Server(settings, Store(settings), Provider(settings))
    except Refused as refused:
        print(f"grist: {refused}", file=sys.stderr)
        return 1
    listening = make_server("", settings.port, server.application(), threaded=True, request_handler=Quiet)
    # the first process of a container ignores what it does not handle
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log.info("Grist double on port %s", settings.port)
    listening.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
