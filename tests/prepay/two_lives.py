"""A year of two households, one as in Israel and one as in Wallonia with the balance in the meter.

The figures are like those of the profiles, where those are known, and never 0, so that each rule
has something to say. The load, the payments and their seconds are drawn from a seed. Days of the
Jewish calendar of 2027 as any calendar has them; the hours of the Sabbath are made up.
"""

from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

from obis.values import replace
from tests.prepay.coursed import Life
from tests.prepay.housebook import Fee, Terms
from tests.prepay.household import Event
from tests.prepay.timetable import Entry, Pattern, Timetable

JERUSALEM, BRUSSELS = ZoneInfo("Asia/Jerusalem"), ZoneInfo("Europe/Brussels")
#: Not a midnight; what begins there, stands in tests of its own.
START = datetime(2027, 1, 4, 9, tzinfo=UTC)
#: Kinds of special day: the eve of a feast, a day within it, its last day.
EVE, WITHIN, LAST = 1, 2, 3
_WINTER: tuple[Pattern, Pattern] = ((None, 10, 25), (None, 3, 25))
_SUMMER: tuple[Pattern, Pattern] = ((None, 3, 26), (None, 10, 24))
#: Passover, Weeks, New Year, Atonement, Booths; a Friday or Sabbath may be one of the days.
_FEASTS: dict[Pattern, int] = {
    (2027, 4, 21): EVE,
    (2027, 4, 22): LAST,
    (2027, 4, 27): EVE,
    (2027, 4, 28): LAST,
    (2027, 6, 10): EVE,
    (2027, 6, 11): WITHIN,
    (2027, 10, 2): WITHIN,
    (2027, 10, 3): LAST,
    (2027, 10, 10): EVE,
    (2027, 10, 11): LAST,
    (2027, 10, 15): EVE,
    (2027, 10, 16): LAST,
    (2027, 10, 22): EVE,
    (2027, 10, 23): LAST,
}


def sabbaths() -> Timetable:
    """Return Sabbaths by season, and the feasts of the year."""
    return Timetable(
        JERUSALEM,
        [
            Entry(True, time(15, 50), "4", (), *_WINTER),
            Entry(False, time(17, 40), "5", (), *_WINTER),
            Entry(True, time(18, 20), "4", (), *_SUMMER),
            Entry(False, time(20, 10, 30), "5", (), *_SUMMER),
            Entry(True, time(17, 5), "", (EVE,)),
            Entry(False, time(20, 20), "", (LAST,)),
        ],
        dict(_FEASTS),
    )


ISRAEL = Terms(
    zone=JERUSALEM,
    windows=sabbaths(),
    limit=-5000,
    low_threshold=2000,
    fees=(
        Fee("energy", "consumption", prices=(Fraction(3, 50),)),
        Fee("standing", "time", priority=2, amount=3099, days=30),
        Fee("fee", "payment", amount=199),
        Fee("vat", "payment", share=1452),
        Fee("costs", "payment", continuous=False, priority=1),
        Fee("interest", "payment", continuous=False, priority=2),
        Fee("principal", "payment", continuous=False, priority=3),
    ),
    order=("fee", "vat", "debts", "credit"),
    debts=Fee("debts", "payment", share=5000),
    max_payment=300000,
    start_rule="raise_to",
    watts=10**9,
)
WALLONIA = Terms(
    zone=BRUSSELS,
    windows=Timetable(BRUSSELS, [Entry(True, time(16), "01234"), Entry(False, time(8), "01234")]),
    low_threshold=500,
    low_days=3,
    emergency=1200,
    emergency_by="button",
    emergency_threshold=300,
    window_void_in_emergency=True,
    fees=(
        Fee("energy", "consumption", prices=(Fraction(7, 20),)),
        Fee("standing", "time", priority=2, amount=425, days=28),
        Fee("instalment", "time", continuous=False, priority=3, amount=250, days=7),
    ),
    order=("balance", "credit"),
    max_payment=20000,
    start_credit=2000,
    start_rule="raise_to",
    watts=10**9,
)


def load(seed: int, slots: int, every: timedelta, daily: int) -> list[tuple[int, int]]:
    """Return about ``daily`` Wh a day; more in the evening, nothing in some slots."""
    drawn, mean = Random(seed), daily * every // timedelta(days=1)
    return [(drawn.choice((0, mean // 2, mean, mean, mean * 2)), 0) for _ in range(slots)]


def twice_a_week(seed: int, start: datetime, days: int, least: int, most: int) -> list[Event]:
    """Return payments at seconds of Mondays and Thursdays."""
    drawn = Random(seed)
    return [
        Event(
            start + timedelta(days=day, seconds=drawn.randrange(40000)),
            drawn.choice(("top_up", "key_in")),
            (drawn.randrange(least, most),),
        )
        for day in range(days)
        if day % 7 in (0, 3)
    ]


def israeli(seed: int, days: int, every: timedelta, start: datetime = START) -> Life:
    """Return a life with overdraft, Sabbath, a standing charge and debts brought along."""
    owed = (("costs", 4000), ("interest", 2500), ("principal", 60000))
    middle = start + timedelta(days=days // 2, seconds=17)
    events = [
        Event(start, "open", (3000, owed)),
        *twice_a_week(seed, start + timedelta(hours=1), days, 2200, 4000),
        Event(middle, "price", ("energy", (Fraction(13, 200),), 0, middle)),
        Event(middle + timedelta(days=3), "adjust", (-1500,)),
        Event(middle + timedelta(days=5), "operator", (True,)),
        Event(middle + timedelta(days=5, hours=2), "operator", (False,)),
    ]
    slots = days * (timedelta(days=1) // every)
    return Life(ISRAEL, start, every, load(seed, slots, every, 9000), slots, tuple(events))


def walloon(seed: int, days: int, every: timedelta, start: datetime = START) -> Life:
    """Return a life by nights and weekends, with an advance that is taken by button."""
    drawn = Random(seed + 1)
    presses = [
        Event(start + timedelta(days=day, seconds=drawn.randrange(86400)), "press")
        for day in range(0, days, 2)
    ]
    events = [
        Event(start, "open", (500, (("instalment", 6000),))),
        *twice_a_week(seed, start + timedelta(hours=1), days, 500, 2600),
        *presses,
    ]
    slots = days * (timedelta(days=1) // every)
    return Life(WALLONIA, start, every, load(seed, slots, every, 9000), slots, tuple(events))


def waiting(life: Life, when: frozenset[str] = frozenset({"limited"})) -> Life:
    """Return a life in which charges are collected in some situations only."""
    fees = tuple(
        fee if fee.kind == "payment" else replace(fee, when=when) for fee in life.terms.fees
    )
    return replace(life, terms=replace(life.terms, fees=fees))
