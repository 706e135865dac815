"""The rules of ``prepay`` and the minute-by-minute household agree, to the cent and to the second.

Whatever the charges, credits, windows, loads and events: both are stepped at the same moments, and
at each of them have the same to say about money, credit and supply.
"""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obis.values import replace
from tests.prepay.coursed import Life, coursed, lived
from tests.prepay.housebook import Fee, Terms
from tests.prepay.household import MINUTE, Event, Household, live
from tests.prepay.stepped import Meter, house_line
from tests.prepay.timetable import ANY, Entry, Pattern, Timetable

ZONE = ZoneInfo("Europe/Brussels")
SITUATIONS = ("disconnected", "limited", "friendly")
DAY = 86400
EVERYWHERE = frozenset(SITUATIONS)
#: After these nobody has looked at the clock since the last moment, or it has jumped.
SLEEP = ("power_return", "set_clock")
#: A spring and an autumn clock change, a leap day, New Year, and an ordinary day, a day later.
STARTS = [
    datetime.fromisoformat(day).replace(tzinfo=UTC)
    for day in ("2026-03-27T22", "2026-10-23T21", "2028-02-27", "2026-12-30", "2026-06-03")
]

prices = st.builds(
    lambda number, exponent: Fraction(number, 10 * 10**exponent),
    st.integers(1, 9999),
    st.integers(0, 5),
)
whens = st.frozensets(st.sampled_from(SITUATIONS)) | st.just(EVERYWHERE)
days = st.integers(1, 9)
amounts = st.integers(0, 900)


@st.composite
def fee_lists(draw: st.DrawFn) -> tuple[Fee, ...]:
    """Charges of all kinds; the first is for the energy."""
    rates = draw(st.integers(1, 3))
    first = tuple(draw(prices) for _ in range(rates))
    fees = [Fee("energy", "consumption", prices=first, when=draw(whens))]
    if draw(st.booleans()):
        fees.append(
            Fee("feed-in", "consumption", prices=(-draw(prices),), exported=True, when=draw(whens))
        )
    for name, continuous in (("standing", True), ("meter-rent", True), ("instalment", False)):
        if draw(st.booleans()):
            fees.append(
                Fee(name, "time", continuous, draw(st.integers(1, 3)), amount=draw(amounts),
                    days=draw(days), when=draw(whens))
            )  # fmt: skip
    if draw(st.booleans()):
        fees.append(Fee("fee", "payment", amount=draw(amounts)))
    if draw(st.booleans()):
        share = draw(st.integers(1, 5000))
        fees.append(Fee("vat", "payment", share=share, of_rest=draw(st.booleans())))
    for name in ("costs", "interest"):
        if draw(st.booleans()):
            fees.append(Fee(name, "payment", continuous=False, priority=draw(st.integers(1, 3))))
    return tuple(fees)


times = st.builds(
    time, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)), st.sampled_from((0, 30))
)
entries = st.builds(
    Entry,
    st.booleans(),
    times | st.sampled_from((time(2, 15), time(2, 30), time(2, 45))),
    st.sets(st.sampled_from("0123456")).map(lambda found: "".join(sorted(found))),
    st.sets(st.integers(0, 2)).map(lambda found: tuple(sorted(found))),
    st.just(ANY),
    st.just(ANY),
)


@st.composite
def timetables(draw: st.DrawFn, start: datetime) -> Timetable:
    """Openings and closings by weekday, and special days among the dates of a run."""
    special: dict[Pattern, int] = {
        ((day := start.date() + timedelta(days=n)).year, day.month, day.day): draw(
            st.integers(0, 2)
        )
        for n in draw(st.sets(st.integers(0, 12), max_size=2))
    }
    return Timetable(ZONE, draw(st.lists(entries, max_size=5)), special)


