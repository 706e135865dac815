"""Adjust and refund against the real kernel: in whose books, once, and never too much."""

from collections.abc import Callable
from typing import Any

import pytest

from headend.commands.adjust import adjust
from headend.commands.deactivate import deactivate
from headend.commands.refund import give_back
from headend.commands.settle import settle
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.context import Context
from headend.corrections import adjustment, refund
from headend.errors import HeadendError, Refused, UsageError
from headend.line import open_line
from headend.orders import carry_out
from headend.plans.central import central_deactivation
from headend.plans.local import local_deactivation
from headend.plans.planning import new_id
from headend.report import Report
from headend.store import transactions
from headend.store.transactions import State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from prepay.transactions import Kind
from protocol.timing import Instant
from tests.headend.accounts import IDENTITY, books, paid, states
from tests.headend.bench import Bench, Standing, Wire
from tests.headend.unplugged import Unplugged

#: The balance after activation and a top-up of 100.00, in minor units.
FIRST = {"be-wal": 12_000, "il": 10_000}
WHY = "energy billed twice"

Give = Callable[[Context, str], Report]


def adjusts(context: Context, amount: str) -> Report:
    """Adjust under one id."""
    return adjust(context, amount, WHY, IDENTITY)


def refunds(context: Context, amount: str) -> Report:
    """Refund under one id."""
    return give_back(context, amount, WHY, identity=IDENTITY)


@pytest.fixture
def bench(prepaid: Bench) -> Bench:
    """A meter that is prepaid, with 100.00 paid."""
    return prepaid


def meters_balance(bench: Bench) -> int:
    """Return the balance that the meter has."""
    state = bench.kernel.state
    return state.snapshot.balance if bench.profile == "be-wal" else state.totals.balance


def use(bench: Bench, watt_hours: int) -> None:
    """Let energy be used."""
    bench.kernel.tick(bench.now, Inputs(pulses=watt_hours))


# --- adjust --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "by"), [("3.50", 350), ("-3.50", -350), ("-200.00", -20_000), ("0.01", 1)]
)
def test_an_adjustment_is_in_both_books_and_no_cash_moves(
    bench: Bench, amount: str, by: int
) -> None:
    """Also below 0: it is a correction, not a payment."""
    report = adjust(bench.context(), amount, WHY)
    after = FIRST[bench.profile] + by
    found = books(bench)
    assert (found["credit"], found["adjustment"], found["cash"]) == (after, -by, -10_000)
    assert meters_balance(bench) == after
    assert report.data["balance"] == f"{after / 100:.2f}"
    assert (report.data["reason"], report.data["state"]) == (WHY, "done")


@pytest.mark.parametrize("give", [adjusts, refunds])
def test_the_same_id_acts_once_and_for_nothing_else(bench: Bench, give: Give) -> None:
    """Repeated, it says what became of it; with another amount or reason it is refused here."""
    first = give(bench.context(), "3.50").data
    after = books(bench)
    assert give(bench.context(), "3.50").data == {**first, "again": True}
    assert books(bench) == after
    with pytest.raises(UsageError, match="take a new id"):
        give(bench.context(), "3.51")
    with pytest.raises(UsageError, match="another reason"):
        (adjust if give is adjusts else give_back)(
            bench.context(), "3.50", "other", identity=IDENTITY
        )
    with pytest.raises(UsageError, match="is another"):
        (refunds if give is adjusts else adjusts)(bench.context(), "3.50")
    assert books(bench) == after


def test_a_refund_says_what_was_used_and_priced_before_it(bench: Bench) -> None:
    """Where the head-end keeps the balance: so that the new one can be followed."""
    before = meters_balance(bench)
    use(bench, 2_000)
    report = refunds(bench.context(), "3.50")
    cost = before - 350 - meters_balance(bench)
    assert cost > 0
    said = f"energy since the last reading, priced first: EUR {cost / 100:.2f}"
    if bench.profile == "il":  # where the meter does, it has charged for all of it as it went
        assert "energy_cost" not in report.data
        assert not any("priced first" in line for line in report.lines)
    else:
        assert report.data["energy_cost"] == f"{cost / 100:.2f}"
        assert said in report.lines


