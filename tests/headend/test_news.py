"""News: an event opens a case once, however often it is shown; a closed case stays closed.

The oracle of the lives below numbers the events and remembers which it was told of; the listener
compares what is shown with what was shown before.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headend.listener.alarms import EVENTS, RELAY_EVENTS
from headend.listener.news import (
    CAUSES,
    COUNTERS,
    EVENT,
    LOW,
    RELAY_EVENT,
    Shown,
    is_news,
    last_shown,
    shown,
)
from headend.store import Store
from obis import catalogue
from obis.values import replace
from protocol.axdr import (
    long_unsigned,
    octet_string,
    structure,
    unsigned,
)
from protocol.events import AttributeRef, DataNotification
from tests.headend.pushes import (
    CLOCK_REF,
    CLOSED,
    COVER,
    ENERGY,
    LIST,
    NAME_REF,
    SERIAL_REF,
    as_made,
    close,
    kinds,
    listed,
    met,
)
from tests.headend.test_listen import meter, said
from tests.headend.test_reception import Desk


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A database."""
    opened = Store(database)
    yield opened
    opened.close()


# --- the table -----------------------------------------------------------------------------------

NEWS = [
    ("the first that is shown", Shown(COVER, 5), None, True),
    ("the same event", Shown(COVER, 5), Shown(COVER, 5), False),
    ("another of that code", Shown(COVER, 7), Shown(COVER, 5), True),
    ("another code", Shown(CLOSED, 6), Shown(COVER, 5), True),
    ("a log that was lost and begins anew", Shown(COVER, 1), Shown(COVER, 5), True),
    ("the same code, since when it has a counter", Shown(COVER, 5), Shown(COVER), False),
    ("another code, since when it has a counter", Shown(CLOSED, 6), Shown(COVER), True),
    ("the same code, its counter is gone", Shown(COVER), Shown(COVER, 5), False),
    ("a register with the same code", Shown(COVER), Shown(COVER), False),
    ("a register with another code", Shown(CLOSED), Shown(COVER), True),
    ("sent for it, without a counter", Shown(COVER, None, True), Shown(COVER), True),
    ("sent for it, with the same counter", Shown(COVER, 5, True), Shown(COVER, 5, True), False),
]


@pytest.mark.parametrize(
    ("now", "before", "news"), [row[1:] for row in NEWS], ids=[r[0] for r in NEWS]
)
def test_what_is_news(now: Shown, before: Shown | None, news: bool) -> None:
    """Row by row, as the table of the module has it."""
    assert is_news(now, before) is news


BESIDE = [
    ("nothing", [], True),
    ("who and when", [CLOCK_REF, NAME_REF, SERIAL_REF, LIST], True),
    ("its counter", [COUNTERS[EVENT]], True),
    ("energy", [ENERGY], False),
    ("a state", [LOW], False),
    ("another event", [RELAY_EVENT], False),
]


@pytest.mark.parametrize(
    ("beside", "alone"), [row[1:] for row in BESIDE], ids=[r[0] for r in BESIDE]
)
def test_what_an_event_may_have_beside_it_to_be_sent_for(
    beside: list[AttributeRef], alone: bool
) -> None:
    """Who and when; beside anything else it is a register among others."""
    values = {EVENT: COVER, **dict.fromkeys(beside, 1)}
    assert shown(values, ours=False)[EVENT].alone is alone
    assert shown(values, ours=True)[EVENT].alone is (not beside)


def test_null_data_is_not_shown_and_a_counter_is_a_number() -> None:
    """What the reader may not see says nothing, and no truth value counts events."""
    counter = COUNTERS[EVENT]
    assert shown({EVENT: None, CAUSES: None}, ours=True) == {}
    assert shown({EVENT: COVER, counter: None, LOW: False}, ours=True)[EVENT] == Shown(COVER)
    assert shown({EVENT: COVER, counter: True, LOW: False}, ours=True)[EVENT] == Shown(COVER)


