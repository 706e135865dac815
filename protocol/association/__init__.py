"""Application associations: APDUs in, service primitives out, and the other way round.

states            the table that client and server share, and why it is one
settings          what each side is set up with
envelope          how an APDU is ciphered and signed, and how long that makes it
channel           ciphering and signing: into envelopes and out of them; titles, counters
exchange          the keys of general-ciphering: wrapped, agreed on
proofs            HLS passes 3 and 4
negotiation       what a server makes of an AARQ
blocks            long values in pieces
general_blocks    whole APDUs in pieces, windows of them, lost ones sent again
lists             requests of several members
long_requests     a server's requests in pieces
server, client    the halves; server_transfers, client_transfers their services
short_names*      READ and WRITE: what both sides share, and the services of each; _view is for
                  whoever asks by logical names and speaks by short ones
"""

from typing import Protocol

from protocol.association.channel import Entropy, Guard
from protocol.association.client import ClientHalf
from protocol.association.settings import (
    LEAST_PDU,
    LEAST_SECURE_PDU,
    REPLY_TO_HLS,
    SUPPORTED,
    ClientSettings,
    ServerPolicy,
)
from protocol.association.states import State, Step
from protocol.events import AssociationEvent
from protocol.security import CounterSource, ReplayBook
from protocol.timing import Instant

__all__ = [
    "LEAST_PDU",
    "LEAST_SECURE_PDU",
    "REPLY_TO_HLS",
    "SUPPORTED",
    "Association",
    "ClientSettings",
    "Entropy",
    "Guard",
    "ServerPolicy",
    "State",
    "Step",
]


class _Half(Protocol):
    @property
    def state(self) -> State: ...

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]: ...

    def send(self, event: AssociationEvent, now: Instant) -> None: ...

    def outgoing(self) -> bytes: ...

    def reset(self) -> None: ...

    def at_a_stretch(self, blocks: int) -> None: ...

    def wake_at(self) -> Instant | None: ...


class Association:
    """One end of an association. Make it with ``server`` or ``client``."""

    def __init__(self, half: _Half) -> None:
        self._half = half

    @classmethod
    def server(
        cls,
        policy: ServerPolicy,
        entropy: Entropy,
        counters: CounterSource,
        replay_guard: Guard | ReplayBook,
    ) -> "Association":
        """Return the server's end, ready for an AARQ.

        Args:
            policy: what is asked of the client.
            entropy: returns as many random octets as it is asked for.
            counters: where our invocation counters come from.
            replay_guard: remembers the client's invocation counters, beyond this association: one
                guard for all clients and keys, or a book with one for each.
        """
        from protocol.association.server import ServerHalf  # no client has to import it

        return cls(ServerHalf(policy, entropy, counters, replay_guard))

    @classmethod
    def client(
        cls,
        settings: ClientSettings,
        entropy: Entropy,
        counters: CounterSource,
        replay_guard: Guard | ReplayBook,
    ) -> "Association":
        """Return the client's end; send it an ``OpenRequest``.

        Args:
            settings: how to open the association.
            entropy: returns as many random octets as it is asked for.
            counters: where our invocation counters come from.
            replay_guard: remembers the server's invocation counters, beyond this association.
        """
        return cls(ClientHalf(settings, entropy, counters, replay_guard))

    @property
    def state(self) -> State:
        """Where the association is."""
        return self._half.state

    @property
    def is_open(self) -> bool:
        """Whether GET, SET and ACTION may pass."""
        return self._half.state == State.OPEN

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take one whole APDU and say what it meant.

        Raises:
            RemoteProtocolError: on the client only: the server did what it may not, and the
                association is over. On a server whatever is wrong is answered.
        """
        return self._half.receive(apdu, now)

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Queue what ``event`` asks for: requests on the client, responses on the server.

        Raises:
            LocalProtocolError: it is not the time for that event.
            EncodeError: a value does not fit its type.
        """
        self._half.send(event, now)

    def outgoing(self) -> bytes:
        """Return, once, the next whole APDU that has to go out; nothing when there is none."""
        return self._half.outgoing()

    def reset(self) -> None:
        """Forget the association: the link under it is gone, or a request was given up."""
        self._half.reset()

    def at_a_stretch(self, blocks: int) -> None:
        """Send at most so many general blocks before an acknowledgement: what the link carries.

        A server says so to an association that is open.
        """
        self._half.at_a_stretch(blocks)

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)``: a client's general block is due, and may be lost.

        Nothing else in an association runs out. Links and sessions keep the time.
        """
        return self._half.wake_at()