def test_what_leads_out_of_32_bits_is_refused_and_nothing_stays_booked(bench: Bench) -> None:
    """In central mode by the plan, in local mode by the meter, whose refusal reverses it."""
    before = books(bench)
    with pytest.raises(Refused):
        adjust(bench.context(), "21474836.47", WHY)
    assert books(bench) == before
    assert meters_balance(bench) == FIRST[bench.profile]


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_without_prepayment_there_is_nothing_to_correct(profile: str) -> None:
    """Said in one line, and nothing is booked."""
    bench = Bench(profile, LinkKind.WRAPPER)
    for give in (adjusts, refunds):
        with pytest.raises(Refused, match="prepay activate"):
            give(bench.context(), "1.00")
    assert books(bench) == {}
    bench.close()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "two\nlines", "\x1b[2J"])
def test_a_reason_is_one_line_for_people(bench: Bench, reason: str) -> None:
    """Else nothing happens, not even on the line."""
    ports = bench.ports
    for give in (adjust, give_back):
        with pytest.raises(UsageError, match="--reason"):
            give(bench.context(), "1.00", reason)
    assert bench.ports == ports


@pytest.mark.parametrize("amount", ["0", "0.00", "x", "1.001", "1e3", "", "9" * 30])
def test_what_is_no_amount_is_refused(bench: Bench, amount: str) -> None:
    """A refund is above 0 besides."""
    before = books(bench)
    for give in (adjusts, refunds):
        with pytest.raises(UsageError):
            give(bench.context(), amount)
    with pytest.raises(UsageError):
        refunds(bench.context(), "-1.00")
    assert books(bench) == before


# --- refund --------------------------------------------------------------------------------------


def test_a_refund_gives_cash_back_up_to_the_whole_balance(bench: Bench) -> None:
    """To the cent; then there is nothing left to give."""
    whole = f"{FIRST[bench.profile] / 100:.2f}"
    assert give_back(bench.context(), whole, WHY).data["balance"] == "0.00"
    assert "credit" not in books(bench)
    assert books(bench).get("cash", 0) == FIRST[bench.profile] - 10_000
    assert meters_balance(bench) == 0
    with pytest.raises(Refused, match="more than the balance"):
        give_back(bench.context(), "0.01", WHY)


def test_what_has_been_used_is_not_there_any_more(bench: Bench) -> None:
    """10 kWh are priced first, by whoever prices; one cent more than is left is refused."""
    use(bench, 10_000)
    before = books(bench)
    with pytest.raises(Refused, match="more than the balance"):
        give_back(bench.context(), f"{FIRST[bench.profile] / 100:.2f}", WHY)
    assert books(bench) == before
    if bench.profile == "be-wal":
        give_back(bench.context(), "1.00", WHY)
        assert books(bench)["consumption"] > 0
        assert books(bench)["credit"] == meters_balance(bench)
        assert books(bench)["credit"] == 12_000 - 100 - books(bench)["consumption"]
    else:
        left = meters_balance(bench)
        give_back(bench.context(), f"{left / 100:.2f}", WHY)
        assert meters_balance(bench) == 0


def test_one_top_up_goes_back_once(bench: Bench) -> None:
    """By its id and whole; a second time it is refused, whatever is there."""
    (paid_in,) = _of(bench, "topup")
    top_up(bench.context(), "160.00")
    report = give_back(bench.context(), None, WHY, paid_in)
    assert report.data["amount"] == "100.00"
    assert books(bench)["cash"] == -16_000
    top_up(bench.context(), "100.00")
    with pytest.raises(Refused, match="gone back already"):
        give_back(bench.context(), None, WHY, paid_in)
    again = give_back(bench.context(), None, WHY, paid_in, report.data["transaction"])
    assert again.data["transaction"] == report.data["transaction"]


def test_only_a_top_up_of_this_meter_goes_back(bench: Bench) -> None:
    """Not an activation, not what nobody knows."""
    (opened,) = _of(bench, "activate")
    for identity in (opened, IDENTITY):
        with pytest.raises(UsageError, match="is no top-up"):
            give_back(bench.context(), None, WHY, identity)
    for amount, topup in ((None, None), ("1.00", opened)):
        with pytest.raises(UsageError, match="refund what"):
            give_back(bench.context(), amount, WHY, topup)


