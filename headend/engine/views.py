"""What people see of commands, and do to them: ``prepay commands``."""

import json
import time
from collections.abc import Sequence
from typing import Any

from headend.context import Context
from headend.engine.arguments import IDENTITY, durable
from headend.engine.ordering import ended
from headend.engine.queueing import Terms, cancel, note, prepared, queue, wait, whoami
from headend.engine.states import State
from headend.engine.typed import typed
from headend.engine.wake import wake, wake_with
from headend.errors import Refused, UsageError
from headend.report import Report
from headend.store import audit, campaigns, commands
from headend.store.commands import Command
from headend.store.connection import Connection
from headend.times import utc

#: Of an id so many digits are listed: those of a campaign's commands, made within a millisecond,
#: differ in them.
DIGITS = 20
#: The fewest digits by which a command or a campaign may be named.
LEAST = 4


def found(db: Connection, command_id: str) -> Command:
    """Return the command of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    text = command_id.lower()
    if len(text) < LEAST:
        raise UsageError(f"{text!r}: a command is named by {LEAST} digits of its id, or more")
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


def listed(
    context: Context, states: Sequence[str], limit: int, campaign: str | None = None
) -> Report:
    """Return the newest commands.

    Args:
        context: the run of the command.
        states: of these only; none are all.
        limit: how many at most.
        campaign: of this one only, by its id or the first digits of it.

    Raises:
        UsageError: there is no such campaign.
    """
    from headend.engine.campaigns import found as campaign_of  # which needs this module

    meter = context.registered
    with context.store.read() as db:
        of = None if campaign is None else campaign_of(db, campaign).number
        newest = commands.newest(
            db,
            states=[State(each) for each in states],
            meter_id=None if meter is None else meter.id,
            campaign_id=of,
            limit=limit,
        )
    columns = ("command", "created", "name", "meter", "state", "reason")
    rows = [
        (c.id[:DIGITS], utc(c.created)[:19], _said(c), c.meter, c.state.value, c.reason or "")
        for c in newest
    ]
    lines = () if newest else ("nothing was queued: prepay --meter NAME topup 25.00 --queue",)
    data = {"commands": [told(each) for each in newest]}
    return Report(data, lines, columns if newest else (), rows)


def _said(command: Command) -> str:
    return typed(command.name, command.arguments)


def shown(context: Context, command_id: str) -> Report:
    """Return all that is known of one command."""
    with context.store.read() as db:
        command = found(db, command_id)
    data = told(command)
    lines = [f"{name}: {value}" for name, value in _worded(command).items()]
    return Report(data, lines)


def _worded(command: Command) -> dict[str, Any]:
    """Return what is known of a command for people: what was typed, and what was answered."""
    data = told(command)
    answer = data.pop("answer")
    data["name"] = _said(command)
    if isinstance(answer, dict):
        answer = ", ".join(f"{name} {_word(each)}" for name, each in answer.items() if each)
    data["answer"] = answer
    return {k: v for k, v in data.items() if k != "arguments" and v not in (None, "", False)}


def _word(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


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
        Refused: it is done, or was withdrawn: whoever gave it may have wanted it for later.
    """
    now = context.now()
    with context.store.begin() as db:
        command = found(db, command_id)
        if command.state in (State.DONE, State.SETTLED):
            raise Refused(f"command {command.id} is {command.state.value}: give it anew to repeat")
        if command.state is State.CANCELLED:
            raise Refused(
                f"command {command.id} was withdrawn{_by_whom(db, command)}: give it again"
            )
        if command.state.is_final:
            of = durable(command.name)
            terms = Terms(priority=command.priority)
            parameters = {**command.arguments, IDENTITY: None}
            made = queue(db, prepared(of, parameters, command.meter_id, terms, context), now)
            note(db, made, "retried", now, instead_of=command.id)
            said = f"queued anew, now: {_said(command)} for {made.meter}, command {made.id}"
        else:
            made = command
            commands.hurry(db, command, now)
            said = f"command {command.id} is looked at now"
        wake_with(db)
    wake(context.store.url)
    return Report({"command": made.id, "state": made.state.value}, (said,))


def _by_whom(db: Connection, command: Command) -> str:
    """Return who withdrew a command, for people; empty where the audit log does not say."""
    asked = audit.newest(db, 1, action="command cancel asked", subject=command.id)
    if asked:
        return f" by {asked[0].details.get('by', asked[0].caller)}"
    campaign = None if command.campaign_id is None else campaigns.numbered(db, command.campaign_id)
    if campaign is None:
        return ""
    whole = audit.newest(db, 1, action="campaign cancelled", subject=campaign.id)
    return f" by {whole[0].caller}, with campaign {campaign.id}" if whole else ""
