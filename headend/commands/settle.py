"""Find out what became of transactions whose outcome got lost."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import Unknowable
from headend.line import Line
from headend.orders import settle_open
from headend.repeats import summary
from headend.report import Report
from headend.store.transactions import State


@click.command("settle")
@with_context
def command(context: Context) -> Report:
    """Find out what became of the transactions with this meter whose outcome got lost.

    The meter's transaction log is asked; what it does not know is sent again under the same id,
    which the meter executes once.

    Example: prepay --port serial:./meter0 settle

    Next: prepay transactions shows how each ended.
    """
    return settle(context)


def settle(context: Context) -> Report:
    """Settle what is open with the meter at the context's port.

    Raises:
        OutcomeUnknown: the line broke again; what is open stays recorded.
        NoAnswer, Refused: see there.
    """
    line = Line(context)
    try:
        ended = settle_open(line)
        for each in ended:
            if each.state is State.UNKNOWN:
                raise Unknowable(
                    f"the meter cannot say any more what became of transaction {each.id}: "
                    "compare its balance with the ledger by hand",
                    each.id,
                )
        lines = [
            f"{each.kind.value} {line.money(each.amount)}: "
            + (
                "planned, and not yet carried out"
                if each.is_open
                else f"{each.state.value} ({each.outcome})"
            )
            + f", transaction {each.id}"
            for each in ended
        ]
        told = [
            {**summary(line, each), "kind": each.kind.value, "outcome": each.outcome}
            for each in ended
        ]
        data = {"meter": line.meter.name, "settled": told}
        return Report(data, lines or (f"nothing is open with {line.meter.name}",))
    finally:
        line.close()
