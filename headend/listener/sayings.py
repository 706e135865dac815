"""What was heard, as a JSON document and as a line for people."""

from collections.abc import Mapping
from typing import Any

from headend.listener.ears import Heard
from headend.reading.values import format_value, to_json
from headend.times import meter_text
from protocol.cosem_time import CosemDateTime
from protocol.errors import ProtocolError
from protocol.events import DataNotification, EventNotification, InformationReport


def said(heard: Heard, now: str) -> dict[str, Any]:
    """Return what was heard, for a JSON document.

    Args:
        heard: what was heard.
        now: when.
    """
    found: dict[str, Any] = {
        "time": now,
        "from": heard.source,
        "logical": heard.peer.server,
        "client": heard.peer.client,
        "system_title": heard.title.hex().upper() or None,
    }
    match heard.notification:
        case DataNotification(body=body, invoke=invoke, date_time=stamp):
            found |= {
                "service": "data-notification",
                "number": invoke.number,
                "confirmed": heard.confirmed,
                "stamp": _stamp(stamp),
                "body": to_json(body),
            }
        case EventNotification(attribute=attribute, value=value, time=stamp):
            found |= {
                "service": "event-notification",
                "class": attribute.class_id,
                "code": str(attribute.logical_name),
                "attribute": attribute.index,
                "stamp": _stamp(stamp),
                "value": to_json(value),
            }
        case InformationReport(variables=variables, values=values, time=moment):
            found |= {
                "service": "information-report",
                "addresses": [variable.address for variable in variables],
                "stamp": moment or None,
                "values": [to_json(value) for value in values],
            }
        case None:
            found["unreadable"] = heard.why
    return found | _kept(heard)


def _kept(heard: Heard) -> dict[str, Any]:
    """Return what the keeper made of it, where there is one that keeps more than counters."""
    found: dict[str, Any] = {}
    if heard.meter:
        found["meter"] = heard.meter
    if heard.again:
        found["again"] = True
    if heard.cases:
        found["cases"] = list(heard.cases)
    return found


def text(heard: Heard, found: Mapping[str, Any]) -> str:
    """Return what was heard as one line for people.

    Args:
        heard: what was heard.
        found: the same as ``said`` returned it.
    """
    who = f"{found['from']} ({heard.meter or found['system_title'] or 'in clear'})"
    match heard.notification:
        case DataNotification(body=body):
            confirmed = ", confirmed" if heard.confirmed else ""
            what = f"data notification {found['number']}{confirmed}: {format_value(body)}"
        case EventNotification(value=value):
            what = f"event: {found['code']} attribute {found['attribute']} is {format_value(value)}"
        case InformationReport(variables=variables, values=values):
            pairs = zip(variables, values, strict=False)
            told = ", ".join(f"{v.address:04X} is {format_value(each)}" for v, each in pairs)
            what = f"information report: {told}"
        case None:
            what = f"cannot be read: {heard.why}"
    stamp = f" [{found['stamp']}]" if found.get("stamp") else ""
    again = " (again)" if heard.again else ""
    cases = "".join(f"; {each}" for each in heard.cases)
    line = f"{found['time']} {who}{stamp} {what}{again}{cases}"
    # a stranger may have said it: nothing of it moves the cursor
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _stamp(octets: bytes) -> str | None:
    """Return the meter's time; a time that cannot be one is shown as it came."""
    if not octets:
        return None
    try:
        return meter_text(CosemDateTime.from_bytes(octets))
    except ProtocolError:
        return octets.hex().upper()
