# SPDX-License-Identifier: MIT
"""Names below a suite's state directory that more than one part of this program knows."""

from __future__ import annotations

#: held by whoever works on the suite; never removed
LOCK = "lock"
#: what the driver made or found
OUTPUTS = "outputs.json"
#: there from the first creation of an `up` until its outputs are recorded
UNFINISHED = "unfinished"
#: how hosts are reached, and their keys
SSH_CONFIG, KNOWN_HOSTS = "ssh_config", "known_hosts"
#: secrets that the stack made, for the roles
STACK_SECRETS = "stack-secrets.yml"
#: folder of the engine: project, policy pack, state
ENGINE = "engine"
#: size → flavor, as chosen for derived hosts
FLAVORS = "flavors.json"
#: values that can never change once there is data, and the cloud that holds it
IMMUTABLE = "immutable.json"
#: the suite's own CA certificate, for whoever has to trust it
AUTHORITY = "ca.crt"
#: trees of rendered files: of this run, and as last installed
BUILD, INSTALLED = "build", "installed"
#: folder of ansible's own files
ANSIBLE = "ansible"
#: what the last successful `up` came to
RUN_RECORD = "last-run.json"
#: folder of the output of children
LOGS = "logs"

#: described hosts that are gone after a `destroy`
GONE_WITH_HOSTS = (OUTPUTS, UNFINISHED, STACK_SECRETS, KNOWN_HOSTS, SSH_CONFIG)
#: was true of data that is gone after a `destroy --with-data`
GONE_WITH_DATA = (ENGINE, FLAVORS, IMMUTABLE, ANSIBLE, BUILD, INSTALLED, RUN_RECORD)
