"""What is known before anything is queued, profiles and whose an id is; and who had it before."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from headend.context import Context, Settings
from headend.engine import campaign_views, campaigns
from headend.engine.queueing import Terms
from headend.engine.states import Happening, State
from headend.registry.meters import Selection
from headend.store import Store, commands, registry, workers
from headend.store.registry import Entry
from headend.times import utc
from protocol.timing import Instant, later
from tests.headend.engine.prompt import Prompt, all_of
from tests.headend.engine.rig import Rig, make
from tests.headend.engine.test_queueing import TOO_MUCH

#: A meter beside the rig's, of the other profile, which nobody can reach; one of an unknown one.
BESIDE, UNTOLD = "OPP0000000000077", "OPP0000000000088"


@pytest.fixture
def prepay(capsys: pytest.CaptureFixture[str]) -> Iterator[Prompt]:
    """A command line, and three meters in the registry."""
    rig = make()
    _register(rig)
    yield Prompt(rig, capsys)
    rig.bench.close()


@pytest.fixture(scope="module")
def standing() -> Iterator[Rig]:
    """A rig for what leaves no trace; one meter of it has paid."""
    rig = make()
    _register(rig)
    yield rig
    rig.bench.close()


def _register(rig: Rig) -> None:
    with rig.bench.store.begin() as db:
        beside = Entry(BESIDE, profile="il", transport="tcp:127.0.0.1:1")
        untold = Entry(UNTOLD, transport="tcp:127.0.0.1:1")
        registry.add(db, [beside, untold], rig.bench.now)


def identity_of(rig: Rig, last: str = "abc") -> str:
    """Return a transaction id of now."""
    return f"{rig.bench.now:012x}70008000000000000{last}"


# --- by the profile ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("topup", "4.99"), 1, "EUR 4.99 is below the least top-up, EUR 5.00"),
        (("topup", "250.01"), 1, "EUR 250.01 is above the greatest top-up, EUR 250.00"),
        (("topup", "5.001"), 2, "more than the 2 decimals of EUR"),
        (("adjust", "0.001", "--reason", "why"), 2, "more than the 2 decimals of EUR"),
        (("refund", "0.001", "--reason", "why"), 2, "more than the 2 decimals of EUR"),
        (("activate", "--opening", "0.001"), 2, "more than the 2 decimals of EUR"),
        (("activate", "--debt", "rates=5.00"), 2, "of this profile: costs"),
        (("activate", "--debt", "costs=-5.00"), 2, "a debt is not below 0"),
        (("activate", "--debt", "costs=1.00", "--debt", "costs=2.00"), 2, "is there twice"),
    ],
)
def test_what_the_profile_refuses_is_refused_when_it_is_queued(
    standing: Rig, words: tuple[str, ...], code: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the words, and with the exit code, of the command itself; no port is opened."""
    prepay = Prompt(standing, capsys)
    ports, name = standing.bench.ports, standing.name
    by_port = prepay("--port", "tcp:meter:1", *words)  # the meter says its profile
    assert (by_port.code, why in by_port.err) == (code, True), by_port.err
    ports = standing.bench.ports
    others = [
        prepay("--meter", name, *words),
        prepay("--meter", name, *words, "--queue"),
        prepay("--meter", name, *words, "--queue", "--dry-run"),
        prepay("--meter", name, *words, "--dry-run"),
    ]
    assert {(said.code, said.out, said.err) for said in others} == {(code, "", by_port.err)}
    assert (all_of(prepay), standing.bench.ports) == ([], ports)


@pytest.mark.parametrize("amount", ["5.00", "250.00"])
def test_the_bounds_themselves_are_taken(prepay: Prompt, amount: str) -> None:
    """The least and the greatest."""
    assert prepay.queue("topup", amount).code == 0
    prepay.rig.work()
    assert all_of(prepay)[0].state is State.DONE


def test_a_meter_of_an_unknown_profile_is_asked(prepay: Prompt) -> None:
    """What no profile takes is refused at once, and the rest by the meter."""
    assert prepay("--meter", UNTOLD, "topup", "9999.00", "--queue").code == 0
    assert prepay("--meter", UNTOLD, "topup", "-1", "--queue").code == 2
    assert prepay("--meter", BESIDE, "topup", "99.99", "--queue").code == 1


