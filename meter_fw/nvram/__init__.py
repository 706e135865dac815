"""What the meter remembers: a journal of cells on flash that no power cut can tear.

``docs/SPEC-nvram.md`` has every octet, and why.
"""

from meter_fw.nvram.cells import Cell
from meter_fw.nvram.errors import (
    CellError,
    CommitTooLarge,
    FlashFailure,
    InvalidCell,
    JournalError,
    NotMounted,
    StateTooLarge,
    UnknownFormat,
)
from meter_fw.nvram.journal import Journal, Mounted
from meter_fw.nvram.layout import MAX_VALUE, CellKey
from meter_fw.nvram.recovery import Finding

__all__ = [
    "MAX_VALUE",
    "Cell",
    "CellError",
    "CellKey",
    "CommitTooLarge",
    "Finding",
    "FlashFailure",
    "InvalidCell",
    "Journal",
    "JournalError",
    "Mounted",
    "NotMounted",
    "StateTooLarge",
    "UnknownFormat",
]
