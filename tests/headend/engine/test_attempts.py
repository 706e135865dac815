"""One attempt of a durable command: what its row says however it ends, and after every kill."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headend.commands.topup import top_up
from headend.device import Device
from headend.engine.queueing import NOT_AFTER, Terms, cancel
from headend.engine.states import State
from headend.store import commands, ledger, transactions
from headend.transports import LinkKind
from prepay.transactions import REMEMBERED, transaction_id
from protocol.timing import later
from tests.headend.bench import Bench, Wire
from tests.headend.engine.rig import Rig, make, meter_of

MINUTE = 60_000


class Killed(BaseException):
    """The process ends here: nothing of ours may catch this."""


class Killer:
    """Ends the process at one of the moments at which something goes out or is written down.

    Those are: before and after each database transaction that writes, and before and after each
    write to the line.

    Args:
        rig: whose store and line are watched.
        at: the moment, counted from 0; None only counts.
    """

    def __init__(self, rig: Rig, at: int | None = None) -> None:
        self.rig, self.at, self.seen = rig, at, 0
        self.where = ""

    def moment(self, where: str) -> None:
        """Count, and end the process when it is time."""
        self.seen += 1
        if self.at is not None and self.seen - 1 == self.at:
            self.where = where
            raise Killed(where)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for as long as the block runs."""
        store, opener = self.rig.bench.store, self.rig.bench._open
        begin = store.begin

        @contextmanager
        def counted() -> Iterator[Any]:
            self.moment("before a transaction of the database")
            with begin() as db:
                yield db
            self.moment("after a transaction of the database")

        store.begin = counted  # type: ignore[method-assign] # put back below
        self.rig.bench._open = lambda spec, now: _Watched(opener(spec, now), self)  # type: ignore[method-assign, assignment, return-value] # as well
        try:
            yield
        finally:
            store.begin = begin  # type: ignore[method-assign] # as it was
            self.rig.bench._open = opener  # type: ignore[method-assign] # as it was


class _Watched:
    """A wire on which each write is a moment."""

    def __init__(self, wire: Wire, killer: Killer) -> None:
        self._wire, self._killer = wire, killer
        self.read, self.close = wire.read, wire.close

    def write(self, octets: bytes) -> None:
        self._killer.moment("before sending")
        self._wire.write(octets)
        self._killer.moment("after sending")


