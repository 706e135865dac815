"""The rows of durable commands; their states and what moves them are in ``engine.states``."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)

from headend.engine.states import FINAL, OPEN, Happening, State, after
from headend.store import schema
from headend.store.connection import Connection
from headend.store.prepared import Prepared
from obis.values import field_names, replace
from protocol.timing import Instant

TABLE = schema.commands
METERS = schema.meters

#: A claim takes this lock where rows are locked one by one, so that permits are counted right.
_CLAIMING: Final = 0x0FFA11


class Command(Struct, frozen=True):
    """One command for one meter.

    Args:
        number: order of queueing.
        id: 32 hexadecimal digits.
        meter_id, meter: row number and name of the meter.
        campaign_id: number of the campaign it belongs to.
        name: of the file in ``headend.commands``.
        arguments: of its parameters, by name, in the types that JSON has.
        state: how far it has come.
        reason: why it is in that state, for people; None where the state says it.
        answer: what it reported, once there is something.
        priority: the smallest goes first.
        not_before, not_after: it is sent between these moments only.
        due: when it is next looked at.
        attempts: how many have begun.
        ticket: of the attempt that is under way or waits in the engine.
        worker: executor that took or runs it.
        transaction_id: under which it moves money or state, once it was drawn.
        idempotency_key: by which its caller asks for it again.
        correlation: goes with it into every log line.
        caller: who queued it.
        cancel: whether somebody asked to withdraw it.
        created, started, finished: when it was queued, first attempted, and became final.
    """

    number: int
    id: str
    meter_id: int
    meter: str
    campaign_id: int | None
    name: str
    arguments: Mapping[str, Any]
    state: State
    reason: str | None
    answer: Mapping[str, Any] | None
    priority: int
    not_before: Instant | None
    not_after: Instant
    due: Instant
    attempts: int
    ticket: str | None
    worker: str | None
    transaction_id: str | None
    idempotency_key: str | None
    correlation: str
    caller: str
    cancel: bool
    created: Instant
    started: Instant | None
    finished: Instant | None


class New(Struct, frozen=True):
    """What is queued: see ``Command``."""

    id: str
    meter_id: int
    name: str
    arguments: Mapping[str, Any]
    priority: int
    not_after: Instant
    caller: str
    not_before: Instant | None = None
    transaction_id: str | None = None
    idempotency_key: str | None = None
    campaign_id: int | None = None


#: What a command reported, in the types that JSON has.
Answer = Mapping[str, Any]

_NAMES: Final = field_names(Command)


def command_of(row: Sequence[Any]) -> Command:
    """Return the command of a row of ``rows``; what it has beyond that is somebody else's."""
    values = dict(zip(_NAMES, row, strict=False))
    values["state"] = State(values["state"])
    values["arguments"] = json.loads(values["arguments"])
    values["answer"] = None if values["answer"] is None else json.loads(values["answer"])
    values["cancel"] = bool(values["cancel"])
    return Command(**values)


def rows() -> Select[Any]:
    """Return the query for commands, whose columns ``command_of`` takes."""
    met = METERS.c.id == TABLE.c.meter_id
    named = {**TABLE.c, "meter": METERS.c.name.label("meter")}
    return select(*(named[name] for name in _NAMES)).select_from(TABLE.join(METERS, met))


def add(db: Connection, commands: Sequence[New], now: Instant) -> None:
    """Queue commands.

    Raises:
        sqlalchemy.exc.IntegrityError: an id or an idempotency key is there already.
    """
    rows = [
        {
            "id": new.id,
            "meter_id": new.meter_id,
            "campaign_id": new.campaign_id,
            "name": new.name,
            "arguments": json.dumps(dict(new.arguments), sort_keys=True),
            "state": (State.QUEUED if _is_due(new, now) else State.PLANNED).value,
            "priority": new.priority,
            "not_before": new.not_before,
            "not_after": new.not_after,
            "due": now if _is_due(new, now) else new.not_before,
            "attempts": 0,
            "transaction_id": new.transaction_id,
            "idempotency_key": new.idempotency_key,
            "correlation": new.id,
            "caller": new.caller,
            "cancel": False,
            "created": now,
        }
        for new in commands
    ]
    if rows:
        db.execute(insert(TABLE), rows)


def _is_due(new: New, now: Instant) -> bool:
    return new.not_before is None or new.not_before <= now


def get(db: Connection, command_id: str) -> Command | None:
    """Return the command of an id."""
    row = _BY_ID.first(db, key=command_id)
    return None if row is None else command_of(row)


def beginning_with(db: Connection, prefix: str) -> list[Command]:
    """Return the commands, two at most, whose id begins so: people do not type 32 digits."""
    query = rows().where(TABLE.c.id.startswith(prefix, autoescape=True)).limit(2)
    return [command_of(row) for row in db.execute(query)]


def of_key(db: Connection, idempotency_key: str) -> Command | None:
    """Return the command that was queued with an idempotency key."""
    row = db.execute(rows().where(TABLE.c.idempotency_key == idempotency_key)).first()
    return None if row is None else command_of(row)


