"""Print what meters say unasked, and confirm what wants to be confirmed."""

import json
from typing import Any

import click

from headend.ciphered import LeasedCounters, fingerprint
from headend.cli import with_context
from headend.context import Context
from headend.ears import Heard, Identity
from headend.errors import NoAnswer
from headend.listening import Listener
from headend.overhearing import LineListener
from headend.report import Report
from headend.security import key_set
from headend.store import counters
from headend.times import meter_text, utc
from headend.transports import LinkKind
from headend.values import format_value, to_json
from protocol.cosem_time import CosemDateTime
from protocol.errors import ProtocolError
from protocol.events import DataNotification, EventNotification, InformationReport
from protocol.security import KeySet
from protocol.timing import later

#: Where a meter may speak on its line without a sign-on.
_LINES = ("serial", "hdlc+tcp")


@click.command("listen")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N notifications.")
@click.option(
    "--seconds", type=click.FloatRange(0, 86_400 * 366), metavar="S", help="End after S seconds."
)
@with_context
def command(context: Context, count: int | None, seconds: float | None) -> Report:
    """Print what meters say unasked, and confirm what wants to be confirmed.

    The port is where to listen: tcp:HOST:PORT or udp:HOST:PORT, which meters call; or the line of
    one meter, serial:PATH or hdlc+tcp:HOST:PORT, on which it says things in UI frames. Ciphered
    notifications are read with the keys of --keys. Without --count and --seconds it goes on until
    it is interrupted.

    Example: prepay --port udp:0.0.0.0:4061 listen --json

    Exit code 3: nothing was heard in the seconds given, or less than N notifications.
    """
    return listen(context, count, seconds)


def listen(context: Context, count: int | None, seconds: float | None) -> Report:
    """Print notifications as they come.

    Raises:
        PortUnusable: it cannot be listened there.
        NoAnswer: not enough came in time.
    """
    as_json = context.settings.json
    until = None if seconds is None else later(context.now(), int(seconds * 1000))
    read = 0
    with _listener(context) as listener:
        click.echo(f'{{"listening": "{listener.place}"}}' if as_json else f"at {listener.place}")
        for heard in listener.hear(until):
            said = _said(heard, utc(context.now()))
            click.echo(json.dumps(said, ensure_ascii=False) if as_json else _text(heard, said))
            read += heard.notification is not None
            if read == count:
                break
    if not read or (count is not None and read < count):
        wanted = f"{read} of {count} notifications" if count else "nothing"
        raise NoAnswer(f"heard {wanted} in {seconds:g} seconds")
    return Report({"heard": read}, (f"{read} heard",))


def _listener(context: Context) -> Listener | LineListener:
    spec, identity = context.port, _identity(context)
    if spec.link is LinkKind.HDLC and spec.scheme in _LINES:
        return LineListener(spec, identity, context.now, context.transports)
    return Listener(spec, identity, context.now)


def _identity(context: Context) -> Identity:
    def keys() -> KeySet:
        return key_set(context.keys)

    def title() -> bytes:
        with context.store.begin() as db:
            return counters.system_title(db, context.entropy)

    class Counters:
        """Leased from the database once one is needed, and not before."""

        leased: LeasedCounters | None = None

        def next(self) -> int:
            """Return a counter never returned before."""
            if self.leased is None:
                self.leased = LeasedCounters(context.store, fingerprint(context), 0)
            return self.leased.next()

    return Identity(keys, title, Counters(), context.entropy)


def _said(heard: Heard, now: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "time": now,
        "from": heard.source,
        "logical": heard.peer.server,
        "client": heard.peer.client,
        "system_title": heard.title.hex().upper() or None,
    }
    match heard.notification:
        case DataNotification(body=body, invoke=invoke, date_time=stamp):
            said |= {
                "service": "data-notification",
                "number": invoke.number,
                "confirmed": heard.confirmed,
                "stamp": _stamp(stamp),
                "body": to_json(body),
            }
        case EventNotification(attribute=attribute, value=value, time=stamp):
            said |= {
                "service": "event-notification",
                "class": attribute.class_id,
                "code": str(attribute.logical_name),
                "attribute": attribute.index,
                "stamp": _stamp(stamp),
                "value": to_json(value),
            }
        case InformationReport(variables=variables, values=values, time=moment):
            said |= {
                "service": "information-report",
                "addresses": [variable.address for variable in variables],
                "stamp": moment or None,
                "values": [to_json(value) for value in values],
            }
        case None:
            said["unreadable"] = heard.why
    return said


def _text(heard: Heard, said: dict[str, Any]) -> str:
    who = f"{said['from']} ({said['system_title'] or 'in clear'})"
    match heard.notification:
        case DataNotification(body=body):
            confirmed = ", confirmed" if heard.confirmed else ""
            what = f"data notification {said['number']}{confirmed}: {format_value(body)}"
        case EventNotification(value=value):
            what = f"event: {said['code']} attribute {said['attribute']} is {format_value(value)}"
        case InformationReport(variables=variables, values=values):
            pairs = zip(variables, values, strict=False)
            told = ", ".join(f"{v.address:04X} is {format_value(each)}" for v, each in pairs)
            what = f"information report: {told}"
        case None:
            what = f"cannot be read: {heard.why}"
    stamp = f" [{said['stamp']}]" if said.get("stamp") else ""
    line = f"{said['time']} {who}{stamp} {what}"
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
