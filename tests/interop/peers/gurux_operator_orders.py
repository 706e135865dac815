"""Drives an operator's orders and the message by gurux-dlms 1.0.203; see `operator_orders`."""

import importlib.metadata

import operator_orders
import running
from gurux_client import GuruxDriver
from gurux_dlms.enums import DataType
from gurux_dlms.GXEnum import GXEnum
from gurux_dlms.GXInt32 import GXInt32
from gurux_dlms.GXStructure import GXStructure
from gurux_dlms.objects import GXDLMSData


class GuruxOrders(GuruxDriver):
    """GXDLMSSecureClient with its own GXDLMSData."""

    def order(self, identity, kind, amount, moment):
        """SET of a structure, made of the library's own values."""
        target = GXDLMSData(operator_orders.TRANSACTION[1])
        value = GXStructure()
        value.append(bytearray(identity))
        value.append(GXEnum(kind))
        if moment is not None:
            value.append(bytearray(moment))
        else:
            value.append(None if amount is None else GXInt32(amount))
        target.value = value
        target.setDataType(2, DataType.STRUCTURE)
        self._exchange(self._client.write(target, 2))


if __name__ == "__main__":
    operator_orders.register()
    running.run(GuruxOrders, importlib.metadata.version("gurux-dlms"))
