"""Flash in memory: what real NOR flash does, and the ways it fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.flash import (
    Cut,
    MemoryFlash,
    OutOfRange,
    PowerCut,
    ProgrammedTwice,
    Tear,
)

octets = st.binary(min_size=1, max_size=40)


def test_new_flash_is_erased() -> None:
    """Every octet reads 0xFF."""
    flash = MemoryFlash(2, 16)
    assert flash.image == b"\xff" * 32
    assert flash.read(1, 4, 3) == b"\xff\xff\xff"


@given(octets, octets)
def test_programming_only_clears_bits(first: bytes, second: bytes) -> None:
    """Programming twice leaves the bits that are set in both."""
    flash = MemoryFlash(1, 40)
    flash.program(0, 0, first)
    assert flash.read(0, 0, len(first)) == first
    flash.program(0, 0, second)
    padded_first, padded_second = first.ljust(40, b"\xff"), second.ljust(40, b"\xff")
    expected = bytes(a & b for a, b in zip(padded_first, padded_second, strict=True))
    assert flash.image == expected


def test_erasing_sets_one_block() -> None:
    """And leaves the others as they are."""
    flash = MemoryFlash(3, 4)
    for block in range(3):
        flash.program(block, 0, b"\x00" * 4)
    flash.erase(1)
    assert flash.image == b"\x00" * 4 + b"\xff" * 4 + b"\x00" * 4


def test_wear_and_operations_are_counted() -> None:
    """Erasures by block, and all operations; reading is none."""
    flash = MemoryFlash(2, 4)
    flash.program(0, 0, b"a")
    flash.erase(0)
    flash.erase(0)
    flash.erase(1)
    flash.read(0, 0, 4)
    assert (flash.erasures, flash.operations) == ([2, 1], 4)


def test_strict_flash_refuses_to_program_an_octet_twice() -> None:
    """Also where the second time would clear nothing more, and again after an erasure."""
    flash = MemoryFlash(1, 8, strict=True)
    flash.program(0, 2, b"\xff\x0f")
    flash.program(0, 4, b"ab")
    for offset in (1, 2, 3, 5):
        with pytest.raises(ProgrammedTwice):
            flash.program(0, offset, b"\xff\xff")
    flash.erase(0)
    flash.program(0, 0, b"12345678")


@pytest.mark.parametrize(
    ("block", "offset", "length"),
    [(-1, 0, 1), (2, 0, 1), (0, -1, 1), (0, 8, 1), (0, 4, 5), (0, 0, 9)],
)
def test_places_that_do_not_exist(block: int, offset: int, length: int) -> None:
    """Nothing crosses the end of a block."""
    flash = MemoryFlash(2, 8)
    with pytest.raises(OutOfRange):
        flash.read(block, offset, length)
    with pytest.raises(OutOfRange):
        flash.program(block, offset, bytes(length))
    with pytest.raises(OutOfRange):
        flash.read(0, 0, -1)
    with pytest.raises(OutOfRange):
        flash.flip_bit(2, 0, 0)
    assert flash.operations == 0


@pytest.mark.parametrize(("count", "size"), [(0, 8), (8, 0), (-1, 8)])
def test_flash_of_no_size(count: int, size: int) -> None:
    """There is none."""
    with pytest.raises(OutOfRange):
        MemoryFlash(count, size)


@pytest.mark.parametrize("tear", Tear)
def test_power_fails_at_that_operation_and_stays_off(tear: Tear) -> None:
    """The operations before it are done; those after it, and reading, find no power."""
    flash = MemoryFlash(1, 16)
    flash.cut_at(Cut(1, tear))
    flash.program(0, 0, b"\x00")
    with pytest.raises(PowerCut):
        flash.program(0, 1, bytes(8))
    image = flash.image
    for _ in range(2):
        with pytest.raises(PowerCut):
            flash.program(0, 10, b"\x00")
        with pytest.raises(PowerCut):
            flash.erase(0)
        with pytest.raises(PowerCut):
            flash.read(0, 0, 1)
    assert flash.image == image
    flash.power_on()
    assert flash.read(0, 0, 1) == b"\x00"
    flash.erase(0)


def test_a_cut_before_and_a_cut_after() -> None:
    """The first leaves nothing of the operation, the second all of it."""
    for tear, expected in ((Tear.NOT_WRITTEN, b"\xff" * 4), (Tear.WRITTEN, b"data")):
        flash = MemoryFlash(1, 4)
        flash.cut_at(Cut(0, tear))
        with pytest.raises(PowerCut):
            flash.program(0, 0, b"data")
        assert flash.image == expected


def torn(seed: int, data: bytes) -> bytes:
    """Return what a torn program of ``data`` leaves."""
    flash = MemoryFlash(1, len(data))
    flash.cut_at(Cut(0, Tear.TORN, seed))
    with pytest.raises(PowerCut):
        flash.program(0, 0, data)
    return flash.image


@given(octets, st.integers(0, 1000))
def test_a_torn_program_is_a_prefix_and_some_bits(data: bytes, seed: int) -> None:
    """Octets as wanted, one with some of its bits cleared, and the rest untouched."""
    image = torn(seed, data)
    done = next((n for n in range(len(data)) if image[n] != data[n]), len(data))
    if done < len(data):
        assert image[done] & data[done] == data[done]
        assert image[done + 1 :] == b"\xff" * (len(data) - done - 1)


def test_tears_differ_by_seed_and_repeat_by_seed() -> None:
    """The same seed tears the same way: a failure can be looked at again."""
    data = bytes(64)
    images = [torn(seed, data) for seed in range(50)]
    assert images == [torn(seed, data) for seed in range(50)]
    assert len(set(images)) > 30


@given(st.binary(min_size=32, max_size=32), st.integers(0, 1000))
def test_a_torn_erasure_only_sets_bits(data: bytes, seed: int) -> None:
    """And touches no other block."""
    flash = MemoryFlash(2, 32)
    flash.program(0, 0, data)
    flash.program(1, 0, data)
    flash.cut_at(Cut(2, Tear.TORN, seed))
    with pytest.raises(PowerCut):
        flash.erase(0)
    assert all(after & before == before for after, before in zip(flash.image, data, strict=False))
    assert flash.image[32:] == data


def test_torn_erasures_are_partial() -> None:
    """Most seeds leave neither the old block nor an erased one."""
    partial = 0
    for seed in range(50):
        flash = MemoryFlash(1, 32)
        flash.program(0, 0, bytes(32))
        flash.cut_at(Cut(1, Tear.TORN, seed))
        with pytest.raises(PowerCut):
            flash.erase(0)
        partial += flash.image not in (bytes(32), b"\xff" * 32)
    assert partial > 40


def test_flipping_a_bit() -> None:
    """Either way, and back."""
    flash = MemoryFlash(1, 2)
    flash.flip_bit(0, 1, 7)
    assert flash.image == b"\xff\x7f"
    flash.flip_bit(0, 1, 7)
    assert flash.image == b"\xff\xff"


def test_stuck_bits_stay() -> None:
    """Through programming and erasing; the bits beside them work."""
    flash = MemoryFlash(1, 2)
    flash.stick_bit(0, 0, 0, 1)
    flash.stick_bit(0, 0, 7, 0)
    assert flash.image == b"\x7f\xff"
    flash.program(0, 0, b"\x00\x00")
    assert flash.image == b"\x01\x00"
    flash.erase(0)
    assert flash.image == b"\x7f\xff"


def test_filling() -> None:
    """An image can be carried to another flash of the same size, and to no other."""
    flash, other = MemoryFlash(2, 4), MemoryFlash(2, 4, strict=True)
    flash.program(1, 1, b"ab")
    other.fill(flash.image)
    assert other.image == flash.image
    with pytest.raises(ProgrammedTwice):
        other.program(1, 1, b"a")
    with pytest.raises(OutOfRange):
        other.fill(bytes(9))