START = ("campaign", "start", "--query", "name=*")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["begun", "tried out"])
def test_a_campaign_that_some_would_refuse_is_told_meter_by_meter(
    prepay: Prompt, dry: tuple[str, ...]
) -> None:
    """Before anything is queued: a table, or JSON; and an error that says how to leave them out."""
    said = prepay("--json", *START, *dry, "topup", "50.00")
    why = "ILS 50.00 is below the least top-up, ILS 100.00"
    told = {"meter": BESIDE, "profile": "il", "error": why}
    assert (said.code, said.data) == (1, {"queued": 0, "refused": [told]})
    error = json.loads(said.err)["error"]
    assert error == (
        f"1 of 3 meters would refuse it, so nothing was queued: {why}; "
        "--query profile!=il leaves out those of its profile"
    )
    said = prepay(*START, *dry, "topup", "50.00")
    assert said.out.splitlines()[1].split(maxsplit=2) == [BESIDE, "il", why]
    assert all_of(prepay) == []
    left = prepay("campaign", "start", "--query", "profile!=il", *dry, "topup", "50.00")
    assert (left.code, len(all_of(prepay))) == (0, 0 if dry else 2)


def test_a_campaign_that_all_would_refuse_names_each_reason(prepay: Prompt) -> None:
    """Each meter with its own profile's; the exit code is the commands' own, where it is one."""
    both = ("--query", "profile!=")
    said = prepay("--json", "campaign", "start", *both, "topup", "9999.00")
    assert said.code == 1
    reasons = {each["meter"]: each["error"] for each in said.data["refused"]}
    assert reasons == {
        prepay.rig.name: "EUR 9999.00 is above the greatest top-up, EUR 250.00",
        BESIDE: "ILS 9999.00 is above the greatest top-up, ILS 3000.00",
    }
    assert "2 of 2 meters would refuse it, so nothing was queued; " in said.err
    said = prepay("campaign", "start", *both, "topup", "5.001")
    assert (said.code, "2 decimals" in said.err) == (2, True)
    assert all_of(prepay) == []


def test_what_would_be_refused_again_is_not_queued_anew(prepay: Prompt) -> None:
    """A retry is judged as the command was: its profile may be known by now."""
    given = prepay.rig.queue("topup", amount="9999.00")  # as if nobody had known it then
    prepay.rig.work()
    said = prepay("commands", "retry", given)
    assert (said.code, "above the greatest top-up" in said.err) == (1, True)
    assert len(all_of(prepay)) == 1


# --- whose an id is ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kind", "amount", "reason", "meter"])
def test_an_id_that_is_anothers_is_refused_before_anything_is_done(
    prepay: Prompt, kind: str
) -> None:
    """Of another command, amount, reason or meter: directly, queued and tried out alike."""
    rig, identity = prepay.rig, identity_of(prepay.rig)
    first = ("adjust", "1.00", "--reason", "why", "--id", identity)
    assert prepay("--meter", rig.name, *first).code == 0
    ports, reason = rig.bench.ports, ("--reason", "why", "--id", identity)
    name, words, why = {
        "kind": (rig.name, ("topup", "25.00", "--id", identity), "is another: adjust of 1.00"),
        "amount": (rig.name, ("adjust", "2.00", *reason), "is another: adjust of 1.00"),
        "reason": (rig.name, (*first[:3], "other", "--id", identity), "has another reason"),
        "meter": (BESIDE, first, f"is of another meter: {rig.name}"),
    }[kind]
    said = [
        prepay("--meter", name, *words, *more)
        for more in ((), ("--queue",), ("--queue", "--dry-run"), ("--dry-run",))
    ]
    assert {(each.code, each.out) for each in said} == {(2, "")}
    assert len({each.err for each in said}) == 1
    assert why in said[0].err
    assert "take a new id" in said[0].err
    assert (all_of(prepay), rig.bench.ports) == ([], ports)


