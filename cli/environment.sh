# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Python environments keyed by a lock file and a Python version. Sourced by suite-deploy and tests/run.
#
#   find_environment NAME LOCK     sets $environment when one is ready; starts no Python
#   make_environment NAME LOCK [BASE]   makes it, on top of the environment BASE when one is given;
#                                  whoever comes second waits and takes the first one's
#
# An environment appears under its final name only when it is complete, so one that is there can be used.

oldest_minor=11
newest_minor=14

say() {
    printf 'suite-deploy: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Sets $cache: below the caller's own cache directory, or root's when sudo left another user's HOME in place.
find_cache() {
    cache=${XDG_CACHE_HOME:-${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}/.cache}
    nearest=$cache
    while [ -n "$nearest" ] && [ ! -e "$nearest" ]; do
        nearest=${nearest%/*}
    done
    if [ ! -O "${nearest:-/}" ] && [ "$(id -u)" = 0 ]; then
        cache=$(getent passwd 0 | cut -d: -f6)/.cache
    fi
    cache=$cache/suite-deploy
}

# Sets $key from the lock's content.
find_key() {
    key=$(sha256sum <"$1")
    key=${key%"${key#????????????}"}
}

find_environment() {
    find_cache
    find_key "$2"
    for environment in "$cache/$1-$key"-py3.*; do
        # A Python that an upgrade of the machine removed leaves a dangling link: not ready.
        case $environment in
            *.tmp) ;;
            *) if [ -x "$environment/bin/python" ]; then return 0; fi ;;
        esac
    done
    return 1
}

# Sets $python and $minor to the first usable Python, preferring one that can make environments.
find_python() {
    python='' minor=''
    seen=''
    for candidate in "${SUITE_DEPLOY_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        # The real executable with its version, so that the environment ends when that version goes.
        found=$("$candidate" -I -c '
import os, sys
try:
    import ensurepip, venv
    complete = "complete"
except ImportError:
    complete = "bare"
base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
print(*sys.version_info[:2], complete, base)' 2>/dev/null) || continue
        # shellcheck disable=SC2086 # split into words on purpose
        set -- $found
        seen="$seen $candidate ($1.$2)"
        if [ "$1" != 3 ] || [ "$2" -lt "$oldest_minor" ] || [ "$2" -gt "$newest_minor" ]; then continue; fi
        if [ -z "$python" ] || [ "$3" = complete ]; then
            minor=$2 state=$3
            shift 3
            python=$*
            if [ "$state" = complete ]; then return 0; fi
        fi
    done
    [ -n "$python" ] || fail "Python 3.$oldest_minor to 3.$newest_minor is needed, found:${seen:- none}." \
        "On Debian: sudo apt-get install python3 python3-venv"
    get_venv_module
}

get_venv_module() {
    package=python3.$minor-venv
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$python cannot make environments (its modules venv and ensurepip are missing)." \
            "Run: sudo apt-get install $package"
    fi
    say "$python lacks the modules venv and ensurepip: installing the Debian package $package"
    install="apt-get install --yes --no-install-recommends $package"
    if ! DEBIAN_FRONTEND=noninteractive $install </dev/null >/dev/null 2>&1; then
        apt-get update </dev/null >&2 || true
        DEBIAN_FRONTEND=noninteractive $install </dev/null >&2 || fail "$package could not be installed. Run: $install"
    fi
}

make_environment() {
    if [ -n "${3:-}" ]; then
        python=$(readlink -f "$3/bin/python")
        minor=${3##*-py3.}
    else
        find_python
    fi
    environment=$cache/$1-$key-py3.$minor
    mkdir -p "$cache" || fail "$cache cannot be written; set XDG_CACHE_HOME to a directory that can"
    exec 9>"$environment.lock"
    if ! flock -n 9; then
        say "another run is making $environment, waiting for it"
        flock 9
    fi
    # Made by whom we waited for?
    if [ ! -x "$environment/bin/python" ]; then
        build_environment "$2" "${3:-}"
    fi
    exec 9>&-
}

build_environment() {
    building=$environment.tmp
    rm -rf "$environment" "$building"
    trap 'rm -rf "$building"; exit 130' INT TERM HUP
    say "making the Python environment for this version, once: $environment"
    say "it takes about a minute and 600 MB"
    "$python" -I -m venv "$building" || fail_building "the environment could not be made"
    "$building/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
        --no-deps --require-hashes --requirement "$1" </dev/null >&2 || fail_building "the packages of $1 could not be installed"
    if [ -n "$2" ]; then add_base "$2"; fi
    finish_environment
    mv "$building" "$environment"
    trap - INT TERM HUP
}

fail_building() {
    rm -rf "$building"
    fail "$1; the lines above say why. Run the same command again to try once more."
}

# Lets the environment see the packages of the one it builds on, and start its programs.
add_base() {
    printf '%s\n' "$1/lib/python3.$minor/site-packages" >"$building/lib/python3.$minor/site-packages/base.pth"
    for program in "$1"/bin/*; do
        [ -e "$building/bin/${program##*/}" ] || ln -s "$program" "$building/bin/"
    done
}

finish_environment() {
    # Scripts name their interpreter by path: give them the final one.
    for script in "$building"/bin/*; do
        if [ -f "$script" ] && [ ! -L "$script" ] && grep -qF "$building" "$script"; then
            BUILDING=$building FINAL=$environment "$building/bin/python" -I -c '
import os, pathlib, sys
script = pathlib.Path(sys.argv[1])
script.write_text(script.read_text().replace(os.environ["BUILDING"], os.environ["FINAL"]))' "$script"
        fi
    done
}
