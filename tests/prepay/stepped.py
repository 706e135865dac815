"""The rules of ``prepay``, put together as a meter does and stepped at the moments of a household.

Only the glue is here: which rule is asked when (section 1 of the rule book). The world is shared:
registers, true time and power are the household's. Money, credit, windows, supply and the relay
are what ``prepay`` makes of it, so that the two can be held side by side (`Line`).
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from obis.values import replace
from prepay.account_rules import AccountRules, DebtRules
from prepay.charge import REMAINDER_PER_MINOR, Charge, ChargeType, Tariff, When
from prepay.credit import (
    CreditRules,
    CreditStatus,
    EmergencySelection,
    Standing,
    days_left,
    standing,
)
from prepay.cut import Arm, BalanceMode, Supply, Verdict, judge
from prepay.money import EUR, MAX_AMOUNT
from prepay.purse import (
    BalanceOutOfRange,
    Opening,
    Purse,
    Readings,
    Situation,
    adjust,
    blank,
    change_prices,
    clock_set,
    close_account,
    collect_consumption,
    collect_time,
    cost_of,
    open_account,
    set_remaining,
    top_up,
)
from prepay.schedule import DatePattern, Schedule, ScheduleEntry, SpecialDay, Tables
from prepay.topup import StartCredit, StartRule, TopUpError, TopUpLimits
from tests.prepay.housebook import Fee, Terms
from tests.prepay.household import BY_HAND, PHYSICAL, Event, Household
from tests.prepay.timetable import Entry, Pattern, Timetable

KINDS = {
    "consumption": ChargeType.CONSUMPTION,
    "time": ChargeType.TIME,
    "payment": ChargeType.PAYMENT_EVENT,
}
SUPPLY = {Supply.FULL: "yes", Supply.LIMITED: "limited", Supply.NONE: "no"}


def tariff(price: Fraction) -> Tariff:
    """Return the price of a Wh in cents as the price of a kWh in euros."""
    return Tariff.per_kwh(Decimal(price.numerator) / Decimal(price.denominator) * 10)


def charge(fee: Fee) -> Charge:
    """Return a fee as the rules have it."""
    consumption = fee.kind == "consumption"
    return Charge(
        name=fee.name,
        type=KINDS[fee.kind],
        priority=fee.priority,
        continuous=fee.continuous,
        when=When(*(one in fee.when for one in ("disconnected", "limited", "friendly"))),
        register=("1-0:2.8.0" if fee.exported else "1-0:1.8.0") if consumption else "",
        tariffs=tuple(tariff(price) for price in fee.prices),
        amount=fee.amount,
        period_days=fee.days,
        proportion=fee.share,
        of_rest=fee.of_rest,
    )


def account_rules(terms: Terms) -> AccountRules:
    """Return what a profile would say."""
    bounded = terms.max_provision is not None
    return AccountRules(
        currency=EUR,
        credit=CreditRules(
            limit=terms.limit,
            low_threshold=terms.low_threshold,
            emergency_amount=terms.emergency,
            emergency_selection=EmergencySelection(terms.emergency_by or "none"),
            emergency_threshold=terms.emergency_threshold,
            window_void_in_emergency=terms.window_void_in_emergency,
            low_days=terms.low_days,
            repayment=terms.repays,
        ),
        charges=tuple(charge(fee) for fee in terms.fees),
        order=terms.order,
        debts=DebtRules(
            terms.debts.share,
            terms.debts.of_rest,
            terms.debts.amount,
            terms.max_provision or 0,
            int(terms.provision_period.total_seconds()) if bounded else 0,
        ),
        limits=TopUpLimits(1, terms.max_payment or MAX_AMOUNT, terms.max_balance),
        start_credit=StartCredit(terms.start_credit, StartRule(terms.start_rule)),
    )


def pattern(named: Pattern) -> DatePattern:
    """Return a date with wildcards."""
    return DatePattern(*named)


def schedule(timetable: Timetable) -> Schedule:
    """Return the two tables of a timetable."""
    entries = tuple(row(index, entry) for index, entry in enumerate(timetable.entries, start=1))
    special = tuple(
        SpecialDay(index, pattern(named), day_id)
        for index, (named, day_id) in enumerate(timetable.special.items(), start=1)
    )
    return Schedule(timetable.zone, Tables(entries, special))


def row(index: int, entry: Entry) -> ScheduleEntry:
    """Return one row of the schedule."""
    return ScheduleEntry(
        index,
        entry.opens,
        entry.at,
        "".join("1" if day in entry.weekdays else "0" for day in "0123456"),
        "".join("1" if one in entry.day_ids else "0" for one in range(8)),
        pattern(entry.begin),
        pattern(entry.end),
    )


def word(status: CreditStatus | None) -> str:
    """Return a status as the household writes it."""
    return "none" if status is None else status.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Line:
    """What both sides say at one moment; of credits only while there is an account."""

    balance: int
    paid: tuple[int, ...]
    remaining: tuple[int, ...]
    rest: tuple[Fraction, ...]
    token: str
    emergency: str
    left: int
    owed: int
    low: bool
    used_up: bool
    supply: str
    cut_before: bool
    closed: bool

    def differences(self, other: "Line") -> str:
        """Say in which columns another line differs."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return ", ".join(
            f"{name} {mine} and {their}" for name, mine, their in pairs if mine != their
        )


