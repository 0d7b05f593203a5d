#!/bin/sh
# SPDX-License-Identifier: MIT
if [ "${GRIST_SANDBOX_FLAVOR:-}" = gvisor ]; then
    # As upstream's self-test ends where processes cannot be traced, which no container of a suite may
    echo "gvisor check failed; consider different GVISOR_FLAGS or GRIST_SANDBOX_FLAVOR" >&2
    exit 1
fi
exec /usr/bin/python3 /grist/double/grist_double.py
