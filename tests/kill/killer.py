"""Who is killed, where and when: a barrier at which workers wait, and the count of the dead.

Kills are spread over the campaign: the n-th is due when so many payments are through. Which
victim it is, and at which point, is whichever is furthest behind of those that can be had now. At
a point the victim is dead before whoever came to it may go on; a kill at random happens whenever
it is due, wherever everybody is just then.
"""

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.kill import plan

#: Not at a point of ``armed``, but at any moment.
RANDOM: Final = "at random"
#: Seconds for which a worker stays at the barrier although nobody answers.
_PATIENCE: Final = 5.0
#: All are killed that are to be when so much less than the whole campaign is through.
_HASTE: Final = 1.2

#: Kills a victim, of workers that of a process number; says whether there was one.
Kill = Callable[[int], bool]


@dataclass
class Killer:
    """The schedule of a campaign.

    Args:
        folder: of the campaign; what was killed before counts.
        wanted: how many kills of each victim at each point.
        points: where somebody is killed; ``RANDOM`` is anywhere.
        ways: how each victim is killed.
        ready: says whether a victim is there to be killed.
    """

    folder: Path
    wanted: Mapping[str, int]
    points: Sequence[str]
    ways: Mapping[str, Kill]
    ready: Callable[[str], bool]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: How much of the campaign is through, 0 to 1; the campaign says so from time to time.
    share: float = 0.0

    def __post_init__(self) -> None:
        self._guard = threading.Lock()
        self._dice = random.Random(4)  # a schedule, no secret
        for each in plan.lines(self.folder / "kills.jsonl"):
            self.counts[each["victim"], each["point"]] += 1
        self._all = len(self.points) * sum(self.wanted.values())
        self._listener = socket.socket(socket.AF_UNIX)
        self.address = self.folder / "barrier"
        self.address.unlink(missing_ok=True)
        self._listener.bind(str(self.address))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def done(self) -> bool:
        """Say whether nobody is to be killed any more."""
        return not self._open()

    def missing(self) -> int:
        """Return how many kills are still wanted."""
        return sum(self._open().values())

    def chance(self) -> None:
        """Kill somebody wherever everybody is, if that is due; called now and then."""
        with self._guard:
            here = {v: n for (v, point), n in self._open().items() if point == RANDOM}
            victims = [each for each in here if self.ready(each)]
            if victims and self._is_due():
                self._kill(max(victims, key=lambda each: here[each]), RANDOM, 0)

    def close(self) -> None:
        """Let everybody go on."""
        self._listener.close()
        self.address.unlink(missing_ok=True)

    def _open(self) -> dict[tuple[str, str], int]:
        slots = {(v, p): n for v, n in self.wanted.items() for p in self.points}
        left = {slot: n - self.counts[slot] for slot, n in slots.items()}
        return {slot: n for slot, n in left.items() if n > 0}

    def _is_due(self) -> bool:
        """Say whether the next kill is due, by how much of the campaign is through."""
        return sum(self.counts.values()) < self.share * self._all * _HASTE

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._crossing, args=(line,), daemon=True).start()

    def _crossing(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            line.settimeout(_PATIENCE)
            told = line.recv(100).decode()
            number, _, point = told.strip().partition(" ")
            if not point:
                return
            self._at(point, int(number))
            line.sendall(b"!")

    def _at(self, point: str, process: int) -> None:
        with self._guard:
            here = {v: n for (v, p), n in self._open().items() if p == point}
            victims = [each for each in here if self.ready(each)]
            if victims and self._is_due() and self._dice.random() < 0.5:
                self._kill(max(victims, key=lambda each: here[each]), point, process)

    def _kill(self, victim: str, point: str, process: int) -> None:
        if not self.ways[victim](process):
            return
        self.counts[victim, point] += 1
        told = {"victim": victim, "point": point, "process": process, "at": time.time()}
        plan.append(self.folder / "kills.jsonl", told)


def kill_dead(process: int) -> None:
    """Kill a process, without a word."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
