"""Plans by which a balance goes from the head-end's ledger to the meter's, or back."""

from headend.errors import Refused
from headend.line import Line
from headend.plans.central import check_sequence, held_sequence, price_until
from headend.plans.planning import books, effect, instant, meter_time, plan_order, stamp
from headend.pricing import Reading
from headend.store import ledger, meters
from headend.store.transactions import Order, Parameters, Transaction
from prepay.cut import BalanceMode


def to_meter(line: Line, identity: str) -> Transaction:
    """Price what has been used until now, and let the meter go on with what is left.

    The order says the register that it is priced to: the meter charges from there on.
    """
    now, held = meter_time(line), held_sequence(line)
    reading = Reading(line.device.energy(), instant(now))
    with books(line) as db:
        check_sequence(line, held)
        priced = price_until(db, line, identity, reading)
        meter = line.meter
        left = ledger.balance(db, meter.id) + effect(priced)
        values: Parameters = {
            "mode": int(BalanceMode.LOCAL),
            "sequence": meter.sequence + 1,
            "balance": left,
            "register": reading.watt_hours,
            "as_of": stamp(line, now),
        }
        planned = plan_order(db, line, identity, Order.MODE, left, values)
        ledger.book(db, meter.id, priced)
        meters.set_sequence(db, meter, meter.sequence + 1)
        return planned


def to_head_end(line: Line, identity: str) -> Transaction:
    """Plan to take the balance over; what the meter says then is booked once it is confirmed."""
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: prepay activate")
    held = line.device.snapshot().sequence
    with books(line) as db:
        meter = line.meter
        sequence = max(meter.sequence, held) + 1
        values: Parameters = {"mode": int(BalanceMode.CENTRAL), "sequence": sequence}
        planned = plan_order(db, line, identity, Order.MODE, 0, values)
        meters.set_sequence(db, meter, sequence)
        return planned
