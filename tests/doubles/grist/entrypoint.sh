#!/bin/sh
# SPDX-License-Identifier: MIT
# As in the image: /grist and /persist must be readable by whoever this runs as
for folder in /grist /persist; do
    test -r "$folder" || { echo "Invalid permissions, cannot read '$folder'. Aborting." >&2; exit 1; }
done
exec "$@"
