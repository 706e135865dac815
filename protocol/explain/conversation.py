"""What earlier octets of a conversation tell about later ones.

System titles come from AARQ, AARE and general ciphering, a dedicated key from a deciphered
InitiateRequest, the type of an answer from its request, and the pieces of what was segmented or
sent in blocks from the frames and APDUs before. A ``Conversation`` remembers them; nothing in it
is needed to explain octets, only to say more of them.
"""

from collections import deque
from dataclasses import dataclass, field

from protocol.cosem import latest
from protocol.cosem.types import Type
from protocol.events import AttributeRef, MethodRef
from protocol.explain.vault import CLIENT, SERVER, Vault
from protocol.security import KeySet


@dataclass
class Conversation:
    """The memory of a conversation between one client and one server.

    Args:
        keys: the global keys, None where nobody gave any.
        certain: whether these are said to be the right keys; keys that are only tried and do not
            fit are no fault of the octets.
        titles: system titles that somebody gave, tried where none has been heard.
        direction: of the present message, whatever the trace calls it; empty where it says nothing.
        broadcast: the keys of what is broadcast.
        vault: the further secrets, None where nobody gave any.
    """

    keys: KeySet | None = field(default=None, repr=False)
    certain: bool = True
    titles: tuple[bytes, ...] = ()
    direction: str = ""
    broadcast: KeySet | None = field(default=None, repr=False)
    vault: Vault | None = field(default=None, repr=False)
    dedicated: KeySet | None = field(default=None, repr=False)
    mechanism: int | None = None
    challenges: dict[str, bytes] = field(default_factory=dict, repr=False)
    variables: int = 0  # of the last READ request
    proof_due: bool = False  # the last request answers a challenge
    heard: dict[str, bytes] = field(default_factory=dict)
    segments: dict[bytes, list[tuple[int, bytes]]] = field(default_factory=dict)
    blocks: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    general_blocks: dict[str, dict[int, bytes]] = field(default_factory=dict)
    _asked: dict[tuple[str, int], list[Type | None]] = field(default_factory=dict)
    _lists: set[int] = field(default_factory=set)
    _types: deque[Type | None] = field(default_factory=deque)
    _parameters: deque[Type | None] = field(default_factory=deque)
    _collecting: list[Type | None] = field(default_factory=list)

    def senders(self, side: str) -> list[bytes]:
        """Return the system titles that the sender of an APDU may have, the likeliest first."""
        other = SERVER if side == CLIENT else CLIENT
        known = (self.heard.get(side), *self.titles, self.heard.get(other))
        return list(dict.fromkeys(title for title in known if title))

    def opens(self) -> None:
        """Note that an association begins: what was said of the one before holds no longer."""
        self.mechanism = None
        self.challenges.clear()

    # --- which types are awaited -----------------------------------------------------------------

    def asks(self, service: str, number: int, *, several: bool = False) -> None:
        """Note that a request of that invoke-id begins; ``refers`` says what it refers to."""
        self.proof_due = False
        self._collecting = self._asked[service, number] = []
        self._types.clear()
        self._parameters.clear()
        (self._lists.add if several else self._lists.discard)(number)

    def answers(self, service: str, number: int) -> None:
        """Note that the answer to that request begins."""
        self._types = deque(self._asked.get((service, number), ()))

    def asked_several(self, number: int) -> bool:
        """Whether the request of that invoke-id had a list."""
        return number in self._lists

    def refers(self, reference: AttributeRef | MethodRef) -> None:
        """Note what the present APDU refers to."""
        returned, taken = _types(reference)
        self._collecting.append(returned)
        self._types.append(returned)
        self._parameters.append(taken)
        self.proof_due = isinstance(reference, MethodRef) and _is_proof(reference)

    def next_type(self) -> Type | None:
        """Return the declared type of the next value in the present APDU."""
        return self._types.popleft() if self._types else None

    def next_parameter(self) -> Type | None:
        """Return the declared type of the next method's parameter in the present APDU."""
        return self._parameters.popleft() if self._parameters else None

    # --- blocks ----------------------------------------------------------------------------------

    def block(self, service: str, invoke: int, number: int, octets: bytes) -> None:
        """Keep the octets of a datablock; number 1 begins anew, and a gap gives all up."""
        kept = self.blocks.setdefault((service, invoke), [])
        if number == 1:
            kept.clear()
        if number == len(kept) + 1:
            kept.append(octets)
        else:
            self.blocks.pop((service, invoke), None)

    def whole(self, service: str, invoke: int) -> list[bytes]:
        """Return the blocks of what has come to its last block; none where one is missing."""
        return self.blocks.pop((service, invoke), [])

    def general_block(self, number: int, octets: bytes) -> None:
        """Keep the octets of a block of general block transfer, in whatever order they come."""
        kept = self.general_blocks.setdefault(self.direction, {})
        if octets:
            kept[number] = octets

    def general_whole(self, last: int) -> list[bytes]:
        """Return the blocks 1 to ``last`` if all of them have come; none where one is missing."""
        kept = self.general_blocks.get(self.direction, {})
        if len(kept) < last or any(number not in kept for number in range(1, last + 1)):
            return []
        del self.general_blocks[self.direction]
        return [kept[number] for number in range(1, last + 1)]


def _is_proof(method: MethodRef) -> bool:
    return (method.class_id, method.index) in ((15, 1), (12, 8))


def _types(reference: AttributeRef | MethodRef) -> tuple[Type | None, Type | None]:
    """Return the declared types of a value and of a method's parameter."""
    declared = latest(reference.class_id)
    if declared is None:
        return None, None
    if isinstance(reference, AttributeRef):
        attribute = declared.attribute(reference.index)
        return (attribute.type if attribute else None), None
    method = declared.method(reference.index)
    return (method.returns, method.parameter) if method else (None, None)
