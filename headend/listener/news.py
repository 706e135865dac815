"""What of that which a notification shows is news.

An event object holds the last event until the next one, and a state lasts: what is pushed for
something else shows both again. Cases come from what is news, so that a case that somebody has
closed stays closed until something happens.

| shown | is told by | is news unless |
|---|---|---|
| an event object with its counter (0-0:96.15.e) | code and counter | shown so the last time [1] |
| an event object alone in a push [2] | the message | the same message was heard before |
| an event object beside other values | code | it was this code the last time |
| an EventNotification of one | the message | the same message was heard before |
| a state: low credit, a cause of the relay's | its value | it was so the last time |

[1] By the code, where the last time it had no counter.
[2] With nothing but who and when beside it: it was sent for the event. So does a gateway that
pushes a moment, an event object and its code (Elvaco CMe3100, DLMS plugin user's manual, 7.6). Of
our own meters no push is that: they push the same objects for whatever happens.

"The last time" is the newest notification of that meter that shows the object, of those that are
kept; of what a key vouches for, the newest that a key vouches for: nobody takes the news from a
meter by telling it first. When a log is lost and counts from the start again, its events are news
all the same, unless the very next shown has code and counter of the very last.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from headend.listener.shown import kept_attributes
from obis import catalogue
from protocol.events import AttributeRef

EVENT: Final = AttributeRef(1, catalogue.EVENT, 2)
RELAY_EVENT: Final = AttributeRef(1, catalogue.RELAY_EVENT, 2)
LOW: Final = AttributeRef(1, catalogue.LOW_CREDIT, 2)
CAUSES: Final = AttributeRef(1, catalogue.RELAY_CAUSES, 2)
#: The event objects, and the counter of each.
COUNTERS: Final[Mapping[AttributeRef, AttributeRef]] = {
    EVENT: AttributeRef(1, catalogue.EVENT_COUNTER, 2),
    RELAY_EVENT: AttributeRef(1, catalogue.RELAY_EVENT_COUNTER, 2),
}
#: What cases come from, in the order in which it counts.
WATCHED: Final = (RELAY_EVENT, EVENT, LOW, CAUSES)
_PUSH_SETUP, _CLOCK, _DATA = 40, 8, 1


class Shown(NamedTuple):
    """A value that a notification shows.

    Args:
        value: an event's code, whether the credit is low, or the causes as bits.
        counter: of the event; None where none stands beside it.
        alone: the notification was sent for it.
    """

    value: object
    counter: int | None = None
    alone: bool = False


def shown(values: Mapping[AttributeRef, object], *, ours: bool) -> dict[AttributeRef, Shown]:
    """Return what is watched of the values that a notification has; null-data is not shown.

    Args:
        values: by attribute; one of an EventNotification.
        ours: whether it is of a meter of ours.
    """
    pushed_for = not ours and len(values.keys() & COUNTERS.keys()) == 1
    alone = len(values) == 1 or (pushed_for and all(map(_is_beside, values)))
    found = {}
    for ref in WATCHED:
        value = values.get(ref)
        counter = values.get(COUNTERS[ref]) if ref in COUNTERS else None
        number = counter if isinstance(counter, int) and not isinstance(counter, bool) else None
        if value is not None:
            found[ref] = Shown(value, number, alone)
    return found


def last_shown(
    wanted: Iterable[AttributeRef], earlier: Iterable[Mapping[str, Any]], *, ours: bool
) -> dict[AttributeRef, Shown]:
    """Return how attributes were shown the last time; those that never were are not in it.

    Args:
        wanted: attributes.
        earlier: bodies of notifications of the meter, the newest first; no more of them are
            fetched than it takes.
        ours: whether the meter is one of ours.
    """
    found: dict[AttributeRef, Shown] = {}
    missing = set(wanted)
    for body in earlier if missing else ():
        there = shown(kept_attributes(body, ours=ours), ours=ours)
        found |= {ref: there[ref] for ref in missing & there.keys()}
        missing -= there.keys()
        if not missing:
            break
    return found


def is_news(now: Shown, before: Shown | None) -> bool:
    """Say whether an event that is shown is another than the one that was shown before."""
    if before is None:
        return True
    if now.counter is not None and before.counter is not None:
        return (now.value, now.counter) != (before.value, before.counter)
    if now.alone and now.counter is None:
        return True
    return now.value != before.value


def _is_beside(ref: AttributeRef) -> bool:
    """Say whether it says no more than who, when, or which event."""
    group = ref.logical_name
    serial = (group.c, group.d) == (96, 1)
    return (
        ref.class_id in (_PUSH_SETUP, _CLOCK)
        or ref in COUNTERS
        or ref in COUNTERS.values()
        or ref.logical_name == catalogue.LOGICAL_DEVICE_NAME
        or (ref.class_id == _DATA and serial)
    )
