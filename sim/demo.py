"""The demo: the moments in the life of two prepaid meters, from the first credit to the last.

A Walloon meter (the head-end keeps the balance), then an Israeli one (the meter does). What the
script says has happened it has seen on the meter's face or heard from the head-end.
"""

import csv
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import click

from sim.stage import DemoError, Stage

#: The Walloon household heats with electricity: the shipped example, three times as much.
HEATING = 3
#: The Israeli one as well, evenly: 8.4 kW, in Wh a quarter-hour.
ISRAELI_QUARTER = 2100

_UPDATED, _BALANCE, _EMERGENCY = "94.32.2 1", "94.32.2 2", "94.32.2 3"
_LIVE = "19.10.0"


def run_demo(only: str | None = None) -> None:
    """Show the moments, one after the other.

    Args:
        only: name of the one profile to show; None shows both.

    Raises:
        DemoError: a moment does not come.
    """
    began = time.monotonic()
    stories: dict[str, Callable[[Path], None]] = {"be-wal": walloon, "il": israeli}
    with tempfile.TemporaryDirectory(prefix="prepay-demo-") as folder:
        for profile, story in stories.items():
            if only in (None, profile):
                story(Path(folder))
    click.secho(f"\nEvery moment came, in {time.monotonic() - began:.0f} s.", bold=True, fg="green")


def walloon(folder: Path) -> None:
    """Show a meter whose balance the head-end keeps."""
    click.secho("Wallonia: the head-end keeps the balance and brings it each morning", bold=True)
    load = _scaled_household(folder)
    with Stage(folder, "be-wal", "EUR", "2026-11-23T05:30", load, "meter0") as stage:
        _first_credit(stage)
        _mornings(stage)
        _cut(stage)
        _recharge(stage)
        _goodbye(stage)


def _first_credit(stage: Stage) -> None:
    display = stage.display
    stage.moment(f"Meter {stage.meter} boots: supply is on, prepayment is not active")
    stage.face(_BALANCE)
    stage.moment("The head-end associates over HDLC and activates prepayment")
    stage.prepay("activate")
    stage.see("the arrow stands above the euro sign", lambda: "arrow" in display.signs)
    stage.see("start credit of EUR 20.00", lambda: display.amount(_BALANCE) == "20.00")
    stage.face(_BALANCE)


def _mornings(stage: Stage) -> None:
    display = stage.display
    for day, what in (
        ("2026-11-24", "yesterday is read, priced, booked; balance and stamp are pushed"),
        ("2026-11-25", "one more day is priced, and little is left"),
    ):
        before = display.amount(_BALANCE)
        stage.until(f"{day}T06:00")
        stage.moment(f"Morning: {what}")
        stage.prepay("morning")
        stage.see(
            f"the face shows a new balance, as of {day}",
            lambda day=day, before=before: (  # type: ignore[misc] # bound now, not later
                display.amount(_BALANCE) != before and display.amount(_UPDATED).startswith(day)
            ),
        )
    stage.see("low credit is announced", lambda: "low-credit" in display.signs)
    stage.face(_BALANCE)


def _cut(stage: Stage) -> None:
    display = stage.display
    stage.until("2026-11-26T06:00")
    stage.moment("Credit is used up, in the friendly hours: the cut is armed, and waits")
    stage.prepay("morning")
    stage.see("the balance is negative", lambda: display.amount(_BALANCE).startswith("-"))
    stage.see("friendly hours are in force", lambda: "friendly" in display.signs)
    stage.until("2026-11-26T07:59")
    stage.see("supply has stayed on until 07:59", lambda: display.relay == "connected")
    stage.face(_BALANCE)
    stage.until("2026-11-26T08:01")
    stage.moment("The friendly hours have ended at 08:00")
    stage.see("the relay is open", lambda: "relay-open" in display.signs)
    stage.face(_BALANCE)


