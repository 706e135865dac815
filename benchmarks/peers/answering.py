"""What the peers' scripts share: a case in on standard input, seconds out on standard output.

Runs under a peer's interpreter. A case names an operation and carries the octets; the script
makes of it a call, shows first that the call does what it should, and then times it.
"""

import importlib.metadata
import json
import os
import sys

from timing import median_seconds


def answer(distribution, operations):
    """Time the case on standard input.

    Args:
        distribution: the peer's name at the package index.
        operations: functions by name; each takes a case and returns a call and what it returns.
    """
    case = json.load(sys.stdin)
    version = importlib.metadata.version(distribution)
    told = {"peer": f"{distribution} {version}", "seconds": None}
    # gurux-dlms writes to standard output while it deciphers.
    real, sys.stdout = sys.stdout, open(os.devnull, "w")
    make = operations.get(case["operation"])
    try:
        if make is not None:
            call, expected = make(case)
            found = call()
            if found != expected:
                raise SystemExit(f"{case['operation']}: expected {expected!r}, found {found!r}")
            told["seconds"] = median_seconds(call, case.get("iterations"))
    except NotImplementedError:
        pass  # dlms-cosem says so of the types that it does not write
    json.dump(told, real)


def octets(case, name):
    """Return a field of a case as octets."""
    return bytes.fromhex(case[name])


def answers(case):
    """Return an iterator over the answers of a case, which are used once each."""
    return iter([bytes.fromhex(one) for one in case["answers"]])