def of_ticket(db: Connection, ticket: str) -> Command | None:
    """Return the command that carries a ticket, its row held until the transaction ends."""
    row = _HOLD_BY_TICKET.first(db, ticket=ticket)
    return None if row is None else command_of(row)


def still_carries(db: Connection, command: Command) -> bool:
    """Say whether a command carries the ticket that it did; its row is held if so."""
    return _HOLD_CARRIED.first(db, row=command.number, ticket=command.ticket) is not None


def hold(db: Connection, command_id: str) -> Command | None:
    """Return the command of an id, its row held until the transaction ends."""
    row = _HOLD_BY_ID.first(db, key=command_id)
    return None if row is None else command_of(row)


def newest(
    db: Connection,
    *,
    states: Collection[State] = (),
    meter_id: int | None = None,
    campaign_id: int | None = None,
    limit: int = 50,
) -> list[Command]:
    """Return the newest commands of these states, meter and campaign; newest first."""
    query = rows().order_by(TABLE.c.number.desc()).limit(limit)
    if states:
        query = query.where(TABLE.c.state.in_([state.value for state in states]))
    if meter_id is not None:
        query = query.where(TABLE.c.meter_id == meter_id)
    if campaign_id is not None:
        query = query.where(TABLE.c.campaign_id == campaign_id)
    return [command_of(row) for row in db.execute(query)]


def undone(db: Connection, campaign_id: int, limit: int, behind: int = 0) -> list[Command]:
    """Return what of a campaign is over and not done, unknown, or waits after an attempt failed.

    Args:
        db: the database.
        campaign_id: number of the campaign.
        limit: how many at most, in the order in which they were queued.
        behind: number of a command; those up to it are left out.
    """
    query = rows().where(_undone(campaign_id), TABLE.c.number > behind)
    return [command_of(row) for row in db.execute(query.order_by(TABLE.c.number).limit(limit))]


def count_undone(db: Connection, campaign_id: int, behind: int = 0) -> int:
    """Return how many ``undone`` would return without a limit."""
    query = select(func.count()).where(_undone(campaign_id), TABLE.c.number > behind)
    return db.scalar(query) or 0


def _undone(campaign_id: int) -> ColumnElement[bool]:
    bad = (State.REFUSED, State.EXPIRED, State.CANCELLED, State.UNKNOWN)
    over = TABLE.c.state.in_([state.value for state in bad])
    failed = (TABLE.c.state == State.QUEUED.value) & TABLE.c.reason.is_not(None)
    return and_(TABLE.c.campaign_id == campaign_id, over | failed)


def counts(db: Connection, campaign_id: int | None = None) -> dict[State, int]:
    """Return how many commands are in each state that any is in."""
    query = select(TABLE.c.state, func.count()).group_by(TABLE.c.state)
    if campaign_id is not None:
        query = query.where(TABLE.c.campaign_id == campaign_id)
    return {State(state): count for state, count in db.execute(query)}


def all_final(db: Connection, campaign_id: int) -> bool:
    """Say whether each command of a campaign is final."""
    still = TABLE.c.state.in_([state.value for state in OPEN])
    query = select(TABLE.c.number).where(TABLE.c.campaign_id == campaign_id, still).limit(1)
    return db.execute(query).first() is None


# --- an attempt --------------------------------------------------------------------------------


def begin_queued(db: Connection, ticket: str, worker: str, now: Instant) -> Command | None:
    """Note that the attempt of a ticket is under way, in one statement, if nothing is in its way.

    Returns:
        The command as it was before; None where it was not queued, is to be withdrawn, or its
        not-after has passed: then nothing was changed.
    """
    values = {"state": _BEGUN.value, "worker": worker, "now": now}
    row = _BEGIN_QUEUED.first(db, ticket=ticket, **values)
    return None if row is None else replace(command_of(row), state=State.QUEUED)


def begin(db: Connection, command: Command, worker: str, now: Instant) -> None:
    """Note that an attempt is under way."""
    state = after(command.state, Happening.BEGUN)
    _BEGIN.run(db, row=command.number, state=state.value, worker=worker, now=now)


def end(
    db: Connection,
    command: Command,
    happening: Happening,
    now: Instant,
    *,
    reason: str | None = None,
    answer: Answer | None = None,
    due: Instant | None = None,
) -> State:
    """Note what became of an attempt, or of a command that never had one; return its state.

    Args:
        db: one database transaction, in which the command's row is held.
        command: as it stands in the row.
        happening: for the table of states.
        now: the head-end's time.
        reason: for people.
        answer: what it reported.
        due: when it is looked at again, unless its state is final.
    """
    state = after(command.state, happening)
    _END.run(db, row=command.number, **ended(state, now, reason, answer, due))
    return state


def end_carried(
    db: Connection,
    command: Command,
    state: State,
    now: Instant,
    *,
    reason: str | None,
    answer: Answer | None,
) -> bool:
    """Note in which final state an attempt has ended; False: it carries its ticket no more."""
    values = ended(state, now, reason, answer, None)
    return bool(_END_CARRIED.run(db, row=command.number, carried=command.ticket, **values))


