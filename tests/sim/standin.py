"""A tiny firmware that stands in for the kernel where a test is about the world around it."""

import os
import select
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from meter_fw.board import Coil, Inputs, Lcd, Outputs, Sign
from protocol.timing import Instant, later
from sim.board import SoftwareBoard
from sim.load import Consumption, Pattern

BRUSSELS = ZoneInfo("Europe/Brussels")
#: 2026-11-23 05:30 in Brussels, a Monday.
MONDAY = Instant(1_795_408_200_000)


class NoFlash:
    """Flash memory that is never used."""

    block_count = 0
    block_size = 0

    def read(self, block: int, offset: int, length: int) -> bytes:
        raise AssertionError("the stand-in keeps nothing")

    def program(self, block: int, offset: int, data: bytes) -> None:
        raise AssertionError("the stand-in keeps nothing")

    def erase(self, block: int) -> None:
        raise AssertionError("the stand-in keeps nothing")


@dataclass
class Echo:
    """Answers each line with what it said, counts pulses, and wakes at a fixed period."""

    period: int = 7_000
    line_period: int | None = None
    coils: dict[Instant, Coil] = field(default_factory=dict)
    seen: list[tuple[Instant, Inputs]] = field(default_factory=list)
    hang_up_after: bytes | None = None
    total: int = 0

    def tick(self, now: Instant, inputs: Inputs) -> Outputs:
        self.seen.append((now, inputs))
        self.total += inputs.pulses
        line_now = now if inputs.line_now is None else inputs.line_now
        coil = next((self.coils.pop(at) for at in sorted(self.coils) if at <= now), None)
        goodbye = {line for line, data in inputs.rx.items() if data == self.hang_up_after}
        lcd = Lcd("1.8.0", str(self.total), "Wh", Sign.NONE, "connected")
        return Outputs(
            show=lambda: lcd,
            wake_at=later(MONDAY, ((now - MONDAY) // self.period + 1) * self.period),
            tx=dict(inputs.rx),
            close=frozenset(goodbye),
            coil=coil,
            line_wake_at=None if self.line_period is None else later(line_now, self.line_period),
        )


def flat(watt_hours: int) -> Consumption:
    """Return a load of so many Wh in each quarter-hour."""
    return Consumption(Pattern([watt_hours] * 96, BRUSSELS))


def board(watt_hours: int = 100, now: Instant = MONDAY) -> SoftwareBoard:
    """Return a board behind which a flat load hangs."""
    return SoftwareBoard(NoFlash(), flat(watt_hours), now)


def times(seen: Sequence[tuple[Instant, Inputs]]) -> list[int]:
    """Return the moments of ticks, as ms after ``MONDAY``."""
    return [now - MONDAY for now, _ in seen]


def assert_answers(link: Path) -> None:
    """Connect to a meter by HDLC, and have it accept."""
    fd = os.open(link, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(fd, bytes.fromhex("7EA0070321930F017E"))  # SNRM of client 16 to server 1
        assert select.select([fd], [], [], 60)[0], "no answer"
        assert os.read(fd, 64).startswith(b"\x7e\xa0")
    finally:
        os.close(fd)
