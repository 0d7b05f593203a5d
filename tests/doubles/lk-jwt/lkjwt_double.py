# SPDX-License-Identifier: MIT
"""Tokens for calls: the caller's OpenID token is checked at their homeserver, the room is made at the media server."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import json
import logging
import os
import signal
import ssl
import sys
from typing import Any

import aiohttp
from aiohttp import web
from livekit import api
from lkjwt_settings import Refused, Settings, read

_LEGACY_SLOT = "m.call#ROOM"
_EMPTY_TIMEOUT, _DEPARTURE_TIMEOUT = 300, 20
_FEDERATION_PORT = 8448
_PATIENCE = aiohttp.ClientTimeout(total=10)
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
}
_TOKEN = {"access_token", "token_type", "matrix_server_name", "expires_in"}
_DELAY = {"delay_id", "delay_timeout", "delay_cs_api_url"}
_MEMBER = {"id", "claimed_user_id", "claimed_device_id"}
log = logging.getLogger("lk-jwt")


class MatrixError(Exception):
    """A refusal as Matrix clients read it."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


def hashed(*parts: str) -> str:
    """How rooms and people are called at the media server: no name of Matrix is shown there."""
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")


class Service:
    """The HTTP side."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._verifier = api.TokenVerifier(settings.key, settings.secret)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._refusals])
        for path, handler in (
            ("/sfu/get", self._legacy),
            ("/get_token", self._token),
            ("/delegate_delayed_leave", self._delegate),
        ):
            application.router.add_post(path, handler)
            application.router.add_options(path, self._preflight)
        application.router.add_post("/sfu_webhook", self._event)
        application.router.add_get("/healthz", self._health)
        return application

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
        except MatrixError as error:
            answer = web.json_response({"errcode": error.code, "error": str(error)}, status=error.status)
        answer.headers.update(_CORS)
        return answer

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _preflight(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _legacy(self, request: web.Request) -> web.Response:
        wish = await _wish(request, {"room", "openid_token", "device_id"} | _DELAY)
        if not wish.get("room"):
            raise MatrixError(400, "M_BAD_JSON", "Missing room parameter")
        user = await self._who(wish, "")
        return await self._grant(wish, hashed(wish["room"], _LEGACY_SLOT), f"{user}:{wish.get('device_id', '')}")

    async def _token(self, request: web.Request) -> web.Response:
        wish = await _wish(request, {"room_id", "slot_id", "openid_token", "member"} | _DELAY)
        member = _member(wish)
        user = await self._who(wish, member["claimed_user_id"])
        identity = hashed(user, member["claimed_device_id"], member["id"])
        return await self._grant(wish, hashed(wish["room_id"], wish["slot_id"]), identity)

    async def _delegate(self, request: web.Request) -> web.Response:
        wish = await _wish(request, {"room_id", "slot_id", "openid_token", "member"} | _DELAY)
        member = _member(wish)
        if not wish.get("delay_id") or not wish.get("delay_timeout"):
            raise MatrixError(400, "M_BAD_JSON", "The request body is missing `delay_id` or `delay_timeout`")
        await self._who(wish, member["claimed_user_id"])
        if not self._settings.makes_rooms_for(wish["openid_token"]["matrix_server_name"]):
            refusal = "Delegation of delayed events is only supported for full access users"
            raise MatrixError(403, "M_FORBIDDEN", refusal)
        return web.json_response({})

    async def _event(self, request: web.Request) -> web.Response:
        body = await request.text()
        receiver = api.WebhookReceiver(self._verifier)
        try:
            event = receiver.receive(body, request.headers.get("Authorization", "").removeprefix("Bearer "))
        except Exception as error:
            log.warning("an event that the media server did not sign was refused")
            raise MatrixError(401, "M_UNAUTHORIZED", "The request could not be authorised.") from error
        log.info("event %s", event.event)
        return web.Response()

    async def _grant(self, wish: dict[str, Any], room: str, identity: str) -> web.Response:
        settings = self._settings
        if settings.makes_rooms_for(wish["openid_token"]["matrix_server_name"]):
            await self._make(room)
        grants = api.VideoGrants(
            room_join=True,
            room=room,
            room_create=False,
            can_publish=True,
            can_subscribe=True,
            can_update_own_metadata=True,
        )
        token = api.AccessToken(settings.key, settings.secret).with_identity(identity).with_grants(grants)
        signed = token.with_ttl(datetime.timedelta(hours=1)).to_jwt()
        log.info("token for room %s", room)
        return web.json_response({"url": settings.url, "jwt": signed})

    async def _make(self, room: str) -> None:
        wish = api.CreateRoomRequest(
            name=room, empty_timeout=_EMPTY_TIMEOUT, departure_timeout=_DEPARTURE_TIMEOUT, max_participants=0
        )
        url = self._settings.url.replace("wss://", "https://").replace("ws://", "http://")
        try:
            async with (
                aiohttp.ClientSession(connector=_verified(), timeout=_PATIENCE) as session,
                api.LiveKitAPI(url, self._settings.key, self._settings.secret, session=session) as server,
            ):
                await server.room.create_room(wish)
        except Exception as error:
            log.error("unable to create room %s: %s", room, error)
            raise MatrixError(500, "M_UNKNOWN", "Unable to create room on SFU") from error

    async def _who(self, wish: dict[str, Any], claimed: str) -> str:
        """The Matrix name behind an OpenID token, as that name's own server says."""
        token = wish.get("openid_token") or {}
        if not token.get("access_token") or not token.get("matrix_server_name"):
            missing = "The request body `openid_token` is missing a `access_token` or `matrix_server_name`"
            raise MatrixError(400, "M_BAD_JSON", missing)
        try:
            user = await _user_of(token["matrix_server_name"], token["access_token"])
        except Exception as error:
            log.error("failed to look up user info at %s: %s", token["matrix_server_name"], error)
            raise MatrixError(401, "M_UNAUTHORIZED", "The request could not be authorised.") from error
        if claimed and claimed != user:
            raise MatrixError(401, "M_UNAUTHORIZED", "The request could not be authorised.")
        return user


