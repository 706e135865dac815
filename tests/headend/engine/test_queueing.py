"""Queueing on the command line: ids, keys, terms, dry runs; what people see of it."""

import json
import os
from collections.abc import Iterator

import pytest

from headend.engine.queueing import Terms, check_terms, moment, whoami
from headend.errors import NoAnswer, UsageError
from headend.store import registry, schema
from headend.store.registry import Entry
from headend.store.transactions import State as Paid
from protocol.timing import Instant, later
from tests.headend.engine.prompt import Prompt, all_of
from tests.headend.engine.rig import Rig, make

NOW = Instant(1_800_000_000_000)
#: Refused by the books, which are read when it is carried out.
TOO_MUCH = ("refund", "9999.00", "--reason", "why")


@pytest.fixture
def prepay(capsys: pytest.CaptureFixture[str]) -> Iterator[Prompt]:
    """A command line, and a meter that is in the registry."""
    rig = make()
    yield Prompt(rig, capsys)
    rig.bench.close()


@pytest.fixture(scope="module")
def standing() -> Iterator[Rig]:
    """A rig for what leaves no trace."""
    rig = make()
    yield rig
    rig.bench.close()


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


@pytest.fixture
def beside(prepay: Prompt) -> str:
    """Another meter, which nobody can reach."""
    with prepay.rig.bench.store.begin() as db:
        entry = Entry("OPP0000000000077", profile="be-wal", transport="tcp:127.0.0.1:1")
        registry.add(db, [entry], prepay.rig.bench.now)
    return "OPP0000000000077"


def test_another_meters_transaction_id_is_refused(prepay: Prompt, beside: str) -> None:
    """With the name of that meter, and nothing is written down."""
    identity = f"{prepay.rig.bench.now:012x}70008000000000000abc"
    assert prepay("--meter", prepay.rig.name, "topup", "25.00", "--id", identity).code == 0
    said = prepay("--meter", beside, "topup", "25.00", "--id", identity, "--queue")
    assert (said.code, prepay.rig.name in said.err) == (2, True), said.err
    assert all_of(prepay) == []
    assert prepay.queue("topup", "25.00", "--id", identity).code == 0


@pytest.mark.parametrize("ending", ["cancelled", "expired", "expired at its turn"])
def test_what_another_meter_has_booked_under_its_id_keeps_no_command(
    prepay: Prompt, beside: str, ending: str
) -> None:
    """It was queued first; nothing of its own was booked, so it is cancelled, and expires."""
    rig = prepay.rig
    identity = f"{rig.bench.now:012x}70008000000000000abc"
    assert prepay("--meter", beside, "topup", "5.00", "--id", identity, "--queue").code == 0
    assert prepay("--meter", rig.name, "topup", "25.00", "--id", identity).code == 0
    (command,) = all_of(prepay)
    if ending == "cancelled":
        assert prepay("commands", "cancel", command.id).code == 0
    else:
        turn = ending == "expired at its turn"
        if turn:
            rig.dispatcher.hand_out()
        rig.bench.now = later(rig.bench.now, 25 * 3_600_000)
        rig.engine.work() if turn else rig.dispatcher.sweep()
    assert rig.command(command.id).state.value == ending.split()[0]


