"""``hdlc+tcp:HOST:PORT``: HDLC frames over TCP; each connection is a line of its own."""

from selectors import BaseSelector

from meter_fw.board import PortKind
from sim.ports.addresses import parse_address
from sim.ports.tcp import TcpPort

SCHEME = "hdlc+tcp"
FORM = "hdlc+tcp:HOST:PORT"
SUMMARY = "HDLC over TCP; port 0 takes a free one"


def open_port(rest: str, selector: BaseSelector) -> TcpPort:
    """Open the port that ``hdlc+tcp:`` and ``rest`` name.

    Raises:
        PortSpecError: ``rest`` is not HOST:PORT.
        PortError: the address cannot be listened at.
    """
    return TcpPort(SCHEME, PortKind.HDLC, parse_address(SCHEME, rest), selector)
