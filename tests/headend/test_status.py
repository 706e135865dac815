"""What status shows of an account beyond its balance, and what the orders say of what is left."""

from datetime import UTC, datetime, timedelta

import pytest

from headend.commands.activate import activate
from headend.commands.calendar import calendar
from headend.commands.deactivate import deactivate
from headend.commands.disconnect import disconnect
from headend.commands.protect import protect
from headend.commands.status import _lines, _next_edge, status
from headend.commands.topup import top_up
from headend.commands.transactions import list_transactions
from headend.errors import Refused, UsageError
from headend.transports import LinkKind
from prepay.transactions import Outcome
from protocol.cosem_time import CosemDateTime
from protocol.timing import later
from tests.headend.accounts import at
from tests.headend.bench import Bench


def rows(bench: Bench) -> dict[str, str]:
    """Return the rows that status prints, by their name."""
    lines = status(bench.context()).lines
    return {line[:12].strip(): line[12:] for line in lines if line[:12].strip()}


# --- windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "edge"),
    [("be-wal", "2026-11-24T16:00:00+01:00"), ("il", "2026-11-27T15:40:00+02:00")],
)
def test_the_next_edge_of_the_windows_is_told(profile: str, edge: str) -> None:
    """A Tuesday at noon lies in none: the afternoon in Wallonia, Friday in Israel."""
    bench = Bench(profile, LinkKind.WRAPPER)
    data = status(bench.context()).data
    assert (data["friendly"], data["window_changes"]) == (False, edge)
    assert rows(bench)["friendly"] == f"no, until {edge}"
    bench.close()


def test_within_a_window_the_edge_is_its_end(wal: Bench) -> None:
    """At 17:00 it is in force until 08:00."""
    wal.now = later(wal.now, 5 * 3_600_000)
    assert rows(wal)["friendly"] == "yes, until 2026-11-25T08:00:00+01:00"


def test_a_meter_whose_flag_is_not_the_profiles_has_no_edge_told(wal: Bench) -> None:
    """Its calendar is another, and what the profile says of the next edge would be a guess."""
    noon = CosemDateTime.from_datetime(datetime(2026, 11, 24, 12, tzinfo=UTC))
    profile = wal.factory.profile
    assert _next_edge(profile, noon, friendly=False) == "2026-11-24T16:00:00+01:00"
    assert _next_edge(profile, noon, friendly=True) is None
    assert _next_edge(profile, CosemDateTime(), friendly=False) is None


# --- the account -------------------------------------------------------------------------------


def test_debts_are_shown_until_they_are_paid(il: Bench) -> None:
    """Half of 100.00 pays the costs of 7.00 first, and 43.00 of the principal."""
    assert "debts" not in rows(il)
    activate(il.context(), debts=("costs=7.00", "principal=90.00"))
    assert rows(il)["debts"] == "costs ILS 7.00, principal ILS 90.00"
    report = top_up(il.context(), "100.00")
    assert report.data["debts"] == status(il.context()).data["debts"] == {"principal": "47.00"}
    assert report.lines[1] == "debts that were paid from it first, left: principal ILS 47.00"


def test_a_top_up_without_debts_says_nothing_of_them(il: Bench) -> None:
    """As one in central mode, where none are taken from it."""
    activate(il.context())
    assert "debts" not in top_up(il.context(), "100.00").data


def test_the_flags_of_the_customer_are_shown(wal: Bench) -> None:
    """And nothing where nothing is due."""
    assert "customer" not in rows(wal)
    protect(wal.context(), protected=True, since="2026-11-02", never_cut=True)
    assert rows(wal)["customer"] == "protected since 2026-11-02T00:00:00+01:00, never cut"
    data = status(wal.context()).data
    assert (data["protected"], data["never_cut"], data["limited"]) == (True, True, False)


def test_an_arm_is_the_affair_of_central_mode(wal: Bench, il: Bench) -> None:
    """A meter that keeps its balance needs none, and "cut armed: no" would say it cuts nobody."""
    assert rows(wal)["cut armed"] == "no"
    assert "cut armed" not in rows(il)


# --- the relay ---------------------------------------------------------------------------------


def test_a_relay_that_a_hand_holds_open_says_how_to_close_it(wal: Bench) -> None:
    """An operator's order is ended by an operator."""
    disconnect(wal.context())
    assert rows(wal)["relay"] == "disconnected (operator: prepay connect)"
    assert status(wal.context()).data["contact"] == "open"


def test_a_contact_that_has_not_followed_is_told(wal: Bench) -> None:
    """Otherwise the meter counts on, and the relay says that it cannot."""
    disconnect(wal.context())
    data = dict(status(wal.context()).data)
    assert not any("contact" in line for line in _lines(data))
    assert any("but its contact is closed" in line for line in _lines(data | {"contact": "closed"}))


# --- plans -------------------------------------------------------------------------------------


def test_a_plan_is_shown_wherever_one_would_look(il: Bench) -> None:
    """In status, in the list of transactions, and where another plan is refused."""
    activate(il.context())
    assert status(il.context()).data["plan"] is None
    planned = deactivate(il.context(), at=at(il, 3))
    moment = planned.data["planned_for"]
    assert rows(il)["planned"] == f"deactivate at {moment}"
    assert status(il.context()).data["plan"] == {
        "kind": "deactivate", "transaction": planned.data["transaction"], "at": moment,
    }  # fmt: skip # a table
    assert list_transactions(il.context()).rows[-1][3] == "sent: planned"
    with pytest.raises(Refused, match="prepay cancel withdraws it"):
        deactivate(il.context(), at=at(il, 4))


def test_a_closing_withdraws_the_plan_that_waits(il: Bench) -> None:
    """Else it would close the account that is opened next."""
    activate(il.context())
    planned = deactivate(il.context(), at=at(il, 3)).data["transaction"]
    deactivate(il.context())
    assert status(il.context()).data["plan"] is None
    entries = {entry.id.hex(): entry.outcome for entry in il.kernel.state.transactions}
    assert entries[planned] is Outcome.WITHDRAWN


def test_a_moment_that_is_over_is_no_plan(il: Bench) -> None:
    """The meter would do it at once, and what was meant was a day to come."""
    with pytest.raises(UsageError, match="is over, by the meter's clock it is 2026-11-24T13:"):
        activate(il.context(), at="2026-11-24")
    activate(il.context())
    earlier = datetime.fromisoformat(at(il, 0)) - timedelta(minutes=1)
    with pytest.raises(UsageError, match="leave out --at"):
        deactivate(il.context(), at=earlier.isoformat())
    assert status(il.context()).data["prepayment"] is True


# --- lists and tables --------------------------------------------------------------------------


def test_an_order_that_moves_no_money_has_no_amount(wal: Bench) -> None:
    """0.00 would read as a payment of nothing; machines have it still."""
    activate(wal.context())
    protect(wal.context(), never_cut=True)
    report = list_transactions(wal.context())
    assert [(row[1], row[2]) for row in report.rows] == [("activate", "20.00"), ("customer", "")]
    assert report.data["transactions"][1]["amount"] == "0.00"


def test_filling_a_calendar_says_that_it_has_been_done(wal: Bench) -> None:
    """Showing it does not."""
    assert calendar(wal.context()).lines[0].startswith("written and read back: 2 entries")
    assert calendar(wal.context(), only_show=True).lines[0].startswith("2 entries")
