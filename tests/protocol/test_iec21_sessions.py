"""IEC 62056-21: reader and device in sessions, and what breaks them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodeError, LocalProtocolError
from protocol.iec21 import (
    Command,
    DataSet,
    DeviceTimes,
    Identification,
    Parity,
    Purpose,
    Reader,
    ReaderTimes,
    TariffDevice,
)
from protocol.iec21.characters import encode
from protocol.iec21.device import MAX_FAULTS, MAX_MESSAGE
from protocol.iec21.events import (
    Answered,
    BaudSwitch,
    DataWanted,
    DeviceEvent,
    Failed,
    HdlcBegun,
    Identified,
    Octets,
    ReaderEvent,
    Readout,
    Refused,
    SessionEnded,
    Unlocked,
)
from protocol.iec21.messages import (
    BREAK,
    Acknowledge,
    DataMessage,
    OptionSelect,
    Repeat,
    Telegram,
    parse_message,
)
from protocol.iec21.reader import MAX_READOUT
from protocol.iec21.state import TRANSITIONS, State, Trigger
from protocol.timing import Instant, earliest

T0 = Instant(1_700_000_000_000)
SETS = (DataSet.of("0.0.0", "12345"), DataSet.of("1.8.0", "000123.456", "kWh"))
SAID = Identification("OPP", "5", "OpenPrepay", "2")
PASSWORD = b"12345678"
REQUEST = b"/?!\r\n"
CHOICE = b"\x06050\r\n"
HDLC = b"\x06252\r\n"
PROGRAMMING = b"\x06051\r\n"
P1 = Command("P1", "(12345678)").to_bytes()


@dataclass
class Meter:
    """A device, its owner, and a clock that only waiting moves."""

    identification: Identification = SAID
    parity: Parity = Parity.NONE
    now: Instant = T0
    events: list[DeviceEvent] = field(default_factory=list)
    sets: tuple[DataSet, ...] = SETS

    def __post_init__(self) -> None:
        self.device = TariffDevice(self.identification, address="12345", password=PASSWORD)

    def hear(self, octets: bytes = b"") -> bytes:
        """Give it octets at the present moment; return what it sends at once."""
        for event in self.device.receive(octets, self.now):
            self.events.append(event)
            if isinstance(event, DataWanted):
                self.device.give(event, self._wanted(event), self.now)
        return self.device.outgoing()

    def _wanted(self, event: DataWanted) -> tuple[DataSet, ...]:
        if event.address is None:
            return self.sets
        return tuple(each for each in self.sets if each.address == event.address)

    def ask(self, octets: bytes) -> bytes:
        """Give it octets, and return what comes within the reaction time."""
        assert self.hear(encode(octets, self.parity)) == b""
        self.now = Instant(self.now + 200)
        return self.hear()

    def wait(self, milliseconds: int) -> bytes:
        """Let time pass, stopping wherever it wants to be woken; return all that it sends."""
        end, sent = self.now + milliseconds, b""
        while (wake := self.device.wake_at()) is not None and wake <= end:
            self.now = max(self.now, wake)
            sent += self.hear()
        self.now = Instant(end)
        return sent + self.hear()

    @property
    def bauds(self) -> list[int]:
        """The rates that the line was switched to."""
        return [event.baud for event in self.events if isinstance(event, BaudSwitch)]

    def wanted(self) -> list[str | None]:
        """What its readers wanted."""
        return [event.address for event in self.events if isinstance(event, DataWanted)]

    def stands(self, state: State) -> bool:
        """Whether the device is in a state."""
        return self.device.state is state

    def answers(self) -> bool:
        """Whether a new reader gets a whole readout, after the longest that one may last."""
        self.wait(130_000)
        self.parity = Parity.NONE
        assert self.ask(REQUEST) == self.identification.to_bytes()
        return self.ask(CHOICE) == READOUT


READOUT = DataMessage.readout(SETS).to_bytes()

# --- the device: readout -----------------------------------------------------------------------


@pytest.mark.parametrize("parity", Parity)
def test_a_readout_octet_by_octet(parity: Parity) -> None:
    """Sign-on at 300 Bd, data at 9600, and back; the answer has the parity of the request."""
    meter = Meter(parity=parity)
    assert meter.ask(REQUEST) == encode(b"/OPP5\\2OpenPrepay\r\n", parity)
    assert meter.bauds == []
    assert meter.ask(CHOICE) == encode(
        b"\x020.0.0(12345)\r\n1.8.0(000123.456*kWh)\r\n!\r\n\x03\x7a", parity
    )
    assert meter.bauds == [9600]
    assert meter.ask(b"\x06") == b""
    assert meter.bauds == [9600, 300]


def test_the_reaction_time_is_kept() -> None:
    """Nothing goes out before 200 ms, and the device asks to be woken for it."""
    meter = Meter()
    assert meter.hear(REQUEST) == b""
    assert meter.device.wake_at() == T0 + 200
    meter.now = Instant(T0 + 199)
    assert meter.hear() == b""
    meter.now = Instant(T0 + 200)
    assert meter.hear() == SAID.to_bytes()


def test_a_quick_device_answers_after_20_ms() -> None:
    """As the small letter promises."""
    meter = Meter(Identification("OPp", "5", "quick"))
    meter.hear(REQUEST)
    assert meter.device.wake_at() == T0 + 20


def test_the_reader_may_choose_a_lower_rate() -> None:
    """And never a higher one: that gets the readout at 300 Bd."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.ask(b"\x06030\r\n") == READOUT
    assert meter.bauds == [2400]
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.ask(b"\x06060\r\n") == READOUT
    assert meter.bauds == []


