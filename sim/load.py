"""What a household takes from the meter: energy as a function of time, exact in whole numbers.

A load says how many Wh each quarter-hour takes; inside a quarter-hour the power is constant.
Energy is counted in units of 1 Wh / 900 000, which is what 1 Wh a quarter-hour makes in one
millisecond: so the energy between any two instants is a whole number, and however a stretch of
time is cut into pieces, the pieces add up to the whole.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from protocol.timing import Instant

#: Milliseconds in a quarter-hour, and at the same time energy units in a Wh.
QUARTER = 900_000
UNITS_PER_WH = QUARTER
#: Quarter-hours in a day of 24 hours.
DAY_QUARTERS = 96
#: The most that a file may give a quarter-hour, in Wh: 400 kW, far beyond any household fuse.
LIMIT = 100_000
#: The most rows that a file may have: three years.
ROW_LIMIT = 3 * 366 * DAY_QUARTERS

#: The years that a meter may live in.
YEARS = range(1971, 2200)

_DAY = DAY_QUARTERS * QUARTER
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PATTERN_TIME = re.compile(r"(?:([A-Za-z]{3}) )?([0-2][0-9]):([0-5][0-9])")


class LoadError(ValueError):
    """A load file does not say what it should; the text names file and line."""


class Load(Protocol):
    """Energy as a function of time."""

    def quarter(self, index: int) -> int:
        """Return the Wh of the quarter-hour that starts ``index * QUARTER`` ms after 1970."""
        ...


class Consumption:
    """A load with running sums, so that any interval costs about the same to add up."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sums = lru_cache(maxsize=8)(self._sums_of_day)
        self._asked, self._watt_hours = -1, 0  # the quarter-hour asked for last

    def energy_between(self, start: Instant, end: Instant) -> int:
        """Return the energy from ``start`` to ``end`` in units of 1 Wh / ``UNITS_PER_WH``.

        Args:
            start: not after ``end``.
            end: the end, not counted in.
        """
        if start // QUARTER == end // QUARTER:  # as most that is asked for
            return self._quarter(end // QUARTER) * (end - start)
        days = range(start // _DAY, end // _DAY)
        return (
            sum(self._sums(day)[-1] for day in days) + self._since_day(end) - self._since_day(start)
        )

    def power_at(self, moment: Instant) -> int:
        """Return the power at ``moment`` in W."""
        return 4 * self._quarter(moment // QUARTER)

    def _quarter(self, index: int) -> int:
        if index != self._asked:
            self._asked, self._watt_hours = index, self._load.quarter(index)
        return self._watt_hours

    def _since_day(self, moment: int) -> int:
        day, within = divmod(moment, _DAY)
        quarter, rest = divmod(within, QUARTER)
        sums = self._sums(day)
        return sums[quarter] + (sums[quarter + 1] - sums[quarter]) // UNITS_PER_WH * rest

    def _sums_of_day(self, day: int) -> tuple[int, ...]:
        first = day * DAY_QUARTERS
        quarters = (self._load.quarter(first + step) for step in range(DAY_QUARTERS))
        return tuple(accumulate((wh * UNITS_PER_WH for wh in quarters), initial=0))


class Pattern:
    """A day or a week of quarter-hours, repeated in local time.

    Args:
        watt_hours: 96 values from 00:00, or 672 from Monday 00:00.
        zone: the meter's.
    """

    def __init__(self, watt_hours: Sequence[int], zone: tzinfo) -> None:
        self._watt_hours = tuple(watt_hours)
        self._zone = zone

    def quarter(self, index: int) -> int:
        """Return the Wh of one quarter-hour; an hour that comes twice takes twice."""
        local = local_quarter(index, self._zone)
        slot = local.weekday() * DAY_QUARTERS + slot_of(local)
        return self._watt_hours[slot % len(self._watt_hours)]


class Recording:
    """Dated quarter-hours without a gap, played over and over.

    Args:
        first: index of the first quarter-hour.
        watt_hours: its value and those after it.
    """

    def __init__(self, first: int, watt_hours: Sequence[int]) -> None:
        self._first = first
        self._watt_hours = tuple(watt_hours)

    def quarter(self, index: int) -> int:
        """Return the Wh of one quarter-hour; before and after the recording it repeats."""
        return self._watt_hours[(index - self._first) % len(self._watt_hours)]


class Household:
    """A made household: base load, a fridge, morning and evening peaks, livelier weekends.

    About 9 kWh a day. Every figure follows from seed and local date alone.

    Args:
        seed: another seed is another household.
        zone: where it lives.
    """

    def __init__(self, seed: int, zone: tzinfo) -> None:
        self._seed = seed
        self._zone = zone
        self._day = lru_cache(maxsize=8)(self._make_day)

    def quarter(self, index: int) -> int:
        """Return the Wh of one quarter-hour."""
        local = local_quarter(index, self._zone)
        return self._day(local.date())[slot_of(local)]

    def _make_day(self, day: date) -> tuple[int, ...]:
        noise = b"".join(
            blake2b(f"{self._seed} {day} {part}".encode()).digest() for part in range(2)
        )
        weekend = day.weekday() >= 5
        values = [38 + (12 if slot % 3 == 0 else 0) for slot in range(DAY_QUARTERS)]
        for start, end, watt_hours in _WEEKEND if weekend else _WEEKDAY:
            shift = noise[DAY_QUARTERS + start % 16] % 5 - 2
            for slot in range(start + shift, min(end + shift, DAY_QUARTERS)):
                values[slot] += watt_hours
        if noise[-1] < (140 if weekend else 60):  # a washing day
            wash = 40 + noise[-2] % 24
            for slot in range(wash, wash + 6):
                values[slot] += 180
        return tuple(value * (80 + noise[slot] % 41) // 100 for slot, value in enumerate(values))


# (first slot, slot after the last, Wh a quarter-hour): breakfast, cooking, the evening
_WEEKDAY = ((27, 33, 110), (71, 76, 260), (68, 90, 95))
_WEEKEND = ((34, 42, 130), (48, 53, 220), (54, 68, 60), (71, 76, 240), (68, 93, 105))


def local_quarter(index: int, zone: tzinfo) -> datetime:
    """Return the local start of the quarter-hour ``index``."""
    return datetime.fromtimestamp(index * (QUARTER // 1000), zone)


def slot_of(local: datetime) -> int:
    """Return which quarter-hour of its local day a time lies in, 0 to 95."""
    return local.hour * 4 + local.minute // 15


def read_load(path: Path, zone: tzinfo) -> Load:
    """Read a CSV file of quarter-hours, as described in ``sim/data/README.md``.

    Args:
        path: the file, UTF-8, with the header ``time,watt_hours``.
        zone: of stamps without an offset, and of patterns.

    Raises:
        LoadError: what is wrong and in which line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _read_rows(path, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        reason = "not a text file" if isinstance(error, UnicodeDecodeError) else reason
        raise LoadError(f"{path}: cannot be read: {reason}") from error
    if not rows:
        raise LoadError(f"{path}: no quarter-hours in it")
    values = [watt_hours for _, _, watt_hours in rows]
    if _PATTERN_TIME.fullmatch(rows[0][1]):
        _check_pattern(path, rows)
        return Pattern(values, zone)
    return Recording(_check_stamps(path, rows, zone), values)


_Row = tuple[int, str, int]  # line number, time, Wh


def _read_rows(path: Path, file: Iterable[str]) -> list[_Row]:
    reader = csv.reader(file)
    rows: list[_Row] = []
    if next(reader, None) != ["time", "watt_hours"]:
        raise LoadError(f"{path}, line 1: the header has to be time,watt_hours")
    for fields in reader:
        line = reader.line_num
        if not fields:
            continue
        if len(fields) != 2:
            raise LoadError(f"{path}, line {line}: two fields expected, time and watt_hours")
        time, amount = (part.strip() for part in fields)
        if not (amount.isascii() and amount.isdigit()) or len(amount) > 9 or int(amount) > LIMIT:
            raise LoadError(
                f"{path}, line {line}: {amount!r} is not a whole number of Wh from 0 to {LIMIT}"
            )
        if len(rows) == ROW_LIMIT:
            raise LoadError(f"{path}, line {line}: more than {ROW_LIMIT} quarter-hours")
        rows.append((line, time, int(amount)))
    return rows


def _check_pattern(path: Path, rows: list[_Row]) -> None:
    week = " " in rows[0][1]
    for position, (line, time, _) in enumerate(rows):
        day, slot = divmod(position, DAY_QUARTERS)
        wanted = f"{slot // 4:02}:{slot % 4 * 15:02}"
        if week:
            wanted = f"{_WEEKDAYS[day % 7]} {wanted}"
        if time.lower() != wanted:
            raise LoadError(f"{path}, line {line}: {wanted} expected, not {time!r}")
    length = 7 * DAY_QUARTERS if week else DAY_QUARTERS
    if len(rows) != length:
        whole = "a week" if week else "a day"
        raise LoadError(f"{path}: {whole} has {length} quarter-hours, not {len(rows)}")


def _check_stamps(path: Path, rows: list[_Row], zone: tzinfo) -> int:
    expected: int | None = None
    for line, time, _ in rows:
        try:
            stamp = datetime.fromisoformat(time)
        except ValueError:
            raise LoadError(f"{path}, line {line}: {time!r} is no ISO date and time") from None
        if stamp.year not in YEARS:
            raise LoadError(f"{path}, line {line}: no meter lives in the year {stamp.year}")
        candidates = _instants(stamp, zone)
        if not candidates:
            raise LoadError(f"{path}, line {line}: {time} does not exist there, the clocks change")
        moment = expected if expected in candidates else candidates[0]
        if moment % (QUARTER // 1000):
            raise LoadError(f"{path}, line {line}: {time} is not the start of a quarter-hour")
        if expected is not None and moment != expected:
            wanted = datetime.fromtimestamp(expected, UTC if time.endswith("Z") else zone)
            raise LoadError(
                f"{path}, line {line}: {wanted:%Y-%m-%dT%H:%M} expected, not {time}:"
                " quarter-hours follow each other without a gap"
            )
        expected = moment + QUARTER // 1000
    assert expected is not None  # there is at least one row
    return expected // (QUARTER // 1000) - len(rows)


def _instants(stamp: datetime, zone: tzinfo) -> list[int]:
    """Return the seconds since 1970 that a stamp can mean: two in the hour that comes twice."""
    if stamp.tzinfo is not None:
        return [int(stamp.timestamp())]
    folds = (stamp.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    real = [
        int(local.timestamp())
        for local in folds
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == stamp
    ]
    return sorted(set(real))