def _of(bench: Bench, kind: str) -> list[str]:
    with bench.store.begin() as db:
        return [t.id for t in transactions.of_meter(db, 1) if t.kind.value == kind]


def test_a_refund_that_the_meter_refuses_is_reversed() -> None:
    """Energy used between our look and the meter's decision: its word counts, the books follow."""
    bench = paid("il")
    before = books(bench)
    look = bench.kernel.state.totals.balance
    context = bench.context()
    opener = context.transports
    context.__dict__["transports"] = lambda spec, now: Meanwhile(opener(spec, now), bench)
    with pytest.raises(Refused, match="over balance"):
        give_back(context, f"{look / 100:.2f}", WHY)
    assert books(bench) == before
    assert states(bench)[-1] == ("refund", State.REFUSED)
    bench.close()


class Meanwhile:
    """A line on which 1 kWh is used once a refund has been booked, before it is sent."""

    def __init__(self, wire: Any, bench: Bench) -> None:
        self._wire: Wire = wire
        self._bench = bench
        self._used = False

    def read(self, deadline: Instant) -> bytes:
        """Return what comes."""
        return self._wire.read(deadline)

    def write(self, octets: bytes) -> None:
        """Use energy if it is time, and send."""
        if not self._used and states(self._bench)[-1][0] == "refund":
            self._used = True
            use(self._bench, 1_000)
        self._wire.write(octets)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


# --- lost answers, ends ------------------------------------------------------------------------


@pytest.mark.parametrize("give", [adjusts, refunds])
def test_wherever_the_line_dies_it_is_done_once(standing: tuple[str, Standing], give: Give) -> None:
    """At each write of ours; what the books say after settling is what the meter has."""
    profile, saved = standing
    ends = set()
    for writes in range(60):
        bench = Bench(profile, LinkKind.WRAPPER, saved)
        code = 0
        try:
            give(Unplugged(bench, writes).context(), "40.00")
        except HeadendError as error:
            code = int(error.exit_code)
        settle(bench.context())
        bench.boot()
        moved = abs(meters_balance(bench) - FIRST[profile])
        assert moved in (0, 4_000)
        assert books(bench)["credit"] == meters_balance(bench)
        ends.add((code, moved))
        bench.close()
        if code == 0:
            break
    assert {(3, 0), (4, 4_000), (0, 4_000)} <= ends


def test_corrections_are_settled_with_the_rest(bench: Bench) -> None:
    """100.00 paid, 10.00 on top, 30.00 back: what is left is paid out, and the books are even."""
    adjust(bench.context(), "10.00", WHY)
    give_back(bench.context(), "30.00", WHY)
    left = FIRST[bench.profile] + 1_000 - 3_000
    assert deactivate(bench.context()).data["settlement"] == f"{left / 100:.2f}"
    found = books(bench)
    assert "credit" not in found
    assert sum(found.values()) == 0


@pytest.mark.parametrize("amount", [1_000, -1_000, None], ids=["up", "down", "refund"])
def test_what_never_came_before_the_end_is_settled_with_it(
    bench: Bench, amount: int | None
) -> None:
    """Booked by one command, while another ended prepayment: refused, reversed, and paid out."""
    with open_line(bench.context()) as line:
        if amount is None:
            late = refund(line, new_id(line), 1_000, WHY)
        else:
            late = adjustment(line, new_id(line), amount, WHY)
        end = central_deactivation if line.central else local_deactivation
        carry_out(line, end(line, new_id(line)))
        assert carry_out(line, late).state is State.REFUSED
    found = books(bench)
    assert "credit" not in found
    assert found["cash"] == -10_000
    assert found["settlement"] == FIRST[bench.profile]
    assert "adjustment" not in found


def test_the_meters_log_tells_refunds_from_adjustments() -> None:
    """By their kinds, each with its amount."""
    bench = paid("il")
    adjust(bench.context(), "-1.00", WHY)
    give_back(bench.context(), "2.00", WHY)
    rows = [(e.kind, e.amount) for e in bench.kernel.state.transactions][-2:]
    assert rows == [(Kind.ADJUST, -100), (Kind.REFUND, 200)]
    assert status(bench.context()).data["balance"] == "97.00"
    bench.close()
