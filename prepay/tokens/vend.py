"""The making of tokens: the vending half, which no meter carries."""

from prepay.money import MAX_AMOUNT


def vend_lab(key: bytes, meter: bytes, id: bytes, amount: int) -> bytes:
    """Return a lab token, 37 octets.

    Args:
        key: the meter's token key, at least 16 octets.
        meter: the meter's logical device name.
        id: 16 octets, the transaction; never used twice for one meter.
        amount: minor units, above 0 and within a double-long.

    Raises:
        ValueError: one of them is out of range.
    """
    from prepay.tokens.lab import BODY, ID_LENGTH, tag  # construct, which only tokens need

    if len(id) != ID_LENGTH:
        raise ValueError(f"a token's id has {ID_LENGTH} octets, not {len(id)}")
    if not 0 < amount <= MAX_AMOUNT:
        raise ValueError(f"a token carries an amount of 1 to {MAX_AMOUNT}, not {amount}")
    body = BODY.build({"id": id, "amount": amount})
    return bytes(body) + tag(key, meter, bytes(body))
