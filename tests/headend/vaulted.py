"""A bench whose head-end has the meter's keys in the vault, and what may break in a rotation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from headend.commands.keys import rotate
from headend.context import Context, Settings
from headend.reach import reached
from headend.security import public_of
from headend.store import Store, counters, registry
from headend.store.connection import Connection
from headend.store.registry import Entry
from headend.transports import LinkKind
from headend.vault import Kind, MasterKey, Masters, Vault
from headend.vault.kinds import OUR_PAIRS, OWN_PAIRS, TRANSFERRED, pair_of
from meter_fw.keyring import Keyring
from obis.values import replace
from prepay.keys import MeterKeys, lab_keys, parse_keys
from protocol.security import SecuritySuite
from tests.headend.bench import PATIENCE, SPECS, Bench
from tests.interop.secured import key_file
from tests.meter_fw.rig import NAME

MASTERS = Masters((MasterKey(bytes(range(0xC0, 0xE0))),), "the test")
IDENTITY = "01930000000070008000000000000001"


def own_keys(suite: int = 0, mechanism: str = "hls-gmac") -> MeterKeys:
    """Return keys none of which is the lab's or a part of another."""
    keys = replace(parse_keys(key_file(suite, mechanism)), password=b"reader's 1st word")
    lab = lab_keys(0)  # suite 0 has pairs that nobody uses, and nobody keeps
    return keys if suite else replace(keys, meter=lab.meter, client=lab.client)


def vaulted(bench: Bench) -> Bench:
    """Register the bench's meter, and take its keys in."""
    with bench.store.begin() as db:
        registry.add(db, [Entry(NAME, transport=SPECS[bench.kind])], bench.now)
    vault_of(bench.store).put(NAME, bench.keys, bench.now, "tester")
    return bench


def vault_of(store: Store) -> Vault:
    """Return the vault of a database."""
    return Vault(store, MASTERS)


def by_name(bench: Bench, **more: Any) -> Context:
    """Return a run of a command against the bench's meter, given by its name."""
    trace = more.pop("trace_to", None)
    context = Context(
        Settings(meter=NAME, trace=trace is not None, **more),
        now=bench.clock,
        entropy=bench.entropy,
        transports=bench._open,
        store=bench.store,
        patience=PATIENCE,
        masters=MASTERS,
        trace=(lambda line: None) if trace is None else trace.append,
    )
    context.caller = "tester"
    return context


def meters_own(bench: Bench) -> dict[Kind, bytes]:
    """Return the keys that the meter has, of those that it lets be changed; of pairs the public."""
    ring, state = Keyring(bench.factory, bench.kernel.state), bench.kernel.state
    found = {kind: ring.symmetric(key_id) for kind, key_id in TRANSFERRED.items()}
    found[Kind.SECRET] = state.hls_secret.value or bench.keys.secret
    found[Kind.PASSWORD] = state.password.value or bench.keys.password
    if not bench.keys.suite:
        return found
    for kind, purpose in OWN_PAIRS.items():
        own = ring.own(purpose)
        assert own is not None
        found[kind] = own.public.point
    with bench.store.read() as db:
        title = counters.known_title(db) or b""
    for kind, purpose in OUR_PAIRS.items():
        client = ring.client(purpose, title)
        assert client is not None
        found[kind] = client.point
    return found


def ours(bench: Bench) -> dict[Kind, bytes]:
    """Return the same keys as the vault has them in force."""
    keys = vault_of(bench.store).keys_of(NAME)
    assert keys is not None
    suite = SecuritySuite(keys.suite)
    return {
        kind: public_of(suite, pair_of(keys, kind)).point
        if kind in (*OUR_PAIRS, *OWN_PAIRS)
        else getattr(keys, kind.value)
        for kind in meters_own(bench)
    }


def bench(keys_: MeterKeys, kind: LinkKind = LinkKind.WRAPPER) -> Bench:
    """A meter whose keys the vault has."""
    return vaulted(Bench("be-wal", kind, keys=keys_))


def states(made: Bench) -> dict[str, list[str]]:
    """Return the states of the versions of each kind."""
    found: dict[str, list[str]] = {}
    for each in vault_of(made.store).listed(NAME):
        found.setdefault(each.kind, []).append(each.state.value)
    return found


def pending(made: Bench) -> Kind | None:
    """Return which key is pending."""
    held = vault_of(made.store).held(NAME)
    assert held is not None
    return held.pending


def answers(made: Bench) -> bool:
    """Whether the meter answers to its name."""
    with reached(by_name(made)) as device:
        return device.name() == NAME


class Killed(BaseException):
    """The process died here: nothing of it catches this."""


@contextmanager
def dying(store: Store, at: int) -> Iterator[list[int]]:
    """Let the process die at a transaction that writes.

    Args:
        store: the database.
        at: even: before transaction ``at // 2``; odd: after it was committed.

    Yields:
        One element for each transaction that was begun.
    """
    seen: list[int] = []
    real = store.begin

    @contextmanager
    def begin() -> Iterator[Connection]:
        number = 2 * len(seen)
        seen.append(number)
        if number == at:
            raise Killed
        with real() as db:
            yield db
        if number + 1 == at:
            raise Killed

    store.begin = begin  # type: ignore[method-assign]  # of this one store, and put back below
    try:
        yield seen
    finally:
        del store.begin  # the class's own is back


def check_goes_on(
    made: Bench, kinds: Sequence[str], *, booted: bool = False, rotations: int = 1
) -> None:
    """Check that the meter answers at once, and that the same rotation then comes to its end.

    Args:
        made: after the accident.
        kinds: what was to be rotated.
        booted: the meter's power went as well.
        rotations: how many there have been of each kind, this one included.
    """
    if booted:
        made.boot()
    assert answers(made)
    rotate(by_name(made), kinds=kinds, identity=IDENTITY)
    assert pending(made) is None
    assert meters_own(made) == ours(made)
    found = states(made)
    assert all(found[kind][-2:] == ["retired", "current"] for kind in kinds)
    assert all(len(found[kind]) == 1 + rotations for kind in kinds)  # each was drawn once
    assert answers(made)


def dies_at_every_write(kinds: Sequence[str], make: Callable[[], Bench]) -> set[Kind | None]:
    """Rotate with a death before and after each transaction; return what was pending then.

    Args:
        kinds: what is rotated.
        make: makes a bench, as it is before the rotation.
    """
    pendings: set[Kind | None] = set()
    for at in count():
        made = make()
        try:
            with dying(made.store, at):
                rotate(by_name(made), kinds=kinds, identity=IDENTITY)
        except Killed:
            pendings.add(pending(made))
            check_goes_on(made, kinds)
        else:
            break
    return pendings
