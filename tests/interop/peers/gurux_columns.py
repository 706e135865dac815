"""Drives columns of profiles with gurux-dlms 1.0.203; see `columns`."""

import importlib.metadata

import columns
import running
from gurux_client import GuruxDriver
from gurux_dlms.enums import ObjectType

CAPTURE_OBJECTS = 3


class GuruxColumns(GuruxDriver):
    """The client, which takes columns as capture objects."""

    def _profile(self, obis):
        """The profile with its capture objects, by which columns are chosen."""
        profile = self._object(ObjectType.PROFILE_GENERIC, obis)
        reply = self._exchange(self._client.read(profile, CAPTURE_OBJECTS))
        self._client.updateValue(profile, CAPTURE_OBJECTS, reply.value)
        return profile

    def columns_by_entry(self, obis, first, last, columns):
        """GET by entry."""
        profile = self._profile(obis)
        wanted = profile.captureObjects[:columns]
        return self._rows(self._client.readRowsByEntry(profile, first, last - first + 1, wanted))

    def columns_by_range(self, obis, since, until, places):
        """GET by range."""
        profile = self._profile(obis)
        wanted = [profile.captureObjects[place] for place in places]
        return self._rows(self._client.readRowsByRange(profile, since, until, wanted))


if __name__ == "__main__":
    columns.register()
    running.run(GuruxColumns, importlib.metadata.version("gurux-dlms"))