def test_who_queues_is_known_for_people_though_his_name_be_none(
    prepay: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Octets of the environment that are no UTF-8 stop nobody."""
    monkeypatch.setenv("LOGNAME", os.fsdecode(b"a\xff"))
    assert prepay.queue("topup", "25.00").code == 0
    assert prepay("--meter", prepay.rig.name, "topup", "25.00").code == 0
    assert {each.caller for each in all_of(prepay)} == {whoami()} == {"a?"}


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
        ("topup", "abc"),
        ("topup", "-5"),
        ("topup", "0"),
        ("adjust", "0", "--reason", "why"),
        ("adjust", "5", "--reason", " "),
        ("refund", "--reason", "why"),
        ("refund", "--topup", "xyz", "--reason", "why"),
        ("refund", "-5", "--reason", "why"),
        ("activate", "--opening", "abc"),
        ("activate", "--debt", "costs"),
        ("activate", "--debt", "costs=abc"),
        ("activate", "--anchor", "2026-13-01"),
        ("activate", "--at", "soon"),
        ("deactivate", "--at", "soon"),
        ("disconnect", "--until", "2027-01-01"),
        ("disconnect", "--respect-windows", "--until", "soon"),
        ("protect",),
        ("protect", "--since", "soon"),
        ("thresholds", "--low", "abc"),
        ("tariff", "energy", "abc"),
        ("tariff", "energy"),
        ("tariff", "energy", "0.10", "--at", "soon"),
        ("message", "€"),
        ("message", "x", "--clear"),
        ("clock", "--set=rubbish"),
        ("read", "nonsense!"),
        ("read", "1.8.0", "nonsense!"),
        ("read", "daily profile", "--from", "soon"),
        ("read", "1.8.0", "2.8.0", "--last", "1"),
        ("set", "1.8.0", "nonsense"),
        ("set", "nonsense!", "long:1"),
        ("action", "1.8.0", "long:x"),
        ("readout", "--register", "1.8.0", "--listen", "5"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_as_it_is_written_is_refused_as_if_it_were_given_directly(
    standing: Rig, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Queued, tried out and as a campaign: the same text, the same exit code, and no row."""
    prepay = Prompt(standing, capsys)
    ports, name = prepay.rig.bench.ports, prepay.rig.name
    directly = prepay("--meter", name, *words)
    assert (directly.code, directly.out) == (2, "")
    others = [
        prepay("--meter", name, *words, "--queue"),
        prepay("--meter", name, *words, "--queue", "--dry-run"),
        prepay("--meter", name, *words, "--dry-run"),
        prepay("campaign", "start", "--query", "name=*", *words),
        prepay("campaign", "start", "--query", "name=*", "--dry-run", *words),
    ]
    assert {(said.code, said.out, said.err) for said in others} == {(2, "", directly.err)}
    assert (all_of(prepay), prepay.rig.bench.ports) == ([], ports)


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
    done, refused = prepay.queue("topup", "25.00"), prepay.queue(*TOO_MUCH)
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
    """What was refused can be queued anew, as a command of its own; what is done cannot."""
    first = prepay.queue(*TOO_MUCH).data["command"]
    prepay.rig.work()
    anew = prepay("commands", "retry", first)
    assert f"queued anew, now: refund 9999.00 --reason why for {prepay.rig.name}" in anew.out
    assert [each.state.value for each in all_of(prepay)] == ["refused", "queued"]
    again = all_of(prepay)[1].id
    assert prepay("commands", "cancel", again).code == 0
    assert prepay("commands", "cancel", again).code == 1
    done = prepay.queue("topup", "25.00").data["command"]
    prepay.rig.work()
    assert prepay("commands", "retry", done).code == 1
    assert [each["state"] for each in prepay.rig.topups()] == [Paid.DONE.value]


def test_what_was_withdrawn_is_not_given_again_by_a_retry(prepay: Prompt) -> None:
    """It may have been for later: a payment of tomorrow is not made today. The error says whose."""
    words = ("topup", "25.00", "--not-before", "+2h")
    later = prepay.queue(*words).data["command"]
    assert prepay("commands", "cancel", later).code == 0
    said = prepay("commands", "retry", later)
    assert (said.code, f"was withdrawn by {whoami()}" in said.err) == (1, True)
    started = prepay("--json", "campaign", "start", "--query", "name=*", "read", "1.8.0")
    campaign = started.data["campaign"]
    assert prepay("campaign", "cancel", campaign).code == 0
    said = prepay("commands", "retry", all_of(prepay)[1].id)
    assert (said.code, f"by {whoami()}, with campaign {campaign}" in said.err) == (1, True)
    assert len(all_of(prepay)) == 2


@pytest.mark.parametrize("group", ["commands", "campaign"])
def test_an_id_of_too_few_digits_says_how_many_it_takes(prepay: Prompt, group: str) -> None:
    """And not that there is none."""
    first = prepay("--json", "campaign", "start", "--query", "name=*", "read", "1.8.0").data
    prepay.queue("read", "1.8.0")
    names = {"commands": all_of(prepay)[0].id, "campaign": first["campaign"]}
    assert "4 digits of its id" in prepay(group, "cancel", names[group][:3]).err
    assert "4 digits of its id" in prepay(group, "show", "").err
    assert "there is no" in prepay(group, "show", "ffff").err
    again = prepay("campaign", "start", "--query", "name=*", "read", "1.8.0")
    assert again.code == 0
    assert "give more digits" in prepay(group, "show", names[group][:6]).err


def test_a_machine_is_told_which_command_is_not_done(prepay: Prompt) -> None:
    """Id, state and transaction stand beside the error, on which it can go on."""
    refused = prepay.queue(*TOO_MUCH).data["command"]
    prepay.rig.work()
    said = prepay("--json", "commands", "wait", refused)
    told = json.loads(said.err)
    transaction = all_of(prepay)[0].transaction_id
    named = {name: told[name] for name in ("command", "meter", "state", "transaction")}
    assert (said.code, named) == (
        1,
        {
            "command": refused,
            "meter": prepay.rig.name,
            "state": "refused",
            "transaction": transaction,
        },
    )
    waits = json.loads(prepay.queue("read", "1.8.0", "--wait=0").err)
    assert (waits["exit_code"], waits["state"], "transaction" in waits) == (3, "queued", False)


def test_a_payment_that_was_made_before_says_so(prepay: Prompt) -> None:
    """With its id directly, queued, or under a key: nothing is booked, nor looks like it."""
    identity = f"{prepay.rig.bench.now:012x}70008000000000000abc"
    directly = ("--json", "--meter", prepay.rig.name, "topup", "25.00", "--id", identity)
    first = prepay.queue("topup", "25.00", "--id", identity, "--idempotency-key", "one").data
    prepay.rig.work()
    assert prepay(*directly).data["again"] is True
    said = prepay(*directly[1:])
    assert f"(transaction {identity}); nothing was booked" in said.out
    assert "topped up" not in said.out
    key = ("topup", "25.00", "--id", identity, "--idempotency-key", "one")
    assert prepay.queue(*key).data == first | {"again": True, "state": "done"}
    over = prepay(*directly[1:], "--queue", "--wait", "--idempotency-key", "one")
    assert "nothing was queued anew" in over.out
    queued = prepay.queue("topup", "25.00", "--id", identity).data["command"]
    prepay.rig.work()
    assert prepay("--json", "commands", "wait", queued).data["again"] is True
    assert len(prepay.rig.topups()) == 1
    assert "again" not in prepay("--json", "commands", "wait", first["command"]).data


def test_a_command_that_expired_says_what_its_last_attempt_met(prepay: Prompt) -> None:
    """Silence, for one: with its exit code; swept, begun too late, or never begun."""
    rig = prepay.rig
    ids = [prepay.queue("read", "1.8.0", "--not-after", "+1m").data["command"] for _ in range(2)]

    def silent(_spec: object, _now: object) -> None:
        raise NoAnswer("no answer from nobody")

    rig.bench._open = silent  # type: ignore[assignment] # a line that is cut
    rig.work()
    rig.bench.now = later(rig.bench.now, 61_000)
    rig.dispatcher.sweep()
    said = [prepay("commands", "wait", each) for each in ids]
    last = "its not-after has passed; last: no answer from nobody"
    assert (said[0].code, last in said[0].err) == (3, True), said[0].err
    assert (said[1].code, "; last" in said[1].err) == (1, False), said[1].err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--dry-run meters set {} --tag x", "prepay meters set has no --dry-run"),
        ("--dry-run ledger", "prepay ledger has no --dry-run"),
        ("--priority 3 meters list", "prepay meters"),
        ("--queue ledger", "cannot be queued"),
    ],
)
def test_an_option_that_a_command_has_not_is_said_to_be_missing(
    prepay: Prompt, words: str, why: str
) -> None:
    """And no more than that."""
    said = prepay(*words.format(prepay.rig.name).split())
    assert (said.code, why in said.err) == (2, True), said.err