@pytest.mark.parametrize(
    "choice", [b"\x06990\r\n", b"\x06059\r\n", b"\x06152\r\n", b"\x06\xff50\r\n", b"\x06abcde"]
)
def test_a_choice_that_is_none_gets_the_readout_at_300_baud(choice: bytes) -> None:
    """That is how readers which know no choice get theirs."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.ask(choice) == READOUT
    assert meter.bauds == []
    assert meter.answers()


def test_no_choice_at_all_gets_the_readout_at_300_baud() -> None:
    """After the identification has gone over the wire and 3 s have passed."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.wait(3_500) == b""
    assert meter.wait(1_000) == READOUT


def test_a_readout_is_repeated_when_asked_for() -> None:
    """NAK; but not for ever, and a break ends it."""
    meter = Meter()
    meter.ask(REQUEST)
    meter.ask(CHOICE)
    for _ in range(MAX_FAULTS):
        assert meter.ask(b"\x15") == READOUT
    assert meter.ask(b"\x15") == b""
    assert meter.stands(State.READY)
    meter.ask(REQUEST)
    meter.ask(CHOICE)
    assert meter.ask(BREAK.to_bytes()) == b""
    assert meter.stands(State.READY)


@pytest.mark.parametrize(
    ("request_message", "answered"),
    [
        (b"/?!\r\n", True),
        (b"/?12345!\r\n", True),
        (b"/?0012345!\r\n", True),
        (b"/?54321!\r\n", False),
        (b"/?!\n", False),
        (b"/!\r\n", False),
        (b"?!\r\n", False),
        (b"/?!\r\r", False),
        (bytes(64) + b"/?!\r\n", True),
        (b"/?/?!\r\n", True),
        (b"\x01garbage\x02/?!\r\n", True),
        (b"\xff\x00\x7f/?!\r\n", True),
    ],
)
def test_which_requests_are_answered(request_message: bytes, answered: bool) -> None:
    """Our own address or none; NULs that wake batteries, and garbage before it, are read over."""
    assert bool(Meter().ask(request_message)) is answered


def test_a_request_begins_anew_whatever_was_under_way() -> None:
    """In each state of text; the rate is the first one again."""
    for before in ((), (REQUEST,), (REQUEST, CHOICE), (REQUEST, PROGRAMMING, P1)):
        meter = Meter()
        for octets in before:
            meter.ask(octets)
        assert meter.ask(REQUEST) == SAID.to_bytes()
        assert meter.device.baud == 300
        assert meter.ask(CHOICE) == READOUT


