"""The client's link for what is spoken on a transport."""

from headend.context import Settings
from headend.errors import UsageError
from headend.transports import LinkKind
from protocol.errors import EncodeError
from protocol.events import Peer
from protocol.hdlc.parameters import HdlcParameters
from protocol.link import Link

#: HDLC: a lost frame is noticed after so many milliseconds, and repeated so often.
_RESPONSE, _RETRIES = 2_000, 2
#: The largest part of an HDLC server address of two octets.
_TWO_OCTETS = 0x7F


def make_peer(settings: Settings, client: int) -> Peer:
    """Return whom the settings mean; a 1-octet HDLC address names no physical device."""
    physical = settings.physical
    if physical is None:
        physical = 0 if settings.address_size in (None, 1) else 1
    return Peer(client, settings.logical, physical)


def make_link(
    kind: LinkKind, peer: Peer, settings: Settings, proposed: HdlcParameters | None = None
) -> tuple[Link, Peer]:
    """Return a link to a peer, and the peer as that link names it.

    Args:
        kind: what is spoken.
        peer: whom to talk to.
        settings: those of the command line.
        proposed: lengths and windows, for HDLC.

    Raises:
        UsageError: the addresses do not fit.
    """
    if kind is LinkKind.WRAPPER:
        from protocol.wrapper import WrapperLink  # one of the two links is never used

        flat = Peer(peer.client, peer.server)
        return WrapperLink.client(flat), flat
    if kind is LinkKind.DATAGRAMS:
        from protocol.udp import DatagramLink

        flat = Peer(peer.client, peer.server)
        return DatagramLink.client(flat), flat
    from protocol.hdlc import ClientTimes, HdlcClient

    size = settings.address_size
    if size is None:
        long = max(peer.server, peer.physical) >= _TWO_OCTETS
        size = 1 if not peer.physical and not long else 4 if long else 2
    try:
        times = ClientTimes(response=_RESPONSE)
        return HdlcClient(peer, size, proposed, times, _RETRIES), peer
    except EncodeError as error:
        raise UsageError(f"{error}: see --logical, --physical and --address-size") from error
