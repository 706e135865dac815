"""Drives what is about plans with dlms-cosem 25.1.0; see `planned`."""

import importlib.metadata

import planned
import running
from dlms_cosem_client import DlmsCosemDriver

if __name__ == "__main__":
    planned.register()
    running.run(DlmsCosemDriver, importlib.metadata.version("dlms-cosem"))
