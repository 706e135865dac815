"""Connections of the driver's own: kept for the next one, and lent to SQLAlchemy where it is asked.

What is plain and what is SQLAlchemy's is one transaction, on both databases.
"""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, make_url, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from headend.store import Store, StoreError, counters, meters, schema
from headend.store.connection import Connection
from headend.store.pool import MOST, NoneFree, Pool, Pooled
from headend.store.prepared import Prepared
from headend.store.url import parse_url
from protocol.timing import Instant
from tests.postgres import Postgres, server

NOW = Instant(1_700_000_000_000)
NAMES = select(schema.meters.c.name).order_by(schema.meters.c.name)


def names(store: Store) -> list[str]:
    """Return the names of all meters, as a transaction of its own sees them."""
    with store.read() as db:
        return [meter.name for meter in meters.every(db)]


def meet_by_sqlalchemy(db: Connection, name: str) -> None:
    """Write a meter down as nothing prepared does."""
    row = {
        "name": name, "serial": "", "profile": "", "mode": "none", "port": "", "first_seen": 0,
        "last_seen": 0, "prepayment": False, "sequence": 0, "remainder": 0,
    }  # fmt: skip # a row
    db.execute(insert(schema.meters).values(**row))


# --- one transaction ---------------------------------------------------------------------------


def test_each_sees_what_the_other_has_written(store: Store) -> None:
    """Plain and SQLAlchemy's statements in one transaction; both are kept."""
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
        assert db.scalars(NAMES).all() == ["A"]
        meet_by_sqlalchemy(db, "B")
        assert [meter.name for meter in meters.every(db)] == ["A", "B"]
        assert names_elsewhere(store) == []
    assert names(store) == ["A", "B"]


def names_elsewhere(store: Store) -> list[str]:
    """Return what a connection of somebody else sees now."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(names(store)))
    thread.start()
    thread.join()
    return found


@pytest.mark.parametrize("first", ["plain", "sqlalchemy"])
def test_both_are_undone_together(store: Store, first: str) -> None:
    """Whichever of them began."""

    def fail() -> None:
        with store.begin() as db:
            if first == "sqlalchemy":
                meet_by_sqlalchemy(db, "B")
            meters.meet(db, "A", "there", NOW)
            meet_by_sqlalchemy(db, "C")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(store) == []
    with store.begin() as db:  # on the same connection
        meters.meet(db, "D", "there", NOW)
    assert names(store) == ["D"]


def test_sqlalchemy_begins_and_ends_nothing(store: Store) -> None:
    """Of its own: what it is told of commit and rollback does not reach the driver."""
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
        db.scalars(NAMES).all()
        transaction = db.whole.get_transaction()
        assert transaction is not None
        transaction.rollback()
        assert [meter.name for meter in meters.every(db)] == ["A"]
    assert names(store) == ["A"]


def test_a_savepoint_is_undone_by_itself(store: Store) -> None:
    """Savepoints are SQLAlchemy's, and hold for what is plain as well."""

    def meet_twice(db: Connection) -> None:
        with db.begin_nested():
            meters.meet(db, "B", "there", NOW)
            meet_by_sqlalchemy(db, "A")

    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
        with pytest.raises(IntegrityError):
            meet_twice(db)
        with db.begin_nested():
            meters.meet(db, "C", "there", NOW)
    assert names(store) == ["A", "C"]


def test_after_its_block_a_connection_is_good_for_nothing(store: Store) -> None:
    """Somebody else may have it by then."""
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
    with pytest.raises(RuntimeError, match="over"):
        meters.every(db)
    with pytest.raises(RuntimeError, match="over"):
        db.scalars(NAMES)


WRONG = Prepared(text("SELECT nothing FROM nowhere"))


@pytest.mark.parametrize("use", ["begin", "read", "look", "write_one"])
@pytest.mark.parametrize("how", ["plain", "sqlalchemy"])
def test_an_error_in_the_middle_leaves_the_next_one_a_connection(
    store: Store, use: str, how: str
) -> None:
    """The same one, in no transaction; what was written before it is undone."""

    def go_wrong(opened: Callable[[], AbstractContextManager[Connection]]) -> None:
        with opened() as db:
            if use == "begin":
                meters.meet(db, "A", "there", NOW)
            WRONG.all(db) if how == "plain" else db.execute(text("SELECT nothing FROM nowhere"))

    for _ in range(3):
        with pytest.raises(StoreError, match=r"nowhere|nothing") as caught:
            go_wrong(getattr(store, use))
        assert isinstance(caught.value.__cause__, DBAPIError)
        assert names(store) == []
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
    assert names(store) == ["A"]


