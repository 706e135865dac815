"""What a meter would say if asked why supply is on or off: its own rules, put into words.

The meter is a new one of a profile with a given balance, or the one that lives in a state
directory. Such a directory is only looked at: its memory is copied, its files are opened for
reading, and one that a simulator holds is refused, because what is in it changes meanwhile.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from meter_fw import money, supply
from meter_fw.cells import restore
from meter_fw.factory import Factory
from meter_fw.nvram import Finding, Journal
from meter_fw.relay import MODES, Cause
from meter_fw.state import Account, Armed, Clock, MeterState, Snapshot
from meter_fw.view import View
from prepay.charge import REMAINDER_PER_MINOR
from prepay.cut import BalanceMode
from prepay.explain import Explanation, Present, explain
from prepay.holdings import Totals
from prepay.keys import LAB_KEYS
from prepay.money import format_amount, parse_amount
from prepay.profile import load_profile
from prepay.purse import blank, cost_of
from protocol.cosem.disconnect_control import ControlState
from protocol.timing import Instant
from sim.flash import MemoryFlash
from sim.making import (
    DEFAULT_PROFILE,
    FLASH_BLOCK_SIZE,
    FLASH_BLOCKS,
    OptionError,
    first_moment,
    make_factory,
)
from sim.statedir import StateError, look

#: What holds the relay open beside credit, and who ends it.
_CAUSES: Final = {
    Cause.OPERATOR: "an operator has disconnected it (prepay connect)",
    Cause.LIMITER: "the limiter has tripped, and rests before it tries again",
    Cause.TAMPER: "the cover was opened (prepay connect, once somebody has looked)",
    Cause.GAS_SAFETY: "the gas valve was closed for safety",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = 1 << 62


class Question(Struct, frozen=True):
    """What is asked.

    Args:
        profile: name of a profile; None is that of the state, or the default.
        at: the moment by the meter's clock, in its zone if it names none; None is the state's
            last moment, or now.
        state: a meter's directory; None asks about a new meter.
        balance: of a new meter, in units of its currency; None is its start credit.
    """

    profile: str | None = None
    at: datetime | None = None
    state: Path | None = None
    balance: str | None = None


class Answer(Struct, frozen=True):
    """What is to be said, and of which meter."""

    name: str
    present: Present
    explanation: Explanation

    def lines(self) -> list[str]:
        """Return it for people."""
        heads = {"on": "Supply is on.", "limited": "Supply is limited.", "off": "Supply is off."}
        told, at = self.explanation, self.present.at
        return [
            f"{self.name}, {at:%A %Y-%m-%d %H:%M:%S}",
            heads[told.supply],
            *(f"  {sentence}" for sentence in told.because),
            "What would change it:",
            *(f"  {sentence}" for sentence in told.next),
        ]

    def data(self) -> dict[str, Any]:
        """Return it for machines."""
        present, told = self.present, self.explanation
        edge = present.next_edge
        return {
            "meter": self.name,
            "time": present.at.isoformat(),
            "supply": told.supply,
            "reason": present.verdict.reason.name.lower(),
            "balance": format_amount(present.standing.balance, present.rules.currency),
            "currency": present.rules.currency.code,
            "friendly_window": present.friendly,
            "window_changes": None if edge is None else edge.isoformat(),
            "because": list(told.because),
            "next": list(told.next),
        }


def ask(question: Question) -> Answer:
    """Return what the meter says.

    Raises:
        ProfileError, OptionError, StateError, AmountError, JournalError: no such meter or moment.
    """
    if question.state is None:
        view, name = _new_meter(question), f"a new meter of {question.profile or DEFAULT_PROFILE}"
    else:
        view, name = _kept_meter(question, question.state)
    present = _present(view, view.with_state(supply.apply(view)))
    return Answer(name, present, explain(present))


def _new_meter(question: Question) -> View:
    profile = load_profile(question.profile or DEFAULT_PROFILE)
    start = first_moment(question.at, profile.zone)
    factory = make_factory(profile, "OPP0000000000000", LAB_KEYS, start)
    amount = profile.start_credit.amount
    if question.balance is not None:
        amount = parse_amount(question.balance, profile.currency, allow_negative=True)
    state = MeterState(account=Account(active=True), charges=blank(profile.account).charges)
    if profile.mode is BalanceMode.LOCAL:
        state = state.but(totals=Totals(started=amount))
    else:  # as it stands in the morning: told the balance, and armed for it
        emergency = profile.credit.emergency_amount
        state = state.but(
            snapshot=Snapshot(1, amount, emergency), armed=Armed(True, 1, expiry=_FAR)
        )
    return _view(factory, state, start)


def _kept_meter(question: Question, path: Path) -> tuple[View, str]:
    if question.balance is not None:
        raise OptionError("--balance is of a new meter: the one in --state has its own")
    found = look(path)
    if question.profile not in (None, found.plate.profile):
        raise OptionError(f"{path} holds a meter with profile {found.plate.profile}")
    flash = MemoryFlash(FLASH_BLOCKS, FLASH_BLOCK_SIZE)
    if len(found.memory) != FLASH_BLOCKS * FLASH_BLOCK_SIZE:
        raise StateError(f"{path} holds a memory of {len(found.memory)} octets, no meter's")
    flash.fill(found.memory)
    mounted = Journal(flash).mount()
    state = restore(mounted.cells)
    if mounted.finding is Finding.LOST:
        state = state.but(clock=Clock(known=False))
    profile = load_profile(found.plate.profile)
    factory = make_factory(profile, found.plate.name, LAB_KEYS, found.board.now)
    clock = found.board.now + state.clock.offset
    if question.at is not None:
        clock = first_moment(question.at, profile.zone)
    return _view(factory, state, Instant(clock)), f"{found.plate.name} ({found.plate.profile})"


def _view(factory: Factory, state: MeterState, clock: Instant) -> View:
    friendly = supply.Windows(factory).cover(clock, state)
    return View(factory, state, clock, friendly, board=clock)


def _present(asked: View, view: View) -> Present:
    """Return what is to be explained: what is judged, and how things stand once it is."""
    state = view.state
    edge = supply.Windows(view.factory).next_edge(view.clock, state)
    energy, days = view.factory.in_force.recent(state, view.factory.zone)
    causes = [words for cause, words in _CAUSES.items() if cause in state.relay.causes]
    return Present(
        at=view.local,
        mode=view.mode,
        rules=view.rules,
        purse=money.purse_of(state) if view.mode is BalanceMode.LOCAL else None,
        standing=supply.stand(view),
        verdict=supply.verdict(asked),
        friendly=view.friendly,
        next_edge=None if edge is None else view.at(edge),
        others=tuple(causes),
        recloses="h" in MODES[view.factory.profile.relay_control_mode],
        on=state.relay.control is ControlState.CONNECTED,
        protected=state.customer.protected,
        daily=energy // days if days else None,
        daily_cost=_daily_cost(view, energy, days),
    )


def _daily_cost(view: View, energy: int, days: int) -> int | None:
    """Return what recent use costs a day in minor units; None where it costs nothing."""
    if not days:
        return None
    cost = cost_of(view.rules, energy, view.state.registers.rate)
    return cost // (days * REMAINDER_PER_MINOR) or None
