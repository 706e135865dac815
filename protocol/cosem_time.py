"""COSEM date-time, date and time: 12, 5 and 4 octets, with their wildcards.

Any field may be "not specified", which here is None. Month and day have special values besides,
for dates that repeat every year. Of the deviation mind the sign: **local time + deviation =
UTC**, so Brussels has -60 in winter and -120 in summer.

| octets | field | not specified |
|---|---|---|
| 0-1 | year | 0xFFFF |
| 2 | month 1..12, 0xFD end and 0xFE begin of daylight saving | 0xFF |
| 3 | day of month 1..31, 0xFD second last and 0xFE last day of the month | 0xFF |
| 4 | day of week 1 (Monday)..7 | 0xFF |
| 5-8 | hour, minute, second, hundredths | 0xFF |
| 9-10 | deviation in minutes | 0x8000 |
| 11 | clock status | 0xFF |

Layout, wildcards and sign as ``gurux-dlms`` and ``pydlms-client`` agree on them. The deviation is
taken from -840 to 840, which is every offset that is in use in the world, with either sign.
"""

import struct
from collections.abc import Container
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import IntFlag
from typing import Final, Self

from msgspec import Struct, field

from protocol.errors import DecodeError, EncodeError, LocalProtocolError

#: Months that name no month: the day on which daylight saving ends or begins.
MONTH_DST_END: Final = 0xFD
MONTH_DST_BEGIN: Final = 0xFE
#: Days of the month counted from its end.
DAY_SECOND_LAST: Final = 0xFD
DAY_LAST: Final = 0xFE
#: The largest deviation in minutes, of either sign.
DEVIATION_LIMIT: Final = 840

_NO_YEAR: Final = 0xFFFF
_NO_DEVIATION: Final = -0x8000
_UNSPECIFIED: Final = 0xFF

_DATE_FIELDS: Final[dict[str, Container[int]]] = {
    "year": range(_NO_YEAR),
    "month": frozenset((*range(1, 13), MONTH_DST_END, MONTH_DST_BEGIN)),
    "day": frozenset((*range(1, 32), DAY_SECOND_LAST, DAY_LAST)),
    "weekday": range(1, 8),
}
_TIME_FIELDS: Final[dict[str, Container[int]]] = {
    "hour": range(24),
    "minute": range(60),
    "second": range(60),
    "hundredths": range(100),
}


class WildcardError(LocalProtocolError, ValueError):
    """A date or time with wildcards, or that no calendar has, was to become a ``datetime``."""


class ClockStatus(IntFlag):
    """The clock status; reserved bits are kept as they came."""

    OK = 0
    INVALID = 0x01  # the value is of no use
    DOUBTFUL = 0x02
    DIFFERENT_BASE = 0x04  # not from the usual clock source
    INVALID_STATUS = 0x08  # at least one of these bits is wrong
    DST = 0x80  # daylight saving is in force; the deviation has it already


class CosemDate(Struct, frozen=True):
    """A date; None is "not specified".

    Args:
        year: 0..65534.
        month: 1..12, ``MONTH_DST_BEGIN`` or ``MONTH_DST_END``.
        day: 1..31, ``DAY_LAST`` or ``DAY_SECOND_LAST``.
        weekday: 1 (Monday)..7.

    Raises:
        EncodeError: a field is out of range.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None

    def __post_init__(self) -> None:
        _check(self, _DATE_FIELDS)

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Return the date that 5 octets are.

        Raises:
            DecodeError: not 5 octets, or a field is out of range.
        """
        _check_size(octets, 5, "date")
        year = int.from_bytes(octets[:2], "big")
        try:
            return cls(None if year == _NO_YEAR else year, *map(_specified, octets[2:]))
        except EncodeError as error:
            raise DecodeError(str(error)) from error

    def to_bytes(self) -> bytes:
        """Return the 5 octets."""
        year = _NO_YEAR if self.year is None else self.year
        return year.to_bytes(2, "big") + _octets(self.month, self.day, self.weekday)

    @classmethod
    def from_date(cls, day: date) -> Self:
        """Return a calendar day, its weekday included."""
        return cls(day.year, day.month, day.day, day.isoweekday())

    def to_date(self) -> date:
        """Return the calendar day.

        Raises:
            WildcardError: year, month or day is a wildcard, or there is no such day.
        """
        if self.year is None or self.month is None or self.day is None:
            raise WildcardError(f"{self} is no single day: year, month or day is not specified")
        try:
            return date(self.year, self.month, self.day)
        except ValueError as error:
            raise WildcardError(f"{self} is no day of the calendar") from error

    def __str__(self) -> str:
        month = _MONTH_NAMES.get(self.month, _shown(self.month))
        return f"{_shown(self.year, 4)}-{month}-{_DAY_NAMES.get(self.day, _shown(self.day))}"


