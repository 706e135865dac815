"""Addresses of network ports: as a spec has them, as clients write them, a socket bound to one."""

import socket

from sim.ports.base import PortError, PortSpecError

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def client_host(host: str) -> str:
    """Return a host as clients write it; a loopback one for a wildcard."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]" if ":" in host else host


def parse_address(scheme: str, text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        PortSpecError: it is not that.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    known = bool(colon and host) and port.isascii() and port.isdigit() and int(port) <= 65535
    if not known or (":" in host and not bracketed):
        raise PortSpecError(
            f"{scheme}:{text} is not {scheme}:HOST:PORT, as in {scheme}:127.0.0.1:4059"
        )
    return host, int(port)


def bound(address: tuple[str, int], kind: socket.SocketKind, waiting: int = 0) -> socket.socket:
    """Return a socket that takes what is sent to an address, and never blocks.

    Args:
        address: host and port; port 0 takes a free one.
        kind: ``SOCK_STREAM`` or ``SOCK_DGRAM``.
        waiting: how many connections of a stream may wait to be accepted.

    Raises:
        PortError: the address cannot be listened at.
    """
    host, port = address
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            host, port, type=kind, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind)
        try:
            if kind is socket.SOCK_STREAM:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(place)
            if kind is socket.SOCK_STREAM:
                made.listen(waiting)
            made.setblocking(False)
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise PortError(f"cannot listen at {host} port {port}: {error.strerror}") from error
    except UnicodeError as error:
        raise PortError(f"cannot listen at {host[:64]!a}: no name that a host can have") from error
    return made
