#!/bin/sh
# SPDX-License-Identifier: MIT
# Arguments go to the gateway; without any, VGW_BACKEND names the backend, VGW_ARGS and VGW_BACKEND_ARGS (split at spaces)
# and VGW_BACKEND_ARG go around it.
set -eu
program="${VGW_BINARY:-/usr/local/bin/versitygw}"
if [ "$#" -gt 0 ]; then
    exec "$program" "$@"
fi
case "${VGW_BACKEND:-}" in
    posix | scoutfs | s3 | azure | plugin | iam) ;;
    *)
        echo "VGW_BACKEND must be one of posix, scoutfs, s3, azure, plugin, iam, or give arguments." >&2
        exit 1
        ;;
esac
# shellcheck disable=SC2086
exec "$program" ${VGW_ARGS:-} "$VGW_BACKEND" ${VGW_BACKEND_ARG:+"$VGW_BACKEND_ARG"} ${VGW_BACKEND_ARGS:-}