@pytest.fixture(params=["be-wal", "il"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A worker with one meter on which prepayment is active, in either mode."""
    made = make(request.param)
    yield made
    made.bench.close()


@pytest.fixture
def central() -> Iterator[Rig]:
    """The same, in central mode only."""
    made = make()
    yield made
    made.bench.close()


def paid(rig: Rig) -> int:
    """Return what the meter was given by top-ups."""
    state = rig.bench.kernel.state
    return state.totals.paid if rig.bench.profile == "il" else state.snapshot.balance - 2_000


def booked(rig: Rig) -> int:
    """Return what the ledger says was paid in by top-ups."""
    with rig.bench.store.read() as db:
        of_all = ledger.of_meter(db, meter_of(db, rig.name))
    ours = {each["id"] for each in rig.topups()}
    return sum(post.amount for post in of_all if post.transaction in ours)


def settle_down(rig: Rig, command_id: str, rounds: int = 60) -> State:
    """Work until a command is final, an hour's pauses included; return its state."""
    for _ in range(rounds):
        rig.dispatcher.sweep()
        rig.work()
        found = rig.command(command_id)
        if found.state.is_final:
            return found.state
        rig.bench.now = max(rig.bench.now, found.due)
    return rig.command(command_id).state


# --- how an attempt ends -----------------------------------------------------------------------


def test_a_top_up_is_paid_once_and_its_answer_kept(rig: Rig) -> None:
    """What the command itself would have printed stands in its row."""
    amount = "25.00" if rig.bench.profile == "be-wal" else "100.00"
    done = rig.queue("topup", amount=amount)
    rig.work()
    command = rig.command(done)
    assert command.state is State.DONE
    assert command.answer is not None
    assert command.answer["data"]["amount"] == amount
    assert command.answer["data"]["transaction"] == command.transaction_id
    assert command.ticket is None
    assert rig.topups() == [{"id": command.transaction_id, "state": "done"}]
    assert paid(rig) == booked(rig) == int(float(amount) * 100)


def test_the_same_ticket_again_does_nothing(central: Rig) -> None:
    """An engine runs again what it has not seen end."""
    done = central.queue("topup", amount="25.00")
    central.dispatcher.hand_out()
    (handed,) = central.engine.waiting
    central.engine.work()
    central.attempts.run(handed.ticket)
    central.attempts.run(handed.ticket)
    assert central.command(done).attempts == 1
    assert paid(central) == booked(central) == 2_500


def test_a_refusal_ends_it(central: Rig) -> None:
    """With the reason, and the exit code that the command itself would have had."""
    refused = central.queue("topup", amount="9999.00")
    central.work()
    command = central.command(refused)
    assert command.state is State.REFUSED
    assert command.reason
    assert command.answer == {"error": command.reason, "exit_code": 1}
    assert central.topups() == []


def test_a_meter_that_is_silent_is_tried_again(central: Rig) -> None:
    """After a second, then two; the command goes on where nothing was sent."""
    opener = central.bench._open
    central.bench._open = lambda spec, now: _Dead(opener(spec, now))  # type: ignore[method-assign, assignment, return-value] # put back below
    waiting = central.queue("topup", amount="25.00")
    central.work()
    first = central.command(waiting)
    assert (first.state, first.attempts, first.ticket) == (State.QUEUED, 1, None)
    assert first.reason
    assert first.due == pytest.approx(central.bench.now + 1_000, abs=10)
    central.work()
    assert central.command(waiting).attempts == 1  # it is not due yet
    central.bench.now = first.due
    central.work()
    second = central.command(waiting)
    assert second.attempts == 2
    assert second.due - central.bench.now == pytest.approx(2_000, abs=10)
    central.bench._open = opener  # type: ignore[method-assign] # the meter is back
    central.bench.now = second.due
    central.work()
    assert central.command(waiting).state is State.DONE
    assert central.command(waiting).transaction_id == first.transaction_id
    assert paid(central) == 2_500


@pytest.mark.parametrize("given", [False, True])
def test_a_top_up_that_was_overtaken_by_more_than_a_meter_remembers_is_paid_once(
    rig: Rig, given: bool
) -> None:
    """Its id had been drawn before all of theirs: the meter takes none so old, so it gets another.

    An id that its caller has given is his: that top-up is refused and reversed.
    """
    few, more = ("25.00", "5.00") if rig.bench.profile == "be-wal" else ("120.00", "100.00")
    own = transaction_id(rig.bench.now, bytes(10)).hex() if given else None
    rig.bench.now = later(rig.bench.now, 1)
    waiting = rig.queue("topup", amount=few, identity=own)
    rig.bench.now = later(rig.bench.now, 1)
    opener = rig.bench._open
    rig.bench._open = lambda spec, now: _Dead(opener(spec, now))  # type: ignore[method-assign, assignment, return-value] # put back below
    rig.work()
    assert rig.command(waiting).state is State.QUEUED
    rig.bench._open = opener  # type: ignore[method-assign] # the meter is back
    for _ in range(REMEMBERED + 1):
        rig.bench.now = later(rig.bench.now, 1)
        top_up(rig.context(meter=rig.name), more)
    before = paid(rig)
    assert settle_down(rig, waiting) is (State.REFUSED if given else State.DONE)
    amount = 0 if given else int(float(few) * 100)
    assert paid(rig) - before == amount
    states = Counter(each["state"] for each in rig.topups())
    assert states == Counter(done=REMEMBERED + 1 + (not given), refused=1)
    assert _state_of(rig, waiting) == ("refused" if given else "done")


class _Dead:
    """A wire on which nothing ever comes back."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.close = wire.close

    def read(self, deadline: Any) -> bytes:
        self._wire._bench.now = max(self._wire._bench.now, deadline)
        return b""

    def write(self, octets: bytes) -> None:
        return


def test_a_fault_of_ours_ends_that_command_and_no_other(
    central: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with its exception, and the worker goes on."""
    import headend.commands.read as module

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(module, "read", broken)
    first, second = central.queue("read", codes=("1.8.0",)), central.queue("topup", amount="25.00")
    central.work(rounds=2)
    assert central.command(first).state is State.REFUSED
    reason = central.command(first).reason or ""
    assert "ZeroDivisionError" in reason
    assert "secret" not in reason
    assert ("fault", "read") in central.told
    assert central.command(second).state is State.DONE


def test_a_raw_method_is_never_executed_twice(central: Rig) -> None:
    """Nobody knows what it does: silence and a kill end it, and say that it may have run."""
    opener = central.bench._open
    central.bench._open = lambda spec, now: _Dead(opener(spec, now))  # type: ignore[method-assign, assignment, return-value] # put back below
    silent = central.queue("action", code="0-0:96.3.10", method=1)
    central.work()
    assert central.command(silent).state is State.REFUSED
    central.bench._open = opener  # type: ignore[method-assign] # as it was
    killed = central.queue("action", code="0-0:96.3.10", method=1)
    killer = Killer(central, at=3)
    with killer.watching(), pytest.raises(Killed):
        central.work()
    assert central.command(killed).state is State.RUNNING
    central.start()
    assert settle_down(central, killed) is State.REFUSED
    assert "may have reached the meter" in (central.command(killed).reason or "")


# --- lost outcomes -----------------------------------------------------------------------------


def test_a_fault_of_ours_after_the_order_went_out_does_not_end_it(
    central: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money that may have moved is asked about, whatever broke in this program since."""
    order = Device.order

    def broken(*args: Any) -> None:
        order(*args)
        raise ZeroDivisionError

    monkeypatch.setattr(Device, "order", broken)
    asked = central.queue("topup", amount="25.00")
    central.work()
    assert central.command(asked).state is State.UNKNOWN
    monkeypatch.setattr(Device, "order", order)
    assert settle_down(central, asked) is State.SETTLED
    assert paid(central) == booked(central) == 2_500


def test_a_fault_of_ours_after_the_meter_confirmed_it_is_no_refusal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was paid; only the report could not be written."""
    import headend.commands._payment as module

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_report", broken)
    amount = "25.00" if rig.bench.profile == "be-wal" else "100.00"
    done = rig.queue("topup", amount=amount)
    rig.work()
    command = rig.command(done)
    assert command.state is State.DONE
    assert "ZeroDivisionError" in (command.reason or "")
    assert paid(rig) == booked(rig) == int(float(amount) * 100)


def test_an_unknown_outcome_is_settled_by_asking(rig: Rig) -> None:
    """The answer to the order is lost, and so is the line; then the meter's own word counts."""
    writes = 0
    opener = rig.bench._open

    class Cut:
        """A line that is dead from the tenth write on."""

        def __init__(self, wire: Wire) -> None:
            self._wire = wire
            self.close = wire.close

        def read(self, deadline: Any) -> bytes:
            octets = self._wire.read(deadline)
            return octets if writes < limit else b""

        def write(self, octets: bytes) -> None:
            nonlocal writes
            writes += 1
            if writes <= limit:
                self._wire.write(octets)

    amount = "25.00" if rig.bench.profile == "be-wal" else "100.00"
    seen: list[State] = []
    for limit in range(1, 40):  # noqa: B007 # the line asks for it
        writes = 0
        rig.bench._open = lambda spec, now: Cut(opener(spec, now))  # type: ignore[method-assign, assignment, return-value] # put back below
        asked = rig.queue("topup", amount=amount)
        rig.work()
        rig.bench._open = opener  # type: ignore[method-assign] # the line is whole again
        seen.append(rig.command(asked).state)
        assert settle_down(rig, asked) in (State.DONE, State.SETTLED)
        if seen[-1] is State.DONE:
            break
    assert {State.QUEUED, State.UNKNOWN, State.DONE} <= set(seen)
    assert paid(rig) == booked(rig) == len(seen) * int(float(amount) * 100)


# --- not-before, not-after, cancel -------------------------------------------------------------


def test_it_is_not_sent_before_its_moment(central: Rig) -> None:
    """Until then it is planned."""
    terms = Terms(not_before=later(central.bench.now, MINUTE))
    planned = central.queue("topup", terms, amount="25.00")
    central.work()
    assert central.command(planned).state is State.PLANNED
    central.bench.now = later(central.bench.now, MINUTE)
    central.work()
    assert central.command(planned).state is State.DONE


def test_it_is_not_sent_after_its_moment(central: Rig) -> None:
    """Whether it is looked at by a sweep or by its attempt."""
    terms = Terms(not_after=later(central.bench.now, MINUTE))
    swept, begun = (central.queue("topup", terms, amount="25.00") for _ in range(2))
    central.bench.now = later(central.bench.now, MINUTE + 1)
    central.work()
    central.dispatcher.sweep()
    assert {central.command(swept).state, central.command(begun).state} == {State.EXPIRED}
    assert central.topups() == []


def test_a_booked_top_up_that_was_never_sent_is_reversed_when_it_is_too_late(central: Rig) -> None:
    """Killed between booking and sending: the books are put right, and the command is expired."""
    terms = Terms(not_after=later(central.bench.now, MINUTE))
    late = central.queue("topup", terms, amount="25.00")
    _kill_when_booked(central)
    assert booked(central) == 2_500
    central.bench.now = later(central.bench.now, 2 * MINUTE)
    central.start()
    assert settle_down(central, late) is State.EXPIRED
    assert [each["state"] for each in central.topups()] == ["refused"]
    assert _balance(central) == 2_000
    assert paid(central) == 0


def test_what_was_planned_and_never_sent_is_withdrawn_when_it_is_cancelled(central: Rig) -> None:
    """An end of prepayment, so here nothing has to be reversed; it is withdrawn unsent."""
    unwanted = central.queue("deactivate")
    _kill_when(central, lambda: _state_of(central, unwanted) == "planned")
    with central.bench.store.begin() as db:
        command = commands.get(db, unwanted)
        assert command is not None
        cancel(db, command, "somebody", central.bench.now)
    central.start()
    assert settle_down(central, unwanted) is State.CANCELLED
    assert _state_of(central, unwanted) == "refused"
    assert central.bench.kernel.state.account.active


def test_what_was_sent_cannot_be_cancelled(central: Rig) -> None:
    """It is answered "too late", and the outcome is found out."""
    sent = central.queue("topup", amount="25.00")
    _kill_when(central, lambda: any(t["state"] == "sent" for t in central.topups()))
    with central.bench.store.begin() as db:
        command = commands.get(db, sent)
        assert command is not None
        cancel(db, command, "somebody", central.bench.now)  # the worker is dead: nobody knows yet
    central.start()
    assert settle_down(central, sent) in (State.DONE, State.SETTLED)
    assert paid(central) == booked(central) == 2_500


def test_a_command_in_the_queue_is_cancelled_at_once(central: Rig) -> None:
    """No worker has to look at it."""
    unwanted = central.queue("topup", amount="25.00")
    with central.bench.store.begin() as db:
        command = commands.get(db, unwanted)
        assert command is not None
        assert cancel(db, command, "somebody", central.bench.now) is State.CANCELLED
    central.work()
    assert central.topups() == []


def test_the_orders_of_a_command_expire_with_it(central: Rig) -> None:
    """A transaction's not-after is the command's where that is earlier."""
    terms = Terms(not_after=later(central.bench.now, MINUTE))
    done = central.queue("topup", terms, amount="25.00")
    central.work()
    identity = central.command(done).transaction_id or ""
    with central.bench.store.read() as db:
        transaction = transactions.get(db, identity)
    assert transaction is not None
    assert transaction.not_after == terms.not_after
    assert NOT_AFTER > MINUTE


def _kill_when_booked(rig: Rig) -> None:
    _kill_when(rig, lambda: bool(rig.topups()))


def _state_of(rig: Rig, command_id: str) -> str | None:
    identity = rig.command(command_id).transaction_id or ""
    with rig.bench.store.read() as db:
        found = transactions.get(db, identity)
    return None if found is None else found.state.value


def _kill_when(rig: Rig, reached: Any) -> None:
    """Kill the worker at the first moment at which something is so."""
    killer = Killer(rig)
    moment, looking = killer.moment, False

    def looked(where: str) -> None:
        nonlocal looking
        moment(where)
        if not looking:
            looking = True
            try:
                if reached():
                    raise Killed(where)
            finally:
                looking = False

    killer.moment = looked  # type: ignore[method-assign] # it looks as well
    with killer.watching(), pytest.raises(Killed):
        rig.work()


def _balance(rig: Rig) -> int:
    with rig.bench.store.read() as db:
        return ledger.balance(db, meter_of(db, rig.name))


# --- killed between each two steps -------------------------------------------------------------


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_killed_at_every_step_it_goes_on_with_the_same_transaction(profile: str) -> None:
    """Nothing lost, nothing doubled, and one transaction, wherever the process ends."""
    first = make(profile)
    standing, name, store = first.bench.save(), first.name, first.bench.store
    amount, minor = ("25.00", 2_500) if profile == "be-wal" else ("100.00", 10_000)
    moments, at = 1, 0
    ends: set[State] = set()
    while at < moments:
        rig = Rig(Bench(profile, LinkKind.WRAPPER, standing, store=store), name, begun=True)
        killed = rig.queue("topup", amount=amount)
        killer = Killer(rig, at)
        with killer.watching():
            try:
                rig.work()
            except Killed:
                pass
            else:
                break  # there are no more moments
        moments = max(moments, killer.seen + 1)
        rig.start()
        rig.bench.boot()
        ends.add(settle_down(rig, killed))
        command = rig.command(killed)
        assert command.state in (State.DONE, State.SETTLED), killer.where
        assert [each["id"] for each in rig.topups()] == [command.transaction_id], killer.where
        assert paid(rig) == booked(rig) == minor, killer.where
        at += 1
    assert at > 20
    assert ends == {State.DONE}  # each killed attempt was taken up before anybody gave up
    first.bench.close()
