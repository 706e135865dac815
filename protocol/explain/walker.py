"""The walk over octets that makes the nodes of an explanation.

``take`` reads on; ``leaf`` makes a node of everything that was read since the last one. So no octet
can be explained twice or be left out, whatever a reader does. What cannot be read raises ``Fault``
(or any error of the protocol's own decoders); the nearest ``region`` makes one faulty node of what
is left of it, and whoever opened the region goes on behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from protocol import axdr
from protocol.errors import DecodeError, ProtocolError
from protocol.explain.nodes import Inside, Node

if TYPE_CHECKING:  # it imports the readers, and they this
    from protocol.explain.conversation import Conversation

#: How deep explanations of made octets may nest: APDUs in APDUs in frames.
MAX_INSIDE: Final = 8
#: How deep nodes may nest in one walk.
MAX_NODES_DEEP: Final = 64
_LENGTH_OCTETS: Final = 5


class Fault(DecodeError):
    """Octets that cannot be explained further.

    Args:
        message: why.
        at: the offset at which that shows, None for where the walker stands.
    """

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


class Walker:
    """A position in octets, and the node that is being made.

    Args:
        octets: all of them.
        talk: what the conversation has told so far.
        depth: how many explanations this one is inside.
    """

    def __init__(self, octets: bytes, talk: "Conversation", depth: int = 0) -> None:
        self.octets = octets
        self.talk = talk
        self.depth = depth
        self.offset = 0
        self.end = len(octets)
        self.root = Node("", 0)
        self._node = self.root
        self._made = 0  # every octet before has its node
        self._deep = 0

    @property
    def left(self) -> int:
        """How many octets there still are."""
        return self.end - self.offset

    def peek(self, length: int = 1) -> bytes:
        """Return the next octets, fewer at the end, without reading them."""
        return self.octets[self.offset : min(self.offset + length, self.end)]

    def take(self, length: int = 1) -> bytes:
        """Read ``length`` octets.

        Raises:
            Fault: there are not so many.
        """
        if length > self.left:
            raise Fault(f"cut short: {length} octets are announced here, {self.left} are left")
        octets = self.octets[self.offset : self.offset + length]
        self.offset += length
        return octets

    def number(self, length: int = 1) -> int:
        """Read an unsigned number of ``length`` octets."""
        return int.from_bytes(self.take(length), "big")

    def length(self) -> int:
        """Read a length or count."""
        head = self.peek(_LENGTH_OCTETS)
        if not head or (0x81 <= head[0] <= 0x84 and len(head) < head[0] - 0x7F):
            raise Fault(f"cut short: a length is due here, {self.left} octets are left")
        length, size = axdr.decode_length(head, 0)
        self.take(size)
        return length

    def count(self, what: str) -> int:
        """Read a count of things that take an octet each at least."""
        count = self.length()
        if count > self.left:
            raise Fault(f"{count} {what} are announced, only {self.left} octets are left")
        return count

    # --- nodes -----------------------------------------------------------------------------------

    def leaf(self, name: str, meaning: str = "", value: Any = None, *, kind: str = "") -> Node:
        """Make a node of what was read since the last one."""
        octets = self.octets[self._made : self.offset]
        node = Node(name, self._made, octets, kind, value, meaning)
        self._made = self.offset
        self._node.parts.append(node)
        return node

    @contextmanager
    def group(self, name: str, meaning: str = "", *, kind: str = "") -> Iterator[Node]:
        """Make a node of what was read since the last one; what comes now is its parts."""
        if self._deep == MAX_NODES_DEEP:
            raise Fault("nested too deep to be explained")
        node = self.leaf(name, meaning, kind=kind)
        outer, self._node = self._node, node
        self._deep += 1
        try:
            yield node
        finally:
            self._node = outer
            self._deep -= 1

    @contextmanager
    def region(self, length: int | None = None, *, whole: bool = True) -> Iterator[None]:
        """Read within the next ``length`` octets (None: all there are); faults end at their end.

        Args:
            length: may be more than there are, which is a fault when its end is reached.
            whole: octets that are left at the end are a fault.
        """
        outer, missing = self.end, 0
        if length is not None:
            missing = max(0, length - self.left)
            self.end = min(outer, self.offset + length)
        try:
            yield
            if whole and self.left:
                raise Fault(f"{self.left} octets too many")
            if missing:
                raise Fault(f"cut short: {missing} octets are missing")
        except ProtocolError as error:
            at = error.at if isinstance(error, Fault) else None
            at = self.offset if at is None else at
            self.offset = self.end
            self.fail(str(error), at)
        finally:
            self.end = outer

    def newest(self) -> Node:
        """Return the node that was made last at this level, down to its last part."""
        node = self._node
        while node.parts:
            node = node.parts[-1]
        return node

    def fail(self, reason: str, at: int | None = None) -> Node:
        """Make a faulty node of what was read since the last one."""
        node = self.leaf("not understood")
        node.fault, node.fault_at = reason, node.offset if at is None else at
        return node

    def complain(self, reason: str) -> None:
        """Say that what was read last does not go together with what was read before it."""
        node = self.leaf("contradiction")
        self.wrong(node, reason)

    def wrong(self, node: Node, reason: str) -> None:
        """Say that a node is understood and wrong."""
        node.fault, node.fault_at = reason, node.offset

    def inside(self, node: Node, how: str, octets: bytes) -> "Walker | None":
        """Hang made octets at a node and return the walker over them; None when too deep.

        The walker's nodes show once ``close`` has been called on it.
        """
        if self.depth == MAX_INSIDE:
            self.wrong(node, f"nested deeper than {MAX_INSIDE}: not explained further")
            return None
        walker = Walker(octets, self.talk, self.depth + 1)
        node.inside = Inside(how, octets, walker.root.parts)
        return walker
