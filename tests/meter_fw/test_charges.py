"""Charges on the meter (class 113): what is collected, when, and at whose price."""

import pytest

from meter_fw.state import MeterState
from obis import catalogue
from prepay.transactions import Kind, Outcome
from protocol.axdr import (
    Data,
    array,
    double_long,
    integer,
    long_,
    long_unsigned,
    octet_string,
    structure,
)
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from tests.meter_fw.accounts import (
    COSTS,
    DONE,
    ENERGY,
    FEE,
    INTEREST,
    PRINCIPAL,
    STANDING,
    VAT,
    account,
    balanced,
    charge,
    made,
    opened,
    priced,
)
from tests.meter_fw.rig import Rig

SCOPE = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def price(value: int, scale: int = -2) -> Data:
    """Return a unit charge for imported energy."""
    register = octet_string(catalogue.ACTIVE_ENERGY_IMPORT.to_bytes())
    return structure(
        structure(integer(3), integer(scale)),
        structure(long_unsigned(3), register, integer(2)),
        array(element(b"", value)),
    )


def element(index: bytes, value: int) -> Data:
    """Return an element of a charge table."""
    return structure(octet_string(index), long_(value))


def at(rig: Rig, local: str) -> Data:
    """Return a local moment as an attribute takes it."""
    return octet_string(rig.stamp(local).to_bytes())


def situations(rig: Rig, bits: str) -> Data:
    """Return the credit_charge_configuration with these bits for energy and standing charge."""
    pairs = rig.get(catalogue.ACCOUNT, 111, 11)
    assert isinstance(pairs, Data)
    others = [row.value[2].value for row in pairs.value[2:]]
    return array(
        *(
            structure(*row.value[:2], Data(row.value[2].tag, each))
            for row, each in zip(pairs.value, [bits, bits, *others], strict=True)
        )
    )


# --- energy ------------------------------------------------------------------------------------


def test_energy_is_charged_and_its_remainder_kept() -> None:
    """0.50 a kWh: 39 Wh are 1.95 agorot, of which 1 is collected; 1 Wh more makes the second."""
    rig = opened(balance=4000)
    first = rig.balance
    rig.use(39)
    assert (rig.balance, charge(rig, ENERGY, 2), charge(rig, ENERGY, 11)) == (first - 1, 1, 1)
    rig.use(1)
    assert (rig.balance, charge(rig, ENERGY, 2)) == (first - 2, 2)
    assert balanced(rig)


def test_a_price_that_waits_takes_over_at_its_second_and_what_was_used_pays_the_old_one() -> None:
    """1 kWh at 0.50 before 13:00:30, 1 kWh at 0.70 after it; the meter wakes for it."""
    rig = opened(balance=4000)
    first = rig.balance
    code = catalogue.CHARGES[ENERGY]
    assert rig.set(code, 113, price(70), 6) is DONE
    assert rig.set(code, 113, at(rig, "2026-11-23T13:00:30"), 7) is DONE
    assert charge(rig, ENERGY, 5)[2].value[0].value[1].value == 5  # 5 x 10^-1
    rig.until("2026-11-23T13:00:29")
    rig.use(1000)
    assert rig.balance == first - 50
    rig.until("2026-11-23T13:00:30")
    assert charge(rig, ENERGY, 5)[2].value[0].value[1].value == 70
    rig.use(1000)
    assert rig.balance == first - 120
    rig.tick(failing=True)
    rig.boot()
    rig.use(1000)
    assert rig.balance == first - 190


def test_the_remainder_survives_a_change_of_price() -> None:
    """39 Wh leave 0.95 agorot at 0.50; 10 Wh at 0.05 make them 1.00."""
    rig = opened(balance=4000)
    first = rig.balance
    rig.use(39)
    code = catalogue.CHARGES[ENERGY]
    assert rig.act(code, 113, 1, element(b"", 0)) is ActionResult.SUCCESS  # one element
    assert rig.act(code, 113, 1, array(element(b"", 0))) is ActionResult.SUCCESS
    assert rig.act(code, 113, 1, price(5)) is ActionResult.SUCCESS
    assert rig.act(code, 113, 2, integer(0)) is ActionResult.SUCCESS
    rig.use(9)
    assert rig.balance == first - 1
    rig.use(1)
    assert rig.balance == first - 2


