"""Several meters on one line: each is known by its physical address, and none is mixed up."""

from datetime import datetime
from pathlib import Path

import pytest

from headend.clock import Clock
from headend.context import Context, Settings
from headend.reach import reach
from headend.store import Store, meters
from headend.transports import PortSpec
from meter_fw.board import PortKind
from prepay.keys import LAB_KEYS
from prepay.profile import load_profile
from protocol.timing import Instant
from sim.bus import BusOptions, make_sites
from sim.making import first_moment
from sim.ports.bus import Bus
from sim.ports.memory import MemoryLine, MemoryPort
from sim.world import World

SPEC = "hdlc+tcp:192.0.2.1:4059"


class BusLine:
    """A transport to three meters in memory, and how often it was opened.

    Time goes on only while nothing comes.
    """

    def __init__(self) -> None:
        profile = load_profile("be-wal")
        start = first_moment(datetime(2026, 11, 23, 8, tzinfo=profile.zone), profile.zone)
        self.world = World(start, 1)
        port = MemoryPort(PortKind.HDLC)
        self._line: MemoryLine = port.connect()
        options = BusOptions((), 3, seed=1)
        for site in make_sites(options, profile, LAB_KEYS, self.world, [Bus(port)]):
            self.world.add(site)
        self.world.settle()
        self.opened = 0
        self._now = start

    def now(self) -> Instant:
        """The client's clock."""
        return self._now

    def open(self, _spec: PortSpec, _now: Clock) -> "BusLine":
        """Open the line, for one session at a time."""
        self.opened += 1
        return self

    def read(self, deadline: Instant) -> bytes:
        """Return what the meters say."""
        self.world.settle()
        octets = self._line.receive()
        if not octets:
            self._now = Instant(max(self._now, deadline))
        return octets

    def write(self, octets: bytes) -> None:
        """Put octets on the line."""
        self._line.send(octets)

    def close(self) -> None:
        """Nothing has to be given back."""


@pytest.fixture
def line() -> BusLine:
    """A line with three meters."""
    return BusLine()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty database."""
    return Store(str(tmp_path / "prepay.sqlite"))


def met(line: BusLine, store: Store, physical: int | None) -> str:
    """Reach a meter as its management client, and return its name."""
    settings = Settings(port=SPEC, physical=physical, address_size=2)
    context = Context(settings, now=line.now, transports=line.open, store=store)
    found = reach(context)
    found.session.close()
    return found.name


def test_meters_of_a_line_are_reached_in_turn_without_a_failed_association(
    line: BusLine, store: Store
) -> None:
    """The first time a public session says who is there; from then on one session is all."""
    names: dict[int, str] = {}
    sessions = []
    for physical in (1, 2, 3, 1, 2, 2, 3):
        before = line.opened
        name = met(line, store, physical)
        assert names.setdefault(physical, name) == name
        sessions.append(line.opened - before)
    assert sessions == [2, 2, 2, 1, 1, 1, 1]
    assert len(set(names.values())) == 3
    with store.begin() as db:
        assert {meter.port for meter in meters.every(db)} == {
            f"{SPEC}, physical {physical}" for physical in (1, 2, 3)
        }
    store.close()


def test_a_database_from_before_knows_its_meters_again(line: BusLine, store: Store) -> None:
    """There the place was the port alone: each meter is asked once more, and then known."""
    name = met(line, store, 2)
    with store.begin() as db:
        known = meters.by_name(db, name)
        assert known is not None
        meters.meet(db, name, SPEC, line.now())
    line.opened = 0
    assert met(line, store, 2) == name
    assert met(line, store, 2) == name
    assert line.opened == 2 + 1
    with store.begin() as db:
        again = meters.by_name(db, name)
    assert again is not None
    assert again.id == known.id
    store.close()


def test_who_names_no_physical_device_has_the_port_for_a_place() -> None:
    """As before; the wrapper has no physical devices at all."""
    assert Context(Settings(port=SPEC)).place == SPEC
    assert Context(Settings(port="tcp:192.0.2.1:4059", physical=7)).place == "tcp:192.0.2.1:4059"
