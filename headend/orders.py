"""Orders to a meter, exactly once: sent at least once, and asked about by their id.

The intention, and what it books, has been committed before an order comes here. Then:

1. It is marked as sent, and sent.
2. "Success" ends it: done.
3. A refusal is looked up in the meter's transaction log: the meter's word under this id counts.
4. No answer: the line is opened anew and the log asked first. Only when the meter does not know
   the id is the very same order sent again; the meter executes an id once.
5. Still no answer: unknown. ``settle_open`` does 4 again whenever the meter is reached next.

After ``not_after`` nothing is sent again: the meter may by then have forgotten the id. A central
meter's snapshot then tells whether the money got there, because a later one holds all of it.
"""

from contextlib import suppress
from datetime import datetime

from msgspec import Struct

from headend.auditing import is_told, note
from headend.errors import NoAnswer, OutcomeUnknown, Unknowable
from headend.line import Line
from headend.outcomes import FOLLOWED, conclude
from headend.pricing import Reading
from headend.session import ExceptionAnswered
from headend.store import StoreError, ledger, meters, transactions
from headend.store.transactions import Order, State, Transaction
from prepay.cut import BalanceMode
from prepay.transactions import Kind, Outcome
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem.vendor import (
    Arm,
    Carried,
    Customer,
    Debt,
    LastOutcome,
    ModeChange,
    Opening,
    Snapshot,
)
from protocol.cosem.vendor import Order as WireOrder
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, ActionRefused
from protocol.timing import Instant

#: How often one command tries to get an answer.
ATTEMPTS = 3
#: The outcomes of what was never sent; nothing is left of it.
EXPIRED = "expired before the meter had it"
WITHDRAWN = "cancelled before it was sent"
#: What had never been sent was not taken: newer orders have come and gone since its id was drawn.
NOT_TAKEN = "the meter has this id for another order, or takes none so old"

#: What each order is on the wire; a top-up in local mode is a token instead.
_WIRE = {
    Order.TOPUP: Kind.SNAPSHOT,
    Order.MORNING: Kind.SNAPSHOT,
    Order.ACTIVATE: Kind.ACTIVATE,
    Order.DEACTIVATE: Kind.DEACTIVATE,
    Order.ARM: Kind.ARM,
    Order.CUSTOMER: Kind.CUSTOMER,
    Order.WITHDRAW: Kind.WITHDRAW,
    Order.MODE: Kind.MODE,
    Order.CANCEL: Kind.CANCEL,
    Order.DISCONNECT: Kind.DISCONNECT,
    Order.CONNECT: Kind.CONNECT,
}
#: In local mode; in central mode each is a snapshot, as a top-up is.
_CORRECTIONS = {Order.ADJUST: Kind.ADJUST, Order.REFUND: Kind.REFUND}
#: What begins or ends prepayment.
_TURNS = (Order.ACTIVATE, Order.DEACTIVATE)
#: What may carry a snapshot.
_WITH_SNAPSHOT = (Order.TOPUP, Order.MORNING, Order.ACTIVATE, *_CORRECTIONS)
#: What carries a moment or nothing.
_AT_MOST_A_MOMENT = (
    Order.DEACTIVATE,
    Order.WITHDRAW,
    Order.CANCEL,
    Order.DISCONNECT,
    Order.CONNECT,
)
#: The log has the closing balance, or whether it waits.
_TOLD_BY_THE_LOG = (Order.DEACTIVATE, Order.MODE)
_FORGOTTEN = (
    DataAccessResult.SCOPE_OF_ACCESS_VIOLATED,
    ActionResult.SCOPE_OF_ACCESS_VIOLATED,
)


class Verdict(Struct, frozen=True):
    """What became of an order.

    Args:
        done: True, False, or None when nobody can say.
        outcome: in words.
        logged: what the meter's log has of it, where it was asked.
        waits: the meter has it, and will carry it out at its moment.
    """

    done: bool | None
    outcome: str
    logged: LastOutcome | None = None
    waits: bool = False


