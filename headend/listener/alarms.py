"""What of a notification somebody has to look after: events and states, and the cases they open.

What a meter says is told by attributes (``shown``), and counts as it is news (``news``):

| shown | opens | closes |
|---|---|---|
| an event that is news | what ``EVENTS`` or ``RELAY_EVENTS`` says | the same |
| an event that was shown before | nothing | nothing: what it has closed may be open anew |
| a state that was not so before | the case of it | - |
| a state that is over | - | the case of it, however often it is said |

The relay's event counts first, then the other, then states: of two logs nobody knows which event
was the later one, so the credit that is used up stays a case though the relay was closed; but
states are of the moment at which the message was composed, and who is connected again is not cut.

Codes of the event objects below 200 are those that two families of meters share, as
``meter_fw.events`` tells; from 200 on they are our meters' own, and are read of those only.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from headend.listener.news import CAUSES, EVENT, LOW, RELAY_EVENT, Shown, is_news, shown
from headend.listener.shown import attributes
from headend.store.meters import Meter
from obis.values import replace
from protocol.axdr import Tag
from protocol.cosem import vendor_shown
from protocol.events import AttributeRef, Notification

#: What cases are of, and what has to be done, in words for people.
KINDS: Final[Mapping[str, str]] = {
    "low-credit": "the credit is low: the customer has to be told",
    "emergency-credit": "the customer lives on emergency credit",
    "used-up": "the credit is used up: the supply may be cut",
    "cut": "the supply is cut, because the credit is used up",
    "minimum-supply": "the minimum supply is on, in place of a cut",
    "recurrent-defaulter": "unpaid for months: an arrangement has to be found",
    "over-limit": "the limiter has opened the relay: more was drawn than is allowed",
    "cover": "the cover was opened: somebody has to go and look",
    "tamper": "the relay is open because the cover was opened: look, then prepay connect",
    "contact": "the relay does not follow: the meter has to be changed",
    "gas-safety": "the valve is closed for safety: somebody has to go there",
    "clock": "the clock does not know the time: prepay clock",
    "memory": "the memory had an error: read the meter, and think of changing it",
    "lock-out": "somebody has tried wrong keys or passwords, and a port is locked for a while",
    "keys": "keys were changed: if nobody here did it, somebody else has",
    "token-refused": "a token that was entered was refused: the customer may need help",
    "calendar": "the calendar of windows ends soon: prepay calendar",
}
#: The first of the codes that are our meters' own, and the letters that their names begin with.
OWN: Final = 200
_MAKER: Final = "OPP"


class Alarm(Struct, frozen=True):
    """What follows from something that was said.

    Args:
        opens: kinds of case that it opens.
        closes: kinds of case that are over with it.
        told: the words for it.
    """

    opens: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    told: str = ""


#: Codes of the standard event log.
EVENTS: Final[Mapping[int, Alarm]] = {
    5: Alarm((), ("clock",), "clock was set"),
    6: Alarm(("clock",), (), "clock is invalid"),
    14: Alarm(("memory",), (), "memory error"),
    44: Alarm(("cover",), (), "cover opened"),
    45: Alarm((), ("cover",), "cover closed"),
    46: Alarm(("lock-out",), (), "port locked after failed attempts"),
    48: Alarm(("keys",), (), "keys changed"),
    200: Alarm(("low-credit",), (), "low credit"),
    201: Alarm(("emergency-credit",), (), "emergency credit taken"),
    202: Alarm(("emergency-credit",), (), "emergency credit in use"),
    203: Alarm(("emergency-credit",), (), "emergency credit used up"),
    204: Alarm(("used-up",), (), "credit used up"),
    205: Alarm(("cut",), (), "cut for want of credit"),
    206: Alarm(("minimum-supply",), ("cut",), "minimum supply began"),
    207: Alarm((), ("minimum-supply",), "minimum supply ended"),
    208: Alarm(("recurrent-defaulter",), (), "recurrent defaulter"),
    210: Alarm((), ("token-refused",), "token entered"),
    211: Alarm(("token-refused",), (), "token refused"),
    213: Alarm(
        (),
        ("low-credit", "emergency-credit", "used-up", "minimum-supply", "recurrent-defaulter"),
        "prepayment ended",
    ),
    216: Alarm(("calendar",), (), "calendar is about to end"),
    217: Alarm((), ("calendar",), "calendar changed"),
}
#: Codes of the disconnect control log.
RELAY_EVENTS: Final[Mapping[int, Alarm]] = {
    61: Alarm((), ("cut", "used-up", "over-limit"), "connected by hand"),
    63: Alarm((), ("cut", "used-up", "over-limit"), "connected by order"),
    65: Alarm(("over-limit",), (), "limit exceeded"),
    66: Alarm((), ("over-limit",), "limit kept again"),
    68: Alarm(("contact",), (), "contact failed"),
    69: Alarm((), ("cut", "used-up", "over-limit"), "connected by itself"),
    200: Alarm((), ("contact",), "contact follows again"),
    201: Alarm(("tamper",), (), "opened because of the cover"),
    202: Alarm((), ("tamper",), "the operator's causes are cleared"),
}
#: Causes for which the relay is open; a cause that is gone closes its case.
CAUSE_KINDS: Final[Mapping[vendor_shown.RelayCauseBit, str]] = {
    vendor_shown.RelayCauseBit.CREDIT: "cut",
    vendor_shown.RelayCauseBit.LIMITER: "over-limit",
    vendor_shown.RelayCauseBit.TAMPER: "tamper",
    vendor_shown.RelayCauseBit.GAS_SAFETY: "gas-safety",
}


def is_ours(name: str, profile: str) -> bool:
    """Say whether a meter is one of ours, by its name or by the profile that it has."""
    return bool(profile) or name.startswith(_MAKER)


def alarms(
    notification: Notification, meter: Meter, before: Mapping[AttributeRef, Shown] | None = None
) -> list[Alarm]:
    """Return what follows from a notification of a meter.

    Args:
        notification: what was said.
        meter: who said it.
        before: what it shows, as it was shown the last time.
    """
    own = is_ours(meter.name, meter.profile)
    found: list[Alarm] = []
    for ref, now in shown(values(notification), ours=own).items():
        found += _of(ref, now, None if before is None else before.get(ref), own)
    return found


def values(notification: Notification) -> dict[AttributeRef, object]:
    """Return what a notification shows; of another type than its attribute has, nothing."""
    return {
        ref: data.value
        for ref, data in attributes(notification).items()
        if data.tag is not Tag.NULL and (ref != CAUSES or data.tag is Tag.BIT_STRING)
    }


def numbered(ref: AttributeRef, counter: int | None, told: str) -> str:
    """Return the words for an event, with its number in the log where that is known."""
    log = "relay event" if ref == RELAY_EVENT else "event"
    return told if counter is None else f"{log} {counter}: {told}"


def _of(ref: AttributeRef, now: Shown, before: Shown | None, own: bool) -> Iterator[Alarm]:
    if ref in (EVENT, RELAY_EVENT) and isinstance(now.value, int):
        table = EVENTS if ref == EVENT else RELAY_EVENTS
        alarm = table.get(now.value)
        if alarm is not None and (own or now.value < OWN) and is_news(now, before):
            yield replace(alarm, told=numbered(ref, now.counter, alarm.told))
    elif ref == LOW and own and isinstance(now.value, bool):
        low = ("low-credit",)
        if not now.value:
            yield Alarm((), low, "credit is enough")
        elif before is None or before.value is not True:
            yield Alarm(low, (), "low credit")
    elif ref == CAUSES and own:
        yield from _causes(str(now.value), "" if before is None else str(before.value))


def _causes(bits: str, were: str) -> Iterator[Alarm]:
    for bit, kind in CAUSE_KINDS.items():
        here, name = bits[bit : bit + 1], bit.name.lower().replace("_", " ")
        if here == "1" and were[bit : bit + 1] != "1":
            yield Alarm((kind,), (), f"relay open: {name}")
        elif here == "0":
            yield Alarm((), (kind,), f"relay not held open: {name}")
