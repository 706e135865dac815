"""What is due to a customer, and from him: for whoever orders it, and for whoever only looks."""

from typing import Any

from headend.device import Device
from headend.times import meter_iso
from prepay.money import format_amount
from prepay.profile import Profile


def customer(device: Device, profile: Profile) -> dict[str, Any]:
    """Return what is due to the customer, and what has come of it, for machines."""
    found = device.customer()
    return {
        "protected": found.protected,
        "protected_since": meter_iso(found.since, profile.zone),
        "never_cut": found.never_cut,
        "limited": found.limited,
        "recurrent_defaulter": found.recurrent,
    }


def words(due: dict[str, Any]) -> str:
    """Return what ``customer`` returned for people; empty where nothing is due."""
    since = due["protected_since"]
    facts = {
        "protected" + (f" since {since}" if since else ""): due["protected"],
        "never cut": due["never_cut"],
        "on minimum supply now": due["limited"],
        "recurrent defaulter": due["recurrent_defaulter"],
    }
    return ", ".join(fact for fact, holds in facts.items() if holds)


def debts(device: Device, profile: Profile) -> dict[str, str]:
    """Return what remains of each debt that is not paid, by its name."""
    account = profile.account
    slots = {each.name: account.slot_of(each.name) for each in account.charges if each.is_debt}
    remaining = {name: device.remaining(slot) for name, slot in slots.items()}
    return {name: format_amount(left, profile.currency) for name, left in remaining.items() if left}


def debt_words(owed: dict[str, str], currency: str) -> str:
    """Return what ``debts`` returned for people; empty where nothing is owed."""
    return ", ".join(f"{name} {currency} {amount}" for name, amount in owed.items())
