"""The relay's contact: does it follow the coil?

The coil is latching: a pulse moves it, and what it did the contact alone can say. It gets ten
seconds; then the meter knows that something is stuck, says so, and pulses the coil again, at once
and then once a minute, for a contact that sticks may still come loose. Whoever asks where the
supply is (output_state) is told where the contact is, and never where it should be.

A board without feedback says nothing, and is believed.
"""

from typing import Final

from msgspec import Struct

from protocol.timing import Instant, later

#: ms that a contact may take to follow.
PATIENCE: Final = 10_000
#: ms between the pulses for one that does not.
AGAIN: Final = 60_000


class Feedback(Struct, frozen=True):
    """How the contact has followed so far.

    Args:
        since: since when it has been elsewhere than wanted, by the board's time; None: it is not.
        pulse: when the coil is pulsed for it again.
    """

    since: Instant | None = None
    pulse: Instant | None = None

    def follow(self, wanted: bool, closed: bool | None, now: Instant) -> "Feedback":
        """Return what is known at ``now``.

        Args:
            wanted: the relay is to be closed.
            closed: the contact is; None where nobody knows.
            now: the board's time.
        """
        if closed is None or closed is wanted:
            return self if self.since is None else Feedback()
        if self.since is None:
            return Feedback(now, later(now, PATIENCE))
        if self.due(now):
            return Feedback(self.since, later(now, AGAIN))
        return self

    def due(self, now: Instant) -> bool:
        """Say whether the coil has to be pulsed again at ``now``."""
        return self.pulse is not None and now >= self.pulse

    def stuck(self, now: Instant) -> bool:
        """Say whether the contact has had its time and has not followed."""
        return self.since is not None and now >= later(self.since, PATIENCE)

    def wake_at(self) -> Instant | None:
        """When it has to be looked at next."""
        return self.pulse
