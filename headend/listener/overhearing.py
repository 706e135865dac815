"""Listening on a line of HDLC for what the meter on it says unasked, in UI frames."""

from collections.abc import Iterator

from headend.clock import Clock
from headend.listener.ears import Ear, Heard, Identity, Keeper, Memory
from headend.transports import LinkKind, PortSpec, TransportFactory
from protocol.timing import Instant, earliest, later

#: How long to wait at a time, in milliseconds, where nothing says until when.
_WHILE = 60_000


class LineListener:
    """A line at which one meter is heard; a context manager like ``listening.Listener``.

    Args:
        spec: a port on which HDLC is spoken.
        identity: who listens.
        now: the clock.
        transports: what opens the port.
        keeper: takes what was said before it is confirmed; remembers only counters unless told.

    Raises:
        PortUnusable, NoAnswer: as that says.
    """

    def __init__(
        self,
        spec: PortSpec,
        identity: Identity,
        now: Clock,
        transports: TransportFactory,
        keeper: Keeper | None = None,
    ) -> None:
        self.place = str(spec)
        self._now = now
        keeper = Memory() if keeper is None else keeper
        self._ear = Ear(LinkKind.HDLC, spec.place, identity, keeper)
        self._transport = transports(spec, now)

    def __enter__(self) -> "LineListener":
        return self

    def __exit__(self, *_error: object) -> None:
        self._transport.close()

    def hear(self, until: Instant | None) -> Iterator[Heard]:
        """Yield what is heard, until a moment of the clock or, with None, for ever.

        Raises:
            TransportClosed: the meter has hung up, or the line has broken.
            StoreError: what was heard cannot be kept; it was not confirmed.
        """
        while until is None or self._now() < until:
            wake = earliest(until, self._ear.link.wake_at(), later(self._now(), _WHILE))
            assert wake is not None  # the last of them is one
            heard = self._ear.receive(self._transport.read(wake), self._now())
            while octets := self._ear.link.outgoing():
                self._transport.write(octets)
            yield from heard
