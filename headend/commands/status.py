"""Show balance, credit, relay and clock as the meter has them."""

from datetime import datetime
from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.line import Line, open_line
from headend.report import Report
from prepay.credit import EMERGENCY_CREDIT, TOKEN_CREDIT
from protocol.cosem_time import CosemDateTime, WildcardError

_CREDITS = {TOKEN_CREDIT: "token_credit", EMERGENCY_CREDIT: "emergency_credit"}


@click.command("status")
@with_context
def command(context: Context) -> Report:
    """Show balance, credit, relay and clock as the meter has them.

    Example: prepay --port serial:./meter0 status --json
    """
    return status(context)


def status(context: Context) -> Report:
    """Return the status of the meter at the context's port.

    Raises:
        NoAnswer, Refused, OutcomeUnknown: see there.
    """
    with open_line(context) as line:
        data = _read(line)
    return Report(data, _lines(data), panel=f"{data['meter']}  {data['profile']}")


def _read(line: Line) -> dict[str, Any]:
    device = line.device
    snapshot, armed = device.snapshot(), device.armed()
    clock = device.clock()
    prepayment, in_use = device.prepayment(), device.credit_in_use()
    if line.central:
        balance, emergency, updated = snapshot.balance, snapshot.emergency, snapshot.as_of
    else:
        balance, emergency, updated = device.local_balance(), device.emergency_credit(), clock
    return {
        "meter": line.meter.name,
        "serial": line.meter.serial,
        "profile": line.profile.name,
        "mode": line.meter.mode,
        "prepayment": prepayment,
        "balance": line.decimal(balance),
        "emergency_credit": line.decimal(emergency),
        "overdraft": line.decimal(-line.profile.credit.limit),
        "currency": line.profile.currency.code,
        "credit_in_use": None if in_use is None else _CREDITS.get(in_use, f"credit {in_use}"),
        "low_credit": device.low_credit(),
        "relay": device.relay(),
        "relay_causes": device.relay_causes(),
        "updated": _iso(line, updated),
        "friendly": device.friendly(),
        "armed": armed.armed,
        "armed_until": _iso(line, armed.expiry) if armed.armed else None,
        "sequence": snapshot.sequence,
        "energy_wh": device.energy(),
        "clock": _iso(line, clock),
    }


def _iso(line: Line, moment: CosemDateTime) -> str | None:
    """Return ISO 8601 with the offset; None for a moment that is not specified."""
    try:
        known: datetime = moment.to_datetime(line.profile.zone)
    except WildcardError:
        return None
    return known.isoformat(timespec="seconds")


def _lines(data: dict[str, Any]) -> list[str]:
    def yes(flag: bool) -> str:
        return "yes" if flag else "no"

    money = data["currency"]
    causes = ", ".join(data["relay_causes"])
    rows = [
        ("prepayment", "active" if data["prepayment"] else "not active"),
        ("mode", data["mode"]),
        ("balance", f"{money} {data['balance']}" + ("  LOW" if data["low_credit"] else "")),
        ("emergency", f"{money} {data['emergency_credit']}"),
        ("overdraft", f"{money} {data['overdraft']}"),
        ("in use", (data["credit_in_use"] or "none").replace("_", " ")),
        ("relay", data["relay"].replace("_", " ") + (f" ({causes})" if causes else "")),
        ("friendly", yes(data["friendly"])),
        ("cut armed", f"until {data['armed_until']}" if data["armed"] else "no"),
        ("updated", data["updated"] or "never"),
        ("clock", data["clock"] or "not set"),
        ("energy", f"{data['energy_wh']} Wh"),
    ]
    return [f"{name:<12}{value}" for name, value in rows]
