"""Drives what is about plans with gurux-dlms 1.0.203; see `planned`."""

import importlib.metadata

import planned
import running
from gurux_client import GuruxDriver

if __name__ == "__main__":
    planned.register()
    running.run(GuruxDriver, importlib.metadata.version("gurux-dlms"))
