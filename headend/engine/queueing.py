"""Queueing a command, and waiting for it: what a caller does, without any engine.

A caller writes a row and wakes whoever carries it out, if somebody is there; if nobody is, the
row waits. So no engine has to be imported for it, and queueing can be part of a larger database
transaction of the caller's own.
"""

import getpass
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from headend.context import Context
from headend.engine.arguments import IDENTITY, Durable, durable, freeze
from headend.engine.states import Happening, State
from headend.errors import ExitCode, HeadendError, Refused, StillQueued, UsageError
from headend.identities import check_meter
from headend.report import show_aside
from headend.store import audit, commands, transactions, workers
from headend.store.commands import Command, New
from headend.store.connection import Connection
from headend.store.transactions import Transaction
from prepay.transactions import transaction_id
from protocol.timing import Instant, later

#: A command is not sent any more after so long, unless its caller says otherwise: shorter than
#: any meter's memory, so that what became of it can always be asked.
NOT_AFTER: Final = 24 * 3_600_000
#: The greatest priority number, which goes last.
LAST: Final = 1_000
_LATER = re.compile(r"\+(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
#: What is said where no worker is there.
NOBODY: Final = "nobody is there to carry it out: prepay serve, in a terminal of its own"
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class Terms(Struct, frozen=True):
    """On what terms a command is queued.

    Args:
        not_before, not_after: it is sent between these; None is at once, and ``NOT_AFTER``.
        priority: the smallest goes first; None is the command's own.
        idempotency_key: a second call with the same one finds the first one's command.
        caller: who it is for.
    """

    not_before: Instant | None = None
    not_after: Instant | None = None
    priority: int | None = None
    idempotency_key: str | None = None
    caller: str = ""


def moment(text: str | None, now: Instant) -> Instant | None:
    """Return a moment given as ISO 8601, or as +90s, +15m, +2h or +1d from now.

    Without an offset it is by this machine's own zone.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    found = _LATER.fullmatch(text)
    if found is not None:
        return later(now, int(found[1]) * _UNITS[found[2]])
    try:
        parsed = datetime.fromisoformat(text)
        return Instant(round(parsed.astimezone(UTC).timestamp() * 1000))
    except (ValueError, OverflowError):
        raise UsageError(f"{text[:40]!r} is no moment such as 2026-12-31T08:00 or +2h") from None


def check_terms(terms: Terms, now: Instant) -> None:
    """Refuse terms that cannot be kept.

    Raises:
        UsageError: which of them, and why.
    """
    key = terms.idempotency_key
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError("an idempotency key is 1 to 128 printable ASCII characters, no spaces")
    if terms.priority is not None and not 0 <= terms.priority <= LAST:
        raise UsageError(f"a priority is 0 (first) to {LAST}")
    begin = now if terms.not_before is None else max(now, terms.not_before)
    if terms.not_after is not None and terms.not_after <= begin:
        raise UsageError("its not-after is over before it could begin")


def prepared(
    of: Durable,
    parameters: Mapping[str, Any],
    meter_id: int,
    terms: Terms,
    context: Context,
    campaign_id: int | None = None,
) -> New:
    """Return the row of a command, with a new id.

    Raises:
        UsageError: a parameter or a term that cannot be.
    """
    now = context.now()
    check_terms(terms, now)
    given = parameters.get(IDENTITY)
    begin = now if terms.not_before is None else max(now, terms.not_before)
    priority = of.priority if terms.priority is None else terms.priority
    return New(
        id=transaction_id(now, context.entropy(10)).hex(),
        meter_id=meter_id,
        name=of.name,
        arguments=freeze(of, parameters),
        priority=priority,
        not_before=terms.not_before,
        not_after=later(begin, NOT_AFTER) if terms.not_after is None else terms.not_after,
        caller=terms.caller or whoami(),
        transaction_id=None if given is None else _checked(str(given), now),
        idempotency_key=terms.idempotency_key,
        campaign_id=campaign_id,
    )


def _checked(identity: str, now: Instant) -> str:
    from headend.plans.planning import (
        check_id,  # with it come sessions, which nobody needs who queues
    )

    return check_id(identity, now)


def queue(db: Connection, new: New, now: Instant) -> Command:
    """Write a command down; one of the same idempotency key is found instead.

    Raises:
        UsageError: the key is of another command, or the transaction id of another meter.
    """
    if new.idempotency_key is not None:
        commands.begin_claiming(db)  # two callers with one key come one after the other
    known = there(db, new)
    if known is not None:
        return known
    commands.add(db, [new], now)
    made = commands.get(db, new.id)
    assert made is not None  # it was written a line ago
    note(db, made, "queued", now, **told_of(durable(made.name), made.arguments))
    return made


def told_of(of: Durable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log has of arguments: all, where money or state moves, never a key."""
    return {"arguments": dict(arguments)} if of.moves else {}


def there(db: Connection, new: New) -> Command | None:
    """Return the command that is found in place of a new one; None where it is to be written.

    Raises:
        UsageError: the key is of another command, or the transaction id of another meter.
    """
    known = None if new.idempotency_key is None else commands.of_key(db, new.idempotency_key)
    if known is not None:
        return _same(known, new)
    booked = None if new.transaction_id is None else transactions.get(db, new.transaction_id)
    if booked is not None:
        check_meter(db, booked, new.meter_id)
    return None


def _same(known: Command, new: New) -> Command:
    asked = (new.meter_id, new.name, dict(new.arguments))
    if (known.meter_id, known.name, dict(known.arguments)) != asked:
        raise UsageError(
            f"idempotency key {new.idempotency_key} is of another command: {known.name} for "
            f"{known.meter}, {known.id}"
        )
    return known


def note(db: Connection, command: Command, action: str, now: Instant, **more: Any) -> None:
    """Write into the audit log what was done to a command."""
    audit.add(db, told(command, action, now, **more))


def told(command: Command, action: str, now: Instant, **more: Any) -> audit.Told:
    """Return what the audit log has of what was done to a command."""
    if command.transaction_id is not None:
        more["transaction"] = command.transaction_id
    details = {"meter": command.meter, "command": command.name, **more}
    return audit.Told(now, command.caller, f"command {action}", command.id, details)


def expired(command: Command, why: str | None) -> str:
    """Return why a command was not sent in its time: what its last attempt met, if it had one."""
    last = f"last: {command.reason}" if command.reason else ""
    return "; ".join(each for each in (why, last) if each)


def booked(db: Connection, command: Command) -> Transaction | None:
    """Return the transaction that a command has booked, if it has; another meter's is not its."""
    if command.transaction_id is None:
        return None
    found = transactions.get(db, command.transaction_id)
    return found if found is not None and found.meter_id == command.meter_id else None


def cancel(db: Connection, command: Command, caller: str, now: Instant) -> State:
    """Withdraw a command, or ask that it be withdrawn; return its state.

    Raises:
        Refused: it is too late.
    """
    held = commands.hold(db, command.id)
    assert held is not None  # commands are never deleted
    if held.state.is_final:
        raise Refused(f"command {held.id} is {held.state.value} already")
    if held.state is State.UNKNOWN:
        raise Refused(f"too late: command {held.id} was sent; the meter is asked what became of it")
    note(db, held, "cancel asked", now, by=caller)
    commands.ask_cancel(db, held)
    if held.ticket is None and booked(db, held) is None:
        state = commands.end(db, held, Happening.WITHDRAWN, now, reason="cancelled")
        note(db, held, state.value, now)
        return state
    commands.hurry(db, held, now)
    return held.state


def whoami() -> str:
    """Return who runs this process, for people."""
    try:
        return getpass.getuser()[:64].encode("utf-8", "replace").decode()  # octets may be none
    except (KeyError, OSError):  # nobody that the system knows by name
        return "unknown"


# --- waiting -----------------------------------------------------------------------------------


def wait(
    context: Context, command_id: str, seconds: float | None, sleep: Callable[[float], None]
) -> Command:
    """Return a command once it is final, or as it stands when the time is over.

    Raises:
        UsageError: there is no such command.
    """
    begun, pause = context.now(), 0.005
    while True:
        with context.store.read() as db:
            command = commands.get(db, command_id)
        if command is None:
            raise UsageError(f"there is no command {command_id}")
        waited = (context.now() - begun) / 1000
        if command.state.is_final or (seconds is not None and waited >= seconds):
            return command
        sleep(pause)
        pause = min(pause * 1.2, 0.25)


def wait_for(context: Context, command: Command, seconds: float | None) -> Command:
    """Wait as ``wait``, for somebody who may interrupt it; say so where nobody carries it out.

    Raises:
        StillQueued: he has.
    """
    if (seconds is None or seconds >= 1) and not (context.chosen.json or command.state.is_final):
        with context.store.read() as db:
            if not workers.every(db, only_running=True):
                show_aside(f"command {command.id} waits: {NOBODY}")
    try:
        return wait(context, command.id, seconds, time.sleep)
    except KeyboardInterrupt:
        raise StillQueued(command.id, command.meter) from None


def exit_code(command: Command) -> ExitCode:
    """Return what a command given directly would have exited with, as far as is known now."""
    told = (command.answer or {}).get("exit_code")
    if command.state in (State.DONE, State.SETTLED):
        return ExitCode.DONE
    if command.state is State.UNKNOWN:
        return ExitCode.UNKNOWN
    if command.state is State.EXPIRED and told == ExitCode.NO_ANSWER:
        return ExitCode.NO_ANSWER  # it was silence that the time went by in
    if command.state.is_final:
        return ExitCode.USAGE if told == ExitCode.USAGE else ExitCode.REFUSED
    return ExitCode.NO_ANSWER


class Unsuccessful(HeadendError):
    """A queued command ended otherwise than done, or has not ended yet."""

    def __init__(self, command: Command) -> None:
        reason = f": {command.reason}" if command.reason else ""
        final = command.state.is_final
        state = command.state.value if final else f"still {command.state.value}"
        more = "" if final else f"; prepay commands wait {command.id} goes on waiting"
        super().__init__(f"command {command.id} is {state}{reason}{more}")
        self.exit_code = exit_code(command)  # type: ignore[misc] # each one's own
        self.details = {
            "command": command.id,
            "meter": command.meter,
            "state": command.state.value,
            **({} if command.transaction_id is None else {"transaction": command.transaction_id}),
        }
