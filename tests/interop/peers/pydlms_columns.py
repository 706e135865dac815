"""Drives columns of profiles with pydlms-client 0.1.0, by GET and by ACCESS; see `columns`."""

import importlib.metadata

import columns
import running
from pydlms.apdu.xdlms import date_time_value, entry_descriptor, range_descriptor
from pydlms.client import AccessGet
from pydlms.obis import ObisCode
from pydlms_services import PydlmsServices

PROFILE_GENERIC, BUFFER, CAPTURE_OBJECTS = 7, 2, 3


class PydlmsColumns(PydlmsServices):
    """DlmsClient, which checks that it gets the columns that it asked for."""

    def columns_by_entry(self, obis, first, last, columns):
        """GET by entry."""
        return self._selected(obis, entry_descriptor(first, last, 1, columns))

    def columns_by_range(self, obis, since, until, places):
        """GET by range."""
        captured = self._client.get(obis, PROFILE_GENERIC, CAPTURE_OBJECTS).value
        wanted = [self._column(captured[place].value) for place in places]
        moments = date_time_value(since), date_time_value(until)
        return self._selected(obis, range_descriptor(*moments, selected_values=wanted))

    @staticmethod
    def _column(members):
        class_id, name, *indexes = (member.value for member in members)
        return class_id, ObisCode.from_bytes(name), *indexes

    def _selected(self, obis, access):
        rows = self._ask(self._client.get, obis, PROFILE_GENERIC, BUFFER, access).to_python()
        (found,) = self._client.access([AccessGet(obis, PROFILE_GENERIC, BUFFER, access)])
        if found.data.to_python() != rows:
            raise ValueError(f"by ACCESS it is {found.data.to_python()}, by GET {rows}")
        return rows


if __name__ == "__main__":
    columns.register()
    running.run(PydlmsColumns, importlib.metadata.version("pydlms-client"))