def test_no_more_is_looked_at_than_it_takes() -> None:
    """From the newest back, until each was found."""
    rows: list[dict[str, Any]] = [
        {"body": ["who knows"]},
        {"class": 1, "code": str(catalogue.EVENT), "attribute": 2, "value": COVER},
        {"class": 1, "code": str(catalogue.EVENT), "attribute": 2, "value": CLOSED},
        {"class": 1, "code": str(catalogue.LOW_CREDIT), "attribute": 2, "value": True},
        {"never": "looked at"},
    ]
    bodies = iter(rows)
    found = last_shown((EVENT, LOW), bodies, ours=True)
    assert {ref: each.value for ref, each in found.items()} == {EVENT: COVER, LOW: True}
    assert next(bodies) == {"never": "looked at"}
    assert last_shown((), iter([{}]), ours=True) == {}


# --- lives ---------------------------------------------------------------------------------------

#: Codes of either log, some that open and close nothing among them.
CODES = {EVENT: (2, 44, 45, 48, 200, 204, 205), RELAY_EVENT: (62, 63, 65, 66, 68, 201, 202)}
TABLES = {EVENT: EVENTS, RELAY_EVENT: RELAY_EVENTS}
BITS = {"cut": 0, "over-limit": 2, "tamper": 3, "gas-safety": 4}


class Life(NamedTuple):
    """What one life is made of: steps, each with a number that chooses."""

    steps: list[tuple[str, int]]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["event", "relay", "low", "cause", "push", "push", "push", "close", "close", "again",
             "other", "restart"]
        ),
        st.integers(0, 6),
    ),
    min_size=8,
    max_size=24,
).map(Life)  # fmt: skip # one row of steps


class Oracle:
    """The cases, from events that are numbered by hand."""

    def __init__(self) -> None:
        self.logs: dict[AttributeRef, list[int]] = {EVENT: [], RELAY_EVENT: []}
        self.told: set[tuple[AttributeRef, int]] = set()
        self.low, self.causes = False, set[str]()
        self.said_low, self.said_causes = False, set[str]()
        self.open: set[str] = set()
        self.ever: Counter[str] = Counter()

    def opens(self, kind: str) -> None:
        """Open a case, unless it is."""
        self.ever[kind] += kind not in self.open
        self.open.add(kind)

    def push(self) -> None:
        """Be told of the last event of each log, and of the states."""
        for log in (RELAY_EVENT, EVENT):
            number = len(self.logs[log])
            if number and (log, number) not in self.told:
                self.told.add((log, number))
                alarm = TABLES[log].get(self.logs[log][-1])
                for kind in alarm.opens if alarm else ():
                    self.opens(kind)
                self.open -= set(alarm.closes if alarm else ())
        if self.low and not self.said_low:
            self.opens("low-credit")
        for kind in self.causes - self.said_causes:
            self.opens(kind)
        self.open -= BITS.keys() - self.causes
        self.open -= set() if self.low else {"low-credit"}
        self.said_low, self.said_causes = self.low, set(self.causes)

    def message(self, number: int) -> DataNotification:
        """Return the push of this moment."""
        bits = ["1" if kind in self.causes else "0" for kind in ("cut", "", *list(BITS)[1:])]
        last = {ref: (log[-1] if log else 0, len(log)) for ref, log in self.logs.items()}
        causes = "".join(bits).ljust(8, "0")
        return as_made(number, last[EVENT], last[RELAY_EVENT], causes, low=self.low)


