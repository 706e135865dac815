"""Rows of notifications: what a push costs does not grow with what other meters have said."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Engine

from headend.listener.news import COUNTERS, EVENT
from headend.store import Store, cases, meters, notifications, schema
from headend.store.cases import State
from headend.store.connection import Connection
from protocol.axdr import double_long_unsigned, unsigned
from tests.headend.pushes import COVER, listed, met

#: Rows of a meter that has said more than is kept, and of the others.
OWN, OTHERS = notifications.OF_A_METER + 5, 3_000


def test_a_repetition_takes_no_row_number(store: Store) -> None:
    """PostgreSQL draws one for an INSERT that conflicts as well, and has 2147483647 of them."""
    desk, speaker, _ = met(store)
    said = listed(1, {EVENT: unsigned(COVER), COUNTERS[EVENT]: double_long_unsigned(1)})
    for _ in range(5):
        desk.hear(*speaker.say(said))
    desk.hear(*speaker.say(listed(2, {EVENT: unsigned(COVER)})))
    with store.read() as db:
        numbers = db.execute(select(schema.notifications.c.number, schema.notifications.c.times))
        (first, heard), (second, _) = sorted(tuple(row) for row in numbers)
    assert (heard, second - first) == (5, 1)


def test_what_is_forgotten_is_looked_for_among_the_meters_own(store: Store) -> None:
    """By the index of its meter: no look at all rows, nor at all cases, at every push."""
    (_, _, name), (_, _, other) = met(store), met(store)
    with store.begin() as db:
        own = fill(db, name, OWN)
        cases_of(db, own, "number <= 2")
        cases_of(db, fill(db, other, OTHERS), "true")
        db.execute(text("ANALYZE"))
    with store.begin() as db:
        assert notifications.trim(db, own) == OWN - notifications.OF_A_METER - 2
        with explained(store) as plans:
            assert notifications.trim(db, own) == 0
            assert notifications.trim(db, None) == 0
    of_own, forgetting, of_nobody = plans
    for plan in (of_own, of_nobody):
        assert "ix_notifications_meter_id" in plan, plan
        assert "DISTINCT" not in plan, plan
    assert "ix_cases_meter_id" in forgetting, forgetting  # by its meter, or by few row numbers


def test_the_closed_cases_of_a_meter_are_bounded(store: Store) -> None:
    """A cover that rattles opens and closes one for ever; what is open stays, and the newest."""
    desk, speaker, name = met(store)
    with store.begin() as db:
        own = fill(db, name, OWN)
        cases_of(db, own, "true")
    desk.hear(*speaker.say(listed(1, {EVENT: unsigned(COVER)})))
    with store.read() as db:
        kept = cases.newest(db, 2 * OWN, meter_id=own, closed=True)
    assert kept[0].state is State.OPEN
    assert [each.notification for each in kept[1:]] == [*range(OWN, OWN - cases.OF_A_METER, -1)]


def fill(db: Connection, name: str, count: int) -> int:
    """Have a meter have said so much; return its row number."""
    meter = meters.by_name(db, name)
    assert meter is not None
    row = {"source": "", "system_title": "", "authenticated": True, "service": "", "body": "{}"}
    row |= {"meter_id": meter.id, "times": 1}
    rows = [{**row, "digest": f"{meter.id} {n}", "received": n} for n in range(count)]
    db.execute(insert(schema.notifications), rows)
    return meter.id


def cases_of(db: Connection, meter_id: int, which: str) -> None:
    """Have cases come from some of what a meter has said."""
    db.execute(
        text(
            "INSERT INTO cases (meter_id, kind, state, notification, details, opened) "
            "SELECT meter_id, 'cover', 'closed', number, '{}', 1 FROM notifications "
            f"WHERE meter_id = {meter_id} AND {which}"
        )
    )


@contextmanager
def explained(store: Store) -> Iterator[list[str]]:
    """Collect the plan of each statement."""
    how = "EXPLAIN" if store.url.get_backend_name() == "postgresql" else "EXPLAIN QUERY PLAN"
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, told: Any, *_rest: Any) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(f"{how} {statement}", told)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
