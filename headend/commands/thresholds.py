"""Show or set the thresholds of an account: low credit, emergency credit, provisions."""

from typing import Any, Final

import click

from headend.cli import with_context
from headend.commands._amounts import amount_of
from headend.commands._settings import number, put
from headend.context import Context
from headend.line import Line, open_line
from headend.report import Report
from obis import catalogue
from protocol.axdr import Data
from protocol.events import AttributeRef

PRIORITY = 20

_ACCOUNT: Final = 111
_DAY: Final = 86_400
_PERIOD: Final = AttributeRef(_ACCOUNT, catalogue.ACCOUNT, 19)
#: Amounts, by their names here; in the order in which they are written.
_AMOUNTS: Final = {
    "low_credit": AttributeRef(_ACCOUNT, catalogue.ACCOUNT, 16),
    "emergency_credit": AttributeRef(112, catalogue.EMERGENCY_CREDIT, 10),
    "clearance": AttributeRef(_ACCOUNT, catalogue.ACCOUNT, 7),
    "max_provision": AttributeRef(_ACCOUNT, catalogue.ACCOUNT, 18),
}


@click.command("thresholds")
@click.option("--low", metavar="AMOUNT", help="Credit is low below it.")
@click.option("--emergency", metavar="AMOUNT", help="Emergency credit is offered at it.")
@click.option("--clearance", metavar="AMOUNT", help="What has to be there after a debt is cleared.")
@click.option(
    "--max-provision", metavar="AMOUNT", help="What debts may take of payments in a period."
)
@click.option(
    "--provision-days", type=click.IntRange(0, 3650), metavar="DAYS", help="That period; 0: none."
)
@with_context
def command(
    context: Context,
    low: str | None,
    emergency: str | None,
    clearance: str | None,
    max_provision: str | None,
    provision_days: int | None,
) -> Report:
    """Show the thresholds of an account, or set those that are given.

    Low credit by days of use, the emergency credit itself and the limits of top-ups are the
    profile's, and are shown only. The meter goes by what is set from the next moment on.

    Example: prepay --port serial:./meter0 thresholds

    Example: prepay --port serial:./meter0 thresholds --low 5.00

    Next: prepay status.
    """
    wanted = {
        "low_credit": low,
        "emergency_credit": emergency,
        "clearance": clearance,
        "max_provision": max_provision,
    }
    return thresholds(context, wanted, provision_days)


def thresholds(
    context: Context, wanted: dict[str, str | None] | None = None, provision_days: int | None = None
) -> Report:
    """Show the thresholds of the meter at the context's port, after setting what is wanted.

    Args:
        context: the run of the command.
        wanted: decimal amounts by their names, the keys of the report; None stays.
        provision_days: the period of max_provision; None stays.

    Raises:
        UsageError: no amount, or one that the meter's type does not hold.
        Refused: the meter does not take it, for one because there is no emergency credit.
        NoAnswer: some of it may have been written; the same command again completes it.
    """
    asked = {name: text for name, text in (wanted or {}).items() if text is not None}
    for text in asked.values():  # what is one in no currency, before the meter is called for it
        amount_of(text, signed=True, zero=True)
    with open_line(context) as line:
        money = line.profile.currency
        minor = {
            _AMOUNTS[name]: amount_of(text, money, signed=True, zero=True)
            for name, text in asked.items()
        }
        if provision_days is not None:
            minor[_PERIOD] = provision_days * _DAY
        for ref in (*_AMOUNTS.values(), _PERIOD):
            if ref in minor:
                held = number(line.device, ref)
                put(line.device, ref, Data(held.tag, minor[ref]), held=held)
        return _report(line, changed=bool(minor))


def _report(line: Line, *, changed: bool) -> Report:
    rules = line.profile.credit
    found = {name: int(number(line.device, ref).value) for name, ref in _AMOUNTS.items()}
    days = int(number(line.device, _PERIOD).value) // _DAY
    offered = line.decimal(found["emergency_credit"]) if rules.has_emergency else None
    data: dict[str, Any] = {
        "meter": line.meter.name,
        "currency": line.profile.currency.code,
        "low_credit": line.decimal(found["low_credit"]),
        "low_days": rules.low_days,
        "emergency_credit": offered,
        "emergency_amount": line.decimal(rules.emergency_amount),
        "clearance": line.decimal(found["clearance"]),
        "max_provision": line.decimal(found["max_provision"]),
        "provision_days": days,
    }
    by_days = f", or for less than {rules.low_days} days of use" if rules.low_days else ""
    bound = f"{line.money(found['max_provision'])} in {days} days" if days else "no bound"
    lines = [
        ("written and read back: " if changed else "")
        + f"credit is low below {line.money(found['low_credit'])}{by_days}",
        f"clearance {line.money(found['clearance'])}; debts take of payments: {bound}",
    ]
    if rules.has_emergency:
        advance = line.money(rules.emergency_amount)
        at = line.money(found["emergency_credit"])
        lines.insert(1, f"emergency credit of {advance} is offered at {at}")
    return Report(data, lines)
