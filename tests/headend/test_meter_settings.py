"""Limiter, thresholds, tariff, message, profile, reads of many, and a disconnect that waits."""

import json
from datetime import datetime
from typing import Any

import pytest

from headend.cli import main
from headend.commands.activate import activate
from headend.commands.connect import connect
from headend.commands.disconnect import disconnect, disconnect_after_windows
from headend.commands.limiter import limiter
from headend.commands.message import message
from headend.commands.mode import change
from headend.commands.profile import profile
from headend.commands.read import read, read_rows, read_several
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.tariff import tariff
from headend.commands.thresholds import thresholds
from headend.engine.arguments import durable, freeze, thaw
from headend.errors import ExitCode, HeadendError, NoAnswer, Refused, UsageError
from headend.reading.rows import Part
from headend.store.transactions import State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from protocol.timing import later
from tests.headend.accounts import IDENTITY, states
from tests.headend.bench import Bench
from tests.headend.unplugged import Unplugged

#: Attributes of class 71.
NORMAL, OVER = 4, 6


def wait(bench: Bench, hours: float) -> None:
    """Let time pass, waking the meter when it wants to be."""
    end = later(bench.now, round(hours * 3_600_000))
    while bench.now < end:
        wake = bench.kernel.tick(bench.now, Inputs()).wake_at
        bench.now = min(end, max(wake, later(bench.now, 1)))
    bench.kernel.tick(bench.now, Inputs())


# --- limiter -------------------------------------------------------------------------------------


def test_the_limiter_is_shown_and_set(wal: Bench) -> None:
    """What is given is written; what is not stays; 0 takes the threshold away."""
    made = limiter(wal.context()).data
    assert (made["threshold_active"], made["over"], made["under"]) == (0, 60, 60)
    data = limiter(wal.context(), {NORMAL: 5_000, OVER: 300}).data
    assert (data["threshold_active"], data["threshold_normal"]) == (5_000, 5_000)
    assert (data["over"], data["under"]) == (300, 60)
    assert limiter(wal.context(), {NORMAL: 0}).data["threshold_active"] == 0


def test_what_is_so_already_is_not_written_again(wal: Bench) -> None:
    """Or each repetition would be an event in the meter's log."""
    limiter(wal.context(), {NORMAL: 5_000})
    events = wal.kernel.state.relay_events
    limiter(wal.context(), {NORMAL: 5_000})
    assert wal.kernel.state.relay_events == events


# --- thresholds ----------------------------------------------------------------------------------


def test_thresholds_are_shown_and_set(wal: Bench) -> None:
    """In the money of the account; the days of low credit are the profile's."""
    thresholds(wal.context(), {"low_credit": "5.00", "clearance": "1.50"})
    data = thresholds(wal.context(), {"max_provision": "20.00"}, 30).data
    assert (data["low_credit"], data["clearance"]) == ("5.00", "1.50")
    assert (data["max_provision"], data["provision_days"]) == ("20.00", 30)
    assert wal.kernel.view.rules.credit.low_threshold == 500
    assert data["low_days"] == wal.kernel.view.rules.credit.low_days


def test_the_emergency_threshold_is_set_where_there_is_an_emergency_credit(
    wal: Bench, il: Bench
) -> None:
    """Wallonia has one; Israel has none, and says so."""
    assert thresholds(wal.context(), {"emergency_credit": "2.00"}).data["emergency_credit"] == (
        "2.00"
    )
    with pytest.raises(Refused):
        thresholds(il.context(), {"emergency_credit": "2.00"})


@pytest.mark.parametrize("amount", ["x", "1.001", "21474836.48", "99999999999999"])
def test_a_threshold_that_is_none_is_refused(wal: Bench, amount: str) -> None:
    """Nothing is written."""
    before = thresholds(wal.context()).data
    with pytest.raises(UsageError):
        thresholds(wal.context(), {"low_credit": amount})
    with pytest.raises(UsageError):  # 16 bits
        thresholds(wal.context(), {"max_provision": "655.36"})
    assert thresholds(wal.context()).data == before


# --- tariff --------------------------------------------------------------------------------------


def prices(bench: Bench, name: str) -> dict[str, Any]:
    """Return what a charge costs, as the command shows it."""
    return next(c for c in tariff(bench.context()).data["charges"] if c["charge"] == name)


