"""What nobody kills, but what goes wrong: two head-ends by mistake, a full disk, a false clock.

Each with real processes or the real engine; after each there is a clear state, and a way on.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from headend.engine.queueing import Terms
from headend.engine.states import State
from headend.store import Store, StoreError
from protocol.timing import later
from tests.headend.engine.rig import make
from tests.kill import plan
from tests.kill.campaign import Campaign, clean_environment, draw, pay, still_open
from tests.kill.checker import audit, read_books, read_meter
from tests.kill.plan import Payment

PREPAY = (sys.executable, "-c", "from headend.cli import main; main()")
PATIENCE = 120.0
PAYMENTS = 12
HOUR = 3_600_000


@contextmanager
def serving(database: str) -> "Iterator[subprocess.Popen[str]]":
    """Run ``prepay serve`` until the block is left."""
    made = subprocess.Popen(
        [*PREPAY, "--db", database, "serve"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        assert made.stderr is not None
        assert "worker begun" in made.stderr.readline()
        yield made
    finally:
        made.terminate()
        made.communicate(timeout=PATIENCE)


def fill(folder: Path) -> None:
    """Leave no room in a file system."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def eventually(found: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.05)


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    """A meter of each kind with prepayment active, and payments queued; nobody is killed."""
    found = draw(tmp_path, "sqlite", topups=PAYMENTS, meters=2, kills=0, victims=[])
    made = Campaign(tmp_path, found, say=lambda line: None)
    try:
        made.start_fleet()
        made.prepare()
        yield made
    finally:
        made.close()


def test_two_head_ends_with_one_meter_are_refused_or_serialised(campaign: Campaign) -> None:
    """A copy of the database is served beside the first: nothing counts twice, nothing is lost.

    The meter that keeps its own balance takes what each has sold. Of the other's balance there is
    one keeper: what the second one sold is refused, with the reason, and not in its books.
    """
    first, second = campaign.plan.database, str(campaign.folder / "second.sqlite3")
    with sqlite3.connect(first) as source, sqlite3.connect(second) as copy:
        source.backup(copy)
        copy.execute("DELETE FROM commands")
    source.close()
    copy.close()
    more = [
        Payment(each.meter, each.amount + 2_000, f"second-{each.key}")
        for each in campaign.plan.payments
    ]
    store = Store(second)
    pay(store, more)
    store.close()
    with serving(first), serving(second):
        eventually(lambda: still_open(first) == 0 and still_open(second) == 0)
    assert campaign.fleet is not None
    campaign.end([campaign.fleet])
    trace = plan.lines(campaign.folder / "trace.jsonl")
    once = {(each["meter"], each["number"]): each for each in trace}.values()
    assert len({each["id"] for each in once}) == len(once)
    central, local = campaign.plan.meters
    done: dict[str, list[int]] = {central.name: [], local.name: []}
    kept: list[int] = []  # of the meter whose balance is not its own, by each head-end
    for database in (first, second):
        books = read_books(database)
        topups = {each["id"]: each for each in books.transactions if each["kind"] == "topup"}
        for command in books.commands:
            if command["state"] in ("done", "settled"):
                done[command["meter"]].append(topups[command["transaction_id"]]["amount"])
            else:
                assert command["state"] == "refused"
                assert command["meter"] == central.name
                assert command["reason"]
        credits = {e["meter"]: e["amount"] for e in books.balances if e["account"] == 1}
        kept.append(credits[central.name])
        folded = sum(
            each["amount"] * (1 if each["credit"] == 1 else -1)
            for each in books.posts
            if each["meter"] == central.name
        )
        assert kept[-1] == folded
    sold = sorted(each.amount for each in (*campaign.plan.payments, *more))
    assert sorted(done[local.name]) == [a for a in sold if a >= 10_000]
    memory = read_meter(campaign.folder / "meters" / local.name)
    assert memory.totals.paid == sum(done[local.name])
    held = read_meter(campaign.folder / "meters" / central.name).snapshot.balance
    assert held in [
        next(
            e["amount"]
            for e in read_books(d).balances
            if (e["meter"], e["account"]) == (central.name, 1)
        )
        for d in (first, second)
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_on_a_full_disk_it_waits_and_goes_on_when_there_is_room(campaign: Campaign) -> None:
    """The worker stays, nothing is lost, nothing is paid twice; who queues is told why not."""
    small = campaign.folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        database = str(small / "headend.sqlite3")
        shutil.copy(campaign.plan.database, database)
        values = {name: getattr(campaign.plan, name) for name in plan.Plan.__dataclass_fields__}
        fill(small)
        begun = subprocess.run(
            [*PREPAY, "--db", database, "serve"],
            check=False, capture_output=True, text=True, env=clean_environment(), timeout=PATIENCE,
        )  # fmt: skip # a command line
        assert begun.returncode == 1
        assert "full" in begun.stderr
        assert "Traceback" not in begun.stderr
        (small / "filler").unlink()
        with serving(database) as worker:
            eventually(lambda: (still_open(database) or 99) < PAYMENTS - 1)
            fill(small)
            store = Store(database)
            meter = campaign.plan.meters[0].name
            extra = [Payment(meter, 9_000 + n, f"extra-{n}") for n in range(2_000)]
            with pytest.raises(StoreError, match="full"):
                pay(store, extra)
            store.close()
            time.sleep(1)
            assert worker.poll() is None
            (small / "filler").unlink()
            eventually(lambda: still_open(database) == 0)
        assert campaign.fleet is not None
        campaign.end([campaign.fleet])
        assert audit(campaign.folder, plan.Plan(**values | {"database": database})).findings == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_by_a_clock_that_is_set_back_it_waits_and_is_paid_once_when_it_is_right(
    profile: str,
) -> None:
    """Nothing is expired, refused or booked meanwhile: it says that it is queued."""
    rig = make(profile)
    first = rig.queue("topup", amount="100.00")
    rig.work(2)
    second = rig.queue("topup", amount="101.00")
    right = rig.bench.now
    rig.bench.now = later(right, -48 * HOUR)
    rig.dispatcher.sweep()
    rig.work(3)
    assert rig.command(first).state is State.DONE
    assert rig.command(second).state is State.QUEUED
    assert len(rig.topups()) == 1
    rig.bench.now = max(right, later(rig.bench.now, 48 * HOUR))
    rig.work(2)
    assert rig.command(second).state is State.DONE
    assert len(rig.topups()) == 2
    rig.bench.close()


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_what_is_queued_by_a_clock_of_long_ago_is_refused_with_the_reason(profile: str) -> None:
    """An id of then might have been forgotten by the meter: nothing is booked, set the clock."""
    rig = make(profile)
    rig.queue("topup", amount="100.00")
    rig.work(2)
    right = rig.bench.now
    rig.bench.now = later(right, -48 * HOUR)
    late = rig.queue("topup", Terms(not_after=later(right, HOUR)), amount="101.00")
    rig.work(2)
    told = rig.command(late)
    assert told.state is State.REFUSED
    assert told.reason is not None
    assert "set the clock; nothing was booked" in told.reason
    assert len(rig.topups()) == 1
    rig.bench.close()
