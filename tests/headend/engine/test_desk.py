"""A worker's desk: it queues for its user's command lines, and lets whoever else comes go."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.console import calling
from headend.console.calling import LONGEST, SPOKEN, identity_of, place
from headend.context import Context, Settings
from headend.engine import desk as desks
from headend.engine.desk import Desk
from headend.engine.states import Happening
from headend.store import Store, commands, registry
from protocol.timing import Instant

METER = "OPP0000000000001"
DRAWN = "0192f0c0000070008000000000000001"
PATIENCE = 20.0
#: The number of no process: Linux gives none above 2**22.
NOBODY = 2**22 + 1


class Room:
    """A database with a meter in its registry, and a desk.

    Args:
        url: of the database.
    """

    def __init__(self, url: str) -> None:
        self.url, self.store = url, Store(url)
        with self.store.begin() as db:
            entry = registry.Entry(METER, profile="be-wal", transport="tcp:127.0.0.1:1")
            registry.add(db, [entry], Instant(0))
        self.desk = Desk(Context(Settings(db=url), store=self.store))
        beside = place(url)
        assert beside is not None
        self.path = beside.with_name(f"{beside.name}{os.getpid()}")

    def line(self) -> socket.socket:
        """Return a line to the desk."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(PATIENCE)
        made.connect(str(self.path))
        return made

    def say(self, said: bytes) -> list[dict[str, Any]]:
        """Say something, and return all answers."""
        with self.line() as line:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as answers:
                return [json.loads(each) for each in answers]

    def request(self, **changed: Any) -> bytes:
        """Return a line that queues a reading, but for what is changed; ... leaves a key out."""
        whole = {
            "spoken": SPOKEN, "file": identity_of(self.url), "draw": DRAWN, "name": "topup",
            "arguments": {"amount": "25.00"}, "identity": None, "meter": METER, "given": ["meter"],
            "terms": {}, "caller": "somebody", "waits": False, "seconds": None,
        } | changed  # fmt: skip # a table
        kept = {name: value for name, value in whole.items() if value is not ...}
        return json.dumps(kept).encode() + b"\n"

    def rows(self) -> int:
        """Return how many commands there are."""
        with self.store.read() as db:
            return sum(commands.counts(db).values())

    def close(self) -> None:
        """End it."""
        self.desk.close()
        self.store.close()


@pytest.fixture
def room(database: str) -> Iterator[Room]:
    """A desk on either database."""
    made = Room(database)
    yield made
    made.close()


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One desk for all who come and are refused."""
    made = Room(str(tmp_path_factory.mktemp("hall") / "h.db"))
    yield made
    assert made.rows() == 0  # nobody who was refused has left anything
    made.close()


def test_what_is_asked_for_is_written_before_it_is_answered(room: Room) -> None:
    """With the caller's id and name; the socket is nobody else's, and gone with the desk."""
    assert room.path.stat().st_mode & 0o077 == 0
    (answer,) = room.say(room.request())
    assert answer["report"]["data"]["command"] == DRAWN
    with room.store.read() as db:
        row = commands.get(db, DRAWN)
    assert row is not None
    assert (row.name, row.meter, row.caller) == ("topup", METER, "somebody")
    assert row.arguments == {"amount": "25.00"}
    room.desk.close()
    assert not room.path.exists()


def test_the_same_line_again_finds_what_the_first_one_wrote(room: Room) -> None:
    """A caller whose line broke asks again; of another command an id is refused."""
    first, again = room.say(room.request()), room.say(room.request())
    assert first == again
    (other,) = room.say(room.request(arguments={"amount": "26.00"}))
    assert (other["exit_code"], "of another command" in other["error"]) == (2, True)
    assert room.rows() == 1


def test_who_waits_hears_of_the_end_as_soon_as_it_is_told(room: Room) -> None:
    """From the worker's own event; what it then says is what stands in the row."""
    with room.line() as line, line.makefile("rb") as answers:
        line.sendall(room.request(waits=True))
        assert "report" in json.loads(answers.readline())
        with room.store.begin() as db:
            held = commands.hold(db, DRAWN)
            assert held is not None
            reason = "somebody thought better of it"
            commands.end(db, held, Happening.WITHDRAWN, Instant(1), reason=reason)
        room.desk.told("ended", held)
        over = json.loads(answers.readline())
    assert over == {
        "error": f"command {DRAWN} is cancelled: {reason}", "exit_code": 1,
        "details": {"command": DRAWN, "meter": METER, "state": "cancelled"},
    }  # fmt: skip # one answer


