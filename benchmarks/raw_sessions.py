"""Top-ups without any engine: threads that call the command's own function, meter after meter.

``python -m benchmarks.raw_sessions DATABASE THREADS [--profile]`` takes lines from its input, each
``COUNT NAME=AMOUNT ...``: that many top-ups of each of these meters. It answers with a line,
``COUNT SECONDS``, when they are done; the end of the input ends it. A meter is one thread's, so no
two of them wait for each other's meter.
"""

import argparse
import cProfile
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.processes import say_where
from headend.commands.topup import top_up
from headend.context import Context, Settings
from headend.store import Store


def main() -> None:
    """Do what the input says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("threads", type=int)
    parser.add_argument("--profile", action="store_true", help="say where the time went")
    options = parser.parse_args()
    store = Store(options.database)
    profiled = cProfile.Profile() if options.profile else None
    with ThreadPoolExecutor(options.threads) as pool:
        for line in sys.stdin:
            count, *words = line.split()
            meters = [word.partition("=")[::2] for word in words]

            def lane(place: int, count: int = int(count), meters=meters) -> None:  # type: ignore[no-untyped-def] # bound now
                for _ in range(count):
                    for name, amount in meters[place :: options.threads]:
                        top_up(Context(Settings(meter=name), store=store), amount)

            began = time.monotonic()
            if profiled is None:
                list(pool.map(lane, range(options.threads)))
            else:
                profiled.runcall(lane, 0)  # give it one thread: cProfile sees no other
            print(int(count) * len(meters), time.monotonic() - began, flush=True)
    if profiled is not None:
        say_where(profiled)
    store.close()


if __name__ == "__main__":
    main()
