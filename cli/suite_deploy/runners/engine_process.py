# SPDX-License-Identifier: MIT
"""The engine as a child process: a cleaned environment, a private log, and a first interrupt that loses nothing.

Loads the SDK: import it inside functions. Needs the extra `cloud`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

from pulumi import automation
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from ..cloud.engine import Engine
from ..model.outputs import Progress
from .process import GRACE, private_log, stop

#: commands whose output is kept in the log: the others print secrets or nothing worth keeping
_LOGGED = ("up", "preview", "destroy", "refresh")


class EngineCommand(automation.PulumiCommand):
    """The SDK's way of calling the engine, with our environment instead of this process's, and stopped gracefully."""

    def __init__(
        self,
        engine: Engine,
        environment: Mapping[str, str],
        log: Path | None,
        redact: Callable[[str], str],
        note: Progress,
    ) -> None:
        # The SDK's own constructor would start the engine with this process's environment.
        self.command = str(engine.program)
        self.version = VersionInfo.parse(engine.version)
        self._environment, self._log = environment, log
        self._redact = redact
        self._note = note

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> Any:
        """Run one command of the engine. Raises the SDK's CommandError; KeyboardInterrupt after a stop."""
        environment = {**self._environment, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        log = self._log if args and args[0] in _LOGGED else None
        # Before the engine starts: a reader that cannot write would let it wait for ever.
        sinks = [private_log(log) if log else None for _ in range(2)]
        child = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A session of its own: the terminal's interrupt comes through us, once.
            start_new_session=True,
        )
        texts: tuple[list[str], list[str]] = ([], [])
        readers = [
            threading.Thread(target=self._read, args=(stream, kept, callback, sink), daemon=True)
            for stream, kept, callback, sink in zip(
                (child.stdout, child.stderr), texts, (on_output, on_error), sinks, strict=True
            )
            if stream
        ]
        for reader in readers:
            reader.start()
        interrupted = self._wait(child)
        for reader in readers:
            reader.join(timeout=GRACE)
        if interrupted:
            raise KeyboardInterrupt
        result = automation.CommandResult("\n".join(texts[0]), "\n".join(texts[1]), child.returncode)
        if child.returncode != 0:
            raise create_command_error(result)
        return result

    def _wait(self, child: subprocess.Popen[bytes]) -> bool:
        """Wait for the end; the first interrupt lets the engine finish what is under way, the second does not."""
        interrupts = 0
        while True:
            try:
                child.wait()
                return interrupts > 0
            except KeyboardInterrupt:
                interrupts += 1
                if interrupts > 2:
                    stop(child)
                    raise
                os.kill(child.pid, signal.SIGINT)
                self._note(
                    "interrupted: waiting for what is under way, so that nothing is lost"
                    if interrupts == 1
                    else "interrupted again: stopping at once"
                )

    def _read(
        self, stream: IO[bytes], kept: list[str], callback: Callable[[str], Any] | None, sink: BinaryIO | None
    ) -> None:
        try:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                kept.append(text)
                if callback:
                    callback(text)
                if sink:
                    sink.write(self._redact(text).encode("utf-8", "replace") + b"\n")
        finally:
            stream.close()
            if sink:
                sink.close()
