"""What of a notification somebody has to look after: events and states, and the cases they open.

What a meter says is told by attributes. An EventNotification names its own; of a push, the list
of its objects stands in it (attribute 2 of the push setup, pushed with the others), or it is the
list that our meters have when they are made. A push that says neither opens no case.

Codes of the event objects below 200 are those that two families of meters share, as
``meter_fw.events`` tells; from 200 on they are our meters' own, and are read of those only.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from headend.store.meters import Meter
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import Data, Tag
from protocol.cosem import vendor
from protocol.events import AttributeRef, DataNotification, EventNotification, Notification

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
#: Longest list of objects that is read.
_MOST: Final = 64
#: The first of the codes that are our meters' own, and the letters that their names begin with.
OWN: Final = 200
_MAKER: Final = "OPP"
#: What a meter of ours pushes as it is made, ``meter_fw.push_setup.AS_MADE``; a test compares.
AS_MADE: Final = (
    AttributeRef(40, catalogue.PUSH_SETUP, 1),
    AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2),
    AttributeRef(8, catalogue.CLOCK, 2),
    AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3),
    AttributeRef(1, catalogue.RELAY_CAUSES, 2),
    AttributeRef(111, catalogue.ACCOUNT, 2),
    AttributeRef(1, catalogue.LOW_CREDIT, 2),
)
#: Types of their values; null-data stands for what the reader may not see.
_MADE_TYPES: Final = (
    *(Tag.OCTET_STRING, Tag.OCTET_STRING, Tag.OCTET_STRING, Tag.ENUM),
    *(Tag.BIT_STRING, Tag.STRUCTURE, Tag.BOOLEAN),
)
_EVENT: Final = AttributeRef(1, catalogue.EVENT, 2)
_RELAY_EVENT: Final = AttributeRef(1, catalogue.RELAY_EVENT, 2)
_LOW: Final = AttributeRef(1, catalogue.LOW_CREDIT, 2)
_CAUSES: Final = AttributeRef(1, catalogue.RELAY_CAUSES, 2)


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
CAUSES: Final[Mapping[vendor.RelayCauseBit, str]] = {
    vendor.RelayCauseBit.CREDIT: "cut",
    vendor.RelayCauseBit.LIMITER: "over-limit",
    vendor.RelayCauseBit.TAMPER: "tamper",
    vendor.RelayCauseBit.GAS_SAFETY: "gas-safety",
}


def is_ours(name: str, profile: str) -> bool:
    """Say whether a meter is one of ours, by its name or by the profile that it has."""
    return bool(profile) or name.startswith(_MAKER)


def alarms(notification: Notification, meter: Meter) -> list[Alarm]:
    """Return what follows from a notification of a meter."""
    own = is_ours(meter.name, meter.profile)
    found: list[Alarm] = []
    for ref, value in attributes(notification).items():
        found += _of(ref, value, own)
    return found


def _of(ref: AttributeRef, value: Data, own: bool) -> Iterator[Alarm]:
    if ref in (_EVENT, _RELAY_EVENT) and isinstance(value.value, int):
        table = EVENTS if ref == _EVENT else RELAY_EVENTS
        alarm = table.get(value.value)
        if alarm is not None and (own or value.value < OWN):
            yield alarm
    elif ref == _LOW and own and isinstance(value.value, bool):
        low = ("low-credit",)
        yield Alarm(low, (), "low credit") if value.value else Alarm((), low, "credit is enough")
    elif ref == _CAUSES and own and value.tag is Tag.BIT_STRING:
        yield from _causes(str(value.value))


def _causes(bits: str) -> Iterator[Alarm]:
    for bit, kind in CAUSES.items():
        if bits[bit : bit + 1] == "1":
            yield Alarm((kind,), (), f"relay open: {bit.name.lower().replace('_', ' ')}")
        elif bits[bit : bit + 1] == "0":
            yield Alarm((), (kind,), f"relay not held open: {bit.name.lower().replace('_', ' ')}")


# --- which attributes a notification has -------------------------------------------------------


def attributes(notification: Notification) -> dict[AttributeRef, Data]:
    """Return the values that a notification has, by attribute; empty where it does not say."""
    if isinstance(notification, EventNotification):
        return {notification.attribute: notification.value}
    if not isinstance(notification, DataNotification):
        return {}
    body = notification.body
    if body.tag is not Tag.STRUCTURE or not isinstance(body.value, tuple):
        return {}
    values: tuple[Data, ...] = body.value
    refs = next(filter(None, (_listed(each, len(values)) for each in values[:_MOST])), None)
    if refs is None and _as_made(values):
        refs = AS_MADE
    return dict(zip(refs or (), values, strict=False))


def _as_made(values: tuple[Data, ...]) -> bool:
    """Say whether it is what our meters push as they are made: by its begin, and by its types."""
    given = tuple(each.tag for each in values)
    fits = len(given) == len(_MADE_TYPES) and all(
        tag in (wanted, Tag.NULL) for tag, wanted in zip(given, _MADE_TYPES, strict=True)
    )
    return fits and values[0].value == catalogue.PUSH_SETUP.to_bytes()


def _listed(value: Data, count: int) -> tuple[AttributeRef, ...] | None:
    """Return the push object list that a value is; None where it is none of so many objects."""
    rows = value.value
    if value.tag is not Tag.ARRAY or not isinstance(rows, tuple) or len(rows) != count:
        return None
    refs = [_ref(row) for row in rows]
    return tuple(ref for ref in refs if ref is not None) if all(refs) else None


def _ref(row: Data) -> AttributeRef | None:
    """Return what an object definition names: class, logical name, attribute, and more."""
    parts = row.value
    if row.tag is not Tag.STRUCTURE or not isinstance(parts, tuple) or len(parts) < 3:
        return None
    class_id, name, index = (part.value for part in parts[:3])
    if not isinstance(class_id, int) or not isinstance(index, int):
        return None
    if not isinstance(name, bytes) or len(name) != 6:
        return None
    return AttributeRef(class_id, ObisCode.from_bytes(name), index)
