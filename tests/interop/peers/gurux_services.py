"""Drives lists, ACCESS and general block transfer of gurux-dlms 1.0.203; see `services`.

The library makes the requests and takes the replies. What it makes of a reply to a list it puts
into objects of its classes; here they are read back out of them.
"""

import importlib.metadata

import harness
import running
import services
from gurux_client import GuruxDriver
from gurux_dlms.enums import AccessServiceCommandType, Conformance
from gurux_dlms.GXDLMSAccessItem import GXDLMSAccessItem
from gurux_dlms.objects import GXDLMSData


class GuruxServices(GuruxDriver):
    """GXDLMSSecureClient that proposes general block transfer beside datablocks."""

    def _build(self):
        client = super()._build()
        client.proposedConformance |= Conformance.GENERAL_BLOCK_TRANSFER
        return client

    def read_many(self, members):
        """GET with-list: the values as the library decodes them."""
        wanted = [(self._plain(class_id, obis), index) for class_id, obis, index in members]
        values = []
        for request in self._client.readList(wanted):
            reply = self._exchange(request)
            values.extend(reply.value)
        return [harness.jsonable(value) for value in values]

    def access(self, members):
        """ACCESS: result and value of each; it can only ask GETs, see KNOWN_FAULTS.md."""
        items = []
        for kind, class_id, obis, index in members:
            target = self._object(class_id, obis)  # it puts into it what it has read
            assert kind == "get"
            items.append(GXDLMSAccessItem(AccessServiceCommandType.GET, target, index))
        reply = self._exchange(self._client.accessRequest(None, items))
        self._client.parseAccessResponse(items, reply.data)
        return [[int(one.error), harness.jsonable(one.value)] for one in items]

    def _plain(self, class_id, obis):
        target = GXDLMSData(obis)
        target.objectType = class_id
        return target


if __name__ == "__main__":
    services.register()
    running.run(GuruxServices, importlib.metadata.version("gurux-dlms"))