def _recharge(stage: Stage) -> None:
    display = stage.display
    stage.moment("The customer pays EUR 25 and the head-end brings it at once")
    stage.prepay("topup", "25.00")
    stage.see("the relay is closed again", lambda: display.relay == "connected")
    stage.face(_BALANCE)
    stage.moment("Do the meter's face and the head-end's books agree?")
    (books,) = stage.ask("ledger")["ledgers"]
    state = stage.ask("status")
    stage.see(
        f"94.32.2 2 is the ledger's balance, EUR {books['balances']['credit']}",
        lambda: display.amount(_BALANCE) == books["balances"]["credit"] == state["balance"],
    )
    stage.see(
        f"94.32.2 3 is the emergency credit, EUR {state['emergency_credit']}",
        lambda: display.amount(_EMERGENCY) == state["emergency_credit"],
    )
    updated = str(state["updated"])[:16].replace("T", " ")
    stage.see(
        f"94.32.2 1 is the time of the last update, {updated}",
        lambda: display.amount(_UPDATED) == updated,
    )
    for code in (_UPDATED, _EMERGENCY):
        stage.face(code)


def _goodbye(stage: Stage) -> None:
    display = stage.display
    stage.moment("Prepayment ends: energy since midnight is priced, what is left is settled")
    stage.prepay("deactivate")
    stage.see("the arrow has gone", lambda: "arrow" not in display.signs)
    stage.see("supply is on", lambda: display.relay == "connected")
    (books,) = stage.ask("ledger")["ledgers"]
    last = books["posts"][-1]["transaction"]
    posts = {p["reason"]: p["amount"] for p in books["posts"] if p["transaction"] == last}
    if books["balances"]["credit"] != "0.00" or posts.keys() != {"consumption", "settlement"}:
        raise DemoError(f"the ledger is not settled: {books['balances']}")
    for reason, what in (
        ("consumption", "priced for the energy since midnight"),
        ("settlement", "reported for settlement"),
    ):
        click.echo(click.style("  ok  ", fg="green") + f"EUR {posts[reason]} {what}")
    stage.face(_BALANCE)


def israeli(folder: Path) -> None:
    """Show a meter that keeps its balance itself."""
    click.secho("\nIsrael: the meter keeps the balance", bold=True)
    load = folder / "israel.csv"
    _write_day(load, [ISRAELI_QUARTER] * 96)
    with Stage(folder, "il", "ILS", "2026-11-27T10:00", load, "meter1") as stage:
        display = stage.display
        stage.moment(f"Meter {stage.meter}: prepayment, and ILS 100 by a token")
        stage.prepay("activate")
        stage.prepay("topup", "100.00")
        stage.see("the token is in the balance", lambda: _live(stage) > 90)
        stage.face(_LIVE)
        stage.until("2026-11-27T14:00")
        stage.moment("The balance on the face is live: it falls as energy is used")
        stage.see("some ILS 80 are left", lambda: 70 < _live(stage) < 90)
        stage.face(_LIVE)
        stage.until("2026-11-28T10:00")
        stage.moment("Sabbath, and the credit is used up: the overdraft supplies")
        stage.see("the balance is below zero", lambda: -50 < _live(stage) < 0)
        stage.until("2026-11-28T17:00")
        stage.moment("The overdraft of ILS 50 is used up as well, but nobody is cut on Sabbath")
        stage.see("the balance is below ILS -50", lambda: _live(stage) < -50)
        stage.see("supply is on", lambda: display.relay == "connected")
        stage.see("the window is in force", lambda: "friendly" in display.signs)
        stage.face(_LIVE)
        stage.until("2026-11-28T17:45")
        stage.moment("The window has ended")
        stage.see("the relay is open", lambda: "relay-open" in display.signs)
        stage.moment("A token of ILS 200 pays the overdraft back first")
        stage.prepay("topup", "200.00")
        stage.see("the relay is closed again", lambda: display.relay == "connected")
        stage.see("the rest is credit", lambda: 120 < _live(stage) < 145)
        stage.face(_LIVE)


def _live(stage: Stage) -> float:
    """Return the live balance for a comparison; money itself is never a float here."""
    return float(stage.display.amount(_LIVE) or "nan")


def _scaled_household(folder: Path) -> Path:
    """Write the shipped household, with heating, and return the file."""
    path = folder / "household.csv"
    text = (files("sim") / "data" / "household.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows([when, int(watt_hours) * HEATING] for when, watt_hours in rows)
    return path


def _write_day(path: Path, watt_hours: list[int]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", "watt_hours"])
        out.writerows(
            [f"{slot // 4:02}:{slot % 4 * 15:02}", value] for slot, value in enumerate(watt_hours)
        )
