"""The states of a durable command, and what moves it from one to another.

| state | what is known | final |
|---|---|---|
| planned | its not-before is ahead | |
| queued | it waits for its turn, or for its next attempt; nothing has reached the meter | |
| running | an attempt is under way | |
| unknown | something reached the meter, or may have; the meter is asked until it is known | |
| done | the meter confirmed it in the answer | yes |
| settled | the meter confirmed it when asked later | yes |
| refused | by the meter, by the rules or by a fault of ours; nothing moved | yes |
| expired | its not-after passed before anything was sent | yes |
| cancelled | withdrawn before anything was sent | yes |

Nothing leads out of a final state. Nothing but an answer leads out of ``unknown``: neither a
cancel nor the not-after, for what was sent cannot be called back, and its outcome is owed to
whoever paid. An attempt that dies leaves ``running`` as it is; the next one of the same ticket
begins there again, under the same transaction id.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """How far a command has come."""

    PLANNED = "planned"
    QUEUED = "queued"
    RUNNING = "running"
    UNKNOWN = "unknown"
    DONE = "done"
    SETTLED = "settled"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing changes it any more."""
        return self in FINAL


class Happening(StrEnum):
    """What can happen to a command."""

    DUE = "its not-before has come"
    BEGUN = "an attempt begins"
    SUCCEEDED = "the meter confirmed it"
    DENIED = "the meter or the rules said no, or the attempt failed for good"
    SILENT = "the attempt ended, and nothing of it reached the meter"
    LOST = "the attempt ended, and nobody can say whether the meter acted"
    WITHDRAWN = "a cancel was seen before anything was sent"
    TOO_LATE = "its not-after passed before anything was sent"


FINAL: Final = (State.DONE, State.SETTLED, State.REFUSED, State.EXPIRED, State.CANCELLED)
OPEN: Final = tuple(state for state in State if state not in FINAL)

_P, _Q, _R, _U = State.PLANNED, State.QUEUED, State.RUNNING, State.UNKNOWN
#: What is not here cannot happen.
NEXT: Final[dict[tuple[State, Happening], State]] = {
    (_P, Happening.DUE): _Q,
    (_P, Happening.WITHDRAWN): State.CANCELLED,
    (_P, Happening.TOO_LATE): State.EXPIRED,
    (_Q, Happening.BEGUN): _R,
    (_Q, Happening.WITHDRAWN): State.CANCELLED,
    (_Q, Happening.TOO_LATE): State.EXPIRED,
    (_R, Happening.BEGUN): _R,
    (_R, Happening.SUCCEEDED): State.DONE,
    (_R, Happening.DENIED): State.REFUSED,
    (_R, Happening.SILENT): _Q,
    (_R, Happening.LOST): _U,
    (_R, Happening.WITHDRAWN): State.CANCELLED,
    (_R, Happening.TOO_LATE): State.EXPIRED,
    (_U, Happening.BEGUN): _U,
    (_U, Happening.SUCCEEDED): State.SETTLED,
    (_U, Happening.DENIED): State.REFUSED,
    (_U, Happening.SILENT): _U,
    (_U, Happening.LOST): _U,
}


class Impossible(Exception):
    """A happening that a command's state does not allow: a fault of the caller."""


def after(state: State, happening: Happening) -> State:
    """Return the state that follows.

    Raises:
        Impossible: nothing follows.
    """
    try:
        return NEXT[state, happening]
    except KeyError:
        raise Impossible(f"{state.value}: {happening.value}") from None