def test_data_that_are_given_too_late_are_dropped() -> None:
    """The reader who wanted them has begun anew meanwhile."""
    device = TariffDevice(SAID)
    device.receive(REQUEST, T0)
    (wanted,) = device.receive(CHOICE + REQUEST, Instant(T0 + 300))
    assert isinstance(wanted, DataWanted)
    device.give(wanted, SETS, Instant(T0 + 300))
    device.receive(b"", Instant(T0 + 500))
    assert device.outgoing() == SAID.to_bytes() * 2


def test_data_are_given_to_the_command_that_wanted_them() -> None:
    """Of two that came at once the last is answered, and with its own data."""
    meter = unlocked()
    commands = Command("R1", "1.8.0()").to_bytes() + Command("R1", "0.0.0()").to_bytes()
    first, second = meter.device.receive(commands, meter.now)
    assert isinstance(first, DataWanted)
    assert isinstance(second, DataWanted)
    meter.device.give(first, SETS[1:], meter.now)
    meter.device.give(second, SETS[:1], meter.now)
    assert parse_message(meter.wait(200)) == DataMessage("0.0.0(12345)")


# --- the device: programming mode --------------------------------------------------------------


def unlocked() -> Meter:
    """Return a meter in its programming mode."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.ask(PROGRAMMING) == Command("P0", "()").to_bytes()
    assert meter.ask(P1) == b"\x06"
    return meter


def test_a_register_is_read_with_the_password() -> None:
    """R1 with its address, and what is in the brackets does not matter."""
    meter = unlocked()
    for data in ("1.8.0()", "1.8.0(1)"):
        answer = meter.ask(Command("R1", data).to_bytes())
        assert parse_message(answer) == DataMessage("1.8.0(000123.456*kWh)")
    assert meter.bauds == [9600]
    assert meter.ask(BREAK.to_bytes()) == b""
    assert meter.bauds == [9600, 300]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (Command("R1", "9.9.9()"), "(ERR01)"),
        (Command("R1", "()"), "(ERR01)"),
        (Command("R1", "nothing"), "(ERR01)"),
        (Command("R1", "1.8.0()0.0.0()"), "(ERR01)"),
        (Command("R1"), "(ERR01)"),
        (Command("W1", "1.8.0(0)"), "(ERR02)"),
        (Command("R5", "1.8.0()"), "(ERR02)"),
        (Command("W2", "x"), "(ERR02)"),
        (Command("E2", "x()"), "(ERR02)"),
        (Command("B1"), "(ERR02)"),
    ],
)
def test_what_is_refused_is_refused_by_name_and_the_session_goes_on(
    command: Command, answer: str
) -> None:
    """An error message of its own; the next command is executed."""
    meter = unlocked()
    assert parse_message(meter.ask(command.to_bytes())) == DataMessage(answer)
    assert b"123.456" in meter.ask(Command("R1", "1.8.0()").to_bytes())


@pytest.mark.parametrize("data", ["(87654321)", "()", "(123456789)", "(1234567)", "", None])
@pytest.mark.parametrize("name", ["P1", "P2", "P0"])
def test_a_wrong_password_ends_the_session_with_a_break(name: str, data: str | None) -> None:
    """Also one for another form of it, and also after the right one."""
    for meter in (Meter(), unlocked()):
        meter.ask(REQUEST)
        meter.ask(PROGRAMMING)
        assert parse_message(meter.ask(Command(name, data).to_bytes())) == BREAK
        assert meter.stands(State.READY)
        assert meter.ask(Command("R1", "1.8.0()").to_bytes()) == b""
        assert meter.answers()


def test_a_device_without_a_password_takes_none() -> None:
    """The empty one neither."""
    device = TariffDevice(SAID)
    now = T0
    for octets in (REQUEST, PROGRAMMING, Command("P1", "()").to_bytes(), b""):
        device.receive(octets, now)
        now = Instant(now + 300)
    assert device.outgoing().endswith(BREAK.to_bytes())


def test_nothing_is_read_without_the_password() -> None:
    """Neither a register nor anything else, and it may still come."""
    meter = Meter()
    meter.ask(REQUEST)
    meter.ask(PROGRAMMING)
    for command in (Command("R1", "1.8.0()"), Command("W1", "1.8.0(0)")):
        assert parse_message(meter.ask(command.to_bytes())) == DataMessage("(ERR02)")
    assert meter.wanted() == []
    assert meter.ask(P1) == b"\x06"


def test_a_garbled_command_has_to_be_repeated_and_not_for_ever() -> None:
    """NAK three times, then a break."""
    meter = unlocked()
    wrong = Command("R1", "1.8.0()").to_bytes()[:-1] + b"\x00"
    for _ in range(MAX_FAULTS):
        assert meter.ask(wrong) == b"\x15"
    assert parse_message(meter.ask(wrong)) == BREAK
    assert meter.answers()


def test_an_answer_is_repeated_when_asked_for() -> None:
    """NAK brings the last answer again."""
    meter = unlocked()
    answer = meter.ask(Command("R1", "1.8.0()").to_bytes())
    assert meter.ask(b"\x15") == answer


def test_a_silent_session_ends_within_60_to_120_s() -> None:
    """The book's inactivity time-out."""
    meter = unlocked()
    meter.wait(60_000)
    assert meter.stands(State.UNLOCKED)
    meter.wait(60_500)
    assert meter.stands(State.READY)
    assert meter.bauds == [9600, 300]


