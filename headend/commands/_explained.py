"""An explanation for people and for machines: octets on the left, meaning on the right."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from headend.reading.values import one_to_json
from protocol.explain import Node

if TYPE_CHECKING:
    from rich.text import Text

#: Octets on a line.
_WIDTH: Final = 8
_INDENT: Final = "  "
_SENT: Final = {">": "sent", "<": "received", "": "message"}


class Row(NamedTuple):
    """A line of an explanation.

    Args:
        offset: four hexadecimal digits or more, a plus before them in octets that were made.
        octets: at most eight.
        name: what they are, indented.
        meaning: what they mean.
        fault: what is wrong with them.
    """

    offset: str
    octets: str
    name: str
    meaning: str
    fault: str

    @property
    def text(self) -> str:
        """The line as plain text."""
        fault = f"  !! {self.fault}" if self.fault else ""
        said = f"{self.name}{self.meaning}{fault}"
        return f"{self.offset:<6} {self.octets:<{3 * _WIDTH}}{said}".rstrip()


def heading(index: int, direction: str, form: str, octets: int) -> str:
    """Return the line above a message."""
    return f"{_SENT[direction]} {index}: {form}, {octets} octets"


def rows(root: Node) -> Iterator[Row]:
    """Give the lines of a message's explanation."""
    for part in root.parts:
        yield from _rows(part, 0, "")


def _rows(node: Node, depth: int, mark: str) -> Iterator[Row]:
    indent = _INDENT * depth
    lines = [node.octets[i : i + _WIDTH] for i in range(0, len(node.octets), _WIDTH)] or [b""]
    named = f"{node.name} {node.type}".strip()
    meaning = f": {node.meaning}" if node.meaning else ""
    fault = node.fault
    if fault and node.fault_at != node.offset:
        fault = f"{fault} (at {mark}{node.fault_at:04X})"
    offset = f"{mark}{node.offset:04X}"
    yield Row(offset, lines[0].hex(" ").upper(), indent + named, meaning, fault)
    for number, octets in enumerate(lines[1:], 1):
        yield Row(f"{mark}{node.offset + number * _WIDTH:04X}", octets.hex(" ").upper(), "", "", "")
    for part in node.parts:
        yield from _rows(part, depth + 1, mark)
    if node.inside is not None:
        title = f"{indent}{_INDENT}-- {node.inside.how}, {len(node.inside.octets)} octets:"
        yield Row("", "", title, "", "")
        for part in node.inside.parts:
            yield from _rows(part, depth + 2, "+")


def coloured(row: Row) -> "Text":
    """Return a line for a terminal."""
    from rich.text import Text  # 50 ms that only people have to pay

    return Text.assemble(
        (f"{row.offset:<6} ", "dim"),
        (f"{row.octets:<{3 * _WIDTH}}", "cyan"),
        row.name,
        (row.meaning, "green"),
        (f"  !! {row.fault}" if row.fault else "", "bold red"),
    )


def message_json(direction: str, root: Node, octets: bytes) -> dict[str, Any]:
    """Return a message for a JSON document."""
    return {
        "direction": direction,
        "form": root.name,
        "octets": octets.hex().upper(),
        "parts": [to_json(part) for part in root.parts],
        "faults": [{"offset": node.fault_at, "reason": node.fault} for node in root.faults()],
    }


def to_json(node: Node) -> dict[str, Any]:
    """Return a node for a JSON document; what is empty is left out."""
    value = one_to_json(node.value)
    shown: dict[str, Any] = {
        "offset": node.offset,
        "octets": node.octets.hex().upper(),
        "name": node.name,
    }
    optional: dict[str, Any] = {
        "type": node.type,
        "meaning": node.meaning,
        "fault": node.fault,
        "parts": [to_json(part) for part in node.parts],
    }
    shown |= {name: given for name, given in optional.items() if given}
    if value is not None:
        shown["value"] = value
    if node.fault:
        shown["fault_at"] = node.fault_at
    if node.inside is not None:
        inside = node.inside
        shown["inside"] = {
            "how": inside.how,
            "octets": inside.octets.hex().upper(),
            "parts": [to_json(part) for part in inside.parts],
        }
    return shown
