"""Queueing on the command line: ids, keys, terms, dry runs, campaigns; what people see of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from headend.cli import Invocation, main
from headend.engine.queueing import Terms, check_terms, moment
from headend.errors import UsageError
from headend.store import commands, schema
from headend.store.transactions import State as Paid
from protocol.timing import Instant, later
from tests.headend.bench import PATIENCE
from tests.headend.engine.rig import Rig, make

NOW = Instant(1_800_000_000_000)


@dataclass
class Said:
    """What a command line came to: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON object on stdout."""
        return json.loads(self.out)


class Prompt:
    """A command line over a rig's database and meter."""

    def __init__(self, rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
        self.rig, self._capsys = rig, capsys

    def __call__(self, *words: str) -> Said:
        """Run ``prepay``."""
        edge = {
            "now": self.rig.bench.clock,
            "entropy": self.rig.bench.entropy,
            "transports": self.rig.bench._open,
            "store": self.rig.bench.store,
            "patience": PATIENCE,
        }
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words), obj=Invocation(**edge))
        said = self._capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    def queue(self, *words: str) -> Said:
        """Queue a command for the rig's meter."""
        return self("--json", "--meter", self.rig.name, *words, "--queue")


@pytest.fixture
def prepay(capsys: pytest.CaptureFixture[str]) -> Iterator[Prompt]:
    """A command line, and a meter that is in the registry."""
    rig = make()
    yield Prompt(rig, capsys)
    rig.bench.close()


def all_of(prepay: Prompt) -> Sequence[commands.Command]:
    """Return every command that was queued, oldest first."""
    with prepay.rig.bench.store.read() as db:
        return commands.newest(db)[::-1]


def test_it_is_written_down_and_nothing_is_sent(prepay: Prompt) -> None:
    """The id comes at once; the port is not opened."""
    ports = prepay.rig.bench.ports
    said = prepay.queue("topup", "25.00")
    assert said.code == 0, said.err
    (command,) = all_of(prepay)
    assert said.data["command"] == command.id
    assert (command.name, command.arguments) == ("topup", {"amount": "25.00"})
    assert prepay.rig.bench.ports == ports
    prepay.rig.work()
    shown = prepay("--json", "commands", "show", command.id[:12])
    assert (shown.data["state"], shown.data["answer"]["amount"]) == ("done", "25.00")


def test_a_caller_may_bring_his_own_transaction_id(prepay: Prompt) -> None:
    """As with --id given directly: it pays once, however often it is queued."""
    identity = f"{prepay.rig.bench.now:012x}70008000000000000abc"
    for _ in range(2):
        assert prepay.queue("topup", "25.00", "--id", identity).code == 0
    prepay.rig.work(rounds=2)
    assert [each["id"] for each in prepay.rig.topups()] == [identity]
    assert {each.state.value for each in all_of(prepay)} == {"done"}


def test_the_same_key_finds_the_same_command(prepay: Prompt) -> None:
    """And another command under it is refused."""
    key = ("--idempotency-key", "order-17")
    first, second = (prepay.queue("topup", "25.00", *key) for _ in range(2))
    assert first.data["command"] == second.data["command"]
    other = prepay.queue("topup", "30.00", *key)
    assert other.code == 2
    assert "order-17" in other.err
    assert len(all_of(prepay)) == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("topup",), "AMOUNT"),
        (("topup", "5", "--not-after", "yesterday"), "moment"),
        (("topup", "5", "--not-before", "+2h", "--not-after", "+1h"), "over before"),
        (("topup", "5", "--idempotency-key", "a b"), "idempotency key"),
        (("topup", "5", "--client", "2"), "--client"),
        (("topup", "5", "--id", "xyz"), "transaction id"),
        (("read", "1.8.0", "--attribute", "200"), "attribute"),
        (("objects", "--out", "dump.xml"), "file"),
    ],
)
def test_what_a_worker_would_refuse_is_refused_at_once(
    prepay: Prompt, words: tuple[str, ...], why: str
) -> None:
    """With exit code 2, and nothing is written down."""
    said = prepay.queue(*words)
    assert said.code == 2
    assert why in said.err
    assert all_of(prepay) == []


