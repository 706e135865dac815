"""Transaction ids: UUIDs of version 7 that grow with time."""

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.transactions import ID_LENGTH, REMEMBERED, Kind, Outcome, transaction_id

moments = st.integers(0, (1 << 48) - 1)
chance = st.binary(min_size=10, max_size=10)


def test_the_example_of_the_rfc() -> None:
    """RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F."""
    entropy = bytes.fromhex("0CC3 18C4DC0C0C07398F")
    expected = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
    assert transaction_id(0x017F22E279B0, entropy) == expected.bytes


@given(moments, chance)
def test_an_id_is_a_uuid_of_version_7(moment: int, entropy: bytes) -> None:
    """As the standard library reads it, with the milliseconds in front."""
    identity = UUID(bytes=transaction_id(moment, entropy))
    assert (identity.version, identity.variant) == (7, RFC_4122)
    assert identity.int >> 80 == moment


@given(moments, chance)
def test_74_bits_of_the_entropy_are_in_the_id(moment: int, entropy: bytes) -> None:
    """All but the six where version and variant are."""
    identity = transaction_id(moment, entropy)
    assert identity[6] & 0x0F == entropy[0] & 0x0F
    assert identity[7] == entropy[1]
    assert identity[8] & 0x3F == entropy[2] & 0x3F
    assert identity[9:] == entropy[3:]


@given(st.tuples(moments, chance), st.tuples(moments, chance))
def test_a_later_id_is_a_greater_id(one: tuple[int, bytes], other: tuple[int, bytes]) -> None:
    """As octets, which is how a meter compares them; whatever the entropy."""
    if one[0] != other[0]:
        assert (transaction_id(*one) < transaction_id(*other)) == (one[0] < other[0])


@pytest.mark.parametrize(
    ("moment", "first"), [(0, "000000000000"), ((1 << 48) - 1, "ffffffffffff")]
)
def test_the_first_and_the_last_millisecond(moment: int, first: str) -> None:
    """1970, and the year 10889."""
    identity = transaction_id(moment, b"\xff" * 10)
    assert identity.hex() == first + "7fffbfffffffffffffff"
    assert len(identity) == ID_LENGTH


@pytest.mark.parametrize(
    ("moment", "entropy"),
    [
        (-1, bytes(10)),
        (1 << 48, bytes(10)),
        (0, bytes(9)),
        (0, bytes(11)),
        (0, b""),
    ],
)
def test_what_makes_no_id_is_refused(moment: int, entropy: bytes) -> None:
    """Rather than one that does not grow, or is easily guessed."""
    with pytest.raises(ValueError, match="48 bits of milliseconds and 10 octets"):
        transaction_id(moment, entropy)


def test_kinds_and_outcomes_keep_their_numbers() -> None:
    """They are on the wire and in flash: a number never changes its meaning."""
    assert [(kind.name, kind.value) for kind in Kind] == [
        ("ACTIVATE", 1),
        ("DEACTIVATE", 2),
        ("SNAPSHOT", 3),
        ("ARM", 4),
        ("DISARM", 5),
        ("ADJUST", 6),
        ("TOKEN", 7),
        ("MODE", 8),
        ("CUSTOMER", 9),
        ("DEBT", 10),
        ("CANCEL", 11),
        ("WITHDRAW", 12),
        ("REFUND", 13),
        ("DISCONNECT", 14),
        ("CONNECT", 15),
    ]
    assert [(outcome.name, outcome.value) for outcome in Outcome] == [
        ("DONE", 0),
        ("WRONG_MODE", 1),
        ("NOT_ACTIVE", 2),
        ("ALREADY_ACTIVE", 3),
        ("STALE_SEQUENCE", 4),
        ("SEQUENCE_MISMATCH", 5),
        ("EXPIRED", 6),
        ("AMOUNT_OUT_OF_RANGE", 7),
        ("ID_REUSED", 8),
        ("TOKEN_USED", 9),
        ("TOKEN_FALSE", 10),
        ("TOO_OLD", 11),
        ("PLANNED", 12),
        ("PLAN_EXISTS", 13),
        ("NO_PLAN", 14),
        ("WINTER", 15),
        ("OVER_MAX_CREDIT", 16),
        ("OVER_MAX_TOP_UP", 17),
        ("NO_SUCH_CHARGE", 18),
        ("WITHDRAWN", 19),
        ("OVER_BALANCE", 20),
        ("RELAY_REFUSES", 21),
    ]
    assert REMEMBERED == 64
