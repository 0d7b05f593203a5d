# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Python environments keyed by a lock file and a Python version. Sourced by suite-deploy and tests/run.
#
#   find_environment NAME LOCK           sets $environment when one is ready; starts no Python
#   make_environment NAME LOCK [BASE]    makes it, on top of the environment BASE when one is given;
#                                        whoever comes second waits and takes what the first one made
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
    if [ -z "${HOME:-}" ]; then
        HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    fi
    cache=${XDG_CACHE_HOME:-$HOME/.cache}
    nearest=$cache
    while [ -n "$nearest" ] && [ ! -e "$nearest" ]; do
        nearest=${nearest%/*}
    done
    # shellcheck disable=SC3067 # Debian's sh and bash know -O, and asking stat would start a process at each call
    if [ ! -O "${nearest:-/}" ] && [ "$(id -u)" = 0 ]; then
        cache=$(getent passwd 0 | cut -d: -f6)/.cache
    fi
    cache=$cache/suite-deploy
}

# Sets $key from the lock's content.
find_key() {
    [ -r "$1" ] || fail "$1 cannot be read: the checkout is incomplete"
    key=$(sha256sum <"$1")
    key=${key%"${key#????????????}"}
}

find_environment() {
    find_cache
    find_key "$2"
    # Whoever names a Python gets an environment of that one.
    if [ -n "${SUITE_DEPLOY_PYTHON:-}" ]; then return 1; fi
    for environment in "$cache/$1-$key"-py3.??; do
        # A Python that an upgrade of the machine removed leaves a dangling link: not ready.
        if [ -x "$environment/bin/python" ]; then return 0; fi
    done
    return 1
}

# Sets $python and $minor to the first usable Python, preferring one that can make environments.
find_python() {
    python='' minor='' seen=''
    for candidate in "${SUITE_DEPLOY_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        # The real executable with its version, so that the environment ends when that version goes.
        found=$("$candidate" -I -c '
import os, sys
try:
    import ensurepip, venv
    state = "complete"
except ImportError:
    state = "bare"
print(*sys.version_info[:2], state, os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
' 2>/dev/null) || found=''
        if [ -n "$found" ]; then
            # shellcheck disable=SC2086 # split into words on purpose
            set -- $found
            seen="$seen $candidate ($1.$2)"
            if [ "$1" = 3 ] && [ "$2" -ge "$oldest_minor" ] && [ "$2" -le "$newest_minor" ]; then
                if [ -z "$python" ] || [ "$3" = complete ]; then
                    minor=$2
                    python=${found#"$1 $2 $3 "}
                fi
                if [ "$3" = complete ]; then return 0; fi
            fi
        fi
        if [ -n "${SUITE_DEPLOY_PYTHON:-}" ]; then break; fi
    done
    [ -n "$python" ] || fail "Python 3.$oldest_minor to 3.$newest_minor is needed, found:${seen:- none}." \
        "On Debian: sudo apt-get install python3 python3-venv"
    get_venv_module
}

get_venv_module() {
    package=python3.$minor-venv
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$python cannot make environments (the modules venv and ensurepip are missing)." \
            "Run: sudo apt-get install $package"
    fi
    say "$python lacks the modules venv and ensurepip: installing the Debian package $package"
    if ! apt_install "$package" >/dev/null 2>&1; then
        # Lists that are missing or out of date, as on a fresh machine.
        apt-get update </dev/null >&2 || say "the package lists could not be updated"
        apt_install "$package" >&2 || fail "$package could not be installed; the lines above say why"
    fi
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$1" </dev/null
}

make_environment() {
    if [ -n "${3:-}" ]; then
        python=$(readlink -f "$3/bin/python")
        minor=${3##*-py3.}
    else
        find_python
    fi
    environment=$cache/$1-$key-py3.$minor
    mkdir -p "$cache" || fail "$cache cannot be written: set XDG_CACHE_HOME to a directory that can"
    # Inherited by the children on purpose: a killed run's pip keeps the lock until it has ended too.
    exec 9>"$environment.lock" || fail "$cache cannot be written: set XDG_CACHE_HOME to a directory that can"
    if ! flock -n 9; then
        say "another run is making $environment, waiting for it"
        flock 9
    fi
    # Absent also after the wait, when whoever held the lock was interrupted.
    if [ ! -x "$environment/bin/python" ]; then
        build_environment "$2" "${3:-}"
    fi
    exec 9>&-
}

build_environment() {
    building=$environment.tmp
    step=''
    trap 'interrupted' INT TERM HUP
    rm -rf "$environment" "$building"
    say "making the Python environment for this version, once (half a minute, 500 MB): $environment"
    step "$python" -I -m venv --prompt suite-deploy "$building" || fail_building "the environment could not be made"
    # The caller's own pip settings hold, but for the ones that would install somewhere else.
    step env -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT PIP_USER=0 \
        "$building/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
        --root-user-action=ignore --no-deps --require-hashes --requirement "$1" ||
        fail_building "the packages of $1 could not be installed"
    if [ -n "$2" ]; then add_base "$2"; fi
    # Scripts and byte code name their place by path: give them the final one.
    step "$building/bin/python" -I -B -c '
import pathlib, sys
building, final = (path.encode() for path in sys.argv[1:])
root = pathlib.Path(sys.argv[1])
for file in [*root.joinpath("bin").iterdir(), root / "pyvenv.cfg"]:
    if file.is_file() and not file.is_symlink() and building in (content := file.read_bytes()):
        file.write_bytes(content.replace(building, final))
' "$building" "$environment" || fail_building "the scripts of the environment could not be completed"
    # Modules of collections are sent to the hosts as source: their byte code would never be read. What pip
    # ships for other systems may not compile, which is no failure.
    step "$building/bin/python" -I -m compileall -f -qq -j 0 -x '/ansible_collections/|/lib2to3/' \
        -s "$building" -p "$environment" "$building/lib" || true
    mv "$building" "$environment"
    trap - INT TERM HUP
}

# Runs a command so that a signal to this shell is answered at once and ends all that the command has started.
step() {
    setsid "$@" </dev/null >&2 &
    step=$!
    wait "$step"
}

interrupted() {
    trap '' INT TERM HUP
    if [ -n "$step" ]; then
        kill -s KILL -- "-$step" 2>/dev/null || true
        wait "$step" || true
    fi
    rm -rf "$building"
    say "interrupted; run the same command again to go on"
    exit 130
}

fail_building() {
    rm -rf "$building"
    fail "$1; the lines above say why. Run the same command again once that is mended."
}

# Lets the environment see the packages of the one it builds on, and start its programs.
add_base() {
    printf '%s\n' "$1/lib/python3.$minor/site-packages" >"$building/lib/python3.$minor/site-packages/base.pth"
    for program in "$1"/bin/*; do
        [ -e "$building/bin/${program##*/}" ] || ln -s "$program" "$building/bin/"
    done
}
