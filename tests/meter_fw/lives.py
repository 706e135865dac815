"""The real kernel lives the life of a household: the load slot by slot, each event over its door.

It is ticked when a slot ends, whenever it wants to be woken, and when something is done to it.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from meter_fw.board import Button, Coil
from meter_fw.events import Code
from obis import catalogue
from obis.values import replace
from prepay.charge import REMAINDER_PER_MINOR
from prepay.cut import BalanceMode
from prepay.profile import Profile, load_profile
from prepay.transactions import Kind
from protocol.axdr import Data, array, integer, long_, long_unsigned, octet_string, structure
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem_time import CosemDateTime
from protocol.timing import Instant
from tests.meter_fw.rig import Rig
from tests.prepay.coursed import MS, Life, Outcome, moment, ms
from tests.prepay.household import BY_HAND, Event
from tests.prepay.stepped import account_rules, schedule, tariff
from tests.prepay.timetable import Timetable

QUARTER = timedelta(minutes=15)


def profile_of(life: Life) -> Profile:
    """Return il with the account of a life; supply returns by itself."""
    rules, il = account_rules(life.terms), load_profile("il")
    return replace(
        il,
        mode=BalanceMode.LOCAL,
        zone=life.terms.zone,
        start_credit=rules.start_credit,
        top_up=rules.limits,
        credit=rules.credit,
        charges=rules.charges,
        order=rules.order,
        debts=rules.debts,
        relay_control_mode=6,
    )


class Lived(Rig):
    """One meter from the first moment of a life to the last."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.contact = True
        self.ids = 0
        self.moves: list[tuple[datetime, bool, bool]] = []
        self.lows: list[datetime] = []
        self._said = 0
        super().__init__("il")

    def __post_init__(self) -> None:
        super().__post_init__()  # what a rig is made of; then another meter on another flash
        assert isinstance(self.life.terms.windows, Timetable)
        windows = schedule(self.life.terms.windows)
        self.factory = replace(self.factory, profile=profile_of(self.life), windows=windows)
        self.flash = type(self.flash)(2, 64 * 1024)  # type: ignore[call-arg]  # of software
        self.now = Instant(ms(self.life.start))
        self.boot()

    def tick(self, **inputs: Any) -> Any:
        """Tick, the contact felt; one that follows the coil is felt at once."""
        super().tick(**{"contact_closed": self.contact, **inputs})
        if self.last.coil is not None and self.contact != (self.last.coil is Coil.CLOSE):
            self.contact = not self.contact
            self.tick()
        return self.last

    def live(self) -> Outcome:
        """Return what the life comes to."""
        waiting = sorted(self.life.events, key=lambda event: (event.at, event.what not in BY_HAND))
        slot, ends = 0, ms(self.life.start + self.life.every)
        while self.now <= ms(self.life.end):
            while waiting and ms(waiting[0].at) <= self.now:
                self.do(waiting.pop(0))
            self.look()
            due = ms(waiting[0].at) if waiting else ends
            self.now = Instant(min(ends, due, max(self.last.wake_at, self.now + 1)))
            if self.now < ends:
                self.tick()
                continue
            taken, fed_in = self.life.slot(slot) if self.contact else (0, 0)
            self.tick(pulses=taken, exported=fed_in)
            slot, ends = slot + 1, ends + self.life.every // MS
        return self.outcome()

    def look(self) -> None:
        """Note what this moment leaves."""
        state = self.kernel.state
        now = (state.relay.control is ControlState.CONNECTED, state.condition.limited)
        if now != (self.moves[-1][1:] if self.moves else (True, False)):
            self.moves.append((moment(self.now), *now))
        news = [row for row in state.events if row.number >= self._said]
        self.lows += [moment(row.time) for row in news if row.code == Code.LOW_CREDIT]
        self._said = max((row.number + 1 for row in news), default=self._said)

    def outcome(self) -> Outcome:
        """Return what the meter has come to."""
        state = self.kernel.state
        totals = state.totals
        return Outcome(
            (totals.started, totals.paid, totals.adjusted, totals.charged, totals.settled),
            state.advance.owed,
            tuple(charge.paid for charge in state.charges),
            tuple(charge.remaining for charge in state.charges),
            tuple(Fraction(charge.remainder, REMAINDER_PER_MINOR) for charge in state.charges),
            (state.energy.imported, state.registers.exported),
            self.moves,
            self.lows,
        )

    # --- what is done ----------------------------------------------------------------------

    def do(self, event: Event) -> None:
        """Do what an event says, and tick."""
        self.ids += 1
        getattr(self, f"do_{event.what}")(*event.how)

    def do_open(
        self, brought: int, debts: tuple[tuple[str, int], ...], _anchor: None, _start: bool
    ) -> None:
        """Open the account; a start credit is in what is brought."""
        rules = self.factory.profile.account
        opening = vendor.Opening(
            self.snapshot(0, brought),
            CosemDateTime(),
            tuple(vendor.Debt(rules.slot_of(name), amount) for name, amount in debts),
            CosemDateTime(),
        )
        assert self.order(self.ids, Kind.ACTIVATE, opening) is DataAccessResult.SUCCESS

    def do_top_up(self, amount: int) -> None:
        """Enter a token; it may be refused."""
        self.enter(self.token(self.ids, amount))

    do_key_in = do_top_up

    def do_adjust(self, amount: int) -> None:
        """Correct the balance."""
        self.order(self.ids, Kind.ADJUST, amount)

    def do_refund(self, amount: int) -> None:
        """Give the customer something back; it may be refused."""
        self.order(self.ids, Kind.REFUND, amount)

    def do_press(self) -> None:
        """Press the button."""
        self.press(Button.SELECT)

    def do_operator(self, opens: bool) -> None:
        """Disconnect or reconnect."""
        self.act(catalogue.DISCONNECT_CONTROL, 70, 1 if opens else 2, integer(0))

    def do_price(
        self, name: str, prices: tuple[Fraction, ...], _amount: int, _when: datetime
    ) -> None:
        """Give the charge a passive price, and let it take over at once."""
        slot = self.factory.profile.account.slot_of(name)
        code, price = catalogue.CHARGES[slot], tariff(prices[0])
        exported = self.factory.profile.charges[slot].is_export
        register = catalogue.ACTIVE_ENERGY_EXPORT if exported else catalogue.ACTIVE_ENERGY_IMPORT
        passive: Data = structure(
            structure(integer(3), integer(price.exponent)),
            structure(long_unsigned(3), octet_string(register.to_bytes()), integer(2)),
            array(structure(octet_string(b""), long_(price.price))),
        )
        assert self.set(code, 113, passive, 6) is DataAccessResult.SUCCESS
        assert self.act(code, 113, 2, integer(0)) is ActionResult.SUCCESS


def without_start_credit(life: Life) -> Life:
    """Return a life in which the order that opens says the whole first balance."""
    first, *rest = life.events
    brought, debts = first.how
    opened = replace(first, how=(brought, debts, None, False))
    return replace(life, events=(opened, *rest))
