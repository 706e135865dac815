"""The meter's clock (class 8): an offset on the board's time, shown in the zone of the profile."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import Clock
from meter_fw.view import ANYBODY, READERS, Change, Role, View, milliseconds
from obis import catalogue
from obis.values import replace
from protocol.codes import DataAccessResult
from protocol.cosem.clock import CLOCK, ClockBase
from protocol.cosem_time import ClockStatus, CosemDateTime, WildcardError
from protocol.errors import AccessRefused, DecodeError

#: A clock set outside these years is set by mistake.
YEARS: Final = range(2000, 2100)
_QUARTER: Final = 15 * 60 * 1000
_MINUTE: Final = 60 * 1000
_MOST_SHIFT: Final = 900  # s


def _move(view: View, clock: int, *, known: bool) -> Change:
    offset = view.state.clock.offset + clock - view.clock
    return Change(replace(view.state, clock=Clock(offset, known)))


def _set_time(view: View, octets: bytes) -> Change:
    try:
        moment = CosemDateTime.from_bytes(octets).to_datetime(view.factory.zone)
    except (DecodeError, WildcardError) as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
    if moment.year not in YEARS:
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "not a year to live in")
    return _move(view, milliseconds(moment), known=True)


def _adjust(view: View, step: int) -> Change:
    """To the nearest multiple of ``step``; an unknown time that is rounded is still unknown."""
    nearest = (view.clock + step // 2) // step * step
    return _move(view, nearest, known=view.state.clock.known)


def _shift(view: View, seconds: int) -> Change:
    if abs(seconds) > _MOST_SHIFT:
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "at most 900 s")
    return _move(view, view.clock + seconds * 1000, known=view.state.clock.known)


def _status(view: View) -> int:
    status = ClockStatus.OK if view.state.clock.known else ClockStatus.INVALID
    return int(status | (ClockStatus.DST if view.local.dst() else ClockStatus.OK))


def _standard_offset(view: View) -> int:
    """Minutes from local standard time to UTC, as class 8 counts them."""
    local = view.local
    offset = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    return -int(offset / timedelta(minutes=1))


@cache
def _dst_edges(zone: ZoneInfo, year: int) -> tuple[bytes, bytes]:
    """Return when daylight saving begins and ends in a year, as COSEM date-times in local time."""
    edges = {True: CosemDateTime(), False: CosemDateTime()}
    hour = datetime(year, 1, 1, tzinfo=UTC)
    while hour.year == year:
        before, hour = bool(hour.astimezone(zone).dst()), hour + timedelta(hours=1)
        after = bool(hour.astimezone(zone).dst())
        if before is not after:
            # the edge is told in the local time that ends with it
            last = (hour - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=UTC)
            told = CosemDateTime.from_datetime(last + timedelta(seconds=1))
            edges[after] = replace(told, deviation=None, status=None)
    return edges[True].to_bytes(), edges[False].to_bytes()


@cache
def _dst_minutes(zone: ZoneInfo, year: int) -> int:
    """Return by how many minutes daylight saving moves the clock, 0 where there is none."""
    months = (datetime(year, month, 1, tzinfo=zone) for month in range(1, 13))
    return int(max(month.dst() or timedelta() for month in months) / timedelta(minutes=1))


def _year(view: View) -> tuple[ZoneInfo, int]:
    return view.factory.zone, view.local.year


def objects() -> tuple[CosemObject, ...]:
    """Return the clock."""
    manager = Role.MANAGEMENT

    def adjust(step: int) -> Method:
        return Method(lambda view, parameter: _adjust(view, step), manager)

    attributes: dict[int, Attribute] = {
        2: Attribute(lambda view: view.stamp(view.clock), ANYBODY, _set_time, manager),
        3: Attribute(_standard_offset, READERS),
        4: Attribute(_status, ANYBODY),
        5: Attribute(lambda view: _dst_edges(*_year(view))[0], READERS),
        6: Attribute(lambda view: _dst_edges(*_year(view))[1], READERS),
        7: Attribute(lambda view: _dst_minutes(*_year(view)), READERS),
        8: Attribute(lambda view: _dst_minutes(*_year(view)) != 0, READERS),
        9: Attribute(lambda view: ClockBase.INTERNAL_CRYSTAL, READERS),
    }
    methods = {
        1: adjust(_QUARTER),
        2: adjust(_QUARTER),
        3: adjust(_MINUTE),
        6: Method(_shift, manager),
    }
    return (CosemObject(CLOCK, catalogue.CLOCK, attributes, methods),)
