"""What a rule may look at, and what it may answer: values only, so that rules change nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from typing import Any, Final

from msgspec import Struct

from meter_fw.board import Phase
from meter_fw.factory import Factory
from meter_fw.state import MeterState
from prepay.account_rules import AccountRules
from prepay.cut import BalanceMode
from protocol.codes import Conformance, DataAccessResult, Mechanism
from protocol.cosem_time import ClockStatus, CosemDateTime, WildcardError
from protocol.timing import Instant


def _no_entropy(length: int) -> bytes:
    raise AssertionError(f"nobody asks for {length} random octets here")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The last year of a moment that a client may give. What follows from it (another zone's date,
#: the months of protection) has to be a date still: a rule that fails, fails at every tick.
LAST_YEAR: Final = 9900


class Role(IntFlag):
    """The client roles; an access right is a set of them."""

    NOBODY = 0
    PUBLIC = 1
    READER = 2
    MANAGEMENT = 4


ANYBODY = Role.PUBLIC | Role.READER | Role.MANAGEMENT
READERS = Role.READER | Role.MANAGEMENT


class Caller(Struct, frozen=True):
    """Who asks, as his association knows him.

    Args:
        role: his role.
        sap: his client SAP.
        mechanism: how he was authenticated.
        conformance: what was negotiated.
        max_pdu: octets of the largest APDU he takes.
        system_title: his, empty without ciphering.
        logical: the logical device that he speaks to.
        by_short_names: he does so by short names, which have an association object of their own.
    """

    role: Role
    sap: int
    mechanism: Mechanism = Mechanism.NONE
    conformance: Conformance = Conformance(0)
    max_pdu: int = 0
    system_title: bytes = b""
    logical: int = 1
    by_short_names: bool = False


@dataclass(frozen=True)  # without slots: so ``_but`` can copy all fields at once
class View:
    """The meter at one moment.

    Args:
        factory: what was fixed when the meter was made and commissioned.
        state: what survives a power cut.
        clock: the meter's own clock, ms since 1970.
        friendly: a friendly window is in force.
        power: present import power, W.
        caller: who asks; None where the meter itself does.
        board: the board's time, which nobody can set.
        entropy: gives that many random octets, where a rule has to make a key.
        contact: whether the relay's contact is closed; None where the board does not say.
        exported_power: present export power, W.
        phases: what is measured by phase.
    """

    factory: Factory
    state: MeterState
    clock: int
    friendly: bool = False
    power: int = 0
    caller: Caller | None = None
    board: Instant = Instant(0)
    entropy: Callable[[int], bytes] = field(default=_no_entropy, repr=False, compare=False)
    contact: bool | None = None
    exported_power: int = 0
    phases: tuple[Phase, ...] = ()

    @property
    def rules(self) -> AccountRules:
        """The rules of the account as they are in force."""
        return self.factory.in_force.of(self.state)

    @property
    def mode(self) -> BalanceMode:
        """Who keeps the balance: whom the profile names, or whom an order has since."""
        mode = self.state.regime.mode
        return self.factory.profile.mode if mode < 0 else BalanceMode(mode)

    @property
    def local(self) -> datetime:
        """The meter's clock as local time."""
        return self.at(self.clock)

    @property
    def today(self) -> int:
        """The ordinal of the local day; it is asked for at each tick."""
        return self.factory.local_day.of(self.clock // 1000)

    def at(self, moment: int) -> datetime:
        """Return a moment of the meter's clock as local time."""
        local = datetime.fromtimestamp(moment // 1000, self.factory.zone)
        return local.replace(microsecond=moment % 1000 * 1000)

    def moment(self, given: CosemDateTime) -> int:
        """Return a moment that a client gives, in ms since 1970; before that it is below 0.

        Raises:
            WildcardError: no moment, or one in a year beyond ``LAST_YEAR``.
        """
        local = given.to_datetime(self.factory.zone)
        if local.year > LAST_YEAR:
            raise WildcardError(f"a moment in the year {local.year}")
        return milliseconds(local)

    def stamp(self, moment: int, *, known: bool | None = None) -> bytes:
        """Return a moment of the meter's clock as a COSEM date-time; before 1970 as "never".

        Args:
            moment: ms since 1970.
            known: whether the clock knew the time then, where that was kept; else as it is now.
        """
        if moment < 0:
            return CosemDateTime().to_bytes()
        valid = self.state.clock.known if known is None else known
        status = ClockStatus.OK if valid else ClockStatus.INVALID
        return CosemDateTime.from_datetime(self.at(moment), status).to_bytes()

    def with_state(self, state: MeterState) -> "View":
        """Return the same moment with another state."""
        return self._but({"state": state})

    def is_moment_of(self, state: MeterState) -> bool:
        """Say whether another state has the same clock and calendar, so that ``with_state`` fits.

        What else a view shows does not follow from the state.
        """
        held = self.state
        return (
            state.clock is held.clock
            and state.calendar is held.calendar
            and state.schedule is held.schedule
            and state.special_days is held.special_days
        )

    def at_moment(
        self,
        state: MeterState,
        clock: int,
        friendly: bool,
        power: int,
        caller: Caller | None,
        board: Instant,
        contact: bool | None,
        exported_power: int,
        phases: tuple[Phase, ...],
    ) -> "View":
        """Return the same meter at another moment; see ``View``."""
        return self._but(
            {
                "state": state,
                "clock": clock,
                "friendly": friendly,
                "power": power,
                "caller": caller,
                "board": board,
                "contact": contact,
                "exported_power": exported_power,
                "phases": phases,
            }
        )

    def _but(self, fields: dict[str, object]) -> "View":
        """Do what ``dataclasses.replace`` does, at a third of its price: see ``MeterState.but``."""
        other = object.__new__(View)
        held = other.__dict__
        held.update(self.__dict__)
        held.update(fields)
        return other


def is_never(octets: bytes) -> bool:
    """Say whether date and time of a COSEM date-time are all wild, which stands for no moment."""
    return octets[:9] == b"\xff" * 9


def milliseconds(moment: datetime) -> int:
    """Return an aware moment as milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class Change(Struct, frozen=True):
    """What a SET or ACTION comes to.

    Args:
        state: the state to commit before anything is answered.
        result: the answer; a refusal may change the state too (it is logged).
        value: the method's return value, as its declared type takes it.
    """

    state: MeterState
    result: DataAccessResult = DataAccessResult.SUCCESS
    value: Any = None
