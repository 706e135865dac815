"""Both halves of an HDLC line, joined by a line that loses, repeats and garbles."""

import random
import tracemalloc
from collections import deque

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.errors import LocalProtocolError
from protocol.events import LinkConnect, LinkConnected, LinkData, LinkDisconnect, LinkDisconnected
from protocol.hdlc import ClientTimes, HdlcClient, HdlcParameters, HdlcServer
from protocol.hdlc.frame import MAX_LENGTH
from protocol.hdlc.state import State
from protocol.timing import Instant
from tests.protocol.hdlc_tools import PEER, T0, frames_in

TIMES = ClientTimes(response=1000, inter_octet=100, poll=300, patience=3000)
INACTIVITY = 20_000


def numbered(number: int, size: int) -> bytes:
    """Return an APDU that tells its number and cannot be taken for another one."""
    head = number.to_bytes(4, "big")
    return head + bytes((number * 31 + index) % 256 for index in range(size))


class Line(RuleBasedStateMachine):
    """What the layers above see, whatever the line does.

    Each request carries a number; the server's upper layer answers it with the same number, and
    sometimes late. Per direction, the numbers that are delivered only ever grow, and the content
    is what was sent: at most once, in order, untouched. Octets still on the line when the client
    times out are lost, as on a wire.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.sent: dict[int, bytes] = {}
        self.answers: dict[int, bytes] = {}
        self.last_request = 0
        self.last_answer = 0
        self.owed: deque[int] = deque()
        self.prompt = True
        self.client_stands = False
        self.to_server: deque[bytes] = deque()
        self.to_client: deque[bytes] = deque()

    @initialize(
        ours=st.sampled_from([1, 3, 32, 128, 2030]),
        theirs=st.sampled_from([5, 128, 600]),
        windows=st.sampled_from([(1, 1), (1, 7), (7, 1), (2, 3), (7, 7)]),
        connected=st.sampled_from([True, True, True, False]),
    )
    def begin(self, ours: int, theirs: int, windows: tuple[int, int], connected: bool) -> None:
        """Make both halves, with lengths of their own, and windows of their own either way."""
        up, down = windows
        proposed = HdlcParameters(ours, ours, up, down)
        self.client = HdlcClient(PEER, 2, proposed, TIMES, retries=2)
        self.server = HdlcServer(
            17,
            {1},
            HdlcParameters(theirs, theirs, 7, 7),
            inactivity_timeout=INACTIVITY,
            inter_octet_timeout=100,
        )
        if connected:
            self.connect()
            self.carry(1)

    # --- the layers above ------------------------------------------------------------------------

    def on_client(self, octets: bytes) -> None:
        """Give the client octets, and check what it reports."""
        for happened in self.client.receive(octets, self.now):
            match happened:
                case LinkData(apdu=apdu):
                    number = int.from_bytes(apdu[:4], "big")
                    assert number > self.last_answer
                    assert apdu == self.answers[number]
                    self.last_answer = number
                    event("an answer was delivered")
                case LinkConnected():
                    assert not self.client_stands
                    self.client_stands = True
                case LinkDisconnected(reason=reason):
                    event(f"client: {reason.name}")
                    self.client_stands = False
        self.collect()

    def on_server(self, octets: bytes) -> None:
        """Give the server octets, check what it reports, and answer when it is prompt."""
        for happened in self.server.receive(octets, self.now):
            match happened:
                case LinkData(apdu=apdu):
                    number = int.from_bytes(apdu[:4], "big")
                    assert number > self.last_request
                    assert apdu == self.sent[number]
                    self.last_request = number
                    self.owed.append(number)
                case LinkDisconnected(reason=reason):
                    event(f"server: {reason.name}")
                    self.owed.clear()
        if self.prompt:
            self.answer()
        self.collect()

    @rule(prompt=st.booleans())
    def change_pace(self, prompt: bool) -> None:
        """The server's upper layer becomes prompt or slow."""
        self.prompt = prompt

    @rule()
    def answer(self) -> None:
        """The server's upper layer answers what it owes."""
        while self.owed and PEER in self.server.connected:
            number = self.owed.popleft()
            self.answers[number] = numbered(number, number * 37 % 400)
            self.server.send(LinkData(PEER, self.answers[number]), self.now)
        self.collect()

    @precondition(lambda self: self.client.state is State.DISCONNECTED)
    @rule()
    def connect(self) -> None:
        """The client's upper layer wants a connection."""
        self.client.send(LinkConnect(PEER), self.now)
        self.collect()

    @precondition(lambda self: self.client.state is State.CONNECTED and len(self.sent) < 100)
    @rule(size=st.sampled_from([0, 1, 100, 125, 126, 600]))
    def request(self, size: int) -> None:
        """The client's upper layer sends, whether or not it has its answers."""
        number = len(self.sent) + 1
        try:
            self.client.send(LinkData(PEER, numbered(number, size)), self.now)
        except LocalProtocolError:
            event("the client's queue was full")
        else:
            self.sent[number] = numbered(number, size)
        self.collect()

    @rule()
    def disconnect(self) -> None:
        """The client's upper layer has had enough."""
        if self.client.state in (State.CONNECTED, State.CONNECTING):
            self.client.send(LinkDisconnect(PEER), self.now)
        self.collect()

    # --- the line --------------------------------------------------------------------------------

    def collect(self) -> None:
        """Put what both halves want to send on the line."""
        if octets := self.client.outgoing():
            self.to_server.append(octets)
        if octets := self.server.outgoing():
            self.to_client.append(octets)

    def take(self, towards_server: bool) -> bytes:
        """Take the next piece off the line."""
        line = self.to_server if towards_server else self.to_client
        return line.popleft() if line else b""

    def busy(self) -> bool:
        """Whether there is anything on the line; half duplex, so mostly in one direction."""
        return bool(self.to_server or self.to_client)

    def put(self, towards_server: bool, octets: bytes) -> None:
        """Let one half hear octets."""
        if towards_server:
            self.on_server(octets)
        else:
            self.on_client(octets)

    @rule(rounds=st.sampled_from([1, 1, 2, 30]))
    def carry(self, rounds: int) -> None:
        """A clean line, for a while."""
        for _ in range(rounds):
            self.put(True, self.take(True))
            self.put(False, self.take(False))

    @precondition(busy)
    @rule(towards_server=st.booleans())
    def lose(self, towards_server: bool) -> None:
        """A piece never arrives."""
        towards_server = bool(self.to_server) and (towards_server or not self.to_client)
        self.take(towards_server)

    @precondition(busy)
    @rule(towards_server=st.booleans(), which=st.sets(st.integers(0, 6), min_size=1))
    def lose_frames(self, towards_server: bool, which: set[int]) -> None:
        """Some frames of a window never arrive, be it the first, the last or one between."""
        towards_server = bool(self.to_server) and (towards_server or not self.to_client)
        frames = frames_in(self.take(towards_server))
        left = [frame for place, frame in enumerate(frames) if place not in which]
        self.put(towards_server, b"".join(frame.to_bytes() for frame in left))

    @precondition(busy)
    @rule(towards_server=st.booleans())
    def repeat(self, towards_server: bool) -> None:
        """A piece arrives twice."""
        towards_server = bool(self.to_server) and (towards_server or not self.to_client)
        octets = self.take(towards_server)
        self.put(towards_server, octets)
        self.put(towards_server, octets)

    @precondition(busy)
    @rule(towards_server=st.booleans(), where=st.integers(0, 10**6), bit=st.integers(0, 7))
    def garble(self, towards_server: bool, where: int, bit: int) -> None:
        """A bit of a piece flips."""
        towards_server = bool(self.to_server) and (towards_server or not self.to_client)
        octets = bytearray(self.take(towards_server))
        octets[where % len(octets)] ^= 1 << bit
        self.put(towards_server, bytes(octets))

    @precondition(busy)
    @rule(towards_server=st.booleans(), where=st.integers(0, 10**6), doubled=st.booleans())
    def slip(self, towards_server: bool, where: int, doubled: bool) -> None:
        """An octet of a piece is lost, or comes twice."""
        towards_server = bool(self.to_server) and (towards_server or not self.to_client)
        octets = self.take(towards_server)
        place = where % len(octets)
        middle = octets[place : place + 1] * 2 if doubled else b""
        self.put(towards_server, octets[:place] + middle + octets[place + 1 :])

    @rule(towards_server=st.booleans(), noise=st.binary(min_size=1, max_size=30))
    def noise(self, towards_server: bool, noise: bytes) -> None:
        """Octets that nobody sent."""
        self.put(towards_server, noise)

    @rule(milliseconds=st.integers(1, 250))
    def pass_time(self, milliseconds: int) -> None:
        """A little time, in which the line keeps what it carries."""
        self.tick(Instant(self.now + milliseconds))

    @rule()
    def sleep(self) -> None:
        """Until somebody has to be woken; what was on the line is gone by then."""
        self.to_server.clear()
        self.to_client.clear()
        due = [wake for wake in (self.client.wake_at(), self.server.wake_at()) if wake is not None]
        self.tick(max(self.now, min(due, default=self.now)))

    def tick(self, now: Instant) -> None:
        """Let both halves look at the clock."""
        self.now = now
        self.on_client(b"")
        self.on_server(b"")

    # --- what always holds -----------------------------------------------------------------------

    @invariant()
    def memory_is_bounded(self) -> None:
        """Neither half keeps more than a frame that it is receiving."""
        if hasattr(self, "client"):
            for half in (self.client, self.server):
                assert len(half._finder._buffer) <= MAX_LENGTH + 2
            assert self.client_stands is (self.client.state is State.CONNECTED) or (
                self.client.state is State.DISCONNECTING
            )

    def teardown(self) -> None:
        """Once the line is clean, a new connection carries a request and its answer."""
        if not hasattr(self, "client"):
            return
        self.prompt = True
        self.sleep()
        self.disconnect()
        for _ in range(20):
            self.carry(2)
            if self.client.state is State.DISCONNECTED:
                break
            self.sleep()
        self.sleep()
        assert self.client.state is State.DISCONNECTED
        self.connect()
        self.carry(2)
        assert self.client_stands
        number = len(self.sent) + 1
        self.sent[number] = numbered(number, 50)
        self.client.send(LinkData(PEER, self.sent[number]), self.now)
        self.collect()
        self.carry(1000)
        assert self.last_answer == number