def test_energy_that_waits_pays_the_price_at_which_it_was_used() -> None:
    """1 kWh at 0.50 while nothing is collected; the change of price collects it first."""
    rig = opened(balance=4000)
    first = rig.balance
    assert rig.set(catalogue.ACCOUNT, 111, situations(rig, "011"), 11) is DONE
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    rig.use(1000)
    assert rig.balance == first
    code = catalogue.CHARGES[ENERGY]
    assert rig.set(code, 113, price(70), 6) is DONE
    assert rig.act(code, 113, 2, integer(0)) is ActionResult.SUCCESS
    assert rig.balance == first - 50


WRONG_PRICES = {
    "another register": structure(
        structure(integer(3), integer(-2)),
        structure(long_unsigned(3), octet_string(bytes(6)), integer(2)),
        array(element(b"", 1)),
    ),
    "another scale of energy": structure(
        structure(integer(0), integer(-2)),
        structure(
            long_unsigned(3),
            octet_string(catalogue.ACTIVE_ENERGY_IMPORT.to_bytes()),
            integer(2),
        ),
        array(element(b"", 1)),
    ),
    "a scale that no price has": price(1, -7),
    "two prices where one counts": structure(
        structure(integer(3), integer(-2)),
        structure(
            long_unsigned(3),
            octet_string(catalogue.ACTIVE_ENERGY_IMPORT.to_bytes()),
            integer(2),
        ),
        array(element(b"\1", 1), element(b"\2", 1)),
    ),
}


@pytest.mark.parametrize("value", WRONG_PRICES.values(), ids=WRONG_PRICES)
def test_a_price_list_that_the_charge_cannot_go_by_is_refused(value: Data) -> None:
    """And nothing waits then."""
    rig = opened()
    before: MeterState = rig.kernel.state
    assert rig.set(catalogue.CHARGES[ENERGY], 113, value, 6) is SCOPE
    assert rig.kernel.state.charge_terms == before.charge_terms


def test_fed_in_energy_counts_on_its_own_register() -> None:
    """And costs nothing where no charge is for it."""
    rig = opened(balance=4000)
    first = rig.balance
    rig.tick(exported=1234, exported_power=500)
    found = rig.get(catalogue.ACTIVE_ENERGY_EXPORT, 3)
    assert isinstance(found, Data)
    assert (found.value, rig.balance) == (1234, first)


# --- time --------------------------------------------------------------------------------------


def test_a_standing_charge_is_taken_pro_rata_at_opening_and_whole_at_each_period() -> None:
    """30.00 for 30 days from 1 November; opened on the 23rd: 23..30 November are 8 days: 8.00."""
    rig = opened(None, 10_000, anchor="2026-11-01")
    assert (rig.balance, charge(rig, STANDING, 2)) == (10_000 - 800, 800)
    rig.until("2026-11-30T23:59:59")
    assert rig.balance == 9_200
    rig.until("2026-12-01T00:00:00")
    assert (rig.balance, charge(rig, STANDING, 11)) == (6_200, 3000)
    assert charge(rig, STANDING, 8) == 30 * 86_400
    assert balanced(rig)


def test_periods_that_began_in_a_power_cut_are_each_collected_at_the_first_tick() -> None:
    """Two of them: 1 and 31 December."""
    rig = opened(None, 20_000, anchor="2026-11-01")
    rig.now = rig._instant("2027-01-02T10:00")
    rig.boot()
    assert rig.balance == 20_000 - 800 - 2 * 3000


def test_a_clock_set_forward_over_periods_collects_one_and_set_back_none_again() -> None:
    """Nobody lived the time in between."""
    rig = opened(None, 20_000, anchor="2026-11-01")
    assert rig.set(catalogue.CLOCK, 8, at(rig, "2027-02-10T12:00")) is DONE
    assert rig.balance == 20_000 - 800 - 3000
    assert rig.set(catalogue.CLOCK, 8, at(rig, "2026-11-23T12:00")) is DONE
    rig.until("2026-12-02T00:00")
    assert rig.balance == 20_000 - 800 - 3000


def test_what_is_not_collected_while_disconnected_waits_or_is_let_go() -> None:
    """credit_charge_configuration: energy waits; the standing charge of that period is let go."""
    rig = opened(None, 10_000, anchor="2026-11-24")
    without = situations(rig, "011")
    assert rig.set(catalogue.ACCOUNT, 111, without, 11) is DONE
    found = rig.get(catalogue.ACCOUNT, 111, 11)
    assert found == without
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 1, integer(0))
    rig.use(2000)
    held = rig.balance
    rig.until("2026-11-24T00:00:00")
    assert rig.balance == held  # a period has begun, and was let go
    rig.act(catalogue.DISCONNECT_CONTROL, 70, 2, integer(0))
    rig.tick()
    assert rig.balance == held - 100  # 2 kWh at 0.50