def test_a_meter_as_argument_is_a_meter_that_was_given(prepay: Prompt) -> None:
    """A rotation of keys names its meter itself: queued, and tried out."""
    name = prepay.rig.name
    dry = prepay("--json", "keys", "rotate", name, "--dry-run")
    assert (dry.code, dry.data["arguments"]) == (0, {"kinds": []}), dry.err
    assert prepay("keys", "rotate", name, "--queue", "--dry-run").code == 0
    assert prepay("keys", "rotate", name, "--queue").code == 0
    (command,) = all_of(prepay)
    assert (command.meter, command.arguments) == (name, {"kinds": []})
    assert prepay("keys", "rotate", "nobody", "--queue").code == 2
    assert prepay("keys", "rotate", "--queue").code == 2


@pytest.mark.parametrize("name", ["adjust", "refund"])
def test_a_correction_that_was_made_before_says_so(prepay: Prompt, name: str) -> None:
    """As a payment does."""
    identity = f"{prepay.rig.bench.now:012x}70008000000000000abc"
    words = ("--json", "--meter", prepay.rig.name, name, "1.00", "--reason", "why")
    first, again = (prepay(*words, "--id", identity).data for _ in range(2))
    assert ("again" in first, again) == (False, first | {"again": True})
    assert "nothing was booked" in prepay(*words[1:], "--id", identity).out


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
    details = [json.loads(row.details) for row in rows if row.subject == first]
    queued, done = details[0], details[-1]
    assert queued["arguments"] == {"amount": "25.00"}  # sealed, as what was paid is
    assert done["transaction"] == prepay.rig.command(first).transaction_id


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
