"""The local port (IEC 62056-21): the readout, its registers, and HDLC after mode E.

What the display shows to anybody who stands before the meter, the port reads out to anybody who
holds a reading head to it: who the meter is, its clock and energy, the relay, and the profile's
own pages. Single registers want the reader's password, as they do over HDLC, and nothing can be
written.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from meter_fw import display
from meter_fw.factory import FIRMWARE_VERSION, Factory
from meter_fw.view import View
from obis import catalogue
from obis.code import ObisCode, ObisError, ReducedCode, parse
from prepay.profile import Shown
from protocol.errors import EncodeError
from protocol.events import DisconnectReason, LinkConnected, LinkDisconnected, LinkEvent, Peer
from protocol.hdlc import HdlcServer
from protocol.iec21 import DataSet, Identification, TariffDevice
from protocol.iec21.datasets import MAX_VALUE
from protocol.iec21.events import BaudSwitch, DataWanted, Octets, PasswordTried, SessionEnded
from protocol.timing import Instant, earliest

#: What goes on after the sign-on: 9600 Bd.
_RATE: Final = "5"
_MAKER: Final = "OPP"
_MODEL: Final = "OpenPrepay"
#: Pages whose registers are in every readout anyway.
_EVERYWHERE: Final = frozenset({Shown.ENERGY, Shown.POWER, Shown.CLOCK})


# --- the data ----------------------------------------------------------------------------------


def data_sets(view: View, address: str | None = None) -> tuple[DataSet, ...]:
    """Return what is read out.

    Args:
        view: the meter at this moment.
        address: of one register, an OBIS code in any form; None is the whole readout.

    Returns:
        One line a register; for an address the one under that address, or none.
    """
    found = _registers(view)
    if address is None:
        return tuple(DataSet.of(_written(code), text, unit) for code, text, unit in found)
    fits = [(text, unit) for code, text, unit in found if _means(address, code)]
    return (DataSet.of(address, *fits[0]),) if len(fits) == 1 else ()


def _registers(view: View) -> list[tuple[ObisCode, str, str]]:
    factory, state = view.factory, view.state
    kwh = Decimal(state.energy.imported) / 1000 % 1_000_000
    season = "S" if view.local.dst() else "W"
    moment = f"{view.local:%y%m%d%H%M%S}{season}" if state.clock.known else ""
    rows = [
        (catalogue.LOGICAL_DEVICE_NAME, _safe(factory.name), ""),
        (catalogue.SERIAL_NUMBER, _safe(factory.serial), ""),
        (catalogue.FIRMWARE_VERSION, FIRMWARE_VERSION, ""),
        (catalogue.CLOCK, moment, ""),
        (catalogue.ACTIVE_ENERGY_IMPORT, f"{kwh:010.3f}", "kWh"),
        (catalogue.ACTIVE_POWER_IMPORT, f"{Decimal(view.power) / 1000:06.3f}", "kW"),
        (catalogue.DISCONNECT_CONTROL, str(int(state.relay.control)), ""),
    ]
    shown = factory.profile.display
    for page, lcd in zip(shown.pages, display.pages(view), strict=True):
        if page.shows not in _EVERYWHERE:
            code = parse(page.code)
            if isinstance(code, ReducedCode):
                code = code.complete(shown.code_a, shown.code_b)
            rows.append((code, _safe(lcd.value), lcd.unit))
    return rows


def _written(code: ObisCode) -> str:
    """Return a code as readouts have it: without F where that is 255."""
    return str(code).removesuffix("*255")


def _means(address: str, code: ObisCode) -> bool:
    try:
        wanted = parse(address)
    except ObisError:
        return False
    return wanted == code if isinstance(wanted, ObisCode) else wanted.matches(code)


def _safe(text: str) -> str:
    """Return a text without the characters that stand for something else here."""
    kept = "".join(each if " " <= each <= "~" and each not in "()*/!" else "?" for each in text)
    return kept[:MAX_VALUE]


# --- the port ----------------------------------------------------------------------------------


def identification(factory: Factory) -> Identification:
    """Return what the meter says of itself; it offers modes C and E."""
    try:
        return Identification(factory.name[:3], _RATE, _MODEL, "2")
    except EncodeError:  # a name that does not begin with a maker's letters
        return Identification(_MAKER, _RATE, _MODEL, "2")


class OpticalLink:
    """One local port: a tariff device, and a station of HDLC while it has the line.

    A ``protocol.link.Link`` whose events may also be a ``DataWanted``, to be answered with
    ``give``.

    Args:
        factory: the meter.
        station: makes the HDLC station of one session.
    """

    def __init__(self, factory: Factory, station: Callable[[], HdlcServer]) -> None:
        self._device = TariffDevice(
            identification(factory), address=factory.serial, password=factory.keys.password
        )
        self._make = station
        self._station = station()
        self._peers: set[Peer] = set()
        self._baud: int | None = None

    def admit(self, password: bytes) -> None:
        """Take another password, from the next one that comes on."""
        self._device.admit(password)

    def receive(self, data: bytes, now: Instant) -> list[LinkEvent | DataWanted | PasswordTried]:
        """Take octets from the port (none: only look at the clock) and say what they meant."""
        events: list[LinkEvent | DataWanted | PasswordTried] = []
        events += self._noted(self._station.receive(b"", now), now)
        for event in self._device.receive(data, now):
            match event:
                case Octets(octets=octets):
                    events += self._noted(self._station.receive(octets, now), now)
                case SessionEnded():
                    ended = DisconnectReason.TIMEOUT
                    events += [LinkDisconnected(peer, ended) for peer in self._peers]
                    self._peers.clear()
                    self._station = self._make()
                case BaudSwitch(baud=baud):
                    self._baud = baud
                case DataWanted() | PasswordTried():
                    events.append(event)
        return events

    def _noted(self, events: list[LinkEvent], now: Instant) -> list[LinkEvent]:
        """Tell the device when the first connection begins and the last one ends."""
        before = len(self._peers)
        for event in events:
            if isinstance(event, LinkConnected):
                self._peers.add(event.peer)
            elif isinstance(event, LinkDisconnected):
                self._peers.discard(event.peer)
        if len(self._peers) != before:
            self._device.linked(len(self._peers), now)
        return events

    def give(self, wanted: DataWanted, sets: tuple[DataSet, ...], now: Instant) -> None:
        """Send data that were wanted."""
        self._device.give(wanted, sets, now)

    def push(self, sets: tuple[DataSet, ...], now: Instant) -> bool:
        """Send a readout that nobody asked for, unless a session is under way."""
        return self._device.push(sets, now)

    def send(self, event: LinkEvent, now: Instant) -> None:
        """Queue what ``event`` asks of HDLC.

        Raises:
            LocalProtocolError: its state does not allow it.
        """
        self._station.send(event, now)

    def at_a_stretch(self, peer: Peer, octets: int) -> int:
        """Return how many APDUs of so many octets a peer can be sent before it has to poll."""
        return self._station.at_a_stretch(peer, octets)

    def outgoing(self) -> bytes:
        """Return, once, the octets that have to go out."""
        octets = self._device.outgoing()
        return octets + self._station.outgoing() if self._device.settled else octets

    def baud(self) -> int | None:
        """Return, once, the rate that the line has to have before anything more goes out."""
        baud, self._baud = self._baud, None
        return baud

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        return earliest(self._device.wake_at(), self._station.wake_at())
