"""Our listener with a database, in its own process: meters and others' encoders push to it."""

import json
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import GURUX, HERE, PYDLMS, Peer
from tests.interop.processes import Running, environment, free_port, running, script

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
TITLE = "4F50500000000007"
NAME = "OPP0000000000007"
CONFIRMATION = 14

Task = Callable[..., list[bytes]]


@pytest.fixture
def task(interpreters: dict[str, Path]) -> Task:
    """Have a peer encode something in its own process."""

    def ask(peer: Peer, name: str, *words: str) -> list[bytes]:
        pushes = HERE / "peers" / "pushes.py"
        command = [str(interpreters[peer.name]), "-B", str(pushes), name, *words]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return [bytes.fromhex(each) for each in json.loads(done.stdout)]

    return ask


def prepay(directory: Path, *words: str) -> Any:
    """Run our head-end and return what it reports."""
    command = [*script("prepay", "headend.cli"), "--db", str(directory / "db.sqlite"), "--json"]
    done = subprocess.run(
        [*command, *words],
        env=environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@contextmanager
def listening(directory: Path, spec: str, name: str = "listen") -> Iterator[Running]:
    """Run our listener with a database."""
    command = [*script("prepay", "headend.cli"), "--json", "--port", spec]
    command += ["--db", str(directory / "db.sqlite"), "listen", "--store"]
    with running(command, directory, name) as process:
        process.first_line()
        yield process


def until(found: Callable[[], Any], what: str) -> Any:
    """Wait until something is found."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (there := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return there


def kept(directory: Path) -> list[tuple[Any, ...]]:
    """Return the rows of the database: authenticated, service, times."""
    with closing(sqlite3.connect(directory / "db.sqlite")) as db:
        query = "SELECT authenticated, service, times FROM notifications ORDER BY number"
        return db.execute(query).fetchall()


def say(port: int, *octets: bytes) -> None:
    """Send datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        for each in octets:
            mouth.sendto(each, ("127.0.0.1", port))


def test_others_encoders_open_and_close_a_case_and_their_past_is_refused(
    task: Task, tmp_path: Path
) -> None:
    """gurux-dlms says who it is and that its cover is open, pydlms-client that it is closed again.

    Both ciphered under one system title, with counters that rise. The listener is started anew;
    what gurux-dlms said is sent again and changes nothing.
    """
    port = free_port()
    prepay(tmp_path, "meters", "add", NAME, "--port", "tcp:192.0.2.7:4059")
    opened = task(GURUX, "gurux_alarms", TITLE, "5", NAME, "44")
    closed = task(PYDLMS, "pydlms_alarms", TITLE, "20", "45")
    with listening(tmp_path, f"udp:127.0.0.1:{port}"):
        say(port, *opened)
        until(lambda: len(kept(tmp_path)) == 2, "what gurux said")
        (case,) = prepay(tmp_path, "cases", "list")["cases"]
        assert (case["meter"], case["kind"], case["state"]) == (NAME, "cover", "open")
        say(port, *closed)
        until(lambda: len(kept(tmp_path)) == 3, "what pydlms said")
        (case,) = prepay(tmp_path, "cases", "list", "--closed")["cases"]
        assert (case["state"], case["closed_by"]) == ("closed", f"{NAME}: cover closed")
    with listening(tmp_path, f"udp:127.0.0.1:{port}", "again") as again:
        say(port, *opened)
        lines = until(lambda: again.stdout.read_text().splitlines()[2:], "a refusal")
        assert "counter" in json.loads(lines[0])["unreadable"]
    assert [times for *_, times in kept(tmp_path)] == [1, 1, 1]
    assert prepay(tmp_path, "cases", "list")["cases"] == []


def test_a_closed_case_stays_closed_while_others_pushes_show_its_event(
    task: Task, tmp_path: Path
) -> None:
    """gurux-dlms pushes energy, a code and its counter: three times event 5, and then event 6.

    Each push is a message of its own; somebody closes the case after the second.
    """
    port = free_port()
    prepay(tmp_path, "meters", "add", NAME, "--port", "tcp:192.0.2.7:4059")
    pushes = task(GURUX, "gurux_pushes", TITLE, "5", NAME, "44.5", "44.5", "44.5", "44.6")
    with listening(tmp_path, f"udp:127.0.0.1:{port}"):
        say(port, *pushes[:2])
        until(lambda: len(kept(tmp_path)) == 2, "two pushes")
        (case,) = prepay(tmp_path, "cases", "list")["cases"]
        assert (case["kind"], case["told"]) == ("cover", "event 5: cover opened")
        assert case["times"] == 1
        prepay(tmp_path, "cases", "close", str(case["case"]))
        say(port, pushes[2])
        until(lambda: len(kept(tmp_path)) == 3, "the third")
        assert prepay(tmp_path, "cases", "list")["cases"] == []
        say(port, pushes[3])
        until(lambda: len(kept(tmp_path)) == 4, "the fourth")
        (case,) = prepay(tmp_path, "cases", "list")["cases"]
        assert case["told"] == "event 6: cover opened"
    told = [each["told"] for each in prepay(tmp_path, "notifications")["notifications"]]
    assert told[0] == "1-0:1.8.0*255 attribute 2 is 4714; event 6: cover opened"


def test_a_message_that_another_encoder_ciphers_anew_is_one_that_was_heard_again(
    task: Task, tmp_path: Path
) -> None:
    """pydlms-client says it three times, under rising counters: one row, and three answers."""
    port = free_port()
    said = task(PYDLMS, "pydlms_repeats", TITLE, "5", "9", "3")
    with (
        listening(tmp_path, f"udp:127.0.0.1:{port}"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        mouth.connect(("127.0.0.1", port))
        mouth.settimeout(PATIENCE_SECONDS)
        for times, octets in enumerate(said, start=1):
            mouth.send(octets)
            assert mouth.recv(1000)
            assert kept(tmp_path) == [(1, "data-notification", times)]


def test_what_a_peer_says_in_clear_is_kept_apart_and_confirmed(task: Task, tmp_path: Path) -> None:
    """gurux-dlms asks for a confirmation: it goes out when the row is there."""
    port = free_port()
    (octets,) = task(GURUX, "gurux_says", "data")
    with (
        listening(tmp_path, f"udp:127.0.0.1:{port}"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        mouth.connect(("127.0.0.1", port))
        mouth.settimeout(PATIENCE_SECONDS)
        mouth.send(octets)
        assert len(mouth.recv(100)) == CONFIRMATION
        assert kept(tmp_path) == [(0, "data-notification", 1)]
    (row,) = prepay(tmp_path, "notifications", "--unknown")["notifications"]
    assert (row["meter"], row["authenticated"]) == (None, False)


@contextmanager
def simulated(directory: Path, push_to: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run our meter; give its port and the process, which takes orders on standard input."""
    port = free_port()
    command = [*script("prepay-sim", "sim.cli"), "meter", "--json", "--control"]
    command += ["--port", f"tcp:127.0.0.1:{port}", "--push-to", push_to, "--events", "json"]
    words: dict[str, Any] = {"stdin": subprocess.PIPE, "env": environment(), "text": True}
    with (
        (directory / "meter.stdout").open("w") as out,
        subprocess.Popen(command, stdout=out, **words) as process,
    ):
        try:
            until(lambda: (directory / "meter.stdout").read_text(), "a meter")
            yield f"tcp:127.0.0.1:{port}", process
        finally:
            process.kill()


def confirmed(directory: Path) -> list[Any]:
    """Return the pushes of the simulated meter that were confirmed, as it tells them itself."""
    lines = (directory / "meter.stdout").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [each for each in told if each.get("outcome") == "confirmed"]


#: The push object list itself, the logical device name, and the last event's code.
PUSHED = ",".join(
    f"structure{{long-unsigned:{class_id},octet-string:{name},integer:2,long-unsigned:0,"
    "structure{enum:0,null-data},array{}}"
    for class_id, name in ((40, "0000190900FF"), (1, "00002A0000FF"), (1, "0000600B00FF"))
)


def test_killed_between_receipt_and_commit_the_meter_says_it_again_and_it_is_one_row(
    tmp_path: Path,
) -> None:
    """A simulated meter whose cover is opened, and a listener that dies with the push in hand.

    The test holds the database's lock, so that the listener has received and cannot commit. The
    meter asks for confirmations; it got none, and tries again until the next listener has it.
    """
    listen = f"tcp:127.0.0.1:{free_port()}"
    with simulated(tmp_path, listen) as (port, meter):
        setup = ("set", "0-0:25.9.0", "--class", "40", "--attribute")
        prepay(tmp_path, "--port", port, *setup, "2", f"array{{{PUSHED}}}")
        prepay(tmp_path, "--port", port, *setup, "6", "unsigned:60")
        delay = "structure{long-unsigned:1,long-unsigned:100,long-unsigned:1}"
        prepay(tmp_path, "--port", port, *setup, "7", delay)
        prepay(tmp_path, "--port", port, *setup, "11", "enum:2")
        with (
            closing(sqlite3.connect(tmp_path / "db.sqlite", isolation_level=None)) as lock,
            listening(tmp_path, listen) as first,
        ):
            lock.execute("BEGIN IMMEDIATE")
            assert meter.stdin is not None  # a pipe was asked for
            print("cover open", file=meter.stdin, flush=True)
            time.sleep(3)  # for the push to be there; without it nothing would be proved
            first.process.kill()
            first.process.wait()
            lock.execute("ROLLBACK")
        assert kept(tmp_path) == []
        with listening(tmp_path, listen, "second"):
            until(lambda: kept(tmp_path), "the push")
            until(lambda: len(confirmed(tmp_path)) == len(kept(tmp_path)), "a confirmation of each")
        first_try = confirmed(tmp_path)[0]
        assert first_try["try"] > 1  # it had been said to the one that died
        rows = kept(tmp_path)
        assert rows == [(1, "data-notification", 1)] * len(confirmed(tmp_path))
        numbers = [
            row["said"]["number"] for row in prepay(tmp_path, "notifications")["notifications"]
        ]
        assert len(set(numbers)) == len(rows)
    kinds = {each["kind"]: each["told"] for each in prepay(tmp_path, "cases", "list")["cases"]}
    assert kinds["cover"] == "cover opened"
