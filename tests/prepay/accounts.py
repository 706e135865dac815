"""Accounts to try the rules on: one with every kind of charge, by hand or at random."""

from hypothesis import strategies as st

from prepay.account_rules import AccountRules, DebtRules
from prepay.charge import Charge, ChargeType, Tariff, When
from prepay.credit import CreditRules
from prepay.money import EUR
from prepay.purse import ChargeState, Opening, Purse, Readings, Situation, blank, open_account
from prepay.topup import StartCredit, StartRule, TopUpLimits

#: 1 March 2026, a Sunday.
TODAY = 739676
#: A moment of that day; nothing here depends on it.
NOW = 1_772_360_000_000
#: Slots of ``every_kind``.
ENERGY, FEED_IN, STANDING, INSTALMENT, FEE, VAT, COSTS, INTEREST, PRINCIPAL = range(9)
NOTHING_USED = Readings((0,), (0,))
USUAL = Situation()
ALWAYS = When()
HALF_TO_DEBTS = DebtRules(proportion=5000)
NO_START_CREDIT = Opening(start_credit=False)

_TIME, _PAYMENT = ChargeType.TIME, ChargeType.PAYMENT_EVENT


def energy(*prices: str, when: When = ALWAYS, name: str = "energy", export: bool = False) -> Charge:
    """Return a charge for energy at one price, or at one for each rate."""
    return Charge(
        name,
        ChargeType.CONSUMPTION,
        when=when,
        register="1-0:2.8.0" if export else "1-0:1.8.0",
        tariffs=tuple(Tariff.per_kwh(price) for price in prices),
    )


def every_kind(
    order: tuple[str, ...] = ("balance", "fee", "vat", "debts", "credit"),
    debts: DebtRules = HALF_TO_DEBTS,
    when: When = ALWAYS,
    standing: int = 3000,
) -> AccountRules:
    """Return rules with every kind of charge; a fee of 2.00, VAT of 10 %, EUR 20 at the start."""
    return AccountRules(
        EUR,
        CreditRules(),
        (
            energy("0.35", when=when),
            energy("-0.05", name="feed-in", export=True),
            Charge("standing", _TIME, amount=standing, period_days=30, when=when),
            Charge("instalment", _TIME, 2, continuous=False, amount=1000, period_days=7, when=when),
            Charge("fee", _PAYMENT, amount=200),
            Charge("vat", _PAYMENT, proportion=1000),
            Charge("costs", _PAYMENT, 1, continuous=False),
            Charge("interest", _PAYMENT, 2, continuous=False),
            Charge("principal", _PAYMENT, 3, continuous=False),
        ),
        order,
        debts,
        TopUpLimits(500, 25000, 100000),
        StartCredit(2000, StartRule.RAISE_TO),
    )


def only(*charges: Charge) -> AccountRules:
    """Return rules with these charges and no others, besides that for energy at 35 cents."""
    if not charges or charges[0].type is not ChargeType.CONSUMPTION:
        charges = (energy("0.35"), *charges)
    return AccountRules(EUR, CreditRules(), charges)


def opened(rules: AccountRules, opening: Opening = NO_START_CREDIT, today: int = TODAY) -> Purse:
    """Return an account opened on a day, at registers of 0."""
    return open_account(rules, blank(rules), opening, NOTHING_USED, today, NOW)


def state_of(rules: AccountRules, purse: Purse, name: str) -> ChargeState:
    """Return the state of a charge by its name."""
    return purse.charges[rules.slot_of(name)]


def assert_sound(purse: Purse) -> None:
    """What holds at any moment: charged is the sum of what was paid, and no debt is below 0."""
    assert purse.totals.charged == sum(state.paid for state in purse.charges)
    assert all(state.remaining >= 0 for state in purse.charges)
    assert [state.slot for state in purse.charges] == list(range(len(purse.charges)))


#: Debts that may be brought along, by slot of ``every_kind``.
brought = st.fixed_dictionaries(
    {slot: st.integers(0, 30000) for slot in (INSTALMENT, COSTS, INTEREST, PRINCIPAL)}
).map(lambda debts: tuple(debts.items()))
situations = st.builds(Situation, st.booleans(), st.booleans(), st.booleans())


def day_of(moment: int) -> int:
    """Return the day of a moment: days begin at NOW, and TODAY is the first."""
    return TODAY + (moment - NOW) // 86_400_000


def moment_of(day: int) -> int:
    """Return the first moment of a day."""
    return NOW + (day - TODAY) * 86_400_000
