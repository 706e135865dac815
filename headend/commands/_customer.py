"""What protect and withdraw share: the customer's flags as the meter has them afterwards."""

from typing import Any

from headend.errors import Refused
from headend.line import Line
from headend.repeats import check_done, summary
from headend.report import Report
from headend.store.transactions import Transaction
from headend.times import meter_iso
from prepay.transactions import Outcome

_WINTER = Outcome.WINTER.name.lower()


def check(line: Line, ended: Transaction) -> None:
    """Say so when the order has been refused, and why where that is the season.

    Raises:
        Refused: by the meter.
    """
    rules = line.profile.protection
    if ended.outcome == _WINTER and not ended.succeeded and rules is not None:
        first, last = (f"{day}.{month}." for month, day in (rules.winter.first, rules.winter.last))
        raise Refused(
            f"{ended.kind.value} refused: minimum supply is not withdrawn from {first} to {last} "
            f"(nor while the meter does not know the date); transaction {ended.id}"
        )
    check_done(ended)


def report(line: Line, ended: Transaction) -> Report:
    """Return what is due to the customer now."""
    found = line.device.customer()
    since = meter_iso(found.since, line.profile.zone)
    data: dict[str, Any] = {
        **summary(line, ended),
        "protected": found.protected,
        "protected_since": since,
        "never_cut": found.never_cut,
        "limited": found.limited,
        "recurrent_defaulter": found.recurrent,
    }
    lines = [
        f"{line.meter.name}: {'protected since ' + since if since else 'not protected'}"
        f", {'never cut' if found.never_cut else 'may be cut'}",
        f"transaction {ended.id}",
    ]
    if found.limited:
        lines.insert(1, "minimum supply in place of a cut")
    if found.recurrent:
        lines.insert(1, "recurrent defaulter")
    return Report(data, lines)
