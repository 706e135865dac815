"""The judge is judged: the minute-by-minute household against cases worked out on paper.

Each row ends with its arithmetic. EUR cents or agorot; 0.05 a Wh is EUR 50.00 a 1000 kWh, chosen
so that 20 Wh are one minor unit and nobody needs a calculator.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from obis.values import replace
from tests.prepay.housebook import Fee, Terms
from tests.prepay.household import Event, Household, Load, live
from tests.prepay.timetable import Entry, Spans, Timetable, Windows

ZONE = ZoneInfo("UTC")
BRUSSELS = ZoneInfo("Europe/Brussels")
ENERGY = Fee("energy", "consumption", prices=(Fraction(5, 100),))
STANDING = Fee("standing", "time", amount=3000, days=30)
TERMS = Terms(zone=ZONE, fees=(ENERGY,))
WALLONIA = replace(TERMS, low_threshold=500, emergency=1200, emergency_by="button")


def at(text: str) -> datetime:
    """Return a moment of UTC from "2026-03-01 12:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = at("2026-03-04 12:00")  # a Wednesday
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def flat(used: int, fed_in: int = 0) -> Load:
    """Return a load that is the same every minute."""
    return lambda _: (used, fed_in)


def lived(
    terms: Terms,
    *events: tuple[int, str] | tuple[int, str, object] | tuple[int, str, object, object],
    seconds: int = 0,
    load: Load | None = None,
    start: datetime = NOON,
    opened: int | None = 1000,
    every: timedelta = MINUTE,
) -> Household:
    """Open with a balance at ``start`` and live for some seconds; events count from there."""
    house = Household(terms)
    first = [] if opened is None else [Event(start, "open", (opened, (), None, False))]
    rest = [Event(start + timedelta(seconds=e[0]), e[1], tuple(e[2:])) for e in events]
    end = start + timedelta(seconds=seconds)
    for _ in live(house, start, end, load or flat(0), first + rest, every=every):
        pass
    return house


def moves(house: Household, start: datetime = NOON) -> list[tuple[int, str]]:
    """Return the relay's moves as seconds since the start."""
    return [(int((when - start).total_seconds()), way) for when, way, _ in house.moves]


def always(terms: Terms) -> Terms:
    """Add a window that never ends."""
    spans = [(datetime(2020, 1, 1), datetime(2040, 1, 1))]  # noqa: DTZ001  # wall times
    return replace(terms, windows=Spans(terms.zone, dated=spans))


# ---- section 2: the balance


def test_the_balance_is_one_sum() -> None:
    """1000 + 500 - 30 - 100 Wh x 0.05 = 1465; settled takes it to 0."""
    house = lived(TERMS, (0, "top_up", 500), (0, "adjust", -30), seconds=60, load=flat(100))
    assert (house.started, house.paid, house.adjusted, house.charged) == (1000, 500, -30, 5)
    assert house.balance == 1465
    house.close()
    assert (house.settled, house.balance) == (1465, 0)


@pytest.mark.parametrize(
    ("opened", "event", "balance", "why"),
    [
        (2**31 - 1001, ("top_up", 1000), 2**31 - 1, "2^31-1001+1000 is the greatest double-long"),
        (2**31 - 1001, ("top_up", 1001), 2**31 - 1001, "one more is refused"),
        (-(2**31) + 10, ("adjust", -10), -(2**31), "-2^31+10-10 is the least"),
        (-(2**31) + 10, ("adjust", -11), -(2**31) + 10, "one less is refused"),
    ],
)
def test_the_balance_stays_a_double_long(
    opened: int, event: tuple[str, int], balance: int, why: str
) -> None:
    """A payment or an adjustment that leads out of it is refused."""
    assert lived(TERMS, (0, *event), opened=opened).balance == balance, why


def test_a_collection_goes_on_below_the_least_double_long() -> None:
    """-2^31 - 100 Wh x 0.05 is -2^31 - 5, shown as -2^31; the window keeps supply on."""
    house = lived(always(TERMS), seconds=60, load=flat(100), opened=-(2**31))
    assert (house.balance, house.shown) == (-(2**31) - 5, -(2**31))


@pytest.mark.parametrize(
    ("amount", "balance", "why"),
    [
        (1000, 0, "all of it"),
        (1001, 1000, "more than there is"),
        (0, 1000, "nothing is no refund"),
        (-1, 1000, "nor is a payment"),
    ],
)
def test_a_refund_takes_at_most_the_balance(amount: int, balance: int, why: str) -> None:
    """Of 10.00."""
    house = lived(TERMS, (0, "refund", amount))
    assert house.balance == balance, why
    assert house.adjusted == balance - 1000


# ---- section 3: credits

EARLY = replace(WALLONIA, emergency_threshold=500)


@pytest.mark.parametrize(
    ("terms", "balance", "taken", "token", "emergency", "left", "used_up", "why"),
    [
        (EARLY, 501, False, "in use", "enabled", 1200, False, "above limit 0 and threshold 500"),
        (EARLY, 500, False, "in use", "selectable", 1200, False, "at 500: offered"),
        (EARLY, 1, True, "in use", "selected", 1200, False, "above 0: nothing used of it"),
        (EARLY, 0, False, "exhausted", "selectable", 1200, True, "0 <= 0, and not taken"),
        (EARLY, -300, False, "exhausted", "selectable", 900, True, "1200 - 300 = 900"),
        (EARLY, -300, True, "exhausted", "in use", 900, False, "900 left to live on"),
        (EARLY, -1199, True, "exhausted", "in use", 1, False, "floor 0 - 1200; 1 above it"),
        (EARLY, -1200, True, "exhausted", "exhausted", 0, True, "exactly the floor"),
        (EARLY, -1300, False, "exhausted", "exhausted", 0, True, "eaten before it was taken"),
        (TERMS, 0, False, "exhausted", "none", 0, True, "no advance: the limit is the floor"),
        (replace(TERMS, limit=-5000), -4999, False, "in use", "none", 0, False, "overdraft"),
        (replace(TERMS, limit=-5000), -5000, False, "exhausted", "none", 0, True, "at -5000"),
        (replace(EARLY, limit=-1000), -1300, True, "exhausted", "in use", 900, False,
         "1200 - (-1000 - -1300) = 900"),
    ],
)  # fmt: skip
def test_the_table_of_credits(
    terms: Terms,
    balance: int,
    taken: bool,
    token: str,
    emergency: str,
    left: int,
    used_up: bool,
    why: str,
) -> None:
    """Each row of section 3 and each of its edges."""
    house = lived(terms, opened=balance)
    house.taken = taken
    assert (house.token, house.emergency, house.used_up) == (token, emergency, used_up), why
    assert house.emergency_left == left, why


