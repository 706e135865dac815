"""An account on a bench: what is paid and used, and what became of it on both sides."""

from datetime import datetime

from headend.commands.activate import activate
from headend.commands.topup import top_up
from headend.store import Store, ledger, meters, transactions
from headend.store.transactions import State
from headend.transports import LinkKind
from meter_fw.board import Inputs
from prepay.ledger import Account
from protocol.timing import later
from tests.headend.bench import Bench

HOUR = 3_600_000
#: An id of a transaction that a caller gives.
IDENTITY = "01a20000000070008000000000000001"


def paid(profile: str) -> Bench:
    """Return a meter that is prepaid, with 100.00 paid."""
    bench = Bench(profile, LinkKind.WRAPPER)
    activate(bench.context())
    top_up(bench.context(), "100.00")
    return bench


def use(bench: Bench, hours: int, watt_hours: int = 0) -> None:
    """Let hours pass, and energy be used in them evenly."""
    for hour in range(hours):
        bench.now = later(bench.now, HOUR)
        share = watt_hours * (hour + 1) // hours - watt_hours * hour // hours
        bench.kernel.tick(bench.now, Inputs(pulses=share))


def at(bench: Bench, hours: int) -> str:
    """Return a moment of the meter's wall clock some hours from now."""
    view = bench.kernel.view
    moment: datetime = view.at(view.clock + hours * HOUR)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def books(bench: Bench, store: Store | None = None) -> dict[str, int]:
    """Return the balance of each account that is not 0."""
    with (store or bench.store).begin() as db:
        (meter,) = meters.every(db)
        found = {a.name.lower(): ledger.balance(db, meter.id, a) for a in Account}
    return {name: balance for name, balance in found.items() if balance}


def states(bench: Bench) -> list[tuple[str, State]]:
    """Return kind and state of each transaction."""
    with bench.store.begin() as db:
        if not meters.every(db):
            return []  # nobody has called it yet
        (meter,) = meters.every(db)
        return [(t.kind.value, t.state) for t in transactions.of_meter(db, meter.id)]
