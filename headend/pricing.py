"""What energy costs where the head-end prices it: each watt-hour once, up to a reading.

A reading is one of now, of a midnight that the meter remembers, or of the moment at which it
carried a plan out.
"""

from msgspec import Struct

from headend.errors import Refused
from headend.store import meters
from headend.store.connection import Connection
from headend.store.meters import Meter
from prepay.charge import REMAINDER_PER_MINOR, collect
from prepay.ledger import Post, Reason, credit_post
from prepay.profile import Profile
from protocol.timing import Instant


class Reading(Struct, frozen=True):
    """The energy register at a moment, by the meter's clock.

    Args:
        watt_hours: the register.
        moment: when.
    """

    watt_hours: int
    moment: Instant


def unpriced(meter: Meter, reading: Reading) -> int:
    """Return the energy in Wh that is not priced up to a reading.

    Raises:
        Refused: nobody knows from where on, or the register went back; nothing was priced.
    """
    if meter.priced_wh is None:
        raise Refused("this database does not know the reading at activation: nothing to price")
    used = reading.watt_hours - meter.priced_wh
    if used < 0:
        raise Refused(
            f"the register went back from {meter.priced_wh} to {reading.watt_hours} Wh: "
            "nothing was priced"
        )
    return used


def price(
    db: Connection, meter: Meter, profile: Profile, identity: str, reading: Reading, now: Instant
) -> list[Post]:
    """Return the posts of the energy used since the last priced reading, which moves on.

    Raises:
        Refused: as ``unpriced``.
    """
    meter = meters.by_id(db, meter.id)
    used = unpriced(meter, reading)
    amount, rest = collect(profile.tariff, used, meter.remainder, profile.currency)
    meters.set_priced(db, meter, reading.watt_hours, reading.moment, rest)
    return _posts(identity, -amount, now)


def price_to_the_end(
    db: Connection, meter: Meter, profile: Profile, identity: str, end: Reading, now: Instant
) -> list[Post]:
    """Return the posts of the energy used until an account was closed by plan.

    It has been closed, so nothing is refused. What was priced beyond its end by an order that the
    closing came before is given back: to the cent as if it had never been priced. For a register
    that went back of itself nothing is priced, and nothing where nobody knows from where on.
    """
    meter = meters.by_id(db, meter.id)
    if meter.priced_wh is None or meter.priced_at is None:
        return []
    used = end.watt_hours - meter.priced_wh
    if used < 0 and meter.priced_at <= end.moment:
        return []
    exact = used * profile.tariff.per_watt_hour(profile.currency) + meter.remainder
    return _posts(identity, -(exact // REMAINDER_PER_MINOR), now)


def _posts(identity: str, amount: int, now: Instant) -> list[Post]:
    return [credit_post(identity, Reason.CONSUMPTION, amount, now)] if amount else []
