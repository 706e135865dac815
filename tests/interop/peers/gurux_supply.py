"""Drives limiter, disconnect control and event logs of gurux-dlms 1.0.203; see `supply`."""

import importlib.metadata

import running
import supply
from gurux_client import GuruxDriver
from gurux_dlms.enums import DataType
from gurux_dlms.objects import GXDLMSLimiter

FIELDS = {
    4: "thresholdNormal",
    5: "thresholdEmergency",
    6: "minOverThresholdDuration",
    7: "minUnderThresholdDuration",
    9: "emergencyProfileGroupIDs",
}


class GuruxSupply(GuruxDriver):
    """GXDLMSSecureClient with its own GXDLMSLimiter."""

    def limit(self, values):
        """SET through the library's class; of a threshold it has to be told the type."""
        target = GXDLMSLimiter(supply.LIMITER[1])
        for index in (4, 5):
            target.setDataType(index, DataType.UINT32)
        for index, value in values.items():
            setattr(target, FIELDS[index], value)
            self._exchange(self._client.write(target, index))


if __name__ == "__main__":
    supply.register()
    running.run(GuruxSupply, importlib.metadata.version("gurux-dlms"))
