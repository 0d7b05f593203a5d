# SPDX-License-Identifier: MIT
"""The policy pack: `pulumi preview --policy-pack policies/pack`. Serves the engine; nothing imports it."""

import importlib
import sys
from pathlib import Path

#: in a checkout the package lies beside; an installed one is found anyway
CLI = Path(__file__).resolve().parent.parent.parent / "cli"
if CLI.is_dir():
    sys.path.insert(0, str(CLI))

pack = importlib.import_module("suite_deploy.policy.pulumi_pack")
pack.serve()
