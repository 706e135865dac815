"""A token is split between the credits as another's client has written it.

The meter is a Walloon one whose balance has gone over to itself. Each peer writes
token_gateway_configuration by its own class or data and reads it back, is refused what contradicts
the account, uses the emergency credit up and finds in the credits what three tokens of its own
making have repaid of it.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, Report, done
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter, environment, our_meter, script

pytestmark = pytest.mark.interop

OPERATIONS = ("shares_written", "shares_refused", "shares_at_work", "release")
PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_token_shares.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_token_shares.py"),
}
CELLS = [("gurux-dlms", "tcp"), ("pydlms-client", "hdlc+tcp")]
IDS = ["-".join(cell) for cell in CELLS]
DRIVERS = Drivers(PEERS, OPERATIONS)
TOKEN, EMERGENCY = "0000130a00ff", "0000130a01ff"
#: In credit_reference_list.
TOKEN_CREDIT, EMERGENCY_CREDIT, NONE = 0, 1, 2


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurMeter]:
    """A meter for this file alone, in local mode by order of our head-end."""
    directory = tmp_path_factory.mktemp("sharing")
    with our_meter(directory) as found:
        command = [*script("prepay", "headend.cli"), "--port", f"tcp:{found.lines['tcp'].address}"]
        command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}", "mode", "local"]
        subprocess.run(command, cwd=directory, env=environment(), timeout=30, check=True)
        yield found


@pytest.fixture(params=CELLS, ids=IDS)
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], sharing: OurMeter
) -> Report:
    """A peer as the management client."""
    return DRIVERS.asked(interpreters, sharing.lines, request.param, MANAGEMENT)


def test_shares_are_written_and_read_back_by_priority(report: Report) -> None:
    """As made, in either order, an empty array, and as made again."""
    assert done(report, "shares_written") == [
        [[TOKEN, 100]],
        [[TOKEN, 70], [EMERGENCY, 30]],
        [[TOKEN, 60], [EMERGENCY, 40]],
        [],
        [[TOKEN, 100]],
    ]


def test_shares_that_contradict_the_account_are_refused(report: Report) -> None:
    """101 % together, one credit twice, a charge in a credit's place, 101 % alone."""
    found = done(report, "shares_refused")
    assert found["said"] == ["scope-of-access-violated"] * 4
    assert found["left"] == [[TOKEN, 100]]


def test_a_share_of_each_token_repays_the_emergency_credit(report: Report) -> None:
    """12.00 used up; of 10.00, 20.00 and 20.00 3.00, 6.00 and the last 3.00 repay it.

    Balance, left of the emergency credit, available credit, amount to clear, credit in use.
    """
    assert done(report, "shares_at_work") == [
        [-1200, 0, 0, 1200, NONE],
        ["success", 700, 300, 700, 200, TOKEN_CREDIT],
        ["success", 2100, 900, 2100, 0, TOKEN_CREDIT],
        ["success", 3800, 1200, 3800, 0, TOKEN_CREDIT],
    ]


@pytest.mark.parametrize("cell", CELLS, ids=IDS)
def test_a_reader_shares_nothing_out(
    cell: tuple[str, str], interpreters: dict[str, Path], sharing: OurMeter
) -> None:
    """The first write is refused to him."""
    found = DRIVERS.asked(interpreters, sharing.lines, cell, READER)
    assert found.operation("shares_written").verdict == "refused"