def test_an_error_that_is_swallowed_in_a_reading_does_no_harm(store: Store) -> None:
    """On PostgreSQL the transaction is over with it; the connection is not."""
    for _ in range(2):
        with store.read() as db, pytest.raises(DBAPIError):
            WRONG.all(db)
        assert names(store) == []


def test_a_transaction_that_the_database_has_given_up_is_not_said_to_be_kept(store: Store) -> None:
    """Whoever takes no notice of its error is told at the end, and nothing was kept.

    On SQLite it takes a full disk or such a conflict clause, on PostgreSQL any error.
    """

    def go_on() -> None:
        with store.begin() as db:
            meters.meet(db, "A", "there", NOW)
            with suppress(DBAPIError):
                db.execute(text(GIVING_UP[db.dialect.name]))

    with pytest.raises(StoreError, match="an error ended the transaction"):
        go_on()
    assert names(store) == []
    with store.begin() as db:
        meters.meet(db, "B", "there", NOW)
    assert names(store) == ["B"]


GIVING_UP = {
    "sqlite": "INSERT OR ROLLBACK INTO settings (name) VALUES ('x')",
    "postgresql": "INSERT INTO settings (name) VALUES ('x')",
}


def test_what_sqlalchemy_began_anew_is_not_left_to_the_next_one(store: Store) -> None:
    """It begins another by itself where somebody has ended its transaction."""
    for name in "AB":
        with store.begin() as db:
            meters.meet(db, name, "there", NOW)
            db.rollback()
            db.scalars(NAMES).all()
    assert names(store) == ["A", "B"]


@pytest.mark.parametrize("character", ["\0", "\N{COMBINING ACUTE ACCENT}", "%s", "\\"])
def test_a_text_is_kept_or_refused_as_what_it_is(store: Store, character: str) -> None:
    """PostgreSQL takes no NUL; that is not told as a server that does not answer."""
    name = f"A{character}B"

    def meet() -> None:
        with store.begin() as db:
            meters.meet(db, name, "there", NOW)

    if character == "\0" and store.url.get_backend_name() == "postgresql":
        with pytest.raises(StoreError, match="cannot contain NUL"):
            meet()
        name = ""
    else:
        meet()
    assert names(store) == ([name] if name else [])


def test_a_reader_writes_nothing(store: Store) -> None:
    """Neither plain nor by SQLAlchemy."""
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)

    def write(plain: bool) -> None:
        with store.read() as db:
            if plain:
                meters.meet(db, "B", "there", NOW)
            else:
                db.execute(update(schema.meters).values(name="B"))

    for plain in (True, False):
        with pytest.raises(StoreError, match=r"may not be written|takes no writes"):
            write(plain)
    assert names(store) == ["A"]


def test_what_is_read_is_of_one_moment_whoever_asks(store: Store) -> None:
    """A reading that has begun sees nothing of what is written since; a look does."""
    with store.read() as db:
        assert meters.every(db) == []
        with store.begin() as other:
            meters.meet(other, "A", "there", NOW)
        assert meters.every(db) == []
        assert db.scalars(NAMES).all() == []
    with store.look() as db:
        assert [meter.name for meter in meters.every(db)] == ["A"]
        with store.begin() as other:
            meters.meet(other, "B", "there", NOW)
        assert [meter.name for meter in meters.every(db)] == ["A", "B"]


# --- the pool ----------------------------------------------------------------------------------


class Driver:
    """A connection that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        """End."""
        self.closed = True


def connect() -> tuple[Driver, Driver]:
    """Make one."""
    made = Driver()
    return made, made


def test_the_one_that_was_given_back_last_is_taken_first() -> None:
    """So that few users need few connections."""
    pool = Pool(connect)
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take() is second
    assert pool.take() is first


def test_at_its_limit_the_pool_waits_and_then_refuses() -> None:
    """Whoever waits has the first that is given back; nobody waits for ever."""
    pool = Pool(connect, most=2, patience=0.05)
    first, _second = pool.take(), pool.take()
    with pytest.raises(NoneFree):
        pool.take()
    pool = Pool(connect, most=1, patience=10)
    first = pool.take()
    timer = threading.Timer(0.05, pool.give_back, [first])
    timer.start()
    assert pool.take() is first
    timer.join()


def test_who_finds_none_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words; and they are there again once the others are done."""
    pool = store._ways.reader.pool
    monkeypatch.setattr(pool, "_patience", 0.05)

    def read() -> None:
        with store.read() as db:
            meters.every(db)

    with ExitStack() as others:
        for _ in range(MOST):
            others.enter_context(store.read())
        with pytest.raises(StoreError, match="all of this program's connections are in use"):
            read()
    read()


