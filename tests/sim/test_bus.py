"""Several meters on one line: every octet is heard by all, and one answers."""

from datetime import datetime
from io import StringIO

import pytest

from meter_fw.board import PortKind
from prepay.keys import LAB_KEYS
from prepay.profile import load_profile
from protocol.events import LinkConnect, LinkConnected, LinkData, Peer
from protocol.hdlc import HdlcClient, HdlcParameters
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from sim.bus import MAX_METERS, BusOptions, make_sites, run_bus
from sim.making import OptionError, first_moment
from sim.ports.base import News, PortSpecError
from sim.ports.bus import Bus
from sim.ports.memory import MemoryLine, MemoryPort
from sim.world import World

AARQ = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400001F1FFFFF")


class Rig:
    """A bus of meters in memory, and the client's end of its line."""

    def __init__(self, meters: int) -> None:
        profile = load_profile("be-wal")
        options = BusOptions((), meters, seed=1)
        self.world = World(
            first_moment(datetime(2026, 11, 23, 8, tzinfo=profile.zone), profile.zone), 1
        )
        port = MemoryPort(PortKind.HDLC)
        self.line: MemoryLine = port.connect()
        for site in make_sites(options, profile, LAB_KEYS, self.world, [Bus(port)]):
            self.world.add(site)
        self.world.settle()

    def answers(self, octets: bytes) -> bytes:
        """Put octets on the line and return what the client hears."""
        self.line.send(octets)
        self.world.settle()
        return self.line.receive()

    def exchange(self, client: HdlcClient) -> list[object]:
        """Carry octets to and fro until the line is silent; return what the client reports."""
        events: list[object] = []
        while octets := client.outgoing():
            events += client.receive(self.answers(octets), self.world.now)
        return events


def connected(rig: Rig, physical: int) -> HdlcClient:
    """Return a public client that has just connected to a meter."""
    peer = Peer(16, 1, physical)
    client = HdlcClient(peer, 2, HdlcParameters(128, 128, 7, 7))
    client.send(LinkConnect(peer), rig.world.now)
    assert rig.exchange(client) == [LinkConnected(peer)]
    return client


def test_each_meter_answers_to_its_own_address_and_no_other() -> None:
    """Sessions with all of them stand side by side."""
    rig = Rig(3)
    clients = {physical: connected(rig, physical) for physical in (1, 2, 3)}
    for physical, client in clients.items():
        client.send(LinkData(Peer(16, 1, physical), AARQ), rig.world.now)
        (answer,) = rig.exchange(client)
        assert isinstance(answer, LinkData)
        assert answer.apdu[:1] == b"\x61"


@pytest.mark.parametrize(
    "server",
    [HdlcAddress(1), HdlcAddress(1, 4, 2), HdlcAddress(1, 0x7F, 2), HdlcAddress(0x7F, 0x7F, 2)],
)
@pytest.mark.parametrize("kind", [FrameKind.SNRM, FrameKind.DISC, FrameKind.UI])
def test_nobody_answers_where_several_would(server: HdlcAddress, kind: FrameKind) -> None:
    """An address of one octet, of nobody, of all."""
    rig = Rig(3)
    assert rig.answers(Frame(server, HdlcAddress(16), Control(kind)).to_bytes()) == b""


def test_a_broadcast_reaches_the_connections_and_harms_none() -> None:
    """Unconfirmed octets that mean nothing: each session goes on."""
    rig = Rig(2)
    clients = {physical: connected(rig, physical) for physical in (1, 2)}
    everybody = Peer(16, 0x7F, 0x7F)
    caller = HdlcClient(everybody, 2)
    caller.send(LinkData(everybody, b"\x01\x02\x03", unnumbered=True), rig.world.now)
    assert rig.answers(caller.outgoing()) == b""
    for physical, client in clients.items():
        client.send(LinkData(Peer(16, 1, physical), AARQ), rig.world.now)
        assert [type(event) for event in rig.exchange(client)] == [LinkData]


def test_meters_of_a_line_are_different_meters() -> None:
    """Names and households are their own."""
    rig = Rig(3)
    assert len({site.name for site in rig.world.sites}) == 3


def test_a_station_hears_its_neighbours_and_not_itself() -> None:
    """And the client hears all."""
    port = MemoryPort(PortKind.HDLC)
    line, bus = port.connect(), Bus(port)
    one, two, three = (bus.station() for _ in range(3))
    opened = News(opened={line.name: PortKind.HDLC})
    assert [station.collect() for station in (one, two, three)] == [opened] * 3
    two.send(line.name, b"two")
    assert line.receive() == b"two"
    heard = News(rx={line.name: b"two"})
    assert [station.collect() for station in (one, two, three)] == [heard, News(), heard]
    line.send(b"client")
    heard = News(rx={line.name: b"client"})
    assert [station.collect() for station in (one, two, three)] == [heard] * 3


def test_one_meter_does_not_end_the_line_of_all() -> None:
    """The client ends it, and all are told."""
    port = MemoryPort(PortKind.HDLC)
    line, bus = port.connect(), Bus(port)
    one, two = bus.station(), bus.station()
    one.collect()
    one.hang_up(line.name)
    assert not line.closed
    line.close()
    assert [station.collect().closed for station in (two, one)] == [{line.name}] * 2
    one.send(line.name, b"late")
    bus.close()
    bus.close()


@pytest.mark.parametrize("meters", [0, -1, MAX_METERS + 1])
def test_a_bus_of_no_or_too_many_meters_is_refused(meters: int) -> None:
    """Two octets of address have room for so many."""
    with pytest.raises(OptionError):
        run_bus(BusOptions(["pty:./never"], meters), StringIO())


@pytest.mark.parametrize("spec", ["tcp:127.0.0.1:0", "udp:127.0.0.1:0", "memory:hdlc", "bus", ""])
def test_only_a_line_of_hdlc_can_be_a_bus(spec: str) -> None:
    """A wrapper has no physical addresses."""
    with pytest.raises(PortSpecError):
        run_bus(BusOptions([spec], 2), StringIO())
