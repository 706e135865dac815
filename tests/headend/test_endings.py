"""The end of a command and its row in the audit log: both are there, or neither."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, text, update

from headend.engine.queueing import told
from headend.engine.states import State
from headend.store import Store, audit, claiming, commands, registry, schema
from headend.store.claiming import Ticket
from headend.store.commands import Command, New
from headend.store.endings import succeed
from protocol.timing import Instant

NOW = Instant(1_795_000_000_000)
#: What may stand in a row: all that JSON has to write in another way, too.
TEXTS = st.text(max_size=40) | st.sampled_from(['"', "\\", "\u2028", "\x7f", "€ ö", "number", "💶"])


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Return a database with one meter."""
    made = Store(database)
    with made.begin() as db:
        registry.add(db, [registry.Entry("M1")], NOW)
        audit.append(db, NOW, "ann", "meters.add", "M1", {})
    yield made
    made.close()


def running(store: Store, number: int) -> Command:
    """Return a command that an attempt has begun."""
    identity, ticket = f"{number:032x}", f"{number:032x}-1"
    with store.begin() as db:
        meter = registry.id_of(db, "M1")
        assert meter is not None
        new = New(identity, meter, "topup", {"amount": "25.00"}, 5, Instant(NOW + 1_000), "ann €")
        commands.add(db, [new], NOW)
        queued = commands.get(db, identity)
        assert queued is not None
        claiming.hand_out(db, [Ticket(queued, ticket, ticket, "w", "ab" * 16)])
    with store.write_one() as db:
        found = commands.begin_queued(db, ticket, "w", NOW)
    assert found is not None
    assert found.state is State.QUEUED
    after = current(store, found)
    assert after.state is State.RUNNING
    return after


def current(store: Store, command: Command) -> Command:
    """Return a command as its row has it."""
    with store.read() as db:
        found = commands.get(db, command.id)
    assert found is not None
    return found


def ended(store: Store, command: Command) -> State | None:
    """End a command well."""
    row = told(command, "done", NOW, reason=None)
    answer = {"lines": ["topped up € 25.00"]}
    return succeed(store, command, NOW, reason=None, answer=answer, told=row)


def rows(store: Store) -> list[str]:
    """Return what the log has, the subject of each row."""
    with store.read() as db:
        return [each.subject for each in audit.newest(db, 1000)]


def fault(store: Store) -> str:
    """Return what a check of the log finds; empty where all is in order."""
    with store.read() as db:
        return audit.check(db).fault


def test_a_command_that_is_done_is_told(store: Store) -> None:
    """Its row has state, answer and moment; the log has one row more, which fits."""
    command = running(store, 1)
    assert ended(store, command) is State.DONE
    row = current(store, command)
    assert (row.state, row.ticket, row.finished) == (State.DONE, None, NOW)
    assert row.answer == {"lines": ["topped up € 25.00"]}
    with store.read() as db:
        (entry,) = audit.newest(db, 1)
    assert (entry.number, entry.moment, entry.caller) == (2, NOW, "ann €")
    assert (entry.action, entry.subject) == ("command done", command.id)
    expected = {"meter": "M1", "command": "topup", "reason": None, "transaction": "ab" * 16}
    assert dict(entry.details) == expected
    assert fault(store) == ""


def test_a_command_whose_ticket_is_another_is_left_alone(store: Store) -> None:
    """Somebody else has ended its attempt: his word stands, and nothing is told twice."""
    command = running(store, 1)
    assert ended(store, command) is State.DONE
    assert ended(store, command) is None
    assert rows(store) == ["M1", command.id]
    assert fault(store) == ""


def test_many_at_once_make_one_chain(store: Store) -> None:
    """Whoever appends waits for the one before."""
    several = [running(store, number) for number in range(1, 25)]
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda each: ended(store, each), several))
    assert states == [State.DONE] * len(several)
    assert sorted(rows(store)) == sorted(["M1", *(each.id for each in several)])
    assert fault(store) == ""


def _no_anchor(db: Connection) -> None:
    db.execute(delete(schema.settings).where(schema.settings.c.name == "audit anchor"))


def _anchored(value: str) -> Callable[[Connection], None]:
    def write(db: Connection) -> None:
        row = schema.settings.c.name == "audit anchor"
        db.execute(update(schema.settings).where(row).values(value=value))

    return write


def _nothing(db: Connection) -> None:
    _no_anchor(db)
    db.execute(text("DELETE FROM audit"))


@pytest.mark.parametrize(
    "damage",
    [_no_anchor, _anchored("no anchor"), _anchored(f"0:{'0' * 64}"), _anchored("7:"), _nothing],
)
def test_a_log_that_somebody_has_touched_stops_no_command(
    store: Store, damage: Callable[[Connection], None]
) -> None:
    """The chain goes on from its last row; what a check can tell of the damage it tells."""
    with store.begin() as db:
        damage(db)
    first, second = running(store, 1), running(store, 2)
    assert (ended(store, first), ended(store, second)) == (State.DONE, State.DONE)
    assert rows(store)[-2:] == [first.id, second.id]
    assert fault(store) == ""


@given(caller=TEXTS, action=TEXTS, subject=TEXTS, value=TEXTS, number=st.integers(1, 2**31 - 1))
def test_what_is_sealed_is_the_same_whoever_writes_the_number(
    caller: str, action: str, subject: str, value: str, number: int
) -> None:
    """PostgreSQL puts the number into the text that Python has made."""
    row = audit.Told(NOW, caller, action, subject, {"meter": value, "number": 7})
    before, behind = row.around()
    whole = audit.canonical({"number": number, **row.columns()})
    assert f"{before}{number}{behind}" == whole
