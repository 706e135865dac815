"""Protect and withdraw against the real kernel: flags, winter, and the same id twice."""

from collections.abc import Callable

import pytest

from headend.commands.activate import activate
from headend.commands.protect import protect
from headend.commands.withdraw import withdraw
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.report import Report
from headend.transports import LinkKind
from tests.headend.accounts import IDENTITY
from tests.headend.bench import Bench


def test_what_is_not_said_stays_as_the_meter_has_it(wal: Bench) -> None:
    """Each flag by itself; the date of protection is kept."""
    activate(wal.context())
    data = protect(wal.context(), protected=True, since="2026-10-05").data
    assert (data["protected"], data["never_cut"], data["limited"]) == (True, False, False)
    assert data["protected_since"].startswith("2026-10-05T00:00:00")
    data = protect(wal.context(), never_cut=True).data
    assert (data["protected"], data["never_cut"]) == (True, True)
    assert data["protected_since"].startswith("2026-10-05T00:00:00")
    data = protect(wal.context(), never_cut=False).data
    assert (data["protected"], data["never_cut"]) == (True, False)


@pytest.mark.parametrize(
    "order",
    [withdraw, lambda context: protect(context, protected=False)],
    ids=["withdraw", "protect --off"],
)
def test_in_winter_the_refusal_says_that_it_is_winter(
    wal: Bench, order: Callable[[Context], Report]
) -> None:
    """With its days, and the transaction, which is over."""
    protect(wal.context(), protected=True)
    with pytest.raises(Refused, match="not withdrawn from 1 November to 15 March"):
        order(wal.context())


def test_a_withdrawal_with_nothing_to_withdraw_is_done(wal: Bench) -> None:
    """It says how things are."""
    report = withdraw(wal.context())
    assert report.data["protected"] is False
    assert report.data["state"] == "done"


def test_the_same_id_acts_once(wal: Bench) -> None:
    """Repeated, it tells what became of it; for other flags it is refused here already."""
    first = protect(wal.context(), protected=True, identity=IDENTITY).data
    protect(wal.context(), never_cut=True)
    again = protect(wal.context(), protected=True, identity=IDENTITY).data
    assert again["transaction"] == first["transaction"] == IDENTITY
    assert again["never_cut"] is True
    with pytest.raises(UsageError, match="take a new id"):
        protect(wal.context(), never_cut=True, identity=IDENTITY)
    with pytest.raises(UsageError, match="another"):
        withdraw(wal.context(), IDENTITY)


@pytest.mark.parametrize("since", ["", "yesterday", "2026-13-01", "31.10.2026", "9" * 500])
def test_what_is_no_date_is_refused_before_the_line_is_opened(wal: Bench, since: str) -> None:
    """In one line."""
    with pytest.raises(UsageError, match="no date such as"):
        protect(wal.context(), protected=True, since=since)


def test_an_order_of_nothing_is_none(wal: Bench) -> None:
    """It asks what is due."""
    with pytest.raises(UsageError, match="--never-cut"):
        protect(wal.context())


def test_a_profile_without_minimum_supply_refuses_protection() -> None:
    """Israel has none; never cut it has."""
    bench = Bench("il", LinkKind.WRAPPER)
    try:
        with pytest.raises(Refused, match="il has no minimum supply, only"):
            protect(bench.context(), protected=True)
        assert protect(bench.context(), never_cut=True).data["never_cut"] is True
    finally:
        bench.close()
