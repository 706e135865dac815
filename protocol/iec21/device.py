"""The device's half: a meter on its local port, without the port, a clock or its registers."""

import hmac
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.iec21.characters import (
    BAUDS,
    BAUDS_B,
    INITIAL_BAUD,
    PUSH_BAUD,
    parity_of_slash,
)
from protocol.iec21.datasets import DataSet, format_block, parse_line
from protocol.iec21.events import (
    BaudSwitch,
    DataWanted,
    DeviceEvent,
    Octets,
    PasswordTried,
    SessionEnded,
)
from protocol.iec21.finder import MessageFinder
from protocol.iec21.messages import (
    BREAK,
    OPTION_LENGTH,
    Acknowledge,
    Command,
    DataMessage,
    Identification,
    Message,
    Mode,
    OptionSelect,
    Purpose,
    Repeat,
    SignOn,
    Telegram,
    parse_message,
)
from protocol.iec21.sending import SendQueue
from protocol.iec21.state import Answer, State, Trigger, step
from protocol.timing import Instant, earliest, later

#: Characters of the longest message that a reader sends.
MAX_MESSAGE: Final = 256
#: Garbled messages, and requests to repeat, that one answer is worth.
MAX_FAULTS: Final = 3
#: Silence before a "/" that may be a request although HDLC has the line, in ms: no frame has it.
QUIET: Final = 500
#: Error messages: of a register that is not there, and of a command that is not allowed.
UNKNOWN_REGISTER: Final = "(ERR01)"
NOT_ALLOWED: Final = "(ERR02)"

#: The modes in which there is nothing to choose: the data follow.
_UNASKED: Final = (Mode.A, Mode.B)
_TRIGGERS: Final = {
    Purpose.READOUT: Trigger.READOUT,
    Purpose.PROGRAMMING: Trigger.PROGRAMMING,
    Purpose.HDLC: Trigger.HDLC,
}


class DeviceTimes(Struct, frozen=True):
    """How patient a device is, in milliseconds.

    Args:
        reaction: between a message and its answer: 20 if the manufacturer's third letter is
            small, else 200, at most 1500.
        choice: for the reader's choice, and for its wish to have a readout repeated. The book's
            1500 are for a bare line; networks in between need more.
        inactivity: without any character, in the programming mode and in HDLC: 60 to 120 s.
        farewell: in HDLC, for another connection after the last has ended.
    """

    reaction: int = 200
    choice: int = 3_000
    inactivity: int = 120_000
    farewell: int = 1_500