def test_a_wait_ends_when_its_time_is_over(room: Room) -> None:
    """As without a worker it does."""
    told = room.say(room.request(waits=True, seconds=0.05))
    # Its own end was shut, so nobody may be there to hear: the row counts.
    assert told[0]["report"]["data"]["command"] == DRAWN
    with room.line() as line, line.makefile("rb") as answers:
        line.sendall(room.request(waits=True, seconds=0.05))
        answers.readline()
        over = json.loads(answers.readline())
    error = f"command {DRAWN} is still queued; prepay commands wait {DRAWN} goes on waiting"
    assert over == {
        "error": error, "exit_code": 3,
        "details": {"command": DRAWN, "meter": METER, "state": "queued"},
    }  # fmt: skip # one answer


def test_who_waits_long_hears_that_somebody_is_there(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an empty line now and then: a worker that hangs is noticed by its silence."""
    monkeypatch.setattr(desks, "_LOOK", 0.05)
    with room.line() as line, line.makefile("rb") as answers:
        line.sendall(room.request(waits=True, seconds=0.3))
        _, *between, last = answers.readlines()
    assert set(between) == {b"\n"}
    assert "still queued" in json.loads(last)["error"]


def test_a_desk_that_closes_lets_its_callers_go(room: Room) -> None:
    """They look for themselves from there on."""
    with room.line() as line, line.makefile("rb") as answers:
        line.sendall(room.request(waits=True))
        answers.readline()
        room.desk.close()
        assert answers.readline() == b""


def test_a_caller_that_dies_in_the_middle_of_its_line_has_said_nothing(room: Room) -> None:
    """And one that dies behind it has queued: half of it there never is."""
    said = room.request()
    assert room.say(said[: len(said) // 2]) == []
    assert room.rows() == 0
    with room.line() as line:
        line.sendall(said)
    until = time.monotonic() + PATIENCE
    while room.rows() == 0:
        assert time.monotonic() < until
        time.sleep(0.01)


DEEP = b"[" * 100_000
#: What is said, and a word of what is answered.
MISSPOKEN: dict[str, tuple[Any, str]] = {
    "no JSON": (b"topup 25.00\n", "JSON"),
    "nothing": (b"\n", "JSON"),
    "too deep": (DEEP + b"\n", "JSON"),
    "a number of many digits": (b"9" * 5_000 + b"\n", "JSON"),
    "half a character": ({"meter": "\ud800"}, "JSON"),
    "no object": (b"[1]\n", "version"),
    "another version": ({"spoken": SPOKEN + 1}, "version"),
    "no version": ({"spoken": ...}, "version"),
    "another file": ({"file": [1, 2]}, "another file"),
    "too long": (b"x" * (LONGEST + 1), "at most"),
    "more than is known": ({"more": 1}, "more than is known"),
    "no id": ({"draw": ...}, "draw"),
    "an id too short": ({"draw": "12"}, "draw"),
    "an id of no digits": ({"draw": "x" * 32}, "draw"),
    "a name that is none": ({"name": 1}, "name"),
    "arguments that are none": ({"arguments": []}, "arguments"),
    "an id among them": ({"arguments": {"identity": "x"}}, "arguments"),
    "a transaction id that is none": ({"identity": 5}, "identity"),
    "no meter": ({"meter": None}, "meter"),
    "settings that are none": ({"given": [1]}, "given"),
    "terms that are none": ({"terms": {"not_before": 5}}, "terms"),
    "terms nobody knows": ({"terms": {"queue": True}}, "terms"),
    "a priority that is none": ({"terms": {"priority": True}}, "terms"),
    "a caller too long": ({"caller": "x" * 65}, "caller"),
    "a wait that is none": ({"waits": 1}, "waits"),
    "a wait below nothing": ({"seconds": -1}, "seconds"),
    "a wait that is no number": ({"seconds": float("nan")}, "seconds"),
    "a wait longer than clocks go": ({"waits": True, "seconds": 10**400}, "seconds"),
}


@pytest.mark.parametrize("case", MISSPOKEN)
def test_who_misspeaks_hears_why_and_the_next_one_is_served(hall: Room, case: str) -> None:
    """A caller of ours goes on by itself then: what he hears is no exit code of a command's."""
    said, word = MISSPOKEN[case]
    (answer,) = hall.say(said if isinstance(said, bytes) else hall.request(**said))
    assert word in answer["error"]
    assert answer["exit_code"] == -1
    (served,) = hall.say(hall.request(meter="nosuch"))
    assert served["exit_code"] == 2


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such command": ({"name": "nosuch"}, "is no command"),
    "no command to queue": ({"name": "serve"}, "cannot be queued"),
    "a path": ({"name": "../x"}, "is no command"),
    "no such meter": ({"meter": "nosuch"}, "nosuch"),
    "a parameter nobody knows": ({"arguments": {"nosuch": 1}}, "no parameter"),
    "a parameter left out": ({"arguments": {}}, "AMOUNT"),
    "a value that is none": ({"arguments": {"amount": ["1"]}}, "no value"),
    "too much of it": ({"arguments": {"amount": "1" * 70_000}}, "65536"),
    "no transaction id": ({"identity": "xyz"}, "32 hexadecimal digits"),
    "no moment": ({"terms": {"not_before": "soon"}}, "no moment"),
    "a priority out of range": ({"terms": {"priority": 5_000}}, "priority"),
    "no key": ({"terms": {"idempotency_key": "a b"}}, "idempotency key"),
    "what only speaking needs": ({"given": ["meter", "password"]}, "--password"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_queued_is_refused_as_anywhere(hall: Room, case: str) -> None:
    """By the same code: usage, exit code 2."""
    changed, word = REFUSED[case]
    (answer,) = hall.say(hall.request(**changed))
    assert word in answer["error"]
    assert answer["exit_code"] == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(("draw", "name", "arguments", "identity", "given", "terms", "caller"))


@given(changed=st.dictionaries(KEYS, JSON, min_size=1, max_size=3))
def test_whatever_stands_in_a_line_one_answer_is_given(hall: Room, changed: Any) -> None:
    """Never none, and never one that says it was queued: the meter is none."""
    (answer,) = hall.say(hall.request(**{"meter": "nosuch", **changed}))
    assert answer["exit_code"] in (-1, 1, 2)


def test_who_says_nothing_is_let_go(hall: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; meanwhile others are served."""
    monkeypatch.setattr(desks, "_PATIENCE", 0.3)
    with hall.line() as line, line.makefile("rb") as answers:
        line.sendall(b"{")
        assert hall.say(hall.request(meter="nosuch"))
        assert "in time" in json.loads(answers.readline())["error"]


def test_of_too_many_callers_the_last_are_let_go(tmp_path: Path) -> None:
    """And there is room again when one of the others has gone."""
    room = Room(str(tmp_path / "h.db"))
    lines = [room.line() for _ in range(desks._MOST)]
    with room.line() as one_more:
        assert one_more.recv(1) == b""
    for each in lines:
        each.close()
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if room.say(room.request()):
                break
        except OSError:  # let go before it had said anything
            assert time.monotonic() < until
    room.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_heard_even_where_the_file_lets_him_in(tmp_path: Path) -> None:
    """The kernel says who he is."""
    folder = Path("/tmp") / f"openprepay-test-{os.getpid()}"  # where anybody may pass
    folder.mkdir()
    room = Room(str(folder / "h.db"))
    try:
        room.path.chmod(0o666)
        folder.chmod(0o755)
        program = (
            "import os, socket, sys\n"
            "os.setgid(65534), os.setuid(65534)\n"
            "line = socket.socket(socket.AF_UNIX)\n"
            "line.connect(sys.argv[1])\n"
            "try:\n line.sendall(sys.stdin.buffer.read())\n sys.exit(line.recv(9))\n"
            "except OSError: pass\n"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, str(room.path)],
            input=room.request(), capture_output=True, check=False,
        )  # fmt: skip # one call
        assert (done.returncode, done.stderr) == (0, b"")
        assert room.rows() == 0
    finally:
        room.close()
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()


# --- where it is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("h.db", "sqlite:///h.db", True),
        ("h.db", "./h.db", True),
        ("h.db", "g.db", False),
        ("link.db", "h.db", True),
        ("postgresql://a:secret@h/d", "postgresql://a@h/d", True),
        ("postgresql+psycopg://a@h/d", "postgres://a:other@h/d", True),
        ("postgresql://a@h/d", "postgresql://b@h/d", False),
        ("postgresql://a@h:5433/d", "postgresql://a@h/d", False),
    ],
)
def test_a_database_has_one_desk_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str, same: bool
) -> None:
    """A password is no part of its name; a link leads to what it links to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "link.db").symlink_to("h.db")
    assert place(one) is not None
    assert (place(one) == place(other)) is same


@pytest.mark.parametrize(
    "url",
    ["sqlite://", ":memory:", "sqlite:///:memory:", "sqlite:///h.db?mode=ro", "mysql://h/d",
     "postgresql://h/d?password=secret", "sqlite:///"],
)  # fmt: skip # one list
def test_some_databases_have_none(url: str) -> None:
    """Callers queue by themselves there."""
    assert place(url) is None


def test_what_the_environment_says_of_a_server_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same URL with another PGPORT is another database; a password is not looked at."""
    monkeypatch.setenv("PGPORT", "5432")
    before = place("postgresql:///d")
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert place("postgresql:///d") == before
    monkeypatch.setenv("PGPORT", "5433")
    assert place("postgresql:///d") != before


def test_a_folder_of_sockets_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody could listen there in a worker's place."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "openprepay").mkdir()
    (tmp_path / "openprepay").chmod(0o777)
    assert place("postgresql://a@h/d") is None
    (tmp_path / "openprepay").chmod(0o700)
    assert place("postgresql://a@h/d") is not None


def test_a_path_too_long_for_a_socket_is_done_without(tmp_path: Path) -> None:
    """And so is a database in memory: the worker works, callers queue by themselves."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    for db in (str(deep / "h.db"), ":memory:"):
        desk = Desk(Context(Settings(db=db)))
        desk.close()
    assert not list(deep.iterdir())


def test_the_desk_of_a_worker_that_was_killed_is_cleared_away(tmp_path: Path) -> None:
    """By whoever finds that nobody answers there."""
    left = tmp_path / f"h.db.desk.{NOBODY}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(left))
    assert calling._connected(str(tmp_path / "h.db")) is None
    assert not left.exists()


@pytest.mark.parametrize("name", ["1.txt", "notes", str(NOBODY), "²"])
def test_a_users_file_of_such_a_name_stays(tmp_path: Path, name: str) -> None:
    """Who queues removes sockets, and nothing else."""
    precious = tmp_path / f"h.db.desk.{name}"
    precious.write_text("precious")
    assert calling._connected(str(tmp_path / "h.db")) is None
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("number", [os.getpid(), "9999999999"], ids=["lives", "is none"])
def test_a_socket_stays_unless_its_process_is_known_to_be_gone(
    tmp_path: Path, number: object
) -> None:
    """Who lives may be about to listen."""
    early = tmp_path / f"h.db.desk.{number}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
        ours.bind(str(early))
        assert calling._connected(str(tmp_path / "h.db")) is None
    assert early.exists()


def test_a_desks_own_name_may_be_a_users_file(tmp_path: Path) -> None:
    """Then there is no desk, and the file stays; nor is anything left beside it."""
    precious = tmp_path / f"h.db.desk.{os.getpid()}"
    precious.write_text("precious")
    Room(str(tmp_path / "h.db")).close()
    assert precious.read_text() == "precious"
    assert not list(tmp_path.glob("~*"))


def test_a_desk_is_seen_once_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds its socket is heard: it has its name only then."""
    seen: list[bool] = []
    path = tmp_path / f"h.db.desk.{os.getpid()}"

    class Watched(socket.socket):
        def listen(self, most: int = 0) -> None:
            seen.append(path.exists())
            super().listen(most)

    monkeypatch.setattr(socket, "socket", Watched)
    room = Room(str(tmp_path / "h.db"))
    assert (seen, path.exists()) == ([False], True)
    room.close()
    assert not list(tmp_path.glob("*.desk.*"))


def test_two_threads_may_ask_at_once(tmp_path: Path) -> None:
    """Each gets its own row."""
    room = Room(str(tmp_path / "h.db"))
    asking = [
        threading.Thread(target=room.say, args=(room.request(draw=f"{i:032x}"),)) for i in range(8)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join(PATIENCE)
    assert room.rows() == len(asking)
    room.close()
