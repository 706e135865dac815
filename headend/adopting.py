"""Taking a central meter's balance over from books that are lost: those after a backup was made.

The meter holds a newer snapshot than this database has ordered. What it holds is the balance; what
is missing is how it came to it, and up to which register energy is priced in it. The meter's log
has the id, and the balance, of each snapshot it took. If it goes back to the newest one of this
database, and none is missing in between, then each step is one order: upwards a payment or an
adjustment, downwards a morning, which priced up to a midnight that the meter still remembers. If
only one course of pricing explains every step to the cent, each order is written down under its
own id, so that whoever repeats one of them does not pay again. (A refund passes for a morning only
if it is to the cent what the energy up to some midnight costs; any other one stays unexplained.)

In every other case nobody knows the register, and nothing is guessed: people say it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headend.errors import Refused
from headend.line import Line
from headend.plans.planning import NOT_AFTER, instant, meter_time, new_id
from headend.pricing import Reading
from headend.store import audit, ledger, meters, transactions
from headend.store.connection import Connection
from headend.store.transactions import Order, Parameters, State, Transaction
from prepay.charge import collect
from prepay.cut import BalanceMode
from prepay.ledger import Post, Reason, credit_post
from prepay.profile import Profile
from prepay.transactions import Kind, Outcome, time_of
from protocol.cosem.vendor import LastOutcome, Snapshot
from protocol.cosem_time import WildcardError
from protocol.timing import Instant, later

#: What is said of an order that this database did not give itself.
TAKEN_OVER = "taken over from the meter"
#: Orders that move no money of a central meter, and take no sequence.
_HARMLESS = (
    Kind.ARM, Kind.CUSTOMER, Kind.WITHDRAW, Kind.CANCEL, Kind.DISCONNECT, Kind.CONNECT,
)  # fmt: skip # names, and nothing else
_DO_SAY = "prepay db adopt --register WH takes it over as it is, priced up to that register"


class Step(Struct, frozen=True):
    """An order that the lost books had.

    Args:
        id: of its transaction.
        change: what it did to the balance, minor units.
        balance: after it.
    """

    id: str
    change: int
    balance: int


class Course(Struct, frozen=True):
    """How far energy is priced after some steps, and what each morning of them priced.

    Args:
        watt_hours: the register up to which it is.
        remainder: what pricing left below a minor unit.
        moment: of that register.
        used: Wh of each step; 0 for a payment.
    """

    watt_hours: int
    remainder: int
    moment: Instant
    used: tuple[int, ...] = ()


class Adopted(Struct, frozen=True):
    """What was taken over.

    Args:
        before, after: the balance, minor units.
        sequence: of the meter's snapshot.
        priced: the register up to which energy is priced now; None where the meter prices.
        orders: that were written down.
    """

    before: int
    after: int
    sequence: int
    priced: int | None
    orders: Sequence[Transaction] = ()


def adopt(line: Line, register: int | None) -> Adopted | None:
    """Take over what a central meter holds; None where this database knows of it all.

    Args:
        line: the meter; what was open with it is settled.
        register: Wh up to which the lost books priced, as people say; None: it has to be proven.

    Raises:
        Refused: it cannot be proven, or is not the head-end's to keep; nothing was changed.
    """
    _check_ours(line)
    held, log = line.device.snapshot(), line.device.log()
    now, readings = instant(meter_time(line)), _midnights(line)
    with line.context.store.begin() as db:
        line.meter = meters.hold(db, line.meter.id, line.now)
        if held.sequence <= line.meter.sequence:
            return None
        before = ledger.balance(db, line.meter.id)
        if register is None:
            steps = lost_steps(db, line.meter.id, line.meter.sequence, before, held, log)
            course = explain(line.profile, _priced(line), steps, readings)
            orders = _write_down(db, line, held, steps, course)
        else:
            _check_register(line, register)
            course = Course(register, 0, now)
            orders = [_adjust(db, line, held, before)]
        meters.set_priced(db, line.meter, course.watt_hours, course.moment, course.remainder)
        meters.set_sequence(db, line.meter, held.sequence)
        meters.set_prepayment(db, line.meter, True)
        after = ledger.balance(db, line.meter.id)
        if after != held.balance:
            raise Refused(f"the books came to {line.money(after)}: nothing was taken over")
        told = {"sequence": held.sequence, "before": before, "after": after, "said": register}
        audit.append(
            db, line.now, line.context.caller, "db.adopt", line.meter.name,
            {**told, "priced": course.watt_hours, "orders": [each.id for each in orders]},
        )  # fmt: skip # what is told of it
    line.refresh()
    return Adopted(before, after, held.sequence, course.watt_hours, orders)


def lost_steps(
    db: Connection,
    meter_id: int,
    sequence: int,
    balance: int,
    held: Snapshot,
    log: Sequence[LastOutcome],
) -> list[Step]:
    """Return the orders between our newest snapshot and the one that the meter holds.

    Args:
        db: the database.
        meter_id: the meter's row number.
        sequence: of our newest snapshot.
        balance: that this database keeps.
        held: what the meter holds.
        log: the meter's log, oldest first.

    Raises:
        Refused: the log does not prove that these are all.
    """
    ours = [
        each
        for each in transactions.of_meter(db, meter_id)
        if each.parameters.get("sequence") == sequence and "as_of" in each.parameters
    ]
    places = [
        number
        for number, entry in enumerate(log)
        if ours and entry.id.hex() == ours[-1].id and entry.outcome == Outcome.DONE
    ]
    if not places or ours[-1].parameters.get("balance") != balance:
        raise _unproven("the meter's log does not go back to the newest snapshot of this database")
    steps: list[Step] = []
    for entry in log[places[-1] + 1 :]:
        if entry.outcome != Outcome.DONE or entry.kind in _HARMLESS:
            continue
        if entry.kind != Kind.SNAPSHOT:
            raise _unproven("prepayment was begun, ended or handed over in between")
        steps.append(Step(entry.id.hex(), entry.amount - balance, entry.amount))
        balance = entry.amount
    if len(steps) != held.sequence - sequence or balance != held.balance:
        raise _unproven("not every snapshot in between got to the meter")
    return steps


def explain(
    profile: Profile, begin: Course, steps: Iterable[Step], readings: Sequence[Reading]
) -> Course:
    """Return the only course of pricing that explains every step to the cent.

    Raises:
        Refused: there is none, or more than one.
    """
    if profile.tariff.price < 0:
        raise _unproven("energy earns money here, so a payment looks like a morning")
    courses = {begin}
    for step in steps:
        if step.change > 0:  # a morning never raises a balance
            courses = {_after(each, each.watt_hours, each.remainder, each.moment)
                       for each in courses}  # fmt: skip # one set
            continue
        following: dict[tuple[int, int, tuple[int, ...]], Course] = {}
        for course in courses:
            for reading in readings:
                used = reading.watt_hours - course.watt_hours
                if used < 0 or reading.moment <= course.moment:
                    continue
                cost, rest = collect(profile.tariff, used, course.remainder, profile.currency)
                if cost != -step.change:
                    continue
                found = _after(course, reading.watt_hours, rest, reading.moment)
                following[found.watt_hours, rest, found.used] = found  # the later midnight
        courses = set(following.values())
    ends = {(each.watt_hours, each.remainder) for each in courses}
    if len(ends) != 1:
        many = "several registers explain" if ends else "no midnight that it remembers explains"
        raise _unproven(f"{many} what was priced in between")
    return max(courses, key=lambda each: (each.moment, each.used))


def _after(course: Course, watt_hours: int, remainder: int, moment: Instant) -> Course:
    used = (*course.used, watt_hours - course.watt_hours)
    return Course(watt_hours, remainder, moment, used)


def _check_ours(line: Line) -> None:
    """Refuse a meter whose balance is not at a head-end, or is at nobody's any more."""
    mode = line.device.mode()
    if mode is not BalanceMode.CENTRAL:
        raise Refused(f"{line.meter.name} keeps its own balance: there is nothing to take over")
    if not line.central:
        raise Refused(
            f"{line.meter.name} keeps its own balance by this database, and not by its own word: "
            "it was handed over since; compare by hand"
        )
    if not line.device.prepayment():
        raise Refused(
            f"prepayment is not active on {line.meter.name}: there is no balance to take over; "
            "what this database still holds is to be settled by hand"
        )