class TariffDevice:
    """One device on one line.

    ``receive`` says what happened; a ``DataWanted`` is answered with ``give``. While HDLC has the
    line, its octets come out as ``Octets`` and the owner tells how it stands with ``linked``.

    Args:
        identification: what it says of itself; its rate and "\\2" are the modes that it has.
        address: device address; empty for a device that answers anybody.
        password: of the programming mode; empty for a device that nobody can program.
        challenge: what is sent before the password, in brackets.
        times: how patient it is.
    """

    def __init__(
        self,
        identification: Identification,
        *,
        address: str = "",
        password: bytes = b"",
        challenge: str = "()",
        times: DeviceTimes | None = None,
    ) -> None:
        reaction = 20 if identification.quick else 200
        self.state = State.READY
        self._identification = identification
        self._address = address
        self._password = password
        self._challenge = challenge
        self._times = times or DeviceTimes(reaction=reaction)
        self._finder = MessageFinder(MAX_MESSAGE)
        self._queue = SendQueue(self._times.reaction)
        self._outgoing = bytearray()
        self._events: list[DeviceEvent] = []
        self._deadline: Instant | None = None
        self._said = b""  # what NAK has repeated
        self._faults = 0
        self._chosen = INITIAL_BAUD
        self._wanted: tuple[DataWanted, Answer] | None = None
        self._linked = self._parting = False
        self._heard: Instant | None = None
        self._suspecting = False  # in HDLC: what comes may be a request message
        self._tried = False  # a password has come that the owner has not heard of yet

    def admit(self, password: bytes) -> None:
        """Take another password, from the next one that comes on."""
        self._password = password

    # --- the line --------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> list[DeviceEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        self._emit(now)
        if self._deadline is not None and now >= self._deadline:
            self._trigger(Trigger.SILENCE, now)
        if data and self.state is State.TRANSPARENT:
            self._transparent(data, now)
        elif data:
            self._finder.push(data, now)
            self._messages(now)
        if data:
            self._heard = now
        events, self._events = self._events, []
        self._tried = False
        return events

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return earliest(self._queue.next_at, self._deadline)

    @property
    def baud(self) -> int:
        """The rate at which the line runs, or will as soon as what is queued is out."""
        return self._queue.baud

    @property
    def settled(self) -> bool:
        """Whether nothing waits for its moment to go out."""
        return self._queue.next_at is None

    # --- the owner's -----------------------------------------------------------------------------

    def give(self, wanted: DataWanted, sets: tuple[DataSet, ...], now: Instant) -> None:
        """Send the data that were wanted, unless their reader has gone on to something else.

        Args:
            wanted: the event that asked for them.
            sets: none for a register that is not there.
            now: the time.
        """
        if self._wanted is None or self._wanted[0] is not wanted:
            return
        (_, answer), self._wanted = self._wanted, None
        if answer is Answer.REGISTER:
            text = format_block(sets).removesuffix("\r\n") if sets else UNKNOWN_REGISTER
            self._say(DataMessage(text).to_bytes(), now)
        elif self._identification.mode in _UNASKED:
            self._say(self._identification.to_bytes(), now)
            self._said = DataMessage.readout(sets).to_bytes()
            self._queue.go_on(self._said, self._finder.parity, now, self._chosen)
        else:
            self._say(DataMessage.readout(sets).to_bytes(), now, self._chosen)
        self._wait(now)

    def push(self, sets: tuple[DataSet, ...], now: Instant) -> bool:
        """Send a readout that nobody asked for (mode D), unless a session is under way.

        Returns:
            Whether it goes out.
        """
        if self.state is not State.READY or not self.settled or self._finder.begun:
            return False
        telegram = Telegram(self._identification.pushed(), sets).to_bytes()
        self._say(telegram, now, PUSH_BAUD)
        self._rest(now)
        return True

    def linked(self, connections: int, now: Instant) -> None:
        """Say how many HDLC connections there are; the last one's end is soon the session's."""
        if self.state is not State.TRANSPARENT:
            return
        if connections or self._linked:
            self._parting = not connections
            self._stay(now)
        self._linked = bool(connections)

    # --- what comes in ---------------------------------------------------------------------------

    def _transparent(self, data: bytes, now: Instant) -> None:
        """Hand octets to HDLC, but look for a request message where no frame can be."""
        silence = None if self._heard is None else now - self._heard
        may_begin = not self._linked or silence is None or silence >= QUIET
        self._stay(now)
        self._events.append(Octets(data))
        if not self._suspecting:
            self._suspecting = may_begin and parity_of_slash(data[0]) is not None
            self._finder.clear()
        if self._suspecting:
            self._finder.push(data, now)
            self._messages(now)
            self._suspecting = self.state is State.TRANSPARENT and self._finder.begun

    def _stay(self, now: Instant) -> None:
        patience = self._times.farewell if self._parting else self._times.inactivity
        self._deadline = later(now, patience)

    def _messages(self, now: Instant) -> None:
        while (message := self._finder.take()) is not None:
            was_transparent = self.state is State.TRANSPARENT
            self._message(message, now)
            if self.state is State.TRANSPARENT and not was_transparent:
                if rest := self._finder.rest():
                    self._transparent(rest, now)
                return

    def _message(self, characters: bytes, now: Instant) -> None:
        try:
            message = parse_message(characters)
        except DecodeError:
            if not characters.startswith(b"/"):  # whose request it was nobody knows
                self._trigger(Trigger.GARBLED, now)
            return
        trigger = self._trigger_of(message)
        if trigger is None or (self.state is State.TRANSPARENT and trigger is not Trigger.REQUEST):
            return
        self._trigger(trigger, now, message)

    def _trigger_of(self, message: Message) -> Trigger | None:
        match message:
            case SignOn():
                return Trigger.REQUEST if message.is_for(self._address) else None
            case OptionSelect():
                return self._choice(message)
            case Command(name="P1", data=data):
                return self._password_trigger(data)
            case Command(name="B0"):
                return Trigger.BREAK
            case Command(name="R1"):
                return Trigger.READ
            case Command(name=name):
                return Trigger.WRONG_PASSWORD if name[0] == "P" else Trigger.OTHER_COMMAND
            case Acknowledge():
                return Trigger.ACKNOWLEDGE
            case Repeat():
                return Trigger.REPEAT
            case _:  # a message that devices send
                return Trigger.GARBLED

    def _choice(self, option: OptionSelect) -> Trigger:
        """Return what was chosen; the reader may choose a lower rate than the one offered."""
        offered, chosen = self._identification.baud, BAUDS.get(option.rate)
        purpose = option.purpose
        known = purpose is not Purpose.HDLC or self._identification.mode is Mode.E
        if purpose is None or chosen is None or not known or chosen > (offered or INITIAL_BAUD):
            return Trigger.OTHER_OPTION
        self._chosen = chosen
        return _TRIGGERS[purpose]

    def _password_trigger(self, data: str | None) -> Trigger:
        """Judge a password, one at a time: the owner may want no more of them after it."""
        good = self._knows(data) and not self._tried
        if self.state in (State.LOCKED, State.UNLOCKED):
            self._tried = True
            self._events.append(PasswordTried(good))
        return Trigger.PASSWORD if good else Trigger.WRONG_PASSWORD

    def _knows(self, data: str | None) -> bool:
        """Whether it is the password, in its brackets; in a time that tells nothing of it."""
        given = (data or "").removeprefix("(").removesuffix(")").encode("ascii")
        return hmac.compare_digest(given, self._password) and bool(self._password)

    # --- the table -------------------------------------------------------------------------------

    def _trigger(self, trigger: Trigger, now: Instant, message: Message | None = None) -> None:
        if trigger in (Trigger.GARBLED, Trigger.REPEAT):
            self._faults += 1
            if self._faults > MAX_FAULTS:
                trigger = Trigger.TOO_MUCH
        elif trigger is not Trigger.ACKNOWLEDGE:
            self._faults = 0
        taken = step(self.state, trigger)
        if taken is None:
            return
        if self.state is State.TRANSPARENT:
            self._events.append(SessionEnded())
        self.state = taken.state
        self._linked = self._parting = False
        self._wanted = None
        self._answer(taken.answer, now, message)
        self._finder.acknowledgement = OPTION_LENGTH if self.state is State.IDENTIFIED else 1
        if self.state is State.READY:
            self._rest(now)
        else:
            self._wait(now)

    def _answer(self, answer: Answer, now: Instant, message: Message | None) -> None:
        match answer:
            case Answer.IDENTIFICATION:
                self._identify(now)
            case Answer.READOUT | Answer.FALLBACK:
                if answer is Answer.FALLBACK:
                    self._chosen = INITIAL_BAUD
                self._want(answer, None)
            case Answer.REGISTER:
                self._register(message, now)
            case Answer.CHALLENGE:
                self._say(Command("P0", self._challenge).to_bytes(), now, self._chosen)
            case Answer.CONFIRMATION:
                assert isinstance(message, OptionSelect)  # it is what triggered it
                self._say(message.to_bytes(), now, self._chosen)
            case Answer.ACKNOWLEDGE:
                self._say(Acknowledge().to_bytes(), now)
            case Answer.REFUSAL:
                self._say(DataMessage(NOT_ALLOWED).to_bytes(), now)
            case Answer.BREAK:
                self._say(BREAK.to_bytes(), now)
            case Answer.REPEAT_REQUEST:
                self._say(Repeat().to_bytes(), now, repeatable=False)
            case Answer.AGAIN:
                self._say(self._said, now)
            case Answer.NOTHING:
                pass

    def _identify(self, now: Instant) -> None:
        self._chosen = INITIAL_BAUD
        if self._identification.mode in _UNASKED:
            self.state = State.SENT
            self._chosen = BAUDS_B.get(self._identification.rate, INITIAL_BAUD)
            self._queue.switch(INITIAL_BAUD, now)
            self._want(Answer.READOUT, None)
        else:
            self._say(self._identification.to_bytes(), now, INITIAL_BAUD)

    def _register(self, message: Message | None, now: Instant) -> None:
        assert isinstance(message, Command)  # it is what triggered it
        try:
            sets = parse_line(message.data or "")
        except DecodeError:
            sets = []
        if len(sets) == 1 and sets[0].address:
            self._want(Answer.REGISTER, sets[0].address)
        else:
            self._say(DataMessage(UNKNOWN_REGISTER).to_bytes(), now)

    def _want(self, answer: Answer, address: str | None) -> None:
        wanted = DataWanted(address)
        self._wanted = wanted, answer
        self._events.append(wanted)

    # --- what goes out ---------------------------------------------------------------------------

    def _say(
        self, characters: bytes, now: Instant, baud: int | None = None, *, repeatable: bool = True
    ) -> None:
        if repeatable:
            self._said = characters
        self._queue.say(characters, self._finder.parity, now, baud)

    def _wait(self, now: Instant) -> None:
        """Set until when the reader may be silent, counted from the end of our message."""
        short = self.state in (State.IDENTIFIED, State.SENT)
        patience = self._times.choice if short else self._times.inactivity
        self._deadline = later(self._queue.end(now), patience)

    def _rest(self, now: Instant) -> None:
        """Go back to the first rate, once everything is out."""
        self._deadline = None
        self._queue.switch(INITIAL_BAUD, self._queue.end(now))
        self._emit(now)

    def _emit(self, now: Instant) -> None:
        """Let out what is due."""
        for what in self._queue.due(now):
            if isinstance(what, BaudSwitch):
                self._events.append(what)
            else:
                self._outgoing += what
