"""The catalogue: a walk over its rows."""

import pytest

from obis import catalogue
from obis.catalogue import CATALOGUE, CatalogueError, Entry, find
from obis.code import ObisCode, ObisError
from obis.units import SCALERS
from protocol.cosem import latest

ids = [entry.name for entry in CATALOGUE]


def test_codes_and_names_are_unique() -> None:
    """One row a register."""
    assert len({entry.code for entry in CATALOGUE}) == len(CATALOGUE)
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE, ids=ids)
def test_every_row_is_of_a_class_that_is_declared(entry: Entry) -> None:
    """There is no register without an interface class."""
    assert latest(entry.class_id) is not None


@pytest.mark.parametrize("entry", CATALOGUE, ids=ids)
def test_every_row_is_well_formed(entry: Entry) -> None:
    """Groups fit octets, names are lower case, units come with values that have them."""
    assert ObisCode.parse(str(entry.code)) == entry.code
    assert entry.name == entry.name.lower().strip()
    assert entry.scaler is None or entry.scaler in SCALERS
    assert entry.unit is None or entry.class_id in (3, 4)


def test_every_constant_has_its_row() -> None:
    """A code that is named and not listed would never be served."""
    codes = {entry.code for entry in CATALOGUE}
    named = {name: value for name, value in vars(catalogue).items() if isinstance(value, ObisCode)}
    assert named
    assert {name for name, code in named.items() if code not in codes} == set()


@pytest.mark.parametrize("entry", CATALOGUE, ids=ids)
def test_a_register_is_found_by_name_and_code(entry: Entry) -> None:
    """Whichever way it is written."""
    assert find(entry.name) is entry
    assert find(f" {entry.name.upper()} ") is entry
    assert find(str(entry.code)) is entry
    assert find(entry.code.display()) is entry


def test_a_code_that_fits_several_or_none_is_refused() -> None:
    """The message lists what it fits."""
    with pytest.raises(CatalogueError, match=r"0-0:19\.10\.0\*255, 0-0:19\.10\.1\*255"):
        find("19.10")
    with pytest.raises(CatalogueError, match="fits none"):
        find("3.8.0")
    with pytest.raises(CatalogueError, match="no register"):
        find("1-0:3.8.0*255")
    with pytest.raises(ObisError):
        find("no such name")


def test_our_own_registers_lie_where_manufacturers_may_put_them() -> None:
    """Group C 128 to 199 is manufacturer specific."""
    ours = [entry for entry in CATALOGUE if entry.code.c >= 128]
    assert len(ours) == 19
    assert all(entry.code.c <= 199 for entry in ours)
