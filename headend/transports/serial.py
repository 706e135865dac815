"""``serial:PATH[?baud=9600]``: HDLC on a serial port or a pseudo-terminal, 8N1."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import serial

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable
from headend.transports import LinkKind, TransportClosed
from headend.waiting import readable
from protocol.timing import Instant

LINK = LinkKind.HDLC

_BAUD = 9600
_CHUNK = 4096
_WRITE_TIMEOUT = 10.0
#: No such device, or no longer.
_GONE = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO)
_WORDS: dict[object, str] = {
    errno.EACCES: "permission denied",
    errno.EBUSY: "in use by another program",
    errno.EWOULDBLOCK: "in use by another program",
    errno.ENOTTY: "not a serial port",
    errno.EISDIR: "not a serial port",
}


class SerialTransport:
    """Octets over one serial port.

    Args:
        port: an open port; the transport closes it.
        now: the clock that deadlines are told by.
    """

    def __init__(self, port: serial.Serial, now: Clock) -> None:
        self._port = port
        self._now = now

    def read(self, deadline: Instant) -> bytes:
        """Return what has come, or ``b""`` once ``deadline`` is reached."""
        wait = max(0, deadline - self._now())
        # pyserial's own read waits for a number of octets; here whatever has come is wanted.
        try:
            if not readable(self._port.fileno(), wait):
                return b""
            octets = os.read(self._port.fileno(), _CHUNK)
        except (OSError, serial.SerialException) as error:
            raise TransportClosed(f"the port broke: {error}") from error
        if not octets:
            raise TransportClosed("the port has been unplugged")
        return octets

    def write(self, octets: bytes) -> None:
        """Send all of ``octets``."""
        try:
            self._port.write(octets)
        except (OSError, serial.SerialException) as error:
            raise TransportClosed(f"the port broke: {error}") from error

    def set_baud(self, baud: int) -> None:
        """Run at another rate, once what was written is out."""
        try:
            self._port.flush()
            self._port.baudrate = baud
        except (OSError, serial.SerialException, ValueError) as error:
            raise TransportClosed(f"the port does not run at {baud} Bd: {error}") from error

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


def place(address: str) -> str:
    """Return the path made absolute; links are kept, they name the meter."""
    return str(Path(address).absolute())


def open_transport(
    address: str, options: Mapping[str, str], now: Clock, kind: str = "pty"
) -> SerialTransport:
    """Open the serial port at a path; ``kind`` is the simulator's port that may be there.

    Raises:
        NoAnswer: there is no such port: no meter, or its cable is not plugged in.
        PortUnusable: it may not be opened, is in use, or is no serial port.
    """
    unknown = set(options) - {"baud"}
    if unknown:
        raise PortUnusable(
            f"a serial port has the options baud, window and length, not {sorted(unknown)[0]!r}"
        )
    baud = options.get("baud", str(_BAUD))
    if not baud.isascii() or not baud.isdigit() or not 0 < int(baud) <= 4_000_000:
        raise PortUnusable(f"{baud!r} is no baud rate")
    try:
        port = serial.Serial(
            address, int(baud), timeout=0, write_timeout=_WRITE_TIMEOUT, exclusive=True
        )
    except (serial.SerialException, OSError, ValueError) as error:
        number = _errno(error)
        if number in _GONE:
            there = f"no answer: {address} does not exist"
            raise NoAnswer(there, _hint(address, kind)) from error
        why = _WORDS.get(number, str(error).split(": ", 1)[-1])
        raise PortUnusable(f"port {address}: {why}") from error
    port.reset_input_buffer()
    return SerialTransport(port, now)


def _errno(error: Exception) -> object:
    number: object = getattr(error, "errno", None)
    if number is None and error.__context__ is not None:  # a termios.error, which has no errno
        number = next(iter(error.__context__.args), None)
    return number


def _hint(address: str, kind: str) -> str:
    if address.startswith("/dev/"):
        return "is it plugged in?"
    return f"is the meter running? prepay-sim meter --port {kind}:{address}"
