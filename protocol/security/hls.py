"""How the two sides prove who they are: LLS by password, HLS mechanism 5 by GMAC.

HLS takes four passes. The client sends its challenge CtoS in the AARQ (1), the server its own,
StoC, in the AARE (2). The client answers f(StoC) by the method reply_to_HLS_authentication of
the current association (3), the server f(CtoS) in the answer to it (4). With GMAC

    f(challenge) = SC || IC || GMAC(nonce = title || IC, data = SC || AK || challenge)

where SC is 0x10 and title and IC are those of the side that answers. ``gurux-dlms``,
``dlms-cosem`` and ``pydlms-client`` agree.
"""

from hmac import compare_digest

from protocol.errors import SecurityError
from protocol.security.control import Protection, encode_control
from protocol.security.gcm import TAG_LENGTH, protect
from protocol.security.keys import KeySet

#: How long a challenge may be, in octets.
CHALLENGE_LENGTHS = range(8, 65)

_CONTROL = bytes((encode_control(Protection.AUTHENTICATED),))
_REPLY_LENGTH = 1 + 4 + TAG_LENGTH


def gmac_reply(keys: KeySet, title: bytes, counter: int, challenge: bytes) -> bytes:
    """Return f(challenge), 17 octets.

    Args:
        keys: the keys of both sides.
        title: the system title of the side that answers, 8 octets.
        counter: an unused invocation counter of that side.
        challenge: what the other side sent.
    """
    tag = protect(keys, title, counter, Protection.AUTHENTICATED, challenge)[-TAG_LENGTH:]
    return _CONTROL + counter.to_bytes(4, "big") + tag


def verify_gmac_reply(keys: KeySet, title: bytes, challenge: bytes, reply: bytes) -> int:
    """Check the other side's f(challenge), in constant time.

    Args:
        keys: the keys of both sides.
        title: the system title of the side that answered, 8 octets.
        challenge: what we sent.
        reply: what came back.

    Returns:
        The invocation counter in the reply.

    Raises:
        SecurityError: the reply has the wrong form or the wrong tag.
    """
    if len(reply) != _REPLY_LENGTH or not reply.startswith(_CONTROL):
        raise SecurityError("not the form of an HLS answer by GMAC")
    counter = int.from_bytes(reply[1:5], "big")
    if not compare_digest(gmac_reply(keys, title, counter, challenge), reply):
        raise SecurityError("the HLS answer is false")
    return counter


def password_matches(offered: bytes, secret: bytes) -> bool:
    """Compare an LLS password without telling by the time it takes how much of it was right."""
    return compare_digest(offered, secret)