def carry_out(line: Line, planned: Transaction) -> Transaction:
    """Send a transaction, or ask about it, until its outcome is known.

    Returns:
        The transaction in a final state; one that waits for its moment at the meter, still open.

    Raises:
        OutcomeUnknown: nobody could say; it is recorded as unknown, unless the database is gone.
    """
    try:
        return _carry_out(line, planned)
    except StoreError as error:
        raise OutcomeUnknown(
            f"{error}; what became of transaction {planned.id} could not be written down: "
            "prepay settle finds out, and sends nothing twice",
            planned.id,
        ) from error


def _carry_out(line: Line, planned: Transaction) -> Transaction:
    fate = "the meter stays silent"
    for attempt in range(ATTEMPTS):
        late = attempt > 0 or planned.sent is not None
        try:
            verdict = (_ask(line, planned) if late else None) or _send(line, planned)
            told = _reading(line, planned, verdict) if verdict.done else None
        except NoAnswer as error:
            fate = str(error)
            line.drop()
            continue
        if verdict.waits:
            return _waiting(line, planned)
        if verdict.done is None:
            _mark_unknown(line, planned)
            raise Unknowable(
                f"outcome unknown: {verdict.outcome}; transaction {planned.id} stays open",
                planned.id,
            )
        return _finish(line, planned, verdict, told, late=late)
    _mark_unknown(line, planned)
    raise OutcomeUnknown(
        f"outcome unknown ({fate}); transaction {planned.id} is recorded: "
        "prepay settle finds out, and sends nothing twice",
        planned.id,
    )


def settle_open(line: Line) -> list[Transaction]:
    """Find out what became of every open transaction with this meter, oldest first.

    Returns:
        The transactions as they are now. One may still be open: it holds nobody else up when the
        meter itself cannot say any more what became of it.

    Raises:
        OutcomeUnknown: the line broke again.
    """
    return [settle_one(line, transaction) for transaction in line.open_transactions()]


def settle_one(line: Line, transaction: Transaction) -> Transaction:
    """Find out what became of an open transaction, which stays open where nobody can say.

    Raises:
        OutcomeUnknown: the line broke again.
    """
    try:
        return carry_out(line, transaction)
    except Unknowable:
        with line.context.store.begin() as db:
            known = transactions.get(db, transaction.id)
        return known or transaction


def _waiting(line: Line, planned: Transaction) -> Transaction:
    """Return a transaction that is sent, and is asked about again when the meter is next met."""
    with line.context.store.begin() as db:
        transactions.mark_sent(db, planned.id, line.now if planned.sent is None else planned.sent)
        known = transactions.get(db, planned.id)
    assert known is not None  # it was planned
    return known


def _mark_unknown(line: Line, planned: Transaction) -> None:
    with line.context.store.begin() as db:
        transactions.mark_unknown(db, planned.id)
        if planned.state is not State.UNKNOWN and line.context.queued_as is None:
            note(db, line, planned, State.UNKNOWN)


def _finish(
    line: Line, planned: Transaction, verdict: Verdict, told: Reading | None, *, late: bool
) -> Transaction:
    good = State.SETTLED if late else State.DONE
    state = good if verdict.done else State.REFUSED
    closing = None if verdict.logged is None else verdict.logged.amount
    told_of = is_told(line, planned, late=late)
    followed = not verdict.done or planned.kind in FOLLOWED
    if not followed and not told_of:
        with suppress(transactions.AlreadyFinal), line.context.store.write_one() as db:
            done, balance = transactions.finish_telling(
                db, planned.id, state, verdict.outcome, line.now
            )
            line.balance = balance if line.central else None
            return done
    with line.context.store.begin() as db:
        held = meters.hold(db, line.meter.id)
        ended: Transaction | None
        try:
            ended = conclude(
                db, held, line.profile, planned, state, verdict.outcome, closing, line.now, told
            )
        except transactions.AlreadyFinal:  # another process was quicker: its word stands
            ended, told_of = transactions.get(db, planned.id), False
        line.meter = meters.by_id(db, held.id)
        line.balance = ledger.balance(db, held.id) if line.central else None
        if told_of and ended is not None:
            note(db, line, ended, ended.state)
    assert ended is not None  # it was planned
    return ended


