"""The words of a table for an account's life: opened, closed and planned, handed over, in debt."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from obis import catalogue
from prepay.charge import Tariff
from prepay.cut import BalanceMode
from prepay.transactions import Kind
from protocol.axdr import Data, integer, octet_string
from protocol.cosem import vendor, vendor_shown
from protocol.cosem.charge import UNIT_CHARGE
from protocol.cosem_time import CosemDateTime
from tests.specs.bench import Impossible
from tests.specs.reading import moment_of

if TYPE_CHECKING:
    from tests.specs.playing import Play

#: What is written for an amount, a moment, and a balance with its emergency credit.
MONEY: Final = r"-?\d+\.\d\d"
WHEN: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?"
GIVEN: Final = rf"balance (?P<balance>{MONEY})(?:, emergency (?P<emergency>{MONEY}))?"
_DEBT: Final = rf", (?!emergency)([a-z]+) ({MONEY})"
_EACH_DEBT: Final = re.compile(_DEBT)


def opens(
    bench: "Play",
    balance: str,
    emergency: str | None = None,
    debts: str = "",
    anchor: str | None = None,
    at: str | None = None,
) -> None:
    """Prepayment on: at once or by plan, with debts that are brought along and a first period."""
    local = bench.kernel.view.mode is BalanceMode.LOCAL
    sequence = 0 if local else bench.kernel.state.snapshot.sequence + 1
    first = bench.snapshot(sequence, bench.amount(balance), bench.amount(emergency))
    if not (debts or anchor or at):
        bench.ordered(Kind.ACTIVATE, first)
        return
    brought = tuple(
        vendor.Debt(_slot(bench, name), bench.amount(rest))
        for name, rest in _EACH_DEBT.findall(debts)
    )
    begins = CosemDateTime() if anchor is None else _stamp(bench, f"{anchor} 00:00")
    opening = vendor.Opening(first, begins, brought, _stamp(bench, at))
    bench.ordered(Kind.ACTIVATE, opening)


def opens_with(bench: "Play", brought: str) -> None:
    """Prepayment on, with what the profile's start credit makes of an old balance."""
    first = bench.factory.profile.start_credit.first_balance(bench.amount(brought))
    sequence = bench.kernel.state.snapshot.sequence + 1
    emergency = bench.factory.profile.credit.emergency_amount
    bench.ordered(Kind.ACTIVATE, bench.snapshot(sequence, first, emergency))


def closes(bench: "Play", at: str | None = None) -> None:
    """Prepayment off, at once or by plan."""
    bench.ordered(Kind.DEACTIVATE, None if at is None else _stamp(bench, at))


def cancels(bench: "Play") -> None:
    """The plan is withdrawn."""
    bench.ordered(Kind.CANCEL)


def owes(bench: "Play", name: str, amount: str) -> None:
    """A debt grows, or shrinks by an amount below 0."""
    bench.ordered(Kind.DEBT, vendor.Debt(_slot(bench, name), bench.amount(amount)))


def priced(bench: "Play", price: str, name: str = "", since: str | None = None) -> None:
    """A price per kWh changes, at once or at a moment: the passive one takes over."""
    charge = catalogue.CHARGES[_slot(bench, name) if name else 0]
    held = bench.get(charge, 113, 5)
    assert isinstance(held, Data)
    (commodity, _), reference, table = UNIT_CHARGE.from_data(held)
    tariff = Tariff.per_kwh(price)
    passive = (
        (commodity, tariff.exponent),
        reference,
        [(index, tariff.price) for index, _ in table],
    )
    bench.accepted(bench.set(charge, 113, UNIT_CHARGE.to_data(passive), 6))
    if since is None:
        bench.accepted(bench.act(charge, 113, 2, integer(0)))
    else:
        moment = octet_string(_stamp(bench, since).to_bytes())
        bench.accepted(bench.set(charge, 113, moment, 7))


def to_the_meter(bench: "Play", sequence: str, balance: str, kwh: str) -> None:
    """The meter keeps the balance from now on: this one, priced up to a register."""
    register = int(kwh.replace(".", ""))
    change = vendor.ModeChange(
        BalanceMode.LOCAL, int(sequence), bench.amount(balance), register, bench.stamp()
    )
    bench.ordered(Kind.MODE, change)


def to_the_head_end(bench: "Play", sequence: str) -> None:
    """The head-end keeps it from now on; the meter says what it is."""
    bench.ordered(Kind.MODE, vendor.ModeChange(BalanceMode.CENTRAL, int(sequence)))


def settlement(bench: "Play") -> None:
    """Read what the last closing left to be settled, into the row's log."""
    found = bench.get(catalogue.SETTLEMENT, 1)
    assert isinstance(found, Data)
    read = vendor_shown.Settlement.from_data(found)
    parts = [f"settlement {bench.money(read.balance)}"]
    if read.returned:
        parts.append(f"returned {bench.money(read.returned)}")
    charges = bench.factory.profile.account.charges
    parts += [f"{charges[debt.slot].name} {bench.money(debt.amount)}" for debt in read.debts]
    bench.remarks.append(" + ".join(parts))


def _slot(bench: "Play", name: str) -> int:
    """Return the slot of a charge of the profile."""
    try:
        return bench.factory.profile.account.slot_of(name)
    except KeyError:
        raise Impossible(f"no charge of the profile is called {name!r}") from None


def _stamp(bench: "Play", text: str | None) -> CosemDateTime:
    """Return a wall time, all wild for none."""
    return CosemDateTime() if text is None else bench.stamp_of(moment_of(text))


#: What is written, and what is done.
WORDS: Final[list[tuple[str, Callable[..., None]]]] = [
    (
        rf"start, {GIVEN}(?P<debts>(?:{_DEBT})*)"
        rf"(?:, periods from (?P<anchor>\d{{4}}-\d\d-\d\d))?(?:, at (?P<at>{WHEN}))?",
        opens,
    ),
    (rf"start, brought (?P<brought>{MONEY})", opens_with),
    (rf"close the account(?: at (?P<at>{WHEN}))?", closes),
    ("withdraw the plan", cancels),
    (rf"debt (?P<name>[a-z]+) (?P<amount>{MONEY})", owes),
    (
        rf"price(?: of (?P<name>[a-z_]+))? (?P<price>-?\d+\.\d+)(?: from (?P<since>{WHEN}))?",
        priced,
    ),
    (
        rf"over to local mode, snapshot (?P<sequence>\d+): balance (?P<balance>{MONEY})"
        r" at (?P<kwh>\d+\.\d{3}) kWh",
        to_the_meter,
    ),
    (r"over to central mode, snapshot (?P<sequence>\d+)", to_the_head_end),
    ("read the settlement", settlement),
]
