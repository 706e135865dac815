"""An operator's orders by id, and the message to the customer, given by others.

The meter is a Walloon one whose balance has gone over to itself, on a Tuesday evening of its clock,
which is a friendly hour. Each peer writes the transaction object with a structure of its own
making, and reads what became of it in balance, relay, plan and log.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, Report, done
from tests.interop.environments import DLMS_COSEM, GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter, environment, our_meter, script

pytestmark = pytest.mark.interop

PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_operator_orders.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_operator_orders.py"),
    "dlms-cosem": Peer(DLMS_COSEM.name, DLMS_COSEM.requirements, "dlms_cosem_operator_orders.py"),
}
CELLS = [("gurux-dlms", "tcp"), ("pydlms-client", "hdlc+tcp")]
IDS = ["-".join(cell) for cell in CELLS]
DRIVERS = Drivers(PEERS, ("message", "refunds", "switching", "release"))
#: dlms-cosem writes no structures.
MESSENGER = Drivers(PEERS, ("message", "release"))
TEXT = "Power is off on 3 December from 09:00 to 12:00"
EVENING = "2027-01-12T20:00:00+01:00"
DISCONNECTED, CONNECTED = 0, 1
REFUND, DISCONNECT, CONNECT = 13, 14, 15
DONE, AMOUNT_OUT_OF_RANGE, PLANNED, OVER_BALANCE = 0, 7, 12, 20


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurMeter]:
    """A meter for this file alone."""
    directory = tmp_path_factory.mktemp("operated")
    with our_meter(directory) as found:
        command = [*script("prepay", "headend.cli"), "--port", f"tcp:{found.lines['tcp'].address}"]
        command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}"]
        for words in (["mode", "local"], ["clock", "--set", EVENING]):
            subprocess.run(
                [*command, *words], cwd=directory, env=environment(), timeout=30, check=True
            )
        yield found


@pytest.fixture(params=CELLS, ids=IDS)
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], operated: OurMeter
) -> Report:
    """A peer as the management client."""
    return DRIVERS.asked(interpreters, operated.lines, request.param, MANAGEMENT)


def test_a_message_is_written_read_refused_and_taken_away(report: Report) -> None:
    """As octets; what a display cannot show leaves what was there."""
    found = done(report, "message")
    assert found["texts"] == ["", TEXT, TEXT, ""]
    assert found["refused"] == ["scope-of-access-violated"] * 3


def test_dlms_cosem_writes_the_message_too(
    interpreters: dict[str, Path], operated: OurMeter
) -> None:
    """The same as the others; an octet-string above 127 octets it does not encode (NOTES.md)."""
    found = done(
        MESSENGER.asked(interpreters, operated.lines, ("dlms-cosem", "tcp"), MANAGEMENT), "message"
    )
    assert found["texts"] == ["", TEXT, TEXT, ""]


def test_a_refund_is_taken_once_and_never_exceeds_the_balance(report: Report) -> None:
    """3.00 go, the same id again takes nothing; more than is left, and less than 0, are refused."""
    found = done(report, "refunds")
    assert found == [
        ["success", 300, [REFUND, DONE, 300]],
        ["success", 300, [REFUND, DONE, 300]],
        ["other-reason", 300, [REFUND, OVER_BALANCE, 0]],
        ["other-reason", 300, [REFUND, AMOUNT_OUT_OF_RANGE, 0]],
    ]


def test_a_disconnect_acts_once_and_waits_where_it_respects_the_windows(report: Report) -> None:
    """The first id again opens nothing after a connect; in a window the respectful one is planned.

    Answer, control state, kind of the plan, and the last row: kind, outcome, amount.
    """
    assert done(report, "switching") == [
        ["success", DISCONNECTED, 0, [DISCONNECT, DONE, 0]],
        ["success", CONNECTED, 0, [CONNECT, DONE, 0]],
        ["success", CONNECTED, 0, [CONNECT, DONE, 0]],
        ["success", CONNECTED, DISCONNECT, [DISCONNECT, PLANNED, 0]],
        ["success", CONNECTED, 0, [CONNECT, DONE, 0]],
    ]


@pytest.mark.parametrize("cell", CELLS, ids=IDS)
def test_a_reader_orders_nothing(
    cell: tuple[str, str], interpreters: dict[str, Path], operated: OurMeter
) -> None:
    """Neither a message nor money nor the relay."""
    found = DRIVERS.asked(interpreters, operated.lines, cell, READER)
    assert found.operation("message").verdict == "refused"
    assert [row[:2] for row in done(found, "refunds")] == [["read-write-denied", 0]] * 4
    assert [row[:2] for row in done(found, "switching")] == [["read-write-denied", CONNECTED]] * 5