# --- the device: HDLC --------------------------------------------------------------------------


def transparent() -> Meter:
    """Return a meter whose line HDLC has."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.ask(HDLC) == HDLC
    assert meter.bauds == [9600]
    assert meter.stands(State.TRANSPARENT)
    return meter


def test_octets_after_the_choice_are_hdlcs() -> None:
    """Those in the same piece as well, with all of their eight bits."""
    meter = Meter()
    meter.ask(REQUEST)
    assert meter.hear(HDLC + b"\x7e\xa0\xff") == b""
    assert meter.events[-1] == Octets(b"\x7e\xa0\xff")
    assert meter.wait(200) == HDLC
    meter.hear(b"/?!")
    assert meter.events[-1] == Octets(b"/?!")


def test_hdlc_is_not_offered_without_mode_e() -> None:
    """A meter of mode C gives its readout at 300 Bd."""
    meter = Meter(Identification("OPP", "5", "only C"))
    meter.ask(REQUEST)
    assert meter.ask(HDLC) == READOUT
    assert meter.bauds == []


def test_the_line_goes_back_soon_after_the_last_connection() -> None:
    """1.5 s, in which another client may connect; the first has as long as any session."""
    meter = transparent()
    meter.wait(60_000)
    assert meter.stands(State.TRANSPARENT)
    meter.device.linked(1, meter.now)
    meter.wait(60_000)
    meter.device.linked(0, meter.now)
    meter.hear(b"\x7e")
    meter.wait(1_400)
    assert meter.stands(State.TRANSPARENT)
    meter.device.linked(1, meter.now)
    meter.wait(60_000)
    assert meter.stands(State.TRANSPARENT)
    meter.device.linked(0, meter.now)
    meter.wait(1_600)
    assert meter.stands(State.READY)
    assert SessionEnded() in meter.events
    assert meter.bauds == [9600, 300]


def test_a_connection_that_falls_silent_is_over_within_120_s() -> None:
    """Counted from its last octet."""
    meter = transparent()
    meter.device.linked(1, meter.now)
    meter.wait(100_000)
    meter.hear(b"\x7e")
    meter.wait(119_000)
    assert meter.stands(State.TRANSPARENT)
    meter.wait(2_000)
    assert meter.stands(State.READY)


@pytest.mark.parametrize("request_message", [REQUEST, encode(REQUEST, Parity.EVEN)])
def test_a_new_reader_need_not_wait_for_one_that_broke_off(request_message: bytes) -> None:
    """Its request is heard where no frame can be: behind silence, or without a connection."""
    meter = transparent()
    meter.device.linked(1, meter.now)
    meter.hear(b"\x7e")
    meter.hear(request_message)
    assert meter.stands(State.TRANSPARENT)  # within a frame it means nothing
    meter.now = Instant(meter.now + 500)
    meter.hear(request_message[:2])
    meter.hear(request_message[2:])
    assert meter.stands(State.IDENTIFIED)
    assert SessionEnded() in meter.events
    assert meter.answers()


def test_what_only_begins_like_a_request_stays_hdlcs() -> None:
    """All of it is handed on, and a request within it means nothing."""
    meter = transparent()
    meter.device.linked(1, meter.now)
    meter.now = Instant(meter.now + 1_000)
    for octets in (b"/?x", b"\x7e" * MAX_MESSAGE, b"\r\n", REQUEST):
        meter.hear(octets)
    assert meter.stands(State.TRANSPARENT)
    assert [e.octets for e in meter.events if isinstance(e, Octets)][-1] == REQUEST


# --- the device: modes A, B and D --------------------------------------------------------------


def test_mode_a_sends_its_data_at_once() -> None:
    """At the same rate."""
    meter = Meter(Identification("OPP", "@", "old"))
    assert meter.ask(REQUEST) == meter.identification.to_bytes()
    assert meter.wait(400) == READOUT
    assert meter.bauds == []


def test_mode_b_sends_its_data_at_another_rate() -> None:
    """As its identification says, once that has gone over the wire."""
    meter = Meter(Identification("OPP", "C", "old"))
    assert meter.ask(REQUEST) == meter.identification.to_bytes()
    assert meter.bauds == []
    assert meter.wait(400) == READOUT
    assert meter.bauds == [2400]
    meter.wait(10_000)
    assert meter.bauds == [2400, 300]


def test_mode_d_sends_a_readout_that_nobody_asked_for() -> None:
    """At 2400 Bd, with the rate 3 in its identification."""
    meter = Meter()
    assert meter.device.push(SETS, meter.now)
    sent = meter.wait(5_000)
    assert sent.startswith(b"/OPP3OpenPrepay\r\n\r\n0.0.0(12345)\r\n")
    assert sent.endswith(b"kWh)\r\n!\r\n")
    assert meter.bauds == [2400, 300]


def test_nobody_is_interrupted_by_a_readout_he_did_not_ask_for() -> None:
    """In a session it is not sent, nor while a request comes in."""
    for octets in (REQUEST, b"/?"):
        meter = Meter()
        meter.hear(octets)
        assert not meter.device.push(SETS, meter.now)


# --- reader and device -------------------------------------------------------------------------

Change = Callable[[int, bytes], bytes]


@dataclass
class Pipe:
    """A reader and a device, and a line between them that may change what passes.

    Args:
        towards: changes the piece of that number on its way to the device.
        back: the same on the way back.
    """

    reader: Reader
    meter: Meter = field(default_factory=Meter)
    towards: Change = lambda number, octets: octets
    back: Change = lambda number, octets: octets
    events: list[ReaderEvent] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def run(self) -> list[ReaderEvent]:
        """Run the session to its end; return its events without the rates."""
        self.reader.begin(self.meter.now)
        sent = came = 0
        for _ in range(2_000):
            if octets := self.reader.outgoing():
                answer = self.meter.hear(self.towards(sent, octets))
                sent += 1
            else:
                wake = earliest(self.reader.wake_at(), self.meter.device.wake_at())
                if self.reader.over or wake is None:
                    break
                self.meter.now = max(self.meter.now, wake)
                answer = self.meter.hear()
            if answer:
                answer, came = self.back(came, answer), came + 1
            self._take(self.reader.receive(answer, self.meter.now))
        assert self.reader.over
        self.meter.hear(self.reader.outgoing())
        return [event for event in self.events if not isinstance(event, BaudSwitch)]

    def _take(self, events: list[ReaderEvent]) -> None:
        self.events += events
        for event in events:
            if isinstance(event, Unlocked | Answered) or (
                isinstance(event, Refused) and not event.over
            ):
                if self.commands:
                    self.reader.ask(self.commands.pop(0), self.meter.now)
                else:
                    self.reader.leave()

    @property
    def bauds(self) -> list[int]:
        """The rates that the reader switched to."""
        return [event.baud for event in self.events if isinstance(event, BaudSwitch)]


@pytest.mark.parametrize("parity", Parity)
@pytest.mark.parametrize("rate", ["0", "5", "A", "F", "@"])
def test_a_reader_reads_every_mode_out(rate: str, parity: Parity) -> None:
    """Modes A, B and C, with and without the parity in software; both ends switch alike."""
    said = Identification("OPP", rate, "any")
    pipe = Pipe(Reader(Purpose.READOUT, parity=parity), Meter(said))
    found = pipe.run()
    assert found == [Identified(said), Readout(said, SETS)]
    assert pipe.bauds == [baud for baud in pipe.meter.bauds if baud != 300]


@pytest.mark.parametrize("parity", Parity)
def test_a_reader_goes_over_to_hdlc(parity: Parity) -> None:
    """Both ends are at 9600 Bd, and octets behind the confirmation are HDLC's."""
    pipe = Pipe(Reader(Purpose.HDLC, parity=parity), back=lambda n, octets: octets)
    assert pipe.run() == [Identified(SAID), HdlcBegun(b"")]
    assert pipe.bauds == pipe.meter.bauds == [9600]
    pipe = Pipe(Reader(Purpose.HDLC), back=lambda n, octets: octets + b"\x7e" * n)
    assert pipe.run()[-1] == HdlcBegun(b"\x7e")


