"""The audit log: one chain, whoever appends, and what a check shows of who has changed it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, text, update

from headend.cli import Invocation, main
from headend.store import Store, audit, schema
from headend.store.audit import GENESIS, Anchor, Verdict
from headend.store.connection import Connection
from protocol.timing import Instant

TABLE = schema.audit
NOW = Instant(1_795_000_000_000)
ROWS = 5


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Return a database with five rows."""
    made = Store(database)
    for number in range(ROWS):
        write(made, number)
    yield made
    made.close()


@pytest.fixture(scope="module")
def standing() -> Iterator[Store]:
    """Return a database in memory with five rows, which every test leaves as it was."""
    made = Store("sqlite://")
    for number in range(ROWS):
        write(made, number)
    yield made
    made.close()


def write(store: Store, number: int, caller: str = "ann") -> None:
    """Append a row."""
    with store.begin() as db:
        moment = Instant(NOW + number)
        audit.append(
            db, moment, caller, "keys.import", f"M{number}", {"kinds": ["akt"], "n": number}
        )


def judged(store: Store, *kept: Anchor) -> Verdict:
    """Return what a check finds."""
    with store.read() as db:
        return audit.check(db, kept)


def digest(db: Connection, number: int) -> str:
    """Return a row's digest."""
    query = text("SELECT digest FROM audit WHERE number = :number")
    return str(db.scalar(query, {"number": number}))


def reseal(db: Connection, number: int) -> None:
    """Make a row's digest right again, as somebody who knows how would."""
    row = db.execute(TABLE.select().where(TABLE.c.number == number)).one()
    names = ("number", "moment", "caller", "action", "subject", "details")
    seal = audit.seal(row.previous, {name: row._mapping[name] for name in names})
    db.execute(update(TABLE).where(TABLE.c.number == number).values(digest=seal))


def changed(**values: object) -> Callable[[Connection], None]:
    """Return what changes row 3."""

    def change(db: Connection) -> None:
        db.execute(update(TABLE).where(TABLE.c.number == 3).values(**values))

    return change


def removed(number: int) -> Callable[[Connection], None]:
    """Return what takes a row out."""

    def remove(db: Connection) -> None:
        db.execute(delete(TABLE).where(TABLE.c.number == number))

    return remove


def _changed_and_sealed(db: Connection) -> None:
    changed(caller="bob")(db)
    reseal(db, 3)


def _swapped(db: Connection) -> None:
    for old, new in ((2, 0), (3, 2), (0, 3)):
        db.execute(update(TABLE).where(TABLE.c.number == old).values(number=new))


def _closed_up(db: Connection) -> None:
    removed(3)(db)
    for number in (4, 5):
        db.execute(update(TABLE).where(TABLE.c.number == number).values(number=number - 1))


def _end_sealed(db: Connection) -> None:
    db.execute(update(TABLE).where(TABLE.c.number == ROWS).values(caller="bob"))
    reseal(db, ROWS)


def _without_anchor(db: Connection) -> None:
    db.execute(text("DELETE FROM settings WHERE name = 'audit anchor'"))


TAMPERED: list[tuple[str, Callable[[Connection], None], int, str]] = [
    ("a caller", changed(caller="bob"), 3, "changed"),
    ("a moment", changed(moment=NOW), 3, "changed"),
    ("an action", changed(action="keys.export"), 3, "changed"),
    ("a subject", changed(subject="M9"), 3, "changed"),
    ("details", changed(details='{"kinds":["akt"],"n":3}'), 3, "changed"),
    ("details, in another form", changed(details='{"n": 2, "kinds": ["akt"]}'), 3, "changed"),
    ("a digest", changed(digest="0" * 64), 3, "changed"),
    ("what is before", changed(previous=GENESIS), 3, "follow"),
    ("a row, sealed anew", _changed_and_sealed, 4, "follow"),
    ("the first row is gone", removed(1), 1, "number 2"),
    ("a row is gone", removed(3), 3, "number 4"),
    ("a row is gone, the others moved up", _closed_up, 3, "follow"),
    ("two rows are swapped", _swapped, 2, "follow"),
    ("the last row is gone", removed(ROWS), ROWS, "rows 5 to 5 are missing"),
    ("the last row, sealed anew", _end_sealed, ROWS, "anchor"),
    ("the anchor is gone", _without_anchor, ROWS, "anchor is missing"),
]


@pytest.mark.parametrize(("what", "tamper", "row", "why"), TAMPERED, ids=[t[0] for t in TAMPERED])
def test_what_was_changed_is_shown(
    standing: Store, what: str, tamper: Callable[[Connection], None], row: int, why: str
) -> None:
    """The first row that does not fit, and why; what stands before it is in order."""
    with suppress(ZeroDivisionError), standing.begin() as db:
        tamper(db)
        verdict = audit.check(db)
        raise ZeroDivisionError  # all of it is undone
    assert verdict.row == row, what
    assert why in verdict.fault
    assert verdict.anchor.number in (row - 1, row)


def test_a_chain_that_nobody_touched_is_in_order(store: Store) -> None:
    """To its end, which is the anchor."""
    with store.read() as db:
        assert audit.check(db) == Verdict(Anchor(ROWS, digest(db, ROWS)))


