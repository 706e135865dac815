"""What a link (HDLC, the wrapper, the local port) says and is told."""

from enum import Enum

from msgspec import Struct


class Peer(Struct, frozen=True):
    """The two ends of a conversation on a link.

    Args:
        client: client SAP (HDLC client address, wrapper wPort of the client).
        server: logical device (HDLC upper server address, wrapper wPort of the server).
        physical: HDLC lower server address; 0 where there is none (wrapper, 1-octet addresses).
    """

    client: int
    server: int
    physical: int = 0


class LinkConnect(Struct, frozen=True):
    """Ask for a connection (client: send SNRM). A wrapper link has none and ignores it."""

    peer: Peer


class LinkConnected(Struct, frozen=True):
    """The connection stands. A wrapper link reports it at once."""

    peer: Peer


class LinkData(Struct, frozen=True):
    """One whole APDU, to send or received; segmentation and LLC stay in the link.

    Args:
        peer: the two ends; of a broadcast that was received, the logical device that hears it.
        apdu: its octets. A client that sends none, unnumbered, lets the server send its own.
        unnumbered: in UI frames: without a connection or beside it, never acknowledged or
            repeated, and not to be answered. What a server pushes, what a client broadcasts.
    """

    peer: Peer
    apdu: bytes
    unnumbered: bool = False


class LinkBusy(Struct, frozen=True):
    """Take no more data of this connection for a while (RNR), or take it again; only HDLC can."""

    peer: Peer
    busy: bool = True


class LinkWanted(Struct, frozen=True):
    """More is wanted of the server: an APDU came that is not, or not all of, the answer.

    On HDLC it may speak with its turn only, so the client polls; other links ignore it.
    """

    peer: Peer


class LinkDisconnect(Struct, frozen=True):
    """Ask for the end of the connection (client: send DISC)."""

    peer: Peer


class DisconnectReason(Enum):
    """Why a link connection ended."""

    LOCAL = "we asked for it"
    REMOTE = "the other side asked for it"
    REJECTED = "the other side is in disconnected mode or refused (DM)"
    FRAME_REJECTED = "the other side rejected a frame (FRMR)"
    TIMEOUT = "nothing came in time"
    REPLACED = "the other side connected anew"
    CROWDED_OUT = "too many others came after it"
    PORT_CLOSED = "the port was closed"
    STREAM_BROKEN = "the octet stream cannot be followed any more: hang up"


class LinkDisconnected(Struct, frozen=True):
    """The connection has ended."""

    peer: Peer
    reason: DisconnectReason


LinkEvent = (
    LinkConnect
    | LinkConnected
    | LinkData
    | LinkBusy
    | LinkWanted
    | LinkDisconnect
    | LinkDisconnected
)