def _check_register(line: Line, register: int) -> None:
    stands = line.device.energy()
    if not (line.meter.priced_wh or 0) <= register <= stands:
        raise Refused(
            f"register {register} Wh: it stands at {stands}, and this database priced up to "
            f"{line.meter.priced_wh or 0}: nothing was taken over"
        )


def _priced(line: Line) -> Course:
    meter = line.meter
    if meter.priced_wh is None or meter.priced_at is None:
        raise _unproven("this database does not know the reading at activation")
    return Course(meter.priced_wh, meter.remainder, meter.priced_at)


def _midnights(line: Line) -> list[Reading]:
    found = []
    for stamp, watt_hours in line.device.daily_readings():
        try:
            moment = instant(stamp.to_datetime(line.profile.zone))
        except WildcardError:
            continue  # captured while the clock did not know the time
        found.append(Reading(watt_hours, moment))
    return sorted(found, key=lambda each: each.moment)


def _write_down(
    db: Connection, line: Line, held: Snapshot, steps: Sequence[Step], course: Course
) -> list[Transaction]:
    """Write the lost orders down as they were."""
    orders = []
    for number, (step, used) in enumerate(zip(steps, course.used, strict=True), 1):
        values: dict[str, int | str] = {
            "sequence": line.meter.sequence + number,
            "balance": step.balance,
        }
        payment = step.change > 0
        if not payment:
            values["watt_hours"] = used
        if step is steps[-1]:
            values |= _carried(held)
        # Whether it was paid or adjusted the meter does not say.
        kind, reason = (
            (Order.ADOPT, Reason.ADJUSTMENT) if payment else (Order.MORNING, Reason.CONSUMPTION)
        )
        created = Instant(time_of(bytes.fromhex(step.id)))
        posts = [credit_post(step.id, reason, step.change, created)] if step.change else []
        orders.append(_ended(db, line, step.id, kind, abs(step.change), values, posts, created))
    return orders