def _verified() -> aiohttp.TCPConnector:
    """Connections that trust what SSL_CERT_FILE names, and nobody else."""
    return aiohttp.TCPConnector(ssl=ssl.create_default_context())


async def _wish(request: web.Request, known: set[str]) -> dict[str, Any]:
    """The request's body; unknown keys are refused as Go's decoder is told to."""
    try:
        body = await request.json()
        strange = set(body) - known or set(body.get("openid_token") or {}) - _TOKEN
        strange = strange or set(body.get("member") or {}) - _MEMBER
    except (ValueError, TypeError, AttributeError) as error:
        raise MatrixError(400, "M_NOT_JSON", "Error reading request") from error
    if strange:
        raise MatrixError(400, "M_NOT_JSON", "Error reading request")
    return dict(body)


def _member(wish: dict[str, Any]) -> dict[str, str]:
    if not wish.get("room_id") or not wish.get("slot_id"):
        raise MatrixError(400, "M_BAD_JSON", "The request body is missing `room_id` or `slot_id`")
    member = wish.get("member") or {}
    if not all(member.get(name) for name in _MEMBER):
        missing = "The request body `member` is missing a `id`, `claimed_user_id` or `claimed_device_id`"
        raise MatrixError(400, "M_BAD_JSON", missing)
    return dict(member)


async def _user_of(server_name: str, token: str) -> str:
    async with aiohttp.ClientSession(connector=_verified(), timeout=_PATIENCE) as session:
        place = await _federation(session, server_name)
        url = f"https://{place}/_matrix/federation/v1/openid/userinfo"
        async with session.get(url, params={"access_token": token}) as answer:
            answer.raise_for_status()
            user = str((await answer.json())["sub"])
    if user.partition(":")[2] != server_name:
        raise ValueError(f"{server_name} speaks for somebody else's people")
    return user


async def _federation(session: aiohttp.ClientSession, server_name: str) -> str:
    """Where a server's federation API is: at the port in its name, where its well-known document says, or on 8448."""
    if ":" in server_name:
        return server_name
    async with session.get(f"https://{server_name}/.well-known/matrix/server") as answer:
        if answer.status == 200:
            found = str(json.loads(await answer.text())["m.server"])
            return found if ":" in found else f"{found}:{_FEDERATION_PORT}"
    return f"{server_name}:{_FEDERATION_PORT}"


async def serve(settings: Settings) -> None:
    """Listen until told to stop."""
    runner = web.AppRunner(Service(settings).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.host or None, settings.port).start()
    log.info("listening on port %s", settings.port)
    done = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, done.set)
    await done.wait()
    await runner.cleanup()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(read(os.environ)))
    except Refused as refused:
        print(f"lk-jwt-service: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