def _reading(line: Line, planned: Transaction, verdict: Verdict) -> Reading | None:
    """Return the register that the meter has written down when it did what was ordered.

    None where nothing is priced by it: prepayment was ordered at once, or the meter prices.

    Raises:
        NoAnswer: the line broke; nothing is lost by asking again.
        Unknowable: the meter has it no more.
    """
    if planned.kind is Order.MODE and planned.parameters["mode"] == BalanceMode.CENTRAL:
        record = line.device.settlement()
        ours = record.id.hex() == planned.id
        return _register(line, record.imported, record.time) if ours else None
    if not line.central or planned.kind not in _TURNS or "at" not in planned.parameters:
        return None
    for each in line.device.carried_out():
        if each.id.hex() == planned.id:
            return _register(line, each.imported, each.time)
    if planned.kind is Order.ACTIVATE and verdict.logged is None:
        return None  # another opening of ours has its money: pricing began there
    _mark_unknown(line, planned)
    raise Unknowable(
        f"{planned.kind.value} was carried out, but the meter does not say any more at which "
        f"register: compare by hand; transaction {planned.id} stays open",
        planned.id,
    )


def _register(line: Line, watt_hours: int, time: CosemDateTime) -> Reading:
    return Reading(watt_hours, _instant(time.to_datetime(line.profile.zone)))


def _instant(moment: datetime) -> Instant:
    return Instant(round(moment.timestamp() * 1000))


def _send(line: Line, planned: Transaction) -> Verdict:
    if line.now > planned.not_after:
        return _covered(line, planned) or _expired(line, planned)
    if planned.sent is None and line.context.cancelled():
        return Verdict(False, WITHDRAWN)
    device = line.device
    if planned.state is not State.SENT:  # a payment was written down as sent
        with line.context.store.begin() as db:
            transactions.mark_sent(db, planned.id, line.now)
    line.context.claims.check()
    identity = bytes.fromhex(planned.id)
    try:
        if "token" in planned.parameters:
            device.enter_token(bytes.fromhex(str(planned.parameters["token"])))
        else:
            device.order(WireOrder(identity, _wire(planned), _parameters(planned)))
    except (AccessRefused, ActionRefused) as error:
        return _refused(line, planned, error)
    except ExceptionAnswered as error:
        # Nothing authenticates an exception: only the log can say what it was worth.
        return _ask(line, planned) or Verdict(False, str(error))
    if planned.kind in _TOLD_BY_THE_LOG or "at" in planned.parameters:
        return _ask(line, planned) or Verdict(True, "done")
    return Verdict(True, "done")


def _wire(planned: Transaction) -> Kind:
    """Return what an order is on the wire."""
    kind = planned.kind
    if kind not in _CORRECTIONS:
        return _WIRE[kind]
    return Kind.SNAPSHOT if "sequence" in planned.parameters else _CORRECTIONS[kind]


def _refused(line: Line, planned: Transaction, error: AccessRefused | ActionRefused) -> Verdict:
    """Return what a refusal is worth: the meter's log knows, or its token gateway."""
    if error.result in _FORGOTTEN:
        return _covered(line, planned) or _not_remembered(planned)
    verdict = _ask(line, planned)
    if verdict is not None or "token" not in planned.parameters:
        return verdict or Verdict(False, str(error))
    outcome = line.device.token_outcome()
    if outcome is Outcome.TOO_OLD:
        return _not_remembered(planned)
    return Verdict(False, str(error) if outcome is None else _words(outcome))


def _words(outcome: int) -> str:
    """Return the meter's word for an outcome; the number of one that is not known here."""
    try:
        return Outcome(outcome).name.lower().replace("_", " ")
    except ValueError:
        return f"outcome {outcome}"


def _ask(line: Line, planned: Transaction) -> Verdict | None:
    """Return what the meter's log says of a transaction; None when it does not know it."""
    logged = line.device.recall(bytes.fromhex(planned.id))
    if logged is None or not _is_same(planned, logged):
        return None
    words = _words(logged.outcome)
    if logged.outcome == Outcome.PLANNED:
        return Verdict(None, words, logged, waits=True)
    # A token that is used under our own id is our own top-up.
    if logged.outcome in (Outcome.DONE, Outcome.TOKEN_USED):
        return Verdict(True, words, logged)
    if logged.outcome in (Outcome.STALE_SEQUENCE, Outcome.ALREADY_ACTIVE):
        return _covered(line, planned) or Verdict(False, words, logged)
    return Verdict(False, words, logged)


