# SPDX-License-Identifier: MIT
"""Small servers, clients and containers to see what a packet filter lets through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.roles.box import Box

SECONDS = 3.0


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Something on this machine that accepts connections and says hello."""
    with socket.create_server((address, port)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.sendall(b"hello\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextmanager
def serving(box: Box, *ports: int) -> Iterator[None]:
    """Something on the box that accepts connections on all its addresses."""
    units = [f"probe-{port}" for port in ports]
    for unit, port in zip(units, ports, strict=True):
        box.succeed(f"systemd-run --quiet --collect --unit={unit} busybox nc -ll -p {port} -e /bin/true")
    try:
        yield
    finally:
        box.succeed(f"systemctl stop {' '.join(units)}")


def connects(address: str, port: int) -> bool:
    """Whether a TCP connection from this machine is accepted; dropped and refused both mean no."""
    try:
        with socket.create_connection((address, port), timeout=SECONDS):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class Container:
    """A container on the box with nothing but busybox in it."""

    box: Box
    name: str
    address: str

    @classmethod
    def start(cls, box: Box, name: str, subnet: str, *, published: tuple[str, ...] = ()) -> Container:
        """In a network of its own, serving HTTP on port 8000. published: as for podman's --publish."""
        root = f"/opt/probe/{name}"
        address = subnet.replace(".0/24", ".2")
        ports = " ".join(f"--publish={port}" for port in published)
        box.succeed(
            f"""set -e
            podman rm --force --time 0 probe-{name} >/dev/null 2>&1 || true
            podman network exists probe-{name} || podman network create --subnet {subnet} probe-{name} >/dev/null
            mkdir -p {root}/bin {root}/etc {root}/proc {root}/sys {root}/dev {root}/tmp {root}/run
            cp /usr/bin/busybox {root}/bin/busybox
            podman run --detach --name probe-{name} --network probe-{name} --ip {address} {ports} \
              --rootfs {root} /bin/busybox httpd -f -p 8000 -h /tmp >/dev/null"""
        )
        return cls(box, name, address)

    def busybox(self, arguments: str) -> bool:
        """Whether a busybox command inside succeeds."""
        return self.box.command(f"podman exec probe-{self.name} /bin/busybox {arguments}").returncode == 0

    def connects(self, address: str, port: int) -> bool:
        """Whether a TCP connection from inside is accepted."""
        # the program runs once connected: what the other side says, and when it hangs up, does not matter
        return self.busybox(f"nc -w {SECONDS:.0f} {address} {port} -e /bin/busybox true")

    def remove(self) -> None:
        self.box.command(f"podman rm --force --time 0 probe-{self.name}; podman network rm --force probe-{self.name}")
