"""Statements that are compiled once: the same rows and the same errors as SQLAlchemy's own."""

import resource
import socket
from itertools import count

import pytest
from sqlalchemy import bindparam, not_, select, text
from sqlalchemy.exc import IntegrityError

from headend.store import Store, StoreError, ledger, meters, registry, schema, transactions
from headend.store.listed import as_list, listed
from headend.store.meters import Meter
from headend.store.prepared import Prepared, among
from headend.store.registry import Entry
from headend.store.transactions import Order, State
from headend.waiting import readable
from obis.values import replace
from prepay.ledger import Reason, credit_post
from protocol.timing import Instant
from tests.postgres import Postgres, server

METERS = schema.meters.c
LISTED = Prepared(select(METERS.line).where(listed(METERS.line, "lines")))
REST = Prepared(select(METERS.line).where(not_(listed(METERS.line, "lines"))))
NUMBERED = Prepared(select(METERS.id).where(listed(METERS.id, "meters")))
NAMED = Prepared(select(METERS.name).where(METERS.name == bindparam("name")))
ALL = Prepared(select(METERS.name).order_by(METERS.name))
NOW = Instant(1_700_000_000_000)
IDENTITY = "01" * 16


def met(store: Store, name: str = "OPP1") -> Meter:
    """Return a meter that was met."""
    with store.begin() as db:
        return meters.meet(db, name, "tcp:there:1", NOW)


def test_it_says_what_sqlalchemy_says(store: Store) -> None:
    """Of parameters that are given, and of those that are part of the statement."""
    first, second = met(store, "OPP1"), met(store, "OPP2")
    columns = schema.meters.c
    query = select(columns.id, columns.name).where(
        columns.port == bindparam("port"), among(columns.life, ("met", "retired"))
    )
    made = Prepared(query.order_by(columns.name.desc()).limit(1))
    with store.read() as db:
        assert made.all(db, port="tcp:there:1") == [(second.id, "OPP2")]
        assert made.first(db, port="nowhere") is None
        assert made.scalar(db, port="tcp:there:1") == second.id
        told = db.execute(query.order_by(columns.name), {"port": "tcp:there:1"})
        assert [row.id for row in told] == [first.id, second.id]


def test_truth_is_truth_on_both(store: Store) -> None:
    """SQLite has 0 and 1 for it."""
    meter = met(store)
    with store.begin() as db:
        meters.set_prepayment(db, meter, True)
    with store.look() as db:
        found, entry = meters.by_name(db, "OPP1"), registry.by_name(db, "OPP1")
    assert found is not None
    assert entry is not None
    assert (found.prepayment, entry.prepayment, entry.has_keys) == (True, True, False)


def test_an_entry_is_found_with_its_tags(store: Store) -> None:
    """By its name and by its point of delivery, with tags and without."""
    wanted = Entry("OPP3", ean="541448820060527196", tags=("blue", "north"), access={"client": 2})
    with store.begin() as db:
        registry.add(db, [wanted, Entry("OPP4")], NOW)
    with store.look() as db:
        assert registry.by_name(db, "OPP3") == registry.by_ean(db, wanted.ean or "") == wanted
        assert registry.by_name(db, "OPP4") == Entry("OPP4")
        assert registry.by_name(db, "OPP5") is None


def test_what_is_there_twice_is_an_integrity_error_that_tells_no_value(store: Store) -> None:
    """As SQLAlchemy has it, so that whoever catches it catches it; nothing of it is kept."""
    meter = met(store)

    def plan_twice() -> None:
        with store.begin() as db:
            for _ in range(2):
                transactions.plan(
                    db, IDENTITY, meter.id, Order.TOPUP, 1, {}, now=NOW, not_after=NOW
                )

    with pytest.raises(StoreError) as caught:
        plan_twice()
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert IDENTITY not in str(caught.value)
    with store.look() as db:
        assert transactions.get(db, IDENTITY) is None


@pytest.mark.parametrize("sequence", [None, 7])
@pytest.mark.parametrize("posts", [0, 1, 2])
def test_an_intention_is_written_down_whole(store: Store, posts: int, sequence: int | None) -> None:
    """Transaction, posts and sequence, in however many statements the database takes them."""
    meter = met(store)
    booked = [credit_post(IDENTITY, Reason.TOP_UP, 5, NOW, leg) for leg in range(posts)]
    with store.begin() as db:
        planned = transactions.plan(
            db, IDENTITY, meter.id, Order.TOPUP, 5 * posts, {"a": 1}, now=NOW, not_after=NOW,
            held=meters.hold(db, meter.id), posts=booked, sequence=sequence,
        )  # fmt: skip # one fact a word
        assert transactions.books(db, meter.id) == (NOW, 5 * posts)
    with store.look() as db:
        assert transactions.get(db, IDENTITY) == planned
        assert ledger.of_transaction(db, IDENTITY) == booked
        assert ledger.balance(db, meter.id) == 5 * posts
        assert meters.by_id(db, meter.id) == replace(meter, sequence=sequence or 0)


def test_an_end_tells_the_balance_and_is_kept_by_itself(store: Store) -> None:
    """One statement, without a transaction around it where that costs."""
    meter = met(store)
    posts = [credit_post(IDENTITY, Reason.TOP_UP, 2_500, NOW)]
    with store.begin() as db:
        transactions.plan(
            db, IDENTITY, meter.id, Order.TOPUP, 2_500, {}, now=NOW, not_after=NOW, posts=posts
        )
    with store.write_one() as db:
        ended, balance = transactions.finish_telling(db, IDENTITY, State.DONE, "done", NOW)
    assert (ended.state, ended.outcome, ended.settled, balance) == (State.DONE, "done", NOW, 2_500)
    with store.look() as db:
        assert transactions.get(db, IDENTITY) == ended
    with pytest.raises(transactions.AlreadyFinal), store.write_one() as db:
        transactions.finish_telling(db, IDENTITY, State.REFUSED, "late", NOW)
    with store.look() as db:
        assert transactions.get(db, IDENTITY) == ended


