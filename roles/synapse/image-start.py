#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Entrypoint of the Synapse image: the modes and variables of the upstream image that a deployment uses.

    run [ARGUMENTS]     start Synapse (the default); without a configuration among the arguments, the usual one
    generate            write a first configuration, log configuration and signing key, then end

SYNAPSE_CONFIG_DIR (/data), SYNAPSE_CONFIG_PATH (<config dir>/homeserver.yaml), SYNAPSE_DATA_DIR (/data),
SYNAPSE_WORKER (module to run), UID and GID (991): whom to become when started as root.
"""

import os
import pathlib
import platform
import subprocess
import sys
from typing import NoReturn

DEFAULT_ID = "991"
LOG_CONFIG = """\
version: 1
formatters:
  precise:
    format: '%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s'
handlers:
  console: {class: logging.StreamHandler, formatter: precise}
loggers:
  synapse.storage.SQL: {level: INFO}
root: {level: INFO, handlers: [console]}
disable_existing_loggers: false
"""


def fail(message: str) -> NoReturn:
    """End with the status that the upstream image uses for a wrong setting."""
    print(message, file=sys.stderr)
    sys.exit(2)


def identity() -> str | None:
    """`uid:gid` to become, or None to stay who we are."""
    if "UID" in os.environ:
        return f"{int(os.environ['UID'])}:{int(os.environ.get('GID', DEFAULT_ID))}"
    return f"{DEFAULT_ID}:{DEFAULT_ID}" if os.getuid() == 0 else None


def as_identity(command: list[str]) -> list[str]:
    """The command, preceded by the program that changes the user where that is wanted."""
    wanted = identity()
    return ["gosu", wanted, *command] if wanted else command


def config_dir() -> str:
    return os.environ.get("SYNAPSE_CONFIG_DIR", "/data")


def config_path() -> str:
    return os.environ.get("SYNAPSE_CONFIG_PATH", f"{config_dir()}/homeserver.yaml")


def run(arguments: list[str]) -> NoReturn:
    """Replace this process by Synapse."""
    if "-m" not in arguments:
        arguments = ["-m", os.environ.get("SYNAPSE_WORKER", "synapse.app.homeserver"), *arguments]
    if not any(argument.startswith(("--config-path", "-c")) for argument in arguments):
        if not pathlib.Path(config_path()).exists():
            fail(
                f"Config file {config_path()!r} does not exist: make one with the `generate` argument, "
                "or name yours in SYNAPSE_CONFIG_PATH."
            )
        arguments += ["--config-path", config_path()]
    allocator = f"/usr/lib/{platform.machine()}-linux-gnu/libjemalloc.so.2"
    if pathlib.Path(allocator).is_file():
        os.environ["LD_PRELOAD"] = allocator
    print("Starting synapse with args " + " ".join(arguments), flush=True)
    command = as_identity([sys.executable, *arguments])
    os.execvp(command[0], command)


def generate() -> None:
    """Have Synapse write its first configuration."""
    for variable in ("SYNAPSE_SERVER_NAME", "SYNAPSE_REPORT_STATS"):
        if variable not in os.environ:
            fail(f"Environment variable {variable!r} is mandatory in `generate` mode.")
    server_name = os.environ["SYNAPSE_SERVER_NAME"]
    data_dir = os.environ.get("SYNAPSE_DATA_DIR", "/data")
    log_config = pathlib.Path(config_dir(), f"{server_name}.log.config")
    if not log_config.exists():
        log_config.write_text(LOG_CONFIG, encoding="utf-8")
    wanted = identity()
    if wanted:
        uid, gid = (int(part) for part in wanted.split(":"))
        os.chown(data_dir, uid, gid)
    command = [sys.executable, "-m", "synapse.app.homeserver", "--generate-config", "--open-private-ports"]
    command += ["--server-name", server_name, "--report-stats", os.environ["SYNAPSE_REPORT_STATS"]]
    command += ["--config-path", config_path(), "--config-directory", config_dir(), "--data-directory", data_dir]
    sys.exit(subprocess.run(as_identity(command), check=False).returncode)


def main() -> None:
    mode, *arguments = sys.argv[1:] or ["run"]
    if mode == "run":
        run(arguments)
    elif mode == "generate":
        generate()
    else:
        fail(f"Unknown execution mode {mode!r}: use `run` or `generate`.")


if __name__ == "__main__":
    main()