def test_a_reader_that_wants_it_slowly_gets_it_slowly() -> None:
    """The highest rate of both."""
    pipe = Pipe(Reader(Purpose.READOUT, max_baud=2400))
    assert isinstance(pipe.run()[-1], Readout)
    assert pipe.bauds == [2400]


def test_a_reader_reads_registers_with_the_password() -> None:
    """What the device refuses is said, and the session goes on to its break."""
    pipe = Pipe(Reader(Purpose.PROGRAMMING, password=PASSWORD))
    pipe.commands = [
        Command("R1", "1.8.0()"),
        Command("R1", "9.9.9()"),
        Command("W1", "1.8.0(0)"),
        Command("R1", "0.0.0()"),
    ]
    assert pipe.run()[1:] == [
        Unlocked(),
        Answered(SETS[1:]),
        Refused("the device refused: ERR01", over=False),
        Refused("the device refused: ERR02", over=False),
        Answered(SETS[:1]),
    ]
    assert pipe.meter.stands(State.READY)


def test_an_answer_that_comes_twice_is_not_taken_for_the_next() -> None:
    """A slow device answers a command that was repeated meanwhile, and so twice."""
    pipe = Pipe(Reader(Purpose.PROGRAMMING, password=PASSWORD))
    reader, now = pipe.reader, T0
    reader.begin(now)
    for answer in (SAID.to_bytes(), b"", Command("P0", "()").to_bytes(), b"\x06"):
        reader.receive(answer, now)
        now = Instant(now + 200)
    slow = DataMessage("1.8.0(7)").to_bytes()
    reader.ask(Command("R1", "1.8.0()"), now)
    reader.receive(b"", reader.wake_at() or now)
    (answered,) = reader.receive(slow, Instant(now + 4_000))
    assert answered == Answered((DataSet.of("1.8.0", "7"),))
    reader.ask(Command("R1", "0.0.0()"), Instant(now + 4_000))
    assert reader.receive(slow, Instant(now + 4_000)) == []
    own = reader.receive(DataMessage("0.0.0(1)").to_bytes(), Instant(now + 4_000))
    assert own == [Answered((DataSet.of("0.0.0", "1"),))]


