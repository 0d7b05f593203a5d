# SPDX-License-Identifier: MIT
"""The world's registries, or the mirror that stands in for them, through skopeo.

Skopeo brings the login (`skopeo login`, `podman login`, `docker login`, $REGISTRY_AUTH_FILE), the machine's
registries.conf, its certificates and token authentication. What is pinned is the digest of the whole image, its index
where it has one: hosts of any architecture find their variant below it, and a copy of it is the same everywhere.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ..errors import CouldNotRun
from ..runners.process import capture, run
from .registry import host_of, unreachable
from .store import Progress

#: processes of skopeo at once; seconds for one answer, and for the very first one of a registry that seems away
PARALLEL = 8
ANSWER = 60
FIRST_ANSWER = 10
RETRIES = 3
_SAID = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_ADDRESS = re.compile(r"(?:(?:Error|error|while)\b[^:\"]*\"?docker://[^\"\s]+\"?: )+")
#: what a registry that is there says when it does not give an image → what to do about it
_ANSWERS: tuple[tuple[str, str], ...] = (
    (
        r"unauthorized|authentication required|access to the resource is denied|invalid username|denied:|status 40[13]",
        "the registry wants a login, or another one: skopeo login {host}",
    ),
    (r"manifest unknown|name unknown|not found|repository name not known|status 404", "there is no such image or tag"),
    (
        r"x509|certificate|tls:",
        "its certificate is not trusted here: put its CA into /etc/containers/certs.d/{host}/ca.crt",
    ),
    (r"toomanyrequests|status 429", "it limits how often it is asked: log in (skopeo login {host}) or come back later"),
)
#: how skopeo words a failure on the side it copies to
_WRITING = r"destination|writing (?:blob|manifest)|uploading|initiating layer upload"
Result = TypeVar("Result")
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Wanted:
    """An image by the name components use (`name:tag`), and where it is asked for. mirror: `host[:port][/path]`."""

    reference: str
    mirror: str | None = None

    @property
    def asked(self) -> str:
        """`name:tag` at the registry that is asked."""
        return mirrored(self.reference, self.mirror)

    @property
    def host(self) -> str:
        """`host[:port]` of that registry."""
        return host_of(self.asked)

    def at(self, digest: str) -> str:
        """`name@digest` at that registry."""
        return f"{self.asked.rpartition(':')[0]}@{digest}"


def mirrored(name: str, mirror: str | None) -> str:
    """An image's name at a mirror: its registry exchanged, its path kept."""
    return f"{mirror.rstrip('/')}/{name.partition('/')[2]}" if mirror else name


def need_skopeo() -> None:
    """Raise CouldNotRun when the program that speaks to registries is missing."""
    if shutil.which("skopeo") is None:
        raise CouldNotRun("skopeo is missing: it asks the registries. On Debian: sudo apt-get install skopeo")


def registries_away(wanted: Iterable[Wanted]) -> dict[str, str]:
    """Registries that do not answer, and why: asked once each, all at the same time, before anything else.

    One that seems away is asked once more through skopeo, which may know another way to it.
    """
    one_of = {item.host: item for item in wanted}
    silent = unreachable(one_of)

    def ask_again(host: str) -> str | None:
        try:
            digest_of(one_of[host].asked, FIRST_ANSWER, retries=0)
        except CouldNotRun as error:
            return None if _advice(host, words_of(error)) else silent[host]
        return None

    answers = _together(ask_again, sorted(silent), PARALLEL)
    return {host: why for host, why in answers.items() if why}


def digests(wanted: Iterable[Wanted], progress: Progress) -> tuple[dict[str, str], list[str]]:
    """Digest of each image by its reference, and a line for each that there is none of. Asks all at once."""
    items = list(wanted)
    away = registries_away(items)
    failures = [away_line(host, why, items) for host, why in sorted(away.items())]
    asked = [item for item in items if item.host not in away]

    def ask(item: Wanted) -> str | CouldNotRun:
        progress(item.asked)
        try:
            return digest_of(item.asked, ANSWER)
        except CouldNotRun as error:
            return error

    found = _together(ask, asked, PARALLEL)
    failures += [failure_line(item, answer) for item, answer in found.items() if isinstance(answer, CouldNotRun)]
    return {item.reference: answer for item, answer in found.items() if isinstance(answer, str)}, failures


