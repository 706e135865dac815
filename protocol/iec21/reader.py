"""The reader's half: it signs on, chooses, and reads; without a port or a clock."""

from enum import Enum, auto
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError, EncodeError, LocalProtocolError
from protocol.iec21.characters import BAUDS, INITIAL_BAUD, Parity, encode, time_on_wire
from protocol.iec21.datasets import DataSet
from protocol.iec21.events import (
    Answered,
    BaudSwitch,
    Failed,
    HdlcBegun,
    Identified,
    ReaderEvent,
    Readout,
    Refused,
    Unlocked,
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
from protocol.timing import Instant, earliest, later

#: Characters of the longest readout, in all of its blocks.
MAX_READOUT: Final = 0x10000


class ReaderTimes(Struct, frozen=True):
    """How patient a reader is, in milliseconds.

    Args:
        answer: for the first character of an answer, and between two of them. The book's 1500 are
            for a bare line.
        whole: for a whole readout.
        retries: how often an unanswered or garbled message is asked for again.
    """

    answer: int = 3_000
    whole: int = 180_000
    retries: int = 2


class Stage(Enum):
    """What a reader waits for."""

    IDENTIFICATION = auto()
    MOMENT = auto()  # to send its choice
    DATA = auto()
    CONFIRMATION = auto()
    CHALLENGE = auto()
    PASSWORD = auto()  # its acknowledgement
    COMMAND = auto()  # of the owner
    ANSWER = auto()  # to a command
    TELEGRAM = auto()  # that comes unasked
    OVER = auto()


class Reader:
    """One session with one device. ``begin`` starts it, events say how it goes.

    Args:
        purpose: what is chosen; None only listens for data that come unasked (mode D).
        address: of the device; empty for whichever is there.
        password: for the programming mode.
        parity: how we write characters; how the device writes its own shows by itself.
        max_baud: the highest rate that we choose.
        times: how patient we are.

    Raises:
        EncodeError: an address or a password that cannot be written.
    """

    def __init__(
        self,
        purpose: Purpose | None,
        *,
        address: str = "",
        password: bytes = b"",
        parity: Parity = Parity.NONE,
        max_baud: int = 19_200,
        times: ReaderTimes | None = None,
    ) -> None:
        self.stage = Stage.OVER
        self._purpose = purpose
        self._request = SignOn(address)
        self._password = _password(password)
        self._parity = parity
        self._max_baud = max_baud
        self._times = times or ReaderTimes()
        self._finder = MessageFinder(MAX_READOUT, parity)
        self._outgoing = bytearray()
        self._events: list[ReaderEvent] = []
        self._said = b""
        self._tries = 0
        self._identification: Identification | None = None
        self._option = OptionSelect("0", "0", "0")
        self._choose_at: Instant | None = None
        self._switch_at: Instant | None = None
        self._deadline: Instant | None = None
        self._limit: Instant | None = None
        self._blocks: list[str] = []
        self._asked = ""  # the address in the command
        self._resent = False  # an answer may come twice, and so after the next command

    # --- the owner's -----------------------------------------------------------------------------

    def begin(self, now: Instant) -> None:
        """Send the request message, or begin to listen."""
        self._limit = None
        if self._purpose is None:
            self._finder.telegrams = True
            self.stage = Stage.TELEGRAM
            self._limit = later(now, self._times.whole)
            return
        self.stage = Stage.IDENTIFICATION
        self._say(self._request.to_bytes(), now, INITIAL_BAUD)

    def ask(self, command: Command, now: Instant) -> None:
        """Send a command of the programming mode.

        Raises:
            LocalProtocolError: the device is not waiting for one.
        """
        if self.stage is not Stage.COMMAND:
            raise LocalProtocolError("the device waits for no command")
        self.stage = Stage.ANSWER
        self._blocks = []
        self._asked = (command.data or "").partition("(")[0]
        self._say(command.to_bytes(), now)

    def leave(self) -> None:
        """End the session with a break."""
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            self._outgoing += encode(BREAK.to_bytes(), self._parity)

    @property
    def over(self) -> bool:
        """Whether the session is over, or has not begun."""
        return self.stage is Stage.OVER

    # --- the line --------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> list[ReaderEvent]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        self._keep_time(now)
        if data and not self.over:
            if self._deadline is not None:
                self._deadline = later(now, self._times.answer)
            self._finder.push(data, now)
            while not self.over and (found := self._finder.take()) is not None:
                self._message(found, now)
        events, self._events = self._events, []
        return events

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return earliest(self._choose_at, self._switch_at, self._deadline, self._limit)

    # --- time ------------------------------------------------------------------------------------

    def _keep_time(self, now: Instant) -> None:
        if self._choose_at is not None and now >= self._choose_at:
            self._choose_at = None
            self._choose(now)
        if self._switch_at is not None and now >= self._switch_at:
            self._switch()
        if self._limit is not None and now >= self._limit:
            self._fail("the device does not come to an end" if self._begun else _SILENT)
        elif self._deadline is not None and now >= self._deadline:
            self._unanswered(now)

    @property
    def _begun(self) -> bool:
        return self._finder.begun or bool(self._blocks)

    def _unanswered(self, now: Instant) -> None:
        """Ask again: for what came in part by NAK, else by the message itself."""
        self._tries += 1
        if self._tries > self._times.retries:
            self._fail("what comes from the device is garbled" if self._finder.begun else _SILENT)
        elif self.stage in (Stage.DATA, Stage.CHALLENGE):
            self._again(now)
        elif self.stage in (Stage.IDENTIFICATION, Stage.PASSWORD, Stage.ANSWER):
            self._repeat(now)
        elif self.stage is Stage.CONFIRMATION:  # some devices confirm nothing
            self._hdlc()
        else:
            self._deadline = later(now, self._times.answer)

    def _repeat(self, now: Instant) -> None:
        """Say the same once more. To a command NAK might bring the answer to another one."""
        self._resent = True
        self._finder.clear()
        self._send(self._said, now, INITIAL_BAUD)

    def _again(self, now: Instant) -> None:
        self._finder.clear()
        self._send(Repeat().to_bytes(), now, INITIAL_BAUD)

    # --- what comes in ---------------------------------------------------------------------------

    def _message(self, characters: bytes, now: Instant) -> None:
        try:
            message = parse_message(characters)
        except DecodeError as error:
            self._garbled(str(error), now)
            return
        if message == self._request:
            return  # our own, which a half-duplex line gives back
        match self.stage:
            case Stage.IDENTIFICATION if isinstance(message, Identification):
                self._identified(message, now)
            case Stage.TELEGRAM if isinstance(message, Telegram):
                self._finish(Readout(message.identification, message.sets))
            case Stage.CONFIRMATION if message == self._option:
                self._hdlc()
            case Stage.DATA:
                self._data(message, now)
            case Stage.CHALLENGE | Stage.PASSWORD | Stage.ANSWER:
                self._programming(message, now)
            case _:
                pass  # an echo, or the answer to what was asked twice

    def _garbled(self, why: str, now: Instant) -> None:
        if self.stage not in (Stage.DATA, Stage.CHALLENGE, Stage.ANSWER):
            return  # a time-out asks again
        self._tries += 1
        if self._tries > self._times.retries:
            self._fail(f"what comes from the device is garbled: {why}")
        elif self.stage is Stage.ANSWER:
            self._repeat(now)
        else:
            self._again(now)

    def _identified(self, identification: Identification, now: Instant) -> None:
        self._identification = identification
        self._events.append(Identified(identification))
        self._tries = 0
        mode = identification.mode
        if mode in (Mode.A, Mode.B):
            self._no_choice(identification, now)
            return
        if self._purpose is Purpose.HDLC and mode is not Mode.E:
            self._fail("the device does not offer HDLC (no \\2 in its identification)")
            return
        rate = max(
            (letter for letter, baud in BAUDS.items() if baud <= self._highest(identification)),
            default="0",
        )
        assert self._purpose is not None  # else nobody was asked
        protocol, control = self._purpose.value
        self._option = OptionSelect(protocol, rate, control)
        self.stage, self._deadline = Stage.MOMENT, None
        self._choose_at = later(now, 20 if identification.quick else 200)

    def _highest(self, identification: Identification) -> int:
        return min(self._max_baud, identification.baud or INITIAL_BAUD)

    def _no_choice(self, identification: Identification, now: Instant) -> None:
        """Modes A and B: the data follow by themselves."""
        if self._purpose is not Purpose.READOUT:
            self._fail("the device only has a readout")
            return
        if identification.mode is Mode.B and identification.baud is not None:
            self._events.append(BaudSwitch(identification.baud))
        self._expect_data(now)

    def _choose(self, now: Instant) -> None:
        characters = self._option.to_bytes()
        self._send(characters, now, INITIAL_BAUD)
        self._switch_at = later(now, time_on_wire(len(characters), INITIAL_BAUD))
        if self._purpose is Purpose.HDLC:
            self.stage = Stage.CONFIRMATION
            self._finder.acknowledgement = OPTION_LENGTH
        elif self._purpose is Purpose.PROGRAMMING:
            self.stage = Stage.CHALLENGE
        else:
            self._expect_data(now)

    def _expect_data(self, now: Instant) -> None:
        self.stage = Stage.DATA
        self._blocks = []
        self._deadline = later(now, self._times.answer)
        self._limit = later(now, self._times.whole)

    def _data(self, message: Message, now: Instant) -> None:
        if message == BREAK:
            self._finish(Refused("the device refuses a readout", over=True))
        elif isinstance(message, DataMessage) and self._block(message, now):
            assert self._identification is not None  # this stage comes after it
            try:
                sets = self._joined()
            except DecodeError as error:
                self._fail(f"the readout cannot be read: {error}")
            else:
                self._finish(Readout(self._identification, sets))

    def _block(self, message: DataMessage, now: Instant) -> bool:
        """Take one block; say whether it was the last, and ask for the next if not."""
        self._blocks.append(message.text)
        self._tries = 0
        if sum(map(len, self._blocks)) > MAX_READOUT:
            self._fail("the device does not come to an end")
            return False
        if not message.last:
            self._send(Acknowledge().to_bytes(), now, INITIAL_BAUD)
        return message.last

    def _joined(self) -> tuple[DataSet, ...]:
        return DataMessage("".join(self._blocks)).sets

    def _programming(self, message: Message, now: Instant) -> None:
        match message:
            case Command(name="B0"):
                what = "password" if self.stage is Stage.PASSWORD else "programming mode"
                self._finish(Refused(f"the device refused: wrong {what}?", over=True))
            case Command(name="P0") if self.stage is Stage.CHALLENGE:
                self.stage = Stage.PASSWORD
                self._tries = 0
                self._say(self._password.to_bytes(), now)
            case Acknowledge() if self.stage is not Stage.CHALLENGE:
                unlocked = self.stage is Stage.PASSWORD
                self._free(Unlocked() if unlocked else Answered())
            case Repeat() if self.stage is not Stage.CHALLENGE:
                self._unanswered(now)
            case DataMessage() if self.stage is Stage.ANSWER:
                self._answered(message, now)
            case DataMessage() if self.stage is Stage.PASSWORD:
                self._finish(Refused(f"the device refused: {message.text}", over=True))
                self._outgoing += encode(BREAK.to_bytes(), self._parity)
            case _:
                pass

    def _answered(self, message: DataMessage, now: Instant) -> None:
        if not self._block(message, now):
            return
        try:
            sets = self._joined()
        except DecodeError as error:
            self._free(Refused(f"the answer cannot be read: {error}", over=False))
            return
        if self._resent and sets and sets[0].address not in ("", self._asked):
            self._blocks = []  # the answer to an earlier command, once more
        elif len(sets) == 1 and not sets[0].address and sets[0].text.upper().startswith("ER"):
            self._free(Refused(f"the device refused: {sets[0].text}", over=False))
        else:
            self._free(Answered(sets))

    def _switch(self) -> None:
        chosen = BAUDS[self._option.rate]
        if self._switch_at is not None and chosen != INITIAL_BAUD:
            self._events.append(BaudSwitch(chosen))
        self._switch_at = None

    def _free(self, event: ReaderEvent) -> None:
        """Wait for the owner's next command."""
        self.stage, self._deadline, self._tries = Stage.COMMAND, None, 0
        self._events.append(event)

    def _hdlc(self) -> None:
        self._switch()  # unless that is done: it may be quicker than our characters
        self._finish(HdlcBegun(self._finder.rest()))

    def _finish(self, event: ReaderEvent) -> None:
        self.stage = Stage.OVER
        self._choose_at = self._switch_at = self._deadline = self._limit = None
        self._events.append(event)

    def _fail(self, reason: str) -> None:
        if self.stage in (Stage.CHALLENGE, Stage.PASSWORD, Stage.ANSWER):
            self._outgoing += encode(BREAK.to_bytes(), self._parity)
        self._finish(Failed(reason))

    # --- what goes out ---------------------------------------------------------------------------

    def _say(self, characters: bytes, now: Instant, baud: int | None = None) -> None:
        """Send a message that is repeated while nobody answers."""
        self._said, self._tries = characters, 0
        self._send(characters, now, baud or BAUDS[self._option.rate])

    def _send(self, characters: bytes, now: Instant, baud: int) -> None:
        self._outgoing += encode(characters, self._parity)
        on_wire = time_on_wire(len(characters), baud)
        self._deadline = later(now, on_wire + self._times.answer)


def _password(octets: bytes) -> Command:
    try:
        return Command("P1", f"({octets.decode('ascii')})")
    except UnicodeDecodeError as error:
        raise EncodeError("a password of this port has characters of ISO 646 only") from error


_SILENT: Final = "the device stays silent"
