"""Which commands are handed out, in what order, and what a sweep sees to."""

from collections.abc import Callable, Collection, Iterator, Sequence

import pytest

from headend.engine import Handed
from headend.engine.dispatcher import Dispatcher
from headend.engine.queueing import Terms
from headend.engine.states import State
from headend.store import Store, campaigns, claiming, commands, registry, schema, workers
from headend.store.commands import New
from headend.store.registry import Entry
from protocol.timing import Instant, later

AT_ONCE = Terms()
HERE, THERE = "here-1", "there-2"


class Kept:
    """An engine that keeps what it is given, and ends what it is told to."""

    def __init__(self) -> None:
        self.handed: list[Handed] = []
        self.over: set[str] = set()
        self.recovered: list[str] = []
        self.holding: set[str] = set()
        self.tidied = 0

    def start(self, run: Callable[[str], None]) -> None:
        """Begin."""

    def submit(self, handed: Sequence[Handed]) -> None:
        """Take tickets."""
        self.handed += handed

    def ended(self, batches: Collection[str]) -> frozenset[str]:
        """Return which have ended."""
        return frozenset(batches) & self.over

    def holders(self) -> frozenset[str]:
        """Return who is said to run something."""
        return frozenset(self.holding)

    def recover(self, dead: Collection[str]) -> int:
        """Note whose."""
        self.recovered += dead
        return len(dead)

    def tidy(self) -> None:
        """Count."""
        self.tidied += 1

    def stop(self, patience: float) -> None:
        """End."""


