"""Drives lists, ACCESS and general block transfer of pydlms-client 0.1.0; see `services`."""

import importlib.metadata

import harness
import running
import services
from pydlms import DlmsData
from pydlms.client import AccessAction, AccessGet, AccessSet
from pydlms_client_driver import PydlmsDriver

WINDOW = 5


class PydlmsServices(PydlmsDriver):
    """DlmsClient that proposes ACCESS and general block transfer."""

    def _build(self):
        client = super()._build()
        settings = client.association.settings
        settings.propose_gbt = settings.propose_access = True
        settings.gbt_window = WINDOW
        return client

    def read_many(self, members):
        """GET with-list: values, or the numbers of what was wrong."""
        items = [(obis, class_id, index) for class_id, obis, index in members]
        return [_shown(one) for one in self._client.get_many(items)]

    def write_many(self, members, in_datablocks=False):
        """SET with-list of octet-strings."""
        settings = self._client.association.settings
        settings.use_gbt = not in_datablocks
        items = [
            (obis, class_id, index, DlmsData.octet_string(octets))
            for class_id, obis, index, octets in members
        ]
        try:
            return [int(one) for one in self._client.set_many(items, split_lists=False)]
        finally:
            settings.use_gbt = True

    def act_many(self, members, in_datablocks=False):
        """ACTION with-list; the integer 0, or octets, for a parameter."""
        settings = self._client.association.settings
        settings.use_gbt = not in_datablocks
        items = [
            (obis, class_id, index, _parameter(octets)) for class_id, obis, index, octets in members
        ]
        try:
            found = self._client.action_many(items, split_lists=False)
        finally:
            settings.use_gbt = True
        return [0 if one is None else _shown(one) for one in found]

    def access(self, members, break_on_error=False):
        """ACCESS: result and value of each; a member is a letter, a reference and octets."""
        operations = [self._member(*one) for one in members]
        found = self._client.access(operations, break_on_error=break_on_error)
        return [[int(one.result), harness.jsonable(one.data.to_python())] for one in found]

    def _member(self, kind, class_id, obis, index, octets=None):
        if kind == "get":
            return AccessGet(obis, class_id, index)
        if kind == "set":
            return AccessSet(obis, class_id, index, DlmsData.octet_string(octets))
        return AccessAction(obis, class_id, index, _parameter(octets))


def _parameter(octets):
    return DlmsData.int8(0) if octets is None else DlmsData.octet_string(octets)


def _shown(one):
    return harness.jsonable(one.to_python()) if isinstance(one, DlmsData) else int(one)


if __name__ == "__main__":
    services.register()
    running.run(PydlmsServices, importlib.metadata.version("pydlms-client"))
