# SPDX-License-Identifier: MIT
"""What every resource does alike: check, look before creating, wait, read, compare, change, remove.

Providers are stateless and pickled by reference into the engine's state: a class renamed or moved leaves old states
unreadable, so names of these modules and classes stay.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Any, ClassVar, Generic, TypeVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from .client import Answer, Client
from .errors import ApiError, NotUnique, OutscaleError, TimedOut, WrongAccount
from .inputs import PROVIDER_KEY, Inputs, defaults, has_unknown, plain, problems
from .pace import PACE, until

Given = TypeVar("Given", bound=Inputs)
#: seconds: a network, a volume, a host
SHORT, LONG = 300.0, 900.0
_ONE_BY_ONE: dict[str, threading.Lock] = defaultdict(threading.Lock)
_ENDED = frozenset(("deleted", "terminated"))
_FAILED = frozenset(("error", "quarantine"))


class Provider(ResourceProvider, Generic[Given]):
    """One kind of resource; subclasses say what is special about it.

    kind: what people call it. inputs: its properties. fixed: properties that the API cannot change, so that another
    value means another resource. ignored: properties that only count when it is made. collection, filter, key: where
    the API lists it (`Nets`), the filter for ids, and the name of its id. limit: seconds it may take to be ready.
    """

    # Nothing captured in a provider is secret: it has no attributes of its own.
    serialize_as_secret_always = False
    kind: ClassVar[str]
    inputs: ClassVar[type[Inputs]]
    fixed: ClassVar[frozenset[str]] = frozenset()
    ignored: ClassVar[frozenset[str]] = frozenset()
    collection: ClassVar[str]
    filter: ClassVar[str]
    key: ClassVar[str]
    limit: ClassVar[float] = SHORT
    #: whether nothing tells two of them apart before they are tagged; then they are made one by one
    unnamed: ClassVar[bool] = False
    #: states in which it exists no more
    gone: ClassVar[frozenset[str]] = frozenset(("deleting", "deleted", "terminated", "shutting-down"))
    #: states that need no more waiting; empty: it has none
    ready: ClassVar[frozenset[str]] = frozenset(("available",))

    # --- what subclasses say

    def make(self, client: Client, inputs: Given) -> Answer:
        """Ask the API for it, exactly once; what the API answers about it."""
        raise NotImplementedError

    def lost(self, client: Client, inputs: Given) -> Answer | None:
        """What an earlier attempt made and could not tag any more; None where that can't be known."""
        return None

    def finish(self, client: Client, live: Answer, inputs: Given) -> None:
        """Bring links and rules to what is wanted; does nothing where they are so already."""

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        """Properties as the API shows them now: those that can differ from what was asked, and computed ones.

        given: what was asked for or, at a refresh, what the state holds: that may be what inputs would refuse.
        """
        return {}

    def change(self, client: Client, live: Answer, old: Mapping[str, Any], new: Given) -> None:
        """Change what the API can change; `finish` runs afterwards."""

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        """Ask for its removal; `delete` sees to repetition and waits."""
        raise NotImplementedError

    def impossible(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(property, why) of changes that must be refused, because neither changing nor replacing would be right."""
        return []

    def is_others(self, live: Answer, properties: Mapping[str, Any]) -> bool:
        """Whether what is there now belongs to something else, so that ours is gone already."""
        return False

    def drifted(self, old: Mapping[str, Any]) -> bool:
        """Whether a computed property shows that it must be put right (a host that somebody stopped)."""
        return False

    # --- what the engine calls

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        found = problems(self.inputs, news) + self.impossible(plain(_olds), plain(news))
        failures = [CheckFailure(name, f"{self.kind} {_called(news)}: {name} {text}") for name, text in found]
        if failures or has_unknown(plain(news)):
            return CheckResult(news, failures)
        return CheckResult(self.inputs.model_validate(plain(news)).dump(), [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        news = {**defaults(self.inputs), **plain(_news)}
        changed = [name for name in self.inputs_of(news) | self.inputs_of(_olds) if not self.same(name, _olds, news)]
        replaces = [name for name in changed if name in self.fixed]
        # Names are unique, so what is replaced goes first: its successor would otherwise find it and take it over.
        return DiffResult(bool(changed) or self.drifted(_olds), replaces, delete_before_replace=True)

    def inputs_of(self, properties: Mapping[str, Any]) -> set[str]:
        """Names of the inputs among properties."""
        known = {field.alias or name for name, field in self.inputs.model_fields.items()}
        return known & set(properties) - self.ignored - {PROVIDER_KEY}

    def same(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a property is what it was; lists of this API have no order."""
        return _ordered(old.get(name)) == _ordered(new.get(name))

    def create(self, props: dict[str, Any]) -> CreateResult:
        inputs = self._typed(props)
        client = Client(inputs.region, inputs.endpoint)
        with _ONE_BY_ONE[self.kind] if self.unnamed else nullcontext():
            return self._created(client, inputs)

    def _created(self, client: Client, inputs: Given) -> CreateResult:
        live = self.find(client, inputs)
        if live is None:
            live = self._made(client, inputs)
        else:
            self._tag(client, live, inputs)
        live = self._settle(client, live, inputs)
        return CreateResult(self.id_of(live), self._outs(client, live, inputs.dump()))

    def _made(self, client: Client, inputs: Given) -> Answer:
        """Make it, and tag what could not be found again otherwise; take that back when it can't be tagged."""
        live = self.make(client, inputs)
        try:
            self._tag(client, live, inputs)
        except OutscaleError:
            if self.unnamed:
                with suppress(OutscaleError):
                    self.remove(client, live, {})
            raise
        return live

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        client = self._client_of(props)
        self._same_account(client, props)
        live = self._seen(client, id_)
        # What became somebody else's would be ours from here on, and be removed with the rest.
        if live is None or self.is_others(live, props):
            return ReadResult(None, {})
        # The state holds what an earlier refresh saw, which inputs may refuse: it is taken as it is.
        return ReadResult(id_, self._outs(client, live, {**defaults(self.inputs), **self._known(props)}))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        inputs = self._typed(_news)
        client = Client(inputs.region, inputs.endpoint)
        self._same_account(client, _olds)
        live = self.present(client, _id)
        if live is None:
            raise OutscaleError(f"{self.kind} {inputs.name} ({_id}) is gone: run it again, a refresh makes it anew")
        self.change(client, live, plain(_olds), inputs)
        self._tag(client, live, inputs)
        live = self._settle(client, live, inputs)
        return UpdateResult(self._outs(client, live, inputs.dump()))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        client = self._client_of(_props)
        self._same_account(client, _props)
        hindered: list[str] = []

        def gone() -> bool | None:
            live = self.known(client, _id)
            if live is None or live.get("State") in _ENDED or self.is_others(live, _props):
                return True
            if live.get("State") not in self.gone:
                hindered[:] = self._hindrance(client, live, _props)
            return None

        try:
            until(gone, f"{self.kind} {_called(_props)} ({_id}) to go", self.limit)
        except TimedOut as error:
            raise TimedOut(" ".join((f"{error}.", *hindered))) from None

    # --- parts

    def appearing(self, client: Client, send: Callable[[], Answer], like: Callable[[Answer], bool]) -> Answer:
        """Make something that has neither a token nor a name until it is tagged.

        After a lost answer, what is there now, was not before, is like it and carries no tags is what it made.
        """
        before = {self.id_of(item) for item in self.listed(client)}

        def new() -> Answer | None:
            now = [item for item in self.listed(client) if self.id_of(item) not in before]
            return next((item for item in now if like(item) and not item.get("Tags")), None)

        return client.once(send, new)

    def id_of(self, live: Answer) -> str:
        """The API's identifier."""
        return str(live[self.key])

    def listed(self, client: Client, **filters: Any) -> list[Answer]:
        """What the API lists for these filters and still exists."""
        return [item for item in self._all(client, **filters) if item.get("State") not in self.gone]

    def known(self, client: Client, id_: str) -> Answer | None:
        """What the API knows about it, in whatever state; None when it knows nothing."""
        try:
            return next((item for item in self._all(client, **{self.filter: [id_]}) if self.id_of(item) == id_), None)
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    def present(self, client: Client, id_: str) -> Answer | None:
        """What the API knows about it, None when it exists no more."""
        live = self.known(client, id_)
        return live if live is not None and live.get("State") not in self.gone else None

    def find(self, client: Client, inputs: Given) -> Answer | None:
        """What carries the wanted name already: made by an earlier run, or kept when the rest was removed.

        Raises NotUnique when several things do.
        """
        wanted = [f"{key}={inputs.tags[key]}" for key in ("Name", "suite")]
        # Two values of one filter are alternatives, so the second is compared here.
        found = [
            item
            for item in self.listed(client, Tags=wanted[:1])
            if _tags(item).get("suite") == inputs.tags["suite"] and _tags(item).get("Name") == inputs.name
        ]
        if len(found) > 1:
            ids = ", ".join(self.id_of(item) for item in found)
            raise NotUnique(f"several {self.kind}s are named {inputs.name}: {ids}. Remove all but the one in use")
        return self._same_kind(found[0], inputs) if found else self.lost(client, inputs)

    def _same_kind(self, live: Answer, inputs: Given) -> Answer:
        shown = {**inputs.dump(), **self.observed(live, inputs.dump())}
        other = [name for name in sorted(self.fixed) if not self.same(name, shown, inputs.dump())]
        if other:
            said = ", ".join(f"{name} {shown.get(name)!r} instead of {inputs.dump().get(name)!r}" for name in other)
            raise NotUnique(f"{self.kind} {inputs.name} exists ({self.id_of(live)}) with {said}. Rename or remove it")
        return live

    def _typed(self, properties: Mapping[str, Any]) -> Given:
        made: Any = self.inputs.model_validate(self._known(properties))
        return made

    def _known(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs among properties, as they are."""
        names = {field.alias or name for name, field in self.inputs.model_fields.items()}
        return {key: value for key, value in plain(properties).items() if key in names}

    def _client_of(self, properties: Mapping[str, Any]) -> Client:
        return Client(str(properties["region"]), str(properties["endpoint"]))

    def _same_account(self, client: Client, properties: Mapping[str, Any]) -> None:
        """With keys of another account everything would look deleted, and be made a second time there."""
        made_in, now = properties.get("accountId"), client.account()
        if made_in and now and made_in != now:
            raise WrongAccount(
                f"{self.kind} {_called(properties)} is in the account {made_in}, the access key is of {now}. "
                "Use the keys of the account that the suite was made in"
            )

    def _tag(self, client: Client, live: Answer, inputs: Given) -> None:
        lacking = {key: value for key, value in inputs.tags.items() if _tags(live).get(key) != value}
        if lacking:
            pairs = [{"Key": key, "Value": value} for key, value in sorted(lacking.items())]
            client.settled(lambda: client.read("CreateTags", ResourceIds=[self.id_of(live)], Tags=pairs))

    def _all(self, client: Client, **filters: Any) -> list[Answer]:
        found: list[Answer] = []
        page: str | None = None
        while True:
            answer = client.read(f"Read{self.collection}", Filters=filters, NextPageToken=page)
            found += answer.get(self.collection) or []
            page = answer.get("NextPageToken")
            if not page:
                return found

    def _settle(self, client: Client, live: Answer, inputs: Given) -> Answer:
        """Wait until it is ready, link it, and look once more: outputs are what the API says, not what was asked."""
        id_ = self.id_of(live)
        what = f"{self.kind} {inputs.name} ({id_}) to be ready"
        ready = until(lambda: self._ready(client, id_, inputs), what, self.limit)
        self.finish(client, ready, inputs)
        return until(lambda: self._as_asked(self._ready(client, id_, inputs), inputs), f"{what} as asked", self.limit)

    def _ready(self, client: Client, id_: str, inputs: Given) -> Answer | None:
        live = self.known(client, id_)
        state = (live or {}).get("State")
        if live is None or not state:
            return live
        if state in self.gone | _FAILED:
            reason = live.get("StateReason") or "the API gives no reason"
            raise OutscaleError(f"{self.kind} {inputs.name} ({id_}) ended as {state}: {reason}")
        return live if not self.ready or state in self.ready else None

    def _as_asked(self, live: Answer | None, inputs: Given) -> Answer | None:
        """It, once the API shows the tags and properties that were asked for; parts of the API learn them late."""
        if live is None or not inputs.tags.items() <= _tags(live).items():
            return None
        wanted = inputs.dump()
        shown = self.observed(live, wanted)
        return live if all(self.same(name, shown, wanted) for name in self.inputs_of(shown)) else None

    def _seen(self, client: Client, id_: str) -> Answer | None:
        """Gone is only what is gone at a second look: making it anew is the costlier mistake."""
        live = self.present(client, id_)
        if live is None:
            time.sleep(PACE.poll)
            live = self.present(client, id_)
        return live

    def _hindrance(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> list[str]:
        """Ask for its removal; what stands in the way for now, nothing when it was accepted."""
        try:
            self.remove(client, live, properties)
        except ApiError as error:
            if error.is_missing:
                return []
            if not error.is_busy:
                raise
            return [str(error)]
        return []

    def _outs(self, client: Client, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        ours = {key: value for key, value in _tags(live).items() if key in given.get("tags", ())}
        return {**given, "tags": ours, **self.observed(live, given), "accountId": client.account()}


def _tags(live: Answer) -> dict[str, str]:
    return {str(item.get("Key")): str(item.get("Value")) for item in live.get("Tags") or ()}


def _called(properties: Mapping[str, Any]) -> str:
    tags = properties.get("tags")
    return str(tags.get("Name", "")) if isinstance(tags, Mapping) else ""


def _ordered(value: Any) -> Any:
    """Comparable whatever the order of lists and the kind of numbers."""
    if isinstance(value, Mapping):
        return sorted((key, _ordered(item)) for key, item in value.items() if item is not None)
    if isinstance(value, (list, tuple)):
        return sorted((_ordered(item) for item in value), key=repr)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
