"""``prepay db``: the laws of the books, copies, and what to do after an older one is restored."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headend.cli import main
from headend.commands.activate import activate
from headend.commands.adjust import adjust
from headend.commands.connect import connect
from headend.commands.db import adopt, backup, check, restore
from headend.commands.deactivate import deactivate
from headend.commands.disconnect import disconnect
from headend.commands.morning import morning
from headend.commands.refund import give_back
from headend.commands.topup import top_up
from headend.context import Context, Settings
from headend.errors import Refused, UsageError
from headend.reach import reached
from headend.report import Report
from headend.store import Store, StoreError, audit, counters, ledger, meters, transactions
from headend.store.transactions import Order, State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from prepay.ledger import Account
from protocol.timing import Instant, later
from tests.headend.bench import Bench
from tests.postgres import Postgres

HOUR = 3_600_000
#: A post more, of a reason, under an order of a kind; its sides are those of the first one there.
GIFT = (
    "INSERT INTO posts SELECT transaction_id, 9, meter_id, debit, credit, 50000, {}, moment "
    "FROM posts WHERE transaction_id = (SELECT id FROM transactions WHERE kind = '{}') "
    "ORDER BY line LIMIT 1"
)
NOW = Instant(1_700_000_000_000)


@pytest.fixture
def wal() -> Iterator[Bench]:
    """A Walloon meter, whose balance the head-end keeps, with prepayment active."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    activate(bench.context())
    yield bench
    bench.close()


def use(bench: Bench, hours: int, watt_hours: int) -> None:
    """Let hours pass, and energy be used in the first of them."""
    for hour in range(hours):
        bench.now = later(bench.now, HOUR)
        bench.kernel.tick(bench.now, Inputs(pulses=0 if hour else watt_hours))


def back_to(bench: Bench, standing: bytes) -> None:
    """Put an older database in place; the meter has gone on."""
    with bench.store.begin() as db:
        raw: Any = db.connection.driver_connection
    raw.deserialize(standing)
    bench.store._leases = None


def balance(bench: Bench) -> int:
    """Return what the books say."""
    with bench.store.read() as db:
        (meter,) = meters.every(db)
        return ledger.balance(db, meter.id)


def findings(bench: Bench) -> list[tuple[str, str]]:
    """Return law and words of each finding."""
    report = check(bench.context())
    assert report.exit_code == bool(report.data["findings"])
    return [(each["law"], each["found"]) for each in report.data["findings"]]


# --- check ---------------------------------------------------------------------------------------


def test_a_database_in_use_obeys_the_laws(wal: Bench) -> None:
    """After everything that moves money, none is broken."""
    top_up(wal.context(), "25.00")
    use(wal, 30, 4_000)
    morning(wal.context())
    deactivate(wal.context())
    assert findings(wal) == []


