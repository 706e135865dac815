"""What processes cost, as Linux accounts for it; and where their time goes, by package."""

import cProfile
import os
import pstats
from collections import Counter
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, and of its children, those that have ended included."""
    own = _stat(pid)
    if own is None:
        return 0.0
    return sum(own[11:15]) / _TICKS + sum(cpu_seconds(child) for child in _children(pid))


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had resident so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> list[int] | None:
    """Return the numbers of a process from its state on, 3rd of ``proc(5)``; None once gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:  # a thread that has just ended
            continue
    return found


#: Whose code it is, by what its file's path has in it; the first that fits.
_OWNERS = (
    ("SQLAlchemy", "/sqlalchemy/"),
    ("psycopg", "/psycopg"),
    ("construct", "/construct/"),
    ("headend/store", "/headend/store/"),
    ("headend", "/headend/"),
    ("protocol", "/protocol/"),
    ("prepay", "/prepay/"),
    ("meter_fw", "/meter_fw/"),
    ("sim", "/sim/"),
    ("pydantic", "/pydantic"),
)
#: Of what is built in, by what its name has in it.
_BUILT_IN = (
    ("SQLite", "sqlite3"),
    ("AES", "aead"),
    ("waiting for a line", "socket"),
    ("waiting for a line", "select"),
    ("waiting for a line", "epoll"),
    ("waiting for a lock", "lock"),
)


def say_where(profiled: cProfile.Profile, most: int = 25) -> None:
    """Print whose code took how much of the time, and which functions the most."""
    shares: Counter[str] = Counter()
    stats = pstats.Stats(profiled)
    for (path, _line, name), (_, _, own, *_rest) in stats.stats.items():  # type: ignore[attr-defined] # not in its stub
        table, text = (_BUILT_IN, name) if path == "~" else (_OWNERS, path)
        shares[next((who for who, mark in table if mark in text), "Python itself")] += own
    whole = sum(shares.values())
    for who, seconds in shares.most_common():
        print(f"{100 * seconds / whole:5.1f} % {who}")
    stats.sort_stats("tottime").print_stats(most)