def _adjust(db: Connection, line: Line, held: Snapshot, before: int) -> Transaction:
    """Bring the books to what the meter holds, in one post."""
    identity, change = new_id(line), held.balance - before
    posts = [credit_post(identity, Reason.ADJUSTMENT, change, line.now)] if change else []
    values = {"sequence": held.sequence, "balance": held.balance, **_carried(held)}
    return _ended(db, line, identity, Order.ADOPT, change, values, posts, line.now)


def _carried(held: Snapshot) -> dict[str, int | str]:
    return {"emergency": held.emergency, "as_of": held.as_of.to_bytes().hex()}


def _ended(
    db: Connection,
    line: Line,
    identity: str,
    kind: Order,
    amount: int,
    values: Parameters,
    posts: Sequence[Post],
    created: Instant,
) -> Transaction:
    if transactions.get(db, identity) is not None:
        raise _unproven(f"transaction {identity} is in this database already")
    transactions.plan(
        db, identity, line.meter.id, kind, amount, values, now=created,
        not_after=later(created, NOT_AFTER),
    )  # fmt: skip # what is known of it
    ledger.book(db, line.meter.id, posts)
    transactions.finish(db, identity, State.SETTLED, TAKEN_OVER, line.now)
    ended = transactions.get(db, identity)
    assert ended is not None  # it was written three lines ago
    return ended


def _unproven(why: str) -> Refused:
    return Refused(f"{why}: nothing was taken over; {_DO_SAY}")
