"""Drives the classes Schedule and Special days table of pydlms-client 0.1.0; see `calendars`.

The library has names and types of both classes and no objects of them: rows are put together of
its data, and what is read has to be what its typed model takes.
"""

import datetime
import importlib.metadata

import calendars
import running
from pydlms import DlmsData
from pydlms.cosem.enums import DataType
from pydlms.cosem.model import spec_for
from pydlms_client_driver import PydlmsDriver

ANY = bytes.fromhex("FFFFFFFFFF")


class PydlmsCalendars(PydlmsDriver):
    """DlmsClient with rows of classes 10 and 11."""

    def _rows(self, where):
        class_id, obis = where
        data = self._ask(self._client.get, obis, class_id, 2)
        described = spec_for(class_id)
        if described is not None:
            attribute = described.attribute(2)
            attribute.type.decode(data, attribute.name)
        return [row.to_python() for row in data.value]

    def _write(self, where, rows):
        class_id, obis = where
        self._ask(self._client.set, obis, class_id, 2, DlmsData.array(rows))

    def _call(self, where, method, parameter):
        class_id, obis = where
        self._ask(self._client.action, obis, class_id, method, parameter)

    def entries(self):
        """Class 10."""
        return [_told(row) for row in self._rows(calendars.SCHEDULE)]

    def set_entries(self, rows):
        """SET of the whole attribute."""
        self._write(calendars.SCHEDULE, [_entry(row) for row in rows])

    def insert_entry(self, row):
        """Method 2."""
        self._call(calendars.SCHEDULE, 2, _entry(row))

    def delete_entry(self, index):
        """Method 3."""
        self._call(calendars.SCHEDULE, 3, _numbers(index, index))

    def switch_entry(self, index, on):
        """Method 1: range A is disabled, then range B enabled."""
        ends = (0, 0, index, index) if on else (index, index, 0, 0)
        self._call(calendars.SCHEDULE, 1, _numbers(*ends))

    def special_days(self):
        """Class 11."""
        return [[row[0], _date_told(row[1]), row[2]] for row in self._rows(calendars.SPECIAL_DAYS)]

    def set_special_days(self, rows):
        """SET of the whole attribute."""
        self._write(calendars.SPECIAL_DAYS, [_day(row) for row in rows])

    def insert_special_day(self, row):
        """Method 1."""
        self._call(calendars.SPECIAL_DAYS, 1, _day(row))

    def delete_special_day(self, index):
        """Method 2."""
        self._call(calendars.SPECIAL_DAYS, 2, DlmsData.uint16(index))


def _numbers(*numbers):
    return DlmsData.structure([DlmsData.uint16(number) for number in numbers])


def _entry(row):
    index, enabled, script, at, weekdays, day_ids, begin, end = row
    moment = datetime.time.fromisoformat(at)
    scripts = bytes(int(group) for group in calendars.SCRIPTS.split("."))
    return DlmsData.structure(
        [
            DlmsData.uint16(index),
            DlmsData.boolean(enabled),
            DlmsData.octet_string(scripts),
            DlmsData.uint16(script),
            DlmsData.octet_string(bytes((moment.hour, moment.minute, 0, 0xFF))),
            DlmsData.uint16(0xFFFF),
            _bits(weekdays),
            _bits(day_ids),
            DlmsData.octet_string(_date(begin)),
            DlmsData.octet_string(_date(end)),
        ]
    )


def _told(row):
    index, enabled, _, script, at, _, weekdays, day_ids, begin, end = row
    return [
        index,
        enabled,
        script,
        f"{at[0]:02d}:{at[1]:02d}",
        _shown(weekdays),
        _shown(day_ids),
        _date_told(begin),
        _date_told(end),
    ]


def _day(row):
    index, text, day_id = row
    return DlmsData.structure(
        [DlmsData.uint16(index), DlmsData.octet_string(_date(text)), DlmsData.uint8(day_id)]
    )


def _bits(text):
    return DlmsData(DataType.BIT_STRING, tuple(bit == "1" for bit in text))


def _shown(bits):
    return "".join("1" if bit else "0" for bit in bits)


def _date(text):
    if text == "any":
        return ANY
    day = datetime.date.fromisoformat(text)
    return day.year.to_bytes(2, "big") + bytes((day.month, day.day, 0xFF))


def _date_told(octets):
    if bytes(octets) == ANY:
        return "any"
    return f"{int.from_bytes(octets[:2], 'big'):04d}-{octets[2]:02d}-{octets[3]:02d}"


if __name__ == "__main__":
    calendars.register()
    running.run(PydlmsCalendars, importlib.metadata.version("pydlms-client"))
