"""Importing meters: every row is checked first, then all are written in one database transaction.

A row is the truth about the fields that it names; a field whose column is not there stays as the
registry has it. A meter that is new is added, one that is known is changed, and its life takes
only steps that there are. Nothing is written while a single row is wrong.
"""

from collections.abc import Mapping

from msgspec import Struct

from headend.errors import Refused, UsageError
from headend.registry.entries import FieldError, check_text, entry
from headend.registry.life import Life, check_step
from headend.registry.meters import check_at_rest
from headend.registry.tables import Content, Raw
from headend.store import Store, audit, registry
from headend.store.connection import Connection
from headend.store.registry import Entry
from obis.values import replace
from protocol.timing import Instant

#: Permits of a line that anybody can mean: more is a slip of the pen.
MOST_PERMITS = 10_000
#: Fields whose change is told, in their order.
_TOLD = ("serial", "ean", "profile", "transport", "access", "line", "life", "tags")


class RowsRefused(UsageError):
    """Rows are wrong, so nothing was imported.

    Args:
        rows: what became of each.
        source: how the file is called.
        unit: what the number of a row counts.
    """

    def __init__(self, rows: "list[Imported]", source: str, unit: str) -> None:
        wrong = [row for row in rows if row.wrong]
        first = wrong[0]
        count = f"{len(wrong)} of {len(rows)} rows are wrong, so nothing was imported"
        super().__init__(f"{source}: {count}; {unit} {first.line}: {first.wrong}")
        self.rows = rows
        self.unit = unit


class Imported(Struct, frozen=True):
    """What becomes of a row.

    Args:
        line: where it stands.
        name: of the meter, as far as the row says.
        done: "added", "changed" or "unchanged"; empty where it is wrong.
        changes: the fields that change.
        wrong: what is wrong with it; empty where nothing is.
    """

    line: int
    name: str
    done: str = ""
    changes: tuple[str, ...] = ()
    wrong: str = ""


def import_meters(
    store: Store, content: Content, source: str, now: Instant, caller: str, *, dry: bool = False
) -> list[Imported]:
    """Check all rows, and write them in one database transaction if none is wrong.

    They are checked before it begins: a large file does not keep everybody else waiting.

    Args:
        store: the database.
        content: of the file.
        source: how the file is called in an error, and in the audit log.
        now: the head-end's time.
        caller: for the audit log.
        dry: write nothing.

    Raises:
        RowsRefused: rows are wrong; nothing was written.
        Refused: somebody has changed one of the meters meanwhile; nothing was written.
    """
    with store.read() as db:
        plan = _Plan(db)
        rows = [plan.take(raw) for raw in content.rows]
    plan.check_points_of_delivery(rows)
    _check_lines(content.lines)
    if any(row.wrong for row in rows):
        raise RowsRefused(rows, source, content.unit)
    if not dry:
        with store.begin() as db:
            if plan.write(db, content.lines, now):
                told = {"meters": sum(row.done != "unchanged" for row in rows)}
                audit.append(db, now, caller, "meters.import", source[-128:], told)
    return rows


class _Plan:
    """What is going to be written; who is where is read once, for however many rows."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._known = {each.name: each for each in registry.every(db)}
        self._first: dict[str, int] = {}  # line by name
        self._wanted: dict[str, Entry] = {}
        self._added: list[Entry] = []
        self._changed: list[tuple[Entry, Entry]] = []

    def take(self, raw: Raw) -> Imported:
        """Check a row by itself, and against those before it."""
        said = raw.fields.get("name")
        name = said[:64] if isinstance(said, str) else ""
        if raw.wrong:
            return Imported(raw.line, name, wrong=raw.wrong)
        try:
            before = self._known.get(name) if said == name else None
            made = entry(raw.fields, before)
            if name in self._first:
                raise FieldError(f"{name} is there already, at line {self._first[name]}")
            if before is not None:
                check_step(name, before.life, made.life)
                if made.life == Life.RETIRED != before.life:
                    check_at_rest(self._db, before)
        except (FieldError, Refused) as error:
            return Imported(raw.line, name, wrong=str(error))
        self._first[name] = raw.line
        self._wanted[name] = made
        return self._compared(raw.line, before, made)

    def _compared(self, line: int, before: Entry | None, made: Entry) -> Imported:
        if before is None:
            self._added.append(made)
            return Imported(line, made.name, "added")
        changes = tuple(name for name in _TOLD if getattr(before, name) != getattr(made, name))
        if not changes:
            return Imported(line, made.name, "unchanged")
        self._changed.append((before, made))
        told = tuple("port" if name == "transport" else name for name in changes)
        return Imported(line, made.name, "changed", told)

    def check_points_of_delivery(self, rows: list[Imported]) -> None:
        """Mark rows that would put two meters at one point of delivery."""
        at: dict[str, str] = {}
        for known in self._known.values():
            if known.ean is not None and known.name not in self._wanted:
                at[known.ean] = known.name
        for index, row in enumerate(rows):
            if row.wrong or row.name not in self._wanted:
                continue
            ean = self._wanted[row.name].ean
            other = None if ean is None else at.setdefault(ean, row.name)
            if other is not None and other != row.name:
                rows[index] = replace(
                    row, done="", changes=(), wrong=f"EAN {ean} is that of {other}"
                )

    def write(self, db: Connection, lines: Mapping[str, int], now: Instant) -> bool:
        """Write all of it, and return whether there was anything to be written.

        Raises:
            Refused: somebody has changed one of the meters meanwhile.
        """
        for name, permits in lines.items():
            registry.set_line(db, name, permits)
        self._check_again(db)
        # Points of delivery may change hands within one file: all are given up before one is taken.
        for before, made in self._changed:
            if before.ean != made.ean and before.ean is not None:
                registry.put(db, before.id, replace(before, ean=None))
        for before, made in self._changed:
            registry.put(db, before.id, made)
        registry.add(db, self._added, now)
        return bool(lines or self._changed or self._added)

    def _check_again(self, db: Connection) -> None:
        """Make sure that what is going to be changed is what was looked at, and hold it."""
        seen = {before.name: (before, made) for before, made in self._changed}
        for now in registry.hold(db, [before.id for before, _ in self._changed]):
            before, made = seen[now.name]
            if now != before:
                raise Refused(f"{now.name} was changed meanwhile: import again")
            if made.life == Life.RETIRED != before.life:
                check_at_rest(db, now)
        known = registry.names(db) if self._added else {}
        for each in self._added:
            if each.name in known:
                raise Refused(f"{each.name} was met meanwhile: import again")


def _check_lines(lines: Mapping[str, int]) -> None:
    try:
        for name, permits in lines.items():
            check_text("line", name, empty=False)
            check_permits(permits)
    except FieldError as error:
        raise UsageError(str(error)) from error


def check_permits(permits: int) -> int:
    """Return a number of permits.

    Raises:
        FieldError: nobody can mean it.
    """
    if not 1 <= permits <= MOST_PERMITS:
        raise FieldError(f"permits are 1 to {MOST_PERMITS}, not {permits}")
    return permits