def test_one_that_cannot_be_made_takes_no_place() -> None:
    """A server that is gone for a while must not leave a pool without connections."""

    def fail() -> tuple[Any, Any]:
        raise OSError

    pool = Pool(fail, most=1, patience=0.05)
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 # as it was raised
            pool.take()


def test_with_one_that_died_all_older_ones_are_dropped() -> None:
    """They were of the same server; those made since stay."""
    alive: dict[int, bool] = {}

    def is_alive(pooled: Pooled) -> bool:
        return alive.get(id(pooled), True)

    pool = Pool(connect, is_alive)
    several = [pool.take() for _ in range(3)]
    for each in several:
        pool.give_back(each)
    alive[id(several[-1])] = False
    new = pool.take()
    assert new not in several
    pool.give_back(new)
    assert pool.take() is new
    assert pool.take() not in several
    assert [each.driver.closed for each in several] == [True, True, True]


def test_one_in_use_while_the_pool_is_closed_is_closed_when_it_comes_back() -> None:
    """And the pool can be used again."""
    pool = Pool(connect)
    used, resting = pool.take(), pool.take()
    pool.give_back(resting)
    pool.close()
    assert (used.driver.closed, resting.driver.closed) == (False, True)
    pool.give_back(used)
    assert used.driver.closed
    assert not pool.take().driver.closed