def at_once(name: str, price: str) -> dict[str, Any]:
    """Return what is shown of a charge for energy whose price is in force, with none to come."""
    return {"charge": name, "unit": "ILS/kWh", "prices": [price], "next": None, "from": None}


def test_a_price_takes_over_at_once(il: Bench) -> None:
    """What was used before is charged for at the old price."""
    activate(il.context())
    il.kernel.tick(il.now, Inputs(pulses=1_000))
    before = il.kernel.state.totals.charged
    assert before > 0
    data = tariff(il.context(), _first(il), ("1.5",)).data
    assert data["charges"][0]["prices"] == ["1.5"]
    assert il.kernel.state.totals.charged == before
    il.kernel.tick(il.now, Inputs(pulses=1_000))
    assert il.kernel.state.totals.charged - before == 150


def test_a_price_is_shown_with_what_it_is_for(il: Bench) -> None:
    """Energy, a period, or a payment."""
    units = {row[0]: row[2] for row in tariff(il.context()).rows}
    wanted = {"energy": "ILS/kWh", "standing": "ILS per 30 days", "fee": "ILS per payment"}
    assert wanted.items() <= units.items()


def _first(bench: Bench) -> str:
    return bench.factory.profile.account.charges[0].name


def test_a_price_waits_for_its_moment(il: Bench) -> None:
    """It is shown beside the one in force, and replaces it then; said again it changes nothing."""
    activate(il.context())
    name = _first(il)
    old = prices(il, name)["prices"]
    for _ in range(2):
        tariff(il.context(), name, ("0.75",), "2026-11-25T00:00")
        shown = prices(il, name)
        assert (shown["prices"], shown["next"]) == (old, ["0.75"])
        assert shown["from"].startswith("2026-11-25T00:00:00")
    wait(il, 24)
    assert prices(il, name) == at_once(name, "0.75")
    again = tariff(il.context(), name, ("0.75",), "2026-11-25T00:00").data["charges"][0]
    assert (again["prices"], again["next"]) == (["0.75"], None)


def test_the_next_change_replaces_one_that_waits(il: Bench) -> None:
    """Also one at once: the old plan does not come true any more."""
    activate(il.context())
    name = _first(il)
    tariff(il.context(), name, ("0.75",), "2026-11-25T00:00")
    tariff(il.context(), name, ("0.60",))
    assert prices(il, name) == at_once(name, "0.6")
    wait(il, 24)
    assert prices(il, name)["prices"] == ["0.6"]


def test_wherever_the_line_dies_no_price_comes_early(il: Bench) -> None:
    """A plan for tomorrow replaced by one for the day after: what is in force is one of the two."""
    activate(il.context())
    name = _first(il)
    old = prices(il, name)["prices"]
    tariff(il.context(), name, ("0.75",), "2026-11-25T00:00")
    standing = il.save()
    for writes in range(6, 60, 4):
        bench = Bench("il", LinkKind.WRAPPER, standing)
        died = False
        try:
            tariff(Unplugged(bench, writes).context(), name, ("0.90",), "2026-11-26T00:00")
        except NoAnswer:
            died = True
        wait(bench, 24)
        assert prices(bench, name)["prices"] in ([old[0]], ["0.75"])
        tariff(bench.context(), name, ("0.90",), "2026-11-26T00:00")
        assert prices(bench, name)["next"] == ["0.9"]
        bench.close()
        if not died:
            break
    assert not died
    assert writes > 10


@pytest.mark.parametrize(
    ("asked", "at"),
    [
        (("0.1", "0.2"), None),
        (("x",), None),
        (("nan",), None),
        (("1e400",), None),
        (("0.0000000001",), None),
        (("40000.01",), None),
        (("0.5",), "2020-01-01"),
        (("0.5",), "soon"),
        ((), None),
    ],
)
def test_what_is_no_price_is_refused(il: Bench, asked: tuple[str, ...], at: str | None) -> None:
    """Too many, none, not a number, too fine, too great, or for a moment that is over."""
    before = tariff(il.context()).data
    with pytest.raises(UsageError):
        tariff(il.context(), _first(il), asked, at)
    with pytest.raises(UsageError, match="no charge"):
        tariff(il.context(), "nothing", ("0.5",))
    assert tariff(il.context()).data == before


