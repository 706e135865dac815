"""Which attributes a notification shows: one that was just read, and one that is kept as JSON.

| said | shows |
|---|---|
| EventNotification | the attribute that it names |
| a push with its list in it (attribute 2 of the push setup) | as value n the n-th object of it |
| a push as our meters are made to say it | the objects of ``AS_MADE``, or of ``MADE_BEFORE`` |
| any other | nothing: nobody knows what its values are |
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import Data, Tag
from protocol.events import AttributeRef, DataNotification, EventNotification, Notification

#: Longest list of objects that is read.
_MOST: Final = 64
#: What a meter of ours pushed as it was made, before it pushed its last events.
MADE_BEFORE: Final = (
    AttributeRef(40, catalogue.PUSH_SETUP, 1),
    AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2),
    AttributeRef(8, catalogue.CLOCK, 2),
    AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3),
    AttributeRef(1, catalogue.RELAY_CAUSES, 2),
    AttributeRef(111, catalogue.ACCOUNT, 2),
    AttributeRef(1, catalogue.LOW_CREDIT, 2),
)
#: What it pushes as it is made, ``meter_fw.push_setup.AS_MADE``; a test compares.
AS_MADE: Final = (
    *MADE_BEFORE,
    AttributeRef(1, catalogue.EVENT, 2),
    AttributeRef(1, catalogue.EVENT_COUNTER, 2),
    AttributeRef(1, catalogue.RELAY_EVENT, 2),
    AttributeRef(1, catalogue.RELAY_EVENT_COUNTER, 2),
)
#: By how many values a push has, which of the two it may be.
_MADE: Final = {len(refs): refs for refs in (MADE_BEFORE, AS_MADE)}
#: Types of their values; null-data stands for what the reader may not see.
_MADE_TYPES: Final = (
    *(Tag.OCTET_STRING, Tag.OCTET_STRING, Tag.OCTET_STRING, Tag.ENUM),
    *(Tag.BIT_STRING, Tag.STRUCTURE, Tag.BOOLEAN),
    *(Tag.UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED, Tag.UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED),
)


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
        refs = _MADE[len(values)]
    return dict(zip(refs or (), values, strict=False))


def _as_made(values: tuple[Data, ...]) -> bool:
    """Say whether it is what our meters push as they are made: by its begin, and by its types."""
    given = tuple(each.tag for each in values)
    fits = len(given) in _MADE and all(
        tag in (wanted, Tag.NULL) for tag, wanted in zip(given, _MADE_TYPES, strict=False)
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


# --- of what is kept ---------------------------------------------------------------------------


def kept_attributes(body: Mapping[str, Any], *, ours: bool) -> dict[AttributeRef, Any]:
    """Return the same of a notification that is kept, as ``sayings.said`` has written it.

    Args:
        body: of the notification.
        ours: whether it is of a meter of ours, which pushes as it was made.
    """
    if "code" in body:
        ref = _kept_ref([body.get("class"), None, body.get("attribute")], str(body["code"]))
        return {} if ref is None else {ref: body.get("value")}
    values = body.get("body")
    if not isinstance(values, list):
        return {}
    refs = next(filter(None, (_kept_list(each, len(values)) for each in values[:_MOST])), None)
    if refs is None and ours and _kept_as_made(values):
        refs = _MADE[len(values)]
    return dict(zip(refs or (), values, strict=False))


def _kept_as_made(values: Sequence[Any]) -> bool:
    return len(values) in _MADE and values[0] == catalogue.PUSH_SETUP.to_bytes().hex().upper()


def _kept_list(value: Any, count: int) -> tuple[AttributeRef, ...] | None:
    if not isinstance(value, list) or len(value) != count:
        return None
    refs = [_kept_ref(row) for row in value]
    return tuple(ref for ref in refs if ref is not None) if all(refs) else None


def _kept_ref(row: Any, code: str = "") -> AttributeRef | None:
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