def test_a_reader_with_a_wrong_password_is_told() -> None:
    """By the device's break."""
    pipe = Pipe(Reader(Purpose.PROGRAMMING, password=b"wrong"))
    assert pipe.run()[1:] == [Refused("the device refused: wrong password?", over=True)]


def test_a_reader_fails_by_name_where_nobody_answers() -> None:
    """It asks three times."""
    pipe = Pipe(Reader(Purpose.READOUT, address="999"))
    assert pipe.run() == [Failed("the device stays silent")]
    assert pipe.meter.events == []


@pytest.mark.parametrize(
    ("said", "purpose", "reason"),
    [
        (Identification("OPP", "5", "C"), Purpose.HDLC, "does not offer HDLC"),
        (Identification("OPP", "A", "B"), Purpose.HDLC, "only has a readout"),
        (Identification("OPP", "@", "A"), Purpose.PROGRAMMING, "only has a readout"),
    ],
)
def test_a_reader_says_what_a_device_has_not(
    said: Identification, purpose: Purpose, reason: str
) -> None:
    """It is not tried."""
    last = Pipe(Reader(purpose), Meter(said)).run()[-1]
    assert isinstance(last, Failed)
    assert reason in last.reason


def test_a_listener_hears_what_nobody_asked_for() -> None:
    """And nothing else; it waits as long as it was told."""
    reader = Reader(None, times=ReaderTimes(whole=60_000))
    reader.begin(T0)
    telegram = Telegram(SAID.pushed(), SETS)
    for parity in Parity:
        reader = Reader(None, times=ReaderTimes(whole=60_000))
        reader.begin(T0)
        octets = encode(b"noise/" + telegram.to_bytes(), parity)
        found = [e for part in octets for e in reader.receive(bytes((part,)), T0)]
        assert found == [Readout(SAID.pushed(), SETS)]
    reader = Reader(None, times=ReaderTimes(whole=60_000))
    reader.begin(T0)
    assert reader.wake_at() == T0 + 60_000
    assert reader.receive(b"", Instant(T0 + 60_000)) == [Failed("the device stays silent")]


