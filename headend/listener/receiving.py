"""Listening beside other work: a thread for each port, as ``prepay serve --listen`` has them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from headend.ciphered import LeasedCounters, fingerprint
from headend.context import Context
from headend.errors import HeadendError
from headend.listener.ears import Heard, Identity, Keeper
from headend.listener.listening import Listener
from headend.security import key_set
from headend.transports import PortSpec
from protocol.security import KeySet
from protocol.timing import later

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

#: How long a thread waits at a time before it looks whether it is to end, in ms.
_WHILE = 500
#: After a fault of the port a thread waits so many seconds.
_BREATH = 1.0


def identity_of(context: Context) -> Identity:
    """Return who listens: the key file's keys, and this database's system title and counters."""

    def keys() -> KeySet:
        return key_set(context.keys)

    def title() -> bytes:
        return context.store.leases.system_title(context.entropy)

    class Counters:
        """Leased from the database once one is needed, and not before."""

        def next(self) -> int:
            """Return a counter never returned before."""
            return LeasedCounters(context.store, fingerprint(context), 0).next()

    return Identity(keys, title, Counters(), context.entropy)


class Receiving:
    """Listens at several ports until stopped.

    Args:
        context: database, keys and clock.
        specs: where: ``tcp:HOST:PORT`` or ``udp:HOST:PORT``.
        keeper: takes what is heard; shared by the ports.
        tell: told of everything that was heard, and whether it was kept; from any of the threads.

    Raises:
        PortUnusable: it cannot be listened at one of them; it is listened at none then.
    """

    def __init__(
        self,
        context: Context,
        specs: Sequence[PortSpec],
        keeper: Keeper,
        tell: Callable[[Heard], None] = lambda heard: None,
    ) -> None:
        self._context = context
        self._tell = tell
        self._stopping = Event()
        self._listeners: list[Listener] = []
        try:
            for spec in specs:
                identity = identity_of(context)
                self._listeners.append(Listener(spec, identity, context.now, keeper))
        except HeadendError:
            self._close()
            raise
        self._threads = [
            Thread(target=self._run, args=(listener,), name=f"listen {listener.place}", daemon=True)
            for listener in self._listeners
        ]
        for thread in self._threads:
            thread.start()

    @property
    def places(self) -> tuple[str, ...]:
        """The specs of the addresses really listened at."""
        return tuple(listener.place for listener in self._listeners)

    def stop(self) -> None:
        """Stop listening; what was read is kept and confirmed before."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * _BREATH + _WHILE / 1000)
        self._close()

    def _run(self, listener: Listener) -> None:
        while not self._stopping.is_set():
            try:
                for heard in listener.hear(later(self._context.now(), _WHILE)):
                    self._tell(heard)
            except OSError:  # no descriptors, no memory for buffers: others may give some back
                self._stopping.wait(_BREATH)

    def _close(self) -> None:
        for listener in self._listeners:
            listener.__exit__()


def start(
    context: Context,
    specs: Sequence[str],
    *,
    in_clear: bool = False,
    tell: Callable[[Heard], None] = lambda heard: None,
) -> Receiving:
    """Listen at ports and keep what is heard in the database, until stopped.

    Args:
        context: database, keys and clock.
        specs: port specs, ``tcp:HOST:PORT`` or ``udp:HOST:PORT``.
        in_clear: as ``headend.listener.reception.Reception`` has it.
        tell: as ``Receiving`` has it.

    Raises:
        PortUnusable: it cannot be listened at one of them.
    """
    from headend.listener.reception import Reception  # with it come the tables

    keeper = Reception(context, in_clear=in_clear)
    return Receiving(context, [PortSpec.parse(spec) for spec in specs], keeper, tell)


@contextmanager
def listening(
    context: Context, specs: Sequence[str], log: "FilteringBoundLogger", *, in_clear: bool
) -> Iterator[None]:
    """Listen at ports, if any, while the block is entered; what is heard is logged.

    Raises:
        PortUnusable: it cannot be listened at one of them.
    """
    if not specs:
        yield
        return

    def tell(heard: Heard) -> None:
        facts = {"source": heard.source, "meter": heard.meter or None}
        if heard.notification is None:
            log.warning("notification not taken", why=heard.why, **facts)
        else:
            more = {"confirmed": heard.confirmed, "again": heard.again, "cases": heard.cases}
            log.info("notification", **facts, **more)

    receiving = start(context, specs, in_clear=in_clear, tell=tell)
    log.info("listening", places=receiving.places)
    try:
        yield
    finally:
        receiving.stop()
