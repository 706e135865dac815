"""What a meter said unasked, in words: of the JSON that is kept of it (``sayings.said``).

| said | in words |
|---|---|
| a code of the event objects | cover opened |
| control state, with the causes where they are told | relay open: operator |
| mode and status of the account | prepayment active |
| low credit | low credit |
| another object of a push | 1-0:1.8.0*255 attribute 2 is 4711 |

As in ``alarms``, codes from 200 on are our meters' own, and are read of those only; so are the
causes. Who and when stands elsewhere, so the meter's name and its clock are left out here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from headend.listener.alarms import AS_MADE, EVENTS, OWN, RELAY_EVENTS, is_ours
from obis import catalogue
from obis.code import ObisCode
from protocol.cosem import account, disconnect_control, vendor
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
_EVENT: Final = AttributeRef(1, catalogue.EVENT, 2)
_RELAY_EVENT: Final = AttributeRef(1, catalogue.RELAY_EVENT, 2)
_STATE: Final = AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3)
_CAUSES: Final = AttributeRef(1, catalogue.RELAY_CAUSES, 2)
_ACCOUNT: Final = AttributeRef(111, catalogue.ACCOUNT, 2)
_LOW: Final = AttributeRef(1, catalogue.LOW_CREDIT, 2)
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
    said = "; ".join(_said(_attributes(body, ours), ours))
    return said or _raw(body.get("body", body.get("values", body.get("value"))))


def _said(values: Mapping[AttributeRef, Any], ours: bool) -> Iterator[str]:
    for ref, value in values.items():
        if ref in (_EVENT, _RELAY_EVENT) and isinstance(value, int):
            yield _event(ref, value, ours)
        elif ref == _STATE:
            yield _relay(value, values.get(_CAUSES) if ours else None)
        elif ref == _CAUSES and ours:
            if _STATE not in values:
                yield f"the relay is held open by: {_causes(value) or 'nothing'}"
        elif ref == _ACCOUNT and isinstance(value, list) and len(value) == 2:
            mode, status = value
            yield f"{_word(account.PaymentMode, mode)} {_word(account.AccountStatus, status)}"
        elif ref == _LOW and ours and isinstance(value, bool):
            if value:
                yield "low credit"
        elif ref not in _ELSEWHERE and value is not None:
            yield f"{ref.logical_name} attribute {ref.index} is {_raw(value)}"


def _event(ref: AttributeRef, code: int, ours: bool) -> str:
    relay, told = ref == _RELAY_EVENT, None
    if ours or code < OWN:
        alarm = (RELAY_EVENTS if relay else EVENTS).get(code)
        told = (_MORE_OF_THE_RELAY if relay else _MORE).get(code) if alarm is None else alarm.told
    return f"{'relay: ' if relay else ''}{told or f'event {code}'}"


def _relay(state: object, causes: object) -> str:
    told = _STATES.get(state) if isinstance(state, int) else None  # type: ignore[call-overload] # of ints
    if told is None:
        return f"relay in state {_raw(state)}"
    why = _causes(causes)
    return f"{told}: {why}" if why else told


def _causes(bits: object) -> str:
    if not isinstance(bits, str):
        return ""
    named = (each for each in vendor.RelayCauseBit if bits[each : each + 1] == "1")
    return ", ".join(each.name.lower().replace("_", " ") for each in named)


def _word(names: type[IntEnum], number: object) -> str:
    try:
        return names(number).name.lower()  # type: ignore[arg-type] # perhaps
    except ValueError:
        return _raw(number)


def _raw(value: object) -> str:
    whole = json.dumps(value)  # escapes what would move the cursor
    return whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN - 1]}…"


# --- which attributes were said ----------------------------------------------------------------


def _attributes(body: Mapping[str, Any], ours: bool) -> dict[AttributeRef, Any]:
    """Return the values by attribute; empty where it does not say, as ``alarms.attributes``."""
    if "code" in body:
        ref = _ref([body.get("class"), None, body.get("attribute")], str(body["code"]))
        return {} if ref is None else {ref: body.get("value")}
    values = body.get("body")
    if not isinstance(values, list):
        return {}
    refs = next(filter(None, (_listed(each, len(values)) for each in values)), None)
    if refs is None and ours and _as_made(values):
        refs = AS_MADE
    return dict(zip(refs or (), values, strict=False))


def _as_made(values: Sequence[Any]) -> bool:
    begin = catalogue.PUSH_SETUP.to_bytes().hex().upper()
    return len(values) == len(AS_MADE) and values[0] == begin


def _listed(value: Any, count: int) -> tuple[AttributeRef, ...] | None:
    """Return the push object list that a value is; None where it is none of so many objects."""
    if not isinstance(value, list) or len(value) != count:
        return None
    refs = [_ref(row) for row in value]
    return tuple(ref for ref in refs if ref is not None) if all(refs) else None


def _ref(row: Any, code: str = "") -> AttributeRef | None:
    if not isinstance(row, list) or len(row) < 3:
        return None
    class_id, name, index = row[:3]
    if not isinstance(class_id, int) or not isinstance(index, int):
        return None
    try:
        found = ObisCode.parse(code) if code else ObisCode.from_bytes(bytes.fromhex(name))
    except (ValueError, TypeError):  # no text, no hexadecimal digits, or not six octets
        return None
    return AttributeRef(class_id, found, index)