def ended(
    state: State, now: Instant, reason: str | None, answer: Answer | None, due: Instant | None
) -> dict[str, Any]:
    """Return what the row of a command has at the end of an attempt."""
    return {
        "state": state.value,
        "reason": reason,
        "answer": None if answer is None else json.dumps(dict(answer)),
        "finished": now if state.is_final else None,
        "due": None if state.is_final else due,
    }


def forget_id(db: Connection, command: Command) -> None:
    """Let the next hand-out draw another transaction id: the one it had is over for good."""
    _FORGET_ID.run(db, row=command.number)


# --- a caller ----------------------------------------------------------------------------------


def ask_cancel(db: Connection, command: Command) -> None:
    """Note that somebody wants a command withdrawn; the attempt looks before it sends."""
    db.execute(update(TABLE).where(TABLE.c.number == command.number).values(cancel=True))


def cancel_asked(db: Connection, command_id: str) -> bool:
    """Say whether somebody wants a command withdrawn."""
    return bool(_CANCEL.scalar(db, key=command_id))


def hurry(db: Connection, command: Command, now: Instant) -> None:
    """Let a command that waits for its next attempt be looked at now."""
    row = and_(TABLE.c.number == command.number, TABLE.c.ticket.is_(None))
    db.execute(update(TABLE).where(row, TABLE.c.due > now).values(due=now))


def begin_claiming(db: Connection) -> None:
    """Let no other dispatcher claim until this transaction ends.

    On SQLite the transaction itself does that.
    """
    if db.dialect.name == "postgresql":
        _ALONE.all(db)


def cancel_campaign(db: Connection, campaign_id: int, now: Instant) -> None:
    """Withdraw what of a campaign waits, and ask that what is under way be withdrawn."""
    ours = TABLE.c.campaign_id == campaign_id
    begin_claiming(db)  # who claims holds several rows too: no two are to wait for each other
    idle = and_(ours, TABLE.c.ticket.is_(None), TABLE.c.attempts == 0)
    waits = TABLE.c.state.in_([State.PLANNED.value, State.QUEUED.value])
    gone = {"state": State.CANCELLED.value, "finished": now, "cancel": True}
    db.execute(update(TABLE).where(idle, waits).values(**gone))
    still = TABLE.c.state.not_in([state.value for state in FINAL])
    db.execute(update(TABLE).where(ours, still).values(cancel=True))


#: What waits to be handed out, as the indexes have it.
WAITS: Final = (TABLE.c.ticket.is_(None), TABLE.c.finished.is_(None))
# Made once: a worker asks these for each attempt.
_OF_ID = rows().where(TABLE.c.id == bindparam("key"))
_BY_ID = Prepared(_OF_ID)
_HOLD_BY_ID = Prepared(_OF_ID.with_for_update(of=TABLE))
_BY_TICKET = TABLE.c.ticket == bindparam("ticket")
_HOLD_BY_TICKET = Prepared(rows().where(_BY_TICKET).with_for_update(of=TABLE))
_HOLD_CARRIED = Prepared(
    select(TABLE.c.number).where(TABLE.c.number == bindparam("row"), _BY_TICKET).with_for_update()
)
_CANCEL = Prepared(select(TABLE.c.cancel).where(TABLE.c.id == bindparam("key")))
CHANGE = update(TABLE).where(TABLE.c.number == bindparam("row"))
_ALONE = Prepared(select(func.pg_advisory_xact_lock(literal_column(str(_CLAIMING)))))
_FORGET_ID = Prepared(CHANGE.values(transaction_id=null()))
_BEGINNING: Final[dict[str, Any]] = {
    "state": bindparam("state"),
    "worker": bindparam("worker"),
    "started": func.coalesce(TABLE.c.started, bindparam("now")),
}
_BEGIN = Prepared(CHANGE.values(_BEGINNING))
_BEGUN: Final = after(State.QUEUED, Happening.BEGUN)
_MINE = select(METERS.c.name).where(METERS.c.id == TABLE.c.meter_id).scalar_subquery()
_BEGIN_QUEUED = Prepared(
    update(TABLE)
    .where(
        _BY_TICKET,
        TABLE.c.state == State.QUEUED.value,
        TABLE.c.cancel.is_(False),
        TABLE.c.not_after >= bindparam("now"),
    )
    .values(_BEGINNING)
    .returning(*(_MINE if name == "meter" else TABLE.c[name] for name in _NAMES))
)
_ENDING: Final[dict[str, Any]] = {
    "state": bindparam("state"),
    "reason": bindparam("reason"),
    "ticket": null(),
    "answer": func.coalesce(bindparam("answer"), TABLE.c.answer),
    "finished": func.coalesce(bindparam("finished"), TABLE.c.finished),
    "due": func.coalesce(bindparam("due"), TABLE.c.due),
}
_END = Prepared(CHANGE.values(_ENDING))
_END_CARRIED = Prepared(CHANGE.where(TABLE.c.ticket == bindparam("carried")).values(_ENDING))
