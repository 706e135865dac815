"""A year of a meter's life, quarter-hour by quarter-hour, through the kernel's tick.

``python -m benchmarks.bench_year [PROFILE ...] [--runs N] [--profile]`` prints for each profile
the CPU time, what a tick costs, and the ledger at the end; with ``--profile``, where the time goes
as well. Nothing is drawn: every run does the same, and ends with the same ledger. So the time is
also given with each day at the best of its runs, which is what other work on the same core disturbs
least.

A local meter gets two tokens a week, a central one a snapshot each morning, and leave to cut when
that says that the money is used up. Both go through the server (``Kernel.answer``), so decoding,
access rights and the log of transactions are part of the figure; lines are not, for none is open.
The household takes energy only while the relay is closed. The journal is in memory.
"""

import argparse
import cProfile
import pstats
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from meter_fw.board import Coil, Inputs
from meter_fw.factory import Factory
from meter_fw.kernel import Kernel
from meter_fw.nvram import Journal
from meter_fw.view import Caller, Role
from obis import catalogue
from prepay.calendars import commissioned
from prepay.charge import collect
from prepay.cut import BalanceMode
from prepay.keys import LAB_KEYS
from prepay.profile import Profile, load_profile
from prepay.tokens.vend import vend_lab
from prepay.transactions import Kind, transaction_id
from protocol.axdr import octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    MethodRef,
    SetRequest,
    SetResponse,
)
from protocol.timing import Instant
from sim.flash import MemoryFlash
from sim.load import QUARTER, Household

