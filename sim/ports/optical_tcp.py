"""``optical+tcp:HOST:PORT``: a meter's local port (IEC 62056-21) over TCP.

As behind a gateway with a reading head: what is said of the rate of the line concerns the gateway.
"""

from selectors import BaseSelector

from meter_fw.board import PortKind
from sim.ports.addresses import parse_address
from sim.ports.tcp import TcpPort

SCHEME = "optical+tcp"
FORM = "optical+tcp:HOST:PORT"
SUMMARY = "the local port (IEC 62056-21) over TCP; port 0 takes a free one"


def open_port(rest: str, selector: BaseSelector) -> TcpPort:
    """Open the port that ``optical+tcp:`` and ``rest`` name.

    Raises:
        PortSpecError: ``rest`` is not HOST:PORT.
        PortError: the address cannot be listened at.
    """
    return TcpPort(SCHEME, PortKind.OPTICAL, parse_address(SCHEME, rest), selector)
