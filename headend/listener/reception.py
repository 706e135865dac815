"""Keeping what meters say: each once, under the keys of its meter, before it is confirmed.

| said | is kept | belongs to |
|---|---|---|
| under a key of the vault | with the counter that came with it | the meter that has the key |
| under the key file's keys, or the lab's | the same | the meter last met with that title [1] |
| in clear | so many of it a second | nobody [2] |

[1] Else the one whose name is in it, unless the vault has keys of that one: then they are needed.
[2] If what is said in clear is believed, the meter whose name is in it, with the same proviso.

Row, invocation counter and cases are written in one transaction, and the confirmation goes out
after it. Killed before, nothing was taken and the meter says it again; killed after, it is known.
Two that listen with one database take a counter once between them.

What makes two of them one, heard again, counted in its row and confirmed as the first was:

| of | counts | why |
|---|---|---|
| sender | system title and what its key is of; in clear, the host | numbers are each sender's own |
| long-invoke-id | the number in it | the number of the message; there are meters where it stands |
| date-time | all 12 octets | of the moment at which the message was composed |
| body | each value | two messages of one number and second are two, rather than one that is lost |
| invocation counter | nothing | a repetition is ciphered anew; or it is the last, octet by octet |
| the flags: confirmed, priority | nothing | they tell how it is sent |

What has no date-time, or a wild one, is the same only for ``WINDOW_MS`` after it first came.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from headend.ciphered import LeasedCounters, fingerprint_of
from headend.clock import Clock, wall_clock
from headend.context import Context
from headend.errors import HeadendError
from headend.listener.alarms import alarms, is_ours, values
from headend.listener.ears import Heard, Sender, replayed
from headend.listener.flood import Rates
from headend.listener.news import Shown, last_shown, shown
from headend.listener.sayings import said
from headend.security import key_set
from headend.store import Store, cases, keys, meters, notifications, senders
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.store.notifications import Notification
from headend.store.senders import Known
from obis.values import replace
from prepay.keys import MeterKeys
from protocol.axdr import Tag
from protocol.errors import SecurityError
from protocol.events import (
    AttributeRef,
    DataNotification,
    EventNotification,
    InformationReport,
)
from protocol.security import KeySet
from protocol.timing import Instant

#: How long what has no stamp is a repetition, in ms.
WINDOW_MS: Final = 600_000
#: Notifications that nothing vouches for, of one host: at once, and a second; of all hosts
#: together as much as of so many.
CLEAR_BURST, CLEAR_EACH_SECOND, CLEAR_HOSTS = 50, 5, 10
#: Characters of a body that nothing vouches for.
CLEAR_BODY: Final = 4_096
#: Elements of a body in which a logical device name is looked for, and octets that it has.
_ELEMENTS, _NAME = 32, 16
#: Year, month, day, weekday and hour of a date-time that is not specified.
_WILD: Final = b"\xff" * 6
#: What is not part of a body: columns have it, or it is not known yet.
_ELSEWHERE: Final = ("time", "from", "system_title", "confirmed", "meter", "again", "cases")


class Reception:
    """Keeps what meters say in the database; a ``headend.listener.ears.Keeper``.

    Args:
        context: database, keys and vault.
        in_clear: what is said in clear is believed to be the meter's whose name is in it.
        now: the clock; the system's unless told.
    """

    def __init__(
        self, context: Context, *, in_clear: bool = False, now: Clock | None = None
    ) -> None:
        self._context = context
        self._store: Store = context.store
        self._in_clear = in_clear
        self._now = now or wall_clock()
        self._rates = Rates(CLEAR_BURST, CLEAR_EACH_SECOND, CLEAR_HOSTS)

    # --- who it may be ---------------------------------------------------------------------------

    def senders(self, title: bytes, shared: Callable[[], KeySet]) -> Sequence[Sender]:
        """Return who a system title may be: by the vault's keys, where it has any of that meter.

        Raises:
            SecurityError: the keys, or the database, cannot be read.
        """
        try:
            with self._store.read() as db:
                named = meters.with_title(db, title)
                held = {each.id for each in named if keys.has_any(db, each.id)}
                known = senders.of_title(db, title)
            found = [
                self._sender(title, key_set(each), meter, known)
                for meter in named
                if meter.id in held
                for each in self._keys_of(meter)
            ]
            if held:
                return found
            return (self._sender(title, shared(), named[0] if named else None, known),)
        except HeadendError as error:
            raise SecurityError(f"no key for {title.hex().upper()}: {error}") from error

    def _keys_of(self, meter: Meter) -> list[MeterKeys]:
        """Return the keys in force, and those with a pending one that the meter may have."""
        held = self._context.vault.held(meter.name)
        if held is None:
            return []
        return [held.keys] if held.pending is None else [held.keys, held.turned]

    def _sender(
        self, title: bytes, found: KeySet, meter: Meter | None, known: dict[str, Known]
    ) -> Sender:
        key = fingerprint_of(found.block_cipher_key)
        before = known.get(key)
        return Sender(
            title,
            found,
            key,
            -1 if before is None else before.counter,
            meter.id if meter is not None else before.meter_id if before is not None else None,
            "" if meter is None else meter.name,
            LeasedCounters(self._store, key, 0),
        )

    # --- what was said ---------------------------------------------------------------------------

    def keep(self, heard: Sequence[Heard], now: Instant) -> list[Heard]:
        """Write down what was read; see the module.

        Raises:
            StoreError: nothing of it could be written down.
        """
        bounded = [self._bounded(each, now) for each in heard]
        if all(each.notification is None for each in bounded):
            return bounded
        with self._store.begin() as db:
            kept = self._keep_all(db, bounded)
        asked = {each.sender.key for each in kept if each.reply and each.sender}
        if asked:
            with self._store.read() as db:
                for key in asked:  # what confirms is above all that was said under it before
                    self._store.leases.begin(db, key)
        return kept

    def _bounded(self, heard: Heard, now: Instant) -> Heard:
        if heard.notification is None or heard.sender is not None:
            return heard
        if self._rates.allow(_host(heard), now):
            return heard
        return heard.refused("too much in clear at a time: not kept")

    def _keep_all(self, db: Connection, heard: Sequence[Heard]) -> list[Heard]:
        """Keep all of it; always in the same order, so that no two wait for each other."""
        found = list(heard)
        bound: dict[bytes, Meter] = {}  # titles whose meter is told by what came with this
        whose = {i: self._whose(db, h, bound) for i, h in enumerate(heard) if h.notification}
        for meter_id in sorted({meter.id for meter in whose.values() if meter is not None}):
            meters.hold(db, meter_id)
        for i in sorted(whose, key=lambda i: (heard[i].title, heard[i].counter)):
            found[i] = self._keep(db, heard[i], whose[i])
        for owner in {None if meter is None else meter.id for meter in whose.values()}:
            notifications.trim(db, owner)
        return found

    def _keep(self, db: Connection, heard: Heard, meter: Meter | None) -> Heard:
        now = self._now()
        row = _row(db, heard, meter, now)
        if heard.sender is not None and not self._taken(db, heard, row, meter, now):
            known = heard.sender.key in senders.of_title(db, heard.title)
            return heard.refused(
                replayed(heard.counter) if known else "too many senders that are no meters here"
            )
        number, new = notifications.add(db, row)
        kept = replace(heard, again=not new, meter="" if meter is None else meter.name)
        if not new or meter is None:
            return kept
        return replace(kept, cases=tuple(_cases(db, heard, meter, number, now)))

    def _taken(
        self, db: Connection, heard: Heard, row: Notification, meter: Meter | None, now: Instant
    ) -> bool:
        """Take the invocation counter; that of the last one again only for the very same."""
        assert heard.sender is not None  # the caller has looked
        if heard.again:
            return notifications.known(db, row.digest)
        meter_id = None if meter is None else meter.id
        return senders.take(db, heard.title, heard.sender.key, heard.counter, meter_id, now)

    def _whose(self, db: Connection, heard: Heard, bound: dict[bytes, Meter]) -> Meter | None:
        if heard.sender is not None and heard.sender.meter_id is not None:
            return meters.by_id(db, heard.sender.meter_id)
        if heard.sender is not None and heard.title in bound:
            return bound[heard.title]
        if heard.sender is None and not self._in_clear:
            return None
        for name in _names(heard):
            meter = meters.by_name(db, name)
            if meter is not None and not keys.has_any(db, meter.id):
                if heard.sender is not None:
                    bound[heard.title] = meter
                return meter
        return None


def _cases(db: Connection, heard: Heard, meter: Meter, number: int, now: Instant) -> list[str]:
    """Open and close what follows; return what was done, for people."""
    assert heard.notification is not None  # what has none is not kept
    done, told = [], set[str]()
    for alarm in alarms(heard.notification, meter, _before(db, heard, meter, number)):
        for kind in alarm.opens:
            if kind in told:  # by the event, and by the state that it led to
                continue
            told.add(kind)
            if cases.open_or_note(db, meter.id, kind, number, alarm.told, now):
                done.append(f"case opened: {kind}")
        for kind in alarm.closes:
            told.discard(kind)
            if cases.close_kind(db, meter.id, kind, f"{meter.name}: {alarm.told}", now):
                done.append(f"case closed: {kind}")
    if done:
        cases.trim(db, meter.id)
    return done


def _before(db: Connection, heard: Heard, meter: Meter, number: int) -> dict[AttributeRef, Shown]:
    """Return how the meter showed the last time what it shows now."""
    assert heard.notification is not None  # as above
    vouched = heard.sender is not None
    earlier = notifications.earlier(db, meter.id, number, authenticated=vouched)
    ours = is_ours(meter.name, meter.profile)
    now = shown(values(heard.notification), ours=ours)
    return last_shown(now, earlier, ours=ours)


def _row(db: Connection, heard: Heard, meter: Meter | None, now: Instant) -> Notification:
    body = {k: v for k, v in said(heard, "").items() if k not in _ELSEWHERE}
    vouched = heard.sender is not None
    sender = heard.title.hex() if vouched else f"{_host(heard)} {heard.peer.server}"
    same = [sender, body]
    written = json.dumps(body, allow_nan=False)
    if not vouched and len(written) > CLEAR_BODY:
        body = {"service": body["service"], "cut": written[:CLEAR_BODY]}
    return Notification(
        digest=_digest(db, same, _stamp(heard), now),
        meter_id=None if meter is None else meter.id,
        source=heard.source,
        system_title=heard.title.hex() if vouched else "",
        authenticated=vouched,
        service=str(body["service"]),
        body=body,
        received=now,
    )


def _digest(db: Connection, same: list[Any], stamp: str, now: Instant) -> str:
    """Return the digest of what makes two one; without a stamp, of the window it first came in."""
    if stamp:
        return _hashed([*same, stamp])
    window = now // WINDOW_MS
    before, here = (_hashed([*same, each]) for each in (window - 1, window))
    return before if notifications.heard_since(db, before, Instant(now - WINDOW_MS)) else here


def _hashed(same: list[Any]) -> str:
    written = json.dumps(same, sort_keys=True, allow_nan=False)
    return hashlib.sha256(written.encode()).hexdigest()


def _stamp(heard: Heard) -> str:
    """Return the date-time of a message; empty where it has none, or no day and hour in it."""
    match heard.notification:
        case DataNotification(date_time=octets) | EventNotification(time=octets):
            return "" if octets[: len(_WILD)] == _WILD else octets.hex()
        case InformationReport(time=moment):
            return moment
    return ""


def _host(heard: Heard) -> str:
    return heard.source.rpartition(":")[0] or heard.source


def _names(heard: Heard) -> list[str]:
    """Return what in a push may be a logical device name."""
    if not isinstance(heard.notification, DataNotification):
        return []
    body: Any = heard.notification.body.value
    if heard.notification.body.tag is not Tag.STRUCTURE or not isinstance(body, tuple):
        return []
    found = []
    for each in body[:_ELEMENTS]:
        octets = each.value if each.tag is Tag.OCTET_STRING else str(each.value).encode()
        if each.tag in (Tag.OCTET_STRING, Tag.VISIBLE_STRING) and 0 < len(octets) <= _NAME:
            name = octets.rstrip(b"\0").decode("ascii", "replace")
            if name.isprintable() and name.isascii():
                found.append(name)
    return found
