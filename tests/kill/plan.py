"""What a campaign is of, as it stands in its folder: written once, read by all of its processes.

| file | who writes it | what is in it |
|---|---|---|
| plan.json | the campaign, at its start | meters, payments, database, the kills wanted |
| kills.jsonl | the campaign, a line after each kill | whom it killed, where, and when |
| meters/NAME | the fleet | each meter's memory |
| sessions.jsonl | the fleet | each session that a meter saw, and how many others it had then |
| trace.jsonl | the fleet | each transaction that a meter executed, as its log has it |
| *.log | workers, fleet | what they said |
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Where a worker tells that it has come to a point of danger: the name of a socket's file.
BARRIER = "PREPAY_KILL_BARRIER"


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """A meter of the fleet.

    Args:
        name: logical device name.
        profile: be-wal keeps its balance at the head-end, il in the meter.
        port: TCP port on 127.0.0.1, the same after each start.
    """

    name: str
    profile: str
    port: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A top-up that somebody has paid for.

    Args:
        meter: name.
        amount: minor units; no two of a campaign are alike.
        key: idempotency key under which it is queued.
    """

    meter: str
    amount: int
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A campaign.

    Args:
        store: sqlite or postgresql.
        database: URL.
        server: the PostgreSQL server's folder; empty for SQLite.
        server_port: its TCP port; 0 for SQLite.
        workers: how many processes carry commands out.
        sessions: how many meters each of them speaks to at a time.
        points: at which somebody is killed.
        kills: how many are wanted of each victim at each of them.
        meters, payments: all of them.
    """

    store: str
    database: str
    server: str
    server_port: int
    workers: int
    sessions: int
    points: list[str]
    kills: dict[str, int]
    meters: list[MeterPlan]
    payments: list[Payment]

    def save(self, folder: Path) -> None:
        """Write it down, whole or not at all."""
        draft = folder / "plan.new"
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(folder / "plan.json")


def load(folder: Path) -> Plan | None:
    """Return the plan of a folder; None where none was finished."""
    path = folder / "plan.json"
    if not path.exists():
        return None
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    values["meters"] = [MeterPlan(**each) for each in values["meters"]]
    values["payments"] = [Payment(**each) for each in values["payments"]]
    return Plan(**values)


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line to a file in one write, which a kill cannot part."""
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(number, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(number)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file that are whole; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
