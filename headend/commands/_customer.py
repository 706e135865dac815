"""What protect and withdraw share: the customer's flags as the meter has them afterwards."""

from calendar import month_name

from headend.commands._due import customer, words
from headend.errors import Refused
from headend.line import Line
from headend.repeats import check_done, summary
from headend.report import Report
from headend.store.transactions import Transaction
from prepay.transactions import Outcome

_WINTER = Outcome.WINTER.name.lower()
_WRONG_MODE = Outcome.WRONG_MODE.name.lower().replace("_", " ")


def check(line: Line, ended: Transaction) -> None:
    """Say so when the order has been refused, and why where the profile knows.

    Raises:
        Refused: by the meter.
    """
    rules = line.profile.protection
    if ended.outcome == _WRONG_MODE and not ended.succeeded and rules is None:
        raise Refused(
            f"{ended.kind.value} refused: {line.profile.name} has no minimum supply, "
            f"only prepay protect --never-cut; transaction {ended.id}"
        )
    if ended.outcome == _WINTER and not ended.succeeded and rules is not None:
        edges = rules.winter.first, rules.winter.last
        first, last = (f"{day} {month_name[month]}" for month, day in edges)
        raise Refused(
            f"{ended.kind.value} refused: minimum supply is not withdrawn from {first} to {last} "
            f"(nor while the meter does not know the date); transaction {ended.id}"
        )
    check_done(ended)


def report(line: Line, ended: Transaction) -> Report:
    """Return what is due to the customer now."""
    due = customer(line.device, line.profile)
    told = words(due) or "not protected, may be cut"
    data = {**summary(line, ended), **due}
    return Report(data, (f"{line.meter.name}: {told}", f"transaction {ended.id}"))
