"""The end of a command that has succeeded, with its row in the audit log.

| database | how |
|---|---|
| SQLite | two statements and the log's, in one transaction; nobody else writes meanwhile |
| PostgreSQL | one statement, which is a transaction by itself |

The log is a chain, so whoever appends has it to himself until he commits. A process whose threads
wait for each other keeps it for many milliseconds if it asks one thing after the other in between;
the server alone is through with it in one.
"""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from headend.engine.states import Happening, State, after
from headend.store import audit, commands
from headend.store.commands import Answer, Command
from headend.store.prepared import Prepared
from protocol.timing import Instant

if TYPE_CHECKING:
    from headend.store.opening import Store


def succeed(
    store: "Store",
    command: Command,
    now: Instant,
    *,
    reason: str | None,
    answer: Answer | None,
    told: audit.Told,
) -> State | None:
    """Note that an attempt has succeeded, if its command still carries its ticket.

    Args:
        store: the database; this is a transaction of its own.
        command: as its attempt began it.
        now: the head-end's time.
        reason: for people.
        answer: what it reported.
        told: what the audit log is to have of it.

    Returns:
        The command's state; None where it carries the ticket no more, and nothing was changed.
    """
    state = after(command.state, Happening.SUCCEEDED)
    if store.url.get_backend_name() == "postgresql":
        done = _at_once(store, command, state, now, reason, answer, told)
        if done is not None:
            return state if done else None
    with store.begin() as db:
        if not commands.end_carried(db, command, state, now, reason=reason, answer=answer):
            return None
        audit.add(db, told)
    return state


def _at_once(
    store: "Store",
    command: Command,
    state: State,
    now: Instant,
    reason: str | None,
    answer: Answer | None,
    told: audit.Told,
) -> bool | None:
    """Do it in one statement; None where the log's end is not as it should be: nothing is done."""
    before, after_it = told.around()
    values: dict[str, Any] = {
        "row": command.number,
        "carried": command.ticket,
        **commands.ended(state, now, reason, answer, None),
        **told.columns(),
        "anchor": audit.ANCHOR,
        "before": before,
        "after": after_it,
    }
    values.pop("due")
    with store.write_one() as db:
        mine, fit = _SUCCEED.one(db, **values)
    return None if mine and not fit else bool(mine)


# Rows are locked in the order in which everybody does: the command's, then the log's end. What is
# written depends on both, so that all of it is done or nothing. ``fit`` is the end as whoever held
# it last has left it, unless somebody has written to these tables by hand (``audit.append``).
_SUCCEED: Final = Prepared(
    text(
        """
        WITH mine AS (
            SELECT number FROM commands WHERE number = :row AND ticket = :carried FOR UPDATE
        ), held AS (
            SELECT value FROM settings
            WHERE name = :anchor AND EXISTS (SELECT FROM mine) FOR UPDATE
        ), fit AS (
            SELECT split_part(value, ':', 1)::integer + 1 AS number,
                split_part(value, ':', 2) AS digest
            FROM held
            WHERE value ~ '^[0-9]{1,9}:[0-9a-f]{64}$' AND NOT EXISTS (
                SELECT FROM audit WHERE audit.number > split_part(value, ':', 1)::integer
            )
        ), ended AS (
            UPDATE commands SET state = :state, reason = :reason, ticket = NULL,
                answer = coalesce(:answer, answer), finished = coalesce(:finished, finished)
            FROM fit WHERE commands.number = :row
        ), appended AS (
            INSERT INTO audit (
                number, moment, caller, action, subject, details, previous, digest
            )
            SELECT number, :moment, :caller, :action, :subject, :details, digest, encode(
                sha256(convert_to(digest || chr(10) || :before || number || :after, 'UTF8')), 'hex'
            )
            FROM fit RETURNING number, digest
        ), kept AS (
            UPDATE settings SET value = appended.number || ':' || appended.digest
            FROM appended WHERE name = :anchor
        )
        SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM fit)
        """
    )
)
