"""A household with a prepaid meter, minute by minute: the rules of prepayment, once more.

The judge of ``prepay``: it shares no code with it, is made from ``docs/prepayment.md`` alone, and
is meant to be checked by reading it beside that book. Sections 2 to 4 are in `housebook`, the
windows of section 6 in `timetable`, the rest is here.

    house = Household(Terms(zone=ZoneInfo("Asia/Jerusalem"), limit=-5000, fees=(...,)))
    for at in live(house, start, end, load, events):
        house.balance, house.supply, house.causes, house.moves, ...

The load says how many Wh are taken and fed in in the minute that begins at a moment. They are
counted at the end of that minute, if the relay is closed then. Events come at their moments, whole
minutes or not. `live` also stops at window edges, midnights, plans, and the limiter's times, so
that each move of the relay has its second. The meter's clock is the true time and an offset,
until it is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from obis.values import replace
from tests.prepay.housebook import DAY, HouseBook, Refused, Terms, nearest
from tests.prepay.timetable import moment

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
#: A contact that has not followed the coil by then is an event.
FOLLOWS = timedelta(seconds=10)

#: What happens to the meter itself comes before all else of a moment; hands come before lines.
PHYSICAL = ("power_cut", "power_return", "lose_clock", "use_rate", "set_register", "stick")
BY_HAND = ("press", "key_in")

#: Wh taken and Wh fed in, in the minute that begins at a moment.
Load = Callable[[datetime], tuple[int, int]]


@dataclass(frozen=True)
class Event:
    """Something that is done to the meter: a method of `Household`, and what it takes."""

    at: datetime
    what: str
    how: tuple[object, ...] = ()


@dataclass(frozen=True)
class Settlement:
    """What closing comes to."""

    at: datetime
    imported: tuple[int, ...]
    balance: int
    debts: dict[str, int]
    returned: dict[str, int]


def months_after(day: date, months: int) -> date:
    """Return the same day some months later, or the last one of a month that is too short."""
    count = day.month - 1 + months
    first = date(day.year + count // 12, count % 12 + 1, 1)
    last = (first + 31 * DAY).replace(day=1) - DAY
    return first.replace(day=min(day.day, last.day))


class Household(HouseBook):
    """The meter and all that is known of it; `step` is one moment."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self.powered = True
        self.plan_: tuple[datetime, str, tuple[object, ...]] | None = None
        self.settlements: list[Settlement] = []
        # who says what about supply
        self.armed: tuple[int, datetime] | None = None  # for a snapshot, until a moment
        self.cut_before = False
        self.is_never_cut = False
        self.protected_since: date | None = None
        self.defaulter = False
        # the limiter
        self.watts = 0
        self.above_since: datetime | None = None
        self.tripped_at: datetime | None = None
        # the relay: `closed` is its contact
        self.causes: set[str] = set()
        self.coil_closed = True
        self.opened_for: set[str] = set()
        self.stuck = False
        self.pulse_at: datetime | None = None
        self.fault_at: datetime | None = None
        self.moves: list[tuple[datetime, str, tuple[str, ...]]] = []
        self.edges: dict[date, list[datetime]] = {}

    # ---- section 1: moments

    def count(self, imported: int, exported: int) -> None:
        """Count the energy of the minute that ends now, where supply is on."""
        if not (self.powered and self.closed):
            return
        for registers, first, energy in (
            (self.imported, 0, imported),
            (self.exported, 5, exported),
        ):
            for place in (0, self.rate):
                registers[place] += energy
                self.day_used[first + place] += energy

    def step(self, at: datetime, events: Iterable[Event] = ()) -> None:
        """Live through one moment: what comes by itself, then hands, then lines."""
        self.now = at
        events = list(events)
        for event in events:
            if event.what in PHYSICAL:
                getattr(self, event.what)(*event.how)
        if not self.powered:
            return
        self.by_itself()
        for hand in (True, False):
            for event in events:
                if event.what not in PHYSICAL and (event.what in BY_HAND) is hand:
                    self.attempt(event.what, event.how)
                    self.judge()

    def by_itself(self, at_one_setting: bool = False) -> None:
        """Do in their order what needs nobody."""
        self.collect_consumption()
        for plan in [plan for plan in self.price_plans if self.due(plan[0])]:
            self.price_plans.remove(plan)
            self.change_price(plan[2])
        self.collect_time(at_one_setting)
        if self.plan_ and self.due(self.plan_[0]):
            (_, what, how), self.plan_ = self.plan_, None
            self.attempt(what, how)
        self.judge()

    def due(self, when: datetime) -> bool:
        """Say whether a planned moment of the meter's clock has come; without a clock it waits."""
        return self.clock_known and when <= self.clock

    def attempt(self, what: str, how: tuple[object, ...]) -> None:
        """Do what is asked, or note that it was refused."""
        try:
            getattr(self, what)(*how)
        except Refused as why:
            self.notes.append((self.now, f"{what} refused: {why}"))

    # ---- what happens to the meter itself

    def power_cut(self) -> None:
        """Stop; the relay stays as it is."""
        self.powered = False

    def power_return(self) -> None:
        """Go on."""
        self.powered = True

    def lose_clock(self) -> None:
        """Forget what time it is."""
        self.clock_known = self.day_whole = False

    def use_rate(self, rate: int) -> None:
        """Count into another rate register."""
        self.rate = rate

    def set_register(self, rate: int, energy: int) -> None:
        """Let the import register of a rate (0: the total) stand somewhere else."""
        self.imported[rate] = energy

    def stick(self, stuck: bool) -> None:
        """Let the contact stick where it is, or come free."""
        self.stuck = stuck

    # ---- by hand and by line; credits and charges are in `HouseBook`

    def press(self) -> None:
        """Take the advance where it is offered by button; then close a relay that waits."""
        if self.terms.emergency_by == "button" and self.emergency == "selectable":
            self.taken = True
        self.judge()
        if not self.causes and not self.coil_closed:
            self.move("close")

    def key_in(self, amount: int) -> None:
        """Top up by a token keyed in."""
        self.top_up(amount)

    def price(self, name: str, prices: tuple[Fraction, ...], amount: int, when: datetime) -> None:
        """Set the prices or the amount of a fee from a moment of the meter's clock on."""
        fee = replace(self.fees[name], prices=prices, amount=amount)
        self.price_plans = [plan for plan in self.price_plans if plan[1] != name]
        self.price_plans.append((when, name, fee))
        self.by_itself()

    def owe(self, name: str, amount: int) -> None:
        """Set what remains of a debt."""
        self.books[name].remaining = amount

    def set_clock(self, to: datetime) -> None:
        """Set the clock: forward over the beginnings of periods collects one; back, nothing.

        A clock that was unknown goes on from the period of that day: it is collected, once, and
        those that went by without a clock are not.
        """
        known, before = self.clock_known, self.today
        self.offset, self.clock_known = to - self.now, True
        if known and self.today < before:
            self.day = self.today  # set back: counting goes on from here
            self.opened_on = min(self.opened_on, self.today)
            self.forget_what_is_to_come()
        if not known or self.today != before:
            self.day_whole = False
        self.by_itself(at_one_setting=True)

    def forget_what_is_to_come(self) -> None:
        """Set back: of the periods collected that are to come, the next one stays collected.

        The running one counts as collected too, both at the amount of the last.
        """
        for fee in self.by_priority():
            periods = self.books[fee.name].periods
            if fee.kind != "time" or not periods:
                continue
            running, after = self.period(fee, self.today)
            last = max(periods)
            if last >= after:
                amount = periods[last]
                kept = {first: value for first, value in periods.items() if first < running}
                self.books[fee.name].periods = {**kept, running: amount, after: amount}

    def operator(self, stands: bool) -> None:
        """Open by order, or end that."""
        self.cause("operator", stands)

    def tamper(self, stands: bool) -> None:
        """Note tampering, or its end."""
        self.cause("tamper", stands)

    def gas_safety(self, stands: bool) -> None:
        """Note a danger with gas, or its end."""
        self.cause("gas", stands)

    # ---- section 5: opening, closing, exchange

    def open(
        self,
        brought: int = 0,
        debts: Iterable[tuple[str, int]] = (),
        anchor: date | None = None,
        start_credit: bool = True,
        first_day_paid: bool = False,
    ) -> None:
        """Open the account with what the customer brings; today may have been paid elsewhere."""
        if self.active or not self.clock_known:
            raise Refused("active already, or no date to open at")
        terms, balance = self.terms, brought
        if start_credit:
            start = terms.start_credit
            balance = max(brought, start) if terms.start_rule == "raise_to" else brought + start
        self.must_fit(balance)
        self.collect_consumption()  # before opening nothing is charged: counting begins here
        if self.central:
            self.snapshot = (self.snapshot[0], balance)
        else:
            self.started += balance
        self.active, self.taken, self.cut_before, self.lent = True, False, False, 0
        self.day = self.opened_on = self.today
        self.anchor = anchor or self.today
        self.provision_since, self.provision_taken = None, 0
        for book in self.books.values():
            book.rest, book.remaining = Fraction(0), 0
        for name, remaining in debts:
            self.books[name].remaining = remaining
        for fee in terms.fees:
            if fee.kind == "time":
                fee, book = self.fees[fee.name], self.books[fee.name]
                first, after = self.period(fee, self.today)
                pays = fee.continuous and not self.central
                book.periods = {first: fee.amount if pays else 0}
                pays_from = self.today + first_day_paid * DAY
                amount = nearest(Fraction(book.periods[first] * (after - pays_from).days, fee.days))
                book.paid += amount
                if amount:
                    book.collected_on = self.today

    def close(self) -> None:
        """Close the account: collect, give back, settle."""
        if not self.active:
            raise Refused("not active")
        self.collect_consumption(force=True)
        returned, debts = {}, {}
        for name, fee in self.fees.items():
            book = self.books[name]
            if fee.kind == "time" and fee.continuous:
                first, after = self.period(fee, self.today)
                unused = (after - self.today).days - 1 if self.clock_known else 0
                returned[name] = nearest(Fraction(book.periods.get(first, 0) * unused, fee.days))
                book.paid -= returned[name]
            if not fee.continuous:
                debts[name], book.remaining = book.remaining, 0
        self.lent = 0  # it is settled with the rest
        balance = self.balance
        self.settlements.append(
            Settlement(self.now, tuple(self.imported), balance, debts, returned)
        )
        if self.central:
            self.snapshot = (self.snapshot[0], 0)
        else:
            self.settled += balance
        self.active = self.taken = False

    def plan(self, when: datetime, what: str, *how: object) -> None:
        """Plan an opening or a closing for a moment of the meter's clock; one at a time."""
        if self.plan_:
            raise Refused("there is a plan")
        self.plan_ = (when, what, how)
        self.by_itself()

    def withdraw_plan(self) -> None:
        """Withdraw the plan."""
        if not self.plan_:
            raise Refused("there is no plan")
        self.plan_ = None

    def set_snapshot(self, sequence: int, balance: int) -> None:
        """Take the head-end's balance, if it is newer (central mode)."""
        if not self.central or sequence <= self.snapshot[0]:
            raise Refused("not newer")
        self.snapshot = (sequence, balance)

    def arm(self, sequence: int, until: datetime) -> None:
        """Let the meter cut for one snapshot, until a moment (central mode)."""
        self.armed = (sequence, until)

    def disarm(self) -> None:
        """Take that back; what was cut returns."""
        self.armed = None

    def to_local(self, sequence: int, balance: int) -> None:
        """Let the meter keep the balance that the head-end says."""
        if not self.central or sequence < self.snapshot[0]:
            raise Refused("not central, or an old balance")
        self.collect_consumption()  # nothing is charged; counting begins here
        self.central, self.armed = False, None
        self.started += balance - self.balance

    def to_central(self, sequence: int) -> None:
        """Let the head-end keep the balance, collected to this moment."""
        if self.central or sequence <= self.snapshot[0]:
            raise Refused("central already, or an old sequence")
        self.collect_consumption(force=True)
        self.lent = 0  # the head-end keeps one number
        self.snapshot, self.central, self.armed = (sequence, self.balance), True, None

    # ---- section 7: supply

    def decide(self) -> tuple[str, bool]:
        """Return supply, and whether a cut has begun and not ended: the table, row by row."""
        protected = self.protected_since is not None
        never_cut = self.is_never_cut or (self.terms.gas and protected)
        valid = self.armed and self.armed[0] == self.snapshot[0] and self.clock < self.armed[1]
        complete = self.terms.windows.complete_at(self.clock)
        rows = (
            (not self.active, "yes", False),
            (not self.used_up, "yes", False),
            (never_cut, "yes", False),
            (self.central and self.armed is None, "yes", False),
            (self.cut_before and protected, "limited", True),
            (self.cut_before, "no", True),
            (not self.clock_known, "yes", False),
            (self.in_window or not complete, "yes", False),
            (self.central and not valid, "yes", False),
            (protected, "limited", True),
            (True, "no", True),
        )
        return next((supply, begun) for fits, supply, begun in rows if fits)

    def judge(self) -> None:
        """Judge credit, then the limiter; the relay is open while any cause stands."""
        self.keep_emergency()
        self.supply, self.cut_before = self.decide()
        self.cause("credit", self.supply == "no")
        self.limit_power()
        self.check_contact()
        self.judge_low()
        self.say_recurrent_defaulter()

    def never_cut(self, flag: bool) -> None:
        """Set the flag of a landlord or of medical need."""
        self.is_never_cut = flag

    def cause(self, name: str, stands: bool) -> None:
        """Let a cause stand or go: credit, operator, limiter, tamper, gas."""
        (self.causes.add if stands else self.causes.discard)(name)
        if self.causes:
            self.opened_for |= self.causes
            if self.coil_closed:
                self.move("open")
        elif not self.coil_closed and (self.terms.recloses or self.opened_for == {"limiter"}):
            self.move("close")

    def move(self, way: str) -> None:
        """Pulse the coil."""
        self.coil_closed = way == "close"
        if self.coil_closed:
            self.opened_for = set()
        self.moves.append((self.now, way, tuple(sorted(self.causes))))
        self.fault_at, self.pulse_at = self.now + FOLLOWS, self.now
        self.check_contact()

    def check_contact(self) -> None:
        """Let the contact follow a pulse; note once if it did not, pulse again once a minute."""
        if self.pulse_at and self.now >= self.pulse_at:
            self.pulse_at = self.now + MINUTE
            self.closed = self.closed if self.stuck else self.coil_closed
        if self.closed == self.coil_closed:
            self.fault_at = self.pulse_at = None
        elif self.fault_at and self.now >= self.fault_at:
            self.fault_at = None
            self.notes.append((self.now, "contact does not follow"))

    # ---- section 8: minimum supply

    def limit_power(self) -> None:
        """Open above the threshold, close after a rest; only while supply is limited."""
        terms = self.terms
        if self.supply != "limited":
            self.tripped_at = self.above_since = None
        elif self.tripped_at and self.now >= self.tripped_at + terms.rest:
            self.tripped_at = None
        self.cause("limiter", self.tripped_at is not None)
        if self.supply != "limited" or not self.closed or self.watts <= terms.watts:
            self.above_since = None
            return
        self.above_since = self.above_since or self.now
        if self.now >= self.above_since + terms.over:
            self.tripped_at, self.above_since = self.now, None
            self.cause("limiter", True)

    def protect(self) -> None:
        """Place the customer under protection."""
        self.protected_since, self.defaulter = self.today, False

    def withdraw_protection(self) -> None:
        """End minimum supply by order; not from 1 November to 15 March."""
        day = (self.today.month, self.today.day)
        if day >= (11, 1) or day <= (3, 15):
            raise Refused("winter")
        self.protected_since = None
        if self.supply == "limited":
            self.cut_before = False  # judged anew: in a window no cut begins

    def say_recurrent_defaulter(self) -> None:
        """Say once that six months have run; nothing else follows from it."""
        since = self.protected_since
        if (
            since
            and self.clock_known
            and not self.defaulter
            and self.today >= months_after(since, 6)
        ):
            self.defaulter = True
            self.notes.append((self.now, "recurrent defaulter"))

    # ---- when to look again

    def wakes(self) -> list[datetime]:
        """Return moments of the near future at which something happens by itself."""
        day = self.today
        if day not in self.edges:  # looked up once a day
            midnight = datetime.combine(day + DAY, time())
            self.edges = {day: [moment(midnight, self.terms.zone, opens=True)]}
            self.edges[day] += self.terms.windows.edges(day) + self.terms.windows.edges(day + DAY)
            self.edges[day] += list(self.terms.windows.complete or ())
        by_clock = list(self.edges[day])
        by_clock += [self.plan_[0]] if self.plan_ else []
        by_clock += [when for when, _, _ in self.price_plans]
        by_clock += [self.armed[1]] if self.armed else []
        by_itself = [at for at in (self.fault_at, self.pulse_at) if at]
        by_itself += [self.above_since + self.terms.over] if self.above_since else []
        by_itself += [self.tripped_at + self.terms.rest] if self.tripped_at else []
        return [at - self.offset for at in by_clock] + by_itself


def live(
    house: Household,
    start: datetime,
    end: datetime,
    load: Load,
    events: Iterable[Event] = (),
    every: timedelta = MINUTE,
) -> Iterator[datetime]:
    """Live from ``start`` to ``end``, both included; yields after each moment.

    With another ``every`` what is said here of minutes goes for stretches of that length.
    """
    waiting = sorted(events, key=lambda event: event.at)
    at, minute, used = start, start, (0, 0)
    while at <= end:
        if at == minute:
            house.count(*used)
            used, minute = load(at), minute + every
            house.watts = used[0] * timedelta(hours=1) // every
        count = next((n for n, event in enumerate(waiting) if event.at > at), len(waiting))
        house.step(at, waiting[:count])
        waiting = waiting[count:]
        yield at
        coming = [minute, *(event.at for event in waiting[:1])]
        if house.powered:
            coming += house.wakes()
        at = min(moment for moment in coming if moment > at)