def house_line(house: Household) -> Line:
    """Return the line of the household."""
    books = list(house.books.values())
    return Line(
        house.balance,
        tuple(book.paid for book in books),
        tuple(book.remaining for book in books),
        tuple(book.rest for book in books),
        house.token if house.active else "",
        house.emergency if house.active else "",
        house.emergency_left,
        house.lent,
        house.low,
        house.active and house.used_up,
        house.supply,
        house.cut_before,
        house.closed,
    )


class Meter:
    """The rules of ``prepay`` in the order of section 1."""

    def __init__(self, terms: Terms, house: Household) -> None:
        self.house, self.zone = house, terms.zone
        self.rules = account_rules(terms)
        assert isinstance(terms.windows, Timetable)
        self.calendar = schedule(terms.windows)
        self.central = terms.central
        self.purse: Purse = blank(self.rules)
        self.now = house.now
        self.offset = timedelta()
        self.known, self.active, self.taken = True, False, False
        self.plan_: tuple[datetime, str, tuple[object, ...]] | None = None
        self.price_plans: list[tuple[datetime, int, Charge]] = []
        self.snapshot = (0, 0)
        self.armed: tuple[int, datetime] | None = None
        self.protected = self.is_never_cut = self.operator_open = False
        self.closed = True
        self.verdict: Verdict | None = None
        self.judged = self.stand()

    # ---- facts

    @property
    def clock(self) -> datetime:
        """The meter's clock."""
        return self.now + self.offset

    @property
    def at_ms(self) -> int:
        """The same as the rules take it."""
        return int(self.clock.timestamp()) * 1000

    @property
    def today(self) -> int:
        """The local day."""
        return self.clock.astimezone(self.zone).toordinal()

    def day_of(self, moment: int) -> int:
        """Return the local day of a moment in ms."""
        return datetime.fromtimestamp(moment / 1000, self.zone).toordinal()

    @property
    def readings(self) -> Readings:
        """The registers of the household."""
        return Readings(tuple(self.house.imported), tuple(self.house.exported))

    @property
    def balance(self) -> int:
        """Who keeps it says it."""
        return self.snapshot[1] if self.central else self.purse.balance

    @property
    def friendly(self) -> bool:
        """Whether the schedule has a window now."""
        return self.known and self.calendar.covers(self.clock)

    @property
    def collects(self) -> bool:
        """Whether charges are collected at all."""
        return self.active and not self.central

    def stand(self) -> Standing:
        """Judge the balance."""
        recent = self.house.days_used[-7:]
        cost = cost_of(self.rules, sum(day[0] for day in recent))
        lasts = days_left(self.balance, cost, len(recent))
        owed = self.purse.advance.owed
        return standing(self.rules.credit, self.balance, self.taken, lasts, owed)

    def situation(self) -> Situation:
        """Return what decides on collections."""
        limited = self.verdict is not None and self.verdict.limited
        window = self.friendly and not self.stand().window_void
        return Situation(not self.closed, limited, window, self.known)

    # ---- one moment

    def step(self, at: datetime, events: Iterable[Event]) -> None:
        """Do what a meter does at one moment."""
        self.now, events = at, list(events)
        if any(event.what == "lose_clock" for event in events):
            self.known = False
        if not self.house.powered:
            return
        self.by_itself()
        rest = [event for event in events if event.what not in PHYSICAL]
        for event in sorted(rest, key=lambda event: event.what not in BY_HAND):
            self.attempt(event.what, event.how)
            self.judge()

    def by_itself(self) -> None:
        """Energy, prices, days, plan, supply."""
        if self.collects:
            self.purse = collect_consumption(
                self.rules, self.purse, self.readings, self.at_ms, self.situation()
            )
        for plan in [plan for plan in self.price_plans if self.known and plan[0] <= self.clock]:
            self.price_plans.remove(plan)
            changed = self.rules.with_charge(plan[1], plan[2])
            if self.collects and plan[2].type is ChargeType.CONSUMPTION:
                self.purse = change_prices(
                    self.rules, changed, self.purse, self.readings, self.at_ms
                )
            self.rules = changed
        if self.collects:
            self.purse = collect_time(
                self.rules, self.purse, self.today, self.at_ms, self.situation()
            )
        if self.plan_ and self.known and self.plan_[0] <= self.clock:
            (_, what, how), self.plan_ = self.plan_, None
            self.attempt(what, how)
        self.judge()

    def attempt(self, what: str, how: tuple[object, ...]) -> None:
        """Do what is asked; a refusal changes nothing."""
        with suppress(TopUpError, BalanceOutOfRange):
            getattr(self, f"do_{what}")(*how)

    def judge(self) -> None:
        """Judge credit and supply, and move the relay."""
        self.judged = self.stand()
        self.taken = self.active and self.judged.emergency_selected
        self.verdict = judge(
            BalanceMode.CENTRAL if self.central else BalanceMode.LOCAL,
            self.active,
            self.judged,
            friendly=self.friendly,
            armed=self.arm_state(),
            clock_known=self.known,
            already_cut=self.verdict is not None and self.verdict.flow is not Supply.FULL,
            protected=self.protected,
            never_cut=self.is_never_cut,
        )
        self.closed = self.verdict.supply and not self.operator_open

    def arm_state(self) -> Arm:
        """Return what the head-end allows."""
        if self.armed is None:
            return Arm.NONE
        if self.armed[0] != self.snapshot[0]:
            return Arm.ANOTHER_SEQUENCE
        return Arm.EXPIRED if self.clock >= self.armed[1] else Arm.ARMED

    # ---- what is asked

    def do_open(
        self,
        brought: int = 0,
        debts: Iterable[tuple[str, int]] = (),
        anchor: date | None = None,
        start_credit: bool = True,
        first_day_paid: bool = False,
    ) -> None:
        """Open the account."""
        if self.active or not self.known:
            return
        if self.central:
            first = self.rules.start_credit.first_balance(brought) if start_credit else brought
            self.snapshot, self.active = (self.snapshot[0], first), True
            return
        slots = tuple((self.rules.slot_of(name), amount) for name, amount in debts)
        day = None if anchor is None else anchor.toordinal()
        opening = Opening(brought, slots, day, start_credit, first_day_paid)
        self.purse = open_account(
            self.rules, self.purse, opening, self.readings, self.today, self.at_ms
        )
        self.active, self.taken, self.verdict = True, False, None

    def do_close(self) -> None:
        """Close it."""
        if self.active:
            settled = close_account(
                self.rules, self.purse, self.readings, self.today, self.at_ms, self.situation()
            )
            self.purse, self.active, self.taken = settled.purse, False, False

    def do_plan(self, when: datetime, what: str, *how: object) -> None:
        """Plan either."""
        if self.plan_ is None:
            self.plan_ = (when, what, how)
            self.by_itself()

    def do_top_up(self, amount: int) -> None:
        """Take a payment."""
        if self.collects:
            done = top_up(self.rules, self.purse, amount, self.at_ms, advanced=self.taken)
            self.purse = done.purse

    do_key_in = do_top_up

    def do_share(self, percent: int | None) -> None:
        """Change what of a payment repays the emergency credit."""
        self.rules = replace(self.rules, credit=replace(self.rules.credit, repayment=percent))

    def do_adjust(self, amount: int) -> None:
        """Correct the balance."""
        if self.collects:
            self.purse = adjust(self.purse, amount)

    def do_owe(self, name: str, amount: int) -> None:
        """Set a debt."""
        self.purse = set_remaining(self.purse, self.rules.slot_of(name), amount)

    def do_price(
        self, name: str, prices: tuple[Fraction, ...], amount: int, when: datetime
    ) -> None:
        """Change a price."""
        slot = self.rules.slot_of(name)
        new = replace(self.rules.charges[slot], tariffs=tuple(map(tariff, prices)), amount=amount)
        self.price_plans = [plan for plan in self.price_plans if plan[1] != slot]
        self.price_plans.append((when, slot, new))
        self.by_itself()

    def do_set_snapshot(self, sequence: int, balance: int) -> None:
        """Take a newer balance."""
        if sequence > self.snapshot[0]:
            self.snapshot = (sequence, balance)

    def do_arm(self, sequence: int, until: datetime) -> None:
        """Take the head-end's permission."""
        self.armed = (sequence, until)

    def do_disarm(self) -> None:
        """Lose it."""
        self.armed = None

    def do_press(self) -> None:
        """Take the advance, where the button can."""
        if self.active and self.judged.can_select:
            self.taken = True

    def do_operator(self, stands: bool) -> None:
        """Open by order."""
        self.operator_open = stands

    def do_protect(self) -> None:
        """Place under protection."""
        self.protected = True

    def do_never_cut(self, flag: bool) -> None:
        """Set the flag."""
        self.is_never_cut = flag

    def do_set_clock(self, to: datetime) -> None:
        """Set the clock."""
        before, known = self.today, self.known
        self.offset, self.known = to - self.now, True
        if self.collects:
            self.purse = clock_set(self.rules, self.purse, before, self.today, known, self.day_of)
        self.by_itself()

    def line(self) -> Line:
        """Return what the rules say now."""
        judged = self.judged
        flow = Supply.FULL if self.verdict is None else self.verdict.flow
        return Line(
            self.balance,
            tuple(state.paid for state in self.purse.charges),
            tuple(state.remaining for state in self.purse.charges),
            tuple(Fraction(state.remainder, REMAINDER_PER_MINOR) for state in self.purse.charges),
            word(judged.token_status) if self.active else "",
            word(judged.emergency_status) if self.active else "",
            self.stand().emergency_available,
            self.purse.advance.owed,
            self.active and judged.low,
            self.active and judged.out_of_credit,
            SUPPLY[flow],
            flow is not Supply.FULL,
            self.closed,
        )
