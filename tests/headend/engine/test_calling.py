"""Queueing through ``prepay serve``: what is written and said is what it is without one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from headend.cli import Invocation, main
from headend.console import calling
from headend.console.calling import place
from headend.context import Context, Settings
from headend.engine import ordering
from headend.engine.states import State
from headend.store import Store, commands, registry
from protocol.timing import Instant
from tests.headend.engine.test_serve import Place, eventually

METER = "OPP0000000000001"
PATIENCE = 60.0
#: What takes time to import; none of it is needed by who asks a worker.
HEAVY = (
    "sqlalchemy", "alembic", "asyncio", "dbos", "pydantic", "construct", "cryptography",
    "cryptography.x509", "rich", "serial", "protocol.apdu", "protocol.hdlc.client",
)  # fmt: skip # a list
#: What carries a command out over TCP, on a meter with a key file's keys.
NEEDED = {"cryptography", "protocol.apdu"}
_PROGRAM = (
    "import sys\n"
    "from headend.cli import main\n"
    "try: main(sys.argv[1:])\n"
    f"finally: print('imported:', *[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)\n"
)

#: As a terminal has it: what is started in the background ignores Ctrl-C, and so do its children.
_INTERRUPTIBLE = (
    "import signal\n"
    "from headend.cli import main\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "main()\n"
)


def clean(**more: str) -> dict[str, str]:
    """Return an environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREPAY_")}
    return kept | more


class Said:
    """What a command line came to: exit code, stdout, stderr, and of ``HEAVY`` what it imported."""

    def __init__(self, code: int, out: str, err: str) -> None:
        err, _, imported = err.partition("imported:")
        self.code, self.out, self.err, self.imported = code, out, err, imported.split()

    def alike(self) -> tuple[int, str, str]:
        """Return what has to be alike, whoever did it: all but ids and moments."""
        # Whether its worker has drawn an id for it yet is a matter of milliseconds.
        ids = re.compile(r"\"?\b[0-9a-f]{32}\b\"?|(?<=\"transaction\": )null")
        moments = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")

        def masked(said: str) -> str:
            return moments.sub("MOMENT", ids.sub("ID", said))

        return self.code, masked(self.out), masked(self.err)


class Shop:
    """A database with a meter in its registry that nobody can reach."""

    def __init__(self, url: str) -> None:
        self.url, self.store = url, Store(url)
        with self.store.begin() as db:
            entry = registry.Entry(METER, profile="be-wal", transport="tcp:127.0.0.1:1")
            registry.add(db, [entry], Instant(0))

    def through(self, *words: str) -> Said:
        """Run ``prepay`` in a process of its own, with a worker or without."""
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "--db", self.url, *words],
            capture_output=True, text=True, env=clean(), timeout=PATIENCE, check=False,
        )  # fmt: skip # one call
        return Said(done.returncode, done.stdout, done.stderr)

    def newest(self) -> dict[str, Any]:
        """Return what its caller can decide of the newest row."""
        with self.store.read() as db:
            (row,) = commands.newest(db, states=[], meter_id=None, limit=1)
        begin = row.created if row.not_before is None else row.not_before
        return {
            "meter": row.meter, "name": row.name, "arguments": dict(row.arguments),
            "priority": row.priority, "idempotency_key": row.idempotency_key,
            "transaction": row.transaction_id, "caller": row.caller,
            "its own correlation": row.correlation == row.id,
            "before, in seconds": row.not_before and round((row.not_before - row.created) / 1000),
            "after, in seconds": round((row.not_after - begin) / 1000),
        }  # fmt: skip # a table

    def ids(self) -> list[str]:
        """Return the ids of all commands."""
        with self.store.read() as db:
            return [c.id for c in commands.newest(db, states=[], meter_id=None, limit=1_000)]


