"""The triggers that guard the books, as revision 0002 makes them, and what a database has of them.

They keep the balances and forbid to change a post. Without them, or with others beside them, the
next order of any program could part the books: a check compares them with what stands here.
A revision that changes them writes its own down.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import bindparam, text

from headend.store import schema
from headend.store.connection import Connection

_MOVE = (
    "INSERT INTO balances (meter_id, account, amount) VALUES (NEW.meter_id, NEW.{side}, {amount}) "
    "ON CONFLICT (meter_id, account) DO UPDATE SET amount = balances.amount + excluded.amount;"
)
_MOVES = _MOVE.format(side="credit", amount="NEW.amount") + _MOVE.format(
    side="debit", amount="-NEW.amount"
)
#: SQLite has the text of a trigger as it was written.
SQLITE: Final[Mapping[str, str]] = {
    "posts_balance": f"CREATE TRIGGER posts_balance AFTER INSERT ON posts BEGIN {_MOVES} END",
    **{
        f"posts_{change.lower()}": (
            f"CREATE TRIGGER posts_{change.lower()} BEFORE {change} ON posts BEGIN "
            "SELECT RAISE(ABORT, 'posts are immutable'); END"
        )
        for change in ("UPDATE", "DELETE")
    },
}
#: PostgreSQL's are functions, by name, ...
FUNCTIONS: Final[Mapping[str, str]] = {
    "posts_balance": f" BEGIN {_MOVES} RETURN NEW; END ",
    "posts_immutable": " BEGIN RAISE EXCEPTION 'posts are immutable'; END ",
}
#: ... and when they are called.
CALLS: Final[Mapping[str, str]] = {
    "posts_balance": "AFTER INSERT ON posts FOR EACH ROW",
    "posts_immutable": "BEFORE UPDATE OR DELETE OR TRUNCATE ON posts FOR EACH STATEMENT",
}
#: The same in pg_trigger.tgtype: row 1, before 2, insert 4, delete 8, update 16, truncate 32.
_BITS: Final = {"posts_balance": 1 | 4, "posts_immutable": 2 | 8 | 16 | 32}
_OF_SQLITE = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
_OF_POSTGRESQL = text(
    "SELECT t.tgname, c.relname, t.tgtype, t.tgenabled = 'O' AND t.tgqual IS NULL "
    "AND t.tgattr::text = '', p.prosrc, p.proname "
    "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace "
    "AND c.relname IN :tables"
).bindparams(bindparam("tables", expanding=True))


def breaches(db: Connection) -> Iterator[tuple[str, str]]:
    """Yield each trigger that is not as it should be, and what is wrong with it."""
    if db.dialect.name == "postgresql":
        wanted = {
            name: ("posts", bits, True, FUNCTIONS[name], name) for name, bits in _BITS.items()
        }
        tables = list(schema.metadata.tables)
        there = {row[0]: tuple(row[1:]) for row in db.execute(_OF_POSTGRESQL, {"tables": tables})}
        yield from _compared(dict(wanted), there)
    else:
        yield from _compared(SQLITE, {row.name: row.sql for row in db.execute(_OF_SQLITE)})


def _compared(
    wanted: Mapping[str, object], there: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    for name in sorted(wanted.keys() | there.keys()):
        if name not in there:
            yield name, "is missing: nothing guards the posts"
        elif name not in wanted:
            yield name, "is no trigger of this program"
        elif there[name] != wanted[name]:
            yield name, "is not as this program made it, or is disabled"