def test_a_readout_in_blocks_is_put_together() -> None:
    """Each ends with EOT and is acknowledged, the last one with ETX."""
    reader = Reader(Purpose.READOUT)
    reader.begin(T0)
    reader.receive(SAID.to_bytes(), T0)
    reader.receive(b"", Instant(T0 + 200))
    reader.outgoing()
    assert reader.receive(DataMessage("1.8.0(1)\r\n", last=False).to_bytes(), T0) == []
    assert reader.outgoing() == b"\x06"
    found = reader.receive(DataMessage("1.7.0(2)\r\n!\r\n").to_bytes(), T0)
    assert found == [Readout(SAID, (DataSet.of("1.8.0", "1"), DataSet.of("1.7.0", "2")))]


def test_a_readout_without_end_is_given_up() -> None:
    """By its length, however many blocks it is cut into."""
    reader = Reader(Purpose.READOUT)
    reader.begin(T0)
    reader.receive(SAID.to_bytes(), T0)
    reader.receive(b"", Instant(T0 + 200))
    block = DataMessage("1.8.0(1)\r\n" * 100, last=False).to_bytes()
    found = [e for _ in range(MAX_READOUT // 1_000 + 1) for e in reader.receive(block, T0)]
    assert [event for event in found if not isinstance(event, BaudSwitch)] == [
        Failed("the device does not come to an end")
    ]


def test_a_reader_hears_its_own_echo_and_goes_on() -> None:
    """A half-duplex head gives every octet back."""
    echo = b""

    def towards(number: int, octets: bytes) -> bytes:
        nonlocal echo
        echo += octets
        return octets

    def back(number: int, octets: bytes) -> bytes:
        nonlocal echo
        octets, echo = echo + octets, b""
        return octets

    for purpose in (Purpose.READOUT, Purpose.PROGRAMMING):
        pipe = Pipe(Reader(purpose, password=PASSWORD), towards=towards, back=back)
        assert isinstance(pipe.run()[-1], Readout | Unlocked)


@pytest.mark.parametrize("password", [b"\xff", b"a/b", b"\x03"])
def test_a_password_that_cannot_be_written_is_refused(password: bytes) -> None:
    """Before the line is used, and without showing it."""
    with pytest.raises(EncodeError) as error:
        Reader(Purpose.PROGRAMMING, password=password)
    assert repr(password)[2:-1] not in str(error.value)


def test_a_command_out_of_turn_is_refused() -> None:
    """The device would not hear it."""
    with pytest.raises(LocalProtocolError):
        Reader(Purpose.PROGRAMMING).ask(Command("R1", "1.8.0()"), T0)


# --- what breaks -------------------------------------------------------------------------------

ENDS = {Purpose.READOUT: Readout, Purpose.PROGRAMMING: Answered, Purpose.HDLC: HdlcBegun}
DAMAGES: dict[str, Callable[[bytes, int], bytes]] = {
    "lost": lambda octets, place: octets[:place] + octets[place + 1 :],
    "cut": lambda octets, place: octets[:place],
    "doubled": lambda octets, place: octets[: place + 1] + octets[place:],
    "garbled": lambda octets, place: octets[:place] + b"\x7f" + octets[place + 1 :],
    "flipped": lambda octets, place: (
        octets[:place] + bytes((octets[place] ^ 0x10,)) + octets[place + 1 :]
    ),
    "twice": lambda octets, place: octets * 2,
}


def damaged(kind: str, number: int, place: int) -> Change:
    """Return a line that does damage at one place of its ``number``-th piece."""

    def change(count: int, octets: bytes) -> bytes:
        if count != number or place >= len(octets):
            return octets
        return DAMAGES[kind](octets, place)

    return change


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("purpose", Purpose)
def test_any_one_damage_is_mended_or_told_and_the_meter_reads_out_again(
    purpose: Purpose, kind: str
) -> None:
    """Every octet of every message, both ways: no wrong data, no exception, and no deaf meter."""
    places = [(n, p) for n in range(4) for p in range(54)]
    for towards in (True, False):
        for number, place in places:
            change = damaged(kind, number, place)
            reader = Reader(purpose, password=PASSWORD, parity=Parity.EVEN)
            pipe = Pipe(reader, commands=[Command("R1", "1.8.0()")])
            if towards:
                pipe.towards = change
            else:
                pipe.back = change
            last = pipe.run()[-1]
            assert isinstance(last, ENDS[purpose] | Failed | Refused)
            if isinstance(last, Readout):
                assert last.sets == SETS
            elif isinstance(last, Answered):
                assert last.sets == SETS[1:]
            assert pipe.meter.answers()


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([REQUEST, CHOICE, HDLC, PROGRAMMING, P1, BREAK.to_bytes(), b"\x15"]),
            st.sampled_from([Command("R1", "1.8.0()").to_bytes(), b"\x06", READOUT]),
            st.integers(0, 130_000),
        ),
        max_size=12,
    ),
    st.sampled_from(Parity),
)
def test_no_conversation_makes_the_meter_deaf(turns: list[bytes | int], parity: Parity) -> None:
    """Anything, in any order, with any silences; afterwards the next reader is served."""
    meter = Meter()
    for turn in turns:
        if isinstance(turn, int):
            meter.wait(turn)
        else:
            meter.hear(encode(turn, parity) if turn.isascii() else turn)
    assert meter.answers()


