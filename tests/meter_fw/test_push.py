"""Pushing: what the meter says unasked, to whom, when, and what becomes of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from meter_fw.board import Dial, Outputs, PortId, PortKind
from meter_fw.events import Code, RelayCode
from meter_fw.policies import MANAGEMENT_SAP
from meter_fw.push import PATIENCE, QUEUE, Cause, Outcome
from meter_fw.push_setup import PLAIN_PUSH_SAP, PUSH_SAP
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol.association import Association, ClientSettings
from protocol.axdr import (
    Data,
    array,
    bit_string,
    boolean,
    double_long_unsigned,
    enum,
    integer,
    long_unsigned,
    null,
    octet_string,
    structure,
    unsigned,
)
from protocol.codes import ActionResult, ApplicationContext, DataAccessResult
from protocol.cosem_time import CosemDateTime
from protocol.events import (
    ActionRequest,
    DataNotification,
    DataNotificationConfirm,
    LinkConnect,
    LinkData,
    LongInvokeId,
    MethodRef,
    Peer,
)
from protocol.link import Link
from protocol.security import CounterLease, ReplayGuard
from protocol.timing import Instant, later
from protocol.udp import DatagramLink, datagrams
from protocol.wrapper import WrapperLink
from sim.flash import MemoryFlash
from tests.meter_fw import rig as rigs
from tests.meter_fw.client import KEYS, MANAGER, TITLE, Client, entropy
from tests.meter_fw.rig import Rig

SETUP = catalogue.PUSH_SETUP
PUSH = MethodRef(40, SETUP, 1)
KINDS = {"udp": PortKind.UDP, "tcp": PortKind.WRAPPER}
CIPHERED = ClientSettings(
    pre_established=True,
    context=ApplicationContext.LN_CIPHERED,
    keys=KEYS,
    system_title=TITLE,
    max_pdu_receive=0xFFFF,
)


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A meter that was made to push over UDP or over TCP."""
    return pushing(request.param)


def pushing(scheme: str = "udp", profile: str = "be-wal", **more: Any) -> Rig:
    """Return a meter with somebody to push to."""
    made = Rig(profile, **more)
    made.factory = replace(made.factory, push_to=f"{scheme}:192.0.2.7:4059")
    made.boot()
    return made


@dataclass
class Listener:
    """Whom the meter calls: takes the call, or not, and hears and confirms.

    Args:
        rig: the meter.
        settings: of the pre-established association.
        sap: the client SAP that pushes go to.
    """

    rig: Rig
    settings: ClientSettings = CIPHERED
    sap: int = PUSH_SAP
    heard: list[DataNotification] = field(default_factory=list)
    ports: list[PortId] = field(default_factory=list)
    #: at the end of all others, for one push after the other
    guard: ReplayGuard = field(default_factory=ReplayGuard)

    def call(self) -> Dial:
        """Return whom the meter calls at this moment."""
        ((port, whom),) = self.rig.last.dial.items()
        self.ports.append(port)
        return whom

    def take(self) -> Outputs:
        """Take the call, and hear what is said."""
        whom = self.call()
        self.peer = Peer(self.sap, 1)
        made = DatagramLink if whom.kind is PortKind.UDP else WrapperLink
        self.link: Link = made.client(self.peer)
        self.link.send(LinkConnect(self.peer), self.rig.now)
        self.association = Association.client(self.settings, entropy, CounterLease(1), self.guard)
        outputs = self.rig.tick(opened={self.ports[-1]: whom.kind})
        octets = outputs.tx[self.ports[-1]]
        pieces = list(datagrams(octets)) if whom.kind is PortKind.UDP else [octets]
        for piece in pieces:
            for event in self.link.receive(piece, self.rig.now):
                if isinstance(event, LinkData):
                    for said in self.association.receive(event.apdu, self.rig.now):
                        assert isinstance(said, DataNotification)
                        self.heard.append(said)
        return outputs

    def refuse(self) -> None:
        """Do not take the call."""
        self.call()
        self.rig.tick(closed=frozenset({self.ports[-1]}))

    def confirm(self, invoke: LongInvokeId | None = None) -> Outputs:
        """Confirm the last that was heard."""
        confirmed = DataNotificationConfirm(invoke or self.heard[-1].invoke)
        self.association.send(confirmed, self.rig.now)
        self.link.send(LinkData(self.peer, self.association.outgoing()), self.rig.now)
        return self.rig.tick(rx={self.ports[-1]: self.link.outgoing()})