# --- payments and debts ------------------------------------------------------------------------


def test_a_token_is_shared_out_in_the_order_of_the_profile() -> None:
    """Of 200.00 the fee is 2.00, VAT 20.00, costs 30.00, interest 70.00; 78.00 are left."""
    rig = opened(None, 0, (COSTS, 3000), (INTEREST, 9000), (PRINCIPAL, 50_000), anchor="2026-11-23")
    before = rig.balance
    assert account(rig, 8) == 62_000
    assert rig.enter(rig.token(5, 20_000)) is ActionResult.SUCCESS
    assert rig.balance - before == 7_800
    paid = [charge(rig, slot, 2) for slot in (FEE, VAT, COSTS, INTEREST, PRINCIPAL)]
    assert paid == [200, 2_000, 3_000, 7_000, 0]
    assert [charge(rig, slot, 12) for slot in (COSTS, INTEREST, PRINCIPAL)] == [0, 2_000, 50_000]
    assert account(rig, 8) == 52_000
    assert balanced(rig)
    last = rig.kernel.state.tokens[-1]
    assert (last.gross, last.credited) == (20_000, 7_800)


def test_debts_collect_no_more_than_the_provision_of_their_period() -> None:
    """50.00 in a day: of two tokens on one day the second pays none, on the next day it does."""
    rig = opened(None, 0, (PRINCIPAL, 50_000))
    assert rig.set(catalogue.ACCOUNT, 111, long_unsigned(5_000), 18) is DONE
    assert rig.set(catalogue.ACCOUNT, 111, double_long(86_400), 19) is DONE
    assert (account(rig, 18), account(rig, 19)) == (5_000, 86_400)
    for identity, remaining in ((5, 45_000), (6, 45_000)):
        rig.enter(rig.token(identity, 20_000))
        assert charge(rig, PRINCIPAL, 12) == remaining
    rig.until("2026-11-24T12:00")
    rig.enter(rig.token(7, 20_000))
    assert charge(rig, PRINCIPAL, 12) == 40_000


def test_the_share_of_the_debts_is_one_for_all_of_them_and_may_be_set() -> None:
    """25 % instead of 50 %; more than the whole together with VAT is refused."""
    rig = opened(None, 0, (PRINCIPAL, 50_000))
    assert rig.set(catalogue.CHARGES[COSTS], 113, long_unsigned(2_500), 13) is DONE
    assert charge(rig, PRINCIPAL, 13) == 2_500
    assert rig.set(catalogue.CHARGES[COSTS], 113, long_unsigned(9_500), 13) is SCOPE
    rig.enter(rig.token(5, 20_000))
    assert charge(rig, PRINCIPAL, 12) == 45_000


# name, method, amount, answer, what remains of 100.00
REMAINING = [
    ("more", 4, 500, ActionResult.SUCCESS, 10_500),
    ("less", 4, -10_000, ActionResult.SUCCESS, 0),
    ("below 0", 4, -10_001, ActionResult.SCOPE_OF_ACCESS_VIOLATED, 10_000),
    ("beyond 32 bits", 4, 2**31 - 1, ActionResult.SCOPE_OF_ACCESS_VIOLATED, 10_000),
    ("set", 5, 7, ActionResult.SUCCESS, 7),
    ("set below 0", 5, -1, ActionResult.SCOPE_OF_ACCESS_VIOLATED, 10_000),
]


@pytest.mark.parametrize(
    ("method", "amount", "answer", "after"),
    [row[1:] for row in REMAINING],
    ids=[row[0] for row in REMAINING],
)
def test_what_remains_of_a_debt_is_moved_by_its_methods(
    method: int, amount: int, answer: ActionResult, after: int
) -> None:
    """Only within what a double-long carries, and never below nothing."""
    rig = opened(None, 0, (PRINCIPAL, 10_000))
    code = catalogue.CHARGES[PRINCIPAL]
    assert rig.act(code, 113, method, double_long(amount)) is answer
    assert charge(rig, PRINCIPAL, 12) == after


def test_nothing_ever_remains_of_a_continuous_charge() -> None:
    """So its methods for that are refused, and no debt is brought to it."""
    rig = opened()
    code = catalogue.CHARGES[STANDING]
    assert rig.act(code, 113, 5, double_long(1)) is ActionResult.OTHER_REASON
    assert rig.order(1, Kind.DEBT, vendor.Debt(STANDING, 1)) is DataAccessResult.OTHER_REASON
    assert rig.last_outcome().outcome == Outcome.NO_SUCH_CHARGE


