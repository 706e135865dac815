"""Orders that have grown old: what the meter no longer remembers is never taken for undone."""

from dataclasses import dataclass

import pytest

from headend.commands.activate import activate
from headend.commands.settle import settle
from headend.commands.topup import top_up
from headend.errors import HeadendError, OutcomeUnknown
from headend.line import open_line
from headend.plans.local import local_topup
from headend.plans.planning import new_id
from headend.store import ledger, meters, transactions
from headend.store.transactions import State
from headend.transports import LinkKind
from obis import catalogue
from prepay.keys import LAB_KEYS
from prepay.ledger import Account
from prepay.tokens.vend import vend_lab
from prepay.transactions import REMEMBERED, transaction_id
from protocol.axdr import octet_string
from protocol.events import ActionRequest, MethodRef
from protocol.timing import later
from tests.headend.bench import Bench, Loss, Standing
from tests.meter_fw.rig import MANAGER, NAME

_WEEK = 7 * 24 * 3_600_000
_PAID = 15_000


@dataclass
class Deaf(Loss):
    """A line on which nothing comes back after so many octets.

    Args:
        until: octets that still come.
    """

    until: int = 0

    def back(self, octets: bytes) -> bytes:
        """Return what of the octets reaches the head-end."""
        before, self.seen_from = self.seen_from, self.seen_from + len(octets)
        return octets[: max(self.until - before, 0)]


def prepared() -> Standing:
    """Return a local meter that is prepaid."""
    bench = Bench("il", LinkKind.WRAPPER)
    activate(bench.context())
    return bench.save()


def unknown() -> Bench:
    """Return a bench whose top-up was executed, and whose answer got lost for good."""
    standing = prepared()
    for octets in range(100, 400, 5):
        bench = Bench("il", LinkKind.WRAPPER, standing, Deaf(until=octets))
        try:
            top_up(bench.context(), "150.00")
        except OutcomeUnknown:
            if bench.kernel.state.totals.paid == _PAID:
                bench.loss = Loss()
                return bench
        except HeadendError:
            continue
    raise AssertionError("no point of the exchange leaves the outcome unknown")


def fill_the_log(bench: Bench) -> None:
    """Let the meter take so many younger tokens that it forgets the first."""
    for number in range(REMEMBERED + 1):
        identity = transaction_id(bench.now + 1_000 + number, bytes(10))
        token = vend_lab(LAB_KEYS.token_key, NAME.encode(), identity, 100)
        method = MethodRef(115, catalogue.TOKEN_GATEWAY, 1)
        bench.kernel.answer(MANAGER, ActionRequest(method, octet_string(token)))


def books(bench: Bench) -> tuple[int, list[State]]:
    """Return what was taken for the meter, and the states of its transactions."""
    with bench.store.begin() as db:
        (meter,) = meters.every(db)
        states = [each.state for each in transactions.of_meter(db, meter.id)]
        return -ledger.balance(db, meter.id, Account.CASH), states


def test_what_the_log_still_has_is_settled_however_late() -> None:
    """The meter's word under our id counts a month later too."""
    bench = unknown()
    bench.now = later(bench.now, 4 * _WEEK)
    settle(bench.context())
    assert books(bench)[0] == _PAID
    assert books(bench)[1][-1] is State.SETTLED


def test_what_the_meter_has_forgotten_stays_unknown_and_booked() -> None:
    """Its silence proves nothing: to undo the booking would lose the customer's money or ours."""
    bench = unknown()
    fill_the_log(bench)
    bench.now = later(bench.now, 2 * _WEEK)
    with pytest.raises(OutcomeUnknown):
        settle(bench.context())
    assert books(bench)[0] == _PAID
    assert books(bench)[1][-1] is State.UNKNOWN


def test_what_was_lost_on_the_way_expires_and_is_undone() -> None:
    """Within the reach of the log, not to be there is never to have been executed."""
    bench = Bench("il", LinkKind.WRAPPER, prepared())
    with open_line(bench.context()) as line:
        planned = local_topup(line, new_id(line), _PAID)
        with bench.store.begin() as db:  # it dies here, with the token on its way
            transactions.mark_sent(db, planned.id, line.now)
    assert books(bench)[0] == _PAID
    bench.now = later(bench.now, 2 * _WEEK)
    settle(bench.context())
    paid, states = books(bench)
    assert (paid, bench.kernel.state.totals.paid) == (0, 0)
    assert states[-1] is State.REFUSED