def cut(rig: Rig) -> None:
    """Let an operator cut the supply."""
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 1) is ActionResult.SUCCESS


def ask(rig: Rig) -> None:
    """Push by the method."""
    assert rig.act(SETUP, 40, 1, integer(0)) is ActionResult.SUCCESS


def confirmed(rig: Rig) -> None:
    """Let pushes have to be confirmed."""
    assert rig.set(SETUP, 40, enum(2), 11) is DataAccessResult.SUCCESS


def outcome(rig: Rig) -> tuple[Outcome, Cause, int]:
    """Return what became of the last push, why it was, and how often it was tried."""
    pushed = rig.kernel.state.pushed
    return Outcome(pushed.outcome), Cause(pushed.cause), pushed.tries


def wait(rig: Rig, seconds: int) -> None:
    """Let time pass, stopping wherever the meter wants to."""
    end = later(rig.now, seconds * 1000)
    while rig.now < end:
        wakes = [rig.last.wake_at, rig.last.line_wake_at or end, end]
        rig.now = max(min(wakes), Instant(rig.now + 1))
        rig.tick()
        if rig.last.dial:
            return


# --- what is said --------------------------------------------------------------------------------


def test_a_move_of_the_relay_is_pushed(rig: Rig) -> None:
    """By whom, who, when, what has happened, and the last events, in the order of the list."""
    listener = Listener(rig)
    cut(rig)
    kind = KINDS[rig.factory.push_to[:3]]
    outputs = listener.take()
    assert listener.rig.kernel.state.pushed.number == 1
    (said,) = listener.heard
    assert said == DataNotification(
        structure(
            octet_string(SETUP.to_bytes()),
            octet_string(rigs.NAME.encode()),
            octet_string(rig.stamp().to_bytes()),
            enum(0),
            bit_string("01000000"),
            structure(enum(1), enum(1)),
            boolean(False),
            unsigned(Code.POWER_UP),
            double_long_unsigned(1),
            unsigned(RelayCode.REMOTE_DISCONNECTION),
            double_long_unsigned(1),
        ),
        LongInvokeId(1, confirmed=False),
        rig.stamp().to_bytes(),
    )
    assert outputs.close == {listener.ports[-1]}
    assert outcome(rig) == (Outcome.SENT, Cause.RELAY, 1)
    assert kind in KINDS.values()


def test_the_meter_calls_whom_it_was_made_to_call(rig: Rig) -> None:
    """At the moment at which it happened."""
    cut(rig)
    assert Listener(rig).call() == Dial(KINDS[rig.factory.push_to[:3]], "192.0.2.7:4059")


def test_the_management_client_may_ask_for_a_push_through_the_line() -> None:
    """The answer goes first."""
    rig = pushing()
    client = Client(rig, MANAGER, MANAGEMENT_SAP)
    client.open()
    answered = client.say(ActionRequest(PUSH, integer(0)))
    assert getattr(answered, "result", None) is ActionResult.SUCCESS
    Listener(rig).take()
    assert outcome(rig) == (Outcome.SENT, Cause.ASKED, 1)


def test_activation_and_closing_are_pushed() -> None:
    """The account says which."""
    rig = pushing("udp", "il")
    listener = Listener(rig)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000))
    listener.take()
    assert outcome(rig)[1] is Cause.ACTIVATED
    assert listener.heard[-1].body.value[5] == structure(enum(2), enum(2))
    rig.order(2, Kind.DEACTIVATE)
    listener.take()
    assert outcome(rig)[1] is Cause.CLOSED
    assert listener.heard[-1].body.value[5].value[1] == enum(3)


def test_low_credit_is_pushed_once() -> None:
    """When it is announced."""
    rig = pushing("udp", "il")
    listener = Listener(rig)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 10_000))
    listener.take()
    while not rig.kernel.state.account.low_announced:
        rig.use(1_000)
        assert rig.balance > -10_000
    listener.take()
    assert outcome(rig) == (Outcome.SENT, Cause.LOW_CREDIT, 1)
    rig.use(1)
    assert not rig.last.dial


