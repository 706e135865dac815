"""The shell's tab key: commands, options, and the names of meters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headend.store import Store, registry
from headend.store.registry import Entry
from protocol.timing import Instant


def completed(database: str, words: str) -> list[str]:
    """Return what the bash script would be offered for the last of some words."""
    count = len(words.split(" ")) - 1
    environment = os.environ | {
        "_PREPAY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
        "PREPAY_DB": database,
    }
    program = [sys.executable, "-c", "from headend.cli import main; main(prog_name='prepay')"]
    told = subprocess.run(
        program, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.stderr == ""
    return [line.partition(",")[2] for line in told.stdout.splitlines() if line]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Return a database with three meters."""
    url = f"sqlite:///{tmp_path}/headend.sqlite3"
    store = Store(url)
    with store.begin() as db:
        names = ("OPP0000000000017", "OPP0000000000025", "KEEN1")
        registry.add(db, [Entry(name) for name in names], Instant(1))
    store.close()
    return url


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("prepay top", ["topup"]),
        ("prepay --idem", ["--idempotency-key"]),
        ("prepay topup --i", ["--id"]),
        ("prepay --meter OPP", ["OPP0000000000017", "OPP0000000000025"]),
        ("prepay status --meter K", ["KEEN1"]),
        ("prepay meters show OPP00000000000", []),
    ],
)
def test_the_shell_is_offered_what_may_come_next(
    database: str, words: str, offered: list[str]
) -> None:
    """Commands by their beginning, options of the command, names out of the registry."""
    assert completed(database, words) == offered


def test_no_database_offers_no_names_and_makes_none(tmp_path: Path) -> None:
    """The tab key leaves nothing behind."""
    assert completed(f"sqlite:///{tmp_path}/none.sqlite3", "prepay --meter O") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    """The script calls this program back by click's protocol."""
    program = [sys.executable, "-c", "from headend.cli import main; main(prog_name='prepay')"]
    told = subprocess.run(
        [*program, "completion", shell], capture_output=True, text=True, timeout=60, check=True
    )
    assert f"_PREPAY_COMPLETE={shell}_complete" in told.stdout
