"""The database: migrations, leases, transactions, ledger."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from headend.errors import UsageError
from headend.store import Store, StoreError, counters, ledger, meters, schema, transactions
from headend.store.meters import Meter
from headend.store.transactions import AlreadyFinal, Order, State, Transaction
from prepay.ledger import Account, Post, Reason, credit_post, fold
from protocol.errors import CountersExhausted
from protocol.timing import Instant

NOW = Instant(1_700_000_000_000)
IDENTITY = "01" * 16


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty database in memory."""
    opened = Store("sqlite://")
    yield opened
    opened.close()


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
        context = MigrationContext.configure(db)
        assert compare_metadata(context, schema.metadata) == []


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


# --- invocation counters -----------------------------------------------------------------------


def test_no_crash_repeats_a_counter(tmp_path: Path) -> None:
    """Each process that dies with its lease in use leaves counters out, and repeats none."""
    url, seen = str(tmp_path / "x.db"), []
    for _ in range(5):
        store = Store(url)
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
    with store.begin() as db:
        assert counters.lease(db, "key", at_least=1_000).start == 1_000
        assert counters.lease(db, "key", at_least=7).start == 1_000 + counters.BLOCK
        assert counters.lease(db, "other").start == 0


def test_the_last_counters_are_given_and_then_no_more(store: Store) -> None:
    """0xFFFFFFFF itself is never used."""
    with store.begin() as db:
        last = counters.lease(db, "key", at_least=0xFFFF_FFFF - 2)
        assert list(last) == [0xFFFF_FFFD, 0xFFFF_FFFE]
        with pytest.raises(CountersExhausted):
            counters.lease(db, "key")


def test_the_system_title_is_drawn_once(store: Store) -> None:
    """Eight octets, ours, and the same ever after."""
    with store.begin() as db:
        title = counters.system_title(db, lambda count: b"\xaa" * count)
        assert title == b"OPP" + b"\xaa" * 5
        assert counters.system_title(db, lambda count: b"\xbb" * count) == title


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
