"""HDLC addresses of one, two and four octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.hdlc.address import PART_LIMITS, HdlcAddress, decode_address


@st.composite
def addresses(draw: st.DrawFn) -> HdlcAddress:
    """Any address of any size."""
    octets = draw(st.sampled_from(sorted(PART_LIMITS)))
    part = st.integers(0, PART_LIMITS[octets])
    return HdlcAddress(draw(part), 0 if octets == 1 else draw(part), octets)


@pytest.mark.parametrize(
    ("address", "octets"),
    [
        (HdlcAddress(1), "03"),
        (HdlcAddress(16), "21"),
        (HdlcAddress(0x4A), "95"),
        (HdlcAddress(0x7F), "FF"),
        (HdlcAddress(0), "01"),
        (HdlcAddress(1, 17, 2), "0223"),
        (HdlcAddress(0x7F, 0x7F, 2), "FEFF"),
        (HdlcAddress(1, 17, 4), "00020023"),
        (HdlcAddress(1, 0x3FFF, 4), "0002FEFF"),
        (HdlcAddress(0x80, 300, 4), "02000459"),
    ],
)
def test_known_addresses(address: HdlcAddress, octets: str) -> None:
    """The forms published in dlms-cosem, jDLMS and the DLMS UA's examples; ours and theirs."""
    field = bytes.fromhex(octets)
    assert address.to_bytes() == field
    assert decode_address(field, 0) == (address, len(field))


@given(addresses(), st.binary(max_size=3), st.binary(max_size=3))
def test_decode_is_the_inverse_of_encode(address: HdlcAddress, before: bytes, after: bytes) -> None:
    """Any address is read back, wherever it stands."""
    field = address.to_bytes()
    assert len(field) == address.octets
    assert decode_address(before + field + after, len(before)) == (
        address,
        len(before) + len(field),
    )


@given(addresses())
def test_a_cut_address_is_not_complete_yet(address: HdlcAddress) -> None:
    """A buffer that ends within the field is no error."""
    field = address.to_bytes()
    for size in range(len(field)):
        assert decode_address(field[:size], 0) is None


@pytest.mark.parametrize("octets", ["020203", "02020202", "0000000000"])
def test_an_address_of_another_size_is_false(octets: str) -> None:
    """Three octets, or no end after four."""
    with pytest.raises(DecodeError):
        decode_address(bytes.fromhex(octets), 0)


@pytest.mark.parametrize(
    ("upper", "lower", "octets"),
    [
        (128, 0, 1),
        (1, 1, 1),
        (-1, 0, 1),
        (128, 1, 2),
        (1, 128, 2),
        (1, -1, 2),
        (0x4000, 1, 4),
        (1, 0x4000, 4),
        (1, 1, 3),
        (1, 0, 0),
        (1, 1, 5),
    ],
)
def test_an_address_that_does_not_fit_is_refused(upper: int, lower: int, octets: int) -> None:
    """One beyond each bound, and sizes that do not exist."""
    with pytest.raises(EncodeError):
        HdlcAddress(upper, lower, octets)


@pytest.mark.parametrize(
    ("address", "station"),
    [
        (HdlcAddress(1), True),
        (HdlcAddress(0), False),
        (HdlcAddress(0x7F), False),
        (HdlcAddress(1, 1, 2), True),
        (HdlcAddress(1, 0, 2), False),
        (HdlcAddress(1, 0x7F, 2), False),
        (HdlcAddress(0x7F, 17, 2), False),
        (HdlcAddress(0x7F, 0x7F, 4), True),
        (HdlcAddress(1, 0x3FFF, 4), False),
    ],
)
def test_no_station_and_all_station_are_no_stations(address: HdlcAddress, station: bool) -> None:
    """All zeros and all ones of each part are reserved."""
    assert address.is_station is station


@pytest.mark.parametrize(
    ("address", "broadcast"),
    [
        (HdlcAddress(0x7F), True),
        (HdlcAddress(0x7E), False),
        (HdlcAddress(0x7F, 1, 2), True),
        (HdlcAddress(1, 0x7F, 2), True),
        (HdlcAddress(0x7F, 0x7F, 4), False),
        (HdlcAddress(0x3FFF, 1, 4), True),
        (HdlcAddress(1, 0x3FFF, 4), True),
        (HdlcAddress(1, 0, 2), False),
    ],
)
def test_broadcasts(address: HdlcAddress, broadcast: bool) -> None:
    """The greatest value of either part is everybody."""
    assert address.is_broadcast is broadcast


@pytest.mark.parametrize(("octets", "calling"), [(2, 0x7E), (4, 0x3FFE)])
def test_the_calling_address_is_the_one_below(octets: int, calling: int) -> None:
    """A station that need not be known by name."""
    address = HdlcAddress(1, calling, octets)
    assert (address.calling, address.is_station, address.is_broadcast) == (calling, True, False)