def _is_same(planned: Transaction, logged: LastOutcome) -> bool:
    """Say whether a log entry under our id is of our order, and not of somebody else's."""
    if "token" in planned.parameters:
        return logged.kind == Kind.TOKEN and logged.amount == planned.amount
    if logged.kind != _wire(planned):
        return False
    carried = planned.parameters.get("balance")
    if carried is None and planned.kind in _CORRECTIONS:
        carried = planned.amount
    return logged.outcome != Outcome.DONE or carried is None or carried == logged.amount


def _covered(line: Line, planned: Transaction) -> Verdict | None:
    """Say whether a snapshot of ours that the meter holds includes this transaction's money."""
    sequence = planned.parameters.get("sequence")
    if planned.kind in (Order.ARM, Order.MODE) or not isinstance(sequence, int) or not line.central:
        return None
    held = line.device.snapshot()
    if sequence <= held.sequence and _is_ours(line, held):
        return Verdict(True, f"contained in snapshot {held.sequence}")
    return None


def _is_ours(line: Line, held: Snapshot) -> bool:
    """Say whether we ordered a snapshot; a copy of our database may have ordered another."""
    with line.context.store.read() as db:
        ordered = transactions.of_meter(db, line.meter.id, kinds=_WITH_SNAPSHOT)
    return any("as_of" in each.parameters and _snapshot(each) == held for each in ordered)


def _expired(line: Line, planned: Transaction) -> Verdict:
    """Return what silence in the log is worth: proof only as far back as the log reaches."""
    if planned.sent is None or line.device.remembers(bytes.fromhex(planned.id)):
        return Verdict(False, EXPIRED)
    return _not_remembered(planned)


def _not_remembered(planned: Transaction) -> Verdict:
    """The meter has forgotten ids of that age, or has this one under another order."""
    if planned.sent is None:
        return Verdict(False, NOT_TAKEN)
    return Verdict(None, "the meter remembers nothing so old, compare its balance by hand")


def _snapshot(planned: Transaction) -> Snapshot | None:
    """Return the snapshot that a transaction carried."""
    carried = _parameters(planned)
    if isinstance(carried, Opening):
        return carried.snapshot
    return carried if isinstance(carried, Snapshot) else None


def _parameters(planned: Transaction) -> Carried | CosemDateTime | int | None:
    values = planned.parameters
    if planned.kind in _CORRECTIONS and "sequence" not in values:
        return planned.amount

    def moment(name: str) -> CosemDateTime:
        return CosemDateTime.from_bytes(bytes.fromhex(str(values[name])))

    if planned.kind in _AT_MOST_A_MOMENT:
        return moment("at") if "at" in values else None
    if planned.kind is Order.MODE:
        mode, sequence = int(values["mode"]), int(values["sequence"])
        if mode == BalanceMode.CENTRAL:
            return ModeChange(mode, sequence)
        balance, register = int(values["balance"]), int(values["register"])
        return ModeChange(mode, sequence, balance, register, moment("as_of"))
    if planned.kind is Order.CUSTOMER:
        protected, never_cut = bool(values["protected"]), bool(values["never_cut"])
        return Customer(protected, never_cut, moment("since"))
    if planned.kind is Order.ARM:
        return Arm(int(values["sequence"]), moment("expiry"))
    snapshot = Snapshot(
        int(values["sequence"]), int(values["balance"]), int(values["emergency"]), moment("as_of")
    )
    if "debts" not in values:
        return snapshot
    anchor, at, paid = (
        moment(name) if name in values else CosemDateTime() for name in ("anchor", "at", "paid")
    )
    return Opening(snapshot, anchor, debts_of(str(values["debts"])), at, paid)


def debts_of(text: str) -> tuple[Debt, ...]:
    """Return the debts that a transaction's parameters name, as in "4:1500 6:20000"."""
    pairs = (each.split(":") for each in text.split())
    return tuple(Debt(int(slot), int(amount)) for slot, amount in pairs)