@pytest.mark.parametrize(
    ("terms", "events", "taken", "why"),
    [
        (EARLY, [(0, "press")], False, "501 > 500: not offered yet"),
        (EARLY, [(0, "adjust", -1), (1, "press")], True, "500: offered, and pressed"),
        (EARLY, [(0, "adjust", -1), (1, "press"), (2, "adjust", 1)], False, "501: given back"),
        (EARLY, [(0, "adjust", -101), (1, "press"), (2, "adjust", 100)], True, "500: kept"),
        (replace(EARLY, emergency_by="automatic"), [(0, "adjust", -1)], True, "taken by itself"),
        (replace(EARLY, emergency_by="automatic"), [], False, "501: not offered"),
    ],
)
def test_the_advance_is_taken_and_given_back(
    terms: Terms, events: list[tuple[int, str]], taken: bool, why: str
) -> None:
    """By button or by itself; only a balance above the threshold gives it back."""
    assert lived(terms, *events, seconds=5, opened=501).taken is taken, why


def test_low_by_amount_is_announced_when_it_begins() -> None:
    """500 is not below 500; 499 is; 498 says nothing new; after 500 it is news again."""
    steps = [(n, "adjust", by) for n, by in enumerate((-1, -1, 2, -1), start=1)]
    house = lived(WALLONIA, *steps, seconds=9, opened=500)
    assert [when - NOON for when, note in house.notes if note == "low"] == [
        timedelta(seconds=1),
        timedelta(seconds=4),
    ]


@pytest.mark.parametrize(
    ("balance", "low", "why"),
    [
        (432, False, "2 whole days of 1440 Wh x 0.05 = 72 a day; 432 // 72 = 6 - 2 x 72 = 4 days"),
        (431, True, "287 // 72 = 3, fewer than 4"),
    ],
)
def test_low_by_days_left(balance: int, low: bool, why: str) -> None:
    """The half day of activation does not count; two whole days follow it."""
    terms = replace(TERMS, low_days=4)
    start = at("2026-03-04 12:00")
    house = lived(
        terms, seconds=216000, load=flat(60), start=start, opened=balance + 36, every=HOUR
    )
    assert house.days_used == [[1440, 1440, *[0] * 8]] * 2
    assert (house.balance, house.low) == (balance - 144, low), why


def test_the_day_of_the_first_moment_is_not_on_record_even_from_midnight_on() -> None:
    """Three days from 00:00 on: the second and the third are on record as the fourth begins."""
    start = at("2026-03-04 00:00")
    house = lived(TERMS, seconds=3 * 86400, load=flat(60), start=start, every=HOUR)
    assert house.days_used == [[1440, 1440, *[0] * 8]] * 2


@pytest.mark.parametrize(
    ("repays", "balance", "lent", "left", "why"),
    [
        (None, -200, 0, 1000, "10.00 of the 12.00 used come back"),
        (100, 0, 200, 1000, "the same, and 2.00 are owed beside the balance"),
        (50, 500, 700, 500, "half of 10.00 repays, half is credit"),
        (30, 700, 900, 300, "3.00 repay, 7.00 are credit"),
        (0, 1000, 1200, 0, "nothing repays"),
    ],
)
def test_a_share_of_a_top_up_repays_the_emergency_credit(
    repays: int | None, balance: int, lent: int, left: int, why: str
) -> None:
    """12.00 taken at 0 and used up, then 10.00 paid: the table of the rule book."""
    terms = replace(WALLONIA, repays=repays)
    spent = (2, "adjust", -1200)
    house = lived(terms, (1, "press"), spent, (3, "top_up", 1000), opened=0, seconds=60)
    assert (house.balance, house.lent, house.emergency_left) == (balance, lent, left), why
    house.close()
    assert (house.settlements[0].balance, house.lent, house.balance) == (-200, 0, 0), why


def test_what_is_owed_is_not_left_of_the_advance_when_it_is_given_back() -> None:
    """7.00 owed at 5.00, 2.00 at 10.00; taken again at 0, 10.00 of it carry supply, less 9.99."""
    terms = replace(WALLONIA, repays=50)
    paid = ((3, "top_up", 1000), (4, "top_up", 1000))
    house = lived(terms, (1, "press"), (2, "adjust", -1200), *paid, opened=0, seconds=60)
    assert (house.balance, house.lent, house.emergency) == (1000, 200, "enabled")
    again = ((5, "adjust", -1000), (6, "press"), (7, "adjust", -999))
    house = lived(terms, (1, "press"), (2, "adjust", -1200), *paid, *again, opened=0, seconds=60)
    assert (house.emergency, house.emergency_left, house.supply) == ("in use", 1, "yes")


# ---- section 4: charges, by consumption


