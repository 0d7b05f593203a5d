# SPDX-License-Identifier: MIT
"""Rooms, who may do what in them, and the events they cause, as LiveKit 1.13.5 has them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
from google.protobuf.json_format import MessageToJson
from livekit import api
from livekit.protocol import models, webhook
from livekit_settings import Settings

_TRIES = 3
log = logging.getLogger("livekit")


class Denied(Exception):
    """A refusal: HTTP status, Twirp's code for it, and the sentence LiveKit says."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Room:
    info: models.Room
    participants: dict[str, models.ParticipantInfo] = field(default_factory=dict)


def claims_of(settings: Settings, header: str, parameter: str) -> api.Claims | None:
    """Who asks, from the Authorization header or the query; None when nobody says. Raises Denied for a bad token."""
    if header and not header.startswith("Bearer "):
        raise Denied(401, "unauthenticated", "invalid authorization header. Must start with Bearer ")
    token = header.removeprefix("Bearer ") if header else parameter
    if not token:
        return None
    try:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss", ""))
    except jwt.PyJWTError as error:
        raise Denied(401, "unauthenticated", "invalid authorization token") from error
    secret = settings.keys.get(issuer)
    if secret is None:
        raise Denied(401, "unauthenticated", f"invalid API key: {issuer}")
    try:
        return api.TokenVerifier(issuer, secret).verify(token)
    except Exception as error:
        raise Denied(401, "unauthenticated", f"invalid token: {error}") from error


class Rooms:
    """Everything one server knows; gone when it stops."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._rooms: dict[str, Room] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def may_join(self, claims: api.Claims | None, wanted: str) -> str:
        """The room a token lets its holder into. Raises Denied as /rtc/validate answers."""
        if claims is None or claims.video is None or not claims.video.room_join:
            raise Denied(401, "unauthenticated", "permissions denied")
        if not claims.identity:
            raise Denied(400, "invalid_argument", "identity cannot be empty")
        name = claims.video.room or wanted
        if not name:
            raise Denied(400, "invalid_argument", "no room name")
        if not self._settings.auto_create and not claims.video.room_create and name not in self._rooms:
            raise Denied(404, "not_found", "requested room does not exist")
        return name

    def join(self, claims: api.Claims, name: str) -> tuple[models.Room, models.ParticipantInfo]:
        """Let somebody in; the room is made when there is none yet."""
        room = self._rooms.get(name) or self._make(name, 0, self._settings.max_participants)
        limit = room.info.max_participants
        if limit and len(room.participants) >= limit:
            raise Denied(503, "resource_exhausted", "room has exceeded its max participants")
        person = models.ParticipantInfo(
            sid=f"PA_{uuid.uuid4().hex[:12]}",
            identity=claims.identity,
            name=claims.name,
            state=models.ParticipantInfo.ACTIVE,
            joined_at=int(time.time()),
        )
        room.participants[claims.identity] = person
        room.info.num_participants = len(room.participants)
        self._tell("participant_joined", room.info, person)
        return room.info, person

    def leave(self, name: str, identity: str) -> None:
        """Somebody is gone."""
        room = self._rooms.get(name)
        person = room.participants.pop(identity, None) if room else None
        if room and person:
            room.info.num_participants = len(room.participants)
            self._tell("participant_left", room.info, person)

    def create(self, claims: api.Claims | None, name: str, empty_timeout: int, most: int) -> models.Room:
        _need(claims is not None and claims.video is not None and claims.video.room_create)
        if not name:
            raise Denied(400, "invalid_argument", "no room name")
        known = self._rooms.get(name)
        return (known or self._make(name, empty_timeout, most)).info

    def list(self, claims: api.Claims | None, names: list[str]) -> list[models.Room]:
        _need(claims is not None and claims.video is not None and claims.video.room_list)
        return [room.info for name, room in sorted(self._rooms.items()) if not names or name in names]

    def delete(self, claims: api.Claims | None, name: str) -> None:
        _need(claims is not None and claims.video is not None and claims.video.room_create)
        room = self._rooms.pop(name, None)
        if room is None:
            raise Denied(404, "not_found", "requested room does not exist")
        self._tell("room_finished", room.info, None)

    def participants(self, claims: api.Claims | None, name: str) -> Mapping[str, models.ParticipantInfo]:
        _need(claims is not None and claims.video is not None and claims.video.room_admin and claims.video.room == name)
        return self._rooms[name].participants if name in self._rooms else {}

    def participant(self, claims: api.Claims | None, name: str, identity: str) -> models.ParticipantInfo:
        found = self.participants(claims, name).get(identity)
        if found is None:
            raise Denied(404, "not_found", "participant does not exist")
        return found

    def _make(self, name: str, empty_timeout: int, most: int) -> Room:
        info = models.Room(
            sid=f"RM_{uuid.uuid4().hex[:12]}",
            name=name,
            empty_timeout=empty_timeout or 300,
            max_participants=most,
            creation_time=int(time.time()),
        )
        room = self._rooms[name] = Room(info)
        self._tell("room_started", info, None)
        return room

    def _tell(self, event: str, room: models.Room, person: models.ParticipantInfo | None) -> None:
        message = webhook.WebhookEvent(event=event, room=room, id=f"EV_{uuid.uuid4().hex[:12]}")
        message.created_at = int(time.time())
        if person:
            message.participant.CopyFrom(person)
        body = MessageToJson(message).encode()
        for url in self._settings.webhook_urls:
            task = asyncio.get_running_loop().create_task(self._send(url, event, body))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, url: str, event: str, body: bytes) -> None:
        """Signed: the token's claim `sha256` is the body's. Certificates count as SSL_CERT_FILE says."""
        key = self._settings.webhook_key
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = api.AccessToken(key, self._settings.keys[key]).with_sha256(digest).to_jwt()
        headers = {"Authorization": token, "Content-Type": "application/webhook+json"}
        for attempt in range(_TRIES):
            try:
                async with (
                    aiohttp.ClientSession() as session,
                    session.post(url, data=body, headers=headers, ssl=ssl.create_default_context()) as answer,
                ):
                    if answer.status < 300:
                        log.info("sent webhook %s to %s", event, url)
                        return
                    log.warning("failed to send webhook %s to %s: %s", event, url, answer.status)
            except (aiohttp.ClientError, OSError) as error:
                log.warning("failed to send webhook %s to %s: %s", event, url, error)
            await asyncio.sleep(attempt + 1)


def _need(allowed: Any) -> None:
    if not allowed:
        raise Denied(401, "unauthenticated", "permissions denied")
