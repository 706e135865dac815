"""Drives the message by dlms-cosem 25.1.0; see `operator_orders`."""

import importlib.metadata

import operator_orders
import running
from dlms_cosem_client import DlmsCosemDriver

if __name__ == "__main__":
    operator_orders.register()
    running.run(DlmsCosemDriver, importlib.metadata.version("dlms-cosem"))
