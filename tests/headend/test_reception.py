"""Keeping what meters say: once, under the keys of its meter, confirmed after it is kept."""

import json
import queue
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select

from headend.cli import main
from headend.context import Context, Settings
from headend.errors import HeadendError, PortUnusable
from headend.listener.alarms import KINDS
from headend.listener.ears import Ear, Heard
from headend.listener.flood import SOURCES, Rates
from headend.listener.receiving import identity_of, start
from headend.listener.reception import CLEAR_BODY, CLEAR_BURST, WINDOW_MS, Reception
from headend.store import Store, cases, meters, notifications, registry, schema, senders
from headend.store.cases import Case
from headend.store.registry import Entry
from headend.transports import LinkKind
from headend.vault import Vault
from obis import catalogue
from obis.values import replace
from protocol.apdu.notification import EventNotificationApdu
from protocol.association import Association, ServerPolicy
from protocol.association.channel import SecureChannel
from protocol.association.envelope import Envelope
from protocol.axdr import Data, Tag, octet_string, structure, unsigned
from protocol.codes import ApplicationContext
from protocol.events import (
    AttributeRef,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    LongInvokeId,
    Notification,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from protocol.timing import Instant
from protocol.wrapper import build_header
from tests.headend.test_alarms import CLOCK, pushed
from tests.headend.test_listen import KEYS, T0, meter, said
from tests.headend.vaulted import MASTERS, own_keys

TITLE = b"OPP\0\0\0\0\7"
COVER = EventNotification(
    AttributeRef(1, catalogue.EVENT, 2), unsigned(44), bytes.fromhex("07EA0B1607083A0137FFC400")
)
CLOSED = EventNotification(AttributeRef(1, catalogue.EVENT, 2), unsigned(45))
CONFIRMED = DataNotification(structure(octet_string(b"OPP1")), LongInvokeId(8), CLOCK)


class Speaker:
    """A meter that says things, ciphered, with its system title in each.

    Args:
        keys: that it speaks under.
        title: its system title.
    """

    def __init__(self, keys: KeySet = KEYS, title: bytes = TITLE) -> None:
        counters = CounterLease(1)
        policy = ServerPolicy(
            pre_established=True,
            context=ApplicationContext.LN_CIPHERED,
            keys=keys,
            system_title=title,
        )
        self.association = Association.server(policy, bytes, counters, ReplayGuard())
        self._channel = SecureChannel(keys, title, b"", counters, ReplayGuard(), Protection.NONE)

    def say(self, notification: Notification) -> list[bytes]:
        """Return a notification as it goes out; an association would leave an event's title out."""
        if not isinstance(notification, EventNotification):
            return said(self.association, notification)
        plain = EventNotificationApdu(notification).encode()
        envelope = Envelope(Protection.AUTHENTICATED_ENCRYPTED, True)
        apdu = self._channel.seal(plain, envelope)
        return [build_header(1, 102, len(apdu)) + apdu]


@dataclass
class Desk:
    """A listener of a database, without its sockets.

    Args:
        store: the database.
        kind: what is spoken.
        in_clear: whether it believes what is said in clear.
    """

    store: Store
    kind: LinkKind = LinkKind.DATAGRAMS
    in_clear: bool = False
    now: Instant = T0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew, as after a restart: with nothing but the database."""
        self.context = Context(Settings(), now=lambda: self.now, store=self.store, masters=MASTERS)
        self.keeper = Reception(self.context, in_clear=self.in_clear, now=lambda: self.now)
        self.ears: dict[str, Ear] = {}

    def ear(self, source: str) -> Ear:
        """Return what hears an address."""
        if source not in self.ears:
            identity = identity_of(self.context)
            self.ears[source] = Ear(self.kind, source, identity, self.keeper)
        return self.ears[source]

    def hear(self, *octets: bytes, source: str = "192.0.2.1:4059") -> list[Heard]:
        """Take datagrams of an address."""
        return [one for each in octets for one in self.ear(source).receive(each, self.now)]

    def rows(self, **more: Any) -> list[notifications.Notification]:
        """Return what is kept."""
        with self.store.read() as db:
            return notifications.newest(db, 2_000, **more)

    def cases(self, *, closed: bool = False) -> list[Case]:
        """Return the cases."""
        with self.store.read() as db:
            return cases.newest(db, 100, closed=closed)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A database with one meter that was met, by name and system title."""
    opened = Store(database)
    with opened.begin() as db:
        registry.add(db, [Entry("OPP1", transport="tcp:192.0.2.1:4059")], T0)
        known = meters.by_name(db, "OPP1")
        assert known is not None
        meters.set_title(db, known, TITLE)
    yield opened
    opened.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    """A listener of it."""
    return Desk(store)


def test_what_a_known_meter_says_is_kept_under_its_name(desk: Desk) -> None:
    """By the system title that it had when it was associated with."""
    (heard,) = desk.hear(*Speaker().say(COVER))
    assert (heard.meter, heard.again) == ("OPP1", False)
    (row,) = desk.rows()
    assert (row.meter, row.authenticated, row.system_title) == ("OPP1", True, TITLE.hex())
    assert row.body["value"] == 44


def test_an_old_one_is_refused_after_a_restart(desk: Desk) -> None:
    """The counters stand in the database."""
    source = Speaker()
    old, new = source.say(COVER), source.say(CLOSED)
    desk.hear(*old, *new)
    desk.start()
    (heard,) = desk.hear(*old, source="198.51.100.1:7")
    assert heard.notification is None
    assert "counter" in heard.why
    assert [row.times for row in desk.rows()] == [1, 1]


def test_the_last_one_said_again_octet_by_octet_is_confirmed_again(desk: Desk) -> None:
    """Its confirmation may have been lost; it stays one row."""
    source = Speaker()
    (octets,) = source.say(CONFIRMED)
    (first,) = desk.hear(octets)
    answers = [desk.ear("192.0.2.1:4059").link.outgoing()]
    desk.start()
    (again,) = desk.hear(octets)
    answers.append(desk.ear("192.0.2.1:4059").link.outgoing())
    assert (first.again, again.again) == (False, True)
    assert [row.times for row in desk.rows()] == [2]
    for answer in answers:
        assert source.association.receive(answer[8:], T0) == [
            DataNotificationConfirm(CONFIRMED.invoke)
        ]


def test_the_last_counter_with_other_words_is_refused(desk: Desk) -> None:
    """Only the very same is a repetition: whoever has the key may not use a counter twice."""
    desk.hear(*Speaker().say(COVER))
    (heard,) = desk.hear(*Speaker().say(CLOSED))
    assert heard.notification is None
    assert len(desk.rows()) == 1


def test_what_is_ciphered_anew_with_the_same_number_and_stamp_is_the_same(desk: Desk) -> None:
    """As of a meter that got no confirmation: one row that came twice, confirmed twice."""
    source = Speaker()
    heard = desk.hear(*source.say(CONFIRMED), *source.say(CONFIRMED))
    assert [(each.again, each.confirmed) for each in heard] == [(False, True), (True, True)]
    assert [row.times for row in desk.rows()] == [2]


def test_without_a_stamp_the_same_is_a_repetition_for_a_while_only(desk: Desk) -> None:
    """There are meters whose number stands still: tomorrow's event is another."""
    source = Speaker()
    desk.hear(*source.say(CLOSED), *source.say(CLOSED))
    desk.now = Instant(T0 + WINDOW_MS)
    desk.hear(*source.say(CLOSED))
    assert [row.times for row in desk.rows()] == [1, 2]


def test_a_batch_with_the_same_octets_twice_is_taken_once(desk: Desk) -> None:
    """What was read together knew nothing of each other: the database decides."""
    (octets,) = Speaker().say(COVER)
    ear = desk.ear("192.0.2.1:4059")
    read = ear.read(octets, T0) + ear.read(octets, T0)
    kept = desk.keeper.keep(read, T0)
    assert [each.notification is None for each in kept] == [False, True]


def test_two_listeners_of_one_database_take_it_once(desk: Desk) -> None:
    """Both have read it before either has kept it."""
    other = Desk(desk.store)
    (octets,) = Speaker().say(COVER)
    reads = [each.ear("192.0.2.1:4059").read(octets, T0) for each in (desk, other)]
    kept = [each.keeper.keep(read, T0) for each, read in zip((desk, other), reads, strict=True)]
    assert [heard.notification is None for (heard,) in kept] == [False, True]
    assert [row.times for row in desk.rows()] == [1]


# --- confirmed after it is kept ------------------------------------------------------------------


class _Gone(HeadendError):
    """The database."""


def test_what_cannot_be_kept_is_not_confirmed_and_may_be_said_again(desk: Desk) -> None:
    """The same octets too: no counter was taken."""
    source = Speaker()
    (octets,) = source.say(CONFIRMED)
    real = desk.store.begin

    def gone() -> Any:
        raise _Gone

    desk.store.begin = gone  # type: ignore[method-assign] # of this one store, and put back below
    with suppress(_Gone):
        desk.hear(octets)
    assert desk.ear("192.0.2.1:4059").link.outgoing() == b""
    desk.store.begin = real  # type: ignore[method-assign] # as above
    (heard,) = desk.hear(octets)
    assert (heard.confirmed, heard.again) == (True, False)
    assert [row.times for row in desk.rows()] == [1]


def test_a_confirmation_is_never_longer_than_what_nothing_vouches_for(desk: Desk) -> None:
    """A forged address gets no more octets than were sent in its name."""
    shortest = DataNotification(unsigned(5), LongInvokeId(8))
    (octets,) = said(meter(None), shortest)
    (heard,) = desk.hear(octets)
    answer = desk.ear("192.0.2.1:4059").link.outgoing()
    assert heard.confirmed
    assert 0 < len(answer) <= len(octets)


# --- whose it is ---------------------------------------------------------------------------------


def test_a_meter_of_the_vault_is_heard_under_its_own_keys_only(desk: Desk) -> None:
    """Whoever has the lab's keys, which are published, does not speak for it."""
    own = own_keys()
    Vault(desk.store, MASTERS).put("OPP1", own, T0, "tester")
    (wrong,) = desk.hear(*Speaker().say(COVER))
    assert wrong.notification is None
    keys = KeySet(own.block_cipher_key, own.authentication_key)
    source = Speaker(keys)
    heard = desk.hear(*source.say(COVER), *source.say(CONFIRMED))
    assert [each.meter for each in heard] == ["OPP1", "OPP1"]
    answer = desk.ear("192.0.2.1:4059").link.outgoing()
    assert source.association.receive(answer[8:], T0) == [DataNotificationConfirm(CONFIRMED.invoke)]


def test_nobody_names_himself_a_meter_of_the_vault(desk: Desk) -> None:
    """With a title of his own, the shared keys, and its name in the body."""
    Vault(desk.store, MASTERS).put("OPP1", own_keys(), T0, "tester")
    (heard,) = desk.hear(*Speaker(title=b"STRANGER").say(CONFIRMED))
    assert (heard.meter, heard.confirmed) == ("", True)
    assert [row.meter for row in desk.rows(strangers=True)] == [""]


def test_an_unknown_title_with_a_known_name_is_that_meters(desk: Desk) -> None:
    """The name in the push, under keys that many share; from then on the title is bound to it."""
    source = Speaker(title=b"OPPTITLE")
    desk.hear(*source.say(CONFIRMED))
    (heard,) = desk.hear(*source.say(COVER))
    assert heard.meter == "OPP1"
    assert [case.kind for case in desk.cases()] == ["cover"]


@pytest.mark.parametrize("believed", [False, True], ids=["kept apart", "believed"])
def test_what_is_said_in_clear_is_nobodys_unless_that_is_believed(
    store: Store, believed: bool
) -> None:
    """Anybody can say it: it opens no case, and stands apart."""
    desk = Desk(store, in_clear=believed)
    low = pushed("00010000", low=True)
    desk.hear(*said(meter(None), replace(low, invoke=LongInvokeId(3, confirmed=False))))
    (row,) = desk.rows()
    assert (row.meter, row.authenticated) == ("OPP1" if believed else "", False)
    assert {case.kind for case in desk.cases()} == ({"tamper", "low-credit"} if believed else set())


# --- cases ---------------------------------------------------------------------------------------


def test_an_event_opens_a_case_once_and_its_opposite_closes_it(desk: Desk) -> None:
    """Said again it is counted; opened again later it is another case."""
    source = Speaker()
    (heard,) = desk.hear(*source.say(COVER))
    assert heard.cases == ("case opened: cover",)
    later = replace(COVER, time=b"")
    desk.hear(*source.say(later))
    (case,) = desk.cases()
    assert (case.kind, case.meter, case.details["times"]) == ("cover", "OPP1", 2)
    (heard,) = desk.hear(*source.say(CLOSED))
    assert heard.cases == ("case closed: cover",)
    assert desk.cases() == []
    desk.now = Instant(T0 + WINDOW_MS)
    desk.hear(*source.say(later))
    assert [each.state for each in desk.cases(closed=True)] == ["open", "closed"]


def test_what_came_again_does_not_open_what_was_closed_by_hand(desk: Desk) -> None:
    """A repetition is no news."""
    source = Speaker()
    desk.hear(*source.say(COVER))
    (case,) = desk.cases()
    with desk.store.begin() as db:
        assert cases.close(db, case.number, "tester", T0)
        assert not cases.close(db, case.number, "tester", T0)
    desk.hear(*source.say(COVER))
    assert desk.cases() == []


# --- bounds --------------------------------------------------------------------------------------


def test_strangers_are_bounded_in_rows_and_in_octets(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest give way, and a long body is cut; a meter's rows stay."""
    monkeypatch.setattr(notifications, "STRANGERS", 5)
    desk.hear(*Speaker().say(COVER))
    source = meter(None)
    for number in range(8):
        long = DataNotification(octet_string(bytes(30_000)), LongInvokeId(number, confirmed=False))
        desk.hear(*said(source, long))
    rows = desk.rows(strangers=True)
    assert len(rows) == 5
    assert all(len(row.body["cut"]) == CLEAR_BODY for row in rows)
    assert [row.meter for row in desk.rows()].count("OPP1") == 1


def test_a_meters_rows_are_bounded_and_those_of_cases_stay(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What opened a case can be looked up as long as there is the case."""
    monkeypatch.setattr(notifications, "OF_A_METER", 3)
    source = Speaker()
    desk.hear(*source.say(COVER))
    (case,) = desk.cases()
    for number in range(6):
        push = DataNotification(unsigned(1), LongInvokeId(number, confirmed=False), CLOCK)
        desk.hear(*source.say(push))
    numbers = [row.number for row in desk.rows()]
    assert len(numbers) == 4
    assert case.notification in numbers


def test_who_invents_titles_is_refused_and_nobody_is_forgotten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He needs a key for it; the counters of others stay."""
    monkeypatch.setattr(senders, "STRANGERS", 3)
    titles = [number.to_bytes(8, "big") for number in range(5)]
    heard = [each for title in titles for each in desk.hear(*Speaker(title=title).say(COVER))]
    assert [each.notification is None for each in heard] == [False] * 3 + [True] * 2
    assert "too many" in heard[-1].why
    (known,) = desk.hear(*Speaker().say(COVER))
    assert known.meter == "OPP1"


def test_in_clear_only_so_much_is_taken_of_a_host_at_a_time(desk: Desk) -> None:
    """From whatever port; a meter with keys is heard all the while."""
    source = meter(None)
    taken = 0
    for number in range(CLEAR_BURST + 10):
        push = DataNotification(unsigned(1), LongInvokeId(number, confirmed=False))
        (heard,) = desk.hear(*said(source, push), source=f"192.0.2.1:{1000 + number % 7}")
        taken += heard.notification is not None
    assert taken == CLEAR_BURST
    (known,) = desk.hear(*Speaker().say(COVER), source="192.0.2.1:1000")
    assert known.meter == "OPP1"


def test_a_bucket_fills_again_and_sources_are_bounded() -> None:
    """A token a second; all sources together have as much as two; a clock set back takes none."""
    rates = Rates(burst=2, each_second=1)
    assert [rates.allow("a", T0) for _ in range(3)] == [True, True, False]
    assert rates.allow("b", T0)
    assert not rates.allow("a", Instant(T0 - 60_000))
    later = Instant(T0 + 1_000)
    assert [rates.allow("a", later) for _ in range(2)] == [True, False]
    for number in range(2 * SOURCES):
        rates.allow(str(number), T0)
    assert len(rates._buckets) == SOURCES
    shared = Rates(burst=2, each_second=1, together=2)
    assert [shared.allow(str(number), T0) for number in range(6)] == [True] * 4 + [False] * 2


def test_a_sender_of_a_meter_is_history_that_keeps_the_meter(desk: Desk) -> None:
    """A meter that has spoken is not taken off without a word."""
    desk.hear(*Speaker().say(COVER))
    with desk.store.begin() as db:
        known = meters.by_name(db, "OPP1")
        assert known is not None
        assert {"senders", "notifications", "cases"} <= set(registry.history(db, known.id))
        db.execute(delete(schema.cases))
        assert db.execute(select(schema.senders.c.counter)).scalar() == 1


# --- commands, and beside other work -------------------------------------------------------------


def ran(url: str, *words: str) -> Any:
    """Run a command of ours; return what it reports, or its error."""
    result = CliRunner().invoke(main, ["--db", url, "--json", *words])
    return json.loads(result.stdout or result.stderr) | {"exit": result.exit_code}


def test_cases_are_listed_shown_and_closed_by_hand(desk: Desk, database: str) -> None:
    """By whom is written into the audit log; a closed one is not closed again."""
    desk.hear(*Speaker().say(COVER))
    (case,) = ran(database, "cases", "list", "--meter", "OPP1", "--kind", "cover")["cases"]
    assert (case["kind"], case["what"]) == ("cover", KINDS["cover"])
    number = str(case["case"])
    assert ran(database, "cases", "show", number)["told"] == "cover opened"
    why = ("--reason", "seal replaced")
    assert ran(database, "cases", "close", number, "--reason", "two\nlines")["exit"] == 2
    assert ran(database, "cases", "close", number, *why)["state"] == "closed"
    assert ran(database, "cases", "show", number)["reason"] == "seal replaced"
    assert ran(database, "cases", "close", number)["exit"] == 1
    assert ran(database, "cases", "list")["cases"] == []
    (closed,) = ran(database, "cases", "list", "--closed")["cases"]
    assert closed["closed_by"] == desk.context.caller
    with desk.store.read() as db:
        (row,) = db.execute(select(schema.audit)).all()
    assert (row.action, row.subject) == ("cases.close", "OPP1")
    assert json.loads(row.details)["reason"] == "seal replaced"


@pytest.mark.parametrize(
    "words",
    [("cases", "list", "--kind", "xyz"), ("cases", "show", "7"), ("cases", "close", "7"),
     ("cases", "list", "--meter", "NOBODY"), ("notifications", "--meter", "NOBODY")],
    ids=" ".join,
)  # fmt: skip # one row a case
def test_what_is_not_there_is_wrong_usage(store: Store, database: str, words: Any) -> None:
    """Told in one line."""
    found = ran(database, *words)
    assert found["exit"] == 2
    assert found["error"]


def test_notifications_are_listed_for_people_and_machines(desk: Desk, database: str) -> None:
    """Of a meter, or those that are nobody's."""
    desk.hear(*Speaker().say(COVER), *said(meter(None), CONFIRMED))
    (mine,) = ran(database, "notifications", "--meter", "OPP1")["notifications"]
    assert (mine["system_title"], mine["said"]["value"]) == (TITLE.hex().upper(), 44)
    (other,) = ran(database, "notifications", "--unknown")["notifications"]
    assert (other["meter"], other["authenticated"]) == (None, False)
    text = CliRunner().invoke(main, ["--db", database, "notifications"]).stdout
    assert "OPP1" in text
    assert mine["told"] == "cover opened"
    assert "  cover opened\n" in text
    shown = ran(database, "notifications", "show", str(mine["number"]))
    assert shown == mine | {"exit": 0}
    for kept, vouched in ((mine, "key"), (other, "nothing, it came in clear")):
        words = ["--db", database, "notifications", "show", str(kept["number"])]
        lines = CliRunner().invoke(main, words).stdout.splitlines()
        assert f"vouched by    {vouched}" in lines
        assert {line[12:14] for line in lines} == {"  "}  # what is said stands below each other
    assert ran(database, "notifications", "list", "--unknown")["notifications"] == [other]
    assert ran(database, "notifications", "show", "99")["exit"] == 2
    assert "unknown, 192.0.2.1:4059" in text


def test_a_number_that_json_has_not_leaves_json_json(
    desk: Desk, store: Store, database: str
) -> None:
    """NaN is told as a word, also of a row of before, in which it stands bare."""
    infinite = Data(Tag.FLOAT64, float("inf"))
    push = EventNotification(AttributeRef(1, catalogue.EVENT, 2), infinite)
    desk.hear(*Speaker().say(push))
    assert heard_value(database) == "Infinity"
    with store.begin() as db:
        db.exec_driver_sql("""UPDATE notifications SET body = '{"value": NaN}'""")
    assert heard_value(database) == "NaN"


def heard_value(database: str) -> Any:
    """Return the value of the only notification, read by the letter of JSON."""

    def refused(word: str) -> Any:
        raise AssertionError(f"{word} is not JSON")

    shown = CliRunner().invoke(main, ["--json", "--db", database, "notifications"]).stdout
    (found,) = json.loads(shown, parse_constant=refused)["notifications"]
    return found["said"]["value"]


def test_beside_other_work_ports_are_listened_at_until_stopped(store: Store) -> None:
    """One keeper, a thread a port; what was said is kept when it has been told."""
    told: queue.Queue[Heard] = queue.Queue()
    context = Context(Settings(), store=store, masters=MASTERS)
    receiving = start(context, ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"], tell=told.put)
    try:
        for place, push in zip(receiving.places, (COVER, CLOSED), strict=True):
            scheme, _, address = place.partition(":")
            kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
            with socket.socket(socket.AF_INET, kind) as mouth:
                mouth.connect(("127.0.0.1", int(address.rpartition(":")[2])))
                source = Speaker(title=scheme.encode().ljust(8, b"\0"))
                mouth.sendall(source.say(push)[0])
                assert told.get(timeout=30).notification == push
    finally:
        receiving.stop()
    with store.read() as db:
        assert len(notifications.newest(db, 10)) == 2


def test_one_port_that_cannot_be_listened_at_leaves_none_open(store: Store) -> None:
    """All of them, or an error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortUnusable):
            start(Context(Settings(), store=store), ["udp:127.0.0.1:0", place])
