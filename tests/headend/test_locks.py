"""One session with a meter at a time: over threads, processes, databases and sudden deaths."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headend.claims import Claims
from headend.store import Store
from headend.store.locks import Busy, LocalLocks, MeterLocks
from tests.postgres import Postgres

#: Takes a lock, says so, and keeps it until it is killed.
HOLDER = """
import sys, time
from headend.store import Store
store = Store(sys.argv[1])
held = store.locks.take(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def another_process(url: str, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Give a process that holds a lock."""
    words = [sys.executable, "-c", HOLDER, url, name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["in memory", "sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[MeterLocks, MeterLocks]]:
    """The locks of one database as two threads, or two processes, have them."""
    if request.param == "in memory":
        locks = LocalLocks()
        yield locks, locks
        return
    if request.param == "sqlite":
        url = str(tmp_path / "x.db")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.database()
    stores = Store(url), Store(url)
    yield stores[0].locks, stores[1].locks
    for store in stores:
        store.close()


def test_a_name_is_held_once(two: tuple[MeterLocks, MeterLocks]) -> None:
    """Neither another process nor another thread of the same one gets it; another name is free."""
    first, second = two
    with first.hold("M", 0) as held:
        assert held.held()
        for locks in two:
            with pytest.raises(Busy, match=r"M is in use by .+: try again"):
                locks.take("M", 20)
        with second.hold("N", 0):
            assert first.alive("N")
    with second.hold("M", 0):
        assert not held.held()
    assert not first.alive("M")


def test_several_are_taken_together_or_none(two: tuple[MeterLocks, MeterLocks]) -> None:
    """Whoever finds one of them taken keeps nobody else from the others."""
    first, second = two
    both = first.take_all(["M", "N"], 0)
    assert [held.name for held in both] == ["M", "N"]
    assert first.are_held(both)
    for name in ("M", "N"):
        with pytest.raises(Busy):
            second.take(name, 0)
    first.give_all_back(both)
    assert not any(held.held() for held in both)
    with second.hold("N", 0):
        with pytest.raises(Busy, match="N is in use"):
            first.take_all(["M", "N"], 20)
        with second.hold("M", 0):
            pass
    first.give_all_back(first.take_all(["M", "N"], 0))


def test_a_lock_that_is_held_seems_to_be(two: tuple[MeterLocks, MeterLocks]) -> None:
    """What can be told without asking the server; one that was given back seems to be nobody's."""
    first, _ = two
    held = first.take("M", 0)
    assert first.seems_held(held)
    first.give_back(held)
    assert not first.seems_held(held)


def test_whoever_waits_gets_it_next(two: tuple[MeterLocks, MeterLocks]) -> None:
    """The patience is for the one before to be done."""
    first, second = two
    held = first.take("M", 0)
    threading.Timer(0.15, first.give_back, (held,)).start()
    begun = time.monotonic()
    with second.hold("M", 5_000):
        assert time.monotonic() - begun >= 0.1


def test_what_is_given_back_twice_takes_nothing_from_the_next(
    two: tuple[MeterLocks, MeterLocks],
) -> None:
    """Its second return is of a lock that somebody else has by now."""
    first, second = two
    held = first.take("M", 0)
    first.give_back(held)
    with second.hold("M", 0) as theirs:
        first.give_back(held)
        assert theirs.held()
        assert first.alive("M")


def test_two_threads_never_have_it_at_once(two: tuple[MeterLocks, MeterLocks]) -> None:
    """Counted inside the lock, many times over."""
    inside, worst = [0], [0]

    def work(locks: MeterLocks) -> None:
        for _ in range(20):
            with locks.hold("M", 20_000):
                inside[0] += 1
                worst[0] = max(worst[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(two[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == [1]


def test_a_kill_releases_what_its_process_held(database: str) -> None:
    """Nothing is to be tidied up: kill -9, and the next one has it. Until then it says who."""
    store = Store(database)
    with another_process(database, "M") as process:
        assert store.locks.alive("M")
        with pytest.raises(Busy, match=f"process {process.pid} on "):
            store.locks.take("M", 50)
        os.kill(process.pid, signal.SIGKILL)
        with store.locks.hold("M", 5_000) as held:
            assert held.held()
    assert not store.locks.alive("M")
    store.close()


def test_a_lost_connection_has_lost_its_locks_and_says_so(postgres: Postgres) -> None:
    """The server forgets them; ``held`` tells, whoever asks again has a new one."""
    url = postgres.database()
    ours, theirs = Store(url), Store(url)
    claims = Claims(ours.locks, 0)
    with claims.claim("M"):
        claims.check()
        postgres.execute(url, "SELECT pg_terminate_backend(pid) FROM pg_locks "
                              "WHERE locktype = 'advisory'")  # fmt: skip
        with theirs.locks.hold("M", 5_000):
            with pytest.raises(Busy, match="lost the locks on M"):
                claims.check()
            with pytest.raises(Busy, match="in use"), claims.claim("M"):
                pass
        with claims.claim("M"):  # it is free again, and taken anew
            claims.check()
    assert not theirs.locks.alive("M")
    ours.close()
    theirs.close()


def test_a_folder_of_locks_that_is_tidied_up_holds_nothing(tmp_path: Path) -> None:
    """Who has lost the file has lost the lock: ``held`` says so."""
    store = Store(str(tmp_path / "x.db"))
    with store.locks.hold("M") as held:
        for each in (tmp_path / "x.db.locks").iterdir():
            each.unlink()
        assert not held.held()
    store.close()


def test_files_of_locks_do_not_pile_up(tmp_path: Path) -> None:
    """A head-end with a million meters has no million files."""
    store = Store(str(tmp_path / "x.db"))
    for number in range(20):
        with store.locks.hold(f"M{number}"):
            pass
    assert list((tmp_path / "x.db.locks").iterdir()) == []
    store.close()


def test_two_names_of_one_file_have_the_same_locks(tmp_path: Path) -> None:
    """A symbolic link to the database is no second head-end."""
    store = Store(str(tmp_path / "x.db"))
    (tmp_path / "y.db").symlink_to(tmp_path / "x.db")
    other = Store(str(tmp_path / "y.db"))
    with store.locks.hold("M"), pytest.raises(Busy):
        other.locks.take("M", 0)
    store.close()
    other.close()


def test_one_run_takes_each_lock_once() -> None:
    """A command and its sessions ask for the same; the last one to be done gives it back."""
    locks = LocalLocks()
    claims = Claims(locks, 0)
    with claims.claim("M"):
        with claims.claim("M"):
            assert locks.alive("M")
        assert locks.alive("M")
    assert not locks.alive("M")
