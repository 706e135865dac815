"""A process with a durable engine whose attempts only write down that they ran.

Run as ``python -m tests.headend.engine.labour URL EXECUTOR LOG SECONDS [DEAD]``: it writes a line
at the begin and the end of each attempt, each of which takes so many seconds; what the executor
DEAD left it takes over first. From standard input it takes tickets, each a line with batch, ticket
and meter, up to an empty line; it ends when that does.
"""

import os
import sys
import time
from pathlib import Path

from headend.engine import Handed
from headend.engine.durable import DurableEngine
from headend.store.opening import parse_url


def main(url: str, executor: str, log: str, seconds: str, dead: str = "") -> None:
    """Work until standard input ends."""
    number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def told(word: str, ticket: str) -> None:
        os.write(number, f"{word} {ticket} {executor} {time.monotonic_ns()}\n".encode())

    def run(ticket: str) -> None:
        told("begin", ticket)
        time.sleep(float(seconds))
        told("end", ticket)

    engine = DurableEngine(parse_url(url), executor, sessions=4)
    engine.start(run)
    if dead:
        engine.recover([dead])
    told("ready", "-")
    work: list[Handed] = []
    for line in sys.stdin:
        if line.strip():
            batch, ticket, meter = line.strip().split(",")
            work.append(Handed(ticket, batch, meter))
        else:
            engine.submit(work)
            told("taken", "-")
            work = []
    engine.stop(5)


def lines(log: Path) -> list[list[str]]:
    """Return what was written: word, ticket, executor, nanoseconds; whole lines only."""
    if not log.exists():
        return []
    return [line.split() for line in log.read_text().split("\n")[:-1]]


if __name__ == "__main__":
    main(*sys.argv[1:])
