"""The transactions that the head-end orders and the meter journals, by id and exactly once.

Every command that moves money or state carries an id of 16 octets. The meter keeps the last
ids with their outcomes; the same id again is answered from there and changes nothing.

A memory that forgets would let an old order in a second time. So ids grow with time (UUID
version 7, RFC 9562, whose first 48 bits are milliseconds since 1970), the meter forgets the
smallest id first, and it refuses every unknown id below the greatest it has forgotten, as STS
meters do with their token ids.
"""

from enum import IntEnum


def transaction_id(unix_milliseconds: int, entropy: bytes) -> bytes:
    """Return a transaction id: UUID version 7 made of a moment and 10 octets of entropy.

    Args:
        unix_milliseconds: when it was ordered, 0 to 2**48 - 1.
        entropy: 10 octets, of which 74 bits are used.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 <= unix_milliseconds < 1 << 48 or len(entropy) != 10:
        raise ValueError("a transaction id takes 48 bits of milliseconds and 10 octets of entropy")
    octets = bytearray(unix_milliseconds.to_bytes(6, "big") + entropy)
    octets[6] = 0x70 | octets[6] & 0x0F  # version 7
    octets[8] = 0x80 | octets[8] & 0x3F  # the variant of RFC 9562
    return bytes(octets)


def time_of(identity: bytes) -> int:
    """Return the moment of which a transaction id is, in milliseconds since 1970."""
    return int.from_bytes(identity[:6], "big")


#: Octets of a transaction id.
ID_LENGTH = 16
#: How many of the last transactions a meter remembers.
REMEMBERED = 64


class Kind(IntEnum):
    """What a transaction orders."""

    ACTIVATE = 1  # prepayment on, with the first balance
    DEACTIVATE = 2  # prepayment off; the closing balance is the amount in the log
    SNAPSHOT = 3  # central mode: balance, emergency credit and as-of stamp, by sequence
    ARM = 4  # central mode: the meter may cut once the balance of that sequence is used up
    DISARM = 5
    ADJUST = 6  # local mode: signed amount onto the balance
    TOKEN = 7  # local mode: a token that was entered; never ordered as a transaction
    MODE = 8  # the balance goes over from the head-end to the meter, or back
    CUSTOMER = 9  # what is due to the customer: protected, never cut
    DEBT = 10  # signed amount onto what remains of a debt
    CANCEL = 11  # the plan that waits is withdrawn
    WITHDRAW = 12  # minimum supply ends; not in winter
    REFUND = 13  # local mode: an amount off the balance, which it may not exceed
    DISCONNECT = 14  # by the operator: at once, or when no friendly window is in force
    CONNECT = 15  # the operator's causes are withdrawn, and so is a disconnect that waits


class Outcome(IntEnum):
    """What became of a transaction."""

    DONE = 0
    WRONG_MODE = 1  # central command to a local meter, or the other way round
    NOT_ACTIVE = 2  # prepayment is not active
    ALREADY_ACTIVE = 3
    STALE_SEQUENCE = 4  # not newer than the snapshot the meter holds
    SEQUENCE_MISMATCH = 5  # an arm for a snapshot that is not the one the meter holds
    EXPIRED = 6
    AMOUNT_OUT_OF_RANGE = 7
    ID_REUSED = 8  # this id came before with other content
    TOKEN_USED = 9
    TOKEN_FALSE = 10  # the token's check fails: another meter's, or garbled
    TOO_OLD = 11  # below the ids the meter still remembers: it may have been executed before
    PLANNED = 12  # it waits for its moment, and then turns into what came of it
    PLAN_EXISTS = 13  # another one waits
    NO_PLAN = 14  # there is none to withdraw
    WINTER = 15  # minimum supply is not withdrawn now
    OVER_MAX_CREDIT = 16  # the balance would rise above the greatest credit
    OVER_MAX_TOP_UP = 17  # more than the greatest top-up
    NO_SUCH_CHARGE = 18  # no charge of that number, or one that is no debt
    WITHDRAWN = 19  # it was a plan, and was withdrawn before its moment
    OVER_BALANCE = 20  # a refund of more than there is
    RELAY_REFUSES = 21  # the relay's control mode or state does not allow it
