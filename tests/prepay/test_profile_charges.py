"""What a profile's file says about money: charges, the order of a top-up, debts."""

from importlib import resources

import pytest

from prepay.account_rules import MAX_CHARGES, AccountRules, DebtRules, RulesError
from prepay.charge import Charge, ChargeType, Tariff, When
from prepay.credit import CreditRules
from prepay.money import EUR
from prepay.profile import Profile, ProfileError, load_profile
from prepay.profile_schema import parse_profile
from prepay.purse import (
    Opening,
    Readings,
    Situation,
    blank,
    collect_consumption,
    open_account,
    top_up,
)
from prepay.topup import StartCredit, StartRule, TopUpLimits

ISRAEL = (resources.files("prepay") / "profiles" / "il.toml").read_text(encoding="utf-8")
HEAD, REST = ISRAEL.split("[[charges]]", 1)[0], ISRAEL[ISRAEL.index("[friendly]") :]

#: Charges with figures, where the shipped file has lab values of 0.
MONEY = """\
[[charges]]
name = "energy"
type = "consumption"
register = "1-0:1.8.0"
prices = ["0.60", "0.45"]

[[charges]]
name = "feed-in"
type = "consumption"
register = "1-0:2.8.0"
price = "-0.48"

[[charges]]
name = "standing"
type = "time"
amount = "17.50"
period_days = 61
when = ["limited", "friendly"]

[[charges]]
name = "fee"
type = "payment"
amount = "3.90"

[[charges]]
name = "vat"
type = "payment"
proportion = 1452
of = "rest"

[[charges]]
name = "arrears"
type = "payment"
until_paid = true
priority = 2

[[charges]]
name = "loan"
type = "time"
until_paid = true
amount = "100.00"
period_days = 30

[debts]
proportion = 5000
of = "payment"
max_provision = "400.00"
provision_period = 2592000

"""
ORDER = 'order = ["fee", "vat", "debts", "credit"]'


def written(old: str = "", new: str = "", money: str = MONEY) -> str:
    """Return the file with figures, and with one thing changed."""
    text = HEAD.replace('"debts", "credit"]', '"debts", "credit"]\nmax_credit = "5000.00"')
    text += money + REST
    if not old:
        return text
    assert text.count(old) == 1, old
    return text.replace(old, new)


def read(text: str) -> Profile:
    """Return the profile of a text."""
    return parse_profile(text, "il.toml")


def test_every_figure_of_a_file_arrives() -> None:
    """Amounts in agorot, shares in 1/10000, prices as class 113 has them."""
    profile = read(written())
    assert profile.account == AccountRules(
        profile.currency,
        profile.credit,
        (
            Charge(
                "energy",
                ChargeType.CONSUMPTION,
                register="1-0:1.8.0",
                tariffs=(Tariff(6, -1), Tariff(45, -2)),
            ),
            Charge(
                "feed-in",
                ChargeType.CONSUMPTION,
                register="1-0:2.8.0",
                tariffs=(Tariff(-48, -2),),
            ),
            Charge(
                "standing",
                ChargeType.TIME,
                amount=1750,
                period_days=61,
                when=When(disconnected=False),
            ),
            Charge("fee", ChargeType.PAYMENT_EVENT, amount=390),
            Charge("vat", ChargeType.PAYMENT_EVENT, proportion=1452, of_rest=True),
            Charge("arrears", ChargeType.PAYMENT_EVENT, 2, continuous=False),
            Charge("loan", ChargeType.TIME, continuous=False, amount=10000, period_days=30),
        ),
        ("fee", "vat", "debts", "credit"),
        DebtRules(5000, max_provision=40000, provision_period=2592000),
        TopUpLimits(10000, 300000, 500000),
        StartCredit(0, StartRule.RAISE_TO),
    )
    assert (profile.tariff, profile.phases) == (Tariff(6, -1), 1)


def test_a_top_up_by_a_file_with_figures() -> None:
    """200.00: a fee of 3.90, VAT of the rest (28.47), half of 200.00 to arrears, 67.63 left."""
    rules = read(written()).account
    opening = Opening(debts=((rules.slot_of("arrears"), 50000),))
    purse = open_account(rules, blank(rules), opening, Readings((0, 0, 0), (0,)), 739676, 0)
    done = top_up(rules, purse, 20000, 0)
    shares = {share.name: share.amount for share in done.shares}
    assert shares == {"fee": 390, "vat": 2847, "arrears": 10000, "credit": 6763}


@pytest.mark.parametrize("name", ["il", "be-wal"])
def test_the_shipped_profiles_charge_for_energy_only(name: str) -> None:
    """Their other figures are 0, open, and there for a laboratory to change."""
    rules = load_profile(name).account
    purse = open_account(rules, blank(rules), Opening(), Readings((0,)), 739676, 0)
    started = purse.balance
    done = top_up(rules, purse, 20000, 0)
    assert (done.credited, done.purse.balance) == (20000, started + 20000)
    after = collect_consumption(rules, done.purse, Readings((1000,)), 0, Situation())
    assert after.totals.charged == (60 if name == "il" else 35)


