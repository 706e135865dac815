"""The registry: meters by name, what a name brings along, which a selection means, their lives."""

from collections.abc import Iterator
from typing import Any

import pytest

from headend.context import Context, Settings
from headend.errors import NoAnswer, Refused, UsageError
from headend.reach import reach
from headend.registry.entries import FieldError, entry
from headend.registry.finding import find
from headend.registry.life import Life
from headend.registry.meters import (
    ACCESS,
    Condition,
    Selection,
    change_life,
    names_of_file,
    remove,
    select,
)
from headend.store import Store, meters, registry, transactions
from headend.store.registry import Entry
from headend.store.transactions import Order
from headend.transports import LinkKind
from obis.values import field_names, replace
from protocol.timing import Instant
from tests.headend.bench import SPECS, Bench

NOW = Instant(1_700_000_000_000)
EAN = "376104250021234569"


def added(store: Store, *entries: Entry) -> None:
    """Register meters."""
    with store.begin() as db:
        registry.add(db, entries, NOW)


def names(store: Store, **chosen: Any) -> list[str]:
    """Return the names that a selection means."""
    with store.read() as db:
        ids = select(db, Selection.parse(**chosen))
        return [each.name for each in registry.by_ids(db, ids)]


def one(store: Store, name: str = "OPP1") -> Entry:
    """Return a meter."""
    with store.read() as db:
        return find(db, name)


# --- rows --------------------------------------------------------------------------------------

FULL = Entry(
    "OPP1",
    "S-1",
    EAN,
    "be-wal",
    "tcp:192.0.2.1:4059",
    {"mechanism": "gmac", "physical": 7, "short_names": True},
    "K7",
    "commissioned",
    ("depot", "winter"),
)


def test_an_entry_is_read_as_it_was_written(store: Store) -> None:
    """Every field of it, by name and by point of delivery; its line is made with it."""
    added(store, FULL, Entry("OPP2"))
    assert one(store) == one(store, EAN) == FULL
    assert one(store, "OPP2") == Entry("OPP2", life="registered")
    with store.read() as db:
        assert registry.lines(db) == [registry.Line("K7", 1, 1)]
        assert registry.every(db) == [FULL, Entry("OPP2")]


def test_writing_over_an_entry_leaves_its_name_and_books(store: Store) -> None:
    """Whatever it says afterwards; tags it has no more are gone."""
    added(store, FULL)
    before = one(store)
    changed = Entry("OPP1", "S-2", tags=("winter",), life="in-service")
    with store.begin() as db:
        registry.put(db, before.id, changed)
    assert one(store) == changed
    assert one(store).id == before.id


def test_tags_come_and_go(store: Store) -> None:
    """Given twice they are there once; taken where they are not, nothing happens."""
    added(store, Entry("OPP1", tags=("a",)), Entry("OPP2"))
    ids = [one(store, name).id for name in ("OPP1", "OPP2")]
    with store.begin() as db:
        registry.tag(db, ids, ["a", "b"])
        registry.tag(db, ids, ["a"])
        registry.untag(db, ids[:1], ["b", "c"])
    assert one(store, "OPP1").tags == ("a",)
    assert one(store, "OPP2").tags == ("a", "b")


def test_the_permits_of_a_line_are_changed_and_not_counted_down(store: Store) -> None:
    """Naming a line again, as the next meter on it does, leaves its permits."""
    added(store, Entry("OPP1", line="K7"))
    with store.begin() as db:
        registry.set_line(db, "K7", 8)
    added(store, Entry("OPP2", line="K7"), Entry("OPP3", line="K8"))
    with store.begin() as db:
        assert registry.lines(db) == [registry.Line("K7", 8, 2), registry.Line("K8", 1, 1)]
        assert not registry.remove_line(db, "K9")


def test_more_meters_than_one_statement_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read and tagged in portions."""
    monkeypatch.setattr(registry, "_AT_ONCE", 100)
    many = [Entry(f"OPP{number:05}", tags=("all",)) for number in range(250)]
    added(store, *many)
    assert names(store, tags=["all"]) == [each.name for each in many]


# --- a name ------------------------------------------------------------------------------------


def test_an_unknown_name_says_what_is_near_and_what_to_do(store: Store) -> None:
    """A slip of the finger is found again."""
    added(store, Entry("OPP0000000000017"), Entry("OPP0000000000018"))
    with pytest.raises(UsageError) as error:
        one(store, "OPP000000000017")
    assert "did you mean OPP0000000000017" in str(error.value)
    assert "prepay meters add NAME --port SPEC" in str(error.value)
    with pytest.raises(UsageError) as error:
        one(store, "elsewhere")
    assert "did you mean" not in str(error.value)


def test_what_is_near_is_found_in_a_large_park(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the slip is: not all names are compared, those are that share half of it."""
    monkeypatch.setattr("headend.registry.finding._COMPARED", 20)
    added(store, *(Entry(f"OPP{number:09}") for number in range(100, 900)), Entry("OPP123_567%9"))
    for slip in ("OPP12X_567%9", "XPP123_567%9", "OPP123_567%X", "OPP123_5567%9", "OPP123_67%9"):
        with pytest.raises(UsageError, match="did you mean OPP123_567%9"):
            one(store, slip)
    with pytest.raises(UsageError, match="no meter 'X'"):
        one(store, "X")