def test_an_end_tells_the_balance_of_its_own_meter(store: Store) -> None:
    """And never that of whoever came first, however many meters there are."""
    told = {}
    for index, name in enumerate(["OPP1", "OPP2", "OPP3"], 1):
        meter, identity = met(store, name), f"{index:02x}" * 16
        posts = [credit_post(identity, Reason.TOP_UP, 100 * index, NOW)]
        with store.begin() as db:
            transactions.plan(
                db, identity, meter.id, Order.TOPUP, 100 * index, {}, now=NOW, not_after=NOW,
                posts=posts if index < 3 else (),
            )  # fmt: skip # one fact a word
        with store.write_one() as db:
            _, told[name] = transactions.finish_telling(db, identity, State.DONE, "done", NOW)
    assert told == {"OPP1": 100, "OPP2": 200, "OPP3": 0}


def test_a_turn_begins_with_one_question(store: Store) -> None:
    """Who was last met at a port, how far the counters of its key are leased, what is open."""
    meter = met(store)
    with store.begin() as db:
        for number in range(3):
            transactions.plan(
                db, f"{number:032x}", meter.id, Order.ARM, 0, {}, now=NOW, not_after=NOW
            )
        transactions.finish(db, f"{1:032x}", State.DONE, "done", NOW)
    with store.look() as db:
        assert transactions.met_at(db, "tcp:there:1", "key") == (meter, None, 2)
        assert transactions.met_at(db, "tcp:there:2", "key") is None
    block = store.leases.counter("key", 100)
    with store.look() as db:
        found = transactions.met_at(db, "tcp:there:1", "key")
    assert found is not None
    assert (block, found[1]) == (100, 132)


def test_a_connection_that_the_server_has_ended_is_made_anew(postgres: Postgres) -> None:
    """Between two questions nobody sees it; within a transaction it is one clear error."""
    store, other = (Store(url) for url in [postgres.database()] * 2)
    met(store)

    def end_all_others() -> None:
        with other.begin() as db:
            db.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    for use in (store.look, store.read, store.begin, store.write_one):
        end_all_others()
        with use() as db:
            assert meters.by_name(db, "OPP1") is not None

    def lose_it() -> None:
        with store.begin() as db:
            meters.by_name(db, "OPP1")
            end_all_others()
            meters.by_name(db, "OPP1")

    with pytest.raises(StoreError, match="server"):
        lose_it()
    with store.read() as db:
        assert meters.by_name(db, "OPP1") is not None
    other.close()
    store.close()
    other.close()


def test_a_server_that_was_started_anew_is_met_as_if_nothing_had_been() -> None:
    """Also where the connection was in use a moment ago, and nobody asked it since."""
    with server() as running:
        store = Store(running.database())
        met(store)
        running.stop()
        running.start()
        with store.look() as db:
            assert meters.by_name(db, "OPP1") is not None
        store.close()


@pytest.mark.parametrize(
    "lines",
    [(), ("a",), ("a", "b"), ("it's", 'a "quoted" one', "\\"), ("Straße", "b"), ("1",), ("null",)],
)
def test_a_condition_on_a_list_is_one_statement_however_long_it_is(
    store: Store, lines: tuple[str, ...]
) -> None:
    """What is listed is found, what is not is the rest; each member means itself."""
    every = {"a", "b", "it's", 'a "quoted" one', "\\", "Straße", "1", "null", "none of them"}
    with store.begin() as db:
        for number, line in enumerate(sorted(every)):
            registry.add(db, [Entry(f"OPP{number}", line=line)], NOW)
        assert {row[0] for row in LISTED.all(db, lines=as_list(lines))} == set(lines)
        assert {row[0] for row in REST.all(db, lines=as_list(lines))} == every - set(lines)


def test_a_condition_on_a_list_of_numbers(store: Store) -> None:
    """Numbers are compared as numbers are, on both databases."""
    numbers = [met(store, f"OPP{index}").id for index in range(12)]
    with store.look() as db:
        for chosen in ([], numbers[:1], numbers[3:], [*numbers, 999_999]):
            found = {row[0] for row in NUMBERED.all(db, meters=as_list(chosen))}
            assert found == set(numbers) & set(chosen)


def test_a_statement_is_executed_again_before_the_first_rows_were_used(store: Store) -> None:
    """Each has its own rows, on a connection on which many other things are executed."""
    for index in range(300):
        met(store, f"OPP{index:04}")
    with store.read() as db:
        one = NAMED.all(db, name="OPP0001")
        every = ALL.all(db)
        other = NAMED.all(db, name="OPP0002")
        again = ALL.all(db)
    assert (one, other) == ([("OPP0001",)], [("OPP0002",)])
    assert every == again
    assert len(every) == 300


def test_files_of_any_number_are_waited_for() -> None:
    """A head-end with a thousand sessions has sockets above 1,023, which ``select`` cannot take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1_200:
        pytest.skip("this system does not allow so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_200), hard))
    pairs: list[tuple[socket.socket, socket.socket]] = []
    try:
        for _ in count():
            pairs.append(socket.socketpair())
            here, there = pairs[-1]
            if here.fileno() > 1_023:
                break
        assert not readable(here.fileno(), 1)
        there.send(b"x")
        assert readable(here.fileno(), 0)
        here.recv(1)
        there.close()
        assert readable(here.fileno(), 0)  # the end is something to read as well
    finally:
        for pair in pairs:
            for each in pair:
                each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
