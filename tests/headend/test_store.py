"""The database: migrations, leases, transactions, ledger."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, create_engine, text
from sqlalchemy.exc import IntegrityError

from headend.errors import HeadendError, UsageError
from headend.store import Store, StoreError, counters, ledger, meters, schema, transactions
from headend.store.meters import Meter
from headend.store.opening import CommitUnknown
from headend.store.transactions import AlreadyFinal, Order, State, Transaction
from prepay.ledger import Account, Post, Reason, credit_post, fold
from protocol.errors import CountersExhausted
from protocol.timing import Instant
from tests.postgres import Postgres, server

NOW = Instant(1_700_000_000_000)
IDENTITY = "01" * 16


def met(store: Store, name: str = "OPP1") -> Meter:
    """Return a meter that was met."""
    with store.begin() as db:
        return meters.meet(db, name, "serial:/dev/ttyUSB0", NOW)


def planned(store: Store, meter: Meter, identity: str = IDENTITY) -> Transaction:
    """Return a top-up that was planned."""
    with store.begin() as db:
        return transactions.plan(
            db, identity, meter.id, Order.TOPUP, 2_500, {"sequence": 1}, now=NOW, not_after=NOW
        )


# --- opening -----------------------------------------------------------------------------------


def test_a_new_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """Opening a file that is not there makes it, with every table."""
    path = tmp_path / "new.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    raw.close()
    assert set(schema.metadata.tables) <= tables


def test_the_migrations_lead_to_the_declared_tables(store: Store) -> None:
    """What the migrations make and what the schema declares are the same."""
    with store.begin() as db:
        context = MigrationContext.configure(db.whole)
        assert compare_metadata(context, schema.metadata) == []


def test_no_number_of_rows_written_day_after_day_has_32_bits(store: Store) -> None:
    """A million meters would use them up, and nothing could be written any more."""
    days = ("audit", "cases", "commands", "notifications", "transactions")
    with store.begin() as db:
        if store.url.get_backend_name() == "postgresql":
            query = text(
                "SELECT sequencename FROM pg_sequences WHERE data_type <> 'bigint'::regtype"
            )
            short = {str(name) for name in db.execute(query).scalars()}
            assert not {name for name in short if name.startswith(days)}, "sequences"
    assert all(
        isinstance(schema.metadata.tables[table].c.number.type, BigInteger) for table in days
    )


def test_the_head_is_that_of_the_migrations() -> None:
    """The constant that saves importing Alembic names the newest migration."""
    config = Config()
    config.set_main_option("script_location", "headend.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_an_up_to_date_file_is_opened_without_alembic(tmp_path: Path) -> None:
    """Importing Alembic takes longer than most commands do."""
    url = str(tmp_path / "known.db")
    Store(url).close()
    program = (
        "import sys; from headend.store import Store; Store(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == 0


def test_sqlite_is_set_to_survive_a_power_cut(tmp_path: Path) -> None:
    """WAL, synchronous FULL (2), foreign keys, and patience with another process."""
    store = Store(str(tmp_path / "x.db"))
    with store.begin() as db:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    store.close()
    assert found == ["wal", 2, 1, 10_000]


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A revision that this program does not know is not touched."""
    path = tmp_path / "x.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreError, match="newer version"):
        Store(str(path))


def test_a_strangers_database_is_refused(tmp_path: Path) -> None:
    """Tables that are not ours are left alone."""
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE songs (title TEXT)")
    raw.close()
    with pytest.raises(StoreError, match="not this program's"):
        Store(str(path))


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    """Garbage, and a folder that is not there."""
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
    with pytest.raises(StoreError):
        Store(str(garbage))
    with pytest.raises(StoreError):
        Store(str(tmp_path / "no" / "such" / "folder.db"))


@pytest.mark.parametrize("url", ["nosuch://x", "sqlite+nothing://x", "://"])
def test_a_wrong_url_is_wrong_usage(url: str) -> None:
    """A URL that SQLAlchemy cannot use."""
    with pytest.raises(UsageError, match="--db"):
        Store(url)


