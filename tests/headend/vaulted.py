"""A bench whose head-end has the meter's keys in the vault, and what may break in a rotation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from headend.context import Context, Settings
from headend.store import Store, registry
from headend.store.connection import Connection
from headend.store.registry import Entry
from headend.vault import Kind, MasterKey, Masters, Vault
from headend.vault.kinds import TRANSFERRED
from meter_fw.keyring import Keyring
from obis.values import replace
from prepay.keys import MeterKeys, lab_keys, parse_keys
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
    """Return the keys that the meter has, of those that it lets be changed."""
    ring, state = Keyring(bench.factory, bench.kernel.state), bench.kernel.state
    found = {kind: ring.symmetric(key_id) for kind, key_id in TRANSFERRED.items()}
    found[Kind.SECRET] = state.hls_secret.value or bench.keys.secret
    found[Kind.PASSWORD] = state.password.value or bench.keys.password
    return found


def ours(bench: Bench) -> dict[Kind, bytes]:
    """Return the same keys as the vault has them in force."""
    keys = vault_of(bench.store).keys_of(NAME)
    return {kind: getattr(keys, kind.value) for kind in meters_own(bench)}


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
