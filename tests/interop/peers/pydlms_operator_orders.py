"""Drives an operator's orders and the message by pydlms-client 0.1.0; see `operator_orders`."""

import importlib.metadata

import operator_orders
import running
from pydlms import DlmsData
from pydlms_client_driver import PydlmsDriver


class PydlmsOrders(PydlmsDriver):
    """DlmsClient; what it writes is data, typed by hand."""

    def order(self, identity, kind, amount, moment):
        """SET of a structure."""
        parameter = DlmsData.null()
        if moment is not None:
            parameter = DlmsData.octet_string(moment)
        elif amount is not None:
            parameter = DlmsData.int32(amount)
        members = [DlmsData.octet_string(identity), DlmsData.enum(kind), parameter]
        class_id, obis = operator_orders.TRANSACTION
        self._ask(self._client.set, obis, class_id, 2, DlmsData.structure(members))


if __name__ == "__main__":
    operator_orders.register()
    running.run(PydlmsOrders, importlib.metadata.version("pydlms-client"))
