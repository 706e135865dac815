"""Transports: one file each, chosen by the scheme of a port spec.

| spec | what it is |
|---|---|
| ``serial:/dev/ttyUSB0``, ``serial:./meter0?baud=9600`` | HDLC on a serial port or pty |
| ``tcp:HOST:PORT`` | the TCP wrapper |
| ``udp:HOST:PORT`` | the same in datagrams |
| ``hdlc+tcp:HOST:PORT`` | HDLC over TCP |
| ``optical:/dev/ttyUSB0``, ``optical+tcp:HOST:PORT`` | a local port: HDLC after a sign-on |

Where HDLC is spoken, ``window=1..7`` and ``length=1..2030`` are what is proposed to the meter, in
both directions: ``serial:/dev/ttyUSB0?baud=9600&window=7&length=512``. Without them it is 1 and
128, which every meter has.

A transport file has ``SCHEME``, ``LINK`` and ``open_transport(address, options, now)``; it is
imported when its scheme is asked for.
"""

import pkgutil
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from msgspec import Struct

from headend.clock import Clock
from headend.errors import NoAnswer, PortUnusable
from protocol.errors import EncodeError
from protocol.hdlc.parameters import DEFAULT_INFORMATION, DEFAULT_WINDOW, HdlcParameters
from protocol.timing import Instant

#: Options of a spec that are the link's, not the transport's.
_HDLC_OPTIONS = ("window", "length")
#: How long opening a port may take, in milliseconds.
OPEN_TIMEOUT = 5_000


class LinkKind(Enum):
    """What is spoken on a transport."""

    HDLC = "hdlc"
    WRAPPER = "wrapper"
    DATAGRAMS = "datagrams"


class TransportClosed(NoAnswer):
    """The other side has gone, or the line has broken."""


class Transport(Protocol):
    """Octets to and from a meter."""

    def read(self, deadline: Instant) -> bytes:
        """Return what has come, at least one octet, or ``b""`` once ``deadline`` is reached.

        Raises:
            TransportClosed: nothing will come any more.
        """
        ...

    def write(self, octets: bytes) -> None:
        """Send all of ``octets``.

        Raises:
            TransportClosed: nobody takes them any more.
        """
        ...

    def close(self) -> None:
        """Give the port back. Closing twice does no harm."""
        ...


class PortSpec(Struct, frozen=True):
    """Where a meter is to be found.

    Args:
        scheme: which transport.
        address: what follows the scheme.
        options: what follows a question mark, as ``name=value`` with ``&`` between.
    """

    scheme: str
    address: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "PortSpec":
        """Return what a spec says.

        Raises:
            PortUnusable: not ``scheme:address``, or a scheme that is not known.
        """
        scheme, colon, rest = text.partition(":")
        address, _, query = rest.partition("?")
        if not colon or not address:
            raise PortUnusable(f"{text!r} is no port: write one as {_EXAMPLES}")
        if scheme == "pty":  # as the meter's own side calls it
            raise PortUnusable(f"a meter's {text} is reached as serial:{rest}")
        if scheme not in schemes():
            raise PortUnusable(f"{scheme!r} is no transport: write a port as {_EXAMPLES}")
        pairs = tuple(_option(text, part) for part in query.split("&") if part)
        return cls(scheme, address, pairs)

    @property
    def link(self) -> LinkKind:
        """What is spoken there."""
        kind: LinkKind = _module(self.scheme).LINK
        return kind

    @property
    def hdlc(self) -> HdlcParameters:
        """What is proposed to the meter, where HDLC is spoken.

        Raises:
            PortUnusable: a window or a length that HDLC does not have.
        """
        numbers: dict[str, int] = {}
        for name, value in self.options:
            if name in _HDLC_OPTIONS:
                if not (value.isascii() and value.isdigit() and len(value) <= 4):
                    raise PortUnusable(f"port {self}: {name} is a number, not {value!r}")
                numbers[name] = int(value)
        length = numbers.get("length", DEFAULT_INFORMATION)
        window = numbers.get("window", DEFAULT_WINDOW)
        try:
            return HdlcParameters(length, length, window, window)
        except EncodeError as error:
            raise PortUnusable(f"port {self}: {error}") from error

    @property
    def place(self) -> str:
        """The spec with paths made absolute: the same place has the same text."""
        place: Callable[[str], str] = _module(self.scheme).place
        return f"{self.scheme}:{place(self.address)}"

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.options)
        return f"{self.scheme}:{self.address}" + (f"?{query}" if query else "")


#: Opens the transport of a spec; tests and simulations put their own in its place.
TransportFactory = Callable[[PortSpec, Clock], Transport]

_EXAMPLES = (
    "serial:/dev/ttyUSB0, tcp:HOST:PORT, udp:HOST:PORT, hdlc+tcp:HOST:PORT, optical:/dev/ttyUSB0 "
    "or optical+tcp:HOST:PORT"
)


def open_transport(spec: PortSpec, now: Clock) -> Transport:
    """Open the transport of a spec.

    Raises:
        PortUnusable: the port may not be opened, is no port, or the spec is wrong.
        NoAnswer: the port is not there, nobody listens there, or not in time.
    """
    opener: Callable[[str, Mapping[str, str], Clock], Transport]
    opener = _module(spec.scheme).open_transport
    options = dict(spec.options)
    if spec.link is LinkKind.HDLC:
        for name in _HDLC_OPTIONS:
            options.pop(name, None)
    return opener(spec.address, options, now)


@cache
def schemes() -> tuple[str, ...]:
    """Return the schemes that have a file here: ``hdlc_tcp.py`` is ``hdlc+tcp``."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(name.replace("_", "+") for name in found)


@cache
def _module(scheme: str) -> "_TransportModule":
    # Any module has the type of any Protocol to mypy; a test over all schemes looks closer.
    module: Any = import_module(f"{__name__}.{scheme.replace('+', '_')}")
    return cast("_TransportModule", module)


class _TransportModule(Protocol):
    LINK: LinkKind
    place: Callable[[str], str]
    open_transport: Callable[[str, Mapping[str, str], Clock], Transport]


def _option(text: str, part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals or not name or not value:
        raise PortUnusable(f"{text!r}: write options as ?name=value&name=value")
    return name, value
