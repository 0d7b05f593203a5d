# SPDX-License-Identifier: MIT
"""Driver `local`: Debian 13 hosts as systemd-nspawn machines on this machine. Needs root, no engine, no cloud.

    driver = LocalDriver(suite="demo", hosts=[HostWanted("demo-1", ("edge", "apps", "data"), {"postgresql": "10GiB"})],
                         names={"chat.demo.example": "demo-1"}, state_dir=Path("/var/lib/suite-deploy/demo"))
    outputs = driver.apply(print)         # idempotent; restarts what died
    driver.destroy(print, with_data=False)

To look inside a host by hand, with the files `apply` leaves in the state directory:

    ssh -i STATE/id_ed25519 -o UserKnownHostsFile=STATE/known_hosts suite@ADDRESS      (addresses: STATE/outputs.json)
    less STATE/logs/HOST.console                                                       (what the host said at boot)

The hosts have no route out. Packages come through a caching proxy on the suite's bridge, images from a registry there.
"""

from stacks.local.driver import LocalDriver
from stacks.local.layout import HostWanted

__all__ = ["HostWanted", "LocalDriver"]
