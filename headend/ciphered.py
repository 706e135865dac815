"""Reaching a meter as its management client: keys, invocation counters, and who answers.

A management session needs an invocation counter before it knows whom it talks to. So the meter
last met at the place is assumed, and its logical device name is read at once: when another meter
answers, the assumption is dropped. A meter that this database does not know is first asked, as
the public client, for its name and the last counter it accepted.
"""

import hashlib

from sqlalchemy import Connection

from headend.context import Context
from headend.device import Device
from headend.errors import Refused
from headend.reach import Reached, client_of, mechanism_of, open_plain, open_session
from headend.security import management
from headend.session import AssociationRefused, Session
from headend.store import Store, counters, meters
from headend.store.meters import Meter
from protocol.codes import Mechanism
from protocol.security import CounterLease

#: The public client's answer about a counter is not authenticated: it may not lead us astray so
#: far that the counters of a key are soon used up.
_GREATEST_JUMP = 1 << 24


class LeasedCounters:
    """Invocation counters from the store, leased block by block; a ``CounterSource``.

    Args:
        store: where the leases are written down.
        key: fingerprint of the key they are used under.
        at_least: none of them is below it.
    """

    def __init__(self, store: Store, key: str, at_least: int) -> None:
        self._store = store
        self._key = key
        self._at_least = at_least
        self._lease = CounterLease(0, 0)

    def next(self) -> int:
        """Return a counter never returned before, from any database transaction of ours."""
        if not self._lease.remaining:
            with self._store.begin() as db:
                block = counters.lease(db, self._key, self._at_least)
            self._lease = CounterLease(block.start, block.stop)
        return self._lease.next()


def reach_ciphered(context: Context) -> Reached:
    """Open a management session and find out who answers.

    Raises:
        NoAnswer, AssociationRefused, PortUnusable, UsageError: see there.
    """
    return _reach_known(context) or _reach_new(context)


def _reach_known(context: Context) -> Reached | None:
    """Reach the meter last met at this port; None when it is another's, or none was."""
    place = context.place
    with context.store.begin() as db:
        known = meters.last_at(db, place)
    if known is None:
        return None
    try:
        reached = _identified(_open_ciphered(context, 0), place)
    except AssociationRefused:
        # Another meter answers here, or a counter of ours is behind. The public client knows.
        return None
    if reached.name == known.name:
        return reached
    reached.session.close()
    return None


def _reach_new(context: Context) -> Reached:
    """Reach whoever is there: first as the public client, then as ourselves."""
    place = context.place
    name, counter = _ask_publicly(context, place)
    with context.store.begin() as db:
        if meters.by_name(db, name) is not None:
            _check_jump(db, context, counter)
        meter = meters.meet(db, name, place, context.now())
    reached = _identified(_open_ciphered(context, counter + 1), place)
    if reached.name != name and name == _nameless(place):
        _name_it(context, meter, reached.name)
    elif reached.name != name:
        reached.session.close()
        raise Refused(f"two meters answer at {context.port}: {name} and {reached.name}")
    return reached


def _name_it(context: Context, meter: Meter, name: str) -> None:
    """Give a meter that tells its name to its management only that name in the database."""
    with context.store.begin() as db:
        if meters.by_name(db, name) is None:
            meters.rename(db, meter, name)
            return
        meters.meet(db, meter.name, "", context.now())
        meters.meet(db, name, context.place, context.now())


def _ask_publicly(context: Context, place: str) -> tuple[str, int]:
    """Return name and last accepted counter; of a meter that tells nobody, a made name and 0."""
    try:
        session = open_plain(context, Mechanism.NONE)
    except AssociationRefused:
        return _nameless(place), 0
    try:
        device = Device(session)
        return _name(device, place), _counter(device)
    finally:
        session.close()


def _identified(session: Session, place: str) -> Reached:
    try:
        return Reached(session, _name(Device(session), place))
    except BaseException:  # whatever it was: the port is given back
        session.close()
        raise


def _name(device: Device, place: str) -> str:
    try:
        return device.name() or _nameless(place)
    except Refused:
        return _nameless(place)


def _counter(device: Device) -> int:
    try:
        return device.invocation_counter()
    except Refused:
        return 0


def _nameless(place: str) -> str:
    port, comma, physical = place.partition(", ")
    last = comma + physical  # two meters of a line whose name is long are two
    return f"@{port}"[: 64 - len(last)] + last


def fingerprint(context: Context) -> str:
    """Return by what the database knows the key whose invocation counters it leases."""
    digest = hashlib.sha256(b"counter row" + context.keys.block_cipher_key).hexdigest()
    return digest[:16]


def _check_jump(db: Connection, context: Context, counter: int) -> None:
    highest = counters.unleased(db, fingerprint(context))
    if highest is not None and counter > highest + _GREATEST_JUMP:
        raise Refused(
            f"the meter says that it has seen invocation counter {counter}, "
            f"this database has used none above {highest - 1}: not believed"
        )


def _open_ciphered(context: Context, at_least: int) -> Session:
    """Open a management session; once more if the meter says which counter it waits for."""
    try:
        return _open_once(context, at_least)
    except AssociationRefused as error:
        expected = getattr(error.event, "invocation_counter", None)
        if expected is None:
            raise
        with context.store.begin() as db:
            _check_jump(db, context, expected)
    return _open_once(context, expected)


def _open_once(context: Context, at_least: int) -> Session:
    asked, mechanism = context.settings, mechanism_of(context)
    with context.store.begin() as db:
        title = counters.system_title(db, context.entropy)
    settings = management(
        context.keys,
        title,
        mechanism,
        envelope=asked.envelope,
        protection=asked.protection,
        signed=asked.sign,
    )
    source = LeasedCounters(context.store, fingerprint(context), at_least)
    return open_session(context, asked.client or client_of(mechanism), settings, source)
