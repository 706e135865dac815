"""An explanation: a tree in which every octet of the input stands once, in its order.

A ``Node`` owns octets of its own (a tag, a length, a whole small field) and has parts, whose octets
follow them. So the own octets of the nodes, read from the top down, are the input again:

    04 C4            get-response
    ..   01            type: get-response-normal
    ..   00 06 ..      ..

What was made from octets (deciphered, put together from segments or blocks) is no piece of them:
it hangs at the node that completed it, as ``Inside``, with offsets of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Inside:
    """Octets that were made from others, and their explanation.

    Args:
        how: how they were made, such as "deciphered".
        octets: what came of it.
        parts: their explanation; its nodes' own octets are ``octets``.
    """

    how: str
    octets: bytes
    parts: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Node:
    """A row of an explanation and what belongs under it.

    Args:
        name: what the octets are; the name of the field where there is one.
        offset: of the first of them.
        octets: the own ones; those of the parts are not among them.
        type: the wire type of a COSEM value, empty for other fields.
        value: for machines: a plain value of Python, None for a container or where there is none.
        meaning: for people.
        fault: what is wrong with them; empty when nothing is.
        fault_at: the offset at which that shows.
        parts: in the order of their octets.
        inside: what was made from them.
    """

    name: str
    offset: int
    octets: bytes = b""
    type: str = ""
    value: Any = None
    meaning: str = ""
    fault: str = ""
    fault_at: int = 0
    parts: list["Node"] = field(default_factory=list)
    inside: Inside | None = None

    def walk(self, *, inside: bool = False) -> Iterator["Node"]:
        """Give this node and all under it from the top down; with ``inside`` what was made too."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            if inside and node.inside is not None:
                pending.extend(reversed(node.inside.parts))
            pending.extend(reversed(node.parts))

    def faults(self) -> list["Node"]:
        """Return the nodes at which something is wrong, those of what was made included."""
        return [node for node in self.walk(inside=True) if node.fault]

    def find(self, name: str) -> "Node | None":
        """Return the first node of this name, also in what was made; None without one."""
        return next((node for node in self.walk(inside=True) if node.name == name), None)
