"""Why a token is not taken, whatever its kind."""


class TokenError(Exception):
    """Base of what is wrong with a token."""


class TokenMalformed(TokenError):
    """Octets that are no token of this kind: length, version or a field out of range."""


class TokenFalse(TokenError):
    """A token whose check fails: another meter's, of another key, or garbled."""