def test_a_subject_is_found_where_the_details_name_it_as_their_meter(store: Store) -> None:
    """A command's rows are of its id and name their meter; no letter stands for another one."""
    with store.begin() as db:
        for name in ("A_1", "AX1", "A_12"):
            audit.append(db, NOW, "ann", "command queued", f"id of {name}", {"meter": name})
        audit.append(db, NOW, "ann", "meters.set", "A_1", {})
        found = audit.newest(db, 10, subject="A_1")
    assert [row.subject for row in found] == ["id of A_1", "A_1"]


def test_an_empty_log_is_in_order(database: str) -> None:
    """It has no end yet."""
    store = Store(database)
    assert judged(store) == Verdict(Anchor(0, GENESIS))
    store.close()


def test_all_of_it_gone_is_shown(store: Store) -> None:
    """By the anchor that the settings have."""
    with store.begin() as db:
        db.execute(delete(TABLE))
    assert judged(store) == Verdict(Anchor(0, GENESIS), 1, "rows 1 to 5 are missing")


def test_an_anchor_kept_elsewhere_shows_what_was_made_anew(store: Store) -> None:
    """Who can write to every table can make the chain and its own anchor fit."""
    kept = judged(store).anchor
    early = Anchor(2, "")
    with store.begin() as db:
        early = Anchor(2, digest(db, 2))
        db.execute(delete(TABLE).where(TABLE.c.number >= 3))
        db.execute(
            text("UPDATE settings SET value = :value WHERE name = 'audit anchor'"),
            {"value": str(early)},
        )
    assert judged(store).row is None
    assert judged(store, early).row is None
    assert judged(store, kept).fault == "rows 3 to 5 are missing"
    for number in range(2, ROWS):
        write(store, number, caller="bob")
    assert judged(store).row is None
    shown = judged(store, early, kept)
    assert (shown.row, shown.fault) == (
        5, "it is not the row that it was when the anchor was kept",
    )  # fmt: skip # a pair


def test_who_append_at_once_make_one_chain(store: Store) -> None:
    """Each in a transaction of his own, none is lost and none refused."""

    def append(name: str) -> None:
        own = Store(store.url.render_as_string(hide_password=False))
        for number in range(10):
            write(own, number, name)
        own.close()

    threads = [threading.Thread(target=append, args=(name,)) for name in ("ann", "bob", "cem")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    verdict = judged(store)
    assert (verdict.row, verdict.anchor.number) == (None, ROWS + 30)


def test_a_row_is_there_only_with_what_it_tells_of(store: Store) -> None:
    """A transaction that is rolled back leaves chain and anchor as they were."""
    before = judged(store)
    with pytest.raises(ZeroDivisionError), store.begin() as db:  # noqa: PT012 # all of it is undone
        audit.append(db, NOW, "ann", "keys.export", "M1", {})
        raise ZeroDivisionError
    assert judged(store) == before


@pytest.mark.parametrize(
    "written", ["", "x", "1:", "1:ab", "-1:" + "0" * 64, "1" * 19 + ":" + "0" * 64]
)
def test_what_is_no_anchor_is_none(written: str) -> None:
    """Written by hand, or cut short."""
    assert Anchor.parse(written) is None


# --- prepay audit ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file with five rows; who changes it is the last to use it."""
    path = tmp_path_factory.mktemp("audit") / "h.db"
    store = Store(str(path))
    for number in range(ROWS):
        write(store, number, "ann" if number % 2 else "bob")
    store.close()
    return path


def prepay(path: Path, *words: str) -> Result:
    """Run ``prepay audit``."""
    return CliRunner().invoke(
        main,
        ["audit", *words, "--db", str(path), "--json"],
        obj=Invocation(),
        env={"PREPAY_KEYS": ""},
    )


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ([], [1, 2, 3, 4, 5]),
        (["--limit", "2"], [4, 5]),
        (["--caller", "ann"], [2, 4]),
        (["--subject", "M0"], [1]),
        (["--action", "keys."], [1, 2, 3, 4, 5]),
        (["--action", "key%"], []),
        (["--since", "2100-01-01T00:00:00+00:00"], []),
    ],
)
def test_rows_are_listed(path: Path, words: list[str], numbers: list[int]) -> None:
    """The newest last; of a caller, a subject, an action, a time."""
    done = prepay(path, "list", *words)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["audit"]
    assert [row["number"] for row in found] == numbers
    if 1 in numbers:
        assert found[0]["details"] == {"kinds": ["akt"], "n": 0}


def test_a_check_prints_the_anchor_and_takes_it_back(path: Path) -> None:
    """Exit code 0 where all is in order, 1 where it is not, 2 for what is no anchor."""
    first = prepay(path, "check")
    assert first.exit_code == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["intact"], told["rows"]) == (True, ROWS)
    assert prepay(path, "check", "--anchor", told["anchor"]).exit_code == 0
    store = Store(str(path))
    with store.begin() as db:
        removed(ROWS)(db)
    store.close()
    second = prepay(path, "check")
    assert second.exit_code == 1
    assert json.loads(second.stdout)["row"] == ROWS
    assert prepay(path, "check", "--anchor", "five").exit_code == 2
