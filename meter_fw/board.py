"""What the firmware asks of its board: flash as an interface, the rest as values of a tick.

``now`` of a tick is the board's true time; the meter's own clock is an offset on it that the
firmware keeps. ``Inputs.line_now`` is the free-running timer that times the lines: the same as
``now`` on a real board, but running on at its own pace where a simulated world is hurried.
"""

from collections.abc import Callable, Mapping
from enum import Enum, Flag, auto
from types import MappingProxyType
from typing import NamedTuple, NewType, Protocol

from msgspec import Struct

from protocol.timing import Instant

PortId = NewType("PortId", str)


class Flash(Protocol):
    """Flash memory of equal erase blocks.

    Erased octets read 0xFF; programming can only clear bits. A power cut shows as an exception
    of the board's that the firmware never catches: the next thing it knows is its own boot.
    """

    @property
    def block_count(self) -> int:
        """How many erase blocks there are."""
        ...

    @property
    def block_size(self) -> int:
        """Octets in an erase block."""
        ...

    def read(self, block: int, offset: int, length: int) -> bytes:
        """Return ``length`` octets."""
        ...

    def program(self, block: int, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in ``data``; on return they are durable."""
        ...

    def erase(self, block: int) -> None:
        """Set every bit of the block; on return that is durable."""
        ...


class PortKind(Enum):
    """What is spoken on a port."""

    HDLC = "hdlc"
    WRAPPER = "wrapper"
    OPTICAL = "optical"  # IEC 62056-21, and HDLC after mode E
    UDP = "udp"  # the wrapper in datagrams: octets come one datagram a tick


class Button(Enum):
    """The meter's buttons."""

    DISPLAY = "next display page"
    SELECT = "take emergency credit, or close the relay where the profile wants a hand on it"


class Coil(Enum):
    """A pulse to the latching relay."""

    OPEN = "open"
    CLOSE = "close"


class Sign(Flag):
    """The signs of the LCD besides digits and unit."""

    NONE = 0
    EURO_ARROW = auto()  # be-wal: the arrow above the currency symbol, prepayment is active
    LOW_CREDIT = auto()
    EMERGENCY = auto()  # emergency credit is in use
    FRIENDLY = auto()  # a friendly window is in force
    RELAY_OPEN = auto()
    CLOCK_UNKNOWN = auto()
    LIMITED = auto()  # minimum supply in place of a cut
    NEVER_CUT = auto()
    RELAY_FAULT = auto()  # the contact does not follow
    CALENDAR_ENDS = auto()  # the calendar's tables are about to end, or have ended


class Lcd(Struct, frozen=True):
    """What the display shows.

    Args:
        code: the OBIS code as this meter prints it, e.g. "94.32.2 2".
        value: at most 16 characters, e.g. "-3.20" or "2026-11-23 06:00".
        unit: "kWh", "EUR", ... or empty.
        signs: the signs that are lit.
        relay: control state of the relay, as class 70 names it.
    """

    code: str
    value: str
    unit: str
    signs: Sign
    relay: str


class Phase(Struct, frozen=True):
    """What is measured on one phase.

    Args:
        voltage: in tenths of a volt.
        current: in hundredths of an ampere.
        power: import power in W.
    """

    voltage: int = 0
    current: int = 0
    power: int = 0


class Inputs(NamedTuple):  # a tuple is made in half the time, and one is at each tick
    """What happened on the board since the last tick.

    Args:
        rx: octets received, by port.
        opened: ports that appeared (a TCP connection is one), and what is spoken there.
        closed: ports whose other side has gone.
        pulses: imported energy, in Wh.
        power: present import power, in W.
        buttons: pressed since the last tick.
        contact_closed: feedback of the relay contact; None where the board has none.
        tamper: the cover is open.
        line_now: the line timer; None is ``now``.
        failing: the supply is about to fail: what is only in memory has to be made durable.
        exported: exported energy, in Wh.
        exported_power: present export power, in W.
        phases: what is measured by phase, from L1; empty where the board does not say.
        keyed: tokens that somebody has typed since the last tick, each as it was typed.
    """

    rx: Mapping[PortId, bytes] = MappingProxyType({})
    opened: Mapping[PortId, PortKind] = MappingProxyType({})
    closed: frozenset[PortId] = frozenset()
    pulses: int = 0
    power: int = 0
    buttons: frozenset[Button] = frozenset()
    contact_closed: bool | None = None
    tamper: bool = False
    line_now: Instant | None = None
    failing: bool = False
    exported: int = 0
    exported_power: int = 0
    phases: tuple[Phase, ...] = ()
    keyed: tuple[str, ...] = ()


class Dial(Struct, frozen=True):
    """Whom the board shall call.

    Args:
        kind: ``WRAPPER`` for TCP, ``UDP``.
        address: host and port, as in "192.0.2.7:4059" or "[2001:db8::7]:4059".
    """

    kind: PortKind
    address: str


class Outputs(NamedTuple):  # as Inputs
    """What the firmware wants of its board.

    Args:
        show: makes what the display shows from now on; drawn only where somebody looks.
        wake_at: tick again at this ``now`` at the latest.
        tx: octets to send, by port; of ``UDP`` one datagram behind the other.
        close: ports to hang up once their octets are out.
        coil: a pulse for the relay, if it has to move.
        line_wake_at: tick again at this ``line_now`` at the latest, if set.
        baud: the rate that a line has to have before ``tx`` goes out, by port, where it changes.
        dial: ports to open by calling somebody; each is then reported as opened or as closed.
    """

    show: Callable[[], Lcd]
    wake_at: Instant
    tx: Mapping[PortId, bytes] = MappingProxyType({})
    close: frozenset[PortId] = frozenset()
    coil: Coil | None = None
    line_wake_at: Instant | None = None
    baud: Mapping[PortId, int] = MappingProxyType({})
    dial: Mapping[PortId, Dial] = MappingProxyType({})

    @property
    def lcd(self) -> Lcd:
        """The display from now on, however late one looks."""
        return self.show()