@pytest.mark.parametrize(
    "words",
    [
        ("topup", "5", "--queue"),
        ("--meter", "nobody", "topup", "5", "--queue"),
        ("--port", "tcp:meter:1", "topup", "5", "--queue"),
        ("--port", "tcp:meter:1", "topup", "5", "--wait=3"),
        ("--port", "tcp:meter:1", "topup", "5", "--priority", "3"),
    ],
)
def test_a_queued_command_is_for_a_meter_of_the_registry(
    prepay: Prompt, words: tuple[str, ...]
) -> None:
    """And what is said of queueing needs --queue."""
    assert prepay(*words).code == 2
    assert all_of(prepay) == []


def test_a_dry_run_writes_and_sends_nothing(prepay: Prompt) -> None:
    """Queued or direct: it says what would be done."""
    ports = prepay.rig.bench.ports
    queued = prepay.queue("topup", "25.00", "--dry-run")
    direct = prepay("--json", "--port", "tcp:meter:1", "topup", "25.00", "--dry-run")
    assert queued.data["queued"] == prepay.rig.name
    assert direct.data["sent"] == "tcp:meter:1"
    assert all_of(prepay) == []
    assert prepay.rig.topups() == []
    assert prepay.rig.bench.ports == ports


def test_waiting_shows_what_the_command_reports(prepay: Prompt) -> None:
    """And exits as it does: 0 done, 1 refused, 3 not begun."""
    done, refused = prepay.queue("topup", "25.00"), prepay.queue("topup", "9999.00")
    prepay.rig.work(rounds=2)
    waiting = prepay.queue("read", "1.8.0")
    shown = prepay("commands", "wait", done.data["command"])
    assert (shown.code, "topped up" in shown.out) == (0, True)
    shown = prepay("commands", "wait", refused.data["command"])
    assert (shown.code, "refused" in shown.err) == (1, True)
    shown = prepay("commands", "wait", waiting.data["command"], "--seconds", "0")
    assert (shown.code, "queued" in shown.err) == (3, True)


def test_a_list_of_commands_by_state_and_meter(prepay: Prompt) -> None:
    """Newest first."""
    ids = [prepay.queue("topup", "25.00").data["command"] for _ in range(2)]
    prepay.rig.work()
    every = prepay("--json", "--meter", prepay.rig.name, "commands", "list")
    assert [each["command"] for each in every.data["commands"]] == ids[::-1]
    done = prepay("--json", "commands", "list", "--state", "done")
    assert [each["command"] for each in done.data["commands"]] == ids[:1]


def test_cancel_and_retry_on_the_command_line(prepay: Prompt) -> None:
    """What was cancelled can be queued anew, as a command of its own; what is done cannot."""
    first = prepay.queue("topup", "25.00").data["command"]
    assert prepay("commands", "cancel", first).code == 0
    assert prepay("commands", "cancel", first).code == 1
    again = prepay("--json", "commands", "retry", first).data["command"]
    assert again != first
    prepay.rig.work()
    assert prepay("commands", "retry", again).code == 1
    assert [each["state"] for each in prepay.rig.topups()] == [Paid.DONE.value]
    assert prepay("commands", "show", "ffff").code == 2
    assert prepay("commands", "show", "").code == 2


def test_everything_done_to_a_command_is_in_the_audit_log(prepay: Prompt) -> None:
    """In the transaction in which it was done."""
    first = prepay.queue("topup", "25.00").data["command"]
    second = prepay.queue("topup", "30.00").data["command"]
    prepay("commands", "cancel", second)
    prepay.rig.work()
    with prepay.rig.bench.store.read() as db:
        rows = db.execute(schema.audit.select().order_by(schema.audit.c.number)).all()
    told = [(row.action, row.subject) for row in rows if row.action.startswith("command")]
    assert told == [
        ("command queued", first),
        ("command queued", second),
        ("command cancel asked", second),
        ("command cancelled", second),
        ("command done", first),
    ]


