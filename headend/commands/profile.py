"""Show which profile a meter is made for."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.device import VALUE
from headend.errors import Refused
from headend.reach import reached
from headend.reading.objects import profile_of
from headend.report import Report
from obis import catalogue
from prepay.money import format_amount
from prepay.profile import Profile


@click.command("profile")
@click.argument("name", required=False)
@with_context
def command(context: Context, name: str | None) -> Report:
    """Show which profile the meter is made for, and what that says.

    With NAME, fail unless the meter is made for that one: a profile is not set over a line. It
    decides which objects a meter has, who may read them and what its display shows, and a meter
    is commissioned with it; prices, thresholds and calendars of it can be set one by one.

    Example: prepay --port serial:./meter0 profile

    Next: prepay tariff, prepay thresholds, prepay calendar.
    """
    return profile(context, name)


def profile(context: Context, name: str | None = None) -> Report:
    """Return the profile of the meter at the context's port.

    Args:
        context: the run of the command.
        name: what it has to be; None is any.

    Raises:
        Refused: the meter has another, or none.
        NoAnswer: see there.
    """
    with reached(context) as device:
        told = device.profile()
        if not told:
            raise Refused("the meter has no profile: it is not one of ours")
        known = profile_of(device)
        mode = device.mode().name.lower()
        version = device.get(catalogue.FIRMWARE_VERSION, 1, VALUE).value
    if name is not None and name != told:
        raise Refused(
            f"the meter is made for {told}, and a profile is not set over a line: it takes a "
            f"meter that is commissioned with {name[:40]}"
        )
    data: dict[str, Any] = {"profile": told, "mode": mode, "firmware": str(version)}
    if known is None:
        return Report(
            {**data, "known": False}, (f"{told}, which this head-end does not know", f"mode {mode}")
        )
    return Report({**data, "known": True, **_of(known)}, _lines(told, mode, known))


def _of(known: Profile) -> dict[str, Any]:
    money = known.currency
    return {
        "currency": money.code,
        "zone": str(known.zone),
        "commodity": known.commodity.name.lower(),
        "made_for_mode": known.mode.name.lower(),
        "start_credit": format_amount(known.start_credit.amount, money),
        "overdraft": format_amount(-known.credit.limit, money),
        "emergency_amount": format_amount(known.credit.emergency_amount, money),
        "charges": [charge.name for charge in known.account.charges],
        "display": [page.code for page in known.display.pages],
        "minimum_supply": known.protection is not None,
    }


def _lines(told: str, mode: str, known: Profile) -> tuple[str, ...]:
    shown = _of(known)
    pages = ", ".join(shown["display"])
    return (
        f"{told}: {shown['commodity']}, {shown['currency']}, {shown['zone']}; balance kept "
        f"{'by the head-end' if mode == 'central' else 'by the meter'}",
        f"start credit {shown['start_credit']}, overdraft {shown['overdraft']}, emergency credit "
        f"{shown['emergency_amount']}",
        f"charges: {', '.join(shown['charges'])}",
        f"display: {pages}",
    )
