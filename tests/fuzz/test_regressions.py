"""What once went wrong, or nearly did, pinned by its octets or its order."""

import pytest

from meter_fw.board import PortKind
from obis import catalogue
from prepay.transactions import Kind
from protocol.axdr import double_long, integer
from protocol.codes import ActionResult, DataAccessResult
from protocol.events import ActionRequest, ActionResponse, MethodRef
from tests.fuzz.bench import MANAGER, Bench, Dialogue


@pytest.fixture(params=["be-wal", "il"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A meter with a balance."""
    bench = Bench(request.param)
    bench.activate()
    return bench


def test_a_token_that_is_left_out_is_refused(bench: Bench) -> None:
    """ACTION enter without a parameter: C3 01 C1 0073 0000132800FF 01 00.

    A parameter left out stands for integer 0, which a token gateway cannot take for octets.
    """
    before = bench.durable
    dialogue = Dialogue(bench, PortKind.WRAPPER, MANAGER).open()
    answer = dialogue.ask(ActionRequest(MethodRef(115, catalogue.TOKEN_GATEWAY, 1)))
    assert isinstance(answer, ActionResponse)
    assert answer.result is ActionResult.TYPE_UNMATCHED
    assert bench.durable == before


def test_no_snapshot_comes_after_the_last_sequence() -> None:
    """A sequence of 32 bits ends: activation without an id finds no next one, and is refused."""
    bench = Bench("be-wal")
    bench.activate()
    last = bench.snapshot(0xFFFFFFFF, 500)
    assert bench.order(10, Kind.SNAPSHOT, last) is DataAccessResult.SUCCESS
    assert bench.act(catalogue.ACCOUNT, 111, 2, integer(0)) is ActionResult.SUCCESS
    assert bench.act(catalogue.ACCOUNT, 111, 1, integer(0)) is ActionResult.OTHER_REASON


def test_a_balance_below_32_bits_is_shown_and_logged_as_the_least_there_is() -> None:
    """Consumption may take a balance where no double-long reaches; orders go on being answered."""
    bench = Bench("il")
    bench.activate()
    least = -(1 << 31)
    set_to_least = bench.act(catalogue.TOKEN_CREDIT, 112, 2, double_long(least))
    assert set_to_least is ActionResult.SUCCESS
    bench.use(10_000_000)
    assert bench.kernel.state.totals.balance < least
    bench.check_ledger()
    assert bench.balance == least
    assert bench.order(11, Kind.SNAPSHOT, bench.snapshot(5, 5)) is DataAccessResult.OTHER_REASON
    assert bench.order(12, Kind.DEACTIVATE) is DataAccessResult.SUCCESS
    bench.boot()
    assert bench.balance == 0
    bench.check_ledger()