# --- campaigns ---------------------------------------------------------------------------------


def test_a_campaign_from_its_start_to_its_end(prepay: Prompt) -> None:
    """Queued whole, paused, resumed, and shown with its counts."""
    started = prepay(
        "--json", "campaign", "start", "--query", "name=*", "--at-once", "3", "--label", "all",
        "read", "1.8.0", "--attribute", "3",
    )  # fmt: skip # a command line
    assert started.code == 0, started.err
    number = started.data["campaign"]
    (command,) = all_of(prepay)
    assert command.arguments == {"codes": ["1.8.0"], "attribute": 3}
    assert prepay("campaign", "pause", number).code == 0
    prepay.rig.work()
    assert prepay("--json", "campaign", "show", number).data["counts"] == {"queued": 1}
    assert prepay("campaign", "resume", number).code == 0
    prepay.rig.work()
    prepay.rig.dispatcher.sweep()
    shown = prepay("--json", "campaign", "show", number, "--wait")
    assert (shown.code, shown.data["state"], shown.data["through"]) == (0, "finished", 1)
    assert prepay("campaign", "cancel", number).code == 1
    assert prepay("--json", "campaign", "list").data["campaigns"][0]["campaign"] == number


def test_a_campaign_of_which_some_failed_says_so(prepay: Prompt) -> None:
    """With exit code 1."""
    words = ("campaign", "start", "--query", "name=*", "topup", "9999.00")
    started = prepay("--json", *words)
    prepay.rig.work()
    shown = prepay("campaign", "show", started.data["campaign"], "--wait")
    assert (shown.code, "1 refused" in shown.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--query", "name=x*", "read", "1.8.0"), 1),
        (("--query", "name=*", "topup"), 2),
        (("--query", "name=*", "listen"), 2),
        (("--query", "name=*", "topup", "5", "--id", "01" * 16), 2),
        (("read", "1.8.0"), 2),
        (("--query", "nothing=*", "read", "1.8.0"), 2),
    ],
)
def test_a_campaign_that_cannot_be_is_not_begun(
    prepay: Prompt, words: tuple[str, ...], code: int
) -> None:
    """Nothing half done."""
    assert prepay("campaign", "start", *words).code == code
    assert all_of(prepay) == []


def test_a_dry_run_of_a_campaign_names_its_meters(prepay: Prompt) -> None:
    """And queues nothing."""
    said = prepay("--json", "campaign", "start", "--query", "name=*", "--dry-run", "read", "1.8.0")
    assert said.data["meters"] == [prepay.rig.name]
    assert all_of(prepay) == []


# --- terms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("+0s", 0), ("+90s", 90_000), ("+15m", 900_000), ("+2h", 7_200_000), ("+1d", 86_400_000)],
)
def test_a_moment_from_now(text: str, milliseconds: int) -> None:
    """Seconds, minutes, hours, days."""
    assert moment(text, NOW) == NOW + milliseconds


def test_a_moment_with_its_offset() -> None:
    """ISO 8601."""
    assert moment("2027-01-15T09:00:00+01:00", NOW) == 1_800_000_000_000


@pytest.mark.parametrize("text", ["", "+", "+1", "1h", "+1y", "+9999999d", "9999-99-99", "x" * 999])
def test_what_is_no_moment(text: str) -> None:
    """Each is refused, and none is repeated at length."""
    with pytest.raises(UsageError) as refused:
        moment(text, NOW)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(
    "terms",
    [
        Terms(not_after=NOW),
        Terms(not_before=later(NOW, 10), not_after=later(NOW, 10)),
        Terms(priority=-1),
        Terms(priority=1_001),
        Terms(idempotency_key=""),
        Terms(idempotency_key="x" * 129),
        Terms(idempotency_key="new\nline"),
    ],
)
def test_terms_that_cannot_be_kept(terms: Terms) -> None:
    """Refused before anything is written."""
    with pytest.raises(UsageError):
        check_terms(terms, NOW)