class CosemTime(Struct, frozen=True):
    """A time of day; None is "not specified".

    Args:
        hour: 0..23.
        minute: 0..59.
        second: 0..59.
        hundredths: of a second, 0..99.

    Raises:
        EncodeError: a field is out of range.
    """

    hour: int | None = None
    minute: int | None = None
    second: int | None = None
    hundredths: int | None = None

    def __post_init__(self) -> None:
        _check(self, _TIME_FIELDS)

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Return the time that 4 octets are.

        Raises:
            DecodeError: not 4 octets, or a field is out of range.
        """
        _check_size(octets, 4, "time")
        try:
            return cls(*map(_specified, octets))
        except EncodeError as error:
            raise DecodeError(str(error)) from error

    def to_bytes(self) -> bytes:
        """Return the 4 octets."""
        return _octets(self.hour, self.minute, self.second, self.hundredths)

    @classmethod
    def from_time(cls, moment: time) -> Self:
        """Return a time of day, cut to hundredths of a second."""
        return cls(moment.hour, moment.minute, moment.second, moment.microsecond // 10_000)

    def to_time(self) -> time:
        """Return the time of day; seconds and hundredths count as 0 where not specified.

        Raises:
            WildcardError: hour or minute is not specified.
        """
        if self.hour is None or self.minute is None:
            raise WildcardError(f"{self} is no single time: hour or minute is not specified")
        return time(self.hour, self.minute, self.second or 0, (self.hundredths or 0) * 10_000)

    def __str__(self) -> str:
        text = f"{_shown(self.hour)}:{_shown(self.minute)}:{_shown(self.second)}"
        return text if self.hundredths is None else f"{text}.{self.hundredths:02d}"


class CosemDateTime(Struct, frozen=True):
    """A date and time with its deviation and clock status; None is "not specified".

    Args:
        date: the local date.
        time: the local time.
        deviation: minutes to add to local time to get UTC.
        status: what the clock thinks of itself.

    Raises:
        EncodeError: the deviation is out of range.
    """

    date: CosemDate = field(default_factory=CosemDate)
    time: CosemTime = field(default_factory=CosemTime)
    deviation: int | None = None
    status: ClockStatus | None = None

    def __post_init__(self) -> None:
        if self.deviation is not None and abs(self.deviation) > DEVIATION_LIMIT:
            raise EncodeError(f"a deviation of {self.deviation} minutes is out of range")

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Return the date and time that 12 octets are.

        Raises:
            DecodeError: not 12 octets, or a field is out of range.
        """
        _check_size(octets, 12, "date-time")
        deviation, status = struct.unpack_from(">hB", octets, 9)
        try:
            return cls(
                CosemDate.from_bytes(octets[:5]),
                CosemTime.from_bytes(octets[5:9]),
                None if deviation == _NO_DEVIATION else deviation,
                None if status == _UNSPECIFIED else ClockStatus(status),
            )
        except EncodeError as error:
            raise DecodeError(str(error)) from error

    def to_bytes(self) -> bytes:
        """Return the 12 octets."""
        deviation = _NO_DEVIATION if self.deviation is None else self.deviation
        status = _UNSPECIFIED if self.status is None else self.status
        tail = struct.pack(">hB", deviation, status)
        return self.date.to_bytes() + self.time.to_bytes() + tail

    @classmethod
    def from_datetime(cls, moment: datetime, status: ClockStatus = ClockStatus.OK) -> Self:
        """Return an aware ``moment``, cut to hundredths; the status gets the DST bit if it is due.

        Raises:
            EncodeError: the moment is naive, or its offset from UTC is not of whole minutes.
        """
        offset = moment.utcoffset()
        if offset is None:
            raise EncodeError(f"{moment} has no time zone")
        minutes, rest = divmod(offset, timedelta(minutes=1))
        if rest:
            raise EncodeError(f"an offset of {offset} has no whole minutes")
        if moment.dst():
            status |= ClockStatus.DST
        return cls(
            CosemDate.from_date(moment.date()), CosemTime.from_time(moment.time()), -minutes, status
        )

    def to_datetime(self, zone: tzinfo | None = None) -> datetime:
        """Return the moment: aware where the deviation is specified.

        Args:
            zone: the zone to assume where the deviation is not specified; the DST bit of the
                status then decides which of two equal local times is meant. Without it such a
                moment comes out naive.

        Raises:
            WildcardError: a field from year to minute is a wildcard, or there is no such day.
        """
        local = datetime.combine(self.date.to_date(), self.time.to_time())
        if self.deviation is not None:
            return local.replace(tzinfo=timezone(timedelta(minutes=-self.deviation)))
        if zone is None:
            return local
        standard = self.status is not None and ClockStatus.DST not in self.status
        return local.replace(tzinfo=zone, fold=int(standard))

    def __str__(self) -> str:
        text = f"{self.date} {self.time}"
        if self.deviation is None:
            return text
        hours, minutes = divmod(abs(self.deviation), 60)
        return f"{text}{'-' if self.deviation > 0 else '+'}{hours:02d}:{minutes:02d}"


_MONTH_NAMES: Final[dict[int | None, str]] = {
    MONTH_DST_END: "dst-end",
    MONTH_DST_BEGIN: "dst-begin",
}
_DAY_NAMES: Final[dict[int | None, str]] = {DAY_SECOND_LAST: "second-last", DAY_LAST: "last"}


def _check(fields: CosemDate | CosemTime, allowed: dict[str, Container[int]]) -> None:
    for name, values in allowed.items():
        value = getattr(fields, name)
        if value is not None and value not in values:
            raise EncodeError(f"{name} {value} is out of range")


def _check_size(octets: bytes, size: int, name: str) -> None:
    if len(octets) != size:
        raise DecodeError(f"a {name} has {size} octets, not {len(octets)}")


def _specified(octet: int) -> int | None:
    return None if octet == _UNSPECIFIED else octet


def _octets(*fields: int | None) -> bytes:
    return bytes(_UNSPECIFIED if field is None else field for field in fields)


def _shown(field: int | None, width: int = 2) -> str:
    return "*" * width if field is None else f"{field:0{width}d}"
