"""Who queues a command wakes the workers up; whoever is not there is not waited for."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from headend.engine.wake import Listener, wake, wake_with
from headend.store import Store
from headend.store.opening import parse_url

PATIENCE = 20.0
#: The number of no process: Linux gives none above 2**22.
NOBODY = 2**22 + 1


def test_a_worker_beside_the_file_is_woken(tmp_path: Path) -> None:
    """By a datagram; its socket is nobody else's, and gone when it listens no more."""
    url, woken = parse_url(str(tmp_path / "h.db")), threading.Event()
    listener = Listener(url, woken.set)
    (path,) = tmp_path.glob("h.db.wake.*")
    assert path.stat().st_mode & 0o077 == 0
    wake(url)
    assert woken.wait(PATIENCE)
    listener.close()
    assert not list(tmp_path.glob("h.db.wake.*"))
    wake(url)  # nobody is there


def test_the_socket_of_a_worker_that_was_killed_is_removed(tmp_path: Path) -> None:
    """By whoever finds that nobody answers at it."""
    left = tmp_path / f"h.db.wake.{NOBODY}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(left))
    assert left.exists()
    wake(parse_url(str(tmp_path / "h.db")))
    assert not left.exists()


@pytest.mark.parametrize("name", ["notes", "1.txt", str(NOBODY), "²"])
def test_a_users_file_of_such_a_name_stays(tmp_path: Path, name: str) -> None:
    """Whoever wakes the workers removes sockets, and nothing else."""
    precious = tmp_path / f"h.db.wake.{name}"
    precious.write_text("precious")
    wake(parse_url(str(tmp_path / "h.db")))
    assert precious.read_text() == "precious"


def test_a_workers_own_number_may_be_a_users_file(tmp_path: Path) -> None:
    """Then the worker looks by itself, and the file stays."""
    precious = tmp_path / f"h.db.wake.{os.getpid()}"
    precious.write_text("precious")
    Listener(parse_url(str(tmp_path / "h.db")), lambda: None).close()
    assert precious.read_text() == "precious"


def test_the_socket_of_a_process_that_lives_stays(tmp_path: Path) -> None:
    """It may be about to listen."""
    early = tmp_path / f"h.db.wake.{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(early))
    wake(parse_url(str(tmp_path / "h.db")))
    assert early.exists()


def test_a_path_too_long_for_a_socket_is_done_without(tmp_path: Path) -> None:
    """The worker looks by itself."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    listener = Listener(parse_url(str(deep / "h.db")), lambda: None)
    assert not list(deep.iterdir())
    listener.close()


def test_a_worker_on_a_server_is_woken_when_the_row_is_committed(
    request: pytest.FixtureRequest,
) -> None:
    """By NOTIFY, which goes out with the transaction and not before."""
    store = Store(request.getfixturevalue("postgres").database())
    woken = threading.Event()
    listener = Listener(store.url, woken.set)
    until = time.monotonic() + PATIENCE
    while not woken.is_set():  # it may not listen yet
        with store.begin() as db:
            wake_with(db)
        assert time.monotonic() < until
        time.sleep(0.05)
    woken.clear()
    time.sleep(0.2)
    woken.clear()
    with store.begin() as db:
        wake_with(db)
        assert not woken.wait(0.2)
    assert woken.wait(PATIENCE)
    listener.close()
    store.close()
