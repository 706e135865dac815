"""``optical+tcp:HOST:PORT[?options]``: a meter's local port over TCP; options as ``optical``.

Characters have no parity bit unless ``parity=even`` asks for it: a gateway makes its own.
"""

from collections.abc import Mapping

from headend.clock import Clock
from headend.transports import LinkKind, tcp
from headend.transports.optical import OpticalOptions, OpticalTransport, signed_on
from headend.transports.tcp import place
from protocol.iec21 import Parity

__all__ = ["LINK", "open_transport", "place"]

LINK = LinkKind.HDLC


def open_transport(address: str, options: Mapping[str, str], now: Clock) -> OpticalTransport:
    """Connect to ``HOST:PORT``, and sign on.

    Raises:
        NoAnswer: there is no such host, nobody listens or answers there, or not in time.
        PortUnusable: the address or an option cannot be understood.
    """
    known = OpticalOptions.of(options, Parity.NONE)
    line = tcp.open_transport(address, {}, now, "optical+tcp")
    return signed_on(OpticalTransport(line, _noted, now, known), known)


def _noted(baud: int) -> None:
    """Do nothing: the rate is the gateway's business."""
