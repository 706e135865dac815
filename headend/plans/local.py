"""Plans in local mode: the meter's ledger owns the balance, this one notes what was paid."""

from datetime import datetime

from headend.errors import Refused
from headend.line import Line
from headend.plans.central import check_no_opening_waits
from headend.plans.openings import PLAIN, Opening
from headend.plans.planning import books, meter_time, plan_order, stamp
from headend.store import ledger
from headend.store.transactions import Order, Parameters, Transaction
from prepay.ledger import Reason, credit_post
from prepay.tokens.vend import vend_lab


def local_topup(
    line: Line, identity: str, amount: int, noted: Parameters | None = None
) -> Transaction:
    """Book a payment and make the token that carries it to the meter; ``noted`` is kept with it.

    Raises:
        Refused: prepayment is not active; nothing is booked.
    """
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: prepay activate")
    key, name = line.context.keys.token_key, line.meter.name.encode("latin-1")
    token = vend_lab(key, name, bytes.fromhex(identity), amount)
    with books(line) as db:
        values: Parameters = {"token": token.hex(), **(noted or {})}
        posts = [credit_post(identity, Reason.TOP_UP, amount, line.now)]
        return plan_order(db, line, identity, Order.TOPUP, amount, values, posts)


def local_activation(line: Line, identity: str, opening: Opening = PLAIN) -> Transaction:
    """Book the start credit that brings the meter's own balance to the profile's first one."""
    if line.device.prepayment():
        raise Refused("prepayment is active already")
    as_of, old = meter_time(line), line.device.local_balance()
    advance = opening.first_balance(line, old) - old
    told = stamp(line, as_of)
    values: Parameters = {
        "sequence": 0,
        "balance": advance,
        "emergency": 0,
        "as_of": told,
        **opening.parameters(line),
    }
    with books(line) as db:
        check_no_opening_waits(db, line)
        planned = plan_order(db, line, identity, Order.ACTIVATE, advance, values)
        ledger.book(db, line.meter.id, opening.posts(line, identity, old))
        return planned


def local_deactivation(
    line: Line, identity: str, at: datetime | None = None, noted: Parameters | None = None
) -> Transaction:
    """Plan the end; what the meter closes with is settled once it is confirmed."""
    if not line.device.prepayment():
        raise Refused("prepayment is not active on this meter: nothing to deactivate")
    values: Parameters = {**({} if at is None else {"at": stamp(line, at)}), **(noted or {})}
    with books(line) as db:
        return plan_order(db, line, identity, Order.DEACTIVATE, 0, values)