def test_nothing_is_pushed_by_a_meter_without_a_destination() -> None:
    """And the method says so."""
    rig = Rig()
    cut(rig)
    assert not rig.last.dial
    assert rig.act(SETUP, 40, 1, integer(0)) is ActionResult.TEMPORARY_FAILURE
    assert outcome(rig) == (Outcome.NONE, Cause.NONE, 0)


def test_what_the_reader_may_not_see_is_pushed_as_null() -> None:
    """And so is what is not there; the places stay."""
    rig = pushing()
    wanted = [(15, catalogue.CURRENT_ASSOCIATION, 7), (3, catalogue.CLOCK, 2), (9, SETUP, 2)]
    known = (3, catalogue.ACTIVE_ENERGY_IMPORT, 2)
    assert rig.set(SETUP, 40, objects(*wanted, known), 2) is DataAccessResult.SUCCESS
    listener = Listener(rig)
    ask(rig)
    listener.take()
    *missing, energy = listener.heard[-1].body.value
    assert missing == [null()] * 3
    assert energy == rig.get(catalogue.ACTIVE_ENERGY_IMPORT, 3)


def test_a_push_in_clear_goes_where_it_was_set_to() -> None:
    """Client SAP 103; the values are the same."""
    rig = pushing()
    assert rig.set(SETUP, 40, integer(PLAIN_PUSH_SAP), 9) is DataAccessResult.SUCCESS
    plain = ClientSettings(pre_established=True, max_pdu_receive=0xFFFF)
    listener = Listener(rig, plain, PLAIN_PUSH_SAP)
    ask(rig)
    listener.take()
    assert listener.heard[-1].body.value[1] == octet_string(rigs.NAME.encode())


def test_a_long_push_goes_in_blocks(rig: Rig) -> None:
    """A log of 64 entries, which no APDU of 1024 octets holds."""
    for identity in range(70):
        rig.order(identity, Kind.DISARM)
    log = (7, catalogue.TRANSACTION_LOG, 2)
    assert rig.set(SETUP, 40, objects(log), 2) is DataAccessResult.SUCCESS
    listener = Listener(rig)
    ask(rig)
    listener.take()
    assert listener.heard[-1].body.value == (rig.get(catalogue.TRANSACTION_LOG, 7),)


# --- what becomes of it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "exponent", "longest", "expected"),
    [
        (10, 300, 60, [10, 30, 60]),
        (1, 150, 100, [1, 1, 2]),  # 1, 1.5 and 2.25
        (100, 50, 1000, [100, 50, 25]),
    ],
)
def test_a_push_that_nobody_takes_is_tried_again_as_often_as_the_setup_says(
    rig: Rig, least: int, exponent: int, longest: int, expected: list[int]
) -> None:
    """After the repetition delay, each time longer by hundredths, up to the longest."""
    assert rig.set(SETUP, 40, unsigned(3), 6) is DataAccessResult.SUCCESS
    delays = structure(*map(long_unsigned, (least, exponent, longest)))
    assert rig.set(SETUP, 40, delays, 7) is DataAccessResult.SUCCESS
    listener = Listener(rig)
    cut(rig)
    waited = []
    for tries in (1, 2, 3):
        listener.refuse()
        assert outcome(rig) == (Outcome.NOT_REACHED, Cause.RELAY, tries)
        before = rig.now
        wait(rig, 3600)
        waited.append((rig.now - before) // 1000)
    assert waited == expected
    listener.refuse()
    assert outcome(rig) == (Outcome.NOT_REACHED, Cause.RELAY, 4)
    wait(rig, 7200)
    assert not rig.last.dial
    assert listener.heard == []


def test_a_call_that_is_neither_taken_nor_refused_is_given_up(rig: Rig) -> None:
    """The board is told to stop calling."""
    cut(rig)
    listener = Listener(rig)
    listener.call()
    assert rig.last.line_wake_at == later(rig.now, PATIENCE)
    rig.now = later(rig.now, PATIENCE)
    assert rig.tick().close == {listener.ports[-1]}
    assert outcome(rig)[0] is Outcome.NOT_REACHED


def test_a_confirmed_push_waits_for_its_confirmation(rig: Rig) -> None:
    """Only then it hangs up, and remembers when that was."""
    confirmed(rig)
    listener = Listener(rig)
    cut(rig)
    outputs = listener.take()
    assert listener.heard[-1].invoke.confirmed
    assert not outputs.close
    assert outcome(rig)[0] is Outcome.NONE
    assert listener.confirm().close == {listener.ports[-1]}
    assert outcome(rig) == (Outcome.CONFIRMED, Cause.RELAY, 1)
    assert rig.get(SETUP, 40, 13) == octet_string(rig.stamp().to_bytes())
    rig.boot()
    assert rig.get(SETUP, 40, 13) == octet_string(rig.stamp().to_bytes())


def unconfirmed(rig: Rig, listener: Listener) -> None:
    """Let patience with a listener end, and the next try come."""
    rig.now = later(rig.now, PATIENCE)
    assert rig.tick().close == {listener.ports[-1]}
    assert outcome(rig)[0] is Outcome.NOT_CONFIRMED
    wait(rig, 120)


def test_a_push_that_is_not_confirmed_is_the_same_message_again(rig: Rig) -> None:
    """After patience and the repetition delay: number, time and values, whatever came between.

    Under another invocation counter, or the listener's guard would refuse it.
    """
    confirmed(rig)
    listener = Listener(rig)
    cut(rig)
    listener.take()
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 2) is ActionResult.SUCCESS  # and again on
    unconfirmed(rig, listener)
    listener.take()
    first, again = listener.heard
    assert again == first
    assert again.invoke.number == rig.kernel.state.pushed.number == 1
    listener.confirm()
    assert outcome(rig) == (Outcome.CONFIRMED, Cause.RELAY, 2)
    listener.take()  # of what came between: a message of its own
    assert listener.heard[-1].invoke.number == 2
    assert listener.heard[-1].body != first.body


