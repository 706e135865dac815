"""A profile: what one country or product asks of a meter, as one frozen value.

The figures live in ``profiles/*.toml``, one file each, every figure with the mark of its source.
``profile_schema`` reads such a file; here is what comes out of it.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct

from prepay.account_rules import AccountRules, DebtRules
from prepay.charge import Charge, Tariff
from prepay.credit import CreditRules
from prepay.cut import BalanceMode
from prepay.friendly import CalendarKind, WeeklyWindow
from prepay.money import Currency
from prepay.protection import ProtectionRules
from prepay.topup import StartCredit as StartCredit
from prepay.topup import StartRule as StartRule
from prepay.topup import TopUpLimits


class Commodity(Enum):
    """What is metered."""

    ELECTRICITY = "electricity"
    GAS = "gas"


class Indicator(Enum):
    """How the display shows that prepayment is active."""

    ARROW = "arrow"  # an arrow above the currency sign
    NONE = "none"


class Shown(Enum):
    """What a display page shows."""

    ENERGY = "energy"  # active energy import, kWh
    POWER = "power"  # active power import, W
    CLOCK = "clock"  # local date and time
    UPDATED = "updated"  # when the balance was last updated
    BALANCE = "balance"
    EMERGENCY = "emergency"  # emergency credit that is left


class Place(Struct, frozen=True):
    """A place on earth, in degrees north and east."""

    latitude: float
    longitude: float


class Page(Struct, frozen=True):
    """A display page: the OBIS code as this meter prints it, and what it shows."""

    code: str
    shows: Shown


class Display(Struct, frozen=True):
    """The display of a meter.

    Args:
        pages: in the order the button turns them.
        code_a: group A of the country's own codes (94.32.2), which nobody prints.
        code_b: group B of them.
        indicator: how active prepayment shows.
    """

    pages: tuple[Page, ...]
    code_a: int
    code_b: int
    indicator: Indicator


@dataclass(frozen=True, slots=True)
class Profile:
    """What one country or product asks of a meter; amounts in minor units of ``currency``.

    Args:
        name: the file's name without ending.
        title: for people.
        mode: who keeps the balance.
        commodity: what is metered.
        currency: of every amount.
        zone: where the wall clock hangs.
        start_credit: at activation.
        top_up: limits of one top-up.
        credit: limits and emergency credit.
        charges: by slot; prices are defaults for the laboratory, no supplier's.
        order: steps of a top-up.
        debts: what debts take of a top-up.
        weekly: friendly windows of every week.
        sabbath: so is every Sabbath, by season, at ``place``.
        holidays: which calendar the dated windows come from.
        place: where sunset is looked up; None where no calendar needs it.
        relay_control_mode: control_mode of class 70.
        display: pages and signs.
        protection: minimum supply of protected customers; None where there is none.
        phases: 1 or 3, unless a meter is made otherwise.
        account: all that is said about money, put together.

    Raises:
        RulesError: what is said about money contradicts itself.
    """

    name: str
    title: str
    mode: BalanceMode
    commodity: Commodity
    currency: Currency
    zone: ZoneInfo
    start_credit: StartCredit
    top_up: TopUpLimits
    credit: CreditRules
    charges: tuple[Charge, ...]
    order: tuple[str, ...]
    debts: DebtRules
    weekly: tuple[WeeklyWindow, ...]
    sabbath: bool
    holidays: CalendarKind
    place: Place | None
    relay_control_mode: int
    display: Display
    protection: ProtectionRules | None = None
    phases: int = 1
    account: AccountRules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        account = AccountRules(
            currency=self.currency,
            credit=self.credit,
            charges=self.charges,
            order=self.order,
            debts=self.debts,
            limits=self.top_up,
            start_credit=self.start_credit,
        )
        object.__setattr__(self, "account", account)

    @property
    def tariff(self) -> Tariff:
        """The first price of energy, by which the head-end prices in central mode."""
        return self.charges[0].tariffs[0]


class ProfileError(ValueError):
    """A profile that cannot be used.

    Args:
        source: the file's name.
        key: the key in question, dotted; empty when it is the whole file.
        reason: what is wrong.
        line: where, counted from 1; None when unknown.
    """

    def __init__(self, source: str, key: str, reason: str, line: int | None = None) -> None:
        where = source if line is None else f"{source}, line {line}"
        super().__init__(": ".join(part for part in (where, key, reason) if part))
        self.source = source
        self.key = key
        self.reason = reason
        self.line = line


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the package, sorted."""
    return sorted(_files())


@cache
def load_profile(name: str) -> Profile:
    """Return the profile of a name.

    Raises:
        ProfileError: there is none of that name, or its file is wrong.
    """
    from prepay.profile_schema import parse_profile  # which imports what is defined here

    files = _files()
    if name not in files:
        known = ", ".join(sorted(files))
        raise ProfileError(f"{name[:40]!a}", "", f"there is no such profile, only {known}")
    return parse_profile(files[name].read_text(encoding="utf-8"), files[name].name)


def _files() -> dict[str, Path]:
    return {file.stem: file for file in Path(__file__).with_name("profiles").glob("*.toml")}
