#!/bin/sh
# SPDX-License-Identifier: MIT
exec /usr/bin/python3 /usr/local/lib/lk-jwt-double/lkjwt_double.py "$@"
