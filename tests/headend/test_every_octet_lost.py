"""A top-up with any one octet or datagram lost: after settling, what was paid is credited once."""

import os
from contextlib import suppress
from random import randrange

import pytest

from headend.commands.activate import activate
from headend.commands.settle import settle
from headend.commands.topup import top_up
from headend.errors import HeadendError
from headend.store import Store, ledger, meters
from headend.transports import LinkKind
from prepay.ledger import Account
from prepay.transactions import Kind, Outcome
from tests.headend.bench import Bench, Loss, Standing

AMOUNTS = {"be-wal": ("25.00", 2_500), "il": ("150.00", 15_000)}


def prepared(profile: str, kind: LinkKind) -> Standing:
    """Return where an exchange begins: a meter that is prepaid and known."""
    bench = Bench(profile, kind, loss=Loss(whole=kind is LinkKind.DATAGRAMS))
    activate(bench.context())
    standing = bench.save()
    bench.close()
    return standing


def paid(bench: Bench) -> int:
    """Return what the head-end's ledger has taken for this meter."""
    with bench.store.begin() as db:
        (meter,) = meters.every(db)
        return -ledger.balance(db, meter.id, Account.CASH)


def credited(bench: Bench) -> int:
    """Return what the meter has been given since its activation."""
    state = bench.kernel.state
    if bench.profile == "il":
        assert state.totals.paid == sum(
            entry.amount
            for entry in state.transactions
            if entry.kind is Kind.TOKEN and entry.outcome is Outcome.DONE
        )
        return state.totals.paid
    return state.snapshot.balance - 2_000


def exchange(
    profile: str, kind: LinkKind, standing: Standing, loss: Loss, store: Store
) -> tuple[int, int]:
    """Top up over a line that loses an octet, settle over one that does not; return the money."""
    bench = Bench(profile, kind, standing, loss, store)
    with suppress(HeadendError):  # no answer, or outcome unknown
        top_up(bench.context(), AMOUNTS[profile][0])
    bench.loss = Loss(whole=loss.whole)
    settle(bench.context())
    bench.boot()  # what counts is what survives
    return paid(bench), credited(bench)


def step(profile: str, kind: LinkKind) -> int:
    """From one position to the next: a soak tries each, on both transports of each mode.

    Else one transport of each mode is tried closely; the steps share no factor with the lengths of
    blocks, so that no field is always spared. Datagrams are few: each of them is lost in its turn.
    """
    if os.environ.get("HYPOTHESIS_PROFILE") == "soak" or kind is LinkKind.DATAGRAMS:
        return 1
    crossed = (profile, kind) in {("be-wal", LinkKind.HDLC), ("il", LinkKind.WRAPPER)}
    return 17 if crossed else 5


def lost(direction: str, position: int, *, whole: bool) -> Loss:
    """Lose the octet, or the datagram, at a position."""
    if direction == "to_meter":
        return Loss(to_meter=position, whole=whole)
    return Loss(from_meter=position, whole=whole)


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", LinkKind)
@pytest.mark.parametrize("profile", ["be-wal", "il"])
@pytest.mark.parametrize("direction", ["to_meter", "from_meter"])
def test_whichever_octet_is_lost_what_was_paid_is_credited_once(
    profile: str, kind: LinkKind, direction: str
) -> None:
    """Every position of the exchange on each transport, in both modes: in a soak at once, else by
    and by, as each run begins at another of the positions that lie within its first step.
    """
    standing = prepared(profile, kind)
    whole = kind is LinkKind.DATAGRAMS
    store, seen = Store("sqlite://"), Loss(whole=whole)
    full = exchange(profile, kind, standing, seen, store)
    assert full == (AMOUNTS[profile][1], AMOUNTS[profile][1])
    octets = seen.seen_to if direction == "to_meter" else seen.seen_from
    assert octets > (4 if whole else 300)
    reached = set()
    stride = step(profile, kind)
    for position in range(randrange(stride), octets, stride):
        money = exchange(profile, kind, standing, lost(direction, position, whole=whole), store)
        assert money[0] == money[1], f"octet {position} of {octets}"
        reached.add(money[0])
    store.close()
    assert AMOUNTS[profile][1] in reached  # losses do not simply end in nothing
