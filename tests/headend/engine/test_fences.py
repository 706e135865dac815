"""Each fence between a command that is not wanted any more and its meter, alone.

| when it is asked | by whom |
|---|---|
| before an attempt begins | the attempt, of its row |
| before a session is opened, and each one after the first | the attempt's permit |
| before an order is sent | ``headend.orders`` |
"""

from collections.abc import Callable, Iterator

import pytest

from headend.context import Context
from headend.engine.attempt import _Permit
from headend.engine.queueing import Terms, cancel
from headend.engine.states import Happening, State
from headend.errors import Cancelled, NoAnswer
from headend.store import commands
from headend.store.commands import Command
from protocol.timing import later
from tests.headend.engine.rig import Rig, make

MINUTE = 60_000


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A worker with one meter on which prepayment is active, in central mode."""
    made = make()
    yield made
    made.bench.close()


def opened(rig: Rig) -> list[str]:
    """Return a list in which each port stands that is opened from now on."""
    ports: list[str] = []
    opener = rig.bench._open

    def watched(spec: str, now: object) -> object:
        ports.append(spec)
        return opener(spec, now)  # type: ignore[arg-type] # what it is given, it gives

    rig.bench._open = watched  # type: ignore[method-assign, assignment] # the rig ends with the test
    return ports


def between(rig: Rig, happens: Callable[[Command], None]) -> None:
    """Let something happen after an attempt has begun and before its command runs."""

    def context_of(command: Command) -> Context:
        happens(command)
        return rig.context_of(command)

    rig.attempts._context_of = context_of


def withdraw(rig: Rig, command_id: str) -> None:
    """Ask that a command be cancelled."""
    with rig.bench.store.begin() as db:
        command = commands.get(db, command_id)
        assert command is not None
        cancel(db, command, "somebody", rig.bench.now)


@pytest.mark.parametrize("why", [State.EXPIRED, State.CANCELLED])
def test_an_attempt_that_is_not_wanted_any_more_does_not_begin(rig: Rig, why: State) -> None:
    """Its ticket was out already; no port is opened, and the row says that it never began."""
    ports = opened(rig)
    terms = Terms(not_after=later(rig.bench.now, MINUTE))
    unwanted = rig.queue("read", terms, codes=("1.8.0",))
    rig.dispatcher.hand_out()
    if why is State.EXPIRED:
        rig.bench.now = later(rig.bench.now, MINUTE + 1)
    else:
        withdraw(rig, unwanted)
    rig.engine.work()
    command = rig.command(unwanted)
    assert (command.state, command.started, ports) == (why, None, [])


def test_a_session_is_not_opened_after_its_moment(rig: Rig) -> None:
    """It passed after the attempt had looked, while somebody else's session was waited for."""
    ports = opened(rig)
    terms = Terms(not_after=later(rig.bench.now, MINUTE))
    late = rig.queue("read", terms, codes=("1.8.0",))

    def wait_long(command: Command) -> None:
        rig.bench.now = later(command.not_after, 1)

    between(rig, wait_long)
    rig.work()
    assert (rig.command(late).state, ports) == (State.EXPIRED, [])


def test_a_cancel_between_two_sessions_of_an_attempt_is_seen(rig: Rig) -> None:
    """Before the first one the attempt has only just looked."""
    unwanted = rig.queue("read", codes=("1.8.0",))
    rig.dispatcher.hand_out()
    permit = _Permit(rig.attempts, rig.command(unwanted))
    permit()
    withdraw(rig, unwanted)
    with pytest.raises(Cancelled):
        permit()


def test_an_order_that_was_cancelled_meanwhile_is_not_sent(rig: Rig) -> None:
    """The last moment: the session stands, the payment is booked, and is reversed."""
    ports = opened(rig)
    unwanted = rig.queue("topup", amount="25.00")
    between(rig, lambda command: withdraw(rig, command.id))
    rig.work()
    assert rig.command(unwanted).state is State.CANCELLED
    assert ports
    assert [each["state"] for each in rig.topups()] == ["refused"]
    assert rig.bench.kernel.state.snapshot.balance == 2_000


def test_an_attempt_that_has_lost_its_ticket_has_no_last_word(rig: Rig) -> None:
    """Another worker held it to be dead, and has ended the command meanwhile."""
    done = rig.queue("read", codes=("1.8.0",))

    def end_it(command: Command) -> None:
        running = rig.command(command.id)
        with rig.bench.store.begin() as db:
            commands.end(db, running, Happening.SUCCEEDED, rig.bench.now, answer={"by": "another"})

    between(rig, end_it)
    rig.work()
    command = rig.command(done)
    assert (command.state, command.answer) == (State.DONE, {"by": "another"})


# --- what is not repeated ----------------------------------------------------------------------


def test_a_method_is_executed_through_the_queue(rig: Rig) -> None:
    """Its first attempt is not a repetition."""
    done = rig.queue("action", code="0-0:96.3.10", method=2)
    rig.work()
    assert rig.command(done).state is State.DONE, rig.command(done).reason


def test_a_method_that_may_have_been_executed_is_not_executed_again(rig: Rig) -> None:
    """The process died in the attempt, and nobody knows what a method does twice."""
    ports = opened(rig)
    broken = rig.queue("action", code="0-0:96.3.10", method=2)
    rig.dispatcher.hand_out()
    standing = rig.command(broken)
    with rig.bench.store.begin() as db:
        commands.begin(db, standing, "died-1-000000000000", rig.bench.now)
    rig.engine.work()
    command = rig.command(broken)
    assert (command.state, ports) == (State.REFUSED, [])
    assert "not repeated" in (command.reason or "")


def test_a_method_without_an_answer_is_not_tried_again(rig: Rig) -> None:
    """Whether it was executed is not known; a reading would be tried again."""

    def silent(command: Command) -> None:
        raise NoAnswer("the meter stays silent")

    between(rig, silent)
    method = rig.queue("action", code="0-0:96.3.10", method=2)
    reading = rig.queue("read", codes=("1.8.0",))
    rig.work(rounds=2)
    assert rig.command(method).state is State.REFUSED
    assert rig.command(reading).state is State.QUEUED