#: A year with both clock changes, from a Monday on.
FIRST, DAYS = date(2027, 1, 4), 365
NAME = "OPP0000000000001"
MANAGER = Caller(Role.MANAGEMENT, 1)
#: About what the household needs in half a week, a little short: so it runs out now and then.
TOP_UP = {"il": 18_00, "be-wal": 10_50}
START_CREDIT = 20_00
#: Days of a week on which there is one, and after which quarter-hour of 24 hours from the start.
PAY_DAYS, MORNING = (0, 3), 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Year:
    """One meter, its household, and what is done to it.

    Args:
        profile: be-wal or il.
        figures: a profile with other figures than its file has; None for those.
    """

    profile: str
    figures: Profile | None = None

    def __post_init__(self) -> None:
        profile = self.figures or load_profile(self.profile)
        windows = commissioned(profile, FIRST)
        self.factory = Factory(profile, NAME, "1", b"OPP\0\0\0\0\1", LAB_KEYS, windows)
        start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=self.factory.zone)
        self.start = self.now = Instant((start - _EPOCH) // timedelta(milliseconds=1))
        household, first = Household(1, self.factory.zone), self.now // QUARTER
        self.load = [household.quarter(first + index) for index in range(DAYS * 96)]
        self.flash = MemoryFlash(2, 65536)
        self.kernel = Kernel(self.flash, self.factory, bytes, self.now)
        self.orders = self.sequence = self.paid = self.ticks = self.moves = 0
        self.wake, self.closed = self.now, True

    def run(self) -> list[float]:
        """Live through the year; return the CPU time of each day."""
        days, began = [], time.process_time()
        central = self.factory.profile.mode is BalanceMode.CENTRAL
        morning = self._snapshot if central else self._token
        self._activate()
        for index, watt_hours in enumerate(self.load):
            end = Instant(self.now + QUARTER)
            while self.wake < end:  # an edge within the quarter-hour, or something was ordered
                self._tick(max(self.wake, self.now), 0)
            self._tick(end, watt_hours)
            if index % 96 == MORNING:
                morning(index // 96)
            if index % 96 == 95:
                days.append(time.process_time() - began)
                began = time.process_time()
        return days

    def _tick(self, now: Instant, watt_hours: int) -> None:
        drawn = watt_hours if self.closed else 0
        inputs = Inputs(pulses=drawn, power=4 * drawn, contact_closed=self.closed)
        outputs = self.kernel.tick(now, inputs)
        self.now, self.wake, self.ticks = now, outputs.wake_at, self.ticks + 1
        if outputs.coil is not None:
            self.moves += self.closed is not (outputs.coil is Coil.CLOSE)
            self.closed = outputs.coil is Coil.CLOSE

    def _activate(self) -> None:
        start = vendor.Snapshot(1, START_CREDIT, 0, self._stamp(0))
        self.sequence, self.paid = 1, START_CREDIT
        self._order(Kind.ACTIVATE, start)

    def _token(self, day: int) -> None:
        if day % 7 not in PAY_DAYS:
            return
        self.paid += TOP_UP[self.profile]
        octets = vend_lab(LAB_KEYS.token_key, NAME.encode(), self._id(), TOP_UP[self.profile])
        method = MethodRef(115, catalogue.TOKEN_GATEWAY, 1)
        answer = self.kernel.answer(MANAGER, ActionRequest(method, octet_string(octets)))
        self.wake = self.now
        assert isinstance(answer, ActionResponse)
        assert answer.result is ActionResult.SUCCESS

    def _snapshot(self, day: int) -> None:
        profile = self.factory.profile
        if day % 7 in PAY_DAYS:
            self.paid += TOP_UP[self.profile]
        used = self.kernel.state.energy.imported
        balance = self.paid - collect(profile.tariff, used, 0, profile.currency)[0]
        self.sequence += 1
        self._order(Kind.SNAPSHOT, vendor.Snapshot(self.sequence, balance, 0, self._stamp(0)))
        if balance <= 0:
            self._order(Kind.ARM, vendor.Arm(self.sequence, self._stamp(7)))

    def _order(self, kind: Kind, parameters: object) -> None:
        order = vendor.Order(self._id(), kind, parameters)  # type: ignore[arg-type]  # by its kind
        target = AttributeRef(1, catalogue.TRANSACTION, 2)
        answer = self.kernel.answer(MANAGER, SetRequest(target, order.to_data()))
        self.wake = self.now
        assert isinstance(answer, SetResponse)
        assert answer.result is DataAccessResult.SUCCESS

    def _id(self) -> bytes:
        self.orders += 1
        return transaction_id(self.now, self.orders.to_bytes(10, "big"))

    def _stamp(self, days: int) -> CosemDateTime:
        moment = _EPOCH + timedelta(milliseconds=self.now, days=days)
        return CosemDateTime.from_datetime(moment.astimezone(self.factory.zone))

    @property
    def ledger(self) -> str:
        """What the year came to: energy, money, relay and flash, in one line."""
        state = self.kernel.state
        assert Journal(self.flash).mount().cells, "nothing was made durable"
        return (
            f"{state.energy.imported} Wh, paid {self.paid}, charged {state.totals.charged}, "
            f"balance {state.totals.balance or state.snapshot.balance}, "
            f"{self.orders} transactions, "
            f"{self.moves} moves of the relay, {self.flash.operations} flash operations"
        )


def main() -> None:
    """Measure the profiles named, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("profiles", nargs="*", default=["il", "be-wal"])
    parser.add_argument("--runs", type=int, default=5, help="of which the best counts")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    for name in options.profiles:
        years = [Year(name) for _ in range(options.runs)]
        runs = [year.run() for year in years]
        best = sum(min(day) for day in zip(*runs, strict=True))
        ticks = years[0].ticks
        print(
            f"{name}: {best:.2f} s ({min(map(sum, runs)):.2f} the best run), {ticks} ticks, "
            f"{best / ticks * 1e6:.1f} us a tick"
        )
        print(f"  {years[0].ledger}")
        assert len({year.ledger for year in years}) == 1
        if options.profile:
            profiled, year = cProfile.Profile(), Year(name)
            profiled.runcall(year.run)
            pstats.Stats(profiled).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