@pytest.mark.parametrize(
    ("breaking", "law", "words"),
    [
        ("UPDATE balances SET amount = amount + 1 WHERE account = 0", "balance", "its posts come"),
        ("DELETE FROM balances WHERE account = 1", "balance", "its posts come to"),
        ("UPDATE transactions SET amount = amount + 1", "states", "has booked 2500 minor units"),
        ("UPDATE transactions SET state = 'refused' WHERE kind = 'topup'", "states", "refused"),
        ("UPDATE transactions SET state = 'sent'", "states", "is sent, with outcome 'done'"),
        ("UPDATE transactions SET state = 'lost'", "states", "in state 'lost': unknown"),
        ("UPDATE transactions SET parameters = '[['", "states", "unknown"),
        ("UPDATE transactions SET outcome = NULL", "states", "with outcome None"),
        ("UPDATE meters SET sequence = 1", "sequence", "carries sequence 2"),
        ("UPDATE transactions SET created = created + 99999999999", "clock", "set the clock"),
        ("PRAGMA foreign_keys=OFF; DELETE FROM meters", "integrity", "refers to no row"),
        ("UPDATE alembic_version SET version_num = '0001'", "tables", "is the newest"),
        ("DROP TABLE cases", "tables", "is missing"),
        ("DROP TRIGGER posts_update", "triggers", "is missing"),
        (
            "DROP TRIGGER posts_delete; CREATE TRIGGER posts_delete BEFORE DELETE ON posts "
            "WHEN OLD.amount > 5 BEGIN SELECT RAISE(ABORT, 'posts are immutable'); END",
            "triggers",
            "is not as this program made it",
        ),
        (
            "CREATE TRIGGER gift AFTER INSERT ON commands BEGIN DELETE FROM cases; END",
            "triggers",
            "is no trigger of this program",
        ),
        (GIFT.format(3, "topup"), "posts", "has booked 50000 as adjustment"),
        (GIFT.format(4, "topup"), "posts", "has booked 50000 as settlement"),
        (GIFT.format(0, "activate"), "posts", "has booked 50000 as top_up"),
        (GIFT.format(9, "topup"), "posts", "has booked 50000 as reason 9"),
        (GIFT.format(3, "adjust"), "states", "over 700, and has booked 50700"),
        (GIFT.format(6, "refund"), "states", "over 300, and has booked"),
        ("DELETE FROM audit; DELETE FROM settings", "audit", "the audit log is empty"),
    ],
)
def test_each_law_has_its_breach(wal: Bench, breaking: str, law: str, words: str) -> None:
    """What a hand, or a disk, could do to the books is found, and said in a line."""
    top_up(wal.context(), "25.00")
    if "'adjust'" in breaking or "'refund'" in breaking:
        adjust(wal.context(), "7.00", reason="goodwill")
        give_back(wal.context(), "3.00", reason="too much")
    assert findings(wal) == []
    with wal.store.begin() as db:
        raw: Any = db.connection.driver_connection
    raw.executescript(breaking)
    found = findings(wal)
    assert any(each == law and words in said for each, said in found), found


def test_a_check_that_finds_something_ends_with_1(tmp_path: Path) -> None:
    """A line each on stdout; and 0 where nothing is wrong. Both from the command line."""
    url = str(tmp_path / "x.db")
    runner = CliRunner()
    Store(url).close()
    good = runner.invoke(main, ["--db", url, "db", "check"])
    assert (good.exit_code, good.output.count("\n")) == (0, 1)
    with closing(sqlite3.connect(url)) as raw:
        raw.execute("INSERT INTO balances VALUES (7, 1, 5)")
        raw.commit()
    bad = runner.invoke(main, ["--db", url, "db", "check"])
    assert bad.exit_code == 1
    assert "integrity: balances" in bad.output


def test_the_laws_are_those_of_postgresql_too(postgres: Postgres) -> None:
    """The same check, on the other kind of database."""
    store = Store(postgres.database())
    context = Context(Settings(), store=store)
    with store.begin() as db:
        meter = meters.meet(db, "OPP1", "tcp:there:1", NOW)
        told = {"sequence": 3}
        transactions.plan(db, "01" * 16, meter.id, Order.TOPUP, 5, told, now=NOW, not_after=NOW)
    said = {each["law"] for each in check(context).data["findings"]}
    store.close()
    assert said == {"states", "sequence"}  # it has booked nothing, and is ahead of its meter


@pytest.mark.parametrize(
    "breaking",
    [
        "DROP TRIGGER posts_immutable ON posts",
        "ALTER TABLE posts DISABLE TRIGGER posts_balance",
        "CREATE OR REPLACE TRIGGER posts_immutable BEFORE DELETE ON posts "
        "EXECUTE FUNCTION posts_immutable()",
        "CREATE OR REPLACE FUNCTION posts_balance() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NEW; END $$",
        "CREATE TRIGGER more AFTER INSERT ON cases EXECUTE FUNCTION posts_immutable()",
        "CREATE OR REPLACE TRIGGER posts_immutable BEFORE UPDATE OF reason OR DELETE ON posts "
        "EXECUTE FUNCTION posts_immutable()",
    ],
)
def test_the_triggers_of_postgresql_are_looked_at_too(postgres: Postgres, breaking: str) -> None:
    """Gone, switched off, weakened, emptied, or one more than there should be."""
    store = Store(postgres.database())
    context = Context(Settings(), store=store)
    assert check(context).data["findings"] == []
    with store.begin() as db:
        db.exec_driver_sql(breaking)
    said = [each["law"] for each in check(context).data["findings"]]
    store.close()
    assert said == ["triggers"]


