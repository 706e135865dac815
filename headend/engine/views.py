"""What people see of commands, and do to them: ``prepay commands``."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from headend.context import Context
from headend.engine.arguments import IDENTITY, durable
from headend.engine.ordering import ended
from headend.engine.queueing import Terms, cancel, note, prepared, queue, wait, whoami
from headend.engine.states import State
from headend.engine.wake import wake, wake_with
from headend.errors import Refused, UsageError
from headend.report import Report
from headend.store import commands
from headend.store.commands import Command
from headend.times import utc

#: The fewest digits by which a command may be named.
_LEAST = 4


def found(db: Connection, command_id: str) -> Command:
    """Return the command of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    text = command_id.lower()
    if len(text) >= _LEAST:
        known = commands.beginning_with(db, text)
        if len(known) == 1:
            return known[0]
        if known:
            raise UsageError(f"more than one command begins with {text[:40]!r}: give more digits")
    raise UsageError(f"there is no command {text[:40]!r}: prepay commands list")


def told(command: Command) -> dict[str, Any]:
    """Return a command for machines."""

    def at(moment: int | None) -> str | None:
        return None if moment is None else utc(moment)

    return {
        "command": command.id,
        "name": command.name,
        "arguments": dict(command.arguments),
        "meter": command.meter,
        "state": command.state.value,
        "reason": command.reason,
        "transaction": command.transaction_id,
        "attempts": command.attempts,
        "priority": command.priority,
        "not_before": at(command.not_before),
        "not_after": at(command.not_after),
        "next": at(None if command.state.is_final else command.due),
        "created": at(command.created),
        "started": at(command.started),
        "finished": at(command.finished),
        "worker": command.worker,
        "caller": command.caller,
        "idempotency_key": command.idempotency_key,
        "cancel": command.cancel,
        "answer": None if command.answer is None else command.answer.get("data", command.answer),
    }


def listed(context: Context, states: Sequence[str], limit: int) -> Report:
    """Return the newest commands."""
    meter = context.registered
    with context.store.read() as db:
        newest = commands.newest(
            db,
            states=[State(each) for each in states],
            meter_id=None if meter is None else meter.id,
            limit=limit,
        )
    columns = ("command", "created", "name", "meter", "state", "reason")
    rows = [
        (c.id[:16], utc(c.created)[:19], _said(c), c.meter, c.state.value, c.reason or "")
        for c in newest
    ]
    lines = () if newest else ("nothing was queued: prepay --meter NAME topup 25.00 --queue",)
    data = {"commands": [told(each) for each in newest]}
    return Report(data, lines, columns if newest else (), rows)


def _said(command: Command) -> str:
    values = " ".join(str(value) for value in command.arguments.values() if value not in ([], None))
    return f"{command.name} {values}".strip()[:40]


def shown(context: Context, command_id: str) -> Report:
    """Return all that is known of one command."""
    with context.store.read() as db:
        command = found(db, command_id)
    data = told(command)
    lines = [f"{name}: {value}" for name, value in data.items() if value not in (None, {}, False)]
    return Report(data, lines)


def cancelled(context: Context, command_id: str) -> Report:
    """Withdraw a command.

    Raises:
        Refused: it is too late.
    """
    with context.store.begin() as db:
        command = found(db, command_id)
        state = cancel(db, command, whoami(), context.now())
        wake_with(db)
    wake(context.store.url)
    if state is State.CANCELLED:
        said = f"command {command.id} is cancelled"
    else:
        said = f"command {command.id} is {state.value}; it will be withdrawn unless it is sent"
    return Report({"command": command.id, "state": state.value}, (said,))


def waited(context: Context, command_id: str, seconds: float | None) -> Report:
    """Return what a command reported, once it has.

    Raises:
        Unsuccessful: it is not done.
    """
    with context.store.read() as db:
        command = found(db, command_id)
    return ended(wait(context, command.id, seconds, time.sleep))


def retried(context: Context, command_id: str) -> Report:
    """Look at an open command at once; queue a failed one anew.

    Raises:
        Refused: it is done.
    """
    now = context.now()
    with context.store.begin() as db:
        command = found(db, command_id)
        if command.state in (State.DONE, State.SETTLED):
            raise Refused(f"command {command.id} is {command.state.value}: give it anew to repeat")
        if command.state.is_final:
            of = durable(command.name)
            terms = Terms(priority=command.priority)
            parameters = {**command.arguments, IDENTITY: None}
            made = queue(db, prepared(of, parameters, command.meter_id, terms, context), now)
            note(db, made, "retried", now, instead_of=command.id)
            said = f"queued anew: command {made.id}"
        else:
            made = command
            commands.hurry(db, command, now)
            said = f"command {command.id} is looked at now"
        wake_with(db)
    wake(context.store.url)
    return Report({"command": made.id, "state": made.state.value}, (said,))