def test_where_the_head_end_prices_the_meter_has_no_tariff(wal: Bench) -> None:
    """It says who prices; handed over to the meter, the charges are there."""
    shown = tariff(wal.context())
    assert shown.data["priced_by"] == "head-end"
    assert shown.rows == [("energy", "0.35", "EUR/kWh", "", "")]
    assert any("profile be-wal" in line for line in shown.lines)
    with pytest.raises(Refused, match=r"head-end prices.*prepay mode local"):
        tariff(wal.context(), _first(wal), ("0.5",))
    activate(wal.context())
    change(wal.context(), "local")
    assert tariff(wal.context(), _first(wal), ("0.5",)).data["charges"][0]["prices"] == ["0.5"]


# --- message, profile ----------------------------------------------------------------------------


def test_a_message_is_written_read_and_taken_away(wal: Bench) -> None:
    """And stands on the display."""
    assert message(wal.context()).data == {"message": "", "written": False}
    assert message(wal.context(), "Welcome").data == {"message": "Welcome", "written": True}
    assert wal.kernel.display()[-1].value == "Welcome"
    assert message(wal.context()).lines == ("message: Welcome",)
    assert message(wal.context(), "").data["message"] == ""


@pytest.mark.parametrize("text", ["two\nlines", "caf\u00e9", "\x1b", "x" * 1025])
def test_what_no_display_shows_does_not_go_out(wal: Bench, text: str) -> None:
    """It is refused before the meter is called."""
    with pytest.raises(UsageError):
        message(wal.context(), text)
    assert wal.ports == 0


def test_what_this_display_does_not_show_is_refused_by_the_meter(wal: Bench) -> None:
    """129 characters; the message of before stays."""
    message(wal.context(), "before")
    with pytest.raises(Refused):
        message(wal.context(), "x" * 129)
    assert message(wal.context()).data["message"] == "before"


def test_a_profile_is_shown_and_not_set(wal: Bench) -> None:
    """Its own name is no change; another is refused, with why."""
    data = profile(wal.context()).data
    assert (data["profile"], data["mode"], data["currency"]) == ("be-wal", "central", "EUR")
    assert data["charges"] == [c.name for c in wal.factory.profile.account.charges]
    assert profile(wal.context(), "be-wal").data == data
    with pytest.raises(Refused, match="not set over a line"):
        profile(wal.context(), "il")


# --- reading many --------------------------------------------------------------------------------


def test_several_are_read_in_one_session(wal: Bench) -> None:
    """Each as if it had been read alone; what is refused is said in its row."""
    report = read_several(wal.context(), ("1.8.0", "clock", "9.9.9"))
    assert wal.ports <= 2, "one session, and what it takes to learn the counter"
    alone = read(wal.context(), "1.8.0").data
    assert report.data["values"][0] == alone
    assert "refused" in report.data["values"][2]
    assert report.exit_code == ExitCode.REFUSED
    assert read_several(wal.context(), ("1.8.0", "clock")).exit_code == ExitCode.DONE


def test_rows_are_read_by_range_and_by_number(wal: Bench) -> None:
    """Three midnights; bounds belong to the range."""
    activate(wal.context())
    for _ in range(3):
        wal.kernel.tick(wal.now, Inputs(pulses=500))
        wait(wal, 24)
    found = read_rows(wal.context(), "daily profile", Part(last=2)).data
    assert found["columns"] == ["clock", "active energy import [Wh]"]
    assert [row[1] for row in found["rows"]] == ["1000", "1500"]
    since, until = datetime(2026, 11, 25), datetime(2026, 11, 26)  # noqa: DTZ001 # wall clock
    part = Part(since, until)
    rows = read_rows(wal.context(), "daily profile", part).data["rows"]
    assert [row[0][:16] for row in rows] == ["2026-11-25T00:00", "2026-11-26T00:00"]
    assert read_rows(wal.context(), "daily profile", Part(last=100_000)).data["rows"][1:] != []


def test_only_a_profile_has_rows(wal: Bench) -> None:
    """A register says so in one line."""
    with pytest.raises(Refused):
        read_rows(wal.context(), "1.8.0", Part(last=1))


