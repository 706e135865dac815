"""What a meter said unasked, in words: of the JSON that is kept of it (``sayings.said``).

| said | in words |
|---|---|
| a code of the event objects | cover opened |
| the same, with the counter of its log | event 17: cover opened |
| control state, with the causes where they are told | relay open: operator |
| mode and status of the account | prepayment active |
| low credit | low credit |
| another object of a push | 1-0:1.8.0*255 attribute 2 is 4711 |

As in ``alarms``, codes from 200 on are our meters' own, and are read of those only; so are the
causes. Who and when stands elsewhere, so the meter's name and its clock are left out here.
"""

import json
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, Final

from headend.listener.alarms import EVENTS, OWN, RELAY_EVENTS, is_ours, numbered
from headend.listener.news import CAUSES, COUNTERS, LOW, RELAY_EVENT
from headend.listener.shown import kept_attributes
from obis import catalogue
from protocol.cosem import account, disconnect_control, vendor_shown
from protocol.events import AttributeRef

#: Codes that open and close no case.
_MORE: Final[Mapping[int, str]] = {
    1: "power down",
    2: "power up",
    4: "clock is to be set",
    209: "what is due to the customer changed",
    212: "prepayment began",
    214: "a plan was made",
    215: "a plan was carried out",
    218: "a plan was withdrawn",
}
_MORE_OF_THE_RELAY: Final[Mapping[int, str]] = {
    59: "ready for the button",
    62: "opened by order",
    64: "opened by itself",
    67: "limit changed",
}
_STATES: Final = {
    disconnect_control.ControlState.DISCONNECTED: "relay open",
    disconnect_control.ControlState.CONNECTED: "relay closed",
    disconnect_control.ControlState.READY_FOR_RECONNECTION: "relay open, ready for the button",
}
#: Who says it and when, and the list itself.
_ELSEWHERE: Final = (
    AttributeRef(40, catalogue.PUSH_SETUP, 1),
    AttributeRef(40, catalogue.PUSH_SETUP, 2),
    AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2),
    AttributeRef(8, catalogue.CLOCK, 2),
)
_STATE: Final = AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3)
_ACCOUNT: Final = AttributeRef(111, catalogue.ACCOUNT, 2)
#: Characters of a value that no word is known for.
_SHOWN: Final = 40


def words(body: Mapping[str, Any], meter: str, profile: str = "") -> str:
    """Return what was said, in words, on one line.

    Args:
        body: of a notification, as it is kept.
        meter: name of the meter; empty where it is not known here.
        profile: of the meter; empty for none.
    """
    if "cut" in body:
        return "too long to be kept"
    if "unreadable" in body:
        return "cannot be read"
    ours = is_ours(meter, profile)
    said = "; ".join(_said(kept_attributes(body, ours=ours), ours))
    return said or _raw(body.get("body", body.get("values", body.get("value"))))


def _said(values: Mapping[AttributeRef, Any], ours: bool) -> Iterator[str]:
    for ref, value in values.items():
        if ref in COUNTERS and isinstance(value, int):
            yield from _event(ref, value, values.get(COUNTERS[ref]), ours)
        elif ref == _STATE:
            yield _relay(value, values.get(CAUSES) if ours else None)
        elif ref == CAUSES and ours:
            if _STATE not in values:
                yield f"the relay is held open by: {_causes(value) or 'nothing'}"
        elif ref == _ACCOUNT and isinstance(value, list) and len(value) == 2:
            mode, status = value
            yield f"{_word(account.PaymentMode, mode)} {_word(account.AccountStatus, status)}"
        elif ref == LOW and ours and isinstance(value, bool):
            if value:
                yield "low credit"
        elif _has_no_words(ref, values) and value is not None:
            yield f"{ref.logical_name} attribute {ref.index} is {_raw(value)}"


def _has_no_words(ref: AttributeRef, values: Mapping[AttributeRef, Any]) -> bool:
    """Say whether nothing else tells of a value: a counter is told with the code beside it."""
    with_code = any(ref == counter and code in values for code, counter in COUNTERS.items())
    return ref not in _ELSEWHERE and not with_code


def _event(ref: AttributeRef, code: int, counter: object, ours: bool) -> Iterator[str]:
    relay, told = ref == RELAY_EVENT, None
    if ours or code < OWN:
        alarm = (RELAY_EVENTS if relay else EVENTS).get(code)
        told = (_MORE_OF_THE_RELAY if relay else _MORE).get(code) if alarm is None else alarm.told
    if not isinstance(counter, int):
        yield f"{'relay: ' if relay else ''}{told or f'event {code}'}"
    elif code or counter:  # else there was none yet
        yield numbered(ref, counter, told or f"code {code}")


def _relay(state: object, causes: object) -> str:
    told = _STATES.get(state) if isinstance(state, int) else None  # type: ignore[call-overload] # of ints
    if told is None:
        return f"relay in state {_raw(state)}"
    why = _causes(causes)
    return f"{told}: {why}" if why else told


def _causes(bits: object) -> str:
    if not isinstance(bits, str):
        return ""
    named = (each for each in vendor_shown.RelayCauseBit if bits[each : each + 1] == "1")
    return ", ".join(each.name.lower().replace("_", " ") for each in named)


def _word(names: type[IntEnum], number: object) -> str:
    try:
        return names(number).name.lower()  # type: ignore[arg-type] # perhaps
    except ValueError:
        return _raw(number)


def _raw(value: object) -> str:
    whole = json.dumps(value)  # escapes what would move the cursor
    return whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN - 1]}…"