@contextmanager
def serving(url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``prepay serve`` until the block ends."""
    program = "from headend.cli import main; main()"
    words = [sys.executable, "-c", program, "--db", url, "serve", "--log-level", "error"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=clean()) as process:
        try:
            beside = place(url)
            assert beside is not None
            eventually(lambda: any(beside.parent.glob(f"{beside.name}*")) or process.poll())
            yield process
        finally:
            process.terminate()
            assert "Traceback" not in process.communicate(timeout=PATIENCE)[1]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Nobody works there."""
    made = Shop(str(tmp_path / "h.db"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One with a worker in a process of its own."""
    made = Shop(str(tmp_path_factory.mktemp("served") / "h.db"))
    with serving(made.url):
        yield made
    made.store.close()


IDENTITY = "0192f0c000007000800000000000000"
#: Later, so that the worker has not begun it when its state is said.
IN_VAIN = ["topup", "25.00", "--queue", "--not-before", "+2h", "--wait=0"]
#: Words after the meter's name; {} is another digit for each of the two who say them.
SAID: dict[str, list[str]] = {
    "a top-up": ["topup", "25.00", "--queue"],
    "for machines": ["--json", "topup", "25.00", "--queue"],
    "with a transaction id": ["topup", "25.00", "--id", IDENTITY + "{}", "--queue"],
    "with a key": ["topup", "25.00", "--queue", "--idempotency-key", "key-{}"],
    "with a priority": ["read", "1.8.0", "--queue", "--priority", "0"],
    "later": ["topup", "25.00", "--queue", "--not-before", "+2h", "--not-after", "+3h"],
    "at a moment": ["topup", "25.00", "--queue", "--not-after", "2199-01-01T00:00"],
    "a negative amount": ["adjust", "-5", "--reason", "-", "--queue"],
    "letters beyond ASCII": ["set", "1.8.0", "utf8-string:€ ö", "--queue"],
    "waited for in vain": IN_VAIN,
    "waited for by a machine": ["--json", *IN_VAIN],
}


@pytest.mark.parametrize("case", SAID)
def test_the_same_row_is_written_and_the_same_said(
    served: Shop, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a worker's desk, and by the caller himself."""
    words = ["--meter", METER, *SAID[case]]
    by_desk = served.through(*(word.format(1) for word in words))
    asked = served.newest()
    if "topup" in words and "2199" not in str(words):  # a moment by our own time zone
        assert by_desk.imported == []
    alone = by_himself(served, [word.format(2) for word in words], capsys)
    assert by_desk.code in (0, 3), by_desk.err
    assert by_desk.alike() == alone.alike()
    own = served.newest()
    for row, digit in ((asked, "1"), (own, "2")):
        row["idempotency_key"] = (row["idempotency_key"] or "").replace(digit, "{}")
        row["transaction"] = (row["transaction"] == IDENTITY + digit) == ("--id" in words)
    for name in ("before, in seconds", "after, in seconds"):
        assert abs((asked.pop(name) or 0) - (own.pop(name) or 0)) < PATIENCE
    assert asked == own


def by_himself(shop: Shop, words: list[str], capsys: pytest.CaptureFixture[str]) -> Said:
    """Run ``prepay`` here, while the desk cannot be found."""
    beside = place(shop.url)
    assert beside is not None
    (path,) = beside.parent.glob(f"{beside.name}*")
    aside = path.rename(path.with_name("aside"))
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            main(["--db", shop.url, *words], obj=Invocation())
    finally:
        aside.rename(path)
    said = capsys.readouterr()
    return Said(int(ended.value.code or 0), said.out, said.err)


REFUSED: dict[str, list[str]] = {
    "no such meter": ["--meter", "OPP1", "topup", "25.00", "--queue"],
    "no meter": ["topup", "25.00", "--queue"],
    "by a port": ["--meter", METER, "--port", "tcp:x:1", "topup", "25.00", "--queue"],
    "with a password": ["--meter", METER, "--password", "x", "topup", "25.00", "--queue"],
    "no amount": ["--meter", METER, "topup", "abc", "--queue"],
    "no amount that is paid": ["--meter", METER, "topup", "-5", "--queue"],
    "no OBIS code": ["--meter", METER, "--json", "read", "nonsense!", "--queue"],
    "no transaction id": ["--meter", METER, "topup", "25.00", "--id", "x", "--queue"],
    "no moment": ["--meter", METER, "topup", "25.00", "--queue", "--not-before", "+2y"],
    "over before it begins": ["--meter", METER, "topup", "25.00", "--queue", "--not-after", "+0s"],
    "no key": ["--meter", METER, "topup", "25.00", "--queue", "--idempotency-key", "a b"],
    "a file": ["--meter", METER, "calendar", "set", "nosuch.toml", "--queue"],
    "for machines": ["--json", "--meter", METER, "topup", "1", "--queue", "--idempotency-key", ""],
    "too much": ["--meter", METER, "adjust", "5", "--reason", "x" * 70_000, "--queue"],
    "not queued": ["--meter", METER, "topup", "25.00", "--wait"],
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_same_is_refused_in_the_same_words(
    served: Shop, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same exit code, and nothing is written."""
    before = served.ids()
    by_desk = served.through(*REFUSED[case])
    alone = by_himself(served, REFUSED[case], capsys)
    assert by_desk.code in (1, 2)
    assert by_desk.alike() == alone.alike()
    assert served.ids() == before


def test_the_same_key_finds_the_same_command_whoever_is_asked(
    served: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once by the desk, once without; of another command it is refused by both."""
    words = ["--json", "--meter", METER, "topup", "31.00", "--queue", "--idempotency-key", "once"]
    first, again = served.through(*words), by_himself(served, words, capsys)
    assert json.loads(first.out)["command"] == json.loads(again.out)["command"]
    assert "again" not in json.loads(first.out)
    for said in (again, served.through(*words)):
        assert json.loads(said.out)["again"] is True
    words[4] = "32.00"
    other, too = served.through(*words), by_himself(served, words, capsys)
    assert (other.code, "of another command" in other.err) == (2, True)
    assert other.alike() == too.alike()


def test_on_a_server_the_worker_is_found_in_the_users_own_folder(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Which nobody else may enter; and it is gone with the worker."""
    shop = Shop(request.getfixturevalue("postgres").database())
    with TemporaryDirectory(prefix="prepay-") as short, closing(shop.store):  # sockets' names are
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        with serving(shop.url):
            said = shop.through("--meter", METER, "topup", "25.00", "--queue")
            assert (said.code, said.imported) == (0, []), said.err
            folder = Path(short, "openprepay")
            (listening,) = folder.iterdir()
            assert folder.stat().st_mode & 0o077 == 0
            assert listening.stat().st_mode & 0o077 == 0
            assert len(shop.ids()) == 1
        assert not listening.exists()


def test_nobody_is_there(shop: Shop) -> None:
    """Then the caller writes the row, and says so."""
    said = shop.through("--meter", METER, "topup", "25.00", "--queue")
    assert (said.code, "nobody is there" in said.out) == (0, True)
    assert "sqlalchemy" in said.imported
    assert len(shop.ids()) == 1


def _dies(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Hear what is asked for, and die."""


def _dies_behind_it(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Write the row, and die before that is said."""
    context = Context(Settings(meter=said["meter"]), store=shop.store)
    ordering.placed(context, said["name"], said["arguments"], {}, drawn=said["draw"])


def _dies_in_the_wait(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Write the row and say so, and die while it is waited for."""
    _dies_behind_it(shop, said, line)
    line.sendall(b'{"report": {"data": {"command": "%s"}}}\n' % said["draw"].encode())


def _hangs(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Write the row and say so, and that it is not over, and then nothing any more."""
    _dies_in_the_wait(shop, said, line)
    line.sendall(b"\n\n")
    line.settimeout(PATIENCE)
    assert line.recv(1) == b""  # until the caller has had enough


def _is_another(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Be of another version."""
    line.sendall(b'{"error": "the desk: only version 9 is spoken here", "exit_code": -1}\n')


def _babbles(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Say what is no answer."""
    line.sendall(b'{"report": {"nosuch": 1}}\n')


def _babbles_on(shop: Shop, said: dict[str, Any], line: socket.socket) -> None:
    """Say what is no JSON."""
    line.sendall(b"[" * 10_000 + b"\n")


@pytest.mark.parametrize(
    "deed", [_dies, _dies_behind_it, _dies_in_the_wait, _hangs, _is_another, _babbles, _babbles_on]
)
def test_whatever_the_worker_does_there_is_one_row(
    shop: Shop,
    deed: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller goes on by himself under the id that he drew; his wait still has its end."""
    monkeypatch.setattr(calling, "_PATIENCE", 2.0)
    path = Path(f"{shop.url}.desk.1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
        ours.bind(str(path))
        ours.listen()

        def play() -> None:
            line, _ = ours.accept()
            with line, line.makefile("rb") as asked:
                deed(shop, json.loads(asked.readline()), line)

        playing = threading.Thread(target=play, daemon=True)
        playing.start()
        words = ["--db", shop.url, "--meter", METER, "topup", "25.00", "--queue", "--wait=0.3"]
        with pytest.raises(SystemExit) as ended:
            main(words, obj=Invocation())
        playing.join(PATIENCE)
    (one,) = shop.ids()
    assert ended.value.code == 3
    assert f"command {one} is still queued" in capsys.readouterr().err


@pytest.mark.parametrize("sure", [True, False], ids=["answered", "unanswered"])
def test_who_interrupts_a_wait_is_told_which_command_goes_on(shop: Shop, sure: bool) -> None:
    """Under the id that he drew, although the worker may not have said yet that it is written."""
    path = Path(f"{shop.url}.desk.1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
        ours.bind(str(path))
        ours.listen()
        words = ["--db", shop.url, "--meter", METER, "read", "1.8.0", "--queue", "--wait"]
        process = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE, *words],
            stderr=subprocess.PIPE,
            text=True,
            env=clean(),
        )
        try:
            ours.settimeout(PATIENCE)
            line, _ = ours.accept()
            with line, line.makefile("rb") as asked:
                drawn = json.loads(asked.readline())["draw"]
                if sure:
                    report = {"data": {"command": drawn, "meter": METER}}
                    line.sendall(json.dumps({"report": report}).encode() + b"\n\n")
                threading.Event().wait(0.2)  # a signal that comes at any moment is heard
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait(PATIENCE)
    stays = "stays queued" if sure else "may have been queued"
    assert process.returncode == 130
    assert err.startswith(f"prepay: interrupted; command {drawn} for {METER} {stays}: ")


def test_with_and_without_a_worker_a_command_imports_what_it_needs(tmp_path: Path) -> None:
    """And whatever happens to the worker, it is carried out once."""
    place = Place(tmp_path, str(tmp_path / "h.db"))
    try:
        place.meet()
        shop = Shop.__new__(Shop)
        shop.url = place.url
        direct = shop.through("--meter", place.meter, "topup", "5.00")
        assert (direct.code, "topped up" in direct.out) == (0, True), direct.err
        assert set(direct.imported) <= NEEDED | {"protocol.hdlc.client"}
        for word in ("status", "ledger", "settle"):
            asked = shop.through("--meter", place.meter, word)
            assert (asked.code, "sqlalchemy" in asked.imported) == (0, False), asked.err
        worker = place.serve()
        worker.send_signal(signal.SIGSTOP)
        waiting = place.start(
            "headend.cli", "--meter", place.meter, "topup", "25.00", "--queue", "--wait"
        )
        worker.send_signal(signal.SIGCONT)
        eventually(lambda: sum(place.states().values()) == 1)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        place.serve()
        out, err = waiting.communicate(timeout=PATIENCE)
        assert (waiting.returncode, "topped up" in out) == (0, True), err
        assert place.states() in ({State.DONE: 1}, {State.SETTLED: 1})
        said = shop.through("--meter", place.meter, "topup", "5.00", "--queue", "--wait")
        assert (said.code, said.imported) == (0, []), said.err
        assert "topped up" in said.out
    finally:
        place.close()
