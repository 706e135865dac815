"""``--queue`` and its kin: a command of the command line that is written down, not carried out."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from headend.context import Context
from headend.engine.arguments import IDENTITY, Durable, durable, freeze, rehearse, thaw
from headend.engine.queueing import (
    NOBODY,
    Terms,
    Unsuccessful,
    check_terms,
    moment,
    prepared,
    queue,
    there,
    wait_for,
)
from headend.engine.states import State
from headend.engine.typed import typed
from headend.engine.wake import wake, wake_with
from headend.errors import UsageError
from headend.registry.life import check_reachable
from headend.registry.meters import ACCESS
from headend.report import Report
from headend.store import commands, workers
from headend.store.commands import Command, New
from headend.store.connection import Connection
from headend.store.registry import Entry
from headend.times import utc
from obis.values import replace
from protocol.timing import Instant

#: Of the common options, those that are of no use to a process that does not speak to the meter.
_SPEAKING = ACCESS | {"port", "keys", "password", "trace"}


def ordered(
    context: Context,
    name: str,
    parameters: Mapping[str, Any],
    asked: Mapping[str, Any],
    drawn: str | None = None,
) -> Report:
    """Queue a command as the options say, or say what would be queued or sent.

    Args:
        context: the run of the command.
        name: of the command.
        parameters: as click made them.
        asked: values of ``cli.QUEUEING`` that were given.
        drawn: as ``placed``.

    Raises:
        UsageError: the options do not fit together, or the command cannot be queued.
        Unsuccessful: it was waited for, and it is not done.
    """
    dry = bool(asked.get("dry_run"))
    if not asked.get("queue"):
        of = _tried_out(name, asked)
        more = _options(asked.keys() - {"dry_run"})
        if more:
            raise UsageError(f"{more}: only with --queue")
        return _dry(context, of, parameters, None)
    of = durable(name)
    if dry:
        terms = _terms(context, asked)
        check_terms(terms, context.now())
        return _dry(context, of, parameters, terms)
    made = placed(context, name, parameters, asked, drawn=drawn)
    if asked.get("wait") is None:
        return queued(made)
    patience = None if asked["wait"] == float("inf") else float(asked["wait"])
    return ended(wait_for(context, made.command, patience), again=made.again)


def _tried_out(name: str, asked: Mapping[str, Any]) -> Durable:
    """Return the command of a name.

    Raises:
        UsageError: it has nothing to do with a queue, so it has none of its options.
    """
    try:
        return durable(name)
    except UsageError:
        raise UsageError(f"prepay {name} has no {_options(asked)}") from None


def _options(names: Iterable[str]) -> str:
    return ", ".join(sorted(f"--{each.replace('_', '-')}" for each in names))


class Placed(Struct, frozen=True):
    """A command that was written down.

    Args:
        command: its row.
        there: whether a worker is there to carry it out.
        again: it was there before: another call with the same idempotency key has queued it.
    """

    command: Command
    there: bool
    again: bool


def placed(
    context: Context,
    name: str,
    parameters: Mapping[str, Any],
    asked: Mapping[str, Any],
    *,
    drawn: str | None = None,
    caller: str = "",
) -> Placed:
    """Write a command down as the options say, and wake the workers.

    Args:
        context: the run of the command.
        name: of the command.
        parameters: as click made them.
        asked: values of ``cli.QUEUEING`` that were given.
        drawn: the row's id; what a worker has queued under it already is found. None draws one.
        caller: who it is for; whoever runs this process unless said.

    Raises:
        UsageError: the options do not fit together, or the command cannot be queued.
    """
    of = durable(name)
    terms = replace(_terms(context, asked), caller=caller)
    meter = _meter(context)
    _check(context, of, freeze(of, parameters), parameters.get(IDENTITY))
    new = prepared(of, parameters, meter.id, terms, context)
    if drawn is not None:
        new = replace(new, id=drawn)
    with context.store.begin() as db:
        command = _written(db, new, context.now())
        wake_with(db)
        there = bool(workers.every(db, only_running=True))
    wake(context.store.url)
    return Placed(command, there, again=command.id != new.id)


def _written(db: Connection, new: New, now: Instant) -> Command:
    """Write a command down, unless it stands there under its id.

    Raises:
        UsageError: the id, or the idempotency key, is of another command.
    """
    known = commands.get(db, new.id)
    if known is None:
        return queue(db, new, now)
    asked = (new.meter_id, new.name, dict(new.arguments), new.idempotency_key)
    if (known.meter_id, known.name, dict(known.arguments), known.idempotency_key) != asked:
        raise UsageError(f"id {new.id} is of another command: {known.name} for {known.meter}")
    return known


def ended(command: Command, *, again: bool = False) -> Report:
    """Return what a command reported.

    Args:
        command: as it stands now.
        again: as ``Placed`` has it.

    Raises:
        Unsuccessful: it is not done.
    """
    from headend.engine.answers import thawed

    if command.state not in (State.DONE, State.SETTLED) or command.answer is None:
        raise Unsuccessful(command)
    report = thawed(command.answer)
    data, lines = {**report.data, "command": command.id}, report.lines
    if again:
        data, lines = {**data, "again": True}, (_again(command), *lines)
    return replace(report, data=data, lines=lines)


def _again(command: Command, was: str = "was") -> str:
    at = utc(command.created)
    return f"queued already at {at} (command {command.id}); nothing {was} queued anew"


def _terms(context: Context, asked: Mapping[str, Any]) -> Terms:
    now = context.now()
    return Terms(
        not_before=moment(asked.get("not_before"), now),
        not_after=moment(asked.get("not_after"), now),
        priority=asked.get("priority"),
        idempotency_key=asked.get("idempotency_key"),
    )


def _meter(context: Context) -> Entry:
    """Return the meter that was given by its name.

    Raises:
        UsageError: none was, or it comes with options that a worker would not know of.
    """
    typed = sorted(context.chosen.given & _SPEAKING)
    if typed:
        raise UsageError(
            f"{_options(typed)}: a queued command is carried out as the registry says "
            "(prepay meters set)"
        )
    meter = context.registered
    if meter is None:
        raise UsageError("a command is queued for a meter of the registry: give --meter NAME")
    check_reachable(meter.name, meter.life)
    if not meter.transport:
        raise UsageError(f"{meter.name} has no port: prepay meters set {meter.name} --port SPEC")
    return meter


def _check(
    context: Context, of: Durable, arguments: Mapping[str, Any], identity: str | None
) -> None:
    """Refuse what a worker would refuse before it went to the meter, in the same words."""
    thawed = thaw(of, arguments)
    rehearse(of, {**thawed, IDENTITY: identity} if of.moves else thawed, context)


def _dry(
    context: Context, of: Durable, parameters: Mapping[str, Any], terms: Terms | None
) -> Report:
    """Return what would be done; nothing is written, and no port is opened."""
    arguments = freeze(of, parameters)
    meter = None if terms is None else _meter(context)
    what, where = ("sent", str(context.port)) if meter is None else ("queued", meter.name)
    _check(context, of, arguments, parameters.get(IDENTITY))
    data = {"dry_run": True, "command": of.name, "arguments": arguments, what: where}
    if terms is not None and meter is not None:
        with context.store.look() as db:
            known = there(db, prepared(of, parameters, meter.id, terms, context))
        if known is not None:
            return Report({**data, "again": True}, (_again(known, "would be"),))
    return Report(data, (f"would be {what}: {typed(of.name, arguments)}, to {where}",))


def queued(placed: Placed) -> Report:
    """Return what is said of a command that was written down."""
    command = placed.command
    planned = command.state is State.PLANNED and command.not_before is not None
    begin = f", not before {utc(command.not_before or 0)}" if planned else ""
    lines = [
        f"{command.state.value}: {command.name} for {command.meter}{begin}",
        f"command {command.id}; prepay commands wait {command.id}",
    ]
    if placed.again:
        lines.insert(0, _again(command))
    if not placed.there and not command.state.is_final:
        lines.append(NOBODY)
    data = {
        "command": command.id,
        "name": command.name,
        "meter": command.meter,
        "state": command.state.value,
        "transaction": command.transaction_id,
        **({"again": True} if placed.again else {}),
    }
    return Report(data, lines)
