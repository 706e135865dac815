"""A world of many meters: only those that have something are asked, and none is forgotten."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.board import Button, PortKind
from protocol.timing import Instant, later
from sim.agenda import Agenda
from sim.ports import open_port
from sim.ports.base import News, Port
from sim.ports.bell import Bell
from sim.ports.memory import MemoryPort
from sim.world import Site, World
from tests.sim.standin import MONDAY, Echo, board

METERS = 20


class Counted:
    """A port that counts how often it is asked."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.asked = 0
        self.client_spec = port.client_spec
        self.send, self.hang_up, self.close = port.send, port.hang_up, port.close

    def collect(self) -> News:
        self.asked += 1
        return self._port.collect()


class Street:
    """Meters with a TCP port each, in one world; turned by hand."""

    def __init__(self, selector: DefaultSelector, stack: ExitStack) -> None:
        self.selector = selector
        self.world = World(MONDAY)
        self.meters = [Echo(period=60_000, hang_up_after=b"bye") for _ in range(METERS)]
        self.ports: list[Counted] = []
        for number, meter in enumerate(self.meters):
            bell = Bell(selector)
            port = open_port("tcp:127.0.0.1:0", bell)
            stack.callback(port.close)
            self.ports.append(Counted(port))
            self.world.add(Site(str(number), meter, board(), [self.ports[-1]], bell=bell))
        self.world.settle()
        for counted in self.ports:
            counted.asked = 0

    def call(self, number: int) -> socket.socket:
        """Connect to a meter."""
        host, port = self.ports[number].client_spec.rsplit(":", 2)[-2:]
        return socket.create_connection((host, int(port)), timeout=20)

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop until something has happened."""
        limit = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < limit, "it did not happen"
            for key, mask in self.selector.select(0.01):
                key.data(mask)
            self.world.deliver()

    def asked(self) -> list[int]:
        """The meters whose ports were asked."""
        return [number for number, port in enumerate(self.ports) if port.asked]


@pytest.fixture
def street() -> Iterator[Street]:
    """Twenty silent meters."""
    with DefaultSelector() as selector, ExitStack() as stack:
        yield Street(selector, stack)


def test_only_the_meter_that_is_spoken_to_is_asked(street: Street) -> None:
    """The others cost nothing, however many they are."""
    with closing(street.call(7)) as client:
        client.sendall(b"hello")
        street.turn_until(lambda: any(inputs.rx for _, inputs in street.meters[7].seen))
        assert client.recv(64) == b"hello"
    assert street.asked() == [7]


def test_a_connection_that_its_meter_ends_is_told_as_closed(street: Street) -> None:
    """Nothing more comes from its descriptor, so the meter is asked once more after its answer."""
    with closing(street.call(3)) as client:
        client.sendall(b"bye")
        street.turn_until(lambda: any(inputs.closed for _, inputs in street.meters[3].seen))
        assert client.recv(64) == b"bye"
        assert client.recv(64) == b""
    assert street.asked() == [3]


def test_every_meter_that_is_spoken_to_answers(street: Street) -> None:
    """All of them at once."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(street.call(n))) for n in range(METERS)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        street.turn_until(lambda: all(any(told.rx for _, told in m.seen) for m in street.meters))
        assert [client.recv(64) for client in clients] == [b"%d" % n for n in range(METERS)]


@pytest.mark.parametrize("what", ["button", "token", "cover"])
def test_a_board_that_is_touched_wakes_its_meter(street: Street, what: str) -> None:
    """And no other."""
    touched = street.world.sites[5].board
    if what == "button":
        touched.press(Button.DISPLAY)
    elif what == "token":
        touched.key_in("1234")
    else:
        touched.opened = True
    assert street.world.deliver()
    assert [len(meter.seen) for meter in street.meters] == [2 if n == 5 else 1 for n in range(20)]
    assert not street.world.deliver()


def test_a_line_in_memory_rings_too() -> None:
    """Where no descriptor is: when it appears, when it says something, and when it goes."""
    with DefaultSelector() as selector:
        bell = Bell(selector)
        port = open_port("memory:hdlc", bell)
        assert isinstance(port, MemoryPort)
        world, meter = World(MONDAY), Echo(period=60_000)
        world.add(Site("one", meter, board(), [port], bell=bell))
        world.settle()
        line = port.connect()
        world.settle()
        line.send(b"hello")
        world.settle()
        assert line.receive() == b"hello"
        line.close()
        world.settle()
    told = [inputs for _, inputs in meter.seen]
    assert [list(inputs.opened.values()) for inputs in told] == [[], [PortKind.HDLC], [], []]
    assert [set(inputs.closed) for inputs in told] == [set(), set(), set(), {line.name}]


def test_a_bell_stays_when_other_events_are_watched() -> None:
    """A peer that does not read for a while changes what is waited for, and is heard after it."""
    here, there = socket.socketpair()
    with DefaultSelector() as selector, closing(here), closing(there):
        rung: list[str] = []
        bell = Bell(selector)
        bell.ring = lambda: rung.append("ring")
        bell.register(here, EVENT_READ, lambda mask: rung.append(f"ready {mask}"))
        bell.modify(here, EVENT_READ | EVENT_WRITE, bell.get_key(here).data)
        for key, mask in selector.select(1):
            key.data(mask)
        assert rung == ["ring", f"ready {EVENT_WRITE}"]
        bell.unregister(here)
        assert not selector.get_map()


# --- the agenda ----------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.one_of(st.none(), st.integers(0, 30)),
            st.one_of(st.none(), st.integers(0, 30)),
        )
    )
)
def test_an_agenda_knows_who_is_first(steps: list[tuple[int, int | None, int | None]]) -> None:
    """As a table that is searched each time would; what is taken is gone."""
    agenda, table = Agenda(), dict[int, int]()
    for place, due, until in steps:
        agenda.put(place, None if due is None else Instant(due))
        table.pop(place, None)
        if due is not None:
            table[place] = due
        if until is not None:
            taken = {place for place, moment in table.items() if moment <= until}
            assert agenda.take(Instant(until)) == taken
            table = {place: moment for place, moment in table.items() if place not in taken}
        assert agenda.first() == min(((moment, at) for at, moment in table.items()), default=None)


def test_a_timer_that_is_put_off_takes_no_more_room_each_time() -> None:
    """As that of a line is by everything that comes over it."""
    agenda = Agenda()
    for step in range(1000):
        agenda.put(0, later(MONDAY, 120_000 + step))
    assert len(agenda._heap) == 1
    assert agenda.first() == (later(MONDAY, 120_999), 0)
