"""The meter's memory: its last durable state, and what of a newer one may wait to be made so.

``meter_fw.nvram`` knows cells and records; which of the cells make it worth to write one now is
known here.
"""

from typing import Final

from meter_fw.board import Flash
from meter_fw.cells import changes, restore
from meter_fw.nvram import CommitTooLarge, FlashFailure, Journal, StateTooLarge
from meter_fw.state import MeterState

#: Cells that may wait for the next commit: energy with its charge, counters received, and events
#: of which nothing else has changed.
VOLATILE: Final = frozenset(
    {
        "energy",
        "registers",
        "totals",
        "charges",
        "counters",
        "received",
        "events",
        "relay_events",
    }
)


class Memory:
    """What is durable.

    Args:
        flash: mounted here; a new one is formatted.
    """

    def __init__(self, flash: Flash) -> None:
        self._journal = Journal(flash)
        mounted = self._journal.mount()
        #: what mounting found: new, whole, older than it should be, or lost
        self.finding = mounted.finding
        #: the state that is on flash
        self.state = restore(mounted.cells)

    def keep(self, state: MeterState, touched: list[str]) -> bool:
        """Make a state durable, as one record; say whether the flash has taken it.

        Args:
            state: the state.
            touched: what of it has been touched since the one that is on flash.
        """
        changed = changes(self.state, state, touched)
        try:
            if changed:
                self._journal.commit(changed)
        except (FlashFailure, StateTooLarge, CommitTooLarge):  # the last two: by long tables
            return False
        self.state = state
        return True
