"""The table of cells: which client could do what, over which transport, as whom."""

from dataclasses import dataclass, field

CELL = "interop cell"


@dataclass
class Table:
    """Rows and columns in the order in which their first cells came."""

    _cells: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """No cell has been added."""
        return not self._cells

    def add(self, cell: dict[str, str], *, passed: bool) -> None:
        """Add a cell: a dictionary of row, column and what was found there."""
        found = cell["found"] if passed else f"**{cell['found']}, unexpected**"
        self._cells[cell["row"], cell["column"]] = found

    def as_markdown(self) -> str:
        """A Markdown table, aligned so that it reads well on a terminal."""
        columns = list(dict.fromkeys(column for _, column in self._cells))
        rows = sorted({row for row, _ in self._cells})
        lines = [["client", *columns]]
        lines += [
            [row, *(self._cells.get((row, column), "") for column in columns)] for row in rows
        ]
        widths = [max(3, *(len(line[index]) for line in lines)) for index in range(len(lines[0]))]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join(
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            + " |"
            for line in lines
        )
