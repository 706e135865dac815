"""``hdlc+tcp:HOST:PORT``: HDLC frames over TCP."""

from collections.abc import Mapping

from headend.clock import Clock
from headend.transports import LinkKind, tcp
from headend.transports.tcp import TcpTransport, place

__all__ = ["LINK", "open_transport", "place"]

LINK = LinkKind.HDLC


def open_transport(address: str, options: Mapping[str, str], now: Clock) -> TcpTransport:
    """Connect to ``HOST:PORT``; see ``tcp.open_transport`` for what it raises."""
    return tcp.open_transport(address, options, now, "hdlc+tcp")
