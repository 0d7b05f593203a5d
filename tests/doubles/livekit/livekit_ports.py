# SPDX-License-Identifier: MIT
"""The raw ports of a media server: they listen, answer STUN, and refuse to relay for strangers. No media passes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
import struct
from collections.abc import Awaitable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from livekit_settings import Refused, Settings

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_BINDING, _ALLOCATE = 0x0001, 0x0003
_SUCCESS, _ERROR = 0x0100, 0x0110
_XOR_MAPPED, _ERROR_CODE, _REALM, _NONCE = 0x0020, 0x0009, 0x0014, 0x0015
_UNAUTHORIZED = 401
REALM = "livekit"
#: linux/sockios.h: asks for an interface's address
SIOCGIFADDR = 0x8915
#: every address of this machine
EVERYWHERE = str(IPv4Address(0))


def answer(packet: bytes, peer: tuple[str, int]) -> bytes | None:
    """What a STUN or TURN server says to a request without credentials; None for what is neither."""
    if len(packet) < _HEADER.size:
        return None
    kind, _, cookie, transaction = _HEADER.unpack_from(packet)
    if cookie != _COOKIE or kind not in (_BINDING, _ALLOCATE):
        return None
    if kind == _BINDING:
        address = int(IPv4Address(peer[0])) ^ _COOKIE
        body = _attribute(_XOR_MAPPED, struct.pack("!BBHI", 0, 1, peer[1] ^ (_COOKIE >> 16), address))
        return _HEADER.pack(kind | _SUCCESS, len(body), _COOKIE, transaction) + body
    code = struct.pack("!HBB", 0, _UNAUTHORIZED // 100, _UNAUTHORIZED % 100) + b"Unauthorized"
    body = _attribute(_ERROR_CODE, code) + _attribute(_REALM, REALM.encode())
    body += _attribute(_NONCE, secrets.token_hex(16).encode())
    return _HEADER.pack(kind | _ERROR, len(body), _COOKIE, transaction) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answers: bool):
        self._answers = answers
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        reply = answer(data, (str(addr[0]), addr[1])) if self._answers else None
        if reply and self._transport:
            self._transport.sendto(reply, addr)


async def _turn_over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Plain TURN over TCP: somebody else has ended TLS. Anything that is no STUN message ends the connection."""
    try:
        while True:
            head = await reader.readexactly(_HEADER.size)
            body = await reader.readexactly(_HEADER.unpack(head)[1])
            reply = answer(head + body, writer.get_extra_info("peername")[:2])
            if reply is None:
                break
            writer.write(reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _opened(setting: str, opening: Awaitable[Any]) -> None:
    try:
        await opening
    except OSError as error:
        raise Refused(f"{setting}: {error.strerror or error}") from error


def _address_of(interface: str) -> str | None:
    """The first IPv4 address of a network interface; its host name may resolve to nothing in a container."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", interface.encode()))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def local_addresses(node_ip: str, allowed: tuple[IPv4Network, ...]) -> list[str]:
    """The IPv4 addresses media may use, of those the settings name: the node's own, and single ones of the filter."""
    found = {node_ip, *(str(network.network_address) for network in allowed if network.prefixlen == 32)}
    return sorted(item for item in found if not allowed or any(IPv4Address(item) in network for network in allowed))


def _ours(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


async def listen(settings: Settings) -> None:
    """Open every port but HTTP's. Raises Refused for one that cannot be had."""
    loop = asyncio.get_running_loop()
    addresses = [address for address in local_addresses(settings.node_ip, settings.udp_addresses) if _ours(address)]
    if not addresses:
        raise Refused("rtc.ips.includes: none of this machine's addresses is in it")
    await _opened("rtc.tcp_port", asyncio.start_server(_hang_up, EVERYWHERE, settings.tcp_port))
    for port in settings.udp_ports[: os.cpu_count() or 1]:
        for address in addresses:
            opening = loop.create_datagram_endpoint(lambda: _Datagrams(False), local_addr=(address, port))
            await _opened("rtc.udp_port", opening)
    if settings.turn_udp_port:
        at = (EVERYWHERE, settings.turn_udp_port)
        await _opened("turn.udp_port", loop.create_datagram_endpoint(lambda: _Datagrams(True), local_addr=at))
    if settings.turn_tls_port:
        serving = asyncio.start_server(_turn_over_tcp, EVERYWHERE, settings.turn_tls_port)
        await _opened("turn.tls_port", serving)
