"""A course by the rules alone beside the household: the same terms, load and events for both.

Only the glue is here: an event of the household is a deed to the course, and what both come to is
written in the same words.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from obis.values import replace
from prepay.charge import REMAINDER_PER_MINOR
from prepay.course import Course, Deed, Place
from prepay.demand import Demand
from prepay.purse import (
    BalanceOutOfRange,
    Opening,
    adjust,
    blank,
    change_prices,
    close_account,
    open_account,
    set_remaining,
    top_up,
)
from prepay.topup import TopUpError
from tests.prepay.housebook import Terms
from tests.prepay.household import BY_HAND, PHYSICAL, Event, Household, live
from tests.prepay.stepped import account_rules, schedule, tariff
from tests.prepay.timetable import Timetable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
#: Wh taken and fed in, slot by slot.
Slots = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Life:
    """A household and what it lives through.

    Args:
        terms: of its account; the limiter is none of them.
        start: its first moment.
        every: length of a slot.
        load: Wh taken and fed in, slot by slot, over and over.
        count: of slots.
        events: by moment; not those that are done to the meter's board.
    """

    terms: Terms
    start: datetime
    every: timedelta
    load: Slots
    count: int
    events: tuple[Event, ...]

    @property
    def end(self) -> datetime:
        """The end of the last slot."""
        return self.start + self.count * self.every

    def slot(self, number: int) -> tuple[int, int]:
        """Return the load of a slot."""
        return self.load[number % len(self.load)] if number < self.count else (0, 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a life comes to; moments are of UTC."""

    totals: tuple[int, ...]  # started, paid, adjusted, charged, settled
    owed: int  # of the emergency credit, beside the balance
    paid: tuple[int, ...]
    remaining: tuple[int, ...]
    rest: tuple[Fraction, ...]
    energy: tuple[int, int]
    moves: list[tuple[datetime, bool, bool]]  # when, on, limited: as a moment leaves it
    lows: list[datetime]

    def differences(self, other: "Outcome") -> str:
        """Say in which columns another differs, of a list the first place."""
        return "; ".join(
            f"{name}: {_apart(getattr(self, name), getattr(other, name))}"
            for name in self.__slots__
            if getattr(self, name) != getattr(other, name)
        )


def _apart(mine: object, their: object) -> str:
    if isinstance(mine, list) and isinstance(their, list):
        place = next((n for n, pair in enumerate(zip(mine, their)) if pair[0] != pair[1]), -1)  # noqa: B905  # one may end first
        place = min(len(mine), len(their)) if place < 0 else place
        mine, their = mine[place : place + 2], their[place : place + 2]
    return f"{mine} and {their}"


