"""Orders in the audit log: who gave which, and what became of it; a durable one only once."""

import pytest

from headend.commands.activate import activate
from headend.commands.adjust import adjust
from headend.commands.connect import connect
from headend.commands.deactivate import deactivate
from headend.commands.disconnect import disconnect
from headend.commands.refund import give_back
from headend.commands.settle import settle
from headend.commands.topup import top_up
from headend.context import Context
from headend.errors import NoAnswer, OutcomeUnknown, Refused
from headend.line import Line
from headend.plans.central import central_topup
from headend.store import audit
from headend.transports import LinkKind
from tests.headend.accounts import IDENTITY
from tests.headend.bench import Bench, Command, Standing
from tests.headend.engine.rig import make
from tests.headend.unplugged import Unplugged


@pytest.fixture
def bench(prepaid: Bench) -> Bench:
    """Return a meter that is prepaid."""
    return prepaid


def by(who: str, context: Context) -> Context:
    """Return a run of somebody's."""
    context.caller = who
    return context


def rows(bench: Bench, subject: str = "") -> list[audit.Entry]:
    """Return what the audit log has, beyond what every test begins with."""
    with bench.store.read() as db:
        assert audit.check(db).row is None
        return audit.newest(db, 100, subject=subject)[4:]


ORDERS: list[tuple[str, Command, str]] = [
    ("topup", lambda c: top_up(c, "150.00"), "EUR 150.00"),
    ("adjust", lambda c: adjust(c, "-3.50", "billed twice"), "EUR -3.50"),
    ("refund", lambda c: give_back(c, "1.00", "moved out"), "EUR 1.00"),
    ("disconnect", disconnect, ""),
    ("connect", connect, ""),
]


@pytest.mark.parametrize(("order", "give", "amount"), ORDERS, ids=[each[0] for each in ORDERS])
def test_who_ordered_what_and_how_it_ended_is_written(
    bench: Bench, order: str, give: Command, amount: str
) -> None:
    """One row with the intention, one with the outcome; both name meter, order and transaction."""
    give(by("ann", bench.context()))
    planned, done = rows(bench)
    assert (planned.action, done.action) == ("order planned", "order done")
    for row in (planned, done):
        assert (row.caller, row.subject) == ("ann", bench.factory.name)
        assert row.details["order"] == order
        told = row.details.get("amount", "").replace("ILS", "EUR")
        assert told == amount
        assert len(row.details["transaction"]) == 32
    assert done.details["outcome"] == "done"
    assert (order in ("adjust", "refund")) is ("reason" in done.details)


def test_a_beginning_and_an_end_are_written(standing: tuple[str, Standing]) -> None:
    """Activation and deactivation change more in the books than their own row."""
    bench = Bench(standing[0], LinkKind.WRAPPER)
    activate(by("ann", bench.context()))
    deactivate(by("bob", bench.context()))
    with bench.store.read() as db:
        found = audit.newest(db, 10)
    assert [(row.caller, row.action, row.details["order"]) for row in found] == [
        ("ann", "order planned", "activate"),
        ("ann", "order done", "activate"),
        ("bob", "order planned", "deactivate"),
        ("bob", "order done", "deactivate"),
    ]
    bench.close()


def test_what_was_not_planned_is_not_written(bench: Bench) -> None:
    """Nothing was ordered: the amount is more than anybody can take."""
    with pytest.raises(Refused):
        refund_too_much(bench.context())
    assert rows(bench) == []


def refund_too_much(context: Context) -> None:
    """Refund what was never paid."""
    give_back(context, "9999.00", "moved out")


def test_who_was_told_an_end_is_written_beside_who_ordered(bench: Bench) -> None:
    """The line goes dead at every place in turn; an unknown one is settled by somebody else."""
    ends = set()
    for writes in range(40):
        bench.boot()
        before = len(rows(bench))
        unknown = False
        try:
            top_up(by("ann", Unplugged(bench, writes).context()), "100.00")
        except OutcomeUnknown:
            unknown = True
        except NoAnswer:
            continue
        settle(by("bob", bench.context()))
        found = [(row.caller, row.action) for row in rows(bench)[before:]]
        if not unknown:
            assert found == [("ann", "order planned"), ("ann", "order done")]
            break
        begun, end = found[:2], found[2:]
        assert begun == [("ann", "order planned"), ("ann", "order unknown")]
        assert end in ([("bob", "order settled")], [("bob", "order refused")])
        ends.add(end[0][1])
    assert "order settled" in ends


@pytest.mark.parametrize("name", ["topup", "disconnect"])
def test_a_durable_order_is_told_of_by_its_command(name: str) -> None:
    """Queued and done, and nothing beside it."""
    rig = make()
    before = rig.bench.store
    with before.read() as db:
        known = len(audit.newest(db, 100))
    rig.queue(name, **({"amount": "5.00"} if name == "topup" else {"until": None}))
    rig.work()
    with before.read() as db:
        found = [row.action for row in audit.newest(db, 100)[known:]]
    assert found == ["command queued", "command done"]
    rig.bench.close()


def test_an_order_of_somebodys_is_told_of_where_a_worker_hears_its_end() -> None:
    """A queued command asks about it first: it was given by hand, and no command tells of it."""
    rig = make()
    line = Line(by("ann", rig.bench.context()))
    central_topup(line, IDENTITY, 2_500)
    line.close()
    rig.queue("connect")
    rig.work()
    with rig.bench.store.read() as db:
        found = audit.newest(db, 100, subject=rig.name)
    told = [row.action for row in found if row.details.get("transaction") == IDENTITY]
    assert told == ["order planned", "order settled"]
    # a command is found by its meter as well
    assert {"command queued", "command done"} <= {row.action for row in found}
    rig.bench.close()