@st.composite
def all_terms(draw: st.DrawFn, start: datetime) -> Terms:
    """Profiles that the schema would take."""
    fees = draw(fee_lists())
    steps = [fee.name for fee in fees if fee.kind == "payment" and fee.continuous]
    steps += ["debts"] if any(not f.continuous and f.kind == "payment" for f in fees) else []
    steps += ["balance"] if draw(st.booleans()) else []
    by = draw(st.sampled_from(("", "button", "automatic")))
    limit = draw(st.sampled_from((0, 0, -500, -5000)))
    vat = sum(fee.share for fee in fees if not fee.of_rest)
    rest = draw(st.booleans())
    fixed = draw(st.booleans())
    return Terms(
        zone=ZONE,
        windows=draw(timetables(start)),
        limit=limit,
        low_threshold=draw(st.integers(-100, 900)),
        low_days=draw(st.integers(0, 5)) if len(fees[0].prices) == 1 else 0,
        emergency=draw(st.integers(1, 900)) if by else 0,
        emergency_by=by,
        emergency_threshold=limit + draw(st.sampled_from((0, 0, 300))),
        window_void_in_emergency=draw(st.booleans()),
        repays=draw(st.none() | st.sampled_from((0, 30, 50, 99, 100))),
        fees=fees,
        order=(*draw(st.permutations(steps)), "credit"),
        debts=Fee(
            "debts",
            "payment",
            share=0 if fixed else draw(st.integers(1, 10000 if rest else 10000 - vat)),
            amount=draw(amounts) if fixed else 0,
            of_rest=rest,
        ),
        max_provision=draw(st.none() | st.integers(1, 900)),
        provision_period=timedelta(hours=draw(st.integers(1, 100))),
        max_payment=draw(st.none() | st.integers(500, 3000)),
        max_balance=draw(st.none() | st.integers(500, 9000)),
        start_credit=draw(amounts),
        start_rule=draw(st.sampled_from(("add", "raise_to"))),
        watts=10**9,  # the limiter is not a rule of this house
    )


def openings(start: datetime) -> st.SearchStrategy[tuple[object, ...]]:
    """What is brought, no debts, an anchor near by, a start credit, a first day paid elsewhere."""
    anchors = st.none() | st.integers(-12, 12).map(lambda n: (start + n * timedelta(1)).date())
    return st.tuples(st.integers(-500, 3000), st.just(()), anchors, st.booleans(), st.booleans())


