"""Time as the protocol sees it: an argument, never a clock that is read."""

from typing import NewType

#: Milliseconds since 1970-01-01T00:00:00Z. Whole numbers, so that a simulated year adds up.
Instant = NewType("Instant", int)


def later(now: Instant, milliseconds: int) -> Instant:
    """Return the instant ``milliseconds`` after ``now``."""
    return Instant(now + milliseconds)


def earliest(*moments: Instant | None) -> Instant | None:
    """Return the first of ``moments`` to come, or None when none of them is set."""
    first = None
    for moment in moments:
        if moment is not None and (first is None or moment < first):
            first = moment
    return first
