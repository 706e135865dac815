"""What people see of commands, and do to them: ``prepay commands``."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from headend.context import Context
from headend.engine.arguments import IDENTITY, durable, rehearse, thaw
from headend.engine.ordering import ended
from headend.engine.queueing import (
    Terms,
    cancel,
    moment,
    note,
    prepared,
    queue,
    wait_for,
    whoami,
)
from headend.engine.states import State
from headend.engine.typed import typed
from headend.engine.wake import wake, wake_with
from headend.errors import Refused, UsageError
from headend.report import Report, facts
from headend.store import audit, campaigns, commands, registry
from headend.store.commands import Command
from headend.store.connection import Connection
from headend.times import utc

#: Of an id so many digits are listed: those of a campaign's commands, made within a millisecond,
#: differ in them.
DIGITS = 20
_T = TypeVar("_T")
#: What a list says to who has queued nothing yet.
_FIRST = "nothing was queued: prepay --meter NAME topup 25.00 --queue"
#: The fewest digits by which a command or a campaign may be named.
_LEAST = 4


def found(db: Connection, command_id: str) -> Command:
    """Return the command of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    return only("command", command_id, partial(commands.beginning_with, db), "prepay commands list")


def only(what: str, begins: str, beginning_with: Callable[[str], Sequence[_T]], lists: str) -> _T:
    """Return the only one whose id begins so.

    Args:
        what: the word for one of them.
        begins: the first digits of its id, or all of them.
        beginning_with: returns those that begin so; two are enough.
        lists: the command that lists them.

    Raises:
        UsageError: there is none, or more than one.
    """
    text = begins.lower()
    if len(text) < _LEAST:
        raise UsageError(f"{text!r}: a {what} is named by {_LEAST} digits of its id, or more")
    known = beginning_with(text)
    if len(known) == 1:
        return known[0]
    if known:
        raise UsageError(f"more than one {what} begins with {text[:40]!r}: give more digits")
    raise UsageError(f"there is no {what} {text[:40]!r}: {lists}")


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
    from headend.engine.campaign_views import found as campaign_of  # which needs this module

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
    lines: tuple[str, ...] = ()
    if not newest:
        chosen = states or campaign is not None or meter is not None
        lines = ("no such command: prepay commands lists all" if chosen else _FIRST,)
    data = {"commands": [told(each) for each in newest]}
    return Report(data, lines, columns if newest else (), rows)


def _said(command: Command) -> str:
    return typed(command.name, command.arguments)


def shown(context: Context, command_id: str) -> Report:
    """Return all that is known of one command."""
    with context.store.read() as db:
        command = found(db, command_id)
    data = told(command)
    worded = {name.replace("_", " "): value for name, value in _worded(command).items()}
    return Report(data, facts(worded))


def _worded(command: Command) -> dict[str, Any]:
    """Return what is known of a command for people: what was typed, and what was answered."""
    data = told(command)
    answer = data.pop("answer")
    data["name"] = _said(command)
    if isinstance(answer, dict) and answer.get("error") == command.reason:
        answer = None  # it is the reason
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
        StillQueued: somebody has interrupted this.
    """
    with context.store.read() as db:
        command = found(db, command_id)
    return ended(wait_for(context, command, seconds))


def retried(context: Context, command_id: str, not_after: str | None = None) -> Report:
    """Look at an open command at once; queue a failed one anew.

    Args:
        context: the run of the command.
        command_id: its id, or the first digits of it.
        not_after: a new one is not sent after this moment, as ``queueing.moment`` takes it; None
            is as for any other.

    Raises:
        Refused: it is done, or was withdrawn: whoever gave it may have wanted it for later.
        UsageError: no moment, or one for a command that has its own and is still to be done.
        HeadendError: whatever the command, given anew, would be refused with.
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
            terms = Terms(priority=command.priority, not_after=moment(not_after, now))
            parameters = {**command.arguments, IDENTITY: None}
            (entry,) = registry.by_ids(db, [command.meter_id])
            rehearse(of, thaw(of, command.arguments), context, entry)
            made = queue(db, prepared(of, parameters, command.meter_id, terms, context), now)
            note(db, made, "retried", now, instead_of=command.id)
            said = f"queued anew, now: {_said(command)} for {made.meter}, command {made.id}"
        else:
            if not_after is not None:
                raise UsageError(
                    f"--not-after: command {command.id} is {command.state.value}, and keeps its "
                    f"own, {utc(command.not_after)}; leave it out, or cancel it and give it anew"
                )
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