@settings(
    max_examples=20,
    deadline=None,  # of a database
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each life has its own meter
)
@given(life=STEPS)
def test_each_event_opens_at_most_one_case_in_any_life(store: Store, life: Life) -> None:
    """Pushed for whatever, repeated, closed by hand, and over restarts of the listener."""
    desk, source, name = met(store)
    oracle = Oracle()
    heard: list[DataNotification] = []
    for step, which in life.steps:
        if step in ("event", "relay"):
            log = EVENT if step == "event" else RELAY_EVENT
            oracle.logs[log].append(CODES[log][which])
        elif step == "low":
            oracle.low = not oracle.low
        elif step == "cause":
            oracle.causes ^= {list(BITS)[which % len(BITS)]}
        elif step == "push":
            heard.append(oracle.message(len(heard) + 1))
            oracle.push()
            desk.hear(*source.say(heard[-1]))
        elif step == "again" and heard:
            (again,) = desk.hear(*source.say(heard[which % len(heard)]))
            assert (again.again, again.cases, again.confirmed) == (True, (), True)
        elif step == "other":
            desk.hear(*source.say(listed(50 + which, {ENERGY: long_unsigned(which)})))
        elif step == "restart":
            desk.start()
        elif step == "close" and oracle.open:
            kind = sorted(oracle.open)[which % len(oracle.open)]
            oracle.open.discard(kind)
            close(desk, name, kind)
    assert set(kinds(desk, name)) == oracle.open
    assert Counter(kinds(desk, name, closed=True)) == oracle.ever
    whose = [row for row in desk.rows() if row.meter == name]
    assert len({row.digest for row in whose}) == len(whose)
    assert sum(row.service == "data-notification" for row in whose) >= len(heard)


# --- pinned --------------------------------------------------------------------------------------


def test_a_closed_case_stays_closed_until_there_is_another_event(store: Store) -> None:
    """The register shows the cover in each push; only another opening is another case."""
    desk, source, name = met(store)
    none = (0, 0)
    desk.hear(*source.say(as_made(1, (COVER, 5), none, "00000000", low=False)))
    (case,) = desk.cases()
    assert case.details["told"] == "event 5: cover opened"
    desk.hear(*source.say(as_made(2, (COVER, 5), none, "00000000", low=True)))
    assert case.details["times"] == desk.cases()[-1].details["times"] == 1
    close(desk, name, "cover")
    desk.hear(*source.say(as_made(3, (COVER, 5), (62, 1), "01000000", low=True)))
    assert kinds(desk, name) == ["low-credit"]
    desk.hear(*source.say(as_made(4, (COVER, 7), (62, 1), "01000000", low=True)))
    assert kinds(desk, name) == ["cover", "low-credit"]
    (heard,) = desk.hear(*source.say(as_made(5, (CLOSED, 8), (62, 1), "01000000", low=True)))
    assert heard.cases == ("case closed: cover",)


@pytest.mark.parametrize(
    ("kind", "causes", "low"),
    [(kind, "1".rjust(bit + 1, "0").ljust(8, "0"), False) for kind, bit in BITS.items()]
    + [("low-credit", "00000000", True)],
)
def test_a_state_that_lasts_opens_no_case_anew(
    store: Store, kind: str, causes: str, low: bool
) -> None:
    """It is no news until it has ended, and begins again; other states are their own."""
    desk, source, name = met(store)
    none, nothing = (0, 0), "00000000"
    desk.hear(*source.say(as_made(1, none, none, causes, low=low)))
    assert kinds(desk, name) == [kind]
    close(desk, name, kind)
    desk.hear(*source.say(as_made(2, none, none, causes, low=low)))
    assert kinds(desk, name) == []
    desk.hear(*source.say(as_made(3, none, none, nothing, low=False)))
    desk.hear(*source.say(as_made(4, none, none, causes, low=low)))
    assert kinds(desk, name) == [kind]


def test_of_two_logs_what_opens_a_case_counts_last(store: Store) -> None:
    """Connected, and credit used up: nobody knows in which order, so somebody looks."""
    desk, source, name = met(store)
    desk.hear(*source.say(as_made(1, (204, 2), (69, 3), "00000000", low=False)))
    assert kinds(desk, name) == ["used-up"]