@pytest.mark.parametrize(
    "words",
    [
        ["1.8.0", "clock", "--last", "1"],
        ["clock", "--from", "yesterday"],
        ["clock", "--last", "1", "--to", "2026-01-01"],
        ["1.8.0"] * 201,
    ],
)
def test_what_does_not_fit_together_is_a_usage_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any meter is called."""
    with pytest.raises(SystemExit) as ended:
        main(["--port", "tcp:127.0.0.1:1", "--json", "read", *words])
    assert ended.value.code == ExitCode.USAGE
    assert json.loads(capsys.readouterr().err)["exit_code"] == ExitCode.USAGE


# --- the relay -----------------------------------------------------------------------------------


def test_a_disconnect_in_friendly_hours_waits_and_is_settled_later(wal: Bench) -> None:
    """A Walloon evening: the meter opens at its end, and says so when it is next met."""
    wait(wal, 8)  # 20:00, a window from 16:00 to 08:00
    report = disconnect_after_windows(wal.context(), identity=IDENTITY)
    assert (report.data["state"], report.data["relay"]) == ("sent", "connected")
    assert report.data["waits_until"].startswith("2026-11-29T20:00")
    shown = status(wal.context())
    assert shown.data["plan"]["kind"] == "disconnect"
    assert any("after friendly hours, until 2026-11-29T20:00" in line for line in shown.lines)
    wait(wal, 12)
    settle(wal.context())
    assert states(wal)[-1] == ("disconnect", State.SETTLED)
    again = disconnect_after_windows(wal.context(), identity=IDENTITY).data
    assert (again["relay"], again["relay_causes"]) == ("disconnected", ["operator"])


def test_a_connect_withdraws_a_disconnect_that_waits(wal: Bench) -> None:
    """Its transaction ends with it."""
    wait(wal, 8)
    disconnect_after_windows(wal.context())
    connect(wal.context())
    assert states(wal) == [("disconnect", State.REFUSED), ("connect", State.DONE)]
    wait(wal, 24)
    assert wal.kernel.state.relay.causes == 0


def test_outside_friendly_hours_it_opens_now(wal: Bench) -> None:
    """And a disconnect at once does in any."""
    assert disconnect_after_windows(wal.context()).data["relay"] == "disconnected"
    connect(wal.context())
    wait(wal, 8)
    assert disconnect(wal.context()).data["relay"] == "disconnected"


@pytest.mark.parametrize("order", [connect, disconnect])
def test_wherever_the_line_dies_an_old_order_undoes_no_new_one(order: Any) -> None:
    """Lost, then the contrary ordered, then settled: the relay is where the last order said."""
    contrary = disconnect if order is connect else connect
    codes = set()
    for writes in range(40):
        bench = Bench("be-wal", LinkKind.WRAPPER)
        if order is connect:
            disconnect(bench.context())
        code = 0
        try:
            order(Unplugged(bench, writes).context())
        except HeadendError as error:
            code = int(error.exit_code)
        wanted = contrary(bench.context()).data["relay"]
        settle(bench.context())
        assert bench.kernel.state.relay.control.name.lower() == wanted
        codes.add(code)
        bench.close()
        if code == 0:
            break
    assert codes == {0, 3, 4}


@pytest.mark.parametrize("until", ["2020-01-01", "soon", ""])
def test_a_moment_that_is_none_or_over_is_refused(wal: Bench, until: str) -> None:
    """Nothing is ordered."""
    with pytest.raises(UsageError):
        disconnect_after_windows(wal.context(), until)
    assert states(wal) == []


# --- queued --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "moves"),
    [
        ("adjust", {"amount": "-3.50", "reason": '-x "odd"'}, True),
        ("refund", {"topup": IDENTITY, "reason": "r"}, True),
        ("disconnect", {"respect_windows": True, "until": "2026-12-01"}, True),
        ("connect", {}, True),
        ("tariff", {"charge": "energy", "prices": ("-0.10", "0.2"), "at": "2027-01-01"}, False),
        ("limiter", {"normal": 0, "over": 5}, False),
        ("thresholds", {"low": "-5.00", "provision_days": 3}, False),
        ("message", {"text": "--clear", "clear": False}, False),
        ("profile", {}, False),
        ("read", {"codes": ("1.8.0", "clock"), "attribute": 2}, False),
    ],
)
def test_each_can_be_queued(name: str, given: dict[str, Any], moves: bool) -> None:
    """Its parameters come back from the database as they went in, odd ones too.

    What moves money or the relay does it under an id that the queue draws once; a price, a
    threshold and a message say how things shall be.
    """
    of = durable(name)
    thawed = thaw(of, json.loads(json.dumps(freeze(of, given))))
    assert {key: value for key, value in thawed.items() if value is not None} == given
    assert of.moves is moves
