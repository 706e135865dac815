"""General block transfer over HDLC: many APDUs one way, and each turn has to be given."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import ApduTag
from protocol.association import SUPPORTED
from protocol.axdr import Data, octet_string
from protocol.codes import Conformance, DataAccessResult
from protocol.events import (
    AccessRequest,
    AccessResponse,
    AssociationEvent,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkWanted,
    Opened,
    OpenRequest,
    Peer,
    SetRequest,
    SetResponse,
)
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters, HdlcServer
from protocol.timing import Instant, earliest, later
from tests.protocol.association_tools import CLOCK, LN, LN_CIPHERED, T0, make_client, make_server

PEER = Peer(16, 1, 17)
#: Blocks of services, which would carry a GET or a SET before general blocks do.
OWN = Conformance.BLOCK_TRANSFER_GET | Conformance.BLOCK_TRANSFER_SET
STEPS = 4_000


@dataclass
class Wire:
    """A client and a server with HDLC between them, and frames that are lost by their number.

    Args:
        parameters: of the HDLC client; the server offers everything.
        window: of general blocks, both ways.
        value: what the server has to read.
        lost: numbers of the frames that are lost, counted from 0 when the association stands.
        capped: the ends know what a turn carries; else a window of blocks is many turns.
    """

    parameters: HdlcParameters = field(default_factory=HdlcParameters)
    window: int = 5
    value: bytes = b""
    lost: frozenset[int] = frozenset()
    capped: bool = True
    context: Any = LN

    def __post_init__(self) -> None:
        both = {
            "context": self.context,
            "conformance": SUPPORTED & ~OWN,
            "max_pdu_receive": 200,
            "block_window": self.window,
            "max_assembly": 100_000,
        }
        # Longer than HDLC takes to find out that a frame is lost, and to repeat it.
        self.client = make_client(general_blocks=True, block_silence=60_000, **both)
        self.server = make_server(**both)
        limits = HdlcParameters(2030, 2030, 7, 7)
        self.station = HdlcServer(17, {1}, limits, answer_within=200)
        times = ClientTimes(response=1_000, inter_octet=100, poll=300)
        self.link = HdlcClient(PEER, 2, self.parameters, times, retries=8)
        self.now = T0
        self.frames = -1
        self.turns = 0
        self.blocks = 0
        self.link.send(LinkConnect(PEER), self.now)
        self._until(LinkConnected)
        self.client.send(OpenRequest(), self.now)
        self._until(Opened)
        if self.capped:
            self.client.at_a_stretch(1)
            self.server.at_a_stretch(self.station.at_a_stretch(PEER, 200))
        self.frames = self.turns = 0

    def ask(self, event: AssociationEvent) -> Any:
        """Return what the client hears of a request."""
        self.client.send(event, self.now)
        kinds = {GetRequest: GetResponse, SetRequest: SetResponse}
        return self._until(kinds.get(type(event), AccessResponse))

    def _until(self, wanted: type) -> Any:
        came = False
        for _ in range(STEPS):
            for apdu in iter(self.client.outgoing, b""):
                self.link.send(LinkData(PEER, apdu), self.now)
            if came:
                self.link.send(LinkWanted(PEER), self.now)
            octets = self._carried(self.link.outgoing())
            self._serve(self.station.receive(octets, self.now))
            back = self._carried(self.station.outgoing())
            heard: list[Any] = []
            came = False
            for event in self.link.receive(back, self.now):
                if isinstance(event, LinkData):
                    came = True
                    self.blocks += event.apdu[0] == ApduTag.GENERAL_BLOCK_TRANSFER
                    heard += self.client.receive(event.apdu, self.now)
                else:
                    heard.append(event)
            for one in heard:
                if isinstance(one, wanted):
                    return one
            if not octets and not back and not came:
                self._wait()
        raise AssertionError(f"no {wanted.__name__} in {STEPS} steps")

    def _wait(self) -> None:
        wake = earliest(self.link.wake_at(), self.station.wake_at(), self.client.wake_at())
        assert wake is not None, "both ends wait for ever"
        self.now = Instant(max(wake, later(self.now, 1)))

    def _carried(self, octets: bytes) -> bytes:
        """Return what of the frames in ``octets`` arrives."""
        if self.frames < 0 or not octets:
            return octets
        self.turns += 1
        arrived = b""
        while octets:
            length = ((octets[1] & 7) << 8 | octets[2]) + 2
            frame, octets = octets[:length], octets[length:]
            arrived += b"" if self.frames in self.lost else frame
            self.frames += 1
        return arrived

    def _serve(self, events: list[Any]) -> None:
        for event in events:
            if not isinstance(event, LinkData):
                continue
            for request in self.server.receive(event.apdu, self.now):
                answer = self._answer(request)
                if answer is not None:
                    self.server.send(answer, self.now)
            for apdu in iter(self.server.outgoing, b""):
                self.station.send(LinkData(PEER, apdu), self.now)

    def _answer(self, request: AssociationEvent) -> Any:
        match request:
            case GetRequest():
                return GetResponse(octet_string(self.value))
            case SetRequest(value=Data(value=octets)):
                self.value = octets
                return SetResponse(DataAccessResult.SUCCESS)
            case AccessRequest():
                return AccessResponse(tuple(map(self._answer, request.requests)))
        return None


parameters = st.builds(
    lambda length, window: HdlcParameters(length, length, window, window),
    st.sampled_from([32, 64, 128, 207, 208, 2030]),
    st.integers(1, 7),
)
units, times = st.binary(min_size=1, max_size=7), st.integers(1, 400)
values = st.builds(lambda unit, count: unit * count, units, times)


@given(parameters, st.integers(1, 63), values, st.booleans(), st.sampled_from([LN, LN_CIPHERED]))
@settings(max_examples=60, deadline=None)
def test_long_values_go_both_ways(
    proposed: HdlcParameters, window: int, value: bytes, capped: bool, context: Any
) -> None:
    """With every window of HDLC and of blocks, whether or not a window is more than a turn."""
    most = window if capped else min(window, 7)  # what a link queues
    wire = Wire(proposed, most, capped=capped, context=context)
    assert wire.ask(SetRequest(CLOCK, octet_string(value))).result is DataAccessResult.SUCCESS
    assert wire.value == value
    assert wire.ask(GetRequest(CLOCK)).result == octet_string(value)
    both = AccessRequest((SetRequest(CLOCK, octet_string(value[::-1])), GetRequest(CLOCK)))
    assert wire.ask(both).responses[1].result == octet_string(value[::-1])


@given(parameters, st.integers(1, 7), st.frozensets(st.integers(0, 60), max_size=6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_lost_frames_are_repeated_under_the_blocks(
    proposed: HdlcParameters, window: int, lost: frozenset[int], capped: bool
) -> None:
    """HDLC repeats them, and no block is ever asked for again."""
    value = bytes(range(256)) * 6
    wire = Wire(proposed, window, lost=lost, capped=capped)
    assert wire.ask(SetRequest(CLOCK, octet_string(value))).result is DataAccessResult.SUCCESS
    assert wire.ask(GetRequest(CLOCK)).result == octet_string(value)
    assert wire.now < T0 + 60_000  # the patience of the blocks was never needed


@pytest.mark.parametrize(
    ("length", "window", "stretch"),
    [(128, 1, 1), (128, 7, 3), (203, 7, 7), (202, 7, 3), (2030, 3, 3)],
)
def test_a_server_sends_as_many_blocks_as_its_turn_carries(
    length: int, window: int, stretch: int
) -> None:
    """200 octets, and the three of LLC, in as many frames as it takes."""
    wire = Wire(HdlcParameters(length, length, window, window))
    assert wire.station.at_a_stretch(PEER, 200) == stretch
    assert wire.station.at_a_stretch(Peer(1, 1, 17), 200) == 1  # who is not connected


def test_a_turn_is_used_to_the_full() -> None:
    """Seven blocks take one turn each way; one by one they take seven."""
    value = bytes(1_200)
    full = Wire(HdlcParameters(2030, 2030, 7, 7), 7, value)
    single = Wire(HdlcParameters(2030, 2030, 1, 1), 7, value)
    for wire in (full, single):
        assert wire.ask(GetRequest(CLOCK)).result == octet_string(value)
        assert wire.blocks == 7
    assert single.turns == 14
    assert full.turns < single.turns
