"""Meters for tests of money: a profile with figures in every charge, and what is asked often."""

from functools import cache
from typing import Any

from obis import catalogue
from obis.values import replace
from prepay.charge import Tariff
from prepay.profile import Profile, load_profile
from prepay.transactions import Kind
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.cosem import vendor, vendor_shown
from protocol.cosem_time import CosemDateTime
from tests.meter_fw.rig import Rig

#: Slots of the profile il.
ENERGY, STANDING, FEE, VAT, COSTS, INTEREST, PRINCIPAL = range(7)
DONE = DataAccessResult.SUCCESS


@cache
def priced(**changed: Any) -> Profile:
    """Return il at 0.50 a kWh: standing 30.00 for 30 days, fee 2.00, VAT 10 %, debts 50 %."""
    il = load_profile("il")
    charges = list(il.charges)
    charges[ENERGY] = replace(charges[ENERGY], tariffs=(Tariff.per_kwh("0.50"),))
    charges[STANDING] = replace(charges[STANDING], amount=3000)
    charges[FEE] = replace(charges[FEE], amount=200)
    charges[VAT] = replace(charges[VAT], proportion=1000)
    return replace(il, charges=tuple(charges), **changed)


def made(profile: Profile, start: str = "2026-11-23T12:00", **parts: Any) -> Rig:
    """Return a meter of a profile that is in no file."""
    rig = Rig("il", start, **parts)
    rig.factory = replace(rig.factory, profile=profile)
    rig.boot()
    return rig


def opened(
    profile: Profile | None = None,
    balance: int = 0,
    *debts: tuple[int, int],
    anchor: str | None = None,
    start: str = "2026-11-23T12:00",
    **parts: Any,
) -> Rig:
    """Return a meter whose account was opened by transaction 0."""
    rig = made(profile or priced(), start, **parts)
    assert rig.order(0, Kind.ACTIVATE, opening(rig, balance, *debts, anchor=anchor)) is DONE
    return rig


def opening(
    rig: Rig,
    balance: int,
    *debts: tuple[int, int],
    anchor: str | None = None,
    at: str | None = None,
    sequence: int = 0,
    paid: str | None = None,
) -> vendor.Opening:
    """Return what an account is opened with; moments are local."""
    wild = CosemDateTime()
    return vendor.Opening(
        vendor.Snapshot(sequence, balance, 0, rig.stamp()),
        wild if anchor is None else rig.stamp(anchor),
        tuple(vendor.Debt(slot, amount) for slot, amount in debts),
        wild if at is None else rig.stamp(at),
        wild if paid is None else rig.stamp(paid),
    )


def charge(rig: Rig, slot: int, index: int) -> Any:
    """Return the plain value of a charge's attribute."""
    value = rig.get(catalogue.CHARGES[slot], 113, index)
    assert isinstance(value, Data)
    return value.value


def account(rig: Rig, index: int) -> Any:
    """Return the plain value of an attribute of the account."""
    value = rig.get(catalogue.ACCOUNT, 111, index)
    assert isinstance(value, Data)
    return value.value


def settlement(rig: Rig) -> vendor_shown.Settlement:
    """Return what the last closing left to be settled."""
    value = rig.get(catalogue.SETTLEMENT, 1)
    assert isinstance(value, Data)
    return vendor_shown.Settlement.from_data(value)


def plan(rig: Rig) -> vendor_shown.Plan:
    """Return the plan that waits."""
    value = rig.get(catalogue.PLAN, 1)
    assert isinstance(value, Data)
    return vendor_shown.Plan.from_data(value)


def carried_out(rig: Rig) -> tuple[vendor_shown.CarriedOut, ...]:
    """Return the plans that were carried out."""
    value = rig.get(catalogue.CARRIED_OUT, 1)
    assert isinstance(value, Data)
    return vendor_shown.CarriedOut.all_from_data(value)


def balanced(rig: Rig) -> bool:
    """Whether what the charges have collected is what the account was charged."""
    state = rig.kernel.state
    return state.totals.charged == sum(charge.paid for charge in state.charges)