@pytest.mark.parametrize(
    ("parts", "collected", "rest", "why"),
    [
        ([19], 0, "19/20", "19 x 0.05 = 0.95"),
        ([19, 1], 1, "0", "0.95 + 0.05"),
        ([19, 19, 19], 2, "17/20", "57 x 0.05 = 2.85, as in one part"),
        ([57], 2, "17/20", "2.85"),
        ([7] * 20, 7, "0", "140 x 0.05 = 7"),
    ],
)
def test_any_partition_of_the_energy_costs_the_same(
    parts: list[int], collected: int, rest: str, why: str
) -> None:
    """Whole units are collected, the rest waits for the next collection."""
    load = dict(enumerate(parts))
    house = lived(
        TERMS,
        seconds=60 * len(parts),
        load=lambda when: (load.get((when - NOON) // MINUTE, 0), 0),
    )
    book = house.books["energy"]
    assert (book.paid, book.rest) == (collected, Fraction(rest)), why


def prices(name: str, value: str, when: datetime) -> tuple[str, object, object, object, object]:
    """Return the event of a new price."""
    return ("price", name, (Fraction(value),), 0, when)


@pytest.mark.parametrize(
    ("events", "paid", "rest", "why"),
    [
        ([(60, *prices("energy", "0.10", NOON))], 15, "0", "100 x 0.05 + 100 x 0.10"),
        ([(0, *prices("energy", "0.10", NOON + MINUTE))], 15, "0", "the same, planned"),
        ([(60, *prices("energy", "0.001", NOON))], 5, "1/10", "5 + 100 x 0.001 = 5.1"),
        ([(60, "use_rate", 2)], 10, "0", "one price: 200 x 0.05, whatever the rate"),
    ],
)
def test_changes_of_price_and_rate(
    events: list[tuple[int, str]], paid: int, rest: str, why: str
) -> None:
    """What was used before a change is collected at the old price."""
    book = lived(TERMS, *events, seconds=120, load=flat(100)).books["energy"]
    assert (book.paid, book.rest) == (paid, Fraction(rest)), why


@pytest.mark.parametrize(
    ("second", "stands", "paid", "why"),
    [
        (90, 0, 10, "5; 0 < 100: nothing, base 0; then 100 x 0.05 = 5"),
        (90, 40, 10, "5; 40 < 100: nothing, base 40; then 140 - 40 = 100: 5"),
        (120, 0, 5, "the minute is counted, then the fall to 0 < 100: that minute is lost"),
        (90, 130, 11, "130 is not lower: 30 x 0.05 = 1.5, then 5: 11.5"),
    ],
)
def test_a_register_that_falls(second: int, stands: int, paid: int, why: str) -> None:
    """Nothing is collected for the fall, and counting goes on from where it stands."""
    house = lived(TERMS, (second, "set_register", 0, stands), seconds=120, load=flat(100))
    assert house.books["energy"].paid == paid, why


def test_each_rate_has_its_price_and_all_share_one_remainder() -> None:
    """30 x 0.05 + 30 x 0.02 = 1.5 + 0.6 = 2.1: two units and a tenth."""
    two = replace(ENERGY, prices=(Fraction(5, 100), Fraction(2, 100)))
    house = lived(
        replace(TERMS, fees=(two,)), (60, "use_rate", 2), (61, "press"), seconds=60, load=flat(30)
    )
    for _ in live(house, NOON + 2 * MINUTE, NOON + 3 * MINUTE, flat(30)):
        pass
    assert (house.books["energy"].paid, house.books["energy"].rest) == (2, Fraction(1, 10))


def test_feed_in_at_a_negative_price_is_paid_for() -> None:
    """50 x 0.05 = 2.5 less 70 x 0.03 = 2.1: 2 collected, and -3 rounded down (0.9 is kept)."""
    feed = Fee("feed-in", "consumption", prices=(Fraction(-3, 100),), exported=True)
    house = lived(replace(TERMS, fees=(ENERGY, feed)), seconds=60, load=flat(50, 70))
    assert (house.books["energy"].paid, house.books["feed-in"].paid) == (2, -3)
    assert house.books["feed-in"].rest == Fraction(9, 10)
    assert house.balance == 1000 - 2 + 3


def test_energy_before_opening_costs_nothing() -> None:
    """100 Wh before, 100 after: 5."""
    opening = (60, "open", 1000)
    assert lived(TERMS, opening, seconds=120, load=flat(100), opened=None).balance == 995


@pytest.mark.parametrize(
    ("missing", "events", "paid", "why"),
    [
        ("friendly", [], 0, "in a window all the time: it waits"),
        ("limited", [], 10, "nothing is limited"),
        ("disconnected", [(61, "operator", True)], 5, "12:01: 5; open from 12:01:01, unmetered"),
        ("disconnected", [(60, "operator", True), (61, "operator", False)], 10, "closed again"),
        ("friendly", [(90, *prices("energy", "0.10", NOON))], 5, "old price first: 100 x 0.05"),
    ],
)
def test_consumption_that_is_not_collected_now_waits(
    missing: str, events: list[tuple[int, str]], paid: int, why: str
) -> None:
    """Until the first moment at which it may be."""
    fee = replace(ENERGY, when=frozenset({"disconnected", "limited", "friendly"}) - {missing})
    terms = replace(always(TERMS), fees=(fee,))
    assert lived(terms, *events, seconds=120, load=flat(100)).books["energy"].paid == paid, why


def test_consumption_of_a_window_is_collected_when_it_ends() -> None:
    """12:01 to 12:03 is friendly: at 12:01 and 12:02 nothing, at 12:03 300 x 0.05 = 15."""
    window = [((2, time(12, 1)), (2, time(12, 3)))]
    fee = replace(ENERGY, when=frozenset())
    terms = replace(TERMS, fees=(fee,), windows=Spans(ZONE, weekly=window))
    assert lived(terms, seconds=179, load=flat(100)).balance == 1000
    assert lived(terms, seconds=180, load=flat(100)).balance == 985


# ---- section 4: charges, by time


def standing(days: Iterable[str], *events: tuple[int, str]) -> Household:
    """Live with a standing charge of 3000 in 30 days from the first to the last of some days."""
    first, last = (at(f"{day} 00:00") for day in days)
    terms = Terms(zone=ZONE, fees=(STANDING,))
    return lived(
        terms, *events, seconds=int((last - first).total_seconds()), start=first, every=HOUR
    )


@pytest.mark.parametrize(
    ("anchor", "amount", "days", "paid", "why"),
    [
        ("2026-03-04", 3000, 30, 3000, "the first day of a period: the whole"),
        ("2026-03-01", 3000, 30, 2700, "27 of 30 days (4 to 30 March): 3000 x 27/30"),
        ("2026-02-03", 3000, 30, 100, "the last day of the period from 3 February: 3000 x 1/30"),
        ("2026-03-05", 3000, 30, 100, "an anchor tomorrow: its period before ends today"),
        ("2025-03-04", 3000, 30, 2500, "365 = 12 x 30 + 5; 25 days left: 3000 x 25/30"),
        ("2026-03-01", 5, 6, 3, "3 of 6 days: 2.5, halves up"),
        ("2026-03-02", 10, 7, 7, "5 of 7: 7.14"),
        ("2026-03-03", 10, 3, 7, "2 of 3: 6.67"),
        ("2026-03-01", -5, 6, -2, "-2.5, halves up"),
    ],
)
def test_a_standing_charge_begins_pro_rata(
    anchor: str, amount: int, days: int, paid: int, why: str
) -> None:
    """On 4 March, for the days to the end of the period; that day counts."""
    house = Household(Terms(zone=ZONE, fees=(replace(STANDING, amount=amount, days=days),)))
    house.step(NOON, [Event(NOON, "open", (0, (), date.fromisoformat(anchor)))])
    assert house.books["standing"].paid == paid, why


@pytest.mark.parametrize(
    ("last", "events", "paid", "why"),
    [
        ("2026-03-30", [], 3000, "1 March + 30 days = 31 March; not yet"),
        ("2026-03-31", [], 6000, "at 00:00 of 31 March the second"),
        ("2026-05-30", [], 12000, "31 March, 30 April, 30 May: four in all"),
        ("2026-05-31", [(9, "power_cut"), (86400 * 70, "power_return")], 12000,
         "70 days later (10 May) two are due at once; 30 May the fourth"),
        ("2026-03-03", [(9, "set_clock", at("2026-03-31 00:00"))], 6000, "forward over one"),
        ("2026-03-03", [(9, "set_clock", at("2026-07-01 00:00"))], 6000,
         "forward over 31 March, 30 April, 30 May, 29 June: one only"),
        ("2026-04-02", [(86400 * 31, "set_clock", at("2026-03-30 12:00"))], 6000,
         "31 March was collected, set back on 1 April to 30 March, 31 March again: nothing"),
        ("2026-04-02", [(9, "lose_clock"), (86400 * 31, "set_clock", at("2026-04-01 00:00"))],
         6000, "31 March went by without a clock; set to 1 April, its period is collected"),
        ("2026-05-02", [(9, "lose_clock"), (86400 * 31, "set_clock", at("2026-04-01 00:00"))],
         9000, "and the next is 30 April"),
        ("2026-06-02", [(9, "lose_clock"), (86400 * 91, "set_clock", at("2026-05-31 00:00"))],
         6000, "three begun without a clock: only that of the day, 30 May"),
        ("2026-03-03", [(9, "lose_clock"), (99, "set_clock", at("2026-03-05 00:00"))],
         3000, "set within the period that was collected"),
        ("2026-04-02", [(9, "set_clock", at("2026-07-01 00:00")),
                        (10, "set_clock", at("2026-03-01 00:01"))], 6000,
         "29 June collected by mistake, back: 31 March is taken as collected by it"),
        ("2026-05-02", [(9, "set_clock", at("2026-07-01 00:00")),
                        (10, "set_clock", at("2026-03-01 00:01"))], 9000,
         "and 30 April is collected when it is lived"),
        ("2026-04-02", [(9, "lose_clock")], 3000, "no clock, no time charge"),
    ],
)  # fmt: skip
def test_the_periods_of_a_standing_charge(
    last: str, events: list[tuple[int, str]], paid: int, why: str
) -> None:
    """Opened on 1 March with 30 days a period: the whole amount at the beginning of each."""
    assert standing(("2026-03-01", last), *events).charged == paid, why


@pytest.mark.parametrize(
    ("day", "returned", "why"),
    [
        ("2026-03-01", 2900, "day 1 is used, 29 of 30 come back"),
        ("2026-03-16", 1400, "16 used, 14 come back"),
        ("2026-03-30", 0, "the last day is used"),
        ("2026-03-31", 2900, "a new period has begun and been collected"),
    ],
)
def test_unused_days_come_back_at_closing(day: str, returned: int, why: str) -> None:
    """By the rule of three; the day of closing counts as used."""
    house = standing(("2026-03-01", day))
    before = house.balance
    house.close()
    settlement = house.settlements[0]
    assert settlement.returned == {"standing": returned}, why
    assert (settlement.balance, house.balance) == (before + returned, 0)


DEBT = Fee("debt", "time", continuous=False, amount=400, days=7)


@pytest.mark.parametrize(
    ("days", "remaining", "why"),
    [
        (6, 1000, "opened on 1 March: never pro rata"),
        (7, 600, "8 March: 400"),
        (14, 200, "15 March: 400"),
        (21, 0, "22 March: min(400, 200)"),
        (28, 0, "nothing more"),
    ],
)
def test_instalments(days: int, remaining: int, why: str) -> None:
    """A debt of 1000 by 400 a week; nothing comes back at closing."""
    start = at("2026-03-01 00:00")
    house = Household(Terms(zone=ZONE, fees=(DEBT,)))
    opening = Event(start, "open", (5000, [("debt", 1000)]))
    for _ in live(house, start, start + days * DAY, flat(0), [opening], every=HOUR):
        pass
    assert house.books["debt"].remaining == remaining, why
    assert house.balance == 5000 - 1000 + remaining
    house.close()
    assert house.settlements[0].debts == {"debt": remaining}
    assert house.settlements[0].returned == {}


def test_what_is_not_collected_now_is_let_go_or_stays_owed() -> None:
    """Open relay on 8 March: the standing charge of that week is gone, the debt still 1000."""
    fees = tuple(
        replace(fee, when=frozenset({"friendly"}))
        for fee in (replace(STANDING, amount=70, days=7), DEBT)
    )
    house = lived(
        Terms(zone=ZONE, fees=fees),
        (60, "owe", "debt", 1000),
        (61, "operator", True),
        (86400 * 8, "operator", False),
        seconds=86400 * 15,
        start=at("2026-03-01 00:00"),
        every=HOUR,
    )
    assert house.books["standing"].paid == 70 + 70, "1 March, not 8 March, 15 March"
    assert house.books["debt"].remaining == 600, "not on 8 March, 400 on 15 March"


# ---- section 4: charges, at a payment

FEE = Fee("fee", "payment", amount=400)
VAT = Fee("vat", "payment", share=1700)
DEBTS = tuple(
    Fee(name, "payment", continuous=False, priority=n, share=1)
    for n, name in ((3, "principal"), (1, "costs"), (2, "interest"))
)
HALF = Fee("debts", "payment", share=5000)
REST = replace(HALF, of_rest=True)
ISRAEL = Terms(
    zone=ZONE,
    limit=-5000,
    fees=(FEE, VAT, *DEBTS),
    order=("fee", "vat", "debts", "credit"),
    debts=HALF,
)
FIRST = replace(ISRAEL, order=("balance", "fee", "vat", "debts", "credit"))


@pytest.mark.parametrize(
    ("terms", "balance", "owed", "payment", "took", "after", "why"),
    [
        (ISRAEL, 0, (0, 0, 0), 10000, (400, 1700, 0, 0, 0), 7900, "10000-400-10000x17%=7900"),
        (ISRAEL, 0, (200, 300, 9000), 10000, (400, 1700, 200, 300, 4500), 2900,
         "half is 5000: costs 200, interest 300, principal 4500; 7900-5000"),
        (ISRAEL, 0, (200, 300, 90), 10000, (400, 1700, 200, 300, 90), 7310, "debt 590 only"),
        (ISRAEL, 0, (0, 0, 9000), 300, (300, 0, 0, 0, 0), 0, "the fee takes what is left"),
        (ISRAEL, 0, (0, 0, 9000), 449, (400, 49, 0, 0, 0), 0, "17% of 449 is 76, but 49 is left"),
        (ISRAEL, 0, (0, 0, 9000), 999, (400, 169, 0, 0, 430), 0,
         "17% = 169.83 down; half = 499, but 999-569 = 430 is left"),
        (replace(ISRAEL, debts=REST), 0, (0, 0, 9000), 10000, (400, 1700, 0, 0, 3950), 3950,
         "half of what is left: 7900 / 2"),
        (replace(ISRAEL, debts=Fee("debts", "payment", amount=700)), 0, (600, 300, 0), 10000,
         (400, 1700, 600, 100, 0), 7200, "a fixed 700: costs 600, interest 100"),
        (ISRAEL, -3000, (0, 0, 9000), 10000, (400, 1700, 0, 0, 5000), -100,
         "no step for the balance: -3000+2900"),
        (FIRST, -3000, (0, 0, 9000), 10000, (400, 1700, 0, 0, 4900), 0,
         "3000 aside; fee 400, VAT of 10000: 1700; half is 5000 but 4900 is left; -3000+3000"),
        (FIRST, -3000, (0, 0, 0), 2000, (0, 0, 0, 0, 0), -1000, "too small to clear the debt"),
        (FIRST, 50, (0, 0, 0), 1000, (400, 170, 0, 0, 0), 480, "nothing below zero: 50+1000-570"),
        (replace(ISRAEL, fees=(FEE, replace(VAT, of_rest=True), *DEBTS)), 0, (0, 0, 0), 10000,
         (400, 1632, 0, 0, 0), 7968, "17% of 9600 = 1632"),
        (replace(ISRAEL, max_provision=1000), 0, (0, 0, 9000), 10000, (400, 1700, 0, 0, 1000),
         6900, "1000 a period at most: 7900-1000"),
        (replace(ISRAEL, max_payment=9999), 0, (0, 0, 0), 10000, (0,) * 5, 0, "refused: too much"),
        (replace(ISRAEL, max_balance=7899), 0, (0, 0, 0), 10000, (0,) * 5, 0, "refused: 7900"),
        (replace(ISRAEL, max_balance=7900), 0, (0, 0, 0), 10000, (400, 1700, 0, 0, 0), 7900,
         "exactly the greatest credit"),
    ],
)  # fmt: skip
def test_the_order_of_a_top_up(
    terms: Terms,
    balance: int,
    owed: tuple[int, int, int],
    payment: int,
    took: tuple[int, ...],
    after: int,
    why: str,
) -> None:
    """Step by step, each from what the steps before have left."""
    names = ("costs", "interest", "principal")
    owes = [(0, "owe", name, amount) for name, amount in zip(names, owed, strict=True)]
    house = lived(terms, *owes, (1, "top_up", payment), seconds=1, opened=balance)
    assert tuple(house.books[name].paid for name in ("fee", "vat", *names)) == took, why
    assert house.balance == after, why
    remaining = tuple(house.books[name].remaining for name in names)
    assert remaining == tuple(a - b for a, b in zip(owed, took[2:], strict=True))


def test_a_provision_period_begins_with_the_first_collection_after_the_last() -> None:
    """1000 in 7 days: day 0 800, day 6 200, day 8 (the period ended on day 7) 1000 until day 15."""
    terms = replace(ISRAEL, order=("debts", "credit"), max_provision=1000)
    pays = [(86400 * day, "top_up", paid) for day, paid in ((0, 1600), (6, 1600), (8, 4000))]
    house = lived(terms, (0, "owe", "principal", 9000), *pays, (86400 * 14, "top_up", 4000),
                  seconds=86400 * 15 + 1, every=HOUR)  # fmt: skip
    assert house.books["principal"].paid == 800 + 200 + 1000
    house.top_up(10)
    assert house.books["principal"].paid == 2005, "day 15: a new period, half of 10"


# ---- section 5: opening, closing, exchange, modes


@pytest.mark.parametrize(
    ("rule", "brought", "balance", "why"),
    [
        ("raise_to", 500, 2000, "raised to 2000"),
        ("raise_to", -500, 2000, "also from below zero"),
        ("raise_to", 2500, 2500, "a higher one is kept"),
        ("add", 500, 2500, "500 + 2000"),
        ("add", -500, 1500, "-500 + 2000"),
    ],
)
def test_opening(rule: str, brought: int, balance: int, why: str) -> None:
    """Start credit of 2000."""
    house = Household(replace(TERMS, start_credit=2000, start_rule=rule))
    house.step(NOON, [Event(NOON, "open", (brought,))])
    assert (house.balance, house.started) == (balance, balance), why


def test_closing_collects_settles_and_ends_the_cut() -> None:
    """20 - 45 x 0.05 = 18 (2.25 down to 2); a credit below the floor then cuts nobody."""
    house = lived(TERMS, (60, "close"), seconds=60, load=flat(45), opened=20)
    assert house.settlements[0].balance == 18
    assert house.settlements[0].imported[0] == 45
    gone = lived(TERMS, (60, "close"), seconds=60, opened=-5)
    assert (gone.settlements[0].balance, gone.balance) == (-5, 0)
    assert moves(gone) == [(0, "open"), (60, "close")]


@pytest.mark.parametrize(
    ("events", "active_at", "why"),
    [
        ([(0, "plan", NOON + 90 * MINUTE, "close")], [(5399, True), (5400, False)], "to a second"),
        ([(0, "plan", NOON + MINUTE, "close"), (9, "plan", NOON, "close")],
         [(59, True), (60, False)], "a second plan is refused"),
        ([(0, "plan", NOON + MINUTE, "close"), (9, "withdraw_plan")], [(99, True)], "withdrawn"),
        ([(0, "plan", NOON + MINUTE, "close"), (9, "power_cut"), (300, "power_return")],
         [(299, True), (300, False)], "overdue: at the first tick"),
        ([(0, "plan", NOON + MINUTE, "close"), (9, "lose_clock"), (300, "set_clock", NOON)],
         [(359, True), (360, False)], "no clock: it waits; 12:00 at 12:05, so due at 12:06"),
        ([(0, "plan", NOON + MINUTE, "close"), (9, "set_clock", NOON + 2 * MINUTE)],
         [(8, True), (9, False)], "the clock is set past it"),
    ],
)  # fmt: skip
def test_plans(events: list[tuple[int, str]], active_at: list[tuple[int, bool]], why: str) -> None:
    """One at a time, by the meter's clock."""
    for second, active in active_at:
        assert lived(TERMS, *events, seconds=second).active is active, why


def test_an_exchange_carries_balance_debts_and_anchor() -> None:
    """Old: 5000 - 3000, 14 days back (1400), 3400. New: 3000 x 14/30 = 1400 taken again on 17th."""
    terms = Terms(zone=ZONE, fees=(STANDING, DEBT), start_credit=2000)
    first, old, new = at("2026-03-01 00:00"), Household(terms), Household(terms)
    opening = Event(first, "open", (5000, [("debt", 1000)], None, False))
    for _ in live(old, first, first + 15 * DAY, flat(0), [opening], every=HOUR):
        pass
    old.close()
    left = old.settlements[0]
    assert (left.balance, left.debts) == (5000 - 3000 - 400 - 400 + 1400, {"debt": 200})
    next_day = first + 16 * DAY
    new.step(
        next_day,
        [Event(next_day, "open", (left.balance, left.debts.items(), old.anchor, False))],
    )
    assert new.balance == left.balance - 1400
    assert new.books["debt"].remaining == 200


@pytest.mark.parametrize(
    ("day", "paid", "why"),
    [
        ("2026-03-01", 2900, "29 of 30 days are left after the first"),
        ("2026-03-16", 1400, "14 after the sixteenth"),
        ("2026-03-30", 0, "none after the last"),
    ],
)
def test_on_the_day_of_an_exchange_the_new_meter_takes_nothing_for_it(
    day: str, paid: int, why: str
) -> None:
    """It was paid to the old one: the rule of three counts from the day after."""
    start = at(f"{day} 12:00")
    house = Household(Terms(zone=ZONE, fees=(STANDING,)))
    house.step(start, [Event(start, "open", (5000, (), date(2026, 3, 1), False, True))])
    assert house.books["standing"].paid == paid, why


def test_a_live_account_goes_over_and_back_to_the_cent() -> None:
    """1000 - 100 x 0.05 = 995 to central; 300 Wh there are the head-end's; back with 980, -5."""
    house = lived(TERMS, (60, "to_central", 7), (240, "to_local", 7, 980), seconds=240,
                  load=flat(100))  # fmt: skip
    assert (house.balance, house.central) == (980, False)
    away = lived(TERMS, (60, "to_central", 7), seconds=240, load=flat(100))
    assert (away.balance, away.snapshot) == (995, (7, 995))
    back = lived(TERMS, (60, "to_central", 7), (240, "to_local", 7, 980), seconds=300,
                 load=flat(100))  # fmt: skip
    assert back.balance == 975


@pytest.mark.parametrize(
    ("sequence", "balance", "why"),
    [(8, 50, "newer"), (7, 995, "the same again changes nothing"), (6, 995, "older")],
)
def test_a_snapshot_must_be_newer(sequence: int, balance: int, why: str) -> None:
    """In central mode the balance is the last snapshot's; top-ups are the head-end's affair."""
    house = lived(TERMS, (60, "to_central", 7), (61, "set_snapshot", sequence, 50),
                  (62, "top_up", 5), seconds=62, load=flat(100))  # fmt: skip
    assert house.balance == balance, why


# ---- section 6: friendly windows

NIGHT = Spans(
    BRUSSELS, weekly=[((day, time(16)), ((day + 1) % 7, time(8))) for day in range(5)]
)  # fmt: skip
ODD = Spans(BRUSSELS, weekly=[((6, time(2, 15)), (6, time(2, 45)))])
HOURLY = Timetable(
    BRUSSELS, [Entry(False, time(2, 15), "0123456"), Entry(True, time(2, 30), "0123456")]
)
SHORT = Timetable(
    BRUSSELS, [Entry(True, time(2, 30), "0123456"), Entry(False, time(2, 45), "0123456")]
)
NIGHTLY = Timetable(BRUSSELS, [Entry(True, time(16), "0123456"), Entry(False, time(8), "0123456")])
SEASONS = Timetable(
    ZONE,
    [
        Entry(True, time(20), "4", begin=(None, 11, 1), end=(None, 3, 15)),
        Entry(False, time(21), "5"),
        Entry(True, time(15), day_ids=(1,)),
        Entry(False, time(22), day_ids=(2,)),
        Entry(True, time(6), "6", begin=(2026, 3, 8), end=(2026, 3, 8)),
        Entry(False, time(6), "6"),
    ],
    special={(2026, 3, 3): 1, (2026, 3, 6): 2},
)
SELDOM = Timetable(ZONE, [Entry(True, time(12), "0123456", begin=(None, 1, 1), end=(None, 1, 1))])


@pytest.mark.parametrize(
    ("windows", "moment", "friendly", "why"),
    [
        (NIGHT, "2026-03-04 14:59:59", False, "15:59:59 in Brussels"),
        (NIGHT, "2026-03-04 15:00:00", True, "16:00: its first second"),
        (NIGHT, "2026-03-05 06:59:59", True, "07:59:59"),
        (NIGHT, "2026-03-05 07:00:00", False, "08:00: the end is outside"),
        (NIGHT, "2026-03-07 12:00:00", False, "Saturday: no window here after 08:00"),
        (NIGHT, "2026-07-01 14:00:00", True, "16:00 of summer is 14:00"),
        (ODD, "2026-03-29 00:59:59", False, "01:59:59, then the clock skips to 03:00"),
        (ODD, "2026-03-29 01:00:00", False, "both edges at 03:00: empty"),
        (ODD, "2026-10-25 00:14:59", False, "02:14:59 the first time"),
        (ODD, "2026-10-25 00:15:00", True, "an opening takes the first 02:15"),
        (ODD, "2026-10-25 00:50:00", True, "02:50 the first time: still open"),
        (ODD, "2026-10-25 01:44:59", True, "02:44:59 the second time"),
        (ODD, "2026-10-25 01:45:00", False, "a closing takes the second 02:45"),
        (NIGHTLY, "2026-03-05 06:59:59", True, "07:59:59, opened at 16:00 the day before"),
        (NIGHTLY, "2026-03-05 07:00:00", False, "closed at 08:00"),
        (HOURLY, "2026-10-25 01:16:00", True, "02:15 the second time; opened at the first 02:30"),
        (HOURLY, "2026-10-25 00:29:59", True, "02:29:59 the first time: open since yesterday"),
        (SHORT, "2026-03-29 01:00:00", False, "02:30 and 02:45 both come at 03:00: closed by then"),
        (SEASONS, "2026-03-03 14:59:59", False, "special day 1 is a Tuesday; nothing open"),
        (SEASONS, "2026-03-03 15:00:00", True, "day_id 1 opens at 15:00"),
        (SEASONS, "2026-03-06 21:59:59", True, "still, on special day 2"),
        (SEASONS, "2026-03-06 22:00:00", False, "closed; the Friday entry did not run that day"),
        (SEASONS, "2026-03-08 05:59:59", False, "Sunday, closed since"),
        (SEASONS, "2026-03-08 06:00:00", True, "two at 06:00: the one that opens wins"),
        (SEASONS, "2026-03-13 19:59:59", True, "open since Sunday"),
        (SEASONS, "2026-03-14 21:00:00", False, "Saturday 21:00"),
        (SEASONS, "2026-03-20 20:00:00", False, "a Friday after 15 March"),
        (SEASONS, "2026-10-30 20:00:00", False, "a Friday before 1 November"),
        (SEASONS, "2026-11-06 20:00:00", True, "a Friday of the winter"),
        (SEASONS, "2027-01-01 20:00:00", True, "over New Year"),
        (SELDOM, "2026-02-01 11:59:59", True, "1 January 12:00 and not quite 31 days"),
        (SELDOM, "2026-02-01 12:00:00", False, "31 days ago: forgotten"),
    ],
)
def test_windows(windows: Windows, moment: str, friendly: bool, why: str) -> None:
    """Edges to the second, in wall time."""
    assert windows.open_at(at(moment)) is friendly, why


WINDOW = Spans(ZONE, weekly=[((2, time(12, 1)), (2, time(12, 5)))])
SHIELDED = replace(WALLONIA, windows=WINDOW)
VOID = replace(SHIELDED, window_void_in_emergency=True)


@pytest.mark.parametrize(
    ("terms", "opened", "events", "expected", "why"),
    [
        (SHIELDED, 7, [], [(300, "open")], "7-5 at 12:01, -3 at 12:02, cut when it ends at 12:05"),
        (SHIELDED, 5, [], [(300, "open")], "0 at 12:01, the window's first second"),
        (SHIELDED, 0, [], [(0, "open")], "cut before: the window brings nothing back"),
        (SHIELDED, 0, [(90, "top_up", 5)], [(0, "open"), (90, "close"), (300, "open")],
         "5 at 12:01:30 closes; 0 at 12:02 is friendly; 12:05 opens"),
        (SHIELDED, 7, [(90, "lose_clock")], [], "no clock at 12:05: no cut"),
        (SHIELDED, 7, [(90, "lose_clock"), (400, "set_clock", NOON)], [(400, "open")],
         "the clock is set to 12:00, outside: -28, cut"),
        (SHIELDED, 7, [(150, "set_clock", NOON - 180 * MINUTE)], [(150, "open")],
         "three hours slow: outside"),
        (SHIELDED, 7, [(150, "operator", True)], [(150, "open")], "it binds no operator"),
        (SHIELDED, 7, [(200, "power_cut"), (320, "power_return")], [(320, "open")],
         "a power cut through its end: at the first tick"),
        (VOID, 7, [(150, "press")], [], "-3 pressed: in use until -1200"),
        (VOID, -1190, [(1, "press")], [(0, "open"), (1, "close"), (120, "open")],
         "-1190 cut, pressed, -1195 at 12:01, -1200 at 12:02: void, cut in the window"),
        (VOID, 5, [(61, "adjust", -1300)], [(300, "open")], "eaten, not taken: not void"),
    ],
)  # fmt: skip
def test_a_window_blocks_the_cut_only(
    terms: Terms,
    opened: int,
    events: list[tuple[int, str]],
    expected: list[tuple[int, str]],
    why: str,
) -> None:
    """12:01 to 12:05 on Wednesday, 5 a minute."""
    house = lived(terms, *events, seconds=420, load=flat(100), opened=opened)
    assert moves(house) == expected, why


def test_outside_the_complete_dates_no_cut_begins() -> None:
    """Complete from 12:02 on: 0 at 12:00 is cut at 12:02; what was cut stays cut after 12:04."""
    span = (NOON + 2 * MINUTE, NOON + 4 * MINUTE)
    terms = replace(TERMS, windows=Spans(ZONE, complete=span))
    assert moves(lived(terms, seconds=420, opened=0)) == [(120, "open")]
    assert moves(lived(terms, (241, "adjust", -9), seconds=420, opened=9)) == []


# ---- section 7: supply

ACTIVE = {"active": True}
USED_UP = {**ACTIVE, "started": -1}
CENTRAL = {**ACTIVE, "central": True, "snapshot": (7, -1)}
ARMED = {**CENTRAL, "armed": (7, NOON + MINUTE)}
CUT = {"cut_before": True}
SAFE = {"protected_since": date(2026, 1, 1)}
NO_CLOCK = {"clock_known": False}


@pytest.mark.parametrize(
    ("facts", "window", "supply", "begun", "why"),
    [
        ({"started": -1, **CUT}, False, "yes", False, "row 1: no active account"),
        ({**ACTIVE, "started": 1, **CUT}, False, "yes", False, "row 2: not used up"),
        ({**USED_UP, **CUT, "is_never_cut": True}, False, "yes", False, "row 3: never cut"),
        ({**CENTRAL, **CUT}, False, "yes", False, "row 4: central, no arm"),
        ({**USED_UP, **CUT, **SAFE}, True, "limited", True, "row 5: cut before, protected"),
        ({**USED_UP, **CUT}, True, "no", True, "row 6: cut before; the window is no help"),
        ({**USED_UP, **CUT, **NO_CLOCK}, False, "no", True, "row 6 before row 7"),
        ({**USED_UP, **NO_CLOCK}, False, "yes", False, "row 7: the clock is lost"),
        ({**USED_UP, **SAFE}, True, "yes", False, "row 8: a window"),
        ({**ARMED, "armed": (7, NOON)}, False, "yes", False, "row 9: expired at this moment"),
        ({**ARMED, "armed": (6, NOON + MINUTE)}, False, "yes", False, "row 9: for another"),
        ({**ARMED, "armed": (6, NOON), **CUT}, False, "no", True, "row 6 before row 9"),
        ({**USED_UP, **SAFE}, False, "limited", True, "row 10: protected"),
        ({**ARMED, **SAFE}, False, "limited", True, "row 10, central"),
        (USED_UP, False, "no", True, "row 11"),
        (ARMED, False, "no", True, "row 11, central"),
    ],
)
def test_the_table_of_supply(
    facts: dict[str, object], window: bool, supply: str, begun: bool, why: str
) -> None:
    """The first row that fits decides."""
    house = Household(always(TERMS) if window else TERMS)
    house.now = NOON
    for name, value in facts.items():
        setattr(house, name, value)
    house.judge()
    assert (house.supply, house.cut_before) == (supply, begun), why


def test_gas_of_a_protected_customer_is_never_cut() -> None:
    """-1, protected: yes for gas, limited for electricity."""
    for gas, supply in ((True, "yes"), (False, "limited")):
        terms = replace(TERMS, gas=gas)
        assert lived(terms, (0, "protect"), seconds=60, opened=-1).supply == supply


@pytest.mark.parametrize(
    ("recloses", "events", "expected", "why"),
    [
        (True, [(9, "operator", True), (20, "operator", False)], [(9, "open"), (20, "close")], ""),
        (True, [(9, "operator", True), (10, "tamper", True), (20, "operator", False)],
         [(9, "open")], "tamper still stands"),
        (True, [(9, "gas_safety", True), (10, "gas_safety", False)], [(9, "open"), (10, "close")],
         "gas safety too"),
        (True, [(9, "adjust", -1000), (10, "operator", True), (11, "top_up", 1)], [(9, "open")],
         "credit has gone, the operator stands"),
        (False, [(9, "adjust", -1000), (11, "top_up", 1)], [(9, "open")], "waits for a hand"),
        (False, [(9, "adjust", -1000), (11, "top_up", 1), (15, "press")],
         [(9, "open"), (15, "close")], "the hand"),
        (False, [(9, "adjust", -1000), (15, "press")], [(9, "open")], "the cause stands"),
    ],
)  # fmt: skip
def test_the_relay_has_many_masters(
    recloses: bool, events: list[tuple[int, str]], expected: list[tuple[int, str]], why: str
) -> None:
    """Open while any cause stands."""
    house = lived(replace(TERMS, recloses=recloses), *events, seconds=60)
    assert moves(house) == expected, why


def test_a_contact_that_sticks_is_noted_and_pulsed_again() -> None:
    """Opened at 9 s, noted at 19 s; free at 40 s; pulsed at 69 s: open then."""
    events = [(5, "stick", True), (9, "operator", True), (40, "stick", False)]
    assert lived(TERMS, *events, seconds=68).closed
    house = lived(TERMS, *events, seconds=120)
    assert [(when - NOON).seconds for when, _ in house.notes] == [19]
    assert not house.closed


# ---- section 8: minimum supply


@pytest.mark.parametrize(
    ("used", "expected", "why"),
    [
        (21, [], "21 Wh in a minute are 1260 W"),
        (22, [(30, "open"), (90, "close"), (120, "open"), (180, "close"), (210, "open")],
         "1320 W: 30 s over, 60 s of rest, and again"),
    ],
)  # fmt: skip
def test_the_limiter(used: int, expected: list[tuple[int, str]], why: str) -> None:
    """1300 W, 30 s, 60 s, while supply is limited."""
    house = lived(TERMS, (0, "protect"), seconds=239, load=flat(used), opened=0)
    assert moves(house)[2:] == expected, why


@pytest.mark.parametrize(
    ("since", "day", "said", "why"),
    [
        ("2026-01-15", "2026-07-14", False, "15 July is the day"),
        ("2026-01-15", "2026-07-15", True, "six months"),
        ("2026-08-31", "2027-02-27", False, "February ends on the 28th"),
        ("2026-08-31", "2027-02-28", True, "the last day of a month that is too short"),
    ],
)
def test_the_clock_of_six_months(since: str, day: str, said: bool, why: str) -> None:
    """It says so once, and supply does not change."""
    house = lived(TERMS, (0, "protect"), start=at(f"{since} 08:00"), opened=0)
    for _ in range(2):
        house.step(at(f"{day} 00:00"))
    assert [note for _, note in house.notes].count("recurrent defaulter") == said, why
    assert house.supply == "limited"


@pytest.mark.parametrize(
    ("day", "supply", "why"),
    [
        ("2026-10-31", "no", "the last day before winter: cut"),
        ("2026-11-01", "limited", "refused"),
        ("2027-03-15", "limited", "refused, the last day"),
        ("2027-03-16", "no", "allowed again"),
    ],
)
def test_minimum_supply_is_not_withdrawn_in_winter(day: str, supply: str, why: str) -> None:
    """From 1 November to 15 March."""
    start = at(f"{day} 12:00")
    house = lived(
        TERMS, (0, "protect"), (1, "withdraw_protection"), seconds=1, start=start, opened=0
    )
    assert house.supply == supply, why


def test_minimum_supply_ends_by_payment() -> None:
    """0 + 1 is above the floor."""
    house = lived(TERMS, (0, "protect"), (1, "top_up", 1), seconds=1, opened=0)
    assert (house.supply, house.cut_before) == ("yes", False)


# ---- section 1: what comes first


def test_at_midnight_energy_prices_periods_plans_and_requests_have_their_order() -> None:
    """23:59 to 00:00: 100 x 0.05 = 5, then the price of tomorrow, then 3000, then the closing.

    Opened on 2 March with 3000 x 29/30 = 2900 paid and 10000 brought, anchored at 1 March; at
    00:00 of 31 March 3000 are collected, the closing gives 29 days (2900) back, and the top-up
    that comes in the same second finds no account.
    """
    start, end = at("2026-03-30 23:59"), at("2026-03-31 00:00")
    house = Household(Terms(zone=ZONE, fees=(ENERGY, STANDING)))
    events = [
        Event(start, "open", (10000, (), date(2026, 3, 1))),
        Event(start, "price", ("energy", (Fraction(1),), 0, end)),
        Event(start, "plan", (end, "close")),
        Event(end, "top_up", (500,)),
    ]
    for _ in live(house, start, end, flat(100), events):
        pass
    assert house.books["energy"].paid == 5
    assert house.settlements[0].balance == 10000 - 100 - 5 - 3000 + 2900
    assert house.balance == 0


def test_hands_come_before_lines() -> None:
    """A token keyed in (100) and an adjustment of -100 at one moment at 0: never below, no cut."""
    house = lived(TERMS, (60, "adjust", -100), (60, "key_in", 100), seconds=60, opened=1)
    assert (house.balance, moves(house)) == (1, [])
