"""A database in which nearly all is over is asked as fast as a new one."""

from collections.abc import Iterator

import pytest

from headend.store import Store, commands
from headend.store.prepared import Prepared

STATEMENTS = {
    name: statement
    for name, statement in vars(commands).items()
    if isinstance(statement, Prepared) and name != "_ALONE"  # which SQLite has no need of
}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Return an empty database."""
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_nothing_that_a_worker_asks_reads_all_commands(store: Store, name: str) -> None:
    """SQLite says how it finds the rows: each time by an index, of those that are not over."""
    with store.begin() as db:
        sql, _, order = STATEMENTS[name]._text(db)
        plan = db.pooled.driver.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(order or ()))
        steps = [row[3] for row in plan]
    assert steps
    assert [step for step in steps if step in ("SCAN commands", "SCAN out")] == []
