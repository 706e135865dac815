"""The bench of a scenario: a real kernel, a household that uses energy, and people who do things.

Time is told by the meter's own clock. A load draws energy as long as the contact is closed, a
whole watt-hour at a time and at least once a minute, so that loads of 60 W and its multiples
come out even at each minute. While the power is off nothing is asked and nothing ticks.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from meter_fw.board import Coil, Outputs, Sign
from meter_fw.events import Code, RelayCode
from meter_fw.factory import Factory
from meter_fw.relay import Cause
from meter_fw.view import milliseconds
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.calendars import commissioned
from prepay.money import format_amount
from prepay.profile import Profile, Shown, load_profile
from protocol.axdr import Data
from protocol.cosem.disconnect_control import ControlState
from protocol.timing import later
from tests.meter_fw.rig import NAME, Rig, instant
from tests.specs.reading import CHECKED, NOTHING

_MINUTE: Final = 60_000
_WATT_HOUR: Final = 3_600_000  # W x ms
_SIGNS: Final = {Sign.EURO_ARROW: "arrow", Sign.LOW_CREDIT: "LOW", Sign.RELAY_OPEN: "OFF"}
_CREDITS: Final = ("token", "emergency")
#: The place of "limited" in what the meter says of its customer.
_LIMITED: Final = 3


class Impossible(Exception):
    """What a row asks of the bench and nobody could do; the message says why."""


class Bench(Rig):
    """One meter on a bench, played by the words of a table.

    Args:
        profile: its rules.
        start: its wall time at boot.
        load: what the household draws, in W.
    """

    def __init__(self, profile: Profile, start: datetime, load: int = 0) -> None:
        self._made_for = profile
        self._begins = start
        self.load = load
        self.powered = True
        self.contact = True  # closed
        self.stuck = False
        self._lost = False  # the next pulse of the coil does nothing
        self.cover_open = False
        self._flow = 0  # W x ms that are no whole Wh yet
        self._ids = 0
        self._tokens: list[bytes] = []
        self._again: Callable[[], None] | None = None
        self.logged: list[str] = []
        self.remarks: list[str] = []  # what the row's events have to say besides
        self._read_to = {"events": -1, "relay_events": -1}  # number of the last row, by log
        super().__init__(profile.name)

    def __post_init__(self) -> None:
        made = self._made_for
        windows = commissioned(_as_to_windows(made), self._begins.date())
        title = b"OPP\0\0\0\0\1"
        self.factory = Factory(made, NAME, "00000001", title, self.keys, windows=windows)
        self.now = instant(self._aware(self._begins))
        self.boot()
        self._news()  # that it has power is no news

    # --- time and energy -------------------------------------------------------------------

    def _aware(self, moment: datetime) -> datetime:
        local = moment.replace(tzinfo=self.factory.zone)
        shown = local.astimezone(UTC).astimezone(self.factory.zone)
        if (shown.replace(tzinfo=None), shown.fold) != (moment.replace(fold=0), moment.fold):
            told = "is not shown a second time" if moment.fold else "is skipped by the clock"
            raise Impossible(f"{moment} {told}")
        return local

    @property
    def _clock(self) -> int:
        """The meter's clock, ms since 1970, whether it has power or not."""
        return self.now + self.kernel.state.clock.offset

    def pass_until(self, moment: datetime, short: int = 0) -> None:
        """Let time pass until the meter's clock shows ``moment``, or ``short`` ms less."""
        ahead = milliseconds(self._aware(moment)) - self._clock
        if ahead < 0:
            raise Impossible(f"it is later than {moment} already")
        end = later(self.now, max(ahead - short, 0))
        while self.powered and self.now < end:
            due = max(self.last.wake_at, later(self.now, 1))
            minute = later(self.now, _MINUTE - self.now % _MINUTE)
            self._pass(min(end, due, minute if self.load else due))
        self.now = end

    def _pass(self, then: Any) -> None:
        drawn = self.load * (then - self.now) if self.contact else 0
        pulses, self._flow = divmod(self._flow + drawn, _WATT_HOUR)
        self.now = then
        self.tick(pulses=pulses)

    def tick(self, **inputs: Any) -> Outputs:
        """Tick, with what the board measures; a contact that has moved is measured at once."""
        power = self.load if self.contact else 0
        felt = {"power": power, "contact_closed": self.contact, "tamper": self.cover_open}
        super().tick(**{**felt, **inputs})
        coil = self.last.coil
        if coil is None or self.stuck or self.contact == (coil is Coil.CLOSE):
            return self.last
        if self._lost:
            self._lost = False
            return self.last
        self.contact = not self.contact
        self.tick()
        return self.last

    # --- what is to be seen ----------------------------------------------------------------

    def seen(self) -> dict[str, str]:
        """Return what the meter shows, by column, the display by its signs alone."""
        if not self.powered:
            return dict.fromkeys(CHECKED, NOTHING)
        owed = self._read(catalogue.ACCOUNT, 111, 8)
        return {
            "balance": self.balance_shown + (f", debts {self.money(owed)}" if owed else ""),
            "credit in use": self._credit(),
            "relay": self._relay_told(),
            "display": ", ".join(sorted(self.signs)) or NOTHING,
            "event code": ", ".join(self.logged) or NOTHING,
        }

    def money(self, amount: int) -> str:
        """Return an amount as a table writes it."""
        return format_amount(amount, self.factory.profile.currency)

    @property
    def balance_shown(self) -> str:
        """The register of the balance, as a table writes it."""
        return self.money(self._read(catalogue.TOKEN_CREDIT, 112))

    @property
    def signs(self) -> frozenset[str]:
        """The signs that are lit, by their words."""
        lit = self.kernel.display()[0].signs
        return frozenset(_SIGNS.get(sign, str(sign.name)) for sign in Sign if sign and sign in lit)

    @property
    def pages(self) -> dict[str, tuple[str, str]]:
        """The pages of the display by code: the value, and the value with its unit."""
        return {
            page.code: (page.value, f"{page.value} {page.unit}") for page in self.kernel.display()
        }

    def contradictions(self) -> list[str]:
        """Return what the meter shows in one way here and in another there."""
        if not self.powered:
            return []
        profile = self.factory.profile
        closed = self._read(catalogue.DISCONNECT_CONTROL, 70, 3) == ControlState.CONNECTED
        balance = {page.code for page in profile.display.pages if page.shows is Shown.BALANCE}
        charges = catalogue.CHARGES[: len(profile.account.charges)]
        paid = sum(self._read(charge, 113) for charge in charges)
        checks = {
            "the charges have not collected what was charged": (
                paid == self.kernel.state.totals.charged
            ),
            "the display shows another balance": all(
                self.balance_shown in self.pages[code] for code in balance
            ),
            "the relay's sign is wrong": ("OFF" in self.signs) != closed,
            "output_state is not where the contact is": (
                self._read(catalogue.DISCONNECT_CONTROL, 70) == self.contact
            ),
            "the contact is not where the relay is": (
                self.contact == closed or "contact" in self._relay_told()
            ),
        }
        return [wrong for wrong, right in checks.items() if not right]

    def _read(self, name: ObisCode, class_id: int, index: int = 2) -> Any:
        found = self.get(name, class_id, index)
        if not isinstance(found, Data):
            raise Impossible(f"{name} attribute {index} of class {class_id}: {found}")
        return found.value

    def _credit(self) -> str:
        index = self._read(catalogue.ACCOUNT, 111, 3)
        credits_there = len(self._read(catalogue.ACCOUNT, 111, 9))
        return _CREDITS[index] if index < credits_there else "none"

    def _relay_told(self) -> str:
        closed = self._read(catalogue.DISCONNECT_CONTROL, 70, 3) == ControlState.CONNECTED
        bits = self._read(catalogue.RELAY_CAUSES, 1)
        causes = [words(cause) for cause, bit in zip(Cause, bits, strict=False) if bit == "1"]
        told = "on" if closed else f"off ({', '.join(causes) or 'waits for the button'})"
        if closed and self._read(catalogue.CUSTOMER, 1)[_LIMITED].value:
            told += ", limited"
        contact = self._read(catalogue.DISCONNECT_CONTROL, 70)
        if contact != closed:
            told += f", contact {'closed' if contact else 'open'}"
        return told

    def _news(self) -> list[str]:
        """Return what was logged since the last look: by code and name, log by log."""
        state, found = self.kernel.state, []
        logs: tuple[tuple[str, Any, Any], ...] = (
            ("events", state.events, Code),
            ("relay_events", state.relay_events, RelayCode),
        )
        for log, rows, codes in logs:
            news = [row for row in rows if row.number > self._read_to[log]]
            found += [f"{row.code} {words(codes(row.code))}" for row in news]
            self._read_to[log] = news[-1].number if news else self._read_to[log]
        return found


def _as_to_windows(profile: Profile) -> Profile:
    """Return a profile of the same windows and of no other figures, so that tables are shared."""
    return replace(
        load_profile(profile.name),
        weekly=profile.weekly,
        sabbath=profile.sabbath,
        holidays=profile.holidays,
        place=profile.place,
    )


def words(member: Any) -> str:
    """Return the name of a member of an enumeration as a table writes it."""
    return str(member.name).lower().replace("_", " ")