def test_a_dry_run_finds_the_command_of_its_key(prepay: Prompt) -> None:
    """As the real one would; and another command under that key is refused."""
    key = ("--idempotency-key", "order-17")
    first = prepay.queue("topup", "25.00", *key).data["command"]
    words = ("--meter", prepay.rig.name, "--queue", "--dry-run", *key)
    said = prepay("--json", *words, "topup", "25.00")
    assert (said.code, said.data["again"]) == (0, True)
    said = prepay(*words, "topup", "25.00")
    assert f"(command {first}); nothing would be queued anew" in said.out
    real, dry = (
        prepay("--meter", prepay.rig.name, "topup", "30.00", "--queue", *more, *key)
        for more in ((), ("--dry-run",))
    )
    assert (dry.code, dry.err) == (real.code, real.err) == (2, real.err)
    assert len(all_of(prepay)) == 1


# --- again -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("deactivate", "nothing was booked"),
        ("mode local", "nothing was booked"),
        ("protect --never-cut", "nothing was done again"),
        ("disconnect", "nothing was done again"),
        ("connect", "nothing was done again"),
    ],
)
def test_whatever_takes_an_id_says_that_it_was_done_before(
    prepay: Prompt, words: str, said: str
) -> None:
    """Directly, and of a command that was queued: in JSON, and in words that begin with it."""
    rig, identity = prepay.rig, identity_of(prepay.rig)
    line = ("--meter", rig.name, *words.split(), "--id", identity)
    first, again = (prepay("--json", *line) for _ in range(2))
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert "again" not in first.data
    assert again.data == first.data | {"again": True}
    told = prepay(*line).out.splitlines()
    assert told[0].startswith("already done at ")
    assert told[0].endswith(f"(transaction {identity}); {said}")
    assert len(told) > 1
    assert "transaction" not in "".join(told[1:])
    queued = prepay("--json", *line, "--queue").data["command"]
    rig.work()
    assert prepay("--json", "commands", "wait", queued).data["again"] is True


def test_an_activation_and_a_withdrawn_plan_say_that_they_were_done_before(prepay: Prompt) -> None:
    """And a plan that waits at the meter, that it was planned."""
    rig = prepay.rig
    name = ("--json", "--meter", rig.name)
    assert prepay(*name, "deactivate").code == 0
    plan = ("activate", "--at", "2037-01-01T08:00", "--id", identity_of(rig, "001"))
    first, again = (prepay(*name, *plan) for _ in range(2))
    assert again.data == first.data | {"again": True}, again.err
    assert "nothing was planned anew" in prepay(*name[1:], *plan).out
    for words in (("cancel",), ("activate",)):
        line = (*words, "--id", identity_of(rig, f"a{len(words[0]):02d}"))
        first, again = (prepay(*name, *line) for _ in range(2))
        assert again.data == first.data | {"again": True}, again.err


def test_an_id_by_which_the_balance_went_the_other_way_is_refused(prepay: Prompt) -> None:
    """Nothing is said to be done that was not."""
    identity = ("--id", identity_of(prepay.rig))
    assert prepay("--meter", prepay.rig.name, "mode", "local", *identity).code == 0
    said = prepay("--meter", prepay.rig.name, "mode", "central", *identity)
    assert (said.code, "went the other way; take a new id" in said.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        "tariff energy 0.2841",
        "limiter --normal 5000",
        "thresholds --low 12.00",
        "message Hello",
    ],
)
def test_settings_have_no_id_and_are_one_command_under_a_key(prepay: Prompt, words: str) -> None:
    """They write how things shall be; whoever wants to give one once gives a key with it."""
    key = ("--idempotency-key", "night-shift")
    first, again = (prepay.queue(*words.split(), *key) for _ in range(2))
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert again.data == first.data | {"again": True}
    assert first.data["transaction"] is None
    prepay.rig.work(rounds=2)
    (command,) = all_of(prepay)
    assert (command.id, command.attempts) == (first.data["command"], 1)
    after = prepay.queue(*words.split(), *key).data
    assert (after["command"], after["state"]) == (command.id, command.state.value)
    assert prepay.queue(*words.split()).data["command"] != command.id


# --- who waits, and retries --------------------------------------------------------------------


