"""Durable commands: queued in the database, carried out by workers, exactly once.

A command is a row (``store.commands``). A worker's *dispatcher* claims rows that are due, writes
a *ticket* on each (command id and number of the attempt) and hands the tickets to an *engine*,
which runs ``attempt`` once for each of them, and again where a process died in the middle. What
becomes of a command stands in its row and nowhere else; the engine only makes sure that a ticket
is not forgotten. It takes them by the *batch*, all that one claim has written: what it keeps of a
batch costs more than what it would keep of a ticket.

Exactly once is not the engine's: a step that was killed between its effect and its checkpoint
runs again. It is the transaction id's, which is drawn before the first attempt, written down, and
the same ever after (``headend.orders``).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct


class Handed(Struct, frozen=True):
    """A ticket on its way to the engine.

    Args:
        ticket: of one attempt of one command.
        batch: of the claim that wrote it: the ticket of the first one.
        meter: the meter's name; it has no other ticket while this one is out.
    """

    ticket: str
    batch: str
    meter: str


class Engine(Protocol):
    """What runs attempts. Every method but ``start`` may be called from any thread."""

    def start(self, run: Callable[[str], None]) -> None:
        """Begin to run ``run(ticket)`` for each ticket; it never raises."""
        ...

    def submit(self, handed: Sequence[Handed]) -> None:
        """Take tickets, to be run in this order; a batch that is known already is taken once."""
        ...

    def ended(self, batches: Collection[str]) -> frozenset[str]:
        """Return which of these batches the engine holds to be ended, with all their tickets."""
        ...

    def holders(self) -> frozenset[str]:
        """Return which executors are running tickets, or have died while they were."""
        ...

    def recover(self, dead: Collection[str]) -> int:
        """Run the tickets again that executors which are no more have left; return how many."""
        ...

    def tidy(self) -> None:
        """Forget some of what has ended."""
        ...

    def stop(self, patience: float) -> None:
        """Take no more, and wait so many seconds for what runs."""
        ...


def ticket_of(command_id: str, attempt: int) -> str:
    """Return the ticket of an attempt; those of a command are in the order of their text."""
    return f"{command_id}-{attempt:06d}"
