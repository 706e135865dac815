"""Many of our meters in one process: each as ``prepay-sim meter --keys FILE`` puts it together.

To start one costs a second, of which all but a hundredth goes into importing. Run with a key file
for each meter; prints one JSON line, a list of each meter's port specs, and runs until stopped.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from selectors import DefaultSelector

from sim.meter import Options, assemble
from sim.realtime import RealTime

PORTS = ("tcp:127.0.0.1:0", "hdlc+tcp:127.0.0.1:0")


def main(files: Sequence[str]) -> None:
    """Run a meter for each key file, all in the world of the last: before it none has begun."""
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        made = [assemble(Options(PORTS, keys=Path(name)), selector, stack) for name in files]
        world = made[-1].world
        for one in made:
            world.add(one.site)
        specs = [[port.client_spec for port in one.site.ports] for one in made]
        print(json.dumps(specs), flush=True)
        RealTime(world, selector, 1.0).run()


if __name__ == "__main__":
    main(sys.argv[1:])