def test_a_push_says_what_it_is_for_however_late_it_is_said(rig: Rig) -> None:
    """Values and clock are of then; number and time of the message, of when it is said first."""
    listener = Listener(rig)
    happened = rig.stamp().to_bytes()
    cut(rig)
    listener.refuse()
    assert rig.act(catalogue.DISCONNECT_CONTROL, 70, 2) is ActionResult.SUCCESS
    wait(rig, 120)
    listener.take()
    (said,) = listener.heard
    assert (said.invoke.number, said.date_time) == (1, rig.stamp().to_bytes())
    assert said.date_time != happened
    clock, state, *_, code, counter = said.body.value[2:]
    assert (clock, state) == (octet_string(happened), enum(0))
    assert (code, counter) == (unsigned(RelayCode.REMOTE_DISCONNECTION), double_long_unsigned(1))


def test_a_power_cut_between_two_tries_takes_no_number_twice(rig: Rig) -> None:
    """What was said before it is not said again; what is said after it has the next number."""
    confirmed(rig)
    listener = Listener(rig)
    cut(rig)
    listener.take()
    rig.boot()
    ask(rig)
    listener.take()
    assert [said.invoke.number for said in listener.heard] == [1, 2]


def test_the_confirmation_of_another_push_is_none(rig: Rig) -> None:
    """A number that was heard before confirms nothing."""
    confirmed(rig)
    listener = Listener(rig)
    cut(rig)
    listener.take()
    listener.confirm(LongInvokeId(0))
    assert outcome(rig)[0] is Outcome.NONE
    listener.confirm()
    assert outcome(rig)[0] is Outcome.CONFIRMED


def test_a_client_who_hangs_up_has_not_confirmed(rig: Rig) -> None:
    """Whatever he has heard."""
    confirmed(rig)
    listener = Listener(rig)
    cut(rig)
    listener.take()
    rig.tick(closed=frozenset({listener.ports[-1]}))
    assert outcome(rig)[0] is Outcome.NOT_CONFIRMED


def test_a_push_without_an_invocation_counter_is_not_said() -> None:
    """Never with a counter that was used."""
    rig = pushing()
    state = rig.kernel.state
    worn = replace(state.counters, reserved=0xFFFFFFFF)
    rig.kernel._state = replace(state, counters=worn)
    rig.kernel._counting._next = 0xFFFFFFFF
    cut(rig)
    listener = Listener(rig)
    port = next(iter(rig.last.dial))
    assert port not in rig.tick(opened={port: listener.call().kind}).tx
    assert outcome(rig)[0] is Outcome.NOT_SAID


