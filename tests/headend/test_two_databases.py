"""The commands on both kinds of database, from the same code; and what is left when one goes."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from headend.commands.activate import activate
from headend.commands.db import check
from headend.commands.deactivate import deactivate
from headend.commands.ledger import show_ledger
from headend.commands.morning import morning
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.commands.transactions import list_transactions
from headend.context import Context, Settings
from headend.errors import HeadendError, OutcomeUnknown, Refused
from headend.store import Store, StoreError, ledger, meters, transactions
from headend.store.locks import Busy
from headend.transports import LinkKind
from meter_fw.board import Inputs
from prepay.ledger import Account
from protocol.timing import later
from tests.headend.bench import Bench
from tests.headend.test_exchange import Pair
from tests.headend.test_locks import another_process
from tests.headend.unplugged import Unplugged
from tests.interop.processes import free_port, running, script
from tests.postgres import Postgres

HOUR = 3_600_000


@pytest.fixture(params=["be-wal", "il"])
def bench(request: pytest.FixtureRequest, database: str) -> Iterator[Bench]:
    """A meter of each mode, and a head-end on each kind of database."""
    made = Bench(request.param, LinkKind.WRAPPER, store=Store(database))
    yield made
    made.close()


def test_a_households_days_are_the_same_on_both(bench: Bench) -> None:
    """Opened, topped up, priced, closed: every command, and books that obey the laws."""
    activate(bench.context())
    top_up(bench.context(), "100.00")
    for _ in range(30):
        bench.now = later(bench.now, HOUR)
        bench.kernel.tick(bench.now, Inputs(pulses=100))
    morning(bench.context())
    assert status(bench.context()).data["prepayment"] is True
    deactivate(bench.context())
    assert len(list_transactions(bench.context()).data["transactions"]) >= 3
    (book,) = show_ledger(bench.context()).data["ledgers"]
    assert book["balances"]["credit"] == "0.00"
    assert check(bench.context()).data["findings"] == []


def test_a_lost_answer_is_settled_on_both(bench: Bench) -> None:
    """The order goes out, its answer does not come: unknown, then settled, once."""
    activate(bench.context())
    before = paid(bench)
    for writes in range(40):
        try:
            top_up(Unplugged(bench, writes).context(), "100.00")
        except OutcomeUnknown:
            break
        except HeadendError:
            assert paid(bench) == before
    (settled,) = settle(bench.context()).data["settled"]
    assert settled["state"] == "settled"
    assert paid(bench) == before + 10_000
    assert check(bench.context()).data["findings"] == []


def paid(bench: Bench) -> int:
    """Return what was paid in, by the books."""
    with bench.store.read() as db:
        (meter,) = meters.every(db)
        return -ledger.balance(db, meter.id, Account.CASH)


def test_an_exchange_is_the_same_on_both(database: str) -> None:
    """The balance goes over whole, and the books of both meters are in order."""
    pair = Pair("be-wal", store=Store(database))
    activate(pair.context())
    top_up(pair.context(), "100.00")
    told = pair.exchange().data
    assert told["balance"] == "120.00"
    assert check(pair.context()).data["findings"] == []
    pair.close()


# --- a database that goes away -------------------------------------------------------------------


class Cut:
    """Opens ports on which the database goes away with a write, until it is mended.

    Args:
        bench: the meter and the head-end.
        postgres: the server.
        url: of the database.
        writes: how many writes it survives.
    """

    def __init__(self, bench: Bench, postgres: Postgres, url: str, writes: int) -> None:
        self._bench, self._postgres, self._url = bench, postgres, url
        self._name = url.rpartition("/")[2]
        self.writes = writes

    def context(self) -> Context:
        """Return a run of a command over such ports."""
        context = self._bench.context()
        opener = context.transports

        def opened(spec: Any, now: Any) -> Any:
            wire = opener(spec, now)
            whole = wire.write

            def write(octets: bytes) -> None:
                self.writes -= 1
                if self.writes == -1:
                    self._allow(False)
                whole(octets)

            wire.write = write  # type: ignore[method-assign] # this one port's
            return wire

        context.__dict__["transports"] = opened
        return context

    def mend(self) -> None:
        """Let the database be reached again."""
        self._allow(True)

    def _allow(self, yes: bool) -> None:
        admin = self._postgres.url("postgres")
        self._postgres.execute(admin, f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS {yes}")
        if not yes:
            all_of_it = f"FROM pg_stat_activity WHERE datname = '{self._name}'"
            self._postgres.execute(admin, f"SELECT pg_terminate_backend(pid) {all_of_it}")


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_database_that_goes_away_at_any_write_loses_nothing(
    profile: str, postgres: Postgres
) -> None:
    """Before the order: nothing is booked. After it: unknown, with its id, and settled later."""
    url = postgres.database()
    bench = Bench(profile, LinkKind.WRAPPER, store=Store(url))
    activate(bench.context())
    ended, writes = set(), 0
    while True:
        before = paid(bench)
        cut = Cut(bench, postgres, url, writes)
        try:
            top_up(cut.context(), "100.00")
        except HeadendError as error:
            ended.add(type(error))
        cut.mend()
        settle(bench.context())
        assert check(bench.context()).data["findings"] == []
        assert paid(bench) in (before, before + 10_000)
        state = bench.kernel.state
        with bench.store.read() as db:
            (meter,) = meters.every(db)
            if profile == "be-wal":
                assert ledger.balance(db, meter.id) == state.snapshot.balance
            assert transactions.of_meter(db, meter.id, only_open=True) == []
        if cut.writes > 0:
            break
        writes += 1
    bench.close()
    assert {StoreError, OutcomeUnknown} <= ended
    assert writes > 5


# --- a clock that is set back --------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_by_a_clock_that_was_set_back_nothing_is_booked(profile: str) -> None:
    """Ids grow with time, and a meter forgets the smallest: it says so, and goes on once set."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    top_up(bench.context(), "100.00")
    before, right = paid(bench), bench.now
    context = bench.context()
    context.now = lambda: later(bench.now, -48 * HOUR)
    with pytest.raises(Refused, match=r"clock says .+ set the clock; nothing was booked"):
        top_up(context, "100.00")
    assert paid(bench) == before
    bench.now = max(right, bench.now)
    top_up(bench.context(), "100.00")
    assert paid(bench) == before + 10_000
    bench.close()


# --- two commands with one meter -----------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a meter in a process of its own, which keeps its own balance."""
    number = free_port()
    spec = f"tcp:127.0.0.1:{number}"
    words = [*script("prepay-sim", "sim.cli"), "meter", "--profile", "il", "--port", spec]
    folder = tmp_path_factory.mktemp("meter")
    with running(words, folder, "meter") as process:
        process.listens(number)
        context = Context(Settings(port=spec, db=str(folder / "x.db")))
        activate(context)
        context.close()
        yield spec


def test_a_second_command_waits_for_the_first_or_says_who_it_is(port: str, database: str) -> None:
    """Real processes: it waits; once the first is killed with -9, it goes on and pays once."""
    place = Context(Settings(port=port)).place
    with another_process(database, place) as holder:
        impatient = Context(Settings(port=port, db=database))
        impatient.lock_patience_ms = 0
        with pytest.raises(Busy, match=f"process {holder.pid} on "):
            top_up(impatient, "100.00")
        impatient.close()
        words = [*script("prepay", "headend.cli"), "--db", database, "--port", port, "--json"]
        command = [*words, "topup", "100.00"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
            time.sleep(1.5)
            assert second.poll() is None  # it waits
            holder.kill()
            told, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert json.loads(told)["state"] == "done"
