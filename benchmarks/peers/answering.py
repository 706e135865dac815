"""What the peers' scripts share: a case on standard input, then a round for each further line.

Runs under a peer's interpreter. A case names an operation and carries the octets; the script
makes of it a call and shows first that the call returns what it should.
"""

import importlib.metadata
import io
import json
import sys

from timing import calibrated, round_seconds


class Nowhere(io.TextIOBase):
    """Standard output while gurux-dlms deciphers, for it prints as it does."""

    def write(self, text):
        """Forget it."""
        return len(text)


def answer(distribution, operations):
    """Say who this is and whether it can do the case; then, for each line, seconds a call.

    Args:
        distribution: the peer's name at the package index.
        operations: functions by name; each takes a case and returns a call and what it returns.
    """
    real, sys.stdout = sys.stdout, Nowhere()
    case = json.loads(sys.stdin.readline())
    call = checked(operations.get(case["operation"]), case)
    told = {"peer": f"{distribution} {importlib.metadata.version(distribution)}"}
    print(json.dumps(told | {"able": call is not None}), file=real, flush=True)
    if call is None:
        return
    iterations = case["iterations"] or calibrated(call)
    for _ in sys.stdin:
        print(round_seconds(call, iterations), file=real, flush=True)


def checked(make, case):
    """Return the call, once it has returned what it should; None where the peer has none."""
    if make is None:
        return None
    call, expected = make(case)
    try:
        found = call()
    except NotImplementedError:
        return None  # dlms-cosem says so of the types that it does not write
    if found != expected:
        raise SystemExit(f"{case['operation']}: expected {expected!r}, found {found!r}")
    return call


def octets(case, name):
    """Return a field of a case as octets."""
    return bytes.fromhex(case[name])


def answers(case):
    """Return an iterator over the answers of a case, which are used once each."""
    return iter([bytes.fromhex(one) for one in case["answers"]])
