"""``optical:PATH[?options]``: HDLC on a meter's local port, after a sign-on (IEC 62056-21, mode E).

| option | what it is |
|---|---|
| ``address=TEXT`` | device address, where several meters share a line |
| ``baud=9600`` | the highest rate to choose; without it what the meter offers |
| ``parity=even``, ``parity=none`` | who makes the parity bit: we, as the eighth bit, or the line |
| ``sign-on=no`` | the meter speaks HDLC already |

A serial port is opened with eight bits and no parity all along: with the parity as the eighth bit
that is the seven bits and even parity of the sign-on, and a pseudo-terminal takes it as well.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable, Refused
from headend.transports import LinkKind, Transport, TransportClosed, serial
from headend.transports.serial import place
from protocol.errors import EncodeError
from protocol.iec21 import Command, DataSet, Parity, Purpose, Reader, ReaderTimes
from protocol.iec21.characters import BAUDS, INITIAL_BAUD
from protocol.iec21.events import (
    Answered,
    BaudSwitch,
    Failed,
    HdlcBegun,
    ReaderEvent,
    Readout,
    Unlocked,
)
from protocol.iec21.events import Refused as DeviceRefused
from protocol.timing import Instant

__all__ = ["LINK", "OpticalOptions", "OpticalTransport", "open_transport", "place"]

LINK = LinkKind.HDLC

_OPTIONS = ("address", "baud", "parity", "sign-on")
_PARITIES = {"even": Parity.EVEN, "none": Parity.NONE}


class OpticalOptions(Struct, frozen=True):
    """What follows the question mark.

    Args:
        address: device address; empty for whichever meter is there.
        max_baud: the highest rate to choose.
        parity: how our characters are written.
        sign_on: whether to sign on when the port is opened.
    """

    address: str
    max_baud: int
    parity: Parity
    sign_on: bool

    @classmethod
    def of(cls, options: Mapping[str, str], parity: Parity) -> "OpticalOptions":
        """Return what the options say; ``parity`` where they say nothing of it.

        Raises:
            PortUnusable: an option that there is not, or a value that it has not.
        """
        unknown = set(options) - set(_OPTIONS)
        if unknown:
            known = ", ".join(_OPTIONS)
            raise PortUnusable(f"an optical port has the options {known}, not {min(unknown)!r}")
        rates = [str(baud) for baud in BAUDS.values()]
        baud = _choice(options, "baud", rates, rates[-1])
        written = _choice(options, "parity", _PARITIES, parity.name.lower())
        sign_on = _choice(options, "sign-on", ("yes", "no"), "yes")
        return cls(options.get("address", ""), int(baud), _PARITIES[written], sign_on == "yes")


class OpticalTransport:
    """A line with a meter's local port at its other end.

    Args:
        line: an open transport; this one closes it.
        set_baud: runs the line at another rate.
        now: the clock that deadlines are told by.
        options: how to sign on.
        times: how patient to be.
    """

    def __init__(
        self,
        line: Transport,
        set_baud: Callable[[int], None],
        now: Clock,
        options: OpticalOptions,
        times: ReaderTimes | None = None,
    ) -> None:
        self._line = line
        self._set_baud = set_baud
        self._now = now
        self._options = options
        self._times = times
        self._ahead = b""  # octets of HDLC that came with the end of the sign-on

    # --- as a transport of HDLC ------------------------------------------------------------------

    def read(self, deadline: Instant) -> bytes:
        """Return what has come, or ``b""`` once ``deadline`` is reached."""
        if self._ahead:
            octets, self._ahead = self._ahead, b""
            return octets
        return self._line.read(deadline)

    def write(self, octets: bytes) -> None:
        """Send all of ``octets``."""
        self._line.write(octets)

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    # --- as a local port -------------------------------------------------------------------------

    def sign_on(self) -> None:
        """Go over to HDLC.

        Raises:
            NoAnswer: nobody answered, or not as a meter with mode E does.
        """
        for event in self._session(self._reader(Purpose.HDLC)):
            if isinstance(event, HdlcBegun):
                self._ahead = event.octets

    def readout(self) -> Readout:
        """Return the meter's readout (modes A, B and C).

        Raises:
            NoAnswer, Refused: see there.
        """
        return self._whole(self._reader(Purpose.READOUT))

    def listen(self, patience: int) -> Readout:
        """Return a readout that comes unasked (mode D), within so many milliseconds.

        Raises:
            NoAnswer: none came.
        """
        times = ReaderTimes(whole=patience)
        return self._whole(self._reader(None, times=times))

    def registers(self, addresses: list[str], password: bytes) -> Iterator[DataSet | str]:
        """Read registers one by one in the programming mode.

        Returns:
            For each address its data set, or why the meter refused it.

        Raises:
            NoAnswer: nobody answered.
            Refused: the meter does not take the password, or an address cannot be written.
        """
        reader = self._reader(Purpose.PROGRAMMING, password)
        waiting = list(addresses)
        for event in self._session(reader, staying=True):
            if isinstance(event, Answered):
                yield event.sets[0] if event.sets else "no value"
            elif isinstance(event, DeviceRefused):
                yield event.reason
            if isinstance(event, Unlocked | Answered | DeviceRefused):
                if waiting:
                    reader.ask(_read(waiting.pop(0)), self._now())
                else:
                    reader.leave()

    def _reader(
        self, purpose: Purpose | None, password: bytes = b"", times: ReaderTimes | None = None
    ) -> Reader:
        options = self._options
        try:
            return Reader(
                purpose,
                address=options.address,
                password=password,
                parity=options.parity,
                max_baud=options.max_baud,
                times=times or self._times,
            )
        except EncodeError as error:
            raise PortUnusable(str(error)) from error

    def _whole(self, reader: Reader) -> Readout:
        for event in self._session(reader):
            if isinstance(event, Readout):
                return event
        raise NoAnswer("no answer from the meter: there was no readout")

    def _session(self, reader: Reader, *, staying: bool = False) -> Iterator[ReaderEvent]:
        """Run a session to its end, and give its events.

        Args:
            reader: a new one.
            staying: a refusal that does not end the session is an event like another.
        """
        reader.begin(self._now())
        try:
            while True:
                self._flush(reader)
                wake = reader.wake_at()
                if reader.over or wake is None:
                    return
                octets = self._line.read(wake)
                for event in reader.receive(octets, self._now()):
                    self._flush(reader)  # before the rate changes
                    if isinstance(event, BaudSwitch):
                        self._set_baud(event.baud)
                    elif isinstance(event, Failed):
                        raise NoAnswer(f"no answer from the meter: {event.reason}")
                    elif isinstance(event, DeviceRefused) and (event.over or not staying):
                        raise Refused(event.reason)
                    else:
                        yield event
        finally:
            reader.leave()  # nothing once it is over
            with suppress(TransportClosed):
                self._flush(reader)

    def _flush(self, reader: Reader) -> None:
        if octets := reader.outgoing():
            self._line.write(octets)


def open_transport(address: str, options: Mapping[str, str], now: Clock) -> OpticalTransport:
    """Open the serial port at a path, and sign on.

    Raises:
        NoAnswer: there is no such port, or nobody answers there.
        PortUnusable: it may not be opened, is in use, or is no serial port; a wrong option.
    """
    known = OpticalOptions.of(options, Parity.EVEN)
    line = serial.open_transport(address, {"baud": str(INITIAL_BAUD)}, now, "optical")
    return signed_on(OpticalTransport(line, line.set_baud, now, known), known)


def signed_on(transport: OpticalTransport, options: OpticalOptions) -> OpticalTransport:
    """Return a transport, signed on if the options say so; on failure it is closed."""
    try:
        if options.sign_on:
            transport.sign_on()
    except BaseException:  # Ctrl-C included: the port is given back
        transport.close()
        raise
    return transport


def _choice(options: Mapping[str, str], name: str, known: Collection[str], otherwise: str) -> str:
    value = options.get(name, otherwise)
    if value not in known:
        raise PortUnusable(f"{name}={value} is none of {', '.join(known)}")
    return value


def _read(address: str) -> Command:
    try:
        return Command("R1", f"{address}()")
    except EncodeError as error:
        raise Refused(f"{address!r} is no address of a register") from error
