"""Meters in one process, each at a TCP port of its own, as ``prepay-sim meter`` puts them together.

``python -m benchmarks.fleet [--profile] PROFILE ...`` runs a meter of each profile named until its
input ends. The first line that it prints is JSON, ``[[name, spec, profile], ...]``; after that
comes one whenever a relay moves, ``[name, "open" or "close", seconds]``, by the clock that all
processes of a machine share. Their memory is kept in memory: what a meter's own flash takes is in
``test_journal.py``. With ``--profile`` the last lines say where the time went.
"""

import argparse
import cProfile
import json
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from selectors import EVENT_READ, DefaultSelector
from zoneinfo import ZoneInfo

from benchmarks.processes import say_where
from meter_fw.board import Outputs
from sim.meter import Options, assemble
from sim.realtime import RealTime
from sim.world import Site

#: A working day on which nobody is spared for the hour: at noon, no holiday, no Sabbath.
START = datetime(2027, 1, 4, 12, 0, tzinfo=ZoneInfo("Asia/Jerusalem"))


def main() -> None:
    """Run the meters that are named until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("profiles", nargs="+")
    parser.add_argument("--profile", action="store_true", help="say where the time went")
    options = parser.parse_args()
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        made = [
            assemble(Options(("tcp:127.0.0.1:0",), profile=profile, start=START), selector, stack)
            for profile in options.profiles
        ]
        world = made[0].world
        for each in made:
            world.add(each.site)
        world.after.append(_moved)
        loop = RealTime(world, selector, 1.0)
        selector.register(0, EVENT_READ, lambda _mask: None if sys.stdin.read(1) else loop.stop())
        specs = [
            (each.plate.name, each.site.ports[0].client_spec, each.plate.profile) for each in made
        ]
        print(json.dumps(specs), flush=True)
        if not options.profile:
            loop.run()
            return
        profiled = cProfile.Profile()
        profiled.runcall(loop.run)
        say_where(profiled)


def _moved(site: Site, outputs: Outputs) -> None:
    if outputs.coil is not None:
        said = (site.name, outputs.coil.name.lower(), time.monotonic())
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
