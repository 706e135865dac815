"""The HDLC link of IEC 62056-46, client and server, without a port or a clock.

``HdlcServer`` is one station on one line, ``HdlcClient`` the client of one server; both are a
``protocol.link.Link``. From the octets upwards: ``address``, ``frame``, ``finder``,
``parameters``, ``state`` (the table and its theory), ``reassembly``, ``transfer`` (windows),
``unnumbered`` (UI frames), the two roles, and ``listener``, who has none.
"""

from protocol.hdlc.client import ClientTimes, HdlcClient
from protocol.hdlc.listener import HdlcListener
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.server import HdlcServer

__all__ = ["ClientTimes", "HdlcClient", "HdlcListener", "HdlcParameters", "HdlcServer"]
