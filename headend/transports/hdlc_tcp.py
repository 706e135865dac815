"""``hdlc+tcp:HOST:PORT``: HDLC frames over TCP."""

from headend.transports import LinkKind
from headend.transports.tcp import open_transport, place

__all__ = ["LINK", "open_transport", "place"]

LINK = LinkKind.HDLC
