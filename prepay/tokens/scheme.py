"""What a kind of token is to a meter: octets in, an id and an amount out.

A meter reads the tokens of the schemes in ``SCHEMES``, one after the other; the form tells whose
a token is. A scheme knows nothing of accounts: whether an id was used is the business of the
meter's log, what becomes of the amount that of the account's rules.
"""

from typing import Final, Protocol

from msgspec import Struct

from prepay.tokens import lab
from prepay.tokens.errors import TokenMalformed

#: Characters of a token that somebody types, blanks and hyphens included.
MAX_TYPED: Final = 160


class Token(Struct, frozen=True):
    """What a true token says.

    Args:
        id: 16 octets, by which it counts once.
        amount: minor units, above 0.
    """

    id: bytes
    amount: int


class Scheme(Protocol):
    """A kind of token."""

    @property
    def name(self) -> str:
        """What token_description calls it."""
        ...

    def decode(self, key: bytes, meter: bytes, octets: bytes) -> Token:
        """Check a token and return what it says.

        Args:
            key: the meter's, for this scheme.
            meter: its logical device name.
            octets: the token as it comes over the line.

        Raises:
            TokenMalformed: it is not of this form, perhaps of another scheme.
            TokenFalse: it is of this form, and not one for this meter.
        """
        ...

    def typed(self, text: str) -> bytes:
        """Return the octets of a token as somebody types it, without blanks and hyphens.

        Raises:
            TokenMalformed: nobody types a token of this form like that.
        """
        ...


class Lab:
    """The lab token (``prepay.tokens.lab``): typed as hexadecimal digits."""

    name: Final = "lab"

    def decode(self, key: bytes, meter: bytes, octets: bytes) -> Token:
        """Check a lab token; see ``Scheme``."""
        token = lab.decode(key, meter, octets)
        return Token(token.id, token.amount)

    def typed(self, text: str) -> bytes:
        """Return the octets that hexadecimal digits say; see ``Scheme``."""
        if len(text) != 2 * lab.TOKEN_LENGTH:
            raise TokenMalformed(f"a lab token has {2 * lab.TOKEN_LENGTH} hexadecimal digits")
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise TokenMalformed("a lab token is typed in hexadecimal digits") from None


#: The schemes that a meter knows, in the order in which they are tried.
SCHEMES: Final[tuple[Scheme, ...]] = (Lab(),)


def decode(key: bytes, meter: bytes, octets: bytes) -> Token:
    """Return what a token says, whatever its scheme.

    Raises:
        TokenMalformed: it is of no scheme.
        TokenFalse: it is of one, and not one for this meter.
    """
    for scheme in SCHEMES:
        try:
            return scheme.decode(key, meter, octets)
        except TokenMalformed as error:
            last = error
    raise last


def typed(text: str) -> bytes:
    """Return the octets of a token as somebody types it, in groups or not.

    Raises:
        TokenMalformed: no scheme has tokens that are typed like that.
    """
    if len(text) > MAX_TYPED:
        raise TokenMalformed(f"nobody types more than {MAX_TYPED} characters")
    plain = text.replace(" ", "").replace("-", "")
    for scheme in SCHEMES:
        try:
            return scheme.typed(plain)
        except TokenMalformed as error:
            last = error
    raise last