@pytest.mark.parametrize("way", ["--wait", "--wait=600", "commands wait"])
def test_who_interrupts_a_wait_is_told_what_goes_on(
    prepay: Prompt, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """By which id, how to look at it, and how to withdraw it; the exit code is a shell's."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    if way == "commands wait":
        words = ["commands", "wait", prepay.queue("read", "1.8.0").data["command"]]
    else:
        words = ["--meter", prepay.rig.name, "read", "1.8.0", "--queue", way]
    said = prepay("--json", *words)
    (command,) = all_of(prepay)
    told = json.loads(said.err)
    assert (said.code, said.out, command.state) == (130, "", State.QUEUED)
    assert (told["exit_code"], told["command"], told["meter"]) == (130, command.id, command.meter)
    for next_step in ("stays queued", "prepay commands show", "prepay commands cancel"):
        assert next_step in told["error"]
    prepay.rig.work()
    assert prepay.rig.command(command.id).state is State.DONE


def test_who_interrupts_an_order_is_told_how_to_find_out_about_it(prepay: Prompt) -> None:
    """Wherever it was by then; what moves nothing is only interrupted."""
    rig = prepay.rig
    opener = rig.bench._open
    places, calls = [0], [0]

    def dying(spec: Any, now: Any) -> Any:
        line = opener(spec, now)
        write = line.write

        def interrupted(octets: bytes) -> None:
            calls[0] += 1
            if calls[0] == places[0]:
                raise KeyboardInterrupt
            write(octets)

        line.write = interrupted  # type: ignore[method-assign] # a hand on the keyboard
        return line

    rig.bench._open = dying  # type: ignore[method-assign] # as above
    for place in range(1, 100):
        places[0], calls[0] = place, 0
        said = prepay("--meter", rig.name, "topup", "25.00")
        if said.code == 0:
            break
        assert said.code == 130
        for step in ("it may have been sent", "prepay transactions", "prepay settle"):
            assert step in said.err
        places[0] = 0
        assert prepay("--meter", rig.name, "settle").code == 0
    # At the order itself, at the farewell after it, and not at all.
    assert [each["state"] for each in rig.topups()] == ["settled", "done", "done"]
    assert place > 3
    places[0], calls[0] = 1, 0
    read = prepay("--meter", rig.name, "read", "1.8.0")
    assert (read.code, read.err.strip()) == (130, "prepay: interrupted")


@pytest.mark.parametrize("way", ["--wait=1", "commands wait"])
def test_who_waits_where_nobody_works_is_told_so(
    prepay: Prompt, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """At once, on stderr, and not in JSON's place; a wait that is over says how to go on."""
    rig = prepay.rig

    def pass_by(_seconds: float) -> None:
        rig.bench.now = later(rig.bench.now, 500)

    monkeypatch.setattr("time.sleep", pass_by)
    if way == "commands wait":
        words = ["commands", "wait", prepay.queue("read", "1.8.0").data["command"], "--seconds=1"]
    else:
        words = ["--meter", rig.name, "read", "1.8.0", "--queue", way]
    first, last = prepay(*words).err.splitlines()
    (command,) = all_of(prepay)
    assert first == (
        f"command {command.id} waits: nobody is there to carry it out: prepay serve, in a "
        "terminal of its own"
    )
    assert last.endswith(f"is still queued; prepay commands wait {command.id} goes on waiting")
    assert json.loads(prepay("--json", *words).err)["exit_code"] == 3
    with rig.bench.store.begin() as db:
        workers.begin(db, "here-1", "here", 1, rig.bench.now)
    assert len(prepay(*words).err.splitlines()) == 1


def test_what_is_planned_says_from_when_on(prepay: Prompt) -> None:
    """And one command is shown in two columns, in words, without an error that is its reason."""
    rig = prepay.rig
    words = ("--meter", rig.name, *TOO_MUCH, "--queue", "--not-before", "+2h")
    begin = later(rig.bench.now, 2 * 3_600_000)
    said = prepay(*words).out.splitlines()
    assert said[0] == f"planned: refund for {rig.name}, not before {utc(begin)}"
    rig.bench.now = begin
    rig.dispatcher.sweep()
    rig.work()
    (command,) = all_of(prepay)
    shown = prepay("commands", "show", command.id).out.splitlines()
    assert {line.index(line.split("  ")[-1].lstrip()) for line in shown} == {13}
    named = {line[:11].rstrip(): line[13:] for line in shown}
    assert (named["not before"], named["reason"]) == (utc(begin), command.reason)
    assert "answer" not in named


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing was queued: prepay --meter NAME topup 25.00 --queue"),
        (("--state", "done"), "no such command: prepay commands lists all"),
    ],
)
def test_an_empty_list_says_why_it_is_empty(
    standing: Rig, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was queued, or nothing that was asked for."""
    assert Prompt(standing, capsys)("commands", "list", *words).out == f"{said}\n"


def test_a_retry_has_a_not_after_of_its_own(prepay: Prompt) -> None:
    """As any command that is queued; one that is still to be done keeps the one that it has."""
    rig = prepay.rig
    given = prepay.queue(*TOO_MUCH).data["command"]
    for wrong in (("--not-after", "soon"), ("--not-after", "+0s")):
        rig.work()
        assert prepay("commands", "retry", given, *wrong).code == 2
    anew = prepay("--json", "commands", "retry", given, "--not-after", "+2h").data["command"]
    assert rig.command(anew).not_after == rig.bench.now + 2 * 3_600_000
    said = prepay("commands", "retry", anew, "--not-after", "+3h")
    assert (said.code, "keeps its own" in said.err) == (2, True)
    assert prepay("commands", "retry", anew).code == 0
    assert len(all_of(prepay)) == 2


# --- which meters did not do it ----------------------------------------------------------------


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A database of either kind."""
    made = Store(database)
    yield made
    made.close()


def test_the_rest_of_a_long_list_of_meters_is_had_by_the_last_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In JSON a page, in words some of it; both say how many are left, and how to have them."""
    monkeypatch.setattr(campaign_views, "_MOST_TOLD", 5)
    monkeypatch.setattr(campaign_views, "_MOST_SHOWN", 3)
    names = [f"OPP{number:013d}" for number in range(12)]
    context = Context(Settings(), store=store)
    with store.begin() as db:
        entries = [Entry(each, transport="tcp:127.0.0.1:1") for each in names]
        registry.add(db, entries, Instant(0))
    wish = campaigns.Wish(("read", "1.8.0"), Selection.parse((), None, "name=*"), Terms())
    made, _ = campaigns.start(context, wish)
    with store.begin() as db:
        for each in commands.newest(db, campaign_id=made.number)[:-1]:  # one has nothing to tell
            commands.end(db, each, Happening.WITHDRAWN, context.now(), reason="gone")
    told, after = [], None
    for left in (6, 1, 0):
        page = campaign_views.shown(context, made.id, after=after).data
        told += [each["meter"] for each in page["undone"]]
        assert page["undone_left"] == left
        after = page["undone_next"]
        assert (after is None) is (left == 0)
    assert told == names[1:]
    text = campaign_views.shown(context, made.id)
    with store.read() as db:
        third = commands.undone(db, made.number, 3)[-1].id
    assert len(text.rows) == 3
    assert text.lines[2] == (
        f"3 of 11 that did not do it; the next: prepay campaign show {made.id} --after {third}"
    )
    text = campaign_views.shown(context, made.id, after=third)
    assert text.lines[2].startswith("3 of 8 more that did not do it; ")
    assert [row[0] for row in text.rows] == names[4:7]
    text = campaign_views.shown(context, made.id, after=page["undone"][0]["command"])
    assert (text.rows, text.data["undone_left"]) == ((), 0)


def test_a_page_begins_behind_a_command_of_its_campaign(prepay: Prompt) -> None:
    """Any other one is a mistake, and said to be one."""
    other = prepay.queue("read", "1.8.0").data["command"]
    number = prepay("--json", *START, "read", "1.8.0").data["campaign"]
    for wrong in (other, "ffff"):
        said = prepay("campaign", "show", number, "--after", wrong)
        assert (said.code, "command" in said.err) == (2, True)
    within = all_of(prepay)[1].id
    assert prepay("--json", "campaign", "show", number, "--after", within).data["undone"] == []