def test_an_audit_log_that_was_emptied_is_found_by_its_own_check(wal: Bench) -> None:
    """With the anchor gone too nothing else would tell of it."""
    top_up(wal.context(), "25.00")
    with wal.store.begin() as db:
        assert audit.check(db).row is None
        db.exec_driver_sql("DELETE FROM audit")
        db.exec_driver_sql("DELETE FROM settings")
        assert audit.check(db).fault.startswith("the audit log is empty")


# --- backup and restore --------------------------------------------------------------------------


def filled(url: str) -> Store:
    """Return a database with a meter, a system title and a lease in it."""
    store = Store(url)
    with store.begin() as db:
        meters.meet(db, "OPP1", "tcp:there:1", NOW)
        counters.system_title(db, lambda count: b"\1" * count)
        counters.lease(db, "key")
    return store


def run(url: str, function: Callable[..., Report], *words: Any, **named: Any) -> Report:
    """Run a command on a database."""
    context = Context(Settings(db=url))
    try:
        return function(context, *words, **named)
    finally:
        context.close()


def names(store: Store) -> list[str]:
    """Return the meters of a database."""
    with store.read() as db:
        return [each.name for each in meters.every(db)]


def test_a_backup_comes_back(database: str, tmp_path: Path) -> None:
    """Taken while the database is open; what came after it is gone, the rest is there."""
    store, copy = filled(database), tmp_path / "copy"
    run(database, backup, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with store.begin() as db:
        meters.meet(db, "OPP2", "tcp:there:2", NOW)
    store.close()
    with pytest.raises(Refused, match="--overwrite"):
        run(database, restore, copy)
    run(database, restore, copy, overwrite=True)
    again = Store(database)
    assert names(again) == ["OPP1"]
    assert run(database, check).exit_code == 0
    again.close()


def test_a_file_that_is_not_ours_is_not_restored_wherever_the_database_is(tmp_path: Path) -> None:
    """A name like that is no part of a URL, where it would be another file's."""
    foreign, file = tmp_path / "foreign", tmp_path / "a%20b?c.db"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE theirs (x)")
    Store(str(file)).close()
    with pytest.raises(StoreError, match="not this program's"):
        restore(Context(Settings(db=str(file))), foreign)
    Store(str(file)).close()
    assert not (tmp_path / "a b").exists()


def test_the_usual_database_is_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever characters the user's folder has."""
    home = tmp_path / "50%41?"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    with closing(Context(Settings()).store) as store:
        assert store.url.database is not None
        assert Path(store.url.database).is_relative_to(home)
        assert Path(store.url.database).exists()


def test_a_restored_database_draws_its_system_title_anew(database: str, tmp_path: Path) -> None:
    """Its counters have been used since: with another title no nonce comes twice."""
    store, copy = filled(database), tmp_path / "copy"
    run(database, backup, copy)
    with store.read() as db:
        before = counters.known_title(db)
    store.close()
    run(database, restore, copy, overwrite=True)
    again = Store(database)
    after = again.leases.system_title(lambda count: b"\2" * count)
    again.close()
    assert before is not None
    assert after != before


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there stays as it is; one that was begun leaves no half."""
    url, copy = str(tmp_path / "x.db"), tmp_path / "copy"
    filled(url).close()
    copy.write_text("dear")
    with pytest.raises(UsageError, match="is there already"):
        run(url, backup, copy)
    assert copy.read_text() == "dear"
    with pytest.raises(Refused, match="cannot write"):
        run(url, backup, tmp_path / "no" / "folder")


def damaged(path: Path) -> None:
    """Damage a page in the middle of a file."""
    octets = bytearray(path.read_bytes())
    octets[4096:4196] = bytes(100)
    path.write_bytes(octets)


def stranger(path: Path) -> None:
    """Make it a database of somebody else."""
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE songs (title TEXT)")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damaged, "damaged"),
        (stranger, "not this program's"),
        (lambda path: path.write_text("no database"), "is no backup"),
        (lambda path: path.write_bytes(b""), "is no backup"),
        (Path.unlink, "cannot read"),
    ],
    ids=["damaged", "of another program", "text", "empty", "missing"],
)
def test_what_is_no_backup_changes_nothing(
    tmp_path: Path, harm: Callable[[Path], object], words: str
) -> None:
    """It is looked at before the database is touched."""
    url, copy = str(tmp_path / "x.db"), tmp_path / "copy"
    store = filled(url)
    run(url, backup, copy)
    harm(copy)
    with pytest.raises((UsageError, Refused, StoreError), match=words):
        run(url, restore, copy, overwrite=True)
    assert names(store) == ["OPP1"]
    assert list(tmp_path.glob("*.restoring*")) == []
    store.close()


def test_a_database_that_a_worker_has_is_not_restored(database: str, tmp_path: Path) -> None:
    """It would go on with what it remembers of the other one."""
    store, copy = filled(database), tmp_path / "copy"
    run(database, backup, copy)
    with store.begin() as db:
        db.exec_driver_sql("INSERT INTO workers VALUES ('w1', 'here', 1, 0, 0, NULL)")
    with store.locks.hold("w1"), pytest.raises(Refused, match="worker w1 has this database"):
        run(database, restore, copy, overwrite=True)
    store.close()
    run(database, restore, copy, overwrite=True)


# --- adopt ---------------------------------------------------------------------------------------


def test_what_the_log_proves_is_taken_over_to_the_cent(wal: Bench) -> None:
    """A payment and a morning after the backup: the books go on as if nothing had been lost."""
    top_up(wal.context(), "25.00")
    use(wal, 30, 3_210)
    morning(wal.context())
    old = wal.save().database
    paid = top_up(wal.context(), "20.00").data["transaction"]
    use(wal, 24, 4_321)
    morning(wal.context())
    use(wal, 24, 5_432)
    morning(wal.context())
    with wal.store.read() as db:
        (before,) = meters.every(db)
    expected = balance(wal)
    back_to(wal, old)
    with pytest.raises(Refused, match="prepay db adopt"):
        top_up(wal.context(), "10.00")
    report = adopt(wal.context())
    with wal.store.read() as db:
        (after,) = meters.every(db)
    assert [each["kind"] for each in report.data["orders"]] == ["adopt", "morning", "morning"]
    assert balance(wal) == expected == wal.kernel.state.snapshot.balance
    assert (after.sequence, after.priced_wh, after.priced_at, after.remainder) == (
        before.sequence, before.priced_wh, before.priced_at, before.remainder
    )  # fmt: skip # field by field
    assert findings(wal) == []
    with pytest.raises(Refused, match="nothing was done again"):
        top_up(wal.context(), "20.00", paid)
    top_up(wal.context(), "10.00")
    assert balance(wal) == expected + 1_000 == wal.kernel.state.snapshot.balance
    assert adopt(wal.context()).data["adopted"] is False


def test_a_relay_that_was_switched_in_between_is_no_matter_of_money(wal: Bench) -> None:
    """An operator has opened it and let it close again, before and after what was paid."""
    top_up(wal.context(), "25.00")
    old = wal.save().database
    disconnect(wal.context())
    connect(wal.context())
    top_up(wal.context(), "20.00")
    disconnect(wal.context())
    connect(wal.context())
    expected = balance(wal)
    back_to(wal, old)
    assert [each["kind"] for each in adopt(wal.context()).data["orders"]] == ["adopt"]
    assert balance(wal) == expected == wal.kernel.state.snapshot.balance
    assert findings(wal) == []
    top_up(wal.context(), "10.00")
    assert balance(wal) == expected + 1_000


def test_what_the_log_does_not_prove_people_say(wal: Bench) -> None:
    """The meter has forgotten the midnight of a morning: nothing is guessed, somebody says it."""
    old = wal.save().database
    use(wal, 30, 3_000)
    morning(wal.context())
    while any(stands == 3_000 for _, stands in midnights(wal)):
        use(wal, 24 * 20, 100)
    expected = balance(wal)
    back_to(wal, old)
    begun = balance(wal)
    with pytest.raises(Refused, match="no midnight that it remembers explains"):
        adopt(wal.context())
    assert balance(wal) == begun
    adopt(wal.context(), register=3_000)
    assert balance(wal) == expected
    assert findings(wal) == []


def midnights(bench: Bench) -> list[tuple[object, int]]:
    """Return what the meter remembers of its midnights."""
    with reached(bench.context()) as device:
        return list(device.daily_readings())


def test_an_end_in_between_is_not_taken_over(wal: Bench) -> None:
    """Closed and opened anew: the money between them went ways that the meter does not know."""
    old = wal.save().database
    deactivate(wal.context())
    wal.now = later(wal.now, HOUR)
    activate(wal.context())
    back_to(wal, old)
    with pytest.raises(Refused, match="in between"):
        adopt(wal.context())
    with wal.store.read() as db:
        (meter,) = meters.every(db)
        kinds = [each.kind for each in transactions.of_meter(db, meter.id)]
    assert kinds == [Order.ACTIVATE]
    stands = adopt(wal.context(), register=0)
    assert stands.data["sequence"] == wal.kernel.state.snapshot.sequence
    assert balance(wal) == wal.kernel.state.snapshot.balance
    assert findings(wal) == []


def test_a_closed_meter_has_nothing_to_take_over(wal: Bench) -> None:
    """It was settled in the lost books: people have to look."""
    old = wal.save().database
    deactivate(wal.context())
    back_to(wal, old)
    with pytest.raises(Refused, match="settled by hand"):
        adopt(wal.context())


@pytest.mark.parametrize("register", [1, 10**9])
def test_a_register_that_cannot_be_is_refused(wal: Bench, register: int) -> None:
    """Below what is priced already, or above what the meter has counted."""
    use(wal, 30, 3_000)
    morning(wal.context())
    old = wal.save().database
    top_up(wal.context(), "20.00")
    back_to(wal, old)
    with pytest.raises(Refused, match="nothing was taken over"):
        adopt(wal.context(), register=register)


def test_a_meter_that_keeps_its_own_balance_is_not_adopted() -> None:
    """Its books are its own; a restored database only lacks what was paid."""
    bench = Bench("il", LinkKind.WRAPPER)
    activate(bench.context())
    with pytest.raises(Refused, match="keeps its own balance"):
        adopt(bench.context())
    bench.close()


def test_what_was_open_at_the_backup_is_settled_first(wal: Bench) -> None:
    """The restored database believes a payment open that the meter has long since had."""
    line_cut = wal.save()
    paid = top_up(wal.context(), "20.00").data["transaction"]
    with wal.store.begin() as db:
        raw: Any = db.connection.driver_connection
        db.exec_driver_sql(
            "UPDATE transactions SET state = 'sent', outcome = NULL, settled = NULL "
            f"WHERE id = '{paid}'"
        )
    assert line_cut is not None
    open_then = raw.serialize()
    with wal.store.begin() as db:
        transactions.finish(db, paid, State.DONE, "done", wal.now)
    top_up(wal.context(), "30.00")
    expected = balance(wal)
    back_to(wal, open_then)
    adopt(wal.context())
    with wal.store.read() as db:
        known = transactions.get(db, paid)
        assert ledger.balance(db, 1, Account.CASH) == -2_000
    assert known is not None
    assert known.state is State.SETTLED
    assert balance(wal) == expected
