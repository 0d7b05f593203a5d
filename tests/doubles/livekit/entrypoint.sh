#!/bin/sh
# SPDX-License-Identifier: MIT
exec /usr/bin/python3 /usr/local/lib/livekit-double/livekit_double.py "$@"