def test_what_an_event_has_closed_it_does_not_close_again(store: Store) -> None:
    """Connected, as the relay's log still says, before the credit was used up."""
    desk, source, name = met(store)
    connected = (69, 3)
    desk.hear(*source.say(as_made(1, (2, 1), connected, "00000000", low=False)))
    desk.hear(*source.say(as_made(2, (204, 2), connected, "00000000", low=False)))
    desk.hear(*source.say(as_made(3, (204, 2), connected, "00000000", low=False)))
    assert kinds(desk, name) == ["used-up"]


def test_an_event_and_the_state_that_it_led_to_are_told_once(store: Store) -> None:
    """Cut, and the relay held open for it: a case that was told of once, by the event."""
    desk, source, _ = met(store)
    desk.hear(*source.say(as_made(1, (205, 9), (64, 4), "10000000", low=False)))
    (case,) = desk.cases()
    assert (case.kind, case.details["told"]) == ("cut", "event 9: cut for want of credit")
    assert case.details["times"] == 1


def test_who_is_connected_again_when_the_push_goes_out_is_not_cut(store: Store) -> None:
    """A case that was opened and closed: it happened, and is over."""
    desk, source, name = met(store)
    (heard,) = desk.hear(*source.say(as_made(1, (205, 9), (69, 5), "00000000", low=False)))
    assert heard.cases == ("case opened: cut", "case closed: cut")
    assert kinds(desk, name) == []


def test_a_register_without_a_counter_is_told_by_its_code(store: Store) -> None:
    """Beside energy; another code comes between two events of one code."""
    desk, source, name = met(store)
    for number, code, expected in [
        (1, COVER, ["cover"]), (2, COVER, []), (3, CLOSED, []), (4, COVER, ["cover"]),
    ]:  # fmt: skip # one row a push
        values = {
            NAME_REF: octet_string(b"X"),
            ENERGY: long_unsigned(number),
            EVENT: unsigned(code),
        }
        desk.hear(*source.say(listed(number, values)))
        assert kinds(desk, name) == expected
        if expected:
            close(desk, name, "cover")


@pytest.mark.parametrize(("maker", "cases_of_two"), [("XYZ", 2), ("OPP", 1)])
def test_a_push_of_an_event_alone_is_sent_for_it_unless_it_is_of_ours(
    store: Store, maker: str, cases_of_two: int
) -> None:
    """Each is an event, without a counter too; ours push the same list for whatever happens."""
    desk, source, name = met(store, maker)
    for number in (1, 2):
        alone = listed(number, {NAME_REF: octet_string(b"X"), EVENT: unsigned(48)})
        desk.hear(*source.say(alone), *source.say(alone))
        if kinds(desk, name):
            close(desk, name, "keys")
    assert kinds(desk, name, closed=True) == ["keys"] * cases_of_two


def test_nobody_takes_the_news_from_a_meter_by_telling_it_in_clear(store: Store) -> None:
    """What a key vouches for is compared with what a key vouched for."""
    desk, source, name = met(store)
    trusting = Desk(store, in_clear=True)
    push = as_made(1, (48, 6), (0, 0), "00000000", low=False)
    body = structure(*push.body.value[:1], octet_string(name.encode()), *push.body.value[2:])
    forged = replace(push, body=body)
    (heard,) = trusting.hear(*said(meter(None), forged))
    assert (heard.meter, heard.cases) == (name, ("case opened: keys",))
    close(desk, name, "keys")
    (heard,) = desk.hear(*source.say(push))
    assert heard.cases == ("case opened: keys",)


def test_what_was_shown_long_ago_is_remembered_as_long_as_it_is_kept(store: Store) -> None:
    """Behind more of other things than are looked at first."""
    desk, source, name = met(store)
    desk.hear(*source.say(as_made(1, (COVER, 5), (0, 0), "00000000", low=False)))
    close(desk, name, "cover")
    for count in range(20):
        desk.hear(*source.say(listed(count, {ENERGY: long_unsigned(count)})))
    desk.hear(*source.say(as_made(21, (COVER, 5), (0, 0), "00000000", low=False)))
    assert kinds(desk, name) == []
