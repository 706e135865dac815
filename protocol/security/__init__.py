"""Security suite 0 (AES-GCM-128), its keys, its counters and the authentication functions."""

from protocol.security.control import Protection, decode_control, encode_control
from protocol.security.counters import MAX_COUNTER, CounterLease, CounterSource, ReplayGuard
from protocol.security.gcm import TAG_LENGTH, TITLE_LENGTH, protect, unprotect
from protocol.security.hls import (
    CHALLENGE_LENGTHS,
    gmac_reply,
    password_matches,
    verify_gmac_reply,
)
from protocol.security.keys import KeySet

__all__ = [
    "CHALLENGE_LENGTHS",
    "MAX_COUNTER",
    "TAG_LENGTH",
    "TITLE_LENGTH",
    "CounterLease",
    "CounterSource",
    "KeySet",
    "Protection",
    "ReplayGuard",
    "decode_control",
    "encode_control",
    "gmac_reply",
    "password_matches",
    "protect",
    "unprotect",
    "verify_gmac_reply",
]