def test_two_that_make_the_tables_at_once_make_them_once(postgres: Postgres) -> None:
    """On PostgreSQL an advisory lock lets one of them do it; the others find it done."""
    url = postgres.empty()
    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(lambda _: Store(url), range(4)):
            with store.read() as db:
                assert meters.every(db) == []
            store.close()
    postgres.drop(url)


def test_an_older_database_goes_up_with_its_books(tmp_path: Path) -> None:
    """Balances that the database keeps from now on begin with what was booked before."""
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as raw:
        config = Config()
        config.set_main_option("script_location", "headend.store:migrations")
        config.set_main_option("path_separator", "os")
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
        engine.dispose()
        raw.execute("INSERT INTO meters VALUES (1, 'M', '', '', 'none', '', 0, 0, 0, 0, 0, 0, 0)")
        raw.execute("INSERT INTO transactions VALUES ('aa', 1, 1, 'topup', 5, '{}', 'done', "
                    "'done', 0, 0, 0, 0)")  # fmt: skip
        raw.execute("INSERT INTO posts VALUES ('aa', 0, 1, 1, 3, 700, 1, 0)")
    raw.close()
    store = Store(str(path))
    with store.read() as db:
        kept = {account: ledger.balance(db, 1, account) for account in Account}
        assert kept == dict(fold(ledger.of_meter(db, 1)).as_mapping())
        assert sorted(kept.values())[-1] == 700
    store.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda url: url.replace("not-a-secret", "sesame"), "wrong name or password"),
        (lambda url: url.replace("/test", "/nosuch"), "no such database"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:1"), "does not answer|understood"),
        (lambda url: re.sub(r":[0-9]+/", ":1/", url), "does not answer: is it running"),
    ],
    ids=["password", "database", "port out of range", "nobody there"],
)
def test_a_server_that_cannot_be_used_is_one_clear_error(
    postgres: Postgres, wrong: Callable[[str], str], said: str
) -> None:
    """In words, in one line, and never with the password."""
    with pytest.raises(HeadendError, match=said) as caught:
        Store(wrong(postgres.url("test0")))
    assert "sesame" not in str(caught.value)
    assert "not-a-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_goes_away_is_one_clear_error_and_is_found_again() -> None:
    """Stopped under a transaction: nothing is kept, and the next one after its return works."""
    with server() as running:
        store = Store(running.database())
        met(store, "OPP1")

        def meet_while_it_stops() -> None:
            with store.begin() as db:
                meters.meet(db, "OPP2", "tcp:there:1", NOW)
                running.stop()
                meters.every(db)

        with pytest.raises(StoreError, match="server"):
            meet_while_it_stops()
        with pytest.raises(StoreError, match="does not answer"), store.begin() as db:
            meters.every(db)
        running.start()
        with store.read() as db:
            assert [each.name for each in meters.every(db)] == ["OPP1"]
        store.close()


def test_a_commit_that_nobody_confirms_is_of_unknown_outcome(postgres: Postgres) -> None:
    """The line breaks in the commit: all of it is kept or nothing, and the exit code says so."""
    store = Store(postgres.database())

    def meet_while_the_line_breaks() -> None:
        with store.begin() as db:
            meters.meet(db, "OPP1", "tcp:there:1", NOW)
            db.connection.driver_connection.pgconn.finish()  # type: ignore[union-attr] # psycopg's

    with pytest.raises(CommitUnknown) as caught:
        meet_while_the_line_breaks()
    store.close()
    assert caught.value.exit_code == 4


