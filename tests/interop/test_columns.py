"""Some columns of a profile's rows, by entry and by range: other people's clients at our meter."""

from pathlib import Path

import pytest

from tests.interop.driving import MANAGEMENT, READER, Access, Drivers, done
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter

pytestmark = pytest.mark.interop

PEERS = {
    GURUX.name: Peer(GURUX.name, GURUX.requirements, "gurux_columns.py"),
    PYDLMS.name: Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_columns.py"),
}
DRIVERS = Drivers(PEERS, ("object_list", "columns", "release"))
CELLS = [
    (GURUX.name, "hdlc+tcp", READER),
    (GURUX.name, "tcp", MANAGEMENT),
    (PYDLMS.name, "tcp", READER),
    (PYDLMS.name, "hdlc+tcp", MANAGEMENT),
]


@pytest.mark.parametrize(
    ("peer", "transport", "access"), CELLS, ids=["-".join((*c[:2], c[2].name)) for c in CELLS]
)
def test_some_columns_of_some_rows(
    interpreters: dict[str, Path], meter: OurMeter, peer: str, transport: str, access: Access
) -> None:
    """By entry those next to each other, by range any and in any order.

    Each cell is that of the whole buffer. pydlms-client asks by GET and by ACCESS.
    """
    found = done(DRIVERS.asked(interpreters, meter.lines, (peer, transport), access), "columns")
    buffer = found["buffer"]
    assert len(buffer) > 1
    assert len(buffer[0]) > 2
    assert found["by_entry"] == [row[:2] for row in buffer[1:2]]
    assert found["by_range"] == [[row[2], row[0]] for row in buffer]
