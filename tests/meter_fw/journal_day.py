"""A day in the life of a prepaid meter's memory, as commits: what the journal's tests replay."""

import struct
from collections.abc import Iterator

from meter_fw.nvram import CellKey, Journal
from sim.flash import MemoryFlash

State = dict[CellKey, bytes]
Commit = dict[CellKey, bytes | None]

ENERGY = CellKey(1)
TOTALS = CellKey(2)
COUNTERS = CellKey(3)
SNAPSHOT = CellKey(4)
RELAY = CellKey(5)
ARMED = CellKey(6)
LOG = 7
REMEMBERED = 12
#: Small enough for a compaction every dozen commits.
BLOCK_SIZE = 720


def commissioning() -> Commit:
    """Return the first commit of a meter's life."""
    return {
        ENERGY: struct.pack(">QI", 0, 0),
        TOTALS: struct.pack(">iiiI", 2000, 0, 0, 0),
        COUNTERS: struct.pack(">II", 64, 0),
        SNAPSHOT: bytes(24),
        RELAY: b"\x01\x00\x01",
    }


def day() -> list[Commit]:
    """Return the commits of a day: energy and charge, counters, top-ups, cuts and reconnections."""
    commits = [commissioning()]
    for quarter in range(96):
        watt_hours = 125 * (quarter + 1)
        booked = 20 * quarter
        commits.append(
            {
                ENERGY: struct.pack(">QI", watt_hours, quarter),
                TOTALS: struct.pack(">iiiI", 2000 - booked, booked, 0, quarter),
            }
        )
        commits.append({COUNTERS: struct.pack(">II", 64 * (quarter + 2), quarter)})
        if quarter % 8 == 3:
            commits.append(top_up(quarter))
        if quarter % 16 == 9:
            commits.append({ARMED: struct.pack(">II", quarter, 900 * quarter)})
            commits.append({RELAY: b"\x00\x01\x00", ARMED: None})
        if quarter % 16 == 11:
            commits.append({RELAY: b"\x01\x00\x01"})
    return commits


def top_up(number: int) -> Commit:
    """Return a top-up: the snapshot, the totals and the transaction's place in the ring."""
    entry = number.to_bytes(16, "big") + struct.pack(">BBii", 3, 0, 2500, 4000)
    return {
        SNAPSHOT: struct.pack(">IiiQI", number, 4000, 1000, 900 * number, 0),
        TOTALS: struct.pack(">iiiI", 4000, 0, 2500 * number, number),
        CellKey(LOG, number % REMEMBERED): entry,
    }


def apply(state: State, commit: Commit) -> State:
    """Return the state after a commit: the model that the journal is held against."""
    merged = {**state, **commit}
    return {key: value for key, value in merged.items() if value is not None}


def live(flash: MemoryFlash, commits: list[Commit]) -> Iterator[State]:
    """Mount and commit all; yield the state that has to be durable, first that at the mount."""
    journal = Journal(flash, range(flash.block_count))
    state = journal.mount().cells
    yield state
    for commit in commits:
        journal.commit(commit)
        state = apply(state, commit)
        yield state


def lived(flash: MemoryFlash, commits: list[Commit]) -> list[State]:
    """Return all the states of ``live``, once they have gone by."""
    return list(live(flash, commits))


def copy(flash: MemoryFlash) -> MemoryFlash:
    """Return a flash with the same content, not strict: flipped bits are part of it."""
    twin = MemoryFlash(flash.block_count, flash.block_size)
    twin.fill(flash.image)
    return twin
