"""A-XDR: a whole object list, and a structure of two."""

import pytest

from benchmarks.comparing import Compare, neutral
from benchmarks.peers.timing import clock
from obis import catalogue
from protocol import axdr
from protocol.axdr import Data, enum, integer, structure
from tests.meter_fw.rig import Rig

pytestmark = pytest.mark.benchmark(group="A-XDR", timer=clock)


def object_list() -> Data:
    """Return what the management client reads of a be-wal meter."""
    found = Rig().get(catalogue.CURRENT_ASSOCIATION, 15)
    assert isinstance(found, Data)
    return found


VALUES = {
    "the object list": object_list(),
    "a scaler_unit": structure(integer(0), enum(30)),
}
CASES = [pytest.param(name, value, id=name) for name, value in VALUES.items()]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_decode(compare: Compare, name: str, value: Data) -> None:
    """Octets to values."""
    octets = axdr.encode(value)
    assert axdr.decode(octets) == value
    case = {"octets": octets.hex(), "value": neutral(value)}
    title = f"A-XDR: read {name} ({len(octets)} octets)"
    compare(title, lambda: axdr.decode(octets), "decode", case)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_encode(compare: Compare, name: str, value: Data) -> None:
    """Values to octets."""
    octets = axdr.encode(value)
    case = {"octets": octets.hex(), "value": neutral(value)}
    title = f"A-XDR: write {name} ({len(octets)} octets)"
    compare(title, lambda: axdr.encode(value), "encode", case)
