"""The HDLC link of IEC 62056-46, client and server, without a port or a clock.

``HdlcServer`` is one station on one line, ``HdlcClient`` the client of one server; both are a
``protocol.link.Link``. From the octets upwards: ``address``, ``frame``, ``finder``,
``parameters``, ``state`` (the table and its theory), ``reassembly``, ``transfer`` (windows),
``unnumbered`` (UI frames), the two roles, and ``listener``, who has none.
"""

from typing import TYPE_CHECKING, Final

#: Where each stands. It is imported when it is asked for: whoever has a line of another kind wants
#: the parameters of this one at most.
_HOMES: Final = {
    "ClientTimes": "client",
    "HdlcClient": "client",
    "HdlcListener": "listener",
    "HdlcParameters": "parameters",
    "HdlcServer": "server",
}

if TYPE_CHECKING:
    from protocol.hdlc.client import ClientTimes, HdlcClient
    from protocol.hdlc.listener import HdlcListener
    from protocol.hdlc.parameters import HdlcParameters
    from protocol.hdlc.server import HdlcServer
else:
    from importlib import import_module

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["ClientTimes", "HdlcClient", "HdlcListener", "HdlcParameters", "HdlcServer"]