def named(store: Store, **settings: Any) -> Context:
    """Return a run of a command against a meter by its name."""
    return Context(Settings(meter="OPP1", **settings), store=store)


def test_a_name_brings_port_and_access_along(store: Store) -> None:
    """By its EAN as well; what nobody says stays the default."""
    added(store, FULL)
    for name in ("OPP1", EAN):
        settings = Context(Settings(meter=name), store=store).settings
        assert settings.port == "tcp:192.0.2.1:4059"
        assert (settings.mechanism, settings.physical, settings.short_names) == ("gmac", 7, True)
        assert (settings.logical, settings.envelope) == (1, "glo")


def test_what_was_chosen_goes_before_the_registry(store: Store) -> None:
    """Also where what was chosen in so many words is the default."""
    added(store, Entry("OPP1", transport="tcp:192.0.2.1:1", access={"logical": 3, "physical": 7}))
    assert named(store, port="tcp:192.0.2.9:9").settings.port == "tcp:192.0.2.9:9"
    assert named(store, physical=2).settings.physical == 2
    assert named(store, logical=1).settings.logical == 3  # nobody typed it
    assert named(store, logical=1, given=frozenset({"logical"})).settings.logical == 1


def test_a_meter_without_a_port_says_how_to_give_it_one(store: Store) -> None:
    """It is in the registry, and nobody knows where it is."""
    added(store, Entry("OPP1"))
    with pytest.raises(UsageError, match="prepay meters set OPP1 --port SPEC"):
        _ = named(store).port


def test_a_retired_meter_has_no_port_any_more(store: Store) -> None:
    """So no command speaks to it, whichever that is."""
    added(store, Entry("OPP1", transport="tcp:192.0.2.1:1", life="retired"))
    with pytest.raises(Refused, match="OPP1 is retired"):
        _ = named(store).port


# --- selections --------------------------------------------------------------------------------

PARK = (
    Entry("A1", profile="be-wal", line="K1", life="in-service", tags=("depot", "winter")),
    Entry("A2", profile="be-wal", line="K2", life="in-service", tags=("depot",)),
    Entry("A3", profile="il", life="registered", ean=EAN),
    Entry("B1", profile="il", line="K1", life="out-of-service", tags=("winter",)),
    Entry("B*", serial="7"),
    Entry("Z9", life="retired", tags=("depot",)),
)
MEANT = {
    "name=*": "A1 A2 A3 B* B1",
    "name=A?": "A1 A2 A3",
    "name!=A*": "B* B1",
    "name=a*": "",
    "name=B[*]": "B*",
    "profile=il": "A3 B1",
    "profile!=il": "A1 A2 B*",
    "line=K1": "A1 B1",
    "line!=K1": "A2 A3 B*",
    "line=": "A3 B*",
    "line!=": "A1 A2 B1",
    "life=in-service": "A1 A2",
    "life=retired": "Z9",
    "life!=retired": "A1 A2 A3 B* B1",
    "tag=winter": "A1 B1",
    "tag!=depot": "A3 B* B1",
    "tag=depot,tag=winter": "A1",
    f"ean={EAN}": "A3",
    "serial=7": "B*",
    " profile = be-wal ": None,
    "profile=be-wal, line=K2": "A2",
}


def test_a_query_means_the_meters_of_the_table(store: Store) -> None:
    """All conditions at once; retired meters only where their life is asked for."""
    added(store, *PARK)
    for query, meant in MEANT.items():
        if meant is None:
            with pytest.raises(UsageError):
                names(store, query=query)
        else:
            assert names(store, query=query) == meant.split(), query
    assert names(store, tags=["depot"]) == ["A1", "A2"]
    assert names(store, tags=["depot", "winter"]) == ["A1"]
    assert names(store, names=["B1", "A1"], query="tag=winter") == ["A1", "B1"]
    assert names(store, names=[]) == []


def test_a_name_in_a_file_that_no_meter_has_is_an_error(store: Store) -> None:
    """Nobody wants to find out later which of his meters was left out."""
    added(store, *PARK)
    with pytest.raises(UsageError, match=r"no meter 'A9'.* \(and 1 more\)"):
        names(store, names=["A1", "A9", "A8"])


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("", "which meters"),
        (" , ", "which meters"),
        ("profil=il", "did you mean profile="),
        ("name", "no condition"),
        ("=x", "no condition"),
        ("life=alive", "no life"),
    ],
)
def test_a_selection_that_says_nothing_is_refused(query: str, hint: str) -> None:
    """All meters are never meant by accident."""
    with pytest.raises(UsageError, match=hint):
        Selection.parse(query=query)


def test_a_selection_is_written_down_and_read_again() -> None:
    """As a campaign keeps it."""
    chosen = Selection.parse(["a"], ["OPP1", "OPP2"], "name!=B*,line=")
    assert Selection.from_json(chosen.to_json()) == chosen
    assert chosen.conditions == (Condition("name", "B*", True), Condition("line", ""))