@st.composite
def happenings(
    draw: st.DrawFn, terms: Terms, start: datetime, seconds: int, clock: bool
) -> list[Event]:
    """Events of all kinds at whole seconds of a run."""
    debts = [fee.name for fee in terms.fees if not fee.continuous]
    consumption = [fee for fee in terms.fees if fee.kind == "consumption"]
    kinds: dict[str, st.SearchStrategy[tuple[object, ...]]] = {
        "top_up": st.tuples(st.integers(1, 4000)),
        "key_in": st.tuples(st.integers(1, 4000)),
        "adjust": st.tuples(st.integers(-2000, 2000)),
        "press": st.just(()),
        "operator": st.tuples(st.booleans()),
        "close": st.just(()),
        "open": openings(start),
        "protect": st.just(()),
        "never_cut": st.tuples(st.booleans()),
        "use_rate": st.tuples(st.integers(1, len(terms.fees[0].prices))),
        "set_register": st.tuples(st.integers(0, 3), st.integers(0, 5000)),
        "power_cut": st.just(()),
        "power_return": st.just(()),
        "plan": st.tuples(
            st.integers(0, seconds).map(lambda n: start + timedelta(seconds=n)),
            st.sampled_from(("open", "close")),
        ),
    }
    kinds["price"] = st.sampled_from(consumption).flatmap(
        lambda fee: st.tuples(
            st.just(fee.name),
            st.tuples(*[prices.map(lambda p: -p if fee.exported else p)] * len(fee.prices)),
            st.just(0),
            st.integers(0, seconds).map(lambda n: start + timedelta(seconds=n)),
        )
    )
    if debts:
        kinds["owe"] = st.tuples(st.sampled_from(debts), st.integers(0, 3000))
    timed = [fee.name for fee in terms.fees if fee.kind == "time"]
    if timed:
        kinds["price "] = st.tuples(
            st.sampled_from(timed),
            st.just(()),
            amounts,
            st.integers(0, seconds).map(lambda n: start + timedelta(seconds=n)),
        )
    if clock:
        kinds["lose_clock"] = st.just(())
        kinds["set_clock"] = st.tuples(st.integers(0, 5 * DAY))
    often = ["top_up", *(["set_clock"] * 4 if clock else [])]
    event = st.sampled_from([*sorted(kinds), *often]).flatmap(
        lambda what: st.builds(
            lambda when, how: Event(start + timedelta(seconds=when), what.strip(), how),
            st.integers(1, seconds) | st.integers(0, seconds // 3600).map(lambda h: 3600 * h),
            kinds[what],
        )
    )
    opening = Event(start, "open", draw(openings(start)))
    events = [opening, *draw(st.lists(event, max_size=12))]
    return set_clocks(events, draw(st.sampled_from(("forward", "back", "to and fro"))))


def set_clocks(events: list[Event], way: str) -> list[Event]:
    """Make clock times of the drawn seconds: ever further one way, or to and fro within a day.

    Far forward and then back is a case of its own, below.
    """
    error, done = 0, []
    for event in sorted(events, key=lambda event: event.at):
        if event.what == "set_clock":
            (by,) = event.how
            assert isinstance(by, int)
            if way == "to and fro":
                error = by % DAY - DAY // 2
            else:
                error += by if way == "forward" else -by
            event = Event(event.at, "set_clock", (event.at + timedelta(seconds=error),))
        done.append(event)
    return done


def held_side_by_side(
    terms: Terms,
    start: datetime,
    steps: int,
    every: timedelta,
    load: list[tuple[int, int]],
    events: list[Event],
) -> None:
    """Live through a run twice, and compare at each moment."""
    house = Household(terms)
    meter = Meter(terms, house)
    waiting = sorted(events, key=lambda event: event.at)
    edge: datetime | None = None
    for at in live(
        house,
        start,
        start + steps * every,
        lambda when: load[(when - start) // every % len(load)],
        events,
        every,
    ):
        here = [event for event in waiting if event.at == at]
        slept = not house.powered or not house.clock_known or any(e.what in SLEEP for e in here)
        assert slept or edge is None or edge >= house.clock, "a missed edge"
        meter.step(at, here)
        differ = house_line(house).differences(meter.line())
        assert not differ, f"at {at}, after {here}: {differ}"
        edge = meter.calendar.next_edge(house.clock)


loads = st.lists(
    st.tuples(st.integers(0, 400) | st.just(0), st.integers(0, 90) | st.just(0)),
    min_size=1,
    max_size=9,
)
QUIET = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(st.data(), st.sampled_from(STARTS), st.sampled_from((1, 15, 60)), loads)
def test_the_rules_agree_with_the_household(
    data: st.DataObject, start: datetime, minutes: int, load: list[tuple[int, int]]
) -> None:
    """Money, credits, windows and supply, with the clock left alone."""
    terms = data.draw(all_terms(start))
    steps = 150
    events = data.draw(happenings(terms, start, steps * minutes * 60, clock=False))
    held_side_by_side(terms, start, steps, timedelta(minutes=minutes), load, events)


@QUIET
@given(st.data(), st.sampled_from(STARTS))
def test_they_agree_in_central_mode(data: st.DataObject, start: datetime) -> None:
    """Snapshots, arms and disarms; nothing is charged."""
    terms = replace(data.draw(all_terms(start)), central=True)
    hours = timedelta(hours=100)
    sequences = st.integers(1, 6)
    kinds = {
        "set_snapshot": st.tuples(sequences, st.integers(-1500, 900)),
        "arm": st.tuples(sequences, st.timedeltas(timedelta(), hours).map(lambda n: start + n)),
        "disarm": st.just(()),
        "press": st.just(()),
        "protect": st.just(()),
        "lose_clock": st.just(()),
    }
    often = [*sorted(kinds), "set_snapshot", "arm", "arm"]
    event = st.sampled_from(often).flatmap(
        lambda what: st.builds(
            Event, st.integers(0, 360_000).map(lambda n: start + timedelta(seconds=n)),
            st.just(what), kinds[what],
        )
    )  # fmt: skip
    events = [Event(start, "open", (0,)), *data.draw(st.lists(event, max_size=12))]
    held_side_by_side(terms, start, 100, timedelta(hours=1), [(50, 9)], events)


@QUIET
@given(st.data(), st.sampled_from(STARTS), st.sampled_from((1, 15, 60)), loads)
def test_they_agree_whatever_happens_to_the_clock(
    data: st.DataObject, start: datetime, minutes: int, load: list[tuple[int, int]]
) -> None:
    """Set forward and back over edges and periods, lost, and found again."""
    terms = replace(data.draw(all_terms(start)), max_provision=None)
    events = data.draw(happenings(terms, start, 100 * minutes * 60, clock=True))
    held_side_by_side(terms, start, 100, timedelta(minutes=minutes), load, events)


SHARES = st.none() | st.sampled_from((0, 1, 30, 50, 99, 100))


@st.composite
def shared_lives(draw: st.DrawFn, start: datetime) -> tuple[Terms, list[Event]]:
    """An advance that is used up and repaid over and over within 120 hours, by changing shares."""
    limit = draw(st.sampled_from((0, 0, -500)))
    terms = Terms(
        zone=ZONE,
        windows=draw(timetables(start)),
        limit=limit,
        low_threshold=draw(st.integers(-100, 300)),
        emergency=draw(st.integers(1, 900)),
        emergency_by=draw(st.sampled_from(("button", "automatic"))),
        emergency_threshold=limit + draw(st.sampled_from((0, 0, 300))),
        window_void_in_emergency=draw(st.booleans()),
        repays=draw(SHARES),
        fees=(Fee("energy", "consumption", prices=(Fraction(1, 10),)), Fee("fee", "payment")),
        order=("fee", "credit"),
        watts=10**9,
    )
    top_up = st.tuples(st.just("top_up"), st.integers(1, 900).map(lambda paid: (paid,)))
    happens = st.one_of(
        top_up,
        top_up,
        st.tuples(st.just("press"), st.just(())),
        st.tuples(st.just("adjust"), st.integers(-900, 300).map(lambda by: (by,))),
        st.tuples(st.just("share"), SHARES.map(lambda percent: (percent,))),
    )
    drawn = draw(st.lists(st.tuples(st.integers(1, 119), happens), min_size=4, max_size=25))
    events = [Event(start + hour * 60 * MINUTE, *what) for hour, what in drawn]
    return terms, [Event(start, "open", (limit + draw(st.integers(0, 300)),)), *events]


@settings(QUIET, max_examples=15)
@given(st.data(), st.sampled_from(STARTS), st.integers(50, 600))
def test_they_agree_on_what_top_ups_repay_of_the_emergency_credit(
    data: st.DataObject, start: datetime, used: int
) -> None:
    """Balance, what is owed beside it, what is left of the advance, and supply; thrice.

    The household, the rules at each of its moments, and the course that knows only its own.
    """
    terms, events = data.draw(shared_lives(start))
    hour = timedelta(hours=1)
    held_side_by_side(terms, start, 120, hour, [(used, 0)], events)
    life = Life(terms, start, hour, [(used, 0)], 120, tuple(events))
    house, course = lived(life), coursed(life)
    assert not (differ := house.differences(course)), differ


ENERGY = Fee("energy", "consumption", prices=(Fraction(1, 10),))
SIX_DAYS = Fee("standing", "time", amount=5, days=6)
COSTS = Fee("costs", "payment", continuous=False)
NONE = Timetable(ZONE, [])
BEGIN = STARTS[-1]


@pytest.mark.parametrize(
    ("terms", "events", "why"),
    [
        (Terms(ZONE, NONE, fees=(ENERGY, SIX_DAYS)),
         [(0, "open", 99, (), date(2026, 5, 31)), (20, "close")], "5 x 3/6: halves up"),
        (Terms(ZONE, NONE, fees=(ENERGY, SIX_DAYS)),
         [(0, "open", 99), (50, "close")], "5 x 3/6 comes back: halves up"),
        (Terms(ZONE, NONE, fees=(ENERGY, SIX_DAYS)),
         [(0, "open", 99, (), date(2026, 5, 30), False, True), (20, "close")],
         "the day of an exchange was paid to the old meter"),
        (Terms(ZONE, NONE, fees=(ENERGY, SIX_DAYS)),
         [(0, "open", 99, (), None, False, True), (1, "close"), (2, "open", 90), (50, "close")],
         "closed on that day and opened as a new account, which pays for it"),
        (Terms(ZONE, NONE, fees=(ENERGY, SIX_DAYS)),
         [(0, "open", 99), (9, "power_cut"), (400, "power_return")], "two begin in the dark"),
        (Terms(ZONE, NONE, limit=-5000, low_days=9, fees=(ENERGY,)),
         [(0, "open", 500)], "fewer days left each day"),
        (Terms(ZONE, NONE, fees=(ENERGY, COSTS), order=("debts", "credit"), max_provision=100,
               debts=Fee("debts", "payment", share=5000), provision_period=timedelta(hours=48)),
         [(0, "open", 99, [("costs", 900)]), (3, "top_up", 400), (50, "top_up", 400),
          (51, "top_up", 400)], "a period of 48 hours ends to the second"),
        (Terms(ZONE, NONE, fees=(ENERGY,), central=True),
         [(0, "open", 0), (1, "set_snapshot", 3, 5), (2, "arm", 4, BEGIN + timedelta(hours=9)),
          (9, "set_snapshot", 4, -5)], "the arm expires as the balance comes"),
        (Terms(ZONE, NONE, fees=(ENERGY,), central=True),
         [(0, "open", 0), (1, "set_snapshot", 3, 5), (2, "arm", 4, BEGIN + timedelta(hours=9)),
          (8, "set_snapshot", 4, -5), (30, "disarm")], "it outlives its expiry, not the disarm"),
    ],
)  # fmt: skip
def test_they_agree_on_the_edges(terms: Terms, events: list[tuple[int, str]], why: str) -> None:
    """Cases that chance seldom draws, by the hour."""
    happens = [Event(BEGIN + timedelta(hours=e[0]), e[1], tuple(e[2:])) for e in events]
    held_side_by_side(terms, BEGIN, 420, timedelta(hours=1), [(10, 0)], happens)


def test_a_price_change_leaves_the_others_alone() -> None:
    """Feed-in that waits for the end of a window goes on waiting when another price changes."""
    waits = Fee("feed-in", "consumption", prices=(Fraction(-1),), exported=True, when=frozenset())
    energy = Fee("energy", "consumption", prices=(Fraction(1),))
    always = Timetable(ZONE, [Entry(True, time(0), "0123456")])
    terms = Terms(zone=ZONE, windows=always, fees=(energy, waits))
    start = STARTS[0]
    events = [
        Event(start, "open", (100,)),
        Event(start + 2 * MINUTE, "price", ("energy", (Fraction(2),), 0, start)),
    ]
    held_side_by_side(terms, start, 3, MINUTE, [(1, 5)], events)


def test_a_clock_that_was_far_ahead_and_is_put_right() -> None:
    """30 days ahead for an hour: one period is collected, and counts for the next to begin."""
    standing = Fee("standing", "time", amount=100, days=2)
    energy = Fee("energy", "consumption", prices=(Fraction(1),))
    terms = Terms(zone=ZONE, windows=Timetable(ZONE, []), fees=(energy, standing))
    start, hour = STARTS[0], timedelta(hours=1)
    events = [
        Event(start, "open", (5000,)),
        Event(start + hour, "set_clock", (start + timedelta(days=30),)),
        Event(start + 2 * hour, "set_clock", (start + 2 * hour,)),
    ]
    held_side_by_side(terms, start, 60, hour, [(0, 0)], events)
