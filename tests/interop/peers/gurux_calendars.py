"""Drives the classes Schedule and Special days table of gurux-dlms 1.0.203; see `calendars`.

The library's own objects take the values, write them, and make the requests of the methods.
"""

import datetime
import importlib.metadata

import calendars
import running
from gurux_client import GuruxDriver
from gurux_dlms import GXBitString, GXDate, GXTime
from gurux_dlms.enums import DateTimeSkips
from gurux_dlms.objects import GXDLMSScheduleEntry, GXDLMSSpecialDay
from gurux_dlms.objects.enums import Weekdays


class GuruxCalendars(GuruxDriver):
    """GXDLMSSecureClient with GXDLMSSchedule and GXDLMSSpecialDaysTable."""

    def _read(self, where):
        target = self._object(*where)
        reply = self._exchange(self._client.read(target, 2))
        self._client.updateValue(target, 2, reply.value)
        return target

    def _write(self, target, rows):
        target.entries = rows
        self._exchange(self._client.write(target, 2))

    def entries(self):
        """Class 10: the rows as its own class has them."""
        return [_told(entry) for entry in self._read(calendars.SCHEDULE).entries]

    def set_entries(self, rows):
        """SET of the whole attribute."""
        self._write(self._object(*calendars.SCHEDULE), [_entry(row) for row in rows])

    def insert_entry(self, row):
        """Method 2."""
        self._exchange(self._object(*calendars.SCHEDULE).insert(self._client, _entry(row)))

    def delete_entry(self, index):
        """Method 3."""
        entry = GXDLMSScheduleEntry()
        entry.index = index
        self._exchange(self._object(*calendars.SCHEDULE).delete(self._client, entry))

    def switch_entry(self, index, on):
        """Method 1; its `enable` names range A, which is the one that is disabled."""
        entry = GXDLMSScheduleEntry()
        entry.index = index
        schedule = self._object(*calendars.SCHEDULE)
        swapped = schedule.disable if on else schedule.enable
        self._exchange(swapped(self._client, entry))

    def special_days(self):
        """Class 11: the rows as its own class has them."""
        found = self._read(calendars.SPECIAL_DAYS).entries
        return [[day.index, _date_told(day.date), day.dayId] for day in found]

    def set_special_days(self, rows):
        """SET of the whole attribute."""
        self._write(self._object(*calendars.SPECIAL_DAYS), [_day(row) for row in rows])

    def insert_special_day(self, row):
        """Method 1."""
        table = self._object(*calendars.SPECIAL_DAYS)
        self._exchange(table.insert(self._client, _day(row)))

    def delete_special_day(self, index):
        """Method 2."""
        day = GXDLMSSpecialDay()
        day.index = index
        table = self._object(*calendars.SPECIAL_DAYS)
        self._exchange(table.delete(self._client, day))


def _entry(row):
    index, enabled, script, at, weekdays, day_ids, begin, end = row
    entry = GXDLMSScheduleEntry()
    entry.index, entry.enable = index, enabled
    entry.logicalName, entry.scriptSelector = calendars.SCRIPTS, script
    entry.switchTime = GXTime(datetime.datetime.fromisoformat(f"2000-01-01T{at}"))
    entry.validityWindow = 0xFFFF
    entry.execWeekdays = Weekdays(sum(1 << day for day, bit in enumerate(weekdays) if bit == "1"))
    entry.execSpecDays = GXBitString(day_ids)
    entry.beginDate, entry.endDate = _date(begin), _date(end)
    return entry


def _told(entry):
    at = entry.switchTime.value
    weekdays = "".join("1" if int(entry.execWeekdays) >> day & 1 else "0" for day in range(7))
    return [
        entry.index,
        bool(entry.enable),
        entry.scriptSelector,
        f"{at.hour:02d}:{at.minute:02d}",
        weekdays,
        str(entry.execSpecDays),
        _date_told(entry.beginDate),
        _date_told(entry.endDate),
    ]


def _day(row):
    day = GXDLMSSpecialDay()
    day.index, day.date, day.dayId = row[0], _date(row[1]), row[2]
    return day


def _date(text):
    """A date; "any" with every part skipped."""
    if text != "any":
        return GXDate(datetime.datetime.fromisoformat(text))
    found = GXDate(datetime.datetime(2000, 1, 1))  # noqa: DTZ001 - its own dates are naive
    found.skip |= DateTimeSkips.YEAR | DateTimeSkips.MONTH | DateTimeSkips.DAY
    found.skip |= DateTimeSkips.DAY_OF_WEEK
    return found


def _date_told(found):
    if DateTimeSkips.YEAR in found.skip:
        return "any"
    return found.value.date().isoformat()


if __name__ == "__main__":
    calendars.register()
    running.run(GuruxCalendars, importlib.metadata.version("gurux-dlms"))
