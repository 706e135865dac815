"""Drives pydlms-client by short names: READ and WRITE where its other driver has GET and SET."""

import importlib.metadata

import running
from pydlms_client_driver import PydlmsDriver

ASSOCIATION = (12, "0.0.40.0.0.255")
RIGHTS = 3


class PydlmsShortNames(PydlmsDriver):
    """DlmsClient without logical names."""

    logical_names = False

    def objects(self):
        """The association view, and the rights out of attribute 3 of the association."""
        granted = self._ask(self._client.get, ASSOCIATION[1], ASSOCIATION[0], RIGHTS).to_python()
        rights = {base & 0xFFFF: (attributes, methods) for base, attributes, methods in granted}
        return [
            {
                "class": int(entry.class_id),
                "version": entry.version,
                "obis": str(entry.logical_name),
                "base": entry.base_name,
                "attributes": {one[0]: one[1] for one in rights[entry.base_name][0]},
                "methods": {one[0]: int(one[1]) for one in rights[entry.base_name][1]},
            }
            for entry in self._client.get_association_view()
        ]


if __name__ == "__main__":
    running.run(PydlmsShortNames, importlib.metadata.version("pydlms-client"))
