"""Campaigns: one command for many meters.

| state | meaning |
|---|---|
| running | its commands are handed out |
| paused | none is handed out; what is under way goes on |
| cancelled | what had not begun is withdrawn |
| finished | each of its commands is final |
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, select, update

from headend.store import schema
from headend.store.connection import Connection
from headend.store.prepared import Prepared, among
from protocol.timing import Instant

_TABLE = schema.campaigns


class State(StrEnum):
    """How far a campaign has come."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


#: Which states a campaign may be put into from each; ``FINISHED`` comes by itself.
MOVES: Mapping[State, tuple[State, ...]] = {
    State.RUNNING: (State.PAUSED, State.CANCELLED, State.FINISHED),
    State.PAUSED: (State.RUNNING, State.CANCELLED, State.FINISHED),
    State.CANCELLED: (),
    State.FINISHED: (),
}


class Campaign(Struct, frozen=True):
    """One command for many meters.

    Args:
        number: row number, by which its commands name it.
        id: 32 hexadecimal digits.
        label: what people call it.
        command: name of the command.
        arguments: the same for each meter.
        selection: how the meters were chosen.
        state: see the module.
        at_once: how many of it may be under way at a time; None for any number.
        caller: who began it.
        idempotency_key: by which its caller asks for it again.
        created, finished: when.
    """

    number: int
    id: str
    label: str
    command: str
    arguments: Mapping[str, Any]
    selection: Mapping[str, Any]
    state: State
    at_once: int | None
    caller: str
    idempotency_key: str | None
    created: Instant
    finished: Instant | None


def _campaign(row: Sequence[Any]) -> Campaign:
    values = dict(zip(_TABLE.c.keys(), row, strict=True))
    values["state"] = State(values["state"])
    values["arguments"] = json.loads(values["arguments"])
    values["selection"] = json.loads(values["selection"])
    return Campaign(**values)


def add(
    db: Connection,
    campaign_id: str,
    command: str,
    arguments: Mapping[str, Any],
    selection: Mapping[str, Any],
    *,
    label: str,
    at_once: int | None,
    caller: str,
    idempotency_key: str | None,
    now: Instant,
) -> Campaign:
    """Begin a campaign; its commands are queued by the caller.

    Raises:
        sqlalchemy.exc.IntegrityError: its id or idempotency key is there already.
    """
    db.execute(
        insert(_TABLE).values(
            id=campaign_id,
            label=label,
            command=command,
            arguments=json.dumps(dict(arguments), sort_keys=True),
            selection=json.dumps(dict(selection), sort_keys=True),
            state=State.RUNNING.value,
            at_once=at_once,
            caller=caller,
            idempotency_key=idempotency_key,
            created=now,
        )
    )
    made = get(db, campaign_id)
    assert made is not None  # it was written a line ago
    return made


def get(db: Connection, campaign_id: str) -> Campaign | None:
    """Return the campaign of an id."""
    row = db.execute(select(_TABLE).where(_TABLE.c.id == campaign_id)).first()
    return None if row is None else _campaign(row)


def numbered(db: Connection, number: int) -> Campaign | None:
    """Return the campaign of a row number."""
    row = db.execute(select(_TABLE).where(_TABLE.c.number == number)).first()
    return None if row is None else _campaign(row)


def of_key(db: Connection, idempotency_key: str) -> Campaign | None:
    """Return the campaign that was begun with an idempotency key."""
    row = db.execute(select(_TABLE).where(_TABLE.c.idempotency_key == idempotency_key)).first()
    return None if row is None else _campaign(row)


def beginning_with(db: Connection, prefix: str) -> list[Campaign]:
    """Return the campaigns, two at most, whose id begins so."""
    query = select(_TABLE).where(_TABLE.c.id.startswith(prefix, autoescape=True)).limit(2)
    return [_campaign(row) for row in db.execute(query)]


def newest(db: Connection, limit: int = 50) -> list[Campaign]:
    """Return the newest campaigns, newest first."""
    query = select(_TABLE).order_by(_TABLE.c.number.desc()).limit(limit)
    return [_campaign(row) for row in db.execute(query)]


def going(db: Connection) -> list[Campaign]:
    """Return the campaigns that are running or paused."""
    return [_campaign(row) for row in _GOING.all(db)]


def move(db: Connection, campaign: Campaign, state: State, now: Instant) -> bool:
    """Put a campaign into a state; say whether it could be."""
    origins = [origin.value for origin, states in MOVES.items() if state in states]
    values: dict[str, Any] = {"state": state.value}
    if not MOVES[state]:
        values["finished"] = now
    row = (_TABLE.c.number == campaign.number) & _TABLE.c.state.in_(origins)
    return db.execute(update(_TABLE).where(row).values(**values)).rowcount == 1


# Made once: SQLAlchemy compiles a statement once, and would look each new one up.
_GOING = Prepared(select(_TABLE).where(among(_TABLE.c.state, (State.RUNNING, State.PAUSED))))
