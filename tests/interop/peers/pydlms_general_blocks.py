"""The simulator of pydlms-client 0.1.0 with general block transfer, which its command line lacks.

Everything else is its command line's. It loses the blocks that `--lose` names, once in each run.
"""

import argparse
import sys

from pydlms import simulator
from pydlms.apdu.xdlms import Conformance


def main():
    """Serve, with a window of its own and losses both ways."""
    found = argparse.ArgumentParser()
    found.add_argument("--window", type=int, default=1)
    found.add_argument("--lose", type=int, nargs="*", default=[])
    ours, theirs = found.parse_known_args()
    plain = simulator.meter_from_args

    def meter_from_args(arguments):
        meter = plain(arguments)
        meter.conformance |= Conformance.GENERAL_BLOCK_TRANSFER
        meter.gbt_window = ours.window
        meter.drop_gbt_blocks = set(ours.lose)
        meter.drop_gbt_requests = set(ours.lose)
        return meter

    simulator.meter_from_args = meter_from_args
    simulator.main(theirs)


if __name__ == "__main__":
    sys.exit(main())
