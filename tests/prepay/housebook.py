"""What a household's meter does with money: sections 2 to 4 of the rule book, once more.

Shares no code with ``prepay`` and is made from ``docs/prepayment.md`` alone: read it beside that
book, paragraph by paragraph. Money is whole minor units, prices and remainders are fractions,
energy is whole Wh, moments are UTC. `tests.prepay.household` lives through time with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from obis.values import replace
from tests.prepay.timetable import Windows, moment

DAY = timedelta(days=1)
LEAST, GREATEST = -(2**31), 2**31 - 1
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Fee:
    """One charge: what it is for, what it takes, and when it is collected."""

    name: str
    kind: str  # "consumption", "time" or "payment"
    continuous: bool = True  # else until it is paid: a debt
    priority: int = 1
    prices: tuple[Fraction, ...] = ()  # consumption: minor units a Wh, for all or rate by rate
    exported: bool = False
    amount: int = 0  # time: a period; payment: a fixed share
    days: int = 0  # of a period
    share: int = 0  # payment: of 10000; 0 means a fixed amount
    of_rest: bool = False  # the share is of what the steps before have left
    when: frozenset[str] = frozenset({"disconnected", "limited", "friendly"})


@dataclass(frozen=True)
class Terms:
    """What a profile asks for."""

    zone: ZoneInfo
    windows: Windows = field(default_factory=Windows)
    central: bool = False
    limit: int = 0
    low_threshold: int = 0
    low_days: int = 0
    emergency: int = 0
    emergency_by: str = ""  # "button", "automatic"
    emergency_threshold: int = 0
    window_void_in_emergency: bool = False
    repays: int | None = None  # percent of what comes to the credits; None: all of it, first
    fees: tuple[Fee, ...] = ()
    order: tuple[str, ...] = ("balance", "credit")
    debts: Fee = Fee("debts", "payment")  # share or amount of a payment that goes to debts
    max_provision: int | None = None
    provision_period: timedelta = timedelta(days=7)
    max_payment: int | None = None
    max_balance: int | None = None
    start_credit: int = 0
    start_rule: str = "add"  # "raise_to"
    gas: bool = False
    recloses: bool = True  # by itself; else it waits for a hand
    watts: int = 1300  # of minimum supply
    over: timedelta = timedelta(seconds=30)
    rest: timedelta = timedelta(seconds=60)


@dataclass
class Book:
    """What has become of one fee."""

    paid: int = 0
    remaining: int = 0
    rest: Fraction = Fraction(0)  # of a minor unit, not collected yet
    bases: list[int] = field(default_factory=lambda: [0] * 5)  # register by rate; 0 is the total
    periods: dict[date, int] = field(default_factory=dict)  # begun: the amount of that period
    collected_on: date = date.min  # when a period was collected last, by the clock of then


@dataclass(frozen=True)
class Settlement:
    """What closing comes to."""

    at: datetime
    registers: tuple[int, ...]
    balance: int
    debts: dict[str, int]
    returned: dict[str, int]


class Refused(Exception):
    """The meter says no, and nothing has changed."""


def nearest(amount: Fraction) -> int:
    """Round to the nearest, halves up."""
    return floor(amount + HALF)


def share_of(fee: Fee, payment: int, left: int) -> int:
    """Return what a fee asks of a payment: a share of it or of what is left, or an amount."""
    return (left if fee.of_rest else payment) * fee.share // 10000 if fee.share else fee.amount


def rates(fee: Fee) -> list[tuple[int, Fraction]]:
    """Return the rate registers of a fee and their prices; register 0 holds the total."""
    return list(enumerate(fee.prices, start=0 if len(fee.prices) == 1 else 1))


class HouseBook:
    """The balance, the credits and the charges of one meter, and the clock they go by."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.fees = {fee.name: fee for fee in terms.fees}  # as they are priced now
        self.books = {fee.name: Book() for fee in terms.fees}
        self.central = terms.central
        self.active = False
        self.started = self.paid = self.adjusted = self.settled = 0
        self.lent = 0  # owed of the emergency credit, beside the balance
        self.snapshot = (0, 0)  # sequence, balance
        # the meter and its clock
        self.now = datetime.min.replace(tzinfo=UTC)  # true
        self.offset = timedelta()
        self.clock_known = True
        self.imported, self.exported = [0] * 5, [0] * 5
        self.rate = 1
        self.day: date | None = None  # the last local day that the clock showed
        self.anchor = self.opened_on = date.min
        self.price_plans: list[tuple[datetime, str, Fee]] = []
        # credit and supply
        self.taken = False
        self.supply = "yes"
        self.closed = True  # the relay's contact
        # provision of debts, and recent use
        self.provision_since: datetime | None = None
        self.provision_taken = 0
        self.day_whole = False
        self.day_used: list[int] = [0] * 10
        self.days_used: list[list[int]] = []
        self.low = False
        # what was noted
        self.notes: list[tuple[datetime, str]] = []

    @property
    def clock(self) -> datetime:
        """What the meter takes for now."""
        return self.now + self.offset

    @property
    def today(self) -> date:
        """The local day of the meter's clock."""
        return self.clock.astimezone(self.terms.zone).date()

    @property
    def in_window(self) -> bool:
        """Say whether a friendly window is in force (section 6)."""
        void = self.terms.window_void_in_emergency and self.taken and self.token == "exhausted"
        return self.clock_known and not void and self.terms.windows.open_at(self.clock)

    # ---- section 2: the balance

    @property
    def charged(self) -> int:
        """What all charges have collected."""
        return sum(book.paid for book in self.books.values())

    @property
    def balance(self) -> int:
        """One number: the ledger's, or in central mode the last snapshot's."""
        if self.central:
            return self.snapshot[1]
        return self.started + self.paid + self.adjusted - self.charged - self.settled + self.lent

    @property
    def shown(self) -> int:
        """The balance as a double-long shows it."""
        return max(LEAST, self.balance)

    def must_keep_balance(self) -> None:
        """Refuse what takes an account that is not active, or that the meter does not keep."""
        if not self.active or self.central:
            raise Refused("no account with its balance here")

    def must_fit(self, balance: int) -> None:
        """Refuse what leads out of a double-long; from below it any step up is good."""
        if balance > GREATEST or (balance < LEAST and balance < self.balance):
            raise Refused("out of range")

    def adjust(self, amount: int) -> None:
        """Correct the balance."""
        self.must_keep_balance()
        self.must_fit(self.balance + amount)
        self.adjusted += amount

    def refund(self, amount: int) -> None:
        """Give the customer back what is his: not what is owed beside the balance."""
        self.must_keep_balance()
        if not 0 < amount <= self.balance - self.lent:
            raise Refused("not so much there")
        self.adjusted -= amount

    # ---- section 3: credits

    @property
    def token(self) -> str:
        """The status of the token credit."""
        return "exhausted" if self.balance <= self.terms.limit else "in use"

    @property
    def emergency_left(self) -> int:
        """What debt has left of the emergency credit."""
        return max(0, self.terms.emergency - self.lent - max(0, self.terms.limit - self.balance))

    @property
    def offered(self) -> bool:
        """Say whether the advance may be taken."""
        terms = self.terms
        return self.active and terms.emergency > 0 and self.balance <= terms.emergency_threshold

    @property
    def emergency(self) -> str:
        """The status of the emergency credit."""
        if self.terms.emergency == 0:
            return "none"
        if self.emergency_left == 0:
            return "exhausted"
        if self.token == "exhausted":
            return "in use" if self.taken else "selectable"
        if not self.offered:
            return "enabled"
        return "selected" if self.taken else "selectable"

    @property
    def used_up(self) -> bool:
        """Say whether there is nothing left to live on."""
        return self.token == "exhausted" and self.emergency != "in use"

    def keep_emergency(self) -> None:
        """Give the advance back above its threshold; take it, where that is automatic."""
        if self.balance > self.terms.emergency_threshold:
            self.taken = False
        elif self.terms.emergency_by == "automatic" and self.offered:
            self.taken = True

    @property
    def lasts(self) -> int | None:
        """Days that the balance lasts at recent use; None where it lasts for ever."""
        recent = self.days_used[-7:]
        if not recent:
            return None
        daily = Fraction(0)
        for fee in self.fees.values():
            if fee.kind == "consumption" and not fee.exported:  # use is what is taken
                for rate, price in rates(fee):
                    daily += Fraction(sum(day[rate] for day in recent), len(recent)) * price
        return floor(self.balance / daily) if daily > 0 else None

    def judge_low(self) -> None:
        """Announce low credit once when it begins."""
        low = self.active and self.balance < self.terms.low_threshold
        if self.active and self.terms.low_days:
            lasts = self.lasts
            low = low or (lasts is not None and lasts < self.terms.low_days)
        if low and not self.low:
            self.notes.append((self.now, "low"))
        self.low = low

    def record_day(self, seen: date | None) -> None:
        """Record the energy of a local day that began and ended before the meter's eyes.

        At its first moment nobody has seen the day before end, also at a midnight.
        """
        if seen == self.today:
            return
        zone = self.terms.zone
        midnight = self.clock == moment(datetime.combine(self.today, time()), zone, opens=True)
        if self.day_whole and midnight and seen == self.today - DAY:
            self.days_used.append(self.day_used)
        self.day_whole, self.day_used = midnight and seen is not None, [0] * 10

    # ---- section 4: charges

    def may_collect(self, fee: Fee) -> bool:
        """Say whether a fee is collected in the situation of this moment."""
        return not (
            ("disconnected" not in fee.when and not self.closed)
            or ("limited" not in fee.when and self.supply == "limited")
            or ("friendly" not in fee.when and self.in_window)
        )

    def collect_consumption(self, names: Iterable[str] = (), force: bool = False) -> None:
        """Charge for the energy since the last collection, of all fees or some."""
        for name, fee in self.fees.items():
            if fee.kind != "consumption" or (names and name not in names):
                continue
            book, registers = self.books[name], self.exported if fee.exported else self.imported
            collects = self.active and not self.central
            if collects and not force and not self.may_collect(fee):
                continue
            for rate, price in rates(fee):
                used = max(0, registers[rate] - book.bases[rate])
                book.bases[rate] = registers[rate]
                if collects and used:
                    book.rest += used * price
            self.take_whole_units(fee, book)

    def take_whole_units(self, fee: Fee, book: Book) -> None:
        """Collect whole minor units; a debt by consumption only until it is paid."""
        whole = floor(book.rest)
        book.rest -= whole
        if not fee.continuous:
            whole = min(whole, book.remaining)
            book.remaining -= whole
        book.paid += whole

    def change_price(self, fee: Fee) -> None:
        """Let new prices take over; what was used before is collected at the old ones first."""
        if fee.prices != self.fees[fee.name].prices:
            self.collect_consumption([fee.name], force=True)
        self.fees[fee.name] = fee

    def period(self, fee: Fee, day: date) -> tuple[date, date]:
        """Return the first day of the period that holds a day, and of the one after it."""
        first = self.anchor + (day - self.anchor).days // fee.days * fee.days * DAY
        return first, first + fee.days * DAY

    def by_priority(self) -> list[Fee]:
        """Return the charges by priority, then by their place."""
        return sorted(self.fees.values(), key=lambda fee: fee.priority)

    def collect_time(self, at_one_setting: bool = False) -> None:
        """Collect each period that began since the day that was seen last."""
        if not self.clock_known:
            return
        seen, self.day = self.day, self.today
        self.record_day(seen)
        if seen is None or not self.active or seen >= self.today:
            return
        for fee in self.by_priority():
            if fee.kind != "time":
                continue
            begun = []
            first = self.period(fee, self.today)[0]
            while first > max(seen, self.opened_on):
                begun.append(first)
                first -= fee.days * DAY
            last = self.books[fee.name].collected_on
            if at_one_setting:  # not again where the clock comes back to
                begun = [first for first in begun[:1] if not first <= last < first + fee.days * DAY]
            for first in reversed(begun):
                self.collect_period(fee, first)

    def collect_period(self, fee: Fee, first: date) -> None:
        """Collect a standing charge or an instalment for the period that begins on a day, once."""
        book = self.books[fee.name]
        if first in book.periods:
            return
        collects = not self.central and self.may_collect(fee)
        amount = fee.amount if collects else 0  # let go, or it stays owed
        if not fee.continuous:
            amount = min(amount, book.remaining)
            book.remaining -= amount
        book.periods[first] = amount
        book.paid += amount
        if amount:
            book.collected_on = self.today

    def top_up(self, amount: int) -> None:
        """Take a top-up: to each step of the order what is its, to the balance the rest."""
        self.must_keep_balance()
        terms, left, aside, takes = self.terms, amount, 0, dict[str, int]()
        provision = self.provision_left()
        for step in terms.order:
            if step == "balance":
                aside = min(left, max(0, -self.balance))
                left -= aside
            elif step == "debts":
                room = min(share_of(terms.debts, amount, left), left)
                room = room if provision is None else min(room, provision)
                for fee in self.by_priority():
                    if fee.kind == "payment" and not fee.continuous:
                        takes[fee.name] = min(room, self.books[fee.name].remaining)
                        room -= takes[fee.name]
                        left -= takes[fee.name]
            elif step != "credit":
                takes[step] = min(share_of(self.fees[step], amount, left), left)
                left -= takes[step]
        owed, repaid = self.repay(aside + left)
        after = self.balance + (owed - self.lent) + aside + left - repaid
        if terms.max_payment is not None and amount > terms.max_payment:
            raise Refused("more than the greatest top-up")
        if terms.max_balance is not None and after > terms.max_balance:
            raise Refused("more than the greatest credit")
        self.must_fit(after)
        self.paid += amount
        self.lent = owed - repaid
        for name, taken in takes.items():
            self.books[name].paid += taken
            if not self.fees[name].continuous:
                self.books[name].remaining -= taken
                self.provide(taken)

    def share(self, percent: int | None) -> None:
        """Let a share of each top-up repay the emergency credit, or all of it, first."""
        self.terms = replace(self.terms, repays=percent)

    def repay(self, comes: int) -> tuple[int, int]:
        """Return what is owed of the emergency credit, and what of a payment repays it."""
        if self.terms.repays is None:
            return self.lent, min(self.lent, comes)
        owed = self.lent
        if self.taken:  # used is what is not left
            owed = max(self.lent, self.terms.emergency - self.emergency_left)
        return owed, min(owed, comes * self.terms.repays // 100)

    def provision_left(self) -> int | None:
        """What may still be taken for debts in this period; None where there is no bound."""
        if self.terms.max_provision is None:
            return None
        since = self.provision_since
        over = since is None or self.clock >= since + self.terms.provision_period
        return self.terms.max_provision - (0 if over else self.provision_taken)

    def provide(self, taken: int) -> None:
        """Note what a debt took; a period begins with the first collection after the last."""
        if taken:
            since = self.provision_since
            if since is None or self.clock >= since + self.terms.provision_period:
                self.provision_since, self.provision_taken = self.clock, 0
            self.provision_taken += taken