def test_an_unreadable_url_is_not_repeated() -> None:
    """It may have a password in it."""
    with pytest.raises(UsageError, match="--db") as caught:
        Store("postgresql://user:sesame@host:port/x")
    assert "sesame" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    """Nothing of the transaction is kept, and it goes on when there is room again."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        store = Store(str(tmp_path / "x.db"))
        met(store, "OPP1")
        filler = tmp_path / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

        def meet_many() -> None:
            for number in range(1_000):
                met(store, f"{number}" * 8)

        with pytest.raises(StoreError, match="full"):
            meet_many()
        filler.unlink()
        met(store, "OPP2")
        with store.read() as db:
            names = {each.name for each in meters.every(db)}
            assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        store.close()
        assert {"OPP1", "OPP2"} <= names
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


# --- invocation counters -----------------------------------------------------------------------


def test_no_crash_repeats_a_counter(database: str) -> None:
    """Each process that dies with its lease in use leaves counters out, and repeats none."""
    seen = []
    for _ in range(5):
        store = Store(database)
        with store.begin() as db:
            block = counters.lease(db, "key")
        seen += list(block[:3])  # it dies here, without a word
        store.close()
    assert len(seen) == len(set(seen)) == 15
    assert seen == sorted(seen)


def test_a_lease_that_is_rolled_back_was_not_given(store: Store) -> None:
    """Only a committed lease counts, so a counter may be used only after the commit."""
    with suppress(InterruptedError), store.begin() as db:
        first = counters.lease(db, "key")
        raise InterruptedError
    with store.begin() as db:
        assert counters.lease(db, "key") == first


def test_counters_are_of_a_key_whichever_meters_share_it(store: Store) -> None:
    """A jump upwards is kept, downwards there is none; another key begins anew."""
    with store.write_one() as db:  # as a process leases, committed with the statement
        assert counters.lease_at_once(db, "key", 0, 7) == range(7)
    with store.begin() as db:
        assert counters.lease(db, "key", at_least=1_000).start == 1_000
        assert counters.lease(db, "key", at_least=7).start == 1_000 + counters.BLOCK
        assert counters.lease(db, "other").start == 0
    assert store.leases.counter("key", at_least=9) == 1_000 + 2 * counters.BLOCK


def test_the_last_counters_are_given_and_then_no_more(store: Store) -> None:
    """0xFFFFFFFF itself is never used."""
    with store.begin() as db:
        assert counters.lease_at_once(db, "key", 0xFFFF_FFFF - 2, counters.BLOCK) is None
        last = counters.lease(db, "key", at_least=0xFFFF_FFFF - 2)
        assert list(last) == [0xFFFF_FFFD, 0xFFFF_FFFE]
        with pytest.raises(CountersExhausted):
            counters.lease(db, "key")
        assert counters.unleased(db, "key") == 0xFFFF_FFFF


def test_the_system_title_is_drawn_once(store: Store) -> None:
    """Eight octets, ours, and the same ever after."""
    with store.begin() as db:
        title = counters.system_title(db, lambda count: b"\xaa" * count)
        assert title == b"OPP" + b"\xaa" * 5
        assert counters.system_title(db, lambda count: b"\xbb" * count) == title


def test_what_is_drawn_by_many_at_once_is_drawn_once(database: str) -> None:
    """Threads with a store each: one system title, no counter twice, each transaction a number."""
    first = Store(database)
    own = [met(first, f"OPP{worker}") for worker in range(4)]

    def work(worker: int) -> tuple[bytes, list[int]]:
        store, found = Store(database), list[int]()
        try:
            with store.begin() as db:
                title = counters.system_title(db, lambda count: bytes([worker]) * count)
            for step in range(10):
                found += [store.leases.counter("key") for _ in range(counters.BLOCK)]
                meter = own[worker]
                with store.begin() as db:
                    meters.hold(db, meter.id)
                    identity = f"{worker:02x}{step:02x}"
                    told = {"of": worker}
                    transactions.plan(
                        db, identity, meter.id, Order.TOPUP, 1, told, now=NOW, not_after=NOW
                    )
        finally:
            store.close()
        return title, found

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    used = [counter for _, found in results for counter in found]
    assert len({title for title, _ in results}) == 1
    assert len(used) == len(set(used)) == 4 * 10 * counters.BLOCK
    with first.read() as db:
        numbers = db.exec_driver_sql("SELECT number FROM transactions").scalars().all()
        planned_ids = [[t.id for t in transactions.of_meter(db, meter.id)] for meter in own]
    first.close()
    assert len(set(numbers)) == 40
    for ids in planned_ids:  # a meter's are in the order in which they were planned
        assert len(ids) == 10
        assert ids == sorted(ids)


def test_counters_of_a_process_are_above_all_that_others_have_used(database: str) -> None:
    """A meter takes them only upwards: who begins a session drops what is older than others'."""
    ours, theirs = Store(database), Store(database)
    before = [ours.leases.counter("key") for _ in range(3)]
    between = theirs.leases.counter("key")
    with ours.read() as db:
        ours.leases.begin(db, "key")
    after = ours.leases.counter("key")
    with ours.read() as db:
        ours.leases.begin(db, "key")
    again = ours.leases.counter("key")  # nobody else leased: the block goes on
    ours.close()
    theirs.close()
    assert before == [0, 1, 2]
    assert max(before) < between < after
    assert again == after + 1


