"""What can go wrong with the meter's memory: one base, and a name for each case."""


class JournalError(Exception):
    """Base of every error that this package raises."""


class NotMounted(JournalError):
    """A commit before the journal was mounted."""


class InvalidCell(JournalError):
    """A key out of range or a value too long: nothing was written."""


class CommitTooLarge(JournalError):
    """The changes of one commit do not fit in a block behind a checkpoint: nothing was written."""


class StateTooLarge(JournalError):
    """The cells would outgrow a checkpoint: nothing was written."""


class FlashFailure(JournalError):
    """No block took what was programmed, read back.

    The state in memory is the one before the commit. On flash it is that one, or, should the
    read-back and not the cell have been at fault, the one after.
    """


class UnknownFormat(JournalError):
    """The flash holds a journal of a format version that this firmware does not know.

    Nothing is touched, so that the firmware which wrote it still finds its state.
    """


class CellError(JournalError):
    """A cell's octets, or the value to be made into octets, do not fit the cell's layout."""