def test_a_file_of_names_may_be_a_table() -> None:
    """Each name once, in its order; remarks, blank lines and the heading are left out."""
    text = 'name,serial\r\n"A1",7\n# old\n\n A2 \nA1\nA3;x\n'
    assert names_of_file(text) == ("A1", "A2", "A3")


# --- lives -------------------------------------------------------------------------------------


def test_a_meter_is_retired_only_when_nothing_is_open(store: Store) -> None:
    """Prepayment, a transaction: each stands in the way, unless its owner insists."""
    with store.begin() as db:
        meter = meters.meet(db, "OPP1", "tcp:192.0.2.1:1", NOW)
        meters.set_prepayment(db, meter, True)
    with store.begin() as db, pytest.raises(Refused, match="prepayment active"):
        change_life(db, find(db, "OPP1"), Life.RETIRED)
    with store.begin() as db:
        meters.set_prepayment(db, meter, False)
        transactions.plan(db, "01" * 16, meter.id, Order.TOPUP, 1, {}, now=NOW, not_after=NOW)
    with store.begin() as db, pytest.raises(Refused, match="outcome is open: prepay settle"):
        change_life(db, find(db, "OPP1"), Life.RETIRED)
    with store.begin() as db:
        change_life(db, find(db, "OPP1"), Life.RETIRED, insist=True)
    assert one(store).life == "retired"


def test_a_meter_with_books_is_not_taken_off(store: Store) -> None:
    """One that was registered by mistake is."""
    added(store, Entry("OPP1", tags=("a",)), Entry("OPP2"))
    with store.begin() as db:
        meters.meet(db, "OPP1", "", NOW)
        meters.commission(db, meters.by_id(db, one(store, "OPP1").id))
        transactions.plan(db, "01" * 16, one(store).id, Order.TOPUP, 1, {}, now=NOW, not_after=NOW)
    with store.begin() as db, pytest.raises(Refused, match="for its transactions"):
        remove(db, find(db, "OPP1"))
    with store.begin() as db:
        remove(db, find(db, "OPP2"))
    with pytest.raises(UsageError):
        one(store, "OPP2")


def test_activation_puts_a_commissioned_meter_into_service_and_no_other(store: Store) -> None:
    """One that was taken out of service meanwhile stays out."""
    lives = {"commissioned": "in-service", "met": "met", "out-of-service": "out-of-service"}
    for life, after in lives.items():
        added(store, Entry(life, life=life))
        with store.begin() as db:
            meters.set_prepayment(db, meters.by_id(db, one(store, life).id), True)
        assert one(store, life).life == after


# --- with a meter on the line ------------------------------------------------------------------


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A meter."""
    made = Bench("be-wal", LinkKind.WRAPPER)
    yield made
    made.close()


def registered(bench: Bench, **more: Any) -> str:
    """Register the bench's meter and return its name."""
    name = str(bench.factory.name)
    with bench.store.begin() as db:
        registry.add(db, [entry({"name": name, "port": SPECS[bench.kind], **more})], bench.now)
    return name


def by_name(bench: Bench, name: str, **more: Any) -> Context:
    """Return a run of a command against the bench's line, for a meter by its name."""
    context = bench.context(meter=name, **more)
    context.chosen = replace(context.chosen, port=None)
    return context


@pytest.mark.parametrize("client", [None, 16, 2])
def test_who_answers_is_held_to_the_name(bench: Bench, client: int | None) -> None:
    """Whichever client asks; another meter in its place is told by its name, and let go."""
    name = registered(bench)
    reached = reach(by_name(bench, name, client=client))
    assert reached.name in (name, "")
    reached.session.close()
    with bench.store.begin() as db:
        registry.add(db, [entry({"name": "OPP-OTHER", "port": SPECS[bench.kind]})], bench.now)
    with pytest.raises(NoAnswer, match=f"no answer from OPP-OTHER: {name} answers in its place"):
        reach(by_name(bench, "OPP-OTHER", client=client))
    reach(by_name(bench, name, client=client)).session.close()  # the port serves the next


@pytest.mark.parametrize(
    ("field", "value"), [("serial", "another"), ("profile", "il")], ids=["serial", "profile"]
)
def test_a_meter_that_is_not_what_was_registered_is_not_served(
    bench: Bench, field: str, value: str
) -> None:
    """Its serial number or profile says that paper and meter do not belong together."""
    from headend.line import Line

    name = registered(bench, **{field: value})
    with pytest.raises(Refused, match=f"{value}, and says"):
        Line(by_name(bench, name))


def test_access_is_of_the_settings_and_holds_no_secret() -> None:
    """What an entry remembers are options; keys and passwords are elsewhere."""
    assert {"client", "physical", "mechanism"} <= ACCESS <= set(field_names(Settings))
    assert not ACCESS & {"keys", "password", "db", "port", "meter"}
    with pytest.raises(FieldError, match="address_size"):
        entry({"name": "x", "address_size": 3})
