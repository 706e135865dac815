"""Drives what is about plans with pydlms-client 0.1.0; see `planned`."""

import importlib.metadata

import planned
import running
from pydlms_client_driver import PydlmsDriver

if __name__ == "__main__":
    planned.register()
    running.run(PydlmsDriver, importlib.metadata.version("pydlms-client"))
