"""Our time and the peers' for one operation on the same octets, in the same run.

A peer is timed by a script of its own under its own interpreter (``peers/``) and never imported
here. A machine with other work on it is not equally fast from one second to the next, so its
rounds and ours take turns: a ratio is the median of theirs over ours, round by round.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.timing import ROUNDS, Call, calibrated, round_seconds
from protocol.axdr import Data

SCRIPTS = {
    "gurux-dlms": "gurux_bench.py",
    "dlms-cosem": "dlms_cosem_bench.py",
    "pydlms-client": "pydlms_bench.py",
}
PATIENCE_SECONDS = 60
HERE = Path(__file__).resolve().parent

Compare = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation's line in the table.

    Args:
        name: of the operation.
        seconds: our median.
        ratios: how many times as long a peer takes, by its name and version.
    """

    name: str
    seconds: float
    ratios: Mapping[str, float]


@dataclass
class Ratios:
    """The table of a run, filled as its benchmarks pass."""

    rows: list[Row] = field(default_factory=list)

    def as_markdown(self) -> str:
        """Return operations down, peers across; a dash where a peer has no such operation."""
        peers = sorted({peer for row in self.rows for peer in row.ratios})
        lines = [["operation", "ours", *peers], ["---", *["---:"] * (1 + len(peers))]]
        for row in self.rows:
            told = [f"× {row.ratios[peer]:.1f}" if peer in row.ratios else "-" for peer in peers]
            lines.append([row.name, _readable(row.seconds), *told])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _readable(seconds: float) -> str:
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


@dataclass(frozen=True)
class Comparison:
    """Times us, then the peers in turns with us, and keeps the ratios.

    Args:
        benchmark: pytest-benchmark's fixture.
        interpreters: the peers' by name; empty where they could not be installed.
        ratios: the table of this run.
    """

    benchmark: Any
    interpreters: Mapping[str, Path]
    ratios: Ratios

    def __call__(
        self,
        name: str,
        call: Call,
        operation: str = "",
        case: Mapping[str, Any] | None = None,
        *,
        iterations: int | None = None,
        peers: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Measure.

        Args:
            name: in the table.
            call: ours.
            operation: the peers' scripts know it by this name; empty asks no peer.
            case: the octets it is done on.
            iterations: calls in a round, where there are only so many; None chooses.
            peers: what of the case is different for one of them, by name.
        """
        if self.benchmark.disabled:  # a run that only wants to see that all of it still works
            self.benchmark(call)
            return
        count = iterations or calibrated(call)
        self.benchmark.pedantic(call, rounds=ROUNDS, iterations=count, warmup_rounds=1)
        found: dict[str, float] = {}
        for peer, python in self.interpreters.items() if operation else ():
            asked = dict(case or {}, operation=operation, iterations=iterations)
            asked |= (peers or {}).get(peer, {})
            found |= in_turns(peer, python, asked, lambda: round_seconds(call, count))
        self.benchmark.extra_info.update({peer: round(ratio, 2) for peer, ratio in found.items()})
        self.ratios.rows.append(Row(name, self.benchmark.stats.stats.median, found))


def in_turns(
    peer: str, python: Path, case: Mapping[str, Any], ours: Callable[[], float]
) -> dict[str, float]:
    """Return how many times as long a peer takes, by its name and version.

    Args:
        peer: its name.
        python: its interpreter.
        case: what its script is asked to do.
        ours: times a round of ours and returns seconds a call.

    Returns:
        One entry, or none where the peer has no such operation.
    """
    command = [str(python), "-B", str(HERE / "peers" / SCRIPTS[peer])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first = _say(process, json.dumps(case))
        told = json.loads(first) if first else {}
        rounds = ROUNDS + 1 if told.get("able") else 0
        ratios = [float(_say(process, "")) / ours() for _ in range(rounds)][1:]
        _, complaint = process.communicate(timeout=PATIENCE_SECONDS)
    if not told or process.returncode:
        raise AssertionError(f"{peer} could not be timed:\n{complaint}")
    return {told["peer"]: median(ratios)} if ratios else {}


def _say(process: subprocess.Popen[str], line: str) -> str:
    """Return the line that a peer's script answers with, nothing when it has broken down."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def neutral(data: Data) -> list[Any]:
    """Return a value as the peers' scripts take it: type name and content, octets as hex."""
    content = data.value
    if isinstance(content, tuple):
        content = [neutral(one) for one in content]
    elif isinstance(content, bytes):
        content = content.hex()
    return [data.tag.type_name, content]
