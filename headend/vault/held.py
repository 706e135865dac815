"""What the vault has of one meter, and a key as it may be shown to people."""

from collections.abc import Mapping

from msgspec import Struct, field

from headend.store.keys import State
from headend.vault.kinds import OWN_PAIRS, Kind, assemble, parts
from obis.values import hiding
from prepay.keys import MeterKeys
from protocol.timing import Instant


class Held(Struct, frozen=True):
    """What the vault has of one meter.

    Args:
        meter_id, meter: row number and name.
        keys: those in force, as far as is known.
        pending: the kind of the key that the meter may have, or not; None: all is known.
        new: that key; empty: the meter may have made it itself, and nobody knows it yet.
        version: its version; 0 without one.
        drawn: the transaction id of the rotation that each key in force came by.
        created: when the pending key was written down.
    """

    meter_id: int
    meter: str
    keys: MeterKeys
    pending: Kind | None = None
    new: bytes = b""
    version: int = 0
    drawn: Mapping[Kind, str | None] = field(default_factory=dict)
    created: Instant = Instant(0)

    __repr__ = hiding("new")

    @property
    def turned(self) -> MeterKeys:
        """The keys with the pending one in its place, as far as it is known."""
        if self.pending is None or self.unknown:
            return self.keys
        return assemble(parts(self.keys) | {self.pending: self.new})

    @property
    def unknown(self) -> bool:
        """Whether the meter may have made itself a pair that nobody else knows yet."""
        return self.pending in OWN_PAIRS and not self.new


class Listed(Struct, frozen=True):
    """A key as it may be shown to people.

    Args:
        kind, version, state: see ``headend.store.keys``.
        created: when it was written down.
        master: fingerprint of the master key that it is wrapped under.
        mark: by which it can be told apart from others; empty where the master key is not at hand.
    """

    kind: str
    version: int
    state: State
    created: Instant
    master: str
    mark: str
