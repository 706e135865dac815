"""The words for why supply is on or off: one for each row of the table, and what comes next."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from prepay.account_rules import AccountRules, DebtRules
from prepay.charge import Charge, ChargeType, Tariff
from prepay.credit import CreditRules, EmergencySelection, standing
from prepay.cut import BalanceMode, Reason, Supply, Verdict
from prepay.explain import BECAUSE, Present, explain, least_payment
from prepay.holdings import Advance, ChargeState, Purse, Totals
from prepay.money import EUR
from prepay.topup import TopUpLimits
from prepay.topup_order import top_up

BRUSSELS = ZoneInfo("Europe/Brussels")
NOON = datetime(2027, 4, 23, 12, 0, tzinfo=BRUSSELS)
MONDAY = datetime(2027, 4, 26, 8, 0, tzinfo=BRUSSELS)
CREDIT = CreditRules(emergency_amount=1200, emergency_selection=EmergencySelection.BUTTON)
#: Of each top-up 30 % repay it.
SHARED = replace(CREDIT, repayment=30)
#: The same, on offer while the balance is 10.00.
OFFERED = replace(SHARED, emergency_threshold=1000)
RULES = AccountRules(
    EUR,
    CREDIT,
    (
        Charge("energy", ChargeType.CONSUMPTION, register="1-0:1.8.0", tariffs=(Tariff(1, 0),)),
        Charge("debt", ChargeType.PAYMENT_EVENT, continuous=False),
    ),
    ("debts", "credit"),
    DebtRules(proportion=5000),
    TopUpLimits(500, 25000),
)


def present(reason: Reason, balance: int = -500, *, flow: Supply = Supply.FULL) -> Present:
    """Return a local meter at noon on a Friday, with a verdict of that reason."""
    purse = Purse(Totals(started=balance), (ChargeState(0), ChargeState(1)))
    return Present(
        at=NOON,
        mode=BalanceMode.LOCAL,
        rules=RULES,
        purse=purse,
        standing=standing(CREDIT, balance, False),
        verdict=Verdict(flow, reason),
        friendly=False,
        next_edge=MONDAY,
        on=flow is not Supply.NONE,
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_row_of_the_table_has_its_sentence(reason: Reason) -> None:
    """And says what comes next, or that nothing of credit matters."""
    told = explain(present(reason))
    assert told.because[0] == BECAUSE[reason]
    assert told.next


def test_no_two_rows_say_the_same() -> None:
    """Else a reader could not tell which of them decided."""
    assert len(set(BECAUSE.values())) == len(Reason)


def test_what_is_owed_beside_the_balance_is_said_and_counted() -> None:
    """5.00 of credit, 7.00 owed of 12.00 and taken: used up at -5.00, which is 10.00 away."""
    shared = replace(present(Reason.CREDIT_LEFT, 500), rules=replace(RULES, credit=SHARED))
    told = explain(replace(shared, standing=standing(OFFERED, 500, True, owed=700)))
    assert told.because[1] == "The balance is EUR 5.00; supply is used up at EUR -5.00."
    assert told.because[2].startswith("Of the emergency credit EUR 7.00 are owed beside it;")
    assert told.next[0] == "When EUR 10.00 more are used."


@pytest.mark.parametrize(
    ("balance", "owed", "taken", "least", "why"),
    [
        (-1200, 0, True, 500, "taken and used up: the least payment of 5.00 is enough"),
        (-2000, 0, True, 801, "8.00 below the floor, and a cent"),
        (-500, 700, True, 500, "on the floor with 7.00 owed"),
        (-1000, 700, True, 501, "5.00 below it"),
        (-1000, 700, False, 1429, "not taken: 30 % repay, and 10.01 have to be credit"),
    ],
)
def test_the_least_payment_knows_the_share_that_repays(
    balance: int, owed: int, taken: bool, least: int, why: str
) -> None:
    """An advance of 12.00; the least payment is 5.00."""
    charges = (ChargeState(0), ChargeState(1))
    purse = Purse(Totals(started=balance - owed), charges, advance=Advance(owed))
    rules = replace(RULES, credit=SHARED)
    floor = SHARED.floor if taken else SHARED.limit
    assert least_payment(rules, purse, floor, 0, advanced=taken) == least, why


def test_a_cut_says_how_much_brings_supply_back() -> None:
    """EUR 5.01 credited are above 0; below the least payment of 5.00 nobody can pay 5.01 less."""
    told = explain(present(Reason.USED_UP, flow=Supply.NONE))
    assert told.supply == "off"
    assert "A payment of at least EUR 5.01 closes the relay." in told.next
    assert (
        "The button on the meter takes the emergency credit; EUR 7.00 are left of it." in told.next
    )


def test_in_central_mode_the_balance_that_is_needed_is_told() -> None:
    """A balance of exactly the floor is used up; how much more than now would be no balance."""
    told = explain(replace(present(Reason.USED_UP, flow=Supply.NONE), purse=None))
    assert "A snapshot with a balance above EUR 0.00 closes the relay." in told.next


def test_a_debt_makes_the_payment_dearer() -> None:
    """Half of each payment goes to the debt: 10.02 bring 5.01, and so would 10.01."""
    purse = Purse(Totals(started=-500), (ChargeState(0), ChargeState(1, remaining=9000)))
    told = explain(replace(present(Reason.USED_UP, flow=Supply.NONE), purse=purse))
    assert "A payment of at least EUR 10.01 closes the relay." in told.next


def test_a_window_says_when_it_ends_and_what_then() -> None:
    """Cut for most, the minimum for a protected customer."""
    inside = replace(present(Reason.FRIENDLY_WINDOW), friendly=True)
    ends = "At Monday 2027-04-26 08:00 the window ends; if nothing is paid before, supply is"
    assert f"{ends} cut." in explain(inside).next
    assert f"{ends} limited to the minimum." in explain(replace(inside, protected=True)).next


def test_credit_says_until_when_it_lasts_at_recent_use() -> None:
    """EUR 6.00 at EUR 2.00 a day are three days."""
    told = explain(replace(present(Reason.CREDIT_LEFT, 600), daily=5500, daily_cost=200))
    assert told.next[0] == (
        "When EUR 6.00 more are used: at recent use (5.5 kWh a day) that is about"
        " Monday 2027-04-26 12:00."
    )


def test_whoever_else_holds_the_relay_open_is_named_first() -> None:
    """Money alone would not bring that supply back."""
    held = replace(present(Reason.CREDIT_LEFT, 600), on=False, others=("an operator did",))
    told = explain(held)
    assert (told.supply, told.because[0]) == (
        "off",
        "The relay is held open: an operator did.",
    )
    assert told.next[0] == "The end of this: an operator did."


def test_a_relay_that_is_only_ready_names_the_button() -> None:
    """Credit supplies, nobody holds it open, and it is open."""
    told = explain(replace(present(Reason.CREDIT_LEFT, 600), on=False))
    assert "The relay is ready: the button on the meter closes it." in told.because


@given(balance=st.integers(-40_000, 0), debt=st.integers(0, 30_000), above=st.integers(-5000, 0))
def test_the_least_payment_lifts_the_balance_and_a_cent_less_does_not(
    balance: int, debt: int, above: int
) -> None:
    """Or no payment that is allowed does."""
    purse = Purse(Totals(started=balance), (ChargeState(0), ChargeState(1, remaining=debt)))
    found = least_payment(RULES, purse, above, 0)
    if found is None:
        assert top_up(RULES, purse, RULES.limits.maximum, 0).purse.balance <= above
        return
    assert top_up(RULES, purse, found, 0).purse.balance > above
    less = found - 1
    assert less < RULES.limits.minimum or top_up(RULES, purse, less, 0).purse.balance <= above
