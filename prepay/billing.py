"""The opening and the closing of an account, and what a closing settles."""

from msgspec import Struct

from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.consumption import collect_uncollected, rebased
from prepay.holdings import (
    BalanceOutOfRange,
    ChargeState,
    DebtOutOfRange,
    NoSuchCharge,
    Provision,
    Purse,
    Readings,
    Situation,
)
from prepay.money import MAX_AMOUNT, MIN_AMOUNT
from prepay.periods import begin_periods, collect_time, end_periods


class Opening(Struct, frozen=True):
    """What an account is opened with.

    Args:
        balance_brought: from an old meter, or from postpayment; minor units.
        debts: slot and amount remaining of each debt that is brought along.
        anchor: a local day on which a period of the standing charges begins; None for today.
        start_credit: whether the profile's start credit is given; not at an exchange of meters.
        first_day_paid: whether the standing charges of today were paid to another meter, as on
            the day of an exchange: the rest of the running period then begins tomorrow.
    """

    balance_brought: int = 0
    debts: tuple[tuple[int, int], ...] = ()
    anchor: int | None = None
    start_credit: bool = True
    first_day_paid: bool = False


class Settlement(Struct, frozen=True):
    """What a closing leaves to be settled by invoice; amounts in minor units.

    Args:
        purse: after it; its balance is 0 and it has no debts.
        closing_balance: what the customer gets back, or owes if it is below 0.
        debts: slot and amount remaining of each debt, those of 0 left out.
        returned: what came back of standing charges; it is in the closing balance.
    """

    purse: Purse
    closing_balance: int
    debts: tuple[tuple[int, int], ...]
    returned: int


def blank(rules: AccountRules) -> Purse:
    """Return the purse of an account that was never opened."""
    return Purse(charges=tuple(ChargeState(slot) for slot in range(len(rules.charges))))


def open_account(
    rules: AccountRules,
    purse: Purse,
    opening: Opening,
    readings: Readings,
    today: int,
    at_ms: int,
) -> Purse:
    """Open an account: first balance, debts, registers and periods.

    Args:
        rules: of the account.
        purse: of the closed account before it, or ``blank``. Totals and ``paid`` count on.
        opening: what the order says.
        readings: from which consumption counts.
        today: the local day; -1 while the clock is unknown.
        at_ms: now.

    Raises:
        BalanceOutOfRange: the first balance does not fit a double-long.
        NoSuchCharge: a debt is brought to a slot that is none.
        DebtOutOfRange: a debt below 0, or beyond a double-long.
    """
    held = purse.balance
    first = held + opening.balance_brought
    if opening.start_credit:
        first = rules.start_credit.first_balance(first)
    if not MIN_AMOUNT <= first <= MAX_AMOUNT:
        raise BalanceOutOfRange(f"a first balance of {first} does not fit a double-long")
    debts = _checked(rules, opening.debts)
    charges = tuple(
        replace(state, remaining=debts.get(state.slot, 0), remainder=0) for state in purse.charges
    )
    totals = replace(purse.totals, started=purse.totals.started + first - held)
    opened = rebased(rules, Purse(totals, charges, Provision()), readings)
    return begin_periods(
        rules, opened, opening.anchor, today, at_ms, first_day_paid=opening.first_day_paid
    )


def _checked(rules: AccountRules, debts: tuple[tuple[int, int], ...]) -> dict[int, int]:
    for slot, amount in debts:
        if not rules.is_debt(slot):
            raise NoSuchCharge(f"the charge in slot {slot} is no debt")
        if not 0 <= amount <= MAX_AMOUNT:
            raise DebtOutOfRange(f"a debt of {amount} is below 0, or beyond a double-long")
    found = dict(debts)
    if len(found) != len(debts):
        raise NoSuchCharge("a debt is brought along twice")
    return found


def close_account(
    rules: AccountRules,
    purse: Purse,
    readings: Readings,
    today: int,
    at_ms: int,
    situation: Situation,
) -> Settlement:
    """Close an account: collect, give back unused standing charges, settle.

    All energy is collected for, also what would have waited in this situation.

    Args:
        rules: of the account.
        purse: of the open account.
        readings: the last.
        today: the local day, of no account while the clock is unknown.
        at_ms: now.
        situation: now; with an unknown clock nothing is collected for time and nothing returned.
    """
    purse = collect_uncollected(rules, purse, readings, at_ms)
    purse = collect_time(rules, purse, today, at_ms, situation)
    purse, returned = end_periods(rules, purse, today if situation.clock_known else -1)
    closing = purse.totals.balance  # what is owed of the emergency credit is settled with it
    debts = tuple((state.slot, state.remaining) for state in purse.charges if state.remaining)
    charges = tuple(replace(state, remaining=0) for state in purse.charges)
    totals = replace(purse.totals, settled=purse.totals.settled + closing)
    after = Purse(totals, charges, purse.provision)
    return Settlement(after, closing, debts, returned)
