"""Campaigns on the command line: how they begin, go, end, and what they tell of each meter."""

import json
from collections.abc import Iterator

import pytest

from headend.commands.campaign import command as campaign_group
from tests.headend.engine.prompt import Prompt, all_of
from tests.headend.engine.rig import make
from tests.headend.engine.test_queueing import TOO_MUCH


@pytest.fixture
def prepay(capsys: pytest.CaptureFixture[str]) -> Iterator[Prompt]:
    """A command line, and a meter that is in the registry."""
    rig = make()
    yield Prompt(rig, capsys)
    rig.bench.close()


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
    words = ("campaign", "start", "--query", "name=*", *TOO_MUCH)
    started = prepay("--json", *words)
    prepay.rig.work()
    shown = prepay("campaign", "show", started.data["campaign"], "--wait")
    assert (shown.code, "1 refused; prepay campaign show" in shown.err) == (1, True)


def test_a_campaign_says_which_meters_did_not_do_it_and_why(prepay: Prompt) -> None:
    """In its list and in JSON; and the list of commands takes the campaign's id."""
    prepay.queue("read", "1.8.0")
    words = ("campaign", "start", "--query", "name=*", *TOO_MUCH)
    number = prepay("--json", *words).data["campaign"]
    assert prepay("--json", "campaign", "show", number).data["undone"] == []
    prepay.rig.work(rounds=2)
    shown = prepay("campaign", "show", number)
    command = all_of(prepay)[1]
    assert command.reason is not None
    for told in (prepay.rig.name, "refused", command.id[:20], command.reason[:8]):
        assert told in shown.out
    (undone,) = prepay("--json", "campaign", "show", number).data["undone"]
    assert (undone["meter"], undone["state"]) == (prepay.rig.name, "refused")
    assert (undone["command"], undone["reason"]) == (command.id, command.reason)
    of = ("--json", "commands", "list", "--campaign", number[:16])
    assert [each["command"] for each in prepay(*of).data["commands"]] == [command.id]
    assert prepay(*of, "--state", "done").data["commands"] == []
    assert prepay("commands", "list", "--campaign", "ffff").code == 2


def test_a_campaign_that_is_through_is_finished_whoever_looks(prepay: Prompt) -> None:
    """Not only once a worker has looked: shown, listed and waited for; it cannot be paused then."""
    words = ("--json", "campaign", "start", "--query", "name=*", "read", "1.8.0")
    ways = [("show", "{}"), ("list",), ("show", "--wait", "{}"), ("show", "{}", "--wait=5")]
    for way in ways:
        number = prepay(*words).data["campaign"]
        prepay.rig.work()
        paused = prepay("campaign", "pause", number)
        assert (paused.code, "is through" in paused.err) == (1, True)
        told = prepay("--json", "campaign", *(word.format(number) for word in way)).data
        told = told.get("campaigns", [told])[0]
        assert (told["campaign"], told["state"], told["finished"] is None) == (
            number,
            "finished",
            False,
        )


def test_a_wait_for_a_campaign_says_its_id_at_once_and_ends_with_its_time(prepay: Prompt) -> None:
    """With exit code 3, and the id in the error as well; the campaign goes on."""
    start = ("campaign", "start", "--query", "name=*", "--wait=0.01", "read", "1.8.0")
    said = prepay(*start)
    (command,) = all_of(prepay)
    first, last = said.err.splitlines()
    number = first.split()[1].rstrip(":")
    assert first == f"campaign {number}: read 1.8.0, 1 meter"
    assert (said.code, "still 1 queued" in last, number in last) == (3, True, True)
    assert "goes on: prepay campaign show" in last
    told = json.loads(prepay("--json", "campaign", "show", number, "--wait=0").err)
    assert (told["campaign"], told["state"], told["exit_code"]) == (number, "running", 3)
    assert [each.id for each in all_of(prepay)] == [command.id]


def test_who_interrupts_a_wait_stops_no_campaign(
    prepay: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is told how it goes on, and by which id; the exit code is a shell's."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    said = prepay("--json", "campaign", "start", "--query", "name=*", "--wait", "read", "1.8.0")
    told = json.loads(said.err)
    assert (said.code, told["exit_code"], told["state"]) == (130, 130, "running")
    assert f"prepay campaign cancel {told['campaign']}" in told["error"]
    assert prepay("--json", "campaign", "show", told["campaign"]).data["counts"] == {"queued": 1}


def test_a_campaign_of_the_same_key_is_found_and_says_so(prepay: Prompt) -> None:
    """Nothing is queued anew."""
    words = ("campaign", "start", "--query", "name=*", "--idempotency-key", "k", "read", "1.8.0")
    first, again = (prepay("--json", *words).data for _ in range(2))
    assert again == first | {"again": True}
    assert "nothing was queued anew" in prepay(*words).out
    assert len(all_of(prepay)) == 1


def test_a_key_is_of_one_command_and_one_selection(prepay: Prompt) -> None:
    """Who sends other meters under it has not had them done: that is no success."""
    words = ("campaign", "start", "--idempotency-key", "k")
    assert prepay(*words, "--query", "name=*", "read", "1.8.0").code == 0
    for other in (("--query", "life=met", "read", "1.8.0"), ("--query", "name=*", "status")):
        said = prepay(*words, *other)
        assert (said.code, "is of another campaign" in said.err) == (2, True), said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--query name=* topup 1.00 --wait", "--wait is campaign start's: put it before topup"),
        ("--query name=* topup 1.00 --wait=5", "--wait is campaign start's"),
        ("topup 1.00 --query name=*", "--query is campaign start's: put it before topup"),
        ("--query name=* keys rotate --at-once 3", "put it before keys rotate"),
        ("--query name=* read 1.8.0 --json", "--json is campaign start's"),
        ("--query name=* keys rotate OPP1", "leave out 'OPP1'"),
    ],
)
def test_what_stands_in_the_wrong_place_is_said_where_it_belongs(
    prepay: Prompt, words: str, why: str
) -> None:
    """An option of the campaign behind its command, or a meter."""
    said = prepay("campaign", "start", *words.split())
    assert (said.code, why in said.err) == (2, True), said.err
    assert all_of(prepay) == []


@pytest.mark.parametrize(
    ("words", "parsed"),
    [
        ("--tag a --wait topup 5", (float("inf"), ("topup", "5"))),
        ("--wait --tag a topup 5", (float("inf"), ("topup", "5"))),
        ("--wait=60 --tag a topup 5", (60.0, ("topup", "5"))),
        ("--tag --wait topup 5", (None, ("topup", "5"))),
        ("--tag a topup 5 --wait", (None, ("topup", "5", "--wait"))),
        ("--tag a -- topup --wait", (None, ("topup", "--wait"))),
    ],
)
def test_a_wait_takes_no_word_of_the_command_for_its_time(
    words: str, parsed: tuple[float | None, tuple[str, ...]]
) -> None:
    """It stands alone, or its seconds stand behind an equals sign."""
    params = campaign_group.commands["start"].make_context("start", words.split()).params
    assert (params["wait"], params["words"]) == parsed


def test_options_before_the_group_are_the_commands_own(prepay: Prompt) -> None:
    """A dry run is one wherever it stands, for a command that has it."""
    words = ("campaign", "start", "--query", "name=*", "read", "1.8.0")
    said = prepay("--dry-run", "--json", *words)
    assert (said.code, said.data["dry_run"]) == (0, True)
    assert all_of(prepay) == []
    assert prepay("--priority", "3", "--not-before", "+1h", *words).code == 0
    (command,) = all_of(prepay)
    assert (command.priority, command.state.value) == (3, "planned")


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
