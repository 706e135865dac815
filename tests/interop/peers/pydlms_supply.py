"""Drives limiter, disconnect control and event logs of pydlms-client 0.1.0; see `supply`."""

import importlib.metadata

import running
import supply
from pydlms import DlmsData
from pydlms_client_driver import PydlmsDriver


class PydlmsSupply(PydlmsDriver):
    """DlmsClient; what it writes is data, typed by hand."""

    def limit(self, values):
        """SET of each attribute."""
        class_id, obis = supply.LIMITER
        for index, value in values.items():
            data = DlmsData.uint32(value) if index != 9 else groups(value)
            self._ask(self._client.set, obis, class_id, index, data)


def groups(numbers):
    """The ids of groups as the class has them."""
    return DlmsData.array([DlmsData.uint16(number) for number in numbers])


if __name__ == "__main__":
    supply.register()
    running.run(PydlmsSupply, importlib.metadata.version("pydlms-client"))