def test_debts_are_paid_in_the_order_that_the_law_has() -> None:
    """Costs, then interest, then principal, in both profiles."""
    for name in ("il", "be-wal"):
        rules = load_profile(name).account
        names = [rules.charges[slot].name for slot in rules.payment_debts]
        assert names == ["costs", "interest", "principal"]


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        # the order of a top-up
        (ORDER, ORDER.replace("vat", "tax"), "top_up.order", "'tax' is none of the steps"),
        (ORDER, ORDER.replace('"vat"', '"fee"'), "top_up.order", "'fee' is there twice"),
        (ORDER, 'order = ["fee", "vat", "credit", "debts"]', "top_up.order", "comes last"),
        (ORDER, "order = []", "top_up.order", "comes last"),
        (ORDER, 'order = ["vat", "debts", "credit"]', "top_up.order", "'fee' is missing"),
        (ORDER, 'order = ["fee", "vat", "credit"]', "top_up.order", "'debts' is missing"),
        (ORDER, ORDER.replace("vat", "energy"), "top_up.order", "'energy' is none of"),
        (ORDER, ORDER.replace("vat", "loan"), "top_up.order", "'loan' is none of"),
        # shares
        ("proportion = 1452", "proportion = 10001", "charges[4].proportion", "100 %"),
        ("proportion = 1452", "proportion = -1", "charges[4].proportion", "100 %"),
        ('proportion = 1452\nof = "rest"', "proportion = 5001", "top_up.order", "10001"),
        ("proportion = 5000", "proportion = 10001", "debts.proportion", "10000"),
        ("proportion = 5000", 'proportion = 1\namount = "1.00"', "debts.proportion", "not both"),
        ('of = "rest"', 'of = "all"', "charges[4].of", "'payment' or 'rest'"),
        ('amount = "3.90"', 'amount = "3.90"\nproportion = 1', "charges[3].proportion", "not both"),
        # charges that contradict themselves
        ('price = "-0.48"', 'price = "-0.48"\nuntil_paid = true', "charges[1].until_paid", "used"),
        ('price = "-0.48"', 'price = "-0.40001"', "charges[1].price", "16-bit"),
        ('price = "-0.48"', "", "charges[1].price", "one for each"),
        ('price = "-0.48"', 'price = "1"\nprices = ["1"]', "charges[1].price", "not both"),
        ('"0.60", "0.45"', '"1", "1", "1", "1", "1"', "charges[0].prices", "4"),
        ('"0.60", "0.45"', '"0.60", "0,45"', "charges[0].prices", "not a price"),
        ('"1-0:2.8.0"', '"1-0:3.8.0"', "charges[1].register", "1-0:1.8.0, 1-0:2.8.0"),
        ('"17.50"', '"400.01"', "charges[2].amount", "16-bit"),
        ('"17.50"', '"-1.00"', "charges[2].amount", "negative"),
        ("period_days = 61", "period_days = 0", "charges[2].period_days", "1 to 3660"),
        ('["limited", "friendly"]', '["limited", "limited"]', "charges[2].when", "twice"),
        ('["limited", "friendly"]', '["night"]', "charges[2].when[0]", "'disconnected'"),
        ("priority = 2", "priority = 256", "charges[5].priority", "255"),
        ("priority = 2", 'priority = 2\namount = "1.00"', "charges[5].until_paid", "[debts]"),
        ('type = "time"\namount', 'type = "payment"\namount', "charges[2].period_days", "period"),
        # the charges together
        ('name = "vat"', 'name = "fee"', "charges[4].name", "'fee' is there twice"),
        ('name = "vat"', 'name = "credit"', "charges[4].name", "step of the top-up"),
        ('name = "vat"', 'name = "V A T"', "charges[4].name", "small letters"),
        ('register = "1-0:1.8.0"', 'register = "1-0:2.8.0"', "charges[0]", "imported"),
        # debts and limits
        ('"400.00"', '"655.36"', "debts.max_provision", "65535"),
        ("provision_period = 2592000", "provision_period = 0", "debts.max_provision", "together"),
        ("provision_period = 2592000", "provision_period = -1", "debts.provision_period", "0.."),
        ('max_credit = "5000.00"', 'max_credit = "0.00"', "top_up", "greatest credit"),
        ("low_days = 0", "low_days = 367", "credit", "low_days"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_named_with_key_reason_and_line(
    old: str, new: str, key: str, reason: str
) -> None:
    """The line is that of the key, or of the table that misses it."""
    text = written(old, new)
    with pytest.raises(ProfileError) as refused:
        read(text)
    assert refused.value.key == key
    assert reason in refused.value.reason
    assert refused.value.line is not None
    shown = text.splitlines()[refused.value.line - 1]
    holder, _, last = key.rpartition(".")
    assert last.split("[")[0] in shown or shown == f"[[{holder.split('[')[0]}]]"


def test_too_many_charges_are_refused() -> None:
    """Bounded, as in a meter's memory."""
    more = "".join(
        f'[[charges]]\nname = "more{place}"\ntype = "time"\namount = "1"\nperiod_days = 1\n'
        for place in range(MAX_CHARGES)
    )
    with pytest.raises(ProfileError, match="charges"):
        read(written(money=MONEY + more))
    with pytest.raises(RulesError, match="1 to 16"):
        AccountRules(EUR, CreditRules(), ())


def test_a_file_without_charges_is_refused() -> None:
    """By the name of the table."""
    with pytest.raises(ProfileError, match="charges") as refused:
        read(HEAD + REST)
    assert refused.value.key == "charges"


def test_an_unknown_charge_has_no_slot() -> None:
    """Slots are the places in the list."""
    rules = read(written()).account
    assert [rules.slot_of(charge.name) for charge in rules.charges] == list(range(7))
    with pytest.raises(KeyError):
        rules.slot_of("tax")
