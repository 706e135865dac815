"""Read the meter's clock, or set it."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import CLOCK, VALUE, Device
from headend.errors import Refused, UsageError
from headend.reach import reached
from headend.reading.objects import profile_of
from headend.report import Report
from headend.times import meter_text
from obis import catalogue
from protocol import axdr
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, EncodeError
from protocol.events import AttributeRef

_NOW = "now"


@click.command("clock")
@click.option(
    "--set", "moment", is_flag=False, flag_value=_NOW, metavar="[TIME]",
    help="Set it to TIME (ISO 8601; the meter's own zone unless it says) or to now.",
)  # fmt: skip # as the others
@with_context
def command(context: Context, moment: str | None) -> Report:
    """Read the meter's clock, or set it.

    Example: prepay --port serial:./meter0 clock --set 2026-11-23T06:00:00
    """
    return clock(context, moment)


def clock(context: Context, moment: str | None = None) -> Report:
    """Read the clock, after setting it when a moment is given.

    Args:
        context: the run of the command.
        moment: ISO 8601, or "now" for the head-end's time.

    Raises:
        UsageError: no moment.
        Refused: the meter does not take it.
        NoAnswer: see there.
    """
    asked = _parse(moment)
    with reached(context) as device:
        if moment is not None:
            _set(device, asked or datetime.fromtimestamp(context.now() / 1000, UTC), asked is None)
        shown = device.clock()
        text = meter_text(shown, _zone(device) if shown.deviation is None else None)
    status = "" if shown.status is None else _words(shown.status.value)
    data = {"clock": text, "deviation": shown.deviation, "status": shown.status}
    return Report(data, (f"{text}{status}",))


def _parse(moment: str | None) -> datetime | None:
    if moment in (None, _NOW):
        return None
    try:
        return datetime.fromisoformat(str(moment))
    except ValueError as error:
        raise UsageError(
            f"{str(moment)[:40]!r} is no time: write 2026-11-23T06:00:00, with +01:00 for a zone"
        ) from error


def _set(device: Device, moment: datetime, is_now: bool) -> None:
    zone = _zone(device)
    try:
        local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
        stamp = CosemDateTime.from_datetime(local.replace(microsecond=0) if is_now else local)
        value = axdr.octet_string(stamp.to_bytes())
        device.session.set(AttributeRef(CLOCK, catalogue.CLOCK, VALUE), value)
    except EncodeError as error:
        raise UsageError(str(error)) from error
    except OverflowError as error:
        raise UsageError(f"{moment.isoformat()} is in no year that the meter's zone has") from error
    except AccessRefused as error:
        raise Refused(f"the meter does not take the time: {error}") from error


def _zone(device: Device) -> tzinfo:
    """Return the meter's zone: its profile's, or the deviation that its clock has now."""
    profile = profile_of(device)
    if profile is not None:
        return profile.zone
    deviation = device.clock().deviation
    return UTC if deviation is None else timezone(timedelta(minutes=-deviation))


def _words(status: int) -> str:
    return f" (status 0x{status:02X})" if status & 0x0F else ""
