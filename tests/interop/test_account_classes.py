"""Account, Credit, Charge and Token gateway, read, written and called by others.

The meter is a Walloon one whose balance has gone over to itself, so that all of its charges are
at work. Each peer reads every attribute into its own model of the class, writes every one that
may be written, calls every method, and finds what it did in what it reads then.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.driving import MANAGEMENT, READER, Drivers, Report, done
from tests.interop.environments import GURUX, PYDLMS, Peer
from tests.interop.processes import OurMeter, environment, our_meter, script

pytestmark = pytest.mark.interop

OPERATIONS = (
    "account",
    "credits",
    "charges",
    "amounts",
    "emergency",
    "prices",
    "remaining",
    "terms",
    "situations",
    "tokens",
    "life",
    "release",
)
PEERS = {
    "gurux-dlms": Peer(GURUX.name, GURUX.requirements, "gurux_accounts.py"),
    "pydlms-client": Peer(PYDLMS.name, PYDLMS.requirements, "pydlms_accounts.py"),
}
CELLS = [("gurux-dlms", "tcp"), ("pydlms-client", "hdlc+tcp")]
DRIVERS = Drivers(PEERS, OPERATIONS)
DONE, USED, FALSE = "00000000", "00001001", "00001010"


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurMeter]:
    """A meter for this file alone, in local mode by order of our head-end."""
    directory = tmp_path_factory.mktemp("paying")
    with our_meter(directory) as found:
        command = [*script("prepay", "headend.cli"), "--port", f"tcp:{found.lines['tcp'].address}"]
        command += ["--db", f"sqlite:///{directory / 'headend.sqlite'}", "mode", "local"]
        subprocess.run(command, cwd=directory, env=environment(), timeout=30, check=True)
        yield found


@pytest.fixture(params=CELLS, ids=["-".join(cell) for cell in CELLS])
def report(
    request: pytest.FixtureRequest, interpreters: dict[str, Path], paying: OurMeter
) -> Report:
    """A peer as the management client."""
    return DRIVERS.asked(interpreters, paying.lines, request.param, MANAGEMENT)


def bits(value: Any) -> str:
    """Return a bit-string as either peer has it."""
    return value if isinstance(value, str) else "".join(str(int(bit)) for bit in value)


def test_every_attribute_of_the_account_is_read(report: Report) -> None:
    """Prepayment, active, in credit; two credits, five charges, all of a token to the first."""
    account = done(report, "account")
    assert [int(each) for each in account["2"]] == [2, 2]
    assert int(account["3"]) == 0
    assert [len(account[index]) for index in ("9", "10", "11", "12")] == [2, 5, 5, 1]
    name, scale, unit = account["15"]
    assert (name, int(scale), int(unit)) == ("EUR", -2, 2)


def test_every_attribute_of_the_credits_is_read(report: Report) -> None:
    """The types token and emergency, by their priorities."""
    credits = done(report, "credits")
    kinds = {name: [int(found[index]) for index in "34"] for name, found in credits.items()}
    assert kinds == {"token": [0, 1], "emergency": [2, 2]}


def test_every_attribute_of_the_charges_is_read(report: Report) -> None:
    """For energy, for time, and three debts."""
    charges = done(report, "charges")
    assert [int(charge["3"]) for charge in charges] == [0, 1, 2, 2, 2]
    assert int(charges[1]["8"]) == 30 * 86_400
    assert [int(charge["13"]) for charge in charges] == [0, 0, 3500, 3500, 3500]


def test_a_balance_is_moved_by_the_methods_of_its_credit(report: Report) -> None:
    """update_amount, and set_amount_to_value."""
    found = done(report, "amounts")
    before = found["before"]
    assert found["after"] == [before + 250, before + 200, 4000, before]


def test_the_emergency_credit_is_invoked_where_it_is_on_offer(report: Report) -> None:
    """Selectable, in use, the second of the list; enabled again once there is money."""
    assert done(report, "emergency") == [1, 3, 1, 0]


def test_a_passive_price_is_written_and_takes_over(report: Report) -> None:
    """By method, and by a moment that has passed; scale and price as they were written."""
    written, taken, changed, over = done(report, "prices")
    assert written[1] == [-2, 77]
    assert written[0] == [-2, 35]
    assert taken == [[-2, 77], [-2, 77]]
    assert changed == [[-2, 77], [-2, 35]]
    assert over == [[-2, 35], [-2, 35]]


def test_what_remains_of_a_debt_is_moved_by_the_methods_of_its_charge(report: Report) -> None:
    """set and update; the account adds it up."""
    assert done(report, "remaining") == [[1000, 1000], [600, 600]]


def test_the_terms_of_the_account_are_written(report: Report) -> None:
    """Thresholds, provision and its period, and the share of a debt."""
    found = done(report, "terms")
    assert found["after"] == {"7": 300, "16": 800, "17": 100, "18": 900, "19": 86_400}
    assert found["before"] == {"7": 0, "16": 500, "17": 0, "18": 0, "19": 0}
    assert found["share"] == 2000


def test_the_situations_of_the_charges_are_written(report: Report) -> None:
    """The bits come back in the order in which they went."""
    without, always = done(report, "situations")["pairs"]
    assert [bits(each) for each in without] == ["110"] * 5
    assert [bits(each) for each in always] == ["111"] * 5


def test_a_token_that_the_peer_has_made_counts_once(report: Report) -> None:
    """Taken, used, false; the gateway, the log and the balance say the same."""
    found = done(report, "tokens")
    before, *after = found["balance"]
    assert after == [before + 1500] * 3
    assert found["said"][::2] == ["success", "other-reason", "other-reason"]
    statuses = [(int(code), bits(value)) for code, value in found["said"][1::2]]
    assert statuses == [(3, DONE), (6, USED), (5, FALSE)]
    log = [[int(each) for each in row] for row in found["log"]]
    assert log == [[0, 3, 0, 1500, 1500], [0, 6, 9, 1500, 0], [0, 5, 10, 0, 0]]


def test_an_account_is_closed_reset_and_opened(report: Report) -> None:
    """Active, closed, new, active; by the methods of the class."""
    assert done(report, "life") == [[2, 2], [1, 3], [1, 1], [2, 2]]


@pytest.mark.parametrize("cell", CELLS, ids=["-".join(cell) for cell in CELLS])
def test_a_reader_reads_and_moves_nothing(
    cell: tuple[str, str], interpreters: dict[str, Path], paying: OurMeter
) -> None:
    """Every attribute is his to read; no amount, price, debt, term or token is his to move."""
    found = DRIVERS.asked(interpreters, paying.lines, cell, READER)
    for operation in ("account", "credits", "charges"):
        assert done(found, operation)
    for operation in ("amounts", "emergency", "prices", "remaining", "terms", "life"):
        assert found.operation(operation).verdict == "refused", operation
