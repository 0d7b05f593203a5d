#!/bin/sh
# SPDX-License-Identifier: MIT
exec /usr/bin/python3 /usr/local/lib/element-double/element_double.py "$@"
