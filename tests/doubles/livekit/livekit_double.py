# SPDX-License-Identifier: MIT
"""A LiveKit server without media: arguments, files, ports and HTTP answers of docker.io/livekit/livekit-server."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import livekit_ports
from aiohttp import WSMsgType, web
from google.protobuf.json_format import MessageToJson, Parse
from livekit.protocol import models, room, rtc
from livekit_rooms import Denied, Rooms, claims_of
from livekit_settings import Refused, Settings, read

VERSION = "1.13.5-double"
_CALLS = {
    "CreateRoom": room.CreateRoomRequest,
    "ListRooms": room.ListRoomsRequest,
    "DeleteRoom": room.DeleteRoomRequest,
    "ListParticipants": room.ListParticipantsRequest,
    "GetParticipant": room.RoomParticipantIdentity,
}


class Server:
    """HTTP and websockets."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self.rooms = Rooms(settings)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._refusals])
        application.add_routes(
            [
                web.get("/", self._health),
                web.get("/rtc/validate", self._validate),
                web.get("/rtc/v1/validate", self._validate),
                web.get("/rtc", self._join),
                web.post("/twirp/livekit.RoomService/{method}", self._call),
            ]
        )
        return application

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Any) -> web.StreamResponse:
        twirp = request.path.startswith("/twirp/")
        try:
            answer: web.StreamResponse = await handler(request)
        except Denied as denied:
            if twirp:
                answer = web.json_response({"code": denied.code, "msg": str(denied)}, status=denied.status)
            else:
                answer = web.Response(status=denied.status, text=str(denied))
        if not answer.prepared:
            answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def _claims(self, request: web.Request) -> Any:
        header = request.headers.get("Authorization", "")
        return claims_of(self._settings, header, request.query.get("access_token", ""))

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _validate(self, request: web.Request) -> web.Response:
        self.rooms.may_join(self._claims(request), request.query.get("room", ""))
        return web.Response(text="success")

    async def _join(self, request: web.Request) -> web.StreamResponse:
        claims = self._claims(request)
        name = self.rooms.may_join(claims, request.query.get("room", ""))
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request):
            raise Denied(404, "not_found", "not a websocket")
        place, person = self.rooms.join(claims, name)
        await socket.prepare(request)
        answer = rtc.SignalResponse(join=rtc.JoinResponse(room=place, participant=person, server_version=VERSION))
        answer.join.server_info.CopyFrom(models.ServerInfo(version=VERSION))
        try:
            await socket.send_bytes(answer.SerializeToString())
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    wish = rtc.SignalRequest.FromString(message.data)
                    if wish.HasField("leave"):
                        break
        finally:
            self.rooms.leave(name, claims.identity)
        return socket

    async def _call(self, request: web.Request) -> web.Response:
        """Twirp, in protobuf or JSON as the request is."""
        method = request.match_info["method"]
        if method not in _CALLS:
            raise Denied(404, "bad_route", f"no handler for path {request.path}")
        body, as_json = await request.read(), request.content_type == "application/json"
        message = _CALLS[method]()
        try:
            Parse(body, message) if as_json else message.ParseFromString(body)
        except Exception as error:
            raise Denied(400, "malformed", "the request could not be decoded") from error
        answer = self._answer(method, self._claims(request), message)
        if as_json:
            return web.json_response(text=MessageToJson(answer, preserving_proto_field_name=True))
        return web.Response(body=answer.SerializeToString(), content_type="application/protobuf")

    def _answer(self, method: str, claims: Any, wish: Any) -> Any:
        if method == "CreateRoom":
            return self.rooms.create(claims, wish.name, wish.empty_timeout, wish.max_participants)
        if method == "ListRooms":
            return room.ListRoomsResponse(rooms=self.rooms.list(claims, list(wish.names)))
        if method == "DeleteRoom":
            self.rooms.delete(claims, wish.room)
            return room.DeleteRoomResponse()
        if method == "ListParticipants":
            return room.ListParticipantsResponse(participants=self.rooms.participants(claims, wish.room).values())
        return self.rooms.participant(claims, wish.room, wish.identity)


async def serve(settings: Settings) -> None:
    """Listen on everything until told to stop. Raises Refused for a port that cannot be had."""
    await livekit_ports.listen(settings)
    runner = web.AppRunner(Server(settings).application(), access_log=None)
    await runner.setup()
    for address in settings.addresses:
        try:
            await web.TCPSite(runner, address or livekit_ports.EVERYWHERE, settings.port).start()
        except OSError as error:
            raise Refused(f"bind_addresses: {address}:{settings.port}: {error.strerror or error}") from error
    logging.info("starting LiveKit double on %s, port %s", ", ".join(settings.addresses), settings.port)
    done = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, done.set)
    await done.wait()
    await runner.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(prog="livekit-server")
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(read(options.config)))
    except Refused as refused:
        print(f"livekit: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