def lived(life: Life) -> Outcome:
    """Return what the household comes to, minute by minute."""
    house, moves = Household(life.terms), list[tuple[datetime, bool, bool]]()
    last = (True, False)

    def load(at: datetime) -> tuple[int, int]:
        return life.slot((at - life.start) // life.every)

    for at in live(house, life.start, life.end, load, life.events, life.every):
        now = (house.closed, house.supply == "limited")
        if now != last:
            moves.append((at, *now))
            last = now
    books = house.books.values()
    return Outcome(
        (house.started, house.paid, house.adjusted, house.charged, house.settled),
        house.lent,
        tuple(book.paid for book in books),
        tuple(book.remaining for book in books),
        tuple(book.rest for book in books),
        (house.imported[0], house.exported[0]),
        moves,
        [at for at, what in house.notes if what == "low"],
    )


def course_of(life: Life) -> Course:
    """Return the course as it begins; the account is opened by an event."""
    terms, rules = life.terms, account_rules(life.terms)
    assert isinstance(terms.windows, Timetable)
    start = ms(life.start)
    taken, fed_in = zip(*map(life.slot, range(life.count)), strict=True)
    demand = Demand.of(start, life.every // MS, taken, fed_in)
    place = Place(terms.zone, schedule(terms.windows))
    return Course(rules, place, demand, blank(rules), start, active=False)


def coursed(life: Life) -> Outcome:
    """Return what the course comes to."""
    course = course_of(life)
    course.run(ms(life.end), deeds(life.events))
    return told(course)


def told(course: Course) -> Outcome:
    """Return what a course has come to."""
    totals, charges = course.purse.totals, course.purse.charges
    return Outcome(
        (totals.started, totals.paid, totals.adjusted, totals.charged, totals.settled),
        course.purse.advance.owed,
        tuple(state.paid for state in charges),
        tuple(state.remaining for state in charges),
        tuple(Fraction(state.remainder, REMAINDER_PER_MINOR) for state in charges),
        (course.imported, course.exported),
        _in_the_end(course),
        [moment(at) for at in course.lows],
    )


def _in_the_end(course: Course) -> list[tuple[datetime, bool, bool]]:
    """Return the moves without those that another of the same moment takes back."""
    last, moves = (True, False), list[tuple[datetime, bool, bool]]()
    of_moments = {move.at: (move.on, move.limited) for move in course.moves}
    for at, now in of_moments.items():
        if now != last:
            moves.append((moment(at), *now))
            last = now
    return moves


def ms(at: datetime) -> int:
    """Return a moment as ms since 1970."""
    return (at - EPOCH) // MS


def moment(at: int) -> datetime:
    """Return ms since 1970 as a moment."""
    return EPOCH + at * MS


def deeds(events: Iterable[Event]) -> Iterator[tuple[int, Deed]]:
    """Return events as deeds; at one moment the board comes first, then hands, then lines."""
    ranked = sorted(events, key=lambda one: (one.what not in PHYSICAL, one.what not in BY_HAND))
    for event in ranked:
        yield ms(event.at), deed(event)


def deed(event: Event) -> Deed:
    """Return what an event does to a course; a refusal changes nothing."""

    def done(course: Course) -> None:
        with suppress(TopUpError, BalanceOutOfRange):
            globals()[f"_{event.what}"](course, *event.how)

    return done


def _open(
    one: Course,
    brought: int = 0,
    debts: Iterable[tuple[str, int]] = (),
    anchor: date | None = None,
    start_credit: bool = True,
    first_day_paid: bool = False,
) -> None:
    if one.active:
        return
    slots = tuple((one.rules.slot_of(name), amount) for name, amount in debts)
    day = None if anchor is None else anchor.toordinal()
    opening = Opening(brought, slots, day, start_credit, first_day_paid)
    one.purse = open_account(one.rules, one.purse, opening, one.readings, one.today, one.now)
    one.active = True


def _close(one: Course) -> None:
    if one.active:
        settled = close_account(
            one.rules, one.purse, one.readings, one.today, one.now, one.situation
        )
        one.purse, one.active = settled.purse, False


def _top_up(one: Course, amount: int) -> None:
    if one.active:
        done = top_up(one.rules, one.purse, amount, one.now, advanced=one.advanced)
        one.purse = done.purse


_key_in = _top_up


def _share(one: Course, percent: int | None) -> None:
    one.rules = replace(one.rules, credit=replace(one.rules.credit, repayment=percent))


def _adjust(one: Course, amount: int) -> None:
    if one.active:
        one.purse = adjust(one.purse, amount)


def _owe(one: Course, name: str, amount: int) -> None:
    one.purse = set_remaining(one.purse, one.rules.slot_of(name), amount)


def _price(
    one: Course, name: str, prices: tuple[Fraction, ...], amount: int, when: datetime
) -> None:
    assert ms(when) <= one.now, "a course has no plans"
    slot = one.rules.slot_of(name)
    new = replace(one.rules.charges[slot], tariffs=tuple(map(tariff, prices)), amount=amount)
    changed = one.rules.with_charge(slot, new)
    if one.active and prices:
        one.purse = change_prices(one.rules, changed, one.purse, one.readings, one.now)
    one.rules = changed


def _press(one: Course) -> None:
    one.press()


def _operator(one: Course, stands: bool) -> None:
    one.operator_open = stands


def _protect(one: Course) -> None:
    one.protected = True


def _never_cut(one: Course, flag: bool) -> None:
    one.never_cut = flag


def _use_rate(one: Course, rate: int) -> None:
    one.rate = rate - 1
