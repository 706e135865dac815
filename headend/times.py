"""How a moment is written, for people and in JSON: ISO 8601, to the second, with its offset."""

from datetime import UTC, datetime, tzinfo

from obis.values import replace
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.timing import Instant


def iso(moment: datetime) -> str:
    """Return a moment as it is written everywhere: 2026-11-21T23:41:01+01:00."""
    return moment.isoformat(timespec="seconds")


def utc(moment: Instant | int) -> str:
    """Return a moment of the head-end, which keeps UTC."""
    return iso(datetime.fromtimestamp(moment / 1000, UTC))


def meter_iso(moment: CosemDateTime, zone: tzinfo | None = None) -> str | None:
    """Return a moment of the meter; None where a wildcard makes it more than one, or none.

    Args:
        moment: as the meter has it.
        zone: whose offset it has where it does not say; without one there is none.
    """
    try:
        return iso(moment.to_datetime(zone))
    except WildcardError:
        return None


def meter_text(moment: CosemDateTime, zone: tzinfo | None = None) -> str:
    """Return a moment of the meter for people, whatever wildcards it has."""
    if moment.date == type(moment.date)() and moment.time.hour is None:
        return "not specified"
    whole = replace(moment, time=replace(moment.time, hundredths=None))
    return meter_iso(moment, zone) or str(whole)