def test_counters_held_ahead_jump_when_the_meter_asks_for_it(store: Store) -> None:
    """What is held below is left out, and the lease goes on above."""
    assert store.leases.counter("key") == 0
    assert store.leases.counter("key", 10) == 10
    assert store.leases.counter("key", 5_000) == 5_000
    assert store.leases.counter("key") == 5_001


# --- reading -----------------------------------------------------------------------------------


def test_what_is_read_cannot_be_written(store: Store) -> None:
    """A transaction that reads refuses to write, and says so."""
    with pytest.raises(StoreError, match=r"may not be written|takes no writes"), store.read() as db:
        meters.meet(db, "OPP1", "tcp:there:1", NOW)
    with store.read() as db:
        assert meters.every(db) == []


def test_what_is_read_is_of_one_moment(database: str) -> None:
    """However many queries: what others commit in between is not seen, and does not wait."""
    reader, writer = Store(database), Store(database)
    with reader.read() as db:
        assert meters.every(db) == []
        met(writer)
        assert meters.every(db) == []
    with reader.read() as db:
        assert [each.name for each in meters.every(db)] == ["OPP1"]
    reader.close()
    writer.close()


def test_whoever_holds_a_meter_has_its_books_alone(database: str) -> None:
    """A second one waits, and then sees what the first has written."""
    first, second = Store(database), Store(database)
    meter, seen = met(first), []

    def follow() -> None:
        with second.begin() as db:
            seen.append(meters.hold(db, meter.id).sequence)

    with ThreadPoolExecutor(1) as pool:
        with first.begin() as db:
            meters.hold(db, meter.id)
            waiting = pool.submit(follow)
            time.sleep(0.1)
            assert not seen
            meters.set_sequence(db, meter, 7)
        waiting.result(10)
    first.close()
    second.close()
    assert seen == [7]


# --- transactions ------------------------------------------------------------------------------


def test_an_id_is_planned_once(store: Store) -> None:
    """The same id again is an error of the database, whatever it says."""
    meter = met(store)
    planned(store, meter)
    with pytest.raises(StoreError):
        planned(store, meter)


def test_a_transaction_goes_through_its_states(store: Store) -> None:
    """Planned, sent, unknown are open; an end is final and the first one counts."""
    meter = met(store)
    assert planned(store, meter).state is State.PLANNED
    with store.begin() as db:
        transactions.mark_sent(db, IDENTITY, Instant(NOW + 1))
        transactions.mark_sent(db, IDENTITY, Instant(NOW + 2))
        transactions.mark_unknown(db, IDENTITY)
        (waiting,) = transactions.of_meter(db, meter.id, only_open=True)
    assert (waiting.state, waiting.sent) == (State.UNKNOWN, NOW + 1)
    with store.begin() as db:
        transactions.finish(db, IDENTITY, State.SETTLED, "done", Instant(NOW + 3))
        assert transactions.of_meter(db, meter.id, only_open=True) == []
    with store.begin() as db, pytest.raises(AlreadyFinal):
        transactions.finish(db, IDENTITY, State.REFUSED, "late", Instant(NOW + 4))
    with store.begin() as db:
        transactions.mark_sent(db, IDENTITY, Instant(NOW + 5))
        transactions.mark_unknown(db, IDENTITY)
        ended = transactions.get(db, IDENTITY)
    assert ended is not None
    assert (ended.state, ended.outcome, ended.settled) == (State.SETTLED, "done", NOW + 3)


