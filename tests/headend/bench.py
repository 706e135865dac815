"""A head-end and a meter in one process, on one clock that only waiting moves.

The head-end's commands are the real ones, and so is the meter's kernel; between them is a line
that can lose any one octet. The database is SQLite in memory and the meter's flash in memory, so
that both can be put back to where they stood before.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from headend.claims import Claims
from headend.clock import Clock
from headend.context import Context, Settings
from headend.session import Patience
from headend.store import Store
from headend.store.locks import LocalLocks
from headend.transports import LinkKind, PortSpec
from meter_fw.board import Inputs, Outputs, PortId, PortKind
from meter_fw.kernel import Kernel
from prepay.keys import LAB_KEYS, MeterKeys
from protocol.timing import Instant, later
from protocol.udp import datagrams
from sim.flash import MemoryFlash
from tests.meter_fw.rig import factory

SPECS = {
    LinkKind.HDLC: "hdlc+tcp:meter:1",
    LinkKind.WRAPPER: "tcp:meter:1",
    LinkKind.DATAGRAMS: "udp:meter:1",
}
_KINDS = {
    LinkKind.HDLC: PortKind.HDLC,
    LinkKind.WRAPPER: PortKind.WRAPPER,
    LinkKind.DATAGRAMS: PortKind.UDP,
}
#: Short where silence is certain; nobody really waits.
PATIENCE = Patience(silence=5_000, whole=60_000, farewell=500)


@dataclass
class Loss:
    """Which octet the line loses, and how many it has seen; of datagrams, which datagram.

    Args:
        to_meter: index of what to lose on the way to the meter; None loses nothing.
        from_meter: the same on the way back.
        whole: what is lost is a datagram.
    """

    to_meter: int | None = None
    from_meter: int | None = None
    seen_to: int = 0
    seen_from: int = 0
    whole: bool = False

    def towards(self, octets: bytes) -> bytes:
        """Return what of the octets reaches the meter."""
        if self.whole:
            self.seen_to += 1
            return b"" if self.seen_to - 1 == self.to_meter else octets
        kept, self.seen_to = _lose(octets, self.seen_to, self.to_meter)
        return kept

    def back(self, octets: bytes) -> bytes:
        """Return what of the octets reaches the head-end."""
        if self.whole:
            self.seen_from += 1
            return b"" if self.seen_from - 1 == self.from_meter else octets
        kept, self.seen_from = _lose(octets, self.seen_from, self.from_meter)
        return kept


def _lose(octets: bytes, seen: int, lost: int | None) -> tuple[bytes, int]:
    after = seen + len(octets)
    if lost is None or not seen <= lost < after:
        return octets, after
    return octets[: lost - seen] + octets[lost - seen + 1 :], after


@cache
def _new_database() -> bytes:
    store = Store("sqlite://")
    with store.begin() as db:
        raw = db.connection.driver_connection
    made: bytes = raw.serialize()  # type: ignore[union-attr]  # SQLite has one
    store.close()
    return made


def new_store() -> Store:
    """Return a new database in memory: what the migrations make of it is made once, and copied."""

    def fill(store: Store) -> None:
        with store.begin() as db:
            raw = db.connection.driver_connection
        raw.deserialize(made)  # type: ignore[union-attr]  # SQLite has one

    made = _new_database()
    with patch("headend.store.opening._upgrade", fill):
        return Store("sqlite://")


@dataclass(frozen=True)
class Standing:
    """All that survives: both sides' memories and the time."""

    flash: bytes
    database: bytes
    now: Instant


