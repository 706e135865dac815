"""Drives gurux-dlms by short names: READ and WRITE where `gurux_client` has GET, SET and ACTION."""

import importlib.metadata

import harness
import operations
import running
from gurux_client import GuruxDriver
from gurux_dlms.objects import GXDLMSAssociationShortName


class GuruxShortNames(GuruxDriver):
    """GXDLMSSecureClient without logical name referencing."""

    logical_names = False

    def connect(self):
        """Open everything, and read where the objects lie."""
        super().connect()
        self._bases = {}
        self._list = self.objects()

    def objects(self):
        """The object list (attribute 2 of the association) and the rights (attribute 3)."""
        reply = self._exchange(self._client.getObjectsRequest())
        self._client.parseObjects(reply.data, onlyKnownObjects=False)
        listed = reply.value
        association = GXDLMSAssociationShortName()
        granted = self._exchange(self._client.read(association, 3)).value
        rights = {base & 0xFFFF: (attributes, methods) for base, attributes, methods in granted}
        found = []
        for base, class_id, version, name in listed:
            obis = ".".join(str(group) for group in name)
            self._bases[class_id, obis] = base & 0xFFFF
            attributes, methods = rights[base & 0xFFFF]
            found.append(
                {
                    "class": class_id,
                    "version": version,
                    "obis": obis,
                    "base": base & 0xFFFF,
                    "attributes": {entry[0]: entry[1] for entry in attributes},
                    "methods": {entry[0]: int(entry[1]) for entry in methods},
                }
            )
        return found

    def _object(self, class_id, obis):
        target = super()._object(class_id, obis)
        if (class_id, obis) not in self._bases:
            raise harness.RefusedError("not in the object list")
        target.shortName = self._bases[class_id, obis]
        return target

    def _write_target(self, class_id, obis):
        target = super()._write_target(class_id, obis)
        target.shortName = self._object(class_id, obis).shortName
        return target


def operate_several(driver):
    """READ of three variables at once: clock, logical device name, energy."""
    wanted = [(8, "0.0.1.0.0.255"), (1, "0.0.42.0.0.255"), (3, "1.0.1.8.0.255")]
    pairs = [(driver._object(*one), 2) for one in wanted]
    reply = driver._exchange(driver._client.readList(pairs)[0])
    return harness.jsonable(reply.value)


if __name__ == "__main__":
    operations.OPERATIONS["several"] = operate_several
    running.run(GuruxShortNames, importlib.metadata.version("gurux-dlms"))
