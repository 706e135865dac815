"""What connect and disconnect share: an operator's order to the relay.

The order is a transaction, although it moves no money: it says where the relay shall be, and one
that came a second time, late, would undo what another has ordered since. The meter takes its id
once, so a lost answer is asked for by the id, and nothing is guessed.
"""

from headend.context import Context
from headend.errors import Refused
from headend.identities import foreseen
from headend.line import Line, open_line
from headend.orders import carry_out, settle_open
from headend.plans.operating import switching
from headend.plans.planning import check_id, new_id
from headend.repeats import as_before, check_done, repeated
from headend.report import Report
from headend.store.transactions import Order, Transaction
from headend.times import meter_iso
from prepay.transactions import Outcome

_REFUSES = Outcome.RELAY_REFUSES.name.lower().replace("_", " ")


def identified(context: Context, identity: str | None, kind: Order) -> str | None:
    """Return a transaction id as the database has it.

    Raises:
        UsageError: it is none, or another order's.
    """
    identity = None if identity is None else check_id(identity, context.now())
    foreseen(context, identity, kind)
    return identity


def move(context: Context, kind: Order, identity: str | None = None) -> Report:
    """Order the relay and report where it is.

    Args:
        context: the run of the command.
        kind: ``Order.DISCONNECT`` or ``Order.CONNECT``.
        identity: transaction id; a new one unless given.

    Raises:
        Refused: the relay's control mode does not allow it.
        NoAnswer: the meter was not reached; nothing was ordered.
        OutcomeUnknown: the order went out and its answer got lost for good.
        UsageError: the id is none, or another order's.
    """
    identity = identified(context, identity, kind)
    with open_line(context) as line:
        found = planned = repeated(line, identity, kind)
        if planned is None:
            planned = switching(line, identity or new_id(line), kind)
        return as_before(line, found, ordered(line, planned))


def ordered(line: Line, planned: Transaction) -> Report:
    """Carry an order to the relay out and report where it is, or what it waits for.

    Raises:
        Refused, OutcomeUnknown: as ``move``.
    """
    ended = carry_out(line, planned) if planned.is_open else planned
    if ended.is_open:
        return _waiting(line, ended)
    if ended.outcome == _REFUSES:
        raise Refused(
            "the relay does not take that order now: its control mode has no such way from where "
            f"it is (prepay status); transaction {ended.id}"
        )
    check_done(ended)
    settle_open(line)  # one that waited for the end of a window ends with this one
    relay, causes = line.device.relay(), line.device.relay_causes()
    data = {**_summary(line, ended), "relay": relay, "relay_causes": causes}
    held = f", held open by: {', '.join(causes)}" if causes else ""
    said = f"{line.meter.name}: relay {relay.replace('_', ' ')}{held}"
    return Report(data, (said, f"transaction {ended.id}"))


def _waiting(line: Line, planned: Transaction) -> Report:
    until = meter_iso(line.device.plan().at, line.profile.zone)
    data = {**_summary(line, planned), "relay": line.device.relay(), "waits_until": until}
    return Report(
        data,
        (
            f"{line.meter.name}: friendly hours; the meter opens its relay when they end, "
            f"or not at all after {until}",
            f"transaction {planned.id}; prepay settle asks for its outcome, prepay connect "
            "withdraws it",
        ),
    )


def _summary(line: Line, ended: Transaction) -> dict[str, str]:
    return {"meter": line.meter.name, "transaction": ended.id, "state": ended.state.value}
