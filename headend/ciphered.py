"""Reaching a meter as its management client: keys, invocation counters, and who answers.

A management session needs an invocation counter before it knows whom it talks to. So the meter
last met at the place is assumed, and its logical device name is read at once: when another meter
answers, the assumption is dropped. A meter that this database does not know is first asked, as
the public client, for its name and the last counter it accepted.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack

from headend.context import Context
from headend.device import NAME, Device
from headend.errors import Refused
from headend.reach import Reached, Standing, client_of, mechanism_of, open_plain, open_session
from headend.security import management
from headend.session import AssociationRefused, Session
from headend.store import Store, StoreError, counters, keys, meters, transactions
from headend.store.connection import Connection
from headend.store.meters import Meter
from obis.values import replace
from protocol.codes import Mechanism
from protocol.events import AttributeRef

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

    def next(self) -> int:
        """Return a counter never returned before, from any database transaction of ours."""
        return self._store.leases.counter(self._key, self._at_least)


def reach_ciphered(context: Context) -> Reached:
    """Open a management session and find out who answers.

    Raises:
        NoAnswer, AssociationRefused, PortUnusable, UsageError: see there.
    """
    with ExitStack() as claims:
        claims.enter_context(context.claims.claim(*context.names))
        reached = _reach_held(context, claims)
        reached.session.afterwards = claims.pop_all().close
    return reached


def _reach_held(context: Context, claims: ExitStack) -> Reached:
    def either(context: Context) -> Reached:
        return _reach_known(context, claims) or _reach_new(context, claims)

    if context.held is None:
        return either(context)
    from headend.vault.answering import reach_held  # the vault's meters may have another key by now

    return reach_held(context, either)


def _reach_known(context: Context, claims: ExitStack) -> Reached | None:
    """Reach the meter last met at this port; None when it is another's, or none was."""
    place = context.place
    key = fingerprint(context)
    with context.store.look() as db:
        met = transactions.met_at(db, place, key)
    if met is None:
        return None
    known, unleased, waiting = met
    context.store.leases.begin_at(key, unleased)
    ours = context.claims.has(known.name)  # so nobody else had a turn since
    claims.enter_context(context.claims.claim(known.name))
    try:
        session = _open_ciphered(context, 0)
        reached = _identified(session, place, context.foreseen.get(known.mode, ()))
    except AssociationRefused:
        # Another meter answers here, or a counter of ours is behind. The public client knows.
        return None
    if reached.name == known.name:
        _note_title(context, known, reached.session)
        return replace(reached, standing=Standing(known, waiting) if ours else None)
    reached.session.close()
    return None


def _reach_new(context: Context, claims: ExitStack) -> Reached:
    """Reach whoever is there: first as the public client, then as ourselves."""
    place = context.place
    name, counter = _ask_publicly(context, place)
    claims.enter_context(context.claims.claim(name))
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
    if reached.name == name:
        _note_title(context, meter, reached.session)
    return reached


def _note_title(context: Context, meter: Meter, session: Session) -> None:
    """Remember by what system title a meter is known when it says something unasked."""
    title = b"" if session.opened is None else session.opened.server_system_title
    if title and title.hex() != meter.system_title:
        try:
            with context.store.begin() as db:
                meters.set_title(db, meter, title)
        except BaseException:  # whatever it was: the port is given back
            session.close()
            raise


def _name_it(context: Context, meter: Meter, name: str) -> None:
    """Give a meter that tells its name to its management only that name in the database."""
    with context.store.begin() as db:
        if meters.by_name(db, name) is None:
            if keys.has_any(db, meter.id):
                context.vault.rename(db, meter.id, name)  # they are bound to the name
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


def _identified(session: Session, place: str, more: Sequence[AttributeRef] = ()) -> Reached:
    """Ask who answers; ``more`` is read with it."""
    try:
        if more:
            session.foresee((NAME, *more))
        return Reached(session, _name(Device(session), place))
    except BaseException:  # whatever it was: the port is given back
        session.close()
        raise


def _name(device: Device, place: str) -> str:
    try:
        return device.name() or _nameless(place)
    except StoreError:  # nothing that the meter refused
        raise
    except Refused:
        return _nameless(place)


def _counter(device: Device) -> int:
    try:
        return device.invocation_counter()
    except StoreError:  # as above
        raise
    except Refused:
        return 0


def _nameless(place: str) -> str:
    port, comma, physical = place.partition(", ")
    last = comma + physical  # two meters of a line whose name is long are two
    return f"@{port}"[: 64 - len(last)] + last


def fingerprint(context: Context) -> str:
    """Return by what the database knows the key whose invocation counters it leases."""
    return fingerprint_of(context.keys.block_cipher_key)


def fingerprint_of(key: bytes) -> str:
    """Return by what the database knows a block cipher key."""
    return hashlib.sha256(b"counter row" + key).hexdigest()[:16]


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
        with context.store.read() as db:
            _check_jump(db, context, expected)
    return _open_once(context, expected)


def _open_once(context: Context, at_least: int) -> Session:
    asked, mechanism = context.settings, mechanism_of(context)
    title = context.store.leases.system_title(context.entropy)
    settings = management(
        context.keys,
        title,
        mechanism,
        envelope=asked.envelope,
        protection=asked.protection,
        signed=asked.sign,
    )
    if context.unjudged is not None:
        material = replace(settings.material, peer_signing_key=context.unjudged)
        settings = replace(settings, material=material)
    source = LeasedCounters(context.store, fingerprint(context), at_least)
    return open_session(context, asked.client or client_of(mechanism), settings, source)