@dataclass
class Bench:
    """One head-end and one meter.

    Args:
        profile: of the meter.
        kind: what is spoken between them.
        standing: where to begin; None is a new meter and an empty database.
        loss: what the line loses.
        store: an open database in memory, to be overwritten; None makes one.
        keys: what both sides are given as their key file.
    """

    profile: str
    kind: LinkKind
    standing: Standing | None = None
    loss: Loss = field(default_factory=Loss)
    store: Store = field(default_factory=new_store)
    keys: MeterKeys = LAB_KEYS

    def __post_init__(self) -> None:
        self.factory = factory(self.profile, keys=self.keys)
        start = datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Europe/Brussels"))
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        self.now = Instant((start - epoch) // timedelta(milliseconds=1))
        self.flash = MemoryFlash(2, 32 * 1024)
        if self.standing is not None:
            self.now = self.standing.now
            self.flash.fill(self.standing.flash)
            with self.store.begin() as db:
                raw = db.connection.driver_connection
            raw.deserialize(self.standing.database)  # type: ignore[union-attr]  # SQLite has one
            self.store._leases = None  # they were of the database that was there
        self.ports = 0
        self._random = 0
        self.boot()

    def boot(self) -> None:
        """Switch the meter on, with what its flash holds."""
        self.kernel = Kernel(self.flash, self.factory, self.entropy, self.now)

    def entropy(self, count: int) -> bytes:
        """Return octets that never repeat, and are none of the meter's system title."""
        self._random += 1
        return (0xA5 << 8 * (count - 1) | self._random).to_bytes(count, "big")

    def clock(self) -> Instant:
        """Return the time."""
        return self.now

    def context(self, **settings: Any) -> Context:
        """Return a run of a command against this meter, with further settings."""
        context = Context(
            Settings(port=SPECS[self.kind], **settings),
            now=self.clock,
            entropy=self.entropy,
            transports=self._open,
            patience=PATIENCE,
        )
        context.__dict__["store"] = self.store  # the database in memory outlives the command
        context.__dict__["keys"] = self.keys  # and keys need no file
        # Each is a process that knows of no other: what the locks prevent has to end well too.
        context.__dict__["claims"] = Claims(LocalLocks(), 0)
        return context

    def edge(self) -> dict[str, Any]:
        """Return what an ``Invocation`` is given for this meter to be behind every port."""
        context = self.context()
        names = ("now", "entropy", "transports", "store", "patience")
        return {name: getattr(context, name) for name in names}

    def save(self) -> Standing:
        """Return all that survives."""
        with self.store.begin() as db:
            raw = db.connection.driver_connection
        database: bytes = raw.serialize()  # type: ignore[union-attr]  # SQLite has one
        return Standing(self.flash.image, database, self.now)

    def close(self) -> None:
        """Let the database go."""
        self.store.close()

    def _open(self, spec: PortSpec, now: Clock) -> "Wire":
        self.ports += 1
        return Wire(self, PortId(f"port{self.ports}"))


class Wire:
    """A transport of the head-end whose other end is the kernel."""

    def __init__(self, bench: Bench, port: PortId) -> None:
        self._bench = bench
        self._port = port
        self._come: deque[bytes] = deque()
        self._closed = False
        self._take(self._tick(opened={port: _KINDS[bench.kind]}))

    def _tick(self, **inputs: object) -> Outputs:
        return self._bench.kernel.tick(self._bench.now, Inputs(**inputs))  # type: ignore[arg-type]  # fields of Inputs by name

    def _take(self, outputs: Outputs) -> None:
        octets = outputs.tx.get(self._port, b"")
        pieces = datagrams(octets) if self._bench.loss.whole else [octets]
        self._come += [kept for piece in pieces if (kept := self._bench.loss.back(piece))]
        self._wake = outputs.line_wake_at

    def read(self, deadline: Instant) -> bytes:
        """Return what has come; waiting is what moves the time."""
        while not self._come:
            until = deadline if self._wake is None else min(deadline, self._wake)
            self._bench.now = max(self._bench.now, until)
            self._take(self._tick())
            if self._bench.now >= deadline:
                break
        return self._come.popleft() if self._come else b""

    def write(self, octets: bytes) -> None:
        """Hand octets to the meter, as far as the line lets them through."""
        self._bench.now = later(self._bench.now, 1)
        kept = self._bench.loss.towards(octets)
        self._take(self._tick(rx={self._port: kept} if kept else {}))

    def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._tick(closed=frozenset({self._port}))


Command = Callable[[Context], object]
