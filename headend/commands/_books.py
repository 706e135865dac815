"""What the lists from the database share."""

from headend.registry.finding import find
from headend.store import meters
from headend.store.connection import Connection
from headend.store.meters import Meter
from headend.times import utc
from prepay.money import Currency
from prepay.profile import ProfileError, load_profile

#: Said above a list with times in it.
WHOSE_TIMES = "times are the head-end's (UTC)"


def known_meters(db: Connection, name: str | None) -> list[Meter]:
    """Return the meter of a name, or all of them.

    Raises:
        UsageError: no such meter.
    """
    if name is None:
        return meters.every(db)
    return [meters.by_id(db, find(db, name).id)]


def currency_of(meter: Meter) -> Currency | None:
    """Return the currency of a meter's profile; None for a meter that is not ours."""
    try:
        return load_profile(meter.profile).currency if meter.profile else None
    except ProfileError:
        return None


def iso(moment: int | None) -> str | None:
    """Return a moment of the database in ISO 8601, UTC."""
    return None if moment is None else utc(moment)