def test_one_push_after_the_other(rig: Rig) -> None:
    """What happens meanwhile waits; the call for it goes out when the first is over."""
    cut(rig)
    ((first, whom),) = rig.last.dial.items()
    ask(rig)
    assert not rig.last.dial
    ((second, _),) = rig.tick(opened={first: whom.kind}).dial.items()
    assert second != first
    assert outcome(rig)[1] is Cause.RELAY
    rig.tick(opened={second: whom.kind})
    assert outcome(rig)[1] is Cause.ASKED


def test_the_queue_is_bounded_and_what_is_dropped_is_counted() -> None:
    """A meter whose client has gone does not fill its memory."""
    rig = pushing()
    for _ in range(QUEUE + 5):
        ask(rig)
    assert len(rig.kernel._pusher._queue) == QUEUE
    assert rig.kernel.state.pushed.dropped == 5


def test_numbers_go_on_after_a_power_cut(rig: Rig) -> None:
    """So that no confirmation fits two pushes."""
    listener = Listener(rig)
    ask(rig)
    listener.take()
    rig.boot()
    ask(rig)
    listener.take()
    assert [said.invoke.number for said in listener.heard] == [1, 2]


def test_metering_goes_on_while_a_push_hangs() -> None:
    """Energy, display and other clients do not notice."""
    rig = pushing()
    cut(rig)
    before = rig.kernel.state.energy.imported
    rig.use(500)
    assert rig.kernel.state.energy.imported == before + 500
    client = Client(rig, MANAGER, MANAGEMENT_SAP)
    client.open()
    assert client.association.is_open


# --- when it may ---------------------------------------------------------------------------------


def test_meters_do_not_all_push_at_once() -> None:
    """The delay is anything up to the randomisation interval."""
    rig = pushing()
    assert rig.set(SETUP, 40, long_unsigned(600), 5) is DataAccessResult.SUCCESS
    rig.kernel._pusher._entropy = lambda length: (250_000).to_bytes(length, "big")
    cut(rig)
    assert not rig.last.dial
    before = rig.now
    wait(rig, 600)
    assert rig.now - before == 250_000
    Listener(rig).take()


WINDOWS = [
    # local now, window, open
    ("2026-11-23T12:00", "22:00", "06:00", False),
    ("2026-11-23T23:00", "22:00", "06:00", True),
    ("2026-11-23T05:59", "22:00", "06:00", True),
    ("2026-11-23T06:00", "22:00", "06:00", False),
    ("2026-11-23T12:00", "12:00", "13:00", True),
    ("2026-11-23T13:00", "12:00", "13:00", False),
]


@pytest.mark.parametrize(("now", "start", "end", "is_open"), WINDOWS)
def test_pushes_wait_for_a_communication_window(
    now: str, start: str, end: str, *, is_open: bool
) -> None:
    """Wildcards do not count; a window may go over midnight; it is looked at every minute."""
    rig = pushing(start=now)
    span = structure(daily(start), daily(end))
    assert rig.set(SETUP, 40, array(span), 4) is DataAccessResult.SUCCESS
    cut(rig)
    assert bool(rig.last.dial) is is_open
    if not is_open:
        wait(rig, 24 * 3600)
        assert f"{rig.kernel.view.local:%H:%M}" == start


def daily(time: str) -> Data:
    """Return a date-time of every day."""
    hour, minute = (int(part) for part in time.split(":"))
    octets = CosemDateTime().to_bytes()
    return octet_string(octets[:5] + bytes((hour, minute, 0)) + octets[8:])


# --- the setup -----------------------------------------------------------------------------------


def objects(*rows: tuple[int, Any, int], data_index: int = 0, restriction: int = 0) -> Data:
    """Return a push object list."""
    return array(
        *(
            structure(
                long_unsigned(class_id),
                octet_string(code.to_bytes()),
                integer(index),
                long_unsigned(data_index),
                structure(enum(restriction), null()),
                array(),
            )
            for class_id, code, index in rows
        )
    )


