"""Price what was used until midnight, book it, push the new balance."""

from datetime import datetime, timedelta

import click
from msgspec import Struct

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused
from headend.line import Line, open_line
from headend.orders import carry_out
from headend.plans.central import central_arm, central_morning
from headend.plans.planning import instant, meter_time, new_id
from headend.pricing import Reading
from headend.repeats import check_done
from headend.report import Report
from headend.store import ledger
from headend.store.transactions import Transaction
from headend.times import iso
from prepay.credit import CreditStatus, Standing, standing
from protocol.cosem_time import WildcardError

#: A cut that is armed for less than this is armed anew.
_ARM_AGAIN = timedelta(days=1)


@click.command("morning")
@with_context
def command(context: Context) -> Report:
    """Price what was used until the last midnight, book it, push the new balance.

    Low credit is announced. When the balance is used up, the cut is armed for three days; the
    meter still respects friendly hours. Twice in one morning books nothing twice. A meter that
    keeps its own balance wants no mornings, which is no error.

    Example: prepay --port serial:./meter0 morning

    Next: prepay ledger shows what was booked.
    """
    return morning(context)


def morning(context: Context) -> Report:
    """Do the morning's work with the meter at the context's port.

    Raises:
        Refused: prepayment is off, or the meter refused.
        NoAnswer, OutcomeUnknown: see there.
    """
    with open_line(context) as line:
        if not line.central:
            why = "nothing to do: the meter keeps its own balance"
            return Report({"meter": line.meter.name, "done": False, "reason": why}, (why,))
        if not line.device.prepayment():
            raise Refused("prepayment is not active on this meter: prepay activate")
        now = meter_time(line)
        reading = _midnight(line, now)
        pushed = None
        if reading is not None:
            pushed = carry_out(line, central_morning(line, new_id(line), reading, now))
            check_done(pushed)
        return _report(line, pushed, now)


def _midnight(line: Line, now: datetime) -> Reading | None:
    """Return the newest reading of a local midnight that is not priced yet."""
    meter = line.refresh()
    priced_at, priced_wh = meter.priced_at, meter.priced_wh
    if priced_at is None or priced_wh is None:
        raise Refused("this database does not know the reading at activation: nothing to price")
    # Priced under a clock that has been set back since: the register says what comes after.
    set_back = priced_at > instant(now)
    found = None
    for stamp, watt_hours in line.device.daily_readings():
        try:
            moment = instant(stamp.to_datetime(line.profile.zone))
        except WildcardError:
            continue  # captured while the clock did not know the time
        unpriced = watt_hours > priced_wh if set_back else moment > priced_at
        if unpriced and moment <= instant(now) and (found is None or moment > found.moment):
            found = Reading(watt_hours, moment)
    return found


class _Cut(Struct, frozen=True):
    armed: bool
    until: str | None


def _arm_if_used_up(line: Line, stands: Standing, now: datetime) -> _Cut:
    """Arm the cut when the balance is used up and it is not armed for this snapshot already."""
    if stands.token_status is not CreditStatus.EXHAUSTED:
        return _Cut(False, None)
    held = line.device.armed()
    sequence = line.refresh().sequence
    if held.armed and held.sequence == sequence:
        expiry = held.expiry.to_datetime(line.profile.zone)
        if expiry > now + _ARM_AGAIN:
            return _Cut(True, iso(expiry))
    armed = carry_out(line, central_arm(line, new_id(line), now))
    check_done(armed)
    return _Cut(True, iso(line.device.armed().expiry.to_datetime(line.profile.zone)))


def _report(line: Line, pushed: Transaction | None, now: datetime) -> Report:
    with line.context.store.read() as db:
        balance = ledger.balance(db, line.meter.id)
    stands = standing(line.profile.credit, balance, False)
    cut = _arm_if_used_up(line, stands, now)
    used = 0 if pushed is None else int(pushed.parameters["watt_hours"])
    cost = 0 if pushed is None else pushed.amount
    data = {
        "meter": line.meter.name,
        "done": True,
        "transaction": None if pushed is None else pushed.id,
        "watt_hours": used,
        "amount": line.decimal(cost),
        "balance": line.decimal(balance),
        "emergency_credit": line.decimal(stands.emergency_available),
        "currency": line.profile.currency.code,
        "sequence": line.refresh().sequence,
        "low_credit": stands.low,
        "armed": cut.armed,
        "armed_until": cut.until,
    }
    first = (
        f"{line.meter.name}: nothing new since the last morning"
        if pushed is None
        else f"{line.meter.name}: {used} Wh cost {line.money(cost)}"
    )
    lines = [f"{first}, balance {line.money(balance)}"]
    if cut.armed:
        lines.append(f"credit is used up: cut armed until {cut.until}")
    elif stands.low:
        lines.append(f"low credit: {line.money(balance)} left")
    return Report(data, lines)
