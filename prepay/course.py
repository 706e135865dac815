"""A household's course by the rules alone: from event to event, never from minute to minute.

Between two moments at which a rule can decide otherwise nothing has to be computed. Those moments
are known beforehand, all but one: an event, a window's edge, the day of a charge for time, a day
that recent use is averaged anew on; and the slot of the demand that takes the balance to the next
amount at which something changes. That one is found backwards: so much money is so many Wh at the
price of now, and in the running sums of the demand a bisection finds the slot that brings them. So
a year costs what its events cost, however finely its energy is known. Where more than one price
counts (rates, feed-in), or one below zero, the balance may turn, and the slots are gone through one
by one.

The rules are those that the firmware calls (`prepay.purse`, `prepay.credit`, `prepay.cut`), the
order within a moment that of the rule book. What waited for its situation is collected at the end
of the slot in which that came: the first moment after it. Local mode: where the head-end keeps the
balance the meter's course is in its orders. The limiter's trips are not here, for they hang on
power.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from prepay.account_rules import AccountRules, Counter
from prepay.charge import MAX_RATES, REMAINDER_PER_MINOR
from prepay.consumption import uncollected
from prepay.credit import RECENT_DAYS, Standing, days_left, standing
from prepay.cut import Arm, BalanceMode, Reason, judge
from prepay.demand import Demand
from prepay.holdings import NEVER, Purse, Readings, Situation
from prepay.purse import collect_consumption, collect_time, cost_of
from prepay.schedule import Schedule

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FAR: Final = 1 << 62


class Move(Struct, frozen=True):
    """What became of supply at a moment.

    Args:
        at: ms since 1970.
        on: whether energy may flow.
        limited: it may, as far as the limiter allows.
        reason: what credit says; the operator may hold the relay open beside it.
    """

    at: int
    on: bool
    limited: bool
    reason: Reason


class Place(Struct, frozen=True):
    """Where a household lives: its windows, and the zone of its days."""

    zone: ZoneInfo
    windows: Schedule


#: Something that is done to a household at a moment: it is given the course and changes it.
Deed = Callable[["Course"], None]


class Course:
    """One household, from its first moment on.

    Args:
        rules: of its account.
        place: its windows and zone.
        demand: what it would take.
        purse: of the account as it begins.
        start: the first moment, ms since 1970; energy counts from here.
        active: whether the account is in prepayment mode.
    """

    def __init__(
        self,
        rules: AccountRules,
        place: Place,
        demand: Demand,
        purse: Purse,
        start: int,
        *,
        active: bool = True,
    ) -> None:
        self.rules = rules
        self.purse = purse
        self.active = active
        self.now = start
        #: the active rate, from 0
        self.rate = 0
        self.operator_open = False
        self.protected = False
        self.never_cut = False
        self.moves: list[Move] = []
        #: moments at which low credit was announced
        self.lows: list[int] = []
        self._place = place
        self._demand = demand
        self._slots = demand.slots_until(start)
        self._taken = [0] * (1 + MAX_RATES)  # Wh: the total, then by rate
        self._fed_in = [0] * (1 + MAX_RATES)
        self._selected = False
        self._low = False
        self._cut = False
        self._on = True
        self._limited = False
        self._friendly = place.windows.covers(_moment(start))
        self._edge = self._next_edge()
        self._days: list[int] = []  # the register at the beginning of the last days
        self._day = self._local_day()
        self._midnight = self._start_of(self._day + 1)
        self._judge()

    # --- what may be looked at ----------------------------------------------------------------

    @property
    def readings(self) -> Readings:
        """The registers of now."""
        return Readings(tuple(self._taken), tuple(self._fed_in))

    @property
    def imported(self) -> int:
        """Wh taken since the first moment."""
        return self._taken[0]

    @property
    def exported(self) -> int:
        """Wh fed in since the first moment."""
        return self._fed_in[0]

    @property
    def today(self) -> int:
        """The local day of now, as an ordinal."""
        return self._day

    @property
    def on(self) -> bool:
        """Whether the relay is closed."""
        return self._on

    @property
    def standing(self) -> Standing:
        """What the balance amounts to now."""
        lasts = None
        if self.rules.low_days:
            cost, days = self._recent
            lasts = days_left(self.purse.balance, cost, days)
        owed = self.purse.advance.owed
        return standing(self.rules.credit, self.purse.balance, self._selected, lasts, owed)

    @property
    def advanced(self) -> bool:
        """Whether the emergency credit is taken."""
        return self._selected

    @property
    def situation(self) -> Situation:
        """What decides whether a charge is collected now."""
        void = self.rules.credit.window_void_in_emergency and self._friendly
        friendly = self._friendly and not (void and self.standing.window_void)
        return Situation(disconnected=not self._on, limited=self._limited, friendly=friendly)

    # --- time ---------------------------------------------------------------------------------

    def run(self, until: int, deeds: Iterable[tuple[int, Deed]] = ()) -> None:
        """Let time pass.

        Args:
            until: to this moment, ms since 1970, which is one like any other: what waited and need
                not wait any more is collected at it.
            deeds: what is done in between, by moment; those of one moment in their order.
        """
        for at, deed in sorted(deeds, key=lambda pair: pair[0]):
            if at > until:
                break
            self._pass(at)
            deed(self)
            self._judge()
        self._pass(until)

    def press(self) -> None:
        """Take the emergency credit, if it is offered."""
        if self.standing.can_select:
            self._selected = True

    def _pass(self, until: int) -> None:
        """Go from moment to moment as far as ``until``; this moment has been lived through."""
        while self.now < until:
            self._arrive(min(until, self._edge, self._due_day(), self._crossing()))

    def _arrive(self, moment: int) -> None:
        self.now = moment
        self._count()
        while moment >= self._midnight:
            self._begin_day()
        if moment >= self._edge:
            self._friendly = self._place.windows.covers(_moment(moment))
            self._edge = self._next_edge()
        if self.active:
            self.purse = collect_consumption(
                self.rules, self.purse, self.readings, moment, self.situation
            )
            self.purse = collect_time(self.rules, self.purse, self._day, moment, self.situation)
        self._judge()

    def _count(self) -> None:
        """Count the energy of the slots that have ended since the last moment."""
        demand, before = self._demand, self._slots
        self._slots = slots = demand.slots_until(self.now)
        if self._on and slots > before:
            for registers, sums in (
                (self._taken, demand.imported),
                (self._fed_in, demand.exported),
            ):
                energy = sums[slots] - sums[before]
                registers[0] += energy
                registers[1 + self.rate] += energy

    def _begin_day(self) -> None:
        self._days = [*self._days[-RECENT_DAYS:], self.imported]
        self._day += 1
        self._midnight = self._start_of(self._day + 1)

    def _judge(self) -> None:
        """Apply the rules of supply to the present moment."""
        found = self.standing
        self._selected = self.active and found.emergency_selected
        low = self.active and found.low
        if low and not self._low:
            self.lows.append(self.now)
        self._low = low
        verdict = judge(
            BalanceMode.LOCAL,
            self.active,
            found,
            friendly=self._friendly,
            armed=Arm.NONE,
            clock_known=True,
            already_cut=self._cut,
            protected=self.protected,
            never_cut=self.never_cut,
        )
        self._cut = verdict.limited or not verdict.supply
        on = verdict.supply and not self.operator_open
        if (on, verdict.limited) != (self._on, self._limited):
            self.moves.append(Move(self.now, on, verdict.limited, verdict.reason))
            self._on, self._limited = on, verdict.limited

    # --- the next moment ----------------------------------------------------------------------

    def _next_edge(self) -> int:
        edge = self._place.windows.next_edge(_moment(self.now))
        return _FAR if edge is None else (edge - _EPOCH) // _MILLISECOND

    def _due_day(self) -> int:
        """Return when the next charge for time is due, or recent use is averaged anew."""
        if self.rules.low_days:  # days go on record whether the account is open or not
            return self._midnight
        if not self.active:
            return _FAR
        days = [
            self.purse.charges[slot].next_day
            for slot in self.rules.timed
            if self.purse.charges[slot].next_day != NEVER
        ]
        return self._start_of(max(min(days), self._day + 1)) if days else _FAR

    def _crossing(self) -> int:
        """Return the end of the slot after which something changes, as far as energy does it."""
        if not self.active:
            return _FAR
        held = [each for each in self.rules.counters if not each.charge.when.always]
        if held and self._waiting(held):
            end = self._demand.ends(self._slots + 1)
            return min(end if end > self.now else _FAR, self._midnight)
        if not self._on:
            return _FAR
        return min(self._next_change(), self._last_before_edge() if held else _FAR)

    def _waiting(self, held: list[Counter]) -> bool:
        """Say whether energy that had to wait may be collected for now."""
        situation = self.situation
        held = [each for each in held if situation.allows(each.charge.when)]
        return bool(held) and uncollected(held, self.purse, self.readings)

    def _last_before_edge(self) -> int:
        """Return the end of the last slot before a window's edge: what follows it may wait."""
        slots = self._demand.slots_until(self._edge - 1)
        return self._demand.ends(slots) if slots > self._slots else _FAR

    def _next_change(self) -> int:
        """Return the end of the slot that takes the balance to where something changes."""
        counters = self.rules.counters
        if len(counters) > 1 or len(counters[0].factors) > 1 or counters[0].factors[0] < 0:
            return self._next_slot()
        factor, charge = counters[0].factors[0], counters[0].charge
        bound = self._next_bound()
        if bound is None or not factor or not self.situation.allows(charge.when):
            return _FAR
        missing = (self.purse.balance - bound) * REMAINDER_PER_MINOR
        missing -= self.purse.charges[counters[0].slot].remainder
        slots = self._demand.first_to_take(self._slots, -(-missing // factor))
        return _FAR if slots is None else self._demand.ends(slots)

    def _next_slot(self) -> int:
        """Return the end of the next slot that takes or feeds in anything."""
        demand, here = self._demand, self._slots
        found = min(
            bisect_right(demand.imported, demand.imported[here], lo=here),
            bisect_right(demand.exported, demand.exported[here], lo=here),
        )
        return demand.ends(found) if found < len(demand.imported) else _FAR

    def _next_bound(self) -> int | None:
        """Return the greatest balance below that of now at which something changes."""
        credit, balance = self.rules.credit, self.purse.balance
        bounds = [credit.limit, credit.low_threshold - 1]
        if credit.has_emergency:
            bounds += [credit.emergency_threshold, credit.floor + self.purse.advance.owed]
        if self.rules.low_days:
            cost, days = self._recent
            if days:  # the least balance that lasts for so many days, less one
                bounds.append(-(-self.rules.low_days * cost // (REMAINDER_PER_MINOR * days)) - 1)
        return max((bound for bound in bounds if bound < balance), default=None)

    @property
    def _recent(self) -> tuple[int, int]:
        """What the last whole days cost at the prices of now, in billionths, and how many."""
        days = len(self._days) - 1
        if days < 1:
            return 0, 0
        return cost_of(self.rules, self._days[-1] - self._days[0], self.rate), days

    # --- days ---------------------------------------------------------------------------------

    def _local_day(self) -> int:
        return _moment(self.now).astimezone(self._place.zone).toordinal()

    def _start_of(self, day: int) -> int:
        """Return the first moment of a local day."""
        wall = datetime.combine(date.fromordinal(day), time(), self._place.zone)
        return (wall.astimezone(UTC) - _EPOCH) // _MILLISECOND


def _moment(at: int) -> datetime:
    return _EPOCH + at * _MILLISECOND
