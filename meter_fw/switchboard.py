"""The switchboard: which ports are open, what is said on them, and whom the board has to call.

Octets of a tick go to the lines that they belong to; what the lines say, and which of them are to
be hung up, is gathered for the outputs.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from meter_fw.board import Dial, Inputs, PortId, PortKind
from meter_fw.factory import Factory
from meter_fw.lines import Entropy, Host, Line, Security
from protocol.timing import Instant, earliest

#: How many ports may be open at once; more are closed as soon as they open. A board bounds its
#: network ports by itself, and knows there who has been silent; this is above what those add up to.
MAX_PORTS: Final = 48


class Said(Struct, frozen=True):
    """What the ports come to in one tick; as in ``meter_fw.board.Outputs``."""

    tx: Mapping[PortId, bytes]
    baud: Mapping[PortId, int]
    close: frozenset[PortId]
    dial: Mapping[PortId, Dial]
    line_wake_at: Instant | None


class Switchboard:
    """The open ports.

    Args:
        factory: the meter.
        security: what all associations share.
        entropy: for challenges.
    """

    def __init__(self, factory: Factory, security: Security, entropy: Entropy) -> None:
        self._factory = factory
        self._security = security
        self._entropy = entropy
        #: what is open
        self.lines: dict[PortId, Line] = {}
        self._dial: Mapping[PortId, Dial] = {}
        self._given_up: set[PortId] = set()

    @property
    def silent(self) -> bool:
        """Whether nothing is open and nobody is to be called, as at most of a year's ticks."""
        return not (self.lines or self._dial or self._given_up)

    def hear(self, inputs: Inputs, line_now: Instant, host: Host, expected: PortId | None) -> None:
        """Take what came in on the ports, and let the host answer it.

        Args:
            inputs: of this tick.
            line_now: the line timer.
            host: answers.
            expected: the port of a call of ours, for which there is always room.
        """
        for port, kind in inputs.opened.items():
            line = self.lines[port] = self._open(kind, wanted=port == expected)
            line.receive(b"", line_now, host)  # from now on silence is counted
        for port, octets in inputs.rx.items():
            if port in self.lines:
                self.lines[port].receive(octets, line_now, host)
        for port in inputs.closed:
            if self.lines.pop(port, None):
                host.counted()
        for line in self.lines.values():
            due = line.wake_at()
            if due is not None and due <= line_now:
                line.receive(b"", line_now, host)

    def _open(self, kind: PortKind, *, wanted: bool) -> Line:
        line = Line(kind, self._factory, self._security, self._entropy)
        if len(self.lines) >= MAX_PORTS and not wanted:
            line.hang_up()
        return line

    def call(self, calls: Mapping[PortId, Dial]) -> None:
        """Have the board call somebody."""
        self._dial = calls

    def give_up(self, port: PortId) -> None:
        """Hang up a port, or give up the call that was to open it."""
        if port in self.lines:
            self.lines[port].hang_up()
        else:
            self._given_up.add(port)

    def said(self) -> Said:
        """Return, once, what the ports have to say."""
        tx: dict[PortId, bytes] = {}
        baud: dict[PortId, int] = {}
        close: set[PortId] = set()
        wake_at = None
        for port, line in self.lines.items():
            if octets := line.outgoing():
                tx[port] = octets
            if rate := line.baud():
                baud[port] = rate
            if line.hung_up:
                close.add(port)
            else:
                wake_at = earliest(wake_at, line.wake_at())
        for port in close:
            del self.lines[port]
        dial, self._dial = self._dial, {}
        given_up, self._given_up = self._given_up, set()
        return Said(tx, baud, frozenset(close | given_up), dial, wake_at)
