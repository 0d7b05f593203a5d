# SPDX-License-Identifier: MIT
"""What the engine and the clouds say when something goes wrong → what happened and what to do, in plain words."""

from __future__ import annotations

import re
from pathlib import Path

#: (what is looked for, what happened, the next step); the first that fits is said
_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), happened, step)
    for pattern, happened, step in (
        (
            # what a provider of ours says of values that its own models refuse
            r"\b\d+ validation errors? for [A-Z]",
            "a program of this product does not understand its own values: this is a fault of it",
            "What was made is recorded, and running the same command again does not help. Report it, with the whole"
            " output.",
        ),
        (
            r"incorrect passphrase|passphrase must be set|unable to decrypt|constructing secrets manager",
            "the engine's state was encrypted with another passphrase",
            "Put back the lines of suite.engine_passphrase in secrets.yml that this suite was made with, from version"
            " control or a backup.",
        ),
        (
            r"request rate exceeded|rate limit|too many requests|throttl|\bHTTP 429\b|AccessDenied (6|24|25)\b",
            "the cloud takes no more requests just now",
            "Nothing is lost: what was made is recorded. Run the same command again in a few minutes.",
        ),
        (
            # OpenStack says 403 for a used-up quota too: only its words tell it from missing rights
            r"quota[ _](has been |is )?(exceeded|exceded|used)|exceed(s|ed|ing)? [^.\n]*quota|limit ?exceeded"
            r"|OverLimit|TooManyResources|maximum number of \w+ (allowed|exceeded)|no valid host|got 413 instead"
            r"|insufficient ?(capacity|resources)",
            "the cloud has no room left for that: a quota or its capacity is used up",
            "What was made is recorded. What is needed and what is left: suite-deploy preview NAME. Then ask for more,"
            " or choose smaller sizes.",
        ),
        (
            # Keystone says it of EC2 credentials as well as of application credentials
            r"not allowed for managing additional application credentials",
            "these credentials may not make others: they are a restricted application credential",
            "Sign in with OS_USERNAME and OS_PASSWORD, or with an application credential made with --unrestricted:"
            " docs/operator/openstack.md",
        ),
        (
            r"duplicate[_ ]recordset",
            "a DNS record of that name is there already, and this suite did not make it",
            "Nothing of it was touched. Remove it from the zone and run the same command again, or leave"
            " infrastructure.dns out: `up` then lists the records to publish.",
        ),
        (
            # Outscale says 401 for missing rights too: only its code tells them from wrong keys
            r"AccessDenied 4\b",
            "the cloud does not let this account do that",
            "Give the account the rights listed in docs/operator/outscale.md, or use another one.",
        ),
        (
            r"\b401\b|authentication failed|requires authentication|invalid (username|credential|signature)"
            r"|AuthFailure|InvalidAccessKey|SignatureDoesNotMatch"
            r"|this (credential|application( key)?) (is not|does not|is invalid)",
            "the cloud does not accept the credentials",
            "Look at what is used, without its values: suite-deploy doctor NAME",
        ),
        (
            r"\b403\b|forbidden|AccessDenied|not (authorized|allowed) to|disallowed by policy",
            "the cloud does not let this account do that",
            "Give the account the rights listed in docs/operator/clouds.md, or use another one.",
        ),
        (
            r"no suitable endpoint could be found|endpoint .*not found in the catalog|region .*(not found|unknown)"
            r"|InvalidRegion|no endpoint.*region",
            "the cloud has no such region for this account",
            "Compare infrastructure.region with the cloud's own list; regions are case-sensitive.",
        ),
        (
            r"flavor.*(not found|could not be found|no results)|no flavor|InvalidVmType|vm ?type .*(invalid|unknown)"
            r"|no such vm type",
            "the cloud has no such flavor",
            "What was made is recorded. Write one that the provider sells as `flavor` of the host in suite.yml, then"
            " run the same command again.",
        ),
        (
            r"could not (download|install|find) plugin|no (resource|language) plugin"
            r"|failed to (load|install) (language )?plugin|plugin .* not found",
            "a plugin of the engine is missing and could not be fetched",
            "Run: suite-deploy doctor NAME --fix. Without a way out, set `engine.plugins` to a mirror.",
        ),
        (
            # the words of OpenStack's, Outscale's and Go's own clients
            r"connection (refused|reset|timed out|aborted)|no such host|i/o timeout|TLS handshake|max retries"
            r"|network is unreachable|temporary failure in name resolution|name or service not known|\bEOF\b"
            r"|ConnectionError|Bad Gateway|\b50[234]\b|context deadline exceeded|Client\.Timeout exceeded|broken pipe"
            r"|server closed idle connection|remote end closed connection|unable to establish connection"
            r"|gave no answer|cannot be reached|Outscale failed with HTTP 5",
            "the connection to the cloud was lost or could not be made",
            "What was made is recorded. Run the same command again once the cloud answers: it goes on from there.\n"
            "  If the answer to a creation was lost, the cloud may hold one that this suite does not know of.",
        ),
        (
            r"already exist|duplicate[- ](key|name|entry)|are named [^\n]*remove all but"
            r"|exists (with another|\([^)]*\) with)",
            "the cloud already has one of these, which this suite does not know of",
            "It may be of an earlier run whose answer was lost, or somebody else's. Look at it there.\n"
            "  If nobody uses it, remove it, then run the same command again.",
        ),
        (
            r"got 409 instead|HTTP 409|\bin[- ]use\b|still (used|attached)|ResourceConflict|ResourceInUse",
            "the cloud does not do that while something else uses it, or is in its way",
            "What was made is recorded, and nothing has to be removed. The lines above name what is in use, or in the"
            " way: wait for it to end, or free it there.\n"
            "  Then run the same command again.",
        ),
        (
            r"cannot be deleted[^.]*protected|is protected",
            "data would be removed and is protected",
            "Take back the change that asks for it. On purpose, with the data: suite-deploy destroy NAME --with-data",
        ),
    )
)
#: the next step where nothing fits
_UNKNOWN = (
    "What was made is recorded. Run the same command again: it goes on from there. If it ends like this once more,\n"
    "  see what is left to do and what the cloud says of it: suite-deploy preview NAME"
)
#: how a problem of the inventory begins, which says its own next step
_PROBLEM = re.compile(r"^\S+\.ya?ml:\d+: ")
#: how Python ends a list of frames: one of them, its source lines, then the error itself, less indented
_FRAME = re.compile(r'^(?P<indent>\s*)File ".*", line \d+')
_RAISED = re.compile(r"^(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*: |^Exception: ")
#: a proxy that is away or refuses: the address that was wanted says nothing of it
_PROXY = re.compile(
    r"\(Caused by ProxyError\([\"'][^\"']*[\"'], \w+\([\"']"
    r"(?:HTTPS?Connection\(host='(?P<host>[^']*)', port=(?P<port>\d+)\): )?(?P<why>.+)[\"']\)\)\)\s*$"
)
_CAUSED = re.compile(r"\(Caused by \w+\([\"'](?:HTTPS?Connection\(.*?\): )?(?P<why>.+)[\"']\)\)\s*$")
_LOCK = re.compile(r"created by (?P<who>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


def explain(text: str, *, doing: str, log: Path | None = None, unlock: str = "") -> str:
    """The message for a failed run of the engine.

    text: what the engine said. doing: which command. log: where the whole output is. unlock: the command that removes
    a lock left behind.
    """
    if "currently locked by" in text:
        return _locked(text, unlock)
    said = [line for line in (line.strip() for line in text.splitlines()) if line]
    known = next(((what, step) for pattern, what, step in _KNOWN if pattern.search(text)), None)
    if _PROBLEM.match(text):
        return text.strip()
    lines = [known[0] if known else f"the engine could not finish ({doing})"]
    lines += [f"  {line}" for line in said[:12]]
    lines.append(f"  {known[1] if known else _UNKNOWN}")
    if log:
        lines.append(f"  The whole output: {log}")
    return "\n".join(lines)


def without_frames(text: str) -> str:
    """What an error says, without the traceback and the name of its class that the engine's SDK sends along."""
    if "Traceback (most recent call last)" not in text:
        return text
    lines = text.splitlines()
    frames = [(number, match) for number, line in enumerate(lines) if (match := _FRAME.match(line))]
    if not frames:
        return text
    last, frame = frames[-1]
    indent = len(frame["indent"])
    rest = lines[last + 1 :]
    while rest and (not rest[0].strip() or len(rest[0]) - len(rest[0].lstrip()) >= indent):
        rest = rest[1:]
    said = "\n".join(rest).strip()
    return _RAISED.sub("", said, count=1) if said else text


def innermost(text: str) -> str:
    """The reason inside what Python's HTTP client says of a connection that failed; any other text as it is."""
    proxy = _PROXY.search(text)
    if proxy:
        where = f" {proxy['host']}:{proxy['port']}" if proxy["host"] else ""
        return f"the proxy{where} does not help: {proxy['why']}"
    caused = _CAUSED.search(text)
    return caused["why"] if caused else text


def lock_owners(text: str) -> list[tuple[str, int, str]]:
    """(user@host, process id, since) of each lock that the engine names."""
    return [(match["who"], int(match["pid"]), match["since"]) for match in _LOCK.finditer(text)]


def _locked(text: str, unlock: str) -> str:
    owners = lock_owners(text)
    who = [f"  by {owner} since {since} (process {pid})" for owner, pid, since in owners] or ["  by a run not named"]
    return "\n".join(
        [
            "the engine's state is locked, nothing was touched:",
            *who,
            "  If that run still goes on, wait for it to end.",
            f"  If it was killed or its machine is gone: {unlock or 'suite-deploy doctor NAME --unlock'}",
        ]
    )
