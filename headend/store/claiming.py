"""What the dispatcher asks of the rows of commands: what is due, what may go, what is out.

A claim looks at the next commands in the order in which they are to go, and not at all of them:
what it may not take, whatever comes next, it names in the same question.
"""

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, func, not_, or_, select, update

from headend.engine.states import Happening, State, after
from headend.store import commands
from headend.store.commands import CHANGE, TABLE, WAITS, Command
from headend.store.connection import Connection
from headend.store.listed import as_list, listed
from headend.store.prepared import Prepared
from protocol.timing import Instant


class HandedOut(Struct, frozen=True):
    """A command that an engine has.

    Args:
        command_id, ticket, meter_id, campaign_id, worker: see ``Command``.
        batch: of the claim that wrote the ticket.
        meter, line: the meter's name, and the line that it shares with others.
    """

    command_id: str
    ticket: str
    batch: str
    meter_id: int
    meter: str
    line: str | None
    campaign_id: int | None
    worker: str


class Ticket(Struct, frozen=True):
    """What a claim writes on a command.

    Args:
        command: as it stands in its row.
        ticket: of its next attempt.
        batch: of this claim.
        worker: executor that takes it.
        transaction_id: under which it acts from now on.
    """

    command: Command
    ticket: str
    batch: str
    worker: str
    transaction_id: str | None


def handed_out(db: Connection) -> list[HandedOut]:
    """Return every command that carries a ticket."""
    return [HandedOut(*row) for row in _HANDED_OUT.all(db)]


def promote(db: Connection, now: Instant) -> None:
    """Queue what was planned for a moment that has come."""
    _PROMOTE.run(db, now=now)


class Closed(Struct, frozen=True):
    """What nothing is claimed from, besides meters of which a command carries a ticket.

    Args:
        meters: row numbers of meters of which one is taken.
        lines: whose permits are used up.
        campaigns: that are paused, or have as many running as they may.
    """

    meters: Collection[int]
    lines: Collection[str]
    campaigns: Collection[int]


def claimable(
    db: Connection, state: State, closed: Closed, now: Instant, limit: int
) -> list[tuple[Command, str | None]]:
    """Return the next commands of a state that may be handed out, and their meters' lines.

    Their rows are held until the transaction ends.
    """
    rows = _CLAIMABLE.all(
        db,
        state=state.value,
        now=now,
        meters=as_list(closed.meters),
        lines=as_list(closed.lines),
        campaigns=as_list(closed.campaigns),
        limit=limit,
    )
    return [(commands.command_of(row), row[-1]) for row in rows]


def hand_out(db: Connection, tickets: Sequence[Ticket]) -> None:
    """Write the tickets of next attempts on commands; an id that one has is never replaced."""
    for each in tickets:
        _HAND_OUT.run(
            db,
            row=each.command.number,
            ticket=each.ticket,
            batch=each.batch,
            worker=each.worker,
            attempts=each.command.attempts + 1,
            identity=each.transaction_id,
        )


def overdue(db: Connection, now: Instant, limit: int) -> list[Command]:
    """Return commands that wait although their not-after has passed, their rows held."""
    waits = TABLE.c.state.in_([State.PLANNED.value, State.QUEUED.value])
    query = commands.rows().where(waits, *WAITS, TABLE.c.not_after < now)
    held = query.limit(limit).with_for_update(skip_locked=True, of=TABLE)
    return [commands.command_of(row) for row in db.execute(held)]


def due(db: Connection, now: Instant) -> frozenset[State]:
    """Return in which states there is a command whose moment has come and that has no ticket."""
    found = _DUE.one(db, now=now)
    return frozenset(state for state, there in zip(_WAITING, found, strict=True) if there)


# Made once: a worker asks these many times a second.
_IS_DUE = TABLE.c.due <= bindparam("now")
_HANDED_OUT = Prepared(
    select(
        TABLE.c.id.label("command_id"),
        TABLE.c.ticket,
        TABLE.c.batch,
        TABLE.c.meter_id,
        commands.METERS.c.name.label("meter"),
        commands.METERS.c.line,
        TABLE.c.campaign_id,
        TABLE.c.worker,
    )
    .select_from(TABLE.join(commands.METERS, commands.METERS.c.id == TABLE.c.meter_id))
    .where(TABLE.c.ticket.is_not(None))
)
_PROMOTE = Prepared(
    update(TABLE)
    .where(TABLE.c.state == State.PLANNED.value, _IS_DUE, *WAITS)
    .values(state=after(State.PLANNED, Happening.DUE).value)
)
_WAITING: Final = (State.QUEUED, State.UNKNOWN, State.PLANNED)
_DUE = Prepared(
    select(
        *(
            select(TABLE.c.number).where(TABLE.c.state == state.value, _IS_DUE, *WAITS).exists()
            for state in _WAITING
        )
    )
)
_SPOKEN_TO = TABLE.alias("out")
_LINE = commands.METERS.c.line
_CLAIMABLE = Prepared(
    commands.rows()
    .add_columns(_LINE)
    .where(
        TABLE.c.state == bindparam("state"),
        _IS_DUE,
        *WAITS,
        TABLE.c.meter_id.not_in(
            select(_SPOKEN_TO.c.meter_id).where(_SPOKEN_TO.c.ticket.is_not(None))
        ),
        not_(listed(TABLE.c.meter_id, "meters")),
        or_(_LINE.is_(None), not_(listed(_LINE, "lines"))),
        or_(TABLE.c.campaign_id.is_(None), not_(listed(TABLE.c.campaign_id, "campaigns"))),
    )
    .order_by(TABLE.c.priority, TABLE.c.number)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=TABLE)
)
_HAND_OUT = Prepared(
    CHANGE.values(
        ticket=bindparam("ticket"),
        batch=bindparam("batch"),
        worker=bindparam("worker"),
        attempts=bindparam("attempts"),
        transaction_id=func.coalesce(TABLE.c.transaction_id, bindparam("identity")),
    )
)