class World:
    """A database with meters m0 to m9, and a dispatcher or two."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = Instant(1_800_000_000_000)
        self.drawn = 0
        with store.begin() as db:
            entries = [Entry(f"m{i}", transport=f"tcp:m:{i}", life="in-service") for i in range(10)]
            registry.add(db, entries, self.now)
            self.meters = registry.names(db)

    def dispatcher(self, sessions: int = 50, worker: str = HERE) -> tuple[Dispatcher, Kept]:
        """Return one with an engine of its own."""
        engine = Kept()
        alive = {HERE}.__contains__
        made = Dispatcher(
            self.store, engine, worker, sessions, lambda: self.now, self.entropy, alive
        )
        return made, engine

    def entropy(self, count: int) -> bytes:
        """Return octets that never repeat."""
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")

    def queue(
        self,
        meter: str,
        name: str = "read",
        priority: int = 50,
        terms: Terms = AT_ONCE,
        campaign: int | None = None,
    ) -> str:
        """Queue a command; return its id."""
        self.drawn += 1
        command_id = f"{self.drawn:032x}"
        after = terms.not_after or later(self.now, 86_400_000)
        with self.store.begin() as db:
            new = New(
                command_id,
                self.meters[meter],
                name,
                {"code": "1.8.0"},
                priority,
                after,
                "test",
                terms.not_before,
                campaign_id=campaign,
            )
            commands.add(db, [new], self.now)
        return command_id

    def state(self, command_id: str) -> State:
        """Return a command's state."""
        with self.store.read() as db:
            found = commands.get(db, command_id)
        assert found is not None
        return found.state


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Ten meters and no command, on either database."""
    on_server = request.param == "postgresql"
    store = Store(request.getfixturevalue("postgres").database() if on_server else "sqlite://")
    yield World(store)
    store.close()


def order(engine: Kept) -> list[str]:
    """Return the ids of the commands in the order in which they were handed out."""
    return [each.ticket.split("-")[0] for each in engine.handed]


def test_by_priority_then_in_the_order_of_queueing(world: World) -> None:
    """Whatever meter they are for."""
    slow = [world.queue(f"m{i}") for i in range(3)]
    quick = [world.queue(f"m{i}", priority=10) for i in range(3, 6)]
    dispatcher, engine = world.dispatcher()
    assert dispatcher.hand_out() == 6
    assert order(engine) == quick + slow


def test_one_of_a_meter_at_a_time(world: World) -> None:
    """The next one goes when the row of the one before carries no ticket any more."""
    first, second = world.queue("m0"), world.queue("m0", priority=5)
    dispatcher, engine = world.dispatcher()
    assert dispatcher.hand_out() == 1
    assert order(engine) == [second]
    assert dispatcher.hand_out() == 0
    _finish(world, second)
    assert dispatcher.hand_out() == 1
    assert order(engine) == [second, first]


def test_a_ticket_is_not_handed_out_twice(world: World) -> None:
    """Not by the same dispatcher, nor by another one."""
    world.queue("m0")
    (one, _), (two, _) = world.dispatcher(), world.dispatcher(worker=THERE)
    assert one.hand_out() + two.hand_out() + one.hand_out() == 1


def test_no_more_than_there_is_room_for(world: World) -> None:
    """Two tickets for each session; the others stay in the table, where priorities count."""
    for i in range(10):
        world.queue(f"m{i}")
    dispatcher, engine = world.dispatcher(sessions=2)
    assert dispatcher.hand_out() == 4
    late = world.queue("m9", priority=1)
    _finish(world, order(engine)[0])
    assert dispatcher.hand_out() == 1
    assert order(engine)[-1] == late


def test_a_line_has_as_many_out_as_it_has_permits(world: World) -> None:
    """Over all workers; a line of which nobody said more has one voice."""
    with world.store.begin() as db:
        registry.set_line(db, "K1", 2)
        for i in range(8):
            entry = Entry(f"m{i}", transport="tcp:m:1", life="in-service")
            shared = "K1" if i < 4 else "bus"
            registry.put(db, world.meters[f"m{i}"], _on(entry, shared))
        registry.set_line(db, "bus", 1)
    for i in range(10):
        world.queue(f"m{i}")
    (one, first), (two, second) = world.dispatcher(), world.dispatcher(worker=THERE)
    assert one.hand_out() == 2 + 1 + 2
    assert two.hand_out() == 0
    assert {h.meter for h in first.handed} == {"m0", "m1", "m4", "m8", "m9"}
    _finish(world, order(first)[0])
    assert two.hand_out() == 1
    assert [h.meter for h in second.handed] == ["m2"]


def _on(entry: Entry, line: str) -> Entry:
    return Entry(entry.name, transport=entry.transport, life=entry.life, line=line)


def test_a_transaction_id_is_drawn_at_the_first_hand_out_and_never_again(world: World) -> None:
    """Only where the command acts under one."""
    topup, read = world.queue("m0", "topup"), world.queue("m1")
    dispatcher, _ = world.dispatcher()
    dispatcher.hand_out()
    with world.store.read() as db:
        first, second = commands.get(db, topup), commands.get(db, read)
    assert first is not None
    assert first.transaction_id is not None
    assert second is not None
    assert second.transaction_id is None
    with world.store.begin() as db:
        command = commands.get(db, topup)
        assert command is not None
        claiming.hand_out(
            db, [claiming.Ticket(command, f"{topup}-000002", "batch", HERE, "ff" * 16)]
        )
        again = commands.get(db, topup)
    assert again is not None
    assert again.transaction_id == first.transaction_id


# --- campaigns ---------------------------------------------------------------------------------


def _campaign(world: World, at_once: int | None = None) -> campaigns.Campaign:
    with world.store.begin() as db:
        return campaigns.add(
            db, world.entropy(16).hex(), "read", {}, {}, label="", at_once=at_once, caller="test",
            idempotency_key=None, now=world.now,
        )  # fmt: skip # the arguments in two lines


def test_a_campaign_has_as_many_out_as_it_may(world: World) -> None:
    """Others go past it."""
    campaign = _campaign(world, at_once=2)
    for i in range(5):
        world.queue(f"m{i}", campaign=campaign.number)
    other = world.queue("m9", priority=60)
    dispatcher, engine = world.dispatcher()
    assert dispatcher.hand_out() == 3
    assert order(engine)[-1] == other


def test_a_paused_campaign_waits_and_a_resumed_one_goes_on(world: World) -> None:
    """What is under way is not touched."""
    campaign = _campaign(world)
    for i in range(3):
        world.queue(f"m{i}", campaign=campaign.number)
    dispatcher, _ = world.dispatcher()
    with world.store.begin() as db:
        assert campaigns.move(db, campaign, campaigns.State.PAUSED, world.now)
    assert dispatcher.hand_out() == 0
    with world.store.begin() as db:
        assert campaigns.move(db, campaign, campaigns.State.RUNNING, world.now)
    assert dispatcher.hand_out() == 3


def test_a_campaign_is_finished_when_each_of_it_is(world: World) -> None:
    """The sweep sees it; a finished one is not moved any more."""
    campaign = _campaign(world)
    ids = [world.queue(f"m{i}", campaign=campaign.number) for i in range(2)]
    dispatcher, _ = world.dispatcher()
    dispatcher.hand_out()
    for each, expected in zip(
        ids, (campaigns.State.RUNNING, campaigns.State.FINISHED), strict=True
    ):
        _finish(world, each)
        dispatcher.sweep()
        with world.store.read() as db:
            found = campaigns.get(db, campaign.id)
        assert found is not None
        assert found.state is expected
    with world.store.begin() as db:
        assert not campaigns.move(db, campaign, campaigns.State.PAUSED, world.now)


def test_a_cancelled_campaign_withdraws_what_had_not_begun(world: World) -> None:
    """What is under way is asked to look."""
    campaign = _campaign(world, at_once=1)
    ids = [world.queue(f"m{i}", campaign=campaign.number) for i in range(3)]
    dispatcher, _ = world.dispatcher()
    dispatcher.hand_out()
    with world.store.begin() as db:
        campaigns.move(db, campaign, campaigns.State.CANCELLED, world.now)
        commands.cancel_campaign(db, campaign.number, world.now)
        assert commands.cancel_asked(db, ids[0])
    assert [world.state(each) for each in ids] == [State.QUEUED, State.CANCELLED, State.CANCELLED]


# --- sweeps ------------------------------------------------------------------------------------


def test_a_ticket_that_the_engine_does_not_know_is_handed_over_again(world: World) -> None:
    """As it is: an engine takes one that it knows only once."""
    world.queue("m0")
    dispatcher, engine = world.dispatcher()
    dispatcher.hand_out()
    (lost,) = engine.handed
    for _ in range(3):
        dispatcher.sweep()
    assert engine.handed == [lost, lost]


def test_what_one_claim_takes_is_one_batch(world: World) -> None:
    """Named by its first ticket; what the engine lost of it goes to it again by that name."""
    ids = [world.queue(f"m{i}") for i in range(4)]
    dispatcher, engine = world.dispatcher()
    dispatcher.hand_out()
    assert {each.batch for each in engine.handed} == {f"{ids[0]}-000001"}
    _finish(world, ids[0])
    _finish(world, ids[2])
    for _ in range(3):
        dispatcher.sweep()
    again = [(each.ticket, each.batch) for each in engine.handed[4:]]
    assert again == [(f"{ids[i]}-000001", f"{ids[0]}-000001") for i in (1, 3)]


def test_a_ticket_that_the_engine_holds_to_be_ended_is_replaced(world: World) -> None:
    """The attempt died where the engine could not see it: the next one has the next number."""
    command = world.queue("m0", "topup")
    dispatcher, engine = world.dispatcher()
    dispatcher.hand_out()
    with world.store.read() as db:
        before = commands.get(db, command)
    engine.over = {engine.handed[0].ticket}
    for _ in range(3):
        dispatcher.sweep()
    assert [each.ticket for each in engine.handed] == [f"{command}-000001", f"{command}-000002"]
    with world.store.read() as db:
        after = commands.get(db, command)
    assert before is not None
    assert after is not None
    assert after.transaction_id == before.transaction_id


def test_what_dead_workers_left_is_recovered_once(world: World) -> None:
    """Whoever lives does it; a worker that is alive is left alone."""
    with world.store.begin() as db:
        for executor in (HERE, THERE):
            workers.begin(db, executor, "host", 1, world.now)
    dispatcher, engine = world.dispatcher()
    dispatcher.sweep()
    dispatcher.sweep()
    assert engine.recovered == [THERE]


def test_what_a_worker_left_that_was_found_dead_before_is_recovered(world: World) -> None:
    """Its locks went with the database; it took more, and died before its row was right again."""
    with world.store.begin() as db:
        workers.begin(db, THERE, "host", 1, world.now)
        workers.end(db, THERE, world.now)
    dispatcher, engine = world.dispatcher()
    engine.holding = {HERE, THERE}
    dispatcher.sweep()
    assert engine.recovered == [THERE]


def test_the_engine_forgets_now_and_then(world: World) -> None:
    """Not at every sweep."""
    dispatcher, engine = world.dispatcher()
    for _ in range(11):
        dispatcher.sweep()
    assert engine.tidied == 2


def test_what_waits_past_its_not_after_is_expired(world: World) -> None:
    """Planned or queued, and although its campaign is paused."""
    campaign = _campaign(world)
    with world.store.begin() as db:
        campaigns.move(db, campaign, campaigns.State.PAUSED, world.now)
    soon = Terms(not_after=later(world.now, 1_000))
    planned = Terms(not_before=later(world.now, 500), not_after=later(world.now, 1_000))
    ids = [
        world.queue("m0", terms=soon, campaign=campaign.number),
        world.queue("m1", terms=planned),
    ]
    world.now = later(world.now, 1_001)
    dispatcher, _ = world.dispatcher()
    dispatcher.sweep()
    assert {world.state(each) for each in ids} == {State.EXPIRED}


def test_a_command_of_another_version_is_handed_out_all_the_same(world: World) -> None:
    """Its attempt says what is wrong with it; nobody waits for ever."""
    made = world.queue("m0")
    with world.store.begin() as db:
        db.execute(schema.commands.update().values(name="from-tomorrow"))
    dispatcher, engine = world.dispatcher()
    assert dispatcher.hand_out() == 1
    assert order(engine) == [made]


def _finish(world: World, command_id: str) -> None:
    """End a command as its attempt would."""
    from headend.engine.states import Happening

    with world.store.begin() as db:
        command = commands.get(db, command_id)
        assert command is not None
        commands.begin(db, command, HERE, world.now)
        running = commands.get(db, command_id)
        assert running is not None
        commands.end(db, running, Happening.SUCCEEDED, world.now)