CLOCK = (8, catalogue.CLOCK, 2)
ANYWHERE = octet_string(b"198.51.100.1:4060")
SETTINGS = [
    (2, objects(CLOCK)),
    (2, objects(*[CLOCK] * 16)),
    (2, array()),
    (3, structure(enum(0), ANYWHERE, enum(0))),
    (3, structure(enum(1), octet_string(b"[2001:db8::1]:4060"), enum(0))),
    (4, array(structure(daily("22:00"), daily("06:00")))),
    (4, array()),
    (5, long_unsigned(0xFFFF)),
    (6, unsigned(255)),
    (7, structure(long_unsigned(0), long_unsigned(0xFFFF), long_unsigned(0xFFFF))),
    (9, integer(PLAIN_PUSH_SAP)),
    (11, enum(1)),
]
REFUSED = [
    (2, objects(*[CLOCK] * 17)),
    (2, objects(CLOCK, data_index=1)),
    (2, objects(CLOCK, restriction=1)),
    (2, objects((8, catalogue.CLOCK, 0))),
    (2, objects((8, catalogue.CLOCK, -1))),
    (3, structure(enum(2), ANYWHERE, enum(0))),
    (3, structure(enum(0), ANYWHERE, enum(1))),
    (3, structure(enum(0), octet_string(b"198.51.100.1"), enum(0))),
    (3, structure(enum(0), octet_string(b"198.51.100.1:70000"), enum(0))),
    (3, structure(enum(0), octet_string(b"\xff:1"), enum(0))),
    (3, structure(enum(0), octet_string(b"head-end.example:4060"), enum(0))),
    (3, structure(enum(0), octet_string(b"localhost:4060"), enum(0))),
    (3, structure(enum(1), octet_string(b"2001:db8::1:4060"), enum(0))),
    (3, structure(enum(1), octet_string(b"[2001:db8::1]"), enum(0))),
    (3, structure(enum(1), octet_string(b"[198.51.100.1]:4060"), enum(0))),
    (3, structure(enum(0), octet_string(b"198.51.100.1:-4060"), enum(0))),
    (3, structure(enum(0), octet_string(b"198.51.100.1:0"), enum(0))),
    (3, structure(enum(0), octet_string(b"a" * 63 + b":1"), enum(0))),
    (3, structure(enum(0), octet_string(b""), enum(0))),
    (4, array(*[structure(daily("22:00"), daily("06:00"))] * 5)),
    (4, array(structure(octet_string(b"\xff\xff\x63" + bytes(9)), daily("06:00")))),
    (7, structure(long_unsigned(2), long_unsigned(100), long_unsigned(1))),
    (9, integer(1)),
    (11, enum(3)),
]


@pytest.mark.parametrize(("index", "value"), SETTINGS)
def test_a_setting_is_kept_beyond_a_power_cut(index: int, value: Data) -> None:
    """And is read back as it was written."""
    rig = Rig(flash=MemoryFlash(2, 32 * 1024))
    assert rig.set(SETUP, 40, value, index) is DataAccessResult.SUCCESS
    rig.boot()
    assert rig.get(SETUP, 40, index) == value


@pytest.mark.parametrize(("index", "value"), REFUSED)
def test_what_cannot_be_set_is_refused_and_nothing_changes(index: int, value: Data) -> None:
    """With a data access result."""
    rig = Rig()
    before = rig.get(SETUP, 40, index)
    assert rig.set(SETUP, 40, value, index) is DataAccessResult.OTHER_REASON
    assert rig.get(SETUP, 40, index) == before


def test_a_destination_that_was_set_counts_from_then_on() -> None:
    """For the pushes that wait as well."""
    rig = pushing()
    assert rig.set(SETUP, 40, structure(enum(0), ANYWHERE, enum(0)), 3) is DataAccessResult.SUCCESS
    ask(rig)
    assert Listener(rig).call() == Dial(PortKind.WRAPPER, "198.51.100.1:4060")


def test_a_stranger_gets_nothing_out_of_the_pre_established_association() -> None:
    """Neither in clear nor ciphered: it is there for pushes, whoever calls."""
    for sap, settings in (
        (PLAIN_PUSH_SAP, ClientSettings(pre_established=True)),
        (PUSH_SAP, replace(CIPHERED, general_ciphering=True)),
    ):
        client = Client(Rig(), settings, sap)
        client.say(ActionRequest(PUSH, integer(0)))
        assert "SERVICE_NOT_SUPPORTED" in repr(client.heard[-1])