def test_threads_get_connections_of_their_own(store: Store) -> None:
    """And all that they write is there in the end."""

    def meet(name: str) -> None:
        for number in range(5):
            with store.begin() as db:
                meters.meet(db, f"{name}{number}", "there", NOW)

    threads = [threading.Thread(target=meet, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(store) == sorted(f"{name}{number}" for name in "ABCD" for number in range(5))


# --- the file ----------------------------------------------------------------------------------


def test_nothing_is_written_into_a_file_that_is_gone(tmp_path: Path) -> None:
    """Nor read: what was said to be kept there would go with the last one that has it open."""
    file = tmp_path / "db"
    store = Store(str(file))

    def meet(name: str) -> None:
        with store.begin() as db:
            meters.meet(db, name, "there", NOW)

    meet("A")
    assert names(store) == ["A"]
    for each in tmp_path.glob("db*"):
        each.unlink()
    with pytest.raises(StoreError, match="no such table"):
        meet("B")
    with pytest.raises(StoreError, match="no such table"):
        names(store)
    store.close()


def test_a_file_that_was_put_in_its_place_is_the_database_from_then_on(tmp_path: Path) -> None:
    """A backup that was moved there, for one, while this program has the one before open."""
    file, other = tmp_path / "db", tmp_path / "other"
    store, made = Store(str(file)), Store(str(other))
    with made.begin() as db:
        meters.meet(db, "B", "there", NOW)
    made.close()
    with store.begin() as db:
        meters.meet(db, "A", "there", NOW)
    assert names(store) == ["A"]
    for each in tmp_path.glob("db*"):
        each.unlink()
    other.rename(file)
    assert names(store) == ["B"]
    with store.begin() as db:
        meters.meet(db, "C", "there", NOW)
    assert names(store) == ["B", "C"]
    store.close()
    again = Store(str(file))
    assert names(again) == ["B", "C"]
    again.close()


# --- the server --------------------------------------------------------------------------------


def test_a_server_that_was_started_anew_finds_no_old_connection_in_use() -> None:
    """Several were at rest; one was in a transaction, which is one clear error."""
    with server() as running:
        store = Store(running.database())
        with store.read(), store.read(), store.look():
            pass

        def lose() -> None:
            with store.begin() as db:
                meters.meet(db, "A", "there", NOW)
                running.stop()
                running.start()
                meters.meet(db, "B", "there", NOW)

        with pytest.raises(StoreError, match="server"):
            lose()
        for _ in range(4):
            with store.read() as one, store.begin() as other:
                assert meters.every(one) == []
                assert other.scalars(NAMES).all() == []
        store.close()


@pytest.mark.parametrize(("usual", "ours"), [("off", "on"), ("local", "local"), ("on", "on")])
def test_what_is_kept_outlasts_the_server(postgres: Postgres, usual: str, ours: str) -> None:
    """Whatever the database usually does: a lease that is forgotten would repeat counters."""
    url = postgres.database()
    name = url.rpartition("/")[2]
    postgres.execute(url, f'ALTER DATABASE "{name}" SET synchronous_commit TO {usual}')
    with closing(Store(url)) as store:
        for way in (store.begin, store.write_one, store.begin):
            with way() as db:
                assert db.scalar(text("SHOW synchronous_commit")) == ours


def test_a_reading_keeps_what_the_server_has_prepared(postgres: Postgres) -> None:
    """A ROLLBACK would have psycopg throw it away, and each statement be parsed anew."""
    store = Store(postgres.database())

    def fail() -> None:
        with store.read() as db:
            meters.every(db)
            raise KeyError  # of ours, and none of the database's

    names(store)
    with pytest.raises(KeyError):
        fail()
    with store.read() as db:
        prepared = db.execute(text("SELECT statement FROM pg_prepared_statements")).all()
    assert any("FROM meters" in row.statement for row in prepared)
    store.close()


def test_tables_that_were_changed_stop_nobody_for_long(postgres: Postgres) -> None:
    """What was prepared before is refused by the server once, and not on every connection."""
    url = postgres.database()
    store = Store(url)
    with store.read() as one, store.read() as other:
        for db in (one, other):
            counters.unleased(db, "x")
    with store.look() as db:
        counters.unleased(db, "x")
    postgres.execute(url, "ALTER TABLE counters ALTER unleased TYPE integer")

    def ask() -> None:
        with store.look() as db:
            counters.unleased(db, "x")

    with pytest.raises(StoreError, match="cached plan"):
        ask()
    ask()
    with store.read() as one, store.read() as other:
        assert [counters.unleased(db, "x") for db in (one, other)] == [None, None]
    store.close()


# --- the URL -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "database", "rendered"),
    [
        ("a b.db", "a b.db", "sqlite:///a b.db"),
        ("/x/y.db", "/x/y.db", "sqlite:////x/y.db"),
        ("./y.db", "y.db", "sqlite:///y.db"),
        ("sqlite:///y.db", "y.db", "sqlite:///y.db"),
        ("sqlite:////x/a@b:c%20d.db", "/x/a@b:c d.db", "sqlite:////x/a%40b%3Ac d.db"),
        ("50%25?.db", "50%25?.db", "sqlite:///50%2525%3F.db"),
        ("sqlite://", None, "sqlite://"),
        ("sqlite:///:memory:", ":memory:", "sqlite:///%3Amemory%3A"),
        ("sqlite:///", "", "sqlite:///"),
        ("sqlite:///y.db?timeout=3", "y.db", "sqlite:///y.db?timeout=3"),
        ("sqlite+pysqlite:///y.db", "y.db", "sqlite+pysqlite:///y.db"),
        ("postgres://u:p@h:1/d", "d", "postgresql://u:***@h:1/d"),
    ],
)
def test_a_url_is_what_sqlalchemy_makes_of_it(
    written: str, database: str | None, rendered: str
) -> None:
    """Whether it is taken apart here or there."""
    url = parse_url(written)
    assert (url.database, url.render_as_string()) == (database, rendered)
    assert (url.whole.database, url.whole.render_as_string()) == (database, rendered)
    assert url.get_backend_name() == url.whole.get_backend_name()
    if "://" in written and not written.startswith("postgres:"):
        assert url.whole == make_url(written)
    assert parse_url(url.render_as_string(hide_password=False)).whole == url.whole


def test_what_a_url_says_to_sqlite_is_done(tmp_path: Path) -> None:
    """A file by its own URI, read only."""
    path = tmp_path / "a.db"
    Store(str(path)).close()
    assert Store(f"sqlite:///{path}?timeout=3").url.database == str(path)
    unchanging = Store(f"sqlite:///file:{path}?mode=ro&uri=true")

    def meet() -> None:
        with unchanging.begin() as db:
            meters.meet(db, "A", "there", NOW)

    with pytest.raises(StoreError, match="may not be written"):
        meet()


@pytest.mark.parametrize("url", ["sqlite://host/y.db", "sqlite+aiosqlite:///y.db", "mysql://x/y"])
def test_a_url_that_it_cannot_use_is_wrong_usage(url: str) -> None:
    """Before anything is opened."""
    with pytest.raises(Exception, match="--db cannot be"):
        Store(url)


def test_sqlalchemy_stays_out_where_nothing_asks_for_it(tmp_path: Path) -> None:
    """Opening, meeting, holding and reading are plain."""
    path = tmp_path / "a.db"
    Store(str(path)).close()
    program = (
        "import sys; from headend.store import Store, meters, ledger\n"
        "store = Store(sys.argv[1])\n"
        "with store.begin() as db: print(meters.hold(db, meters.meet(db, 'A', 'x', 1).id).name)\n"
        "with store.read() as db: print(ledger.balance(db, 1))\n"
        "store.close(); sys.exit('sqlalchemy' in sys.modules)"
    )
    words = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["A", "0"], "")


def test_a_connection_is_for_any_thread(tmp_path: Path) -> None:
    """What one thread gave back another takes: SQLite's own guard against that is off."""
    store = Store(str(tmp_path / "a.db"))
    names(store)
    assert names_elsewhere(store) == []
    store.close()
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw:
        assert raw.execute("SELECT count(*) FROM meters").fetchone() == (0,)