def digest_of(reference: str, timeout: float, retries: int = RETRIES) -> str:
    """Digest of what a reference stands for, an index or a manifest (`timeout` in seconds for all retries).

    Raises CouldNotRun with skopeo's own words.
    """
    command = ["skopeo", f"--command-timeout={int(timeout)}s", "inspect", "--raw", f"--retry-times={retries}"]
    raw = capture([*command, f"docker://{reference}"], timeout=timeout + 5)
    return f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}"


def copy_all(images: Mapping[Wanted, str], to: str, progress: Progress) -> tuple[int, list[str]]:
    """Copy images by digest to the mirror `to`, with every architecture they have, unless they are there already.

    images: where each is taken from → its digest. One after the other, so that an interrupt ends it at once.
    Returns how many were copied and a line for each that was not.
    """
    targets = {item: Wanted(item.reference, to) for item in images}
    everything = [*targets.values(), *images]
    away = registries_away(everything)
    failures = [away_line(host, why, everything) for host, why in sorted(away.items())]
    if any(target.host in away for target in targets.values()):
        return 0, failures
    reachable = [item for item in images if item.host not in away]

    def look(item: Wanted) -> bool | CouldNotRun:
        try:
            return has(targets[item].asked, images[item])
        except CouldNotRun as error:
            return error

    copied = 0
    for item, there in _together(look, reachable, PARALLEL).items():
        target, digest = targets[item], images[item]
        if there is True:
            progress(f"{target.asked}: is there already")
            continue
        if there is not False:
            failures.append(failure_line(target, there))
            continue
        progress(f"copying {item.at(digest)} to {target.asked}")
        command = ["skopeo", "copy", "--all", "--preserve-digests", f"--retry-times={RETRIES}"]
        try:
            run([*command, f"docker://{item.at(digest)}", f"docker://{target.asked}"])
        except CouldNotRun as error:
            writing = re.search(_WRITING, words_of(error), re.IGNORECASE)
            failures.append(failure_line(target if writing else item, error))
            continue
        copied += 1
    return copied, failures


def has(reference: str, digest: str) -> bool:
    """Whether a tag stands for exactly this digest; raises CouldNotRun unless the registry says yes or no."""
    try:
        return digest_of(reference, ANSWER) == digest
    except CouldNotRun as error:
        if re.search(_ANSWERS[1][0], words_of(error), re.IGNORECASE):
            return False
        # a registry may hide from those who may write what is not there yet; the copy will tell
        if re.search(_ANSWERS[0][0], words_of(error), re.IGNORECASE):
            return False
        raise


def away_line(host: str, why: str, wanted: Iterable[Wanted]) -> str:
    """What to say of a registry that does not answer: every image it was to give, without its name, and what to do."""
    images = sorted({item.asked.partition("/")[2] for item in wanted if item.host == host})
    head = f"the registry {host} does not answer ({why}): {len(images)} image{'s' if len(images) != 1 else ''} of it"
    step = "run the same command where that registry can be reached"
    return "\n    ".join([head, *images, step])


def failure_line(item: Wanted, error: CouldNotRun) -> str:
    """One line for an image: what skopeo said, and what to do where that is known."""
    words = words_of(error)
    advice = _advice(item.host, words)
    said = words if len(words) < 300 else f"{words[:300]}…"
    return f"{item.asked}: {advice} ({said})" if advice else f"{item.asked}: {said}"


def words_of(error: CouldNotRun) -> str:
    """What skopeo itself says in the last line of its failure."""
    last = str(error).strip().splitlines()[-1].strip()
    if said := _SAID.search(last):
        last = said.group(1).replace('\\"', '"')
    return _ADDRESS.sub("", last)


def _advice(host: str, words: str) -> str:
    for pattern, advice in _ANSWERS:
        if re.search(pattern, words, re.IGNORECASE):
            return advice.format(host=host)
    return ""


def _together(work: Callable[[Asked], Result], items: Iterable[Asked], at_once: int) -> dict[Asked, Result]:
    """The result of `work` for each item, several at a time; after an interrupt none begins that has not."""
    pool = ThreadPoolExecutor(at_once)
    try:
        waiting = {item: pool.submit(work, item) for item in items}
        return {item: result.result() for item, result in waiting.items()}
    finally:
        pool.shutdown(cancel_futures=True)