def test_collect_takes_what_is_due_and_of_a_payment_there_is_none() -> None:
    """Where the meter collects at all."""
    rig = opened(None, 1_000)
    assert rig.act(catalogue.CHARGES[ENERGY], 113, 3, integer(0)) is ActionResult.SUCCESS
    assert rig.act(catalogue.CHARGES[STANDING], 113, 3, integer(0)) is ActionResult.SUCCESS
    assert rig.act(catalogue.CHARGES[FEE], 113, 3, integer(0)) is ActionResult.TEMPORARY_FAILURE
    new = made(priced())
    assert new.act(catalogue.CHARGES[ENERGY], 113, 3, integer(0)) is ActionResult.OTHER_REASON


# --- terms of the account ----------------------------------------------------------------------


def test_thresholds_are_the_accounts_and_the_rules_go_by_them() -> None:
    """Low under 50.00 instead of 20.00; both objects say so; after a power cut too."""
    rig = opened(None, 6_000, anchor="2026-11-23")
    assert rig.balance == 3_000
    assert not rig.kernel.state.account.low_announced
    assert rig.set(catalogue.ACCOUNT, 111, double_long(5_000), 16) is DONE
    assert rig.kernel.state.account.low_announced
    rig.boot()
    shown = rig.get(catalogue.TOKEN_CREDIT, 112, 5)
    assert (account(rig, 16), shown) == (5_000, double_long(5_000))


REFUSED = [
    ("a next credit that is not there", 17, double_long(100)),
    ("a token for another credit", 12, array(structure(octet_string(bytes(6)), long_(1)))),
    ("a provision below 0", 19, double_long(-1)),
]


@pytest.mark.parametrize(
    ("index", "value"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_the_rules_cannot_do_is_refused(index: int, value: Data) -> None:
    """By scope, or by its type; and it leaves nothing behind."""
    rig = opened()
    before = rig.kernel.state.terms
    assert rig.set(catalogue.ACCOUNT, 111, value, index) in (
        SCOPE,
        DataAccessResult.TYPE_UNMATCHED,
    )
    assert rig.kernel.state.terms is before


def test_what_clears_the_account_is_counted_up_to_the_clearance_threshold() -> None:
    """-5.00 with a threshold of 10.00 are 15.00 to clear."""
    rig = opened(None, 2_500, anchor="2026-11-23")
    assert rig.balance == -500
    assert account(rig, 6) == 500
    assert rig.set(catalogue.ACCOUNT, 111, double_long(1_000), 7) is DONE
    assert (account(rig, 6), account(rig, 7)) == (1_500, 1_000)


# --- days that are left ------------------------------------------------------------------------


def test_credit_that_lasts_for_too_few_days_at_recent_use_is_low() -> None:
    """2 kWh a day at 0.50 are 1.00; 30.00 last 30 days, 29.99 only 29: under 30 days is low."""
    from obis.values import replace

    profile = priced(credit=replace(priced().credit, low_days=30, low_threshold=0))
    rig = opened(profile, 10_000, anchor="2026-11-23")
    for day in range(24, 29):
        rig.until(f"2026-11-{day}T00:00", watt_hours=2000)
    assert not rig.kernel.state.account.low_announced
    rig.order(1, Kind.ADJUST, 3_000 - rig.balance)
    assert not rig.kernel.state.account.low_announced
    rig.order(2, Kind.ADJUST, -1)
    assert rig.kernel.state.account.low_announced
    rig.order(3, Kind.ADJUST, 1)
    assert not rig.kernel.state.account.low_announced


# --- an older firmware's memory ----------------------------------------------------------------


def test_an_account_from_before_there_were_charges_goes_on_from_its_register() -> None:
    """What it has collected was for energy; its remainder is kept; the account loses nothing."""
    from meter_fw import money
    from meter_fw.state import Account, Energy, Totals
    from obis.values import replace

    rig = made(priced())
    old = replace(
        MeterState(),
        account=Account(active=True),
        energy=Energy(imported=5_000, remainder=950_000_000, last_day=1),
        totals=Totals(started=10_000, charged=2_500),
    )
    state = money.mounted(rig.factory, old, rig.kernel.view.clock)
    first = state.charges[ENERGY]
    assert (first.paid, first.remainder, first.bases[0]) == (2_500, 950_000_000, 5_000)
    assert state.energy.remainder == 0
    assert state.totals == old.totals
    assert state.charges[STANDING].next_day == rig.kernel.view.today + 30
