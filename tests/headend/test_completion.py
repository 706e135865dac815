"""The shell's tab key: commands, options, and the names of meters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headend.store import Store, campaigns, registry
from headend.store.registry import Entry
from protocol.timing import Instant

CAMPAIGN = "019a20000000700080000000000000ab"


CASES: list[tuple[str, list[str]]] = [
    ("prepay top", ["topup"]),
    ("prepay --idem", ["--idempotency-key"]),
    ("prepay topup --i", ["--id", "--idempotency-key"]),
    ("prepay --meter OPP", ["OPP0000000000017", "OPP0000000000025"]),
    ("prepay status --meter K", ["KEEN1"]),
    ("prepay meters show OPP00000000", ["OPP0000000000017", "OPP0000000000025"]),
    ("prepay meters show OPP9", []),
    ("prepay keys show K", ["KEEN1"]),
    ("prepay trace K", ["KEEN1"]),
    ("prepay trace ./x", ["FILE"]),
    ("prepay meters import ou", ["FILE"]),
    ("prepay meters --file x", ["FILE"]),
    ("prepay db backup ou", ["FILE"]),
    ("prepay --db ou", ["FILE"]),
    ("prepay status --db ou", ["FILE"]),
    ("prepay meters tag p", ["pilot"]),
    ("prepay meters tag x K", ["KEEN1"]),
    ("prepay campaign start --tag p", ["pilot"]),
    ("prepay lines set b", ["bus1"]),
    ("prepay campaign show 01", [CAMPAIGN]),
    ("prepay campaign start --tag pilot sta", ["status"]),
    ("prepay campaign start --tag pilot status sta", []),
    ("prepay topup --not", ["--not-before", "--not-after"]),
    ("prepay topup --dry", ["--dry-run"]),
    ("prepay topup --wai", ["--wait"]),
    ("prepay meters --wai", []),
]

#: A shell begins a process each time; here one answers for all of them.
_PROGRAM = """
import contextlib, io, json, os, sys
from headend.cli import main
for words in json.load(sys.stdin):
    os.environ |= {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    out = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(prog_name="prepay")
    out.flush()
    print(json.dumps(out.buffer.getvalue().decode()))
"""


def completed(database: str, *words: str) -> list[list[str]]:
    """Return what the bash script would be offered for the last word of each line."""
    environment = os.environ | {"_PREPAY_COMPLETE": "bash_complete", "PREPAY_DB": database}
    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=environment,
        input=json.dumps(words),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.stderr == ""
    offered = []
    for answer in told.stdout.splitlines():
        lines = [line.partition(",") for line in json.loads(answer).splitlines() if line]
        offered.append(["FILE" if kind == "file" else value for kind, _, value in lines])
    return offered


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is offered for each line of the table, in a database with three meters."""
    url = f"sqlite:///{tmp_path_factory.mktemp('completion')}/headend.sqlite3"
    store = Store(url)
    with store.begin() as db:
        names = ("OPP0000000000017", "OPP0000000000025", "KEEN1")
        registry.add(db, [Entry(name, tags=("pilot",)) for name in names], Instant(1))
        registry.set_line(db, "bus1", 1)
        campaigns.add(
            db, CAMPAIGN, "status", {}, {}, label="", at_once=None, caller="ann",
            idempotency_key=None, now=Instant(1),
        )  # fmt: skip # one campaign
    store.close()
    lines = [words for words, _ in CASES]
    return dict(zip(lines, completed(url, *lines), strict=True))


@pytest.mark.parametrize(("words", "wanted"), CASES, ids=[words for words, _ in CASES])
def test_the_shell_is_offered_what_may_come_next(
    offered: dict[str, list[str]], words: str, wanted: list[str]
) -> None:
    """Commands, options of the command, what the registry has, or the shell's own files."""
    assert offered[words] == wanted


def test_no_database_offers_no_names_and_makes_none(tmp_path: Path) -> None:
    """The tab key leaves nothing behind."""
    assert completed(f"sqlite:///{tmp_path}/none.sqlite3", "prepay --meter O") == [[]]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    """The script calls this program back by click's protocol."""
    program = [sys.executable, "-c", "from headend.cli import main; main(prog_name='prepay')"]
    told = subprocess.run(
        [*program, "completion", shell], capture_output=True, text=True, timeout=60, check=True
    )
    assert f"_PREPAY_COMPLETE={shell}_complete" in told.stdout