@given(
    st.lists(st.binary(max_size=60) | st.integers(1, 5_000), max_size=10), st.sampled_from(Purpose)
)
def test_no_device_makes_the_reader_fail_otherwise_than_by_name(
    turns: list[bytes | int], purpose: Purpose
) -> None:
    """Whatever answers, the session ends in time and with an event."""
    reader, now, events = Reader(purpose, password=PASSWORD), T0, list[ReaderEvent]()
    reader.begin(now)
    for turn in turns:
        if isinstance(turn, int):
            now = Instant(now + turn)
        events += reader.receive(turn if isinstance(turn, bytes) else b"", now)
    for _ in range(100):
        if reader.over or (wake := reader.wake_at()) is None:
            break
        now = max(now, wake)
        events += reader.receive(b"", now)
    assert reader.over
    assert isinstance(events[-1], Failed | HdlcBegun | Readout | Refused)


def test_every_state_has_a_way_out() -> None:
    """By a request message, and but for the first by silence."""
    assert set(TRANSITIONS) == set(State)
    for state, rows in TRANSITIONS.items():
        assert rows[Trigger.REQUEST].state is State.IDENTIFIED
        assert state is State.READY or Trigger.SILENCE in rows


def test_times_can_be_given() -> None:
    """A device that is asked to react later reacts later."""
    device = TariffDevice(SAID, times=DeviceTimes(reaction=1_500))
    device.receive(REQUEST, T0)
    assert device.wake_at() == T0 + 1_500


def test_stray_messages_change_nothing() -> None:
    """Acknowledgements and repeat requests without a session."""
    meter = Meter()
    for stray in (Acknowledge(), Repeat(), BREAK, OptionSelect("0", "5", "0"), DataMessage("x")):
        assert meter.ask(stray.to_bytes()) == b""
    assert meter.stands(State.READY)