TestLine = Line.TestCase
TestLine.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class Wire:
    """One direction of a line on which a share of what passes is spoilt, each time in one way."""

    def __init__(self, chance: random.Random, share: float) -> None:
        self._chance = chance
        self.share = share

    def carry(self, octets: bytes) -> bytes:
        """Return what arrives."""
        if not octets or self._chance.random() >= self.share:
            return octets
        place = self._chance.randrange(len(octets))
        noise = self._chance.randbytes(self._chance.randrange(1, 20))
        return self._chance.choice(
            [
                b"",
                octets + octets,
                octets[:place] + octets[place + 1 :],
                octets[:place] + bytes((octets[place] ^ 1 << place % 8,)) + octets[place + 1 :],
                octets[:place],
                noise + octets,
                octets + noise,
            ]
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_a_long_conversation_on_a_bad_line(seed: int, share: float) -> None:
    """Requests of many segments, reconnecting when the link gives up: at most once, in order.

    On a clean line each request is answered; with one frame in twenty spoilt nearly each is.
    """
    chance = random.Random(seed)
    wire, now = Wire(chance, share), T0
    size, window = chance.choice([20, 128, 600]), seed * 2 + 1
    parameters = HdlcParameters(size, 2030, window, 7)
    client = HdlcClient(PEER, 2, parameters, TIMES)
    server = HdlcServer(17, {1}, parameters, inter_octet_timeout=100)
    heard, answered, asked = [], [], 0
    tracemalloc.start()
    while asked < 30:
        if client.state is State.DISCONNECTED:
            client.send(LinkConnect(PEER), now)
        for happened in server.receive(wire.carry(client.outgoing()), now):
            if isinstance(happened, LinkData):
                heard.append(happened.apdu)
                server.send(LinkData(PEER, happened.apdu[::-1]), now)
        for reported in client.receive(wire.carry(server.outgoing()), now):
            if isinstance(reported, LinkData):
                answered.append(reported.apdu[::-1])
        idle = client.state is State.CONNECTED and client.wake_at() is None
        if idle:
            asked += 1
            client.send(LinkData(PEER, numbered(asked, chance.randrange(size * 6))), now)
        wakes = [wake for wake in (client.wake_at(), server.wake_at()) if wake is not None]
        if chance.random() < 0.5:
            now = Instant(now + 5)
        else:
            now = max(now, min([*wakes, Instant(now + 100)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for delivered in (heard, answered):
        numbers = [int.from_bytes(apdu[:4], "big") for apdu in delivered]
        assert numbers == sorted(set(numbers))
        for number, apdu in zip(numbers, delivered, strict=True):
            assert apdu == numbered(number, len(apdu) - 4)
    assert len(answered) >= {0.0: 29, 0.05: 24}.get(share, 1)
    assert peak < 500_000
