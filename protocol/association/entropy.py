"""Where randomness comes from: from whoever makes an association."""

from collections.abc import Callable

from protocol.errors import LocalProtocolError

#: Returns as many random octets as it is asked for.
Entropy = Callable[[int], bytes]


def no_entropy(length: int) -> bytes:
    """Be the entropy of those who need none.

    Raises:
        LocalProtocolError: always.
    """
    raise LocalProtocolError(f"{length} random octets are needed, and there are none here")
