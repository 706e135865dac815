"""The registry: a meter's life, what of its access is remembered, and which ones are meant.

How the one that a command names is found is in ``finding``, what an entry may say in ``entries``,
its life in ``life``, its rows in ``headend.store.registry``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import translate
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, exists, not_
from sqlalchemy import select as select_rows

from headend.context import Settings
from headend.errors import Refused, UsageError
from headend.registry.finding import find, unknown
from headend.registry.life import Life, check_step
from headend.store import registry, schema, transactions
from headend.store.connection import Connection
from headend.store.entry import Entry
from obis.values import field_names

_METERS, _TAGS, _COMMANDS = schema.meters, schema.tags, schema.commands
#: States in which a durable command has not come to its end.
_UNFINISHED = ("planned", "queued", "running", "unknown")


# --- one meter ---------------------------------------------------------------------------------


def held(db: Connection, name: str) -> Entry:
    """Return the meter of a name, which nobody else changes before ``db`` ends.

    Raises:
        UsageError: as ``find``.
    """
    return registry.hold(db, [find(db, name).id])[0]


def access_of(chosen: Settings) -> dict[str, Any]:
    """Return what of some settings an entry remembers: how a meter is spoken to."""
    return {name: getattr(chosen, name) for name in sorted(chosen.given & ACCESS)}


#: What of ``Settings`` an entry may have in its access. Keys and passwords are not among them.
ACCESS = frozenset(
    {
        "client",
        "logical",
        "physical",
        "address_size",
        "mechanism",
        "envelope",
        "protection",
        "sign",
        "short_names",
    }
)
assert set(field_names(Settings)) >= ACCESS


def change_life(db: Connection, entry: Entry, life: Life, *, insist: bool = False) -> None:
    """Take a step of a meter's life.

    Args:
        db: one database transaction.
        entry: the meter.
        life: where to.
        insist: retire it although something is open with it: it cannot be asked any more.

    Raises:
        Refused: there is no such step, or it may not be retired yet.
    """
    check_step(entry.name, entry.life, life)
    if life is Life.RETIRED and entry.life != life and not insist:
        check_at_rest(db, entry)
    registry.set_life(db, entry.id, life)


def check_at_rest(db: Connection, entry: Entry) -> None:
    """Refuse to retire a meter that something is open with.

    Raises:
        Refused: prepayment is active, or something is open or waiting.
    """

    def refuse(why: str, do: str) -> Refused:
        return Refused(f"{entry.name} {why}: {do}, or --force if it cannot be asked any more")

    if entry.prepayment:
        back = entry.life == Life.OUT_OF_SERVICE
        first = f"prepay meters set {entry.name} --life in-service, then " if back else ""
        raise refuse("has prepayment active", f"{first}prepay deactivate")
    if transactions.of_meter(db, entry.id, only_open=True):
        raise refuse("has a transaction whose outcome is open", "prepay settle")
    column = _COMMANDS.c
    waiting = column.meter_id == entry.id, column.state.in_(_UNFINISHED)
    if db.execute(select_rows(column.number).where(*waiting).limit(1)).first() is not None:
        raise refuse("has commands waiting", "prepay commands list")


def remove(db: Connection, entry: Entry) -> None:
    """Take off a meter that nothing has ever been done with.

    Raises:
        Refused: something is written of it.
    """
    if spoken := registry.history(db, entry.id):
        raise Refused(
            f"{entry.name} stays, for its {', '.join(spoken)}: prepay meters set {entry.name} "
            "--life retired"
        )
    registry.remove(db, entry.id)


# --- many --------------------------------------------------------------------------------------

_CONDITION = re.compile(r"(?P<key>[a-z_]+)(?P<not>!?)=(?P<value>.*)", re.DOTALL)
#: What a query asks for, and the column that has it; tags have a table of their own.
_ASKED: Mapping[str, Any] = {
    "profile": _METERS.c.profile,
    "line": _METERS.c.line,
    "life": _METERS.c.life,
    "mode": _METERS.c.mode,
    "serial": _METERS.c.serial,
    "ean": _METERS.c.ean,
}


class Condition(Struct, frozen=True):
    """One condition of a query.

    Args:
        key: one of profile, line, life, mode, serial, ean, tag, name.
        value: what it is; of a name, a pattern with ``*`` and ``?``.
        negated: what it is not.
    """

    key: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.key}{'!' * self.negated}={self.value}"


class Selection(Struct, frozen=True):
    """Which meters are meant: those for which all of it is true.

    Retired meters are never meant, unless a condition asks for their life.

    Args:
        tags: it has each of them.
        names: it is one of these, from a file; None where nobody gave one.
        conditions: of a query.
    """

    tags: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(
        cls,
        tags: Iterable[str] = (),
        names: Iterable[str] | None = None,
        query: str | None = None,
    ) -> "Selection":
        """Return what tags, names and a query mean together.

        Args:
            tags: as above.
            names: as above.
            query: conditions with commas between: ``profile=be-wal,line!=K7,name=OPP*``.

        Raises:
            UsageError: a condition that cannot be understood, or nothing was chosen at all.
        """
        conditions = tuple(_condition(part) for part in (query or "").split(",") if part.strip())
        made = cls(tuple(tags), None if names is None else tuple(names), conditions)
        if not made.tags and made.names is None and not made.conditions:
            raise UsageError("which meters? Give --tag, --file or --query; --query 'name=*' is all")
        return made

    def to_json(self) -> dict[str, Any]:
        """Return it as it is written down."""
        return {
            "tags": list(self.tags),
            "names": None if self.names is None else list(self.names),
            "query": ",".join(str(each) for each in self.conditions),
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Selection":
        """Return what was written down."""
        return cls.parse(written["tags"], written["names"], written["query"])


def _condition(part: str) -> Condition:
    found = _CONDITION.fullmatch(part.strip())
    known = [*_ASKED, "tag", "name"]
    if found is None or found["key"] not in known:
        near = get_close_matches(part.partition("=")[0].strip(" !"), known, 1)
        hint = f"; did you mean {near[0]}=?" if near else ""
        raise UsageError(
            f"{part.strip()[:60]!r} is no condition: write one of {', '.join(known)} as key=value "
            f"or key!=value{hint}"
        )
    key, value = found["key"], found["value"].strip()
    if key == "life" and value not in list(Life):
        raise UsageError(f"{value[:40]!r} is no life: those are {', '.join(Life)}")
    return Condition(key, value, bool(found["not"]))


def select(db: Connection, selection: Selection) -> list[int]:
    """Return the row numbers of the meters that are meant, by name.

    Raises:
        UsageError: a name that no meter has.
    """
    wheres = [_where(each) for each in selection.conditions if each.key != "name"]
    wheres += [_tagged(each) for each in selection.tags]
    if not any(each.key == "life" for each in selection.conditions):
        wheres.append(_METERS.c.life != Life.RETIRED.value)
    query = select_rows(_METERS.c.id, _METERS.c.name).where(and_(*wheres))
    found = {row.name: row.id for row in db.execute(query.order_by(_METERS.c.name))}
    if selection.names is not None:
        meant = _named(db, selection.names)
        found = {name: meter_id for name, meter_id in found.items() if name in meant}
    for each in selection.conditions:
        if each.key == "name":
            matches = re.compile(translate(each.value)).match
            found = {n: i for n, i in found.items() if bool(matches(n)) is not each.negated}
    return list(found.values())


def _where(condition: Condition) -> ColumnElement[bool]:
    if condition.key == "tag":
        where = _tagged(condition.value)
    elif condition.value:
        where = _ASKED[condition.key].is_not_distinct_from(condition.value)
    else:  # "line=": those that are on none
        column = _ASKED[condition.key]
        where = column.is_(None) | (column == "")
    return not_(where) if condition.negated else where


def _tagged(tag: str) -> ColumnElement[bool]:
    return exists().where(_TAGS.c.meter_id == _METERS.c.id, _TAGS.c.tag == tag)


def _named(db: Connection, wanted: Sequence[str]) -> frozenset[str]:
    """Return the names of a file, each of which some meter has."""
    known = registry.names(db)
    missing = [name for name in wanted if name not in known]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UsageError(f"{unknown(db, missing[0])}{more}")
    return frozenset(wanted)


def names_of_file(text: str) -> tuple[str, ...]:
    """Return the names of a file: one a line, the first column of a table; ``#`` is a remark."""
    lines = (line.split(",")[0].split(";")[0].strip().strip('"') for line in text.splitlines())
    kept = (line for line in lines if line and not line.startswith("#"))
    return tuple(dict.fromkeys(name for name in kept if name != "name"))