def test_a_transaction_needs_a_meter(store: Store) -> None:
    """Foreign keys are on."""
    with pytest.raises(StoreError), store.begin() as db:
        transactions.plan(db, IDENTITY, 7, Order.ARM, 0, {}, now=NOW, not_after=NOW)


# --- ledger ------------------------------------------------------------------------------------


def test_a_post_is_booked_once(store: Store) -> None:
    """Transaction and line are the identity of a post."""
    meter = met(store)
    planned(store, meter)
    post = credit_post(IDENTITY, Reason.TOP_UP, 2_500, NOW)
    with store.begin() as db:
        ledger.book(db, meter.id, [post])
        with pytest.raises(IntegrityError), db.begin_nested():
            ledger.book(db, meter.id, [post])
        assert ledger.balance(db, meter.id) == 2_500


def test_a_reversal_leaves_nothing_but_its_trace(store: Store) -> None:
    """The posts stay, their opposites are added, the balance is what it was."""
    meter = met(store)
    planned(store, meter)
    with store.begin() as db:
        ledger.book(db, meter.id, [credit_post(IDENTITY, Reason.TOP_UP, 2_500, NOW)])
        ledger.book(db, meter.id, ledger.reversal(db, meter.id, IDENTITY, NOW))
        assert ledger.balance(db, meter.id) == 0
        assert ledger.balance(db, meter.id, Account.CASH) == 0
        assert [post.leg for post in ledger.of_meter(db, meter.id)] == [0, 1]


@pytest.mark.parametrize("change", ["UPDATE posts SET amount = 1", "DELETE FROM posts"])
def test_no_program_changes_a_post(store: Store, change: str) -> None:
    """The database itself refuses: what was booked stays."""
    meter = met(store)
    planned(store, meter)
    with store.begin() as db:
        ledger.book(db, meter.id, [credit_post(IDENTITY, Reason.TOP_UP, 2_500, NOW)])
    with pytest.raises(StoreError, match="immutable"), store.begin() as db:
        db.exec_driver_sql(change)
    with store.read() as db:
        assert ledger.balance(db, meter.id) == 2_500


def test_a_payment_is_written_down_as_sent_and_known_as_unsent(store: Store) -> None:
    """One commit before it goes out: its sender has it in hand, everybody else has to ask."""
    meter = met(store)
    with store.begin() as db:
        fresh = transactions.plan(
            db, IDENTITY, meter.id, Order.TOPUP, 1, {}, now=NOW, not_after=NOW, sending=True
        )
        known = transactions.get(db, IDENTITY)
    assert known is not None
    assert (fresh.state, fresh.sent) == (State.SENT, None)
    assert (known.state, known.sent) == (State.SENT, NOW)


movements = st.lists(
    st.tuples(st.sampled_from(Reason), st.integers(-(2**31), 2**31 - 1).filter(bool)), max_size=12
)


@settings(max_examples=30)
@given(movements, movements)
def test_all_balances_together_are_zero(
    ours: list[tuple[Reason, int]], theirs: list[tuple[Reason, int]]
) -> None:
    """Whatever is booked, on whichever meter; and the database folds as the ledger does."""
    store = Store("sqlite://")
    for name, moves in (("OPP1", ours), ("OPP2", theirs)):
        meter = met(store, name)
        posts: list[Post] = []
        for number, (reason, amount) in enumerate(moves):
            identity = f"{name}{number}"
            planned(store, meter, identity)
            posts.append(credit_post(identity, reason, amount, NOW))
        with store.begin() as db:
            ledger.book(db, meter.id, posts)
            balances = {account: ledger.balance(db, meter.id, account) for account in Account}
            assert ledger.of_meter(db, meter.id) == posts
        assert sum(balances.values()) == 0
        assert balances == dict(fold(posts).as_mapping())
    store.close()
