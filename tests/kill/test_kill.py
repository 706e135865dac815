"""A short campaign on each store, and that its auditor sees what there is to be seen.

The long one, with thousands of payments and each victim killed thirty times at each point, is
``make kill``.
"""

import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from selectors import DefaultSelector

import pytest

from sim.ports.tcp import open_port
from tests.kill import plan
from tests.kill.armed import POINTS
from tests.kill.campaign import SERVER, WORKER, Campaign, draw
from tests.kill.checker import audit
from tests.kill.fleet import WatchedPort
from tests.kill.killer import RANDOM
from tests.kill.plan import Plan

#: Where the short campaigns kill; the long one does so at each point.
AT = ("after send", "after the meter's commit", "before the checkpoint", RANDOM)


def run(folder: Path, store: str, victim: str, points: Sequence[str]) -> Campaign:
    """Run a campaign to its end."""
    found = draw(folder, store, 12, 4, kills=1, sessions=4, victims=[victim], points=points)
    campaign = Campaign(folder, found, say=lambda line: None, eager=True)
    campaign.run()
    return campaign


def killed(folder: Path) -> list[str]:
    """Return the points at which somebody was killed."""
    return sorted(each["point"] for each in plan.lines(folder / "kills.jsonl"))


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign on SQLite, in which the worker was killed at each point."""
    return run(tmp_path_factory.mktemp("kill"), "sqlite", WORKER, AT)


def test_the_worker_is_killed_at_each_point_and_each_payment_counts_once(paid: Campaign) -> None:
    """Both ledgers agree to the cent, and no meter ever had two sessions."""
    assert paid.audit is not None
    assert paid.audit.findings == []
    assert paid.audit.figures["payments"] == 12
    assert killed(paid.folder) == sorted(AT)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "soak", reason="half a minute: make soak"
)
def test_postgresql_is_killed_at_each_point_and_each_payment_counts_once(tmp_path: Path) -> None:
    """A server that waits for the disk, under two workers, cut off as by a power cut."""
    campaign = run(tmp_path, "postgresql", SERVER, AT)
    try:
        assert campaign.audit is not None
        assert campaign.audit.findings == []
        assert killed(tmp_path) == sorted(AT)
    finally:
        shutil.rmtree(campaign.plan.server)


def test_the_short_campaigns_kill_where_the_long_one_does() -> None:
    """A point that was given another name would never be reached, and its kill never counted."""
    assert set(AT) <= {*POINTS, RANDOM}


# --- the auditor ---------------------------------------------------------------------------------


def _change(statement: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with sqlite3.connect(folder / "headend.sqlite3") as file:
            names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in file.execute(names).fetchall():
                file.execute(f'DROP TRIGGER "{name}"')  # what keeps the laws
            assert file.execute(statement).rowcount
        file.close()

    return change


def _say(name: str, **more: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        told = plan.lines(folder / name)
        plan.append(folder / name, {**told[-1], **more})

    return change


def _forget(folder: Path) -> None:
    path = folder / "trace.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _pay_more(folder: Path) -> None:
    path = folder / "plan.json"
    values = json.loads(path.read_text())
    values["payments"][3]["amount"] += 1
    path.write_text(json.dumps(values))


_ONE = "(SELECT min(number) FROM commands)"
_TOPUP = "(SELECT min(id) FROM transactions WHERE kind = 'topup')"
#: What is changed afterwards, and what the auditor has to say then.
WRONGS = [
    (_change(f"UPDATE commands SET state = 'running' WHERE number = {_ONE}"), "not final"),
    (_change(f"UPDATE commands SET state = 'refused' WHERE number = {_ONE}"), "refused"),
    (_change(f"UPDATE commands SET ticket = 'x' WHERE number = {_ONE}"), "still handed out"),
    (_change(f"UPDATE commands SET transaction_id = 'x' WHERE number = {_ONE}"), "is booked"),
    (_change(f"DELETE FROM commands WHERE number = {_ONE}"), "has 0 commands"),
    (_change(f"UPDATE transactions SET state = 'sent' WHERE id = {_TOPUP}"), "transaction is sent"),
    (_change(f"DELETE FROM posts WHERE transaction_id = {_TOPUP}"), "its posts are"),
    (_change(f"UPDATE posts SET amount = 1 WHERE transaction_id = {_TOPUP}"), "its posts are"),
    (_change("UPDATE balances SET amount = amount + 1 WHERE account = 1"), "not the sum of posts"),
    (_say("trace.jsonl", number=900), "executed 2 times"),
    (_say("trace.jsonl", outcome="EXPIRED"), "a log that changed"),
    (_say("trace.jsonl", number=900, id="00"), "is nobody's"),
    (_forget, "the trace has not all"),
    (_say("sessions.jsonl", event="begin", others=1), "began beside 1 more"),
    (_pay_more, "was paid, and the meter was given"),
]


@pytest.mark.parametrize(("wrong", "finding"), WRONGS, ids=[finding for _, finding in WRONGS])
def test_the_auditor_finds(
    wrong: Callable[[Path], None], finding: str, paid: Campaign, tmp_path: Path
) -> None:
    """Each law, broken by hand after a campaign that was good."""
    folder = tmp_path / "copy"
    shutil.copytree(
        paid.folder, folder, ignore=shutil.ignore_patterns("barrier", "*.wake.*", "*.desk.*")
    )
    wrong(folder)
    found = plan.load(folder)
    assert found is not None
    values = {name: getattr(found, name) for name in Plan.__dataclass_fields__}
    moved = Plan(**values | {"database": str(folder / "headend.sqlite3")})
    findings = audit(folder, moved).findings
    assert any(finding in each for each in findings), findings


def test_a_session_beside_another_is_seen_and_one_after_another_is_none(tmp_path: Path) -> None:
    """What counts is whether the other end is there, not whether the meter has noticed."""
    with DefaultSelector() as selector:
        port = open_port("127.0.0.1:0", selector)
        watched = WatchedPort(port, "m", tmp_path / "told")
        number = int(port.client_spec.rpartition(":")[2])

        def come() -> socket.socket:
            made = socket.create_connection(("127.0.0.1", number))
            for key, mask in selector.select(1):
                if key.fd == port._listener.fileno():  # the end of the others it has not noticed
                    key.data(mask)
            watched.collect()
            return made

        with come(), come():
            pass
        with come():
            pass
        watched.close()
    begun = [each["others"] for each in plan.lines(tmp_path / "told") if each["event"] == "begin"]
    assert begun == [0, 1, 0]
