"""What strangers try at a meter's ports: to stop it, to shut others out, to speak for others."""

from typing import Any

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from meter_fw.push import Outcome
from meter_fw.push_setup import PLAIN_PUSH_SAP, PUSH_SAP
from obis import catalogue
from obis.values import replace
from prepay.keys import LAB_KEYS, MECHANISMS, MeterKeys, lab_keys
from protocol.apdu import (
    GLO_BY_PLAIN,
    Aarq,
    ApduTag,
    Ciphered,
    DataNotificationConfirmApdu,
    GeneralBlock,
    InitiateRequest,
)
from protocol.association import ClientSettings
from protocol.association.settings import SUPPORTED
from protocol.axdr import enum, integer, octet_string
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    AssociationResult,
    Mechanism,
    UserDiagnostic,
)
from protocol.cosem.communication_port_protection import ProtectionMode, ProtectionStatus
from protocol.events import (
    DataNotificationConfirm,
    ExceptionRaised,
    GetRequest,
    LinkData,
    Opened,
    OpenRefused,
    OpenRequest,
    Peer,
)
from protocol.iec21 import Command
from protocol.iec21.messages import BREAK, parse_message
from protocol.security import KeySet, Protection, protect
from protocol.wrapper import WrapperLink, build_header
from tests.meter_fw.client import NAME, PUBLIC, READER, TITLE, Client, plain_get
from tests.meter_fw.rig import Rig
from tests.meter_fw.test_push import CIPHERED, Listener, ask, confirmed, outcome, pushing
from tests.meter_fw.test_readout import PROGRAMMING, REQUEST, Head
from tests.meter_fw.test_security_lines import guess, settings
from tests.protocol.security_tools import broken_certificates

NETWORK = catalogue.NETWORK_PORT_PROTECTION
LOCAL = catalogue.LOCAL_PORT_PROTECTION
GOOD_P1 = Command("P1", f"({LAB_KEYS.password.decode()})").to_bytes()
BAD_P1 = Command("P1", "(guess)").to_bytes()


def manager(rig: Rig, keys: MeterKeys, port: str, counter: int = 1, **changes: Any) -> Client:
    """The management client on a port of its own."""
    made = settings(keys, **changes)
    return Client(rig, made, MANAGEMENT_SAP, port=PortId(port), counter=counter)


# --- getting it down -----------------------------------------------------------------------------


@pytest.mark.parametrize("octets", broken_certificates())
def test_a_stranger_who_brings_a_broken_certificate_is_refused(octets: bytes) -> None:
    """Whatever the library that reads it makes of it; and the meter goes on to serve."""
    keys = replace(lab_keys(1), mechanism=MECHANISMS["hls-ecdsa"])
    rig = Rig(keys=keys)
    port = PortId("stranger")
    rig.tick(opened={port: PortKind.WRAPPER})
    aarq = Aarq(
        ApplicationContext.LN_CIPHERED,
        b"STRANGER",
        Mechanism.HLS_ECDSA,
        bytes(32),
        b"\x01",
        octets,
    ).encode()
    sent = build_header(MANAGEMENT_SAP, 1, len(aarq)) + aarq
    assert rig.tick(rx={port: sent}).tx[port][8] == ApduTag.AARE
    assert isinstance(manager(rig, keys, "owner").open(), Opened)


@pytest.mark.parametrize("octets", broken_certificates())
def test_a_broken_certificate_is_not_imported(octets: bytes) -> None:
    """By other-reason, like everything else that is none."""
    rig = Rig(keys=lab_keys(1))
    result = rig.act(catalogue.SECURITY_SETUP, 64, 6, octet_string(octets))
    assert result is ActionResult.OTHER_REASON


@pytest.mark.parametrize("kind", [PortKind.WRAPPER, PortKind.UDP])
def test_general_blocks_with_nothing_in_them_are_refused(kind: PortKind) -> None:
    """Anybody may send them who gets an association; and the meter goes on to serve."""
    rig = Rig()
    port = PortId("stranger")
    rig.tick(opened={port: kind})
    stranger = Client(rig, PUBLIC, PUBLIC_SAP, port=port, shared=True)
    assert isinstance(stranger.open(), Opened)
    for octets, last in ((b"\xc0", False), (b"", True)):
        block = GeneralBlock(last, not last, 1, 1, 0, octets).encode()
        answer = rig.tick(rx={port: build_header(PUBLIC_SAP, 1, len(block)) + block})
    assert answer.tx[port][8] == ApduTag.EXCEPTION_RESPONSE
    assert stranger.get(NAME).value == b"OPP0000000000001"


def test_a_replay_after_the_last_counter_is_answered() -> None:
    """There is no counter that would do any more, and the answer has only 32 bits for it."""
    rig = Rig()
    client = manager(rig, LAB_KEYS, "port")
    assert isinstance(client.open(), Opened)
    rig.kernel._counting._unicast.accept(0xFFFFFFFF)
    last = client.say(GetRequest(NAME))
    assert isinstance(last, ExceptionRaised)
    assert last.invocation_counter == 0xFFFFFFFF


# --- shutting others out -------------------------------------------------------------------------


def test_guesses_at_passwords_do_not_shut_out_who_has_the_key() -> None:
    """Else one false attempt in a while would keep the head-end out for good."""
    rig = Rig()
    guess(rig, 10)
    head_end = manager(rig, LAB_KEYS, "head-end")
    assert isinstance(head_end.open(), Opened)
    status = rig.get(NETWORK, 124, 8)
    assert status == enum(ProtectionStatus.TEMPORARILY_LOCKED)
    locked = Client(rig, READER, READER_SAP, port=PortId("reader")).open()
    assert isinstance(locked, OpenRefused)
    assert locked.result is AssociationResult.REJECTED_TRANSIENT


@pytest.mark.parametrize("mechanism", ["hls", "hls-md5", "hls-sha1", "hls-sha256"])
def test_a_secret_that_could_be_guessed_waits_like_a_password(mechanism: str) -> None:
    """Keys alone are not enough there, so somebody may have them and guess at the rest."""
    keys = replace(lab_keys(0), mechanism=MECHANISMS[mechanism])
    rig = Rig(keys=keys)
    guess(rig, 10)
    refused = manager(rig, keys, "owner").open()
    assert isinstance(refused, OpenRefused)
    assert refused.result is AssociationResult.REJECTED_TRANSIENT


def test_a_port_that_management_has_locked_is_locked_for_keys_as_well() -> None:
    """That is what the mode is for."""
    rig = Rig()
    assert rig.set(NETWORK, 124, enum(ProtectionMode.LOCKED)).name == "SUCCESS"
    refused = manager(rig, LAB_KEYS, "owner").open()
    assert isinstance(refused, OpenRefused)
    assert refused.result is AssociationResult.REJECTED_TRANSIENT


def test_nothing_is_counted_while_a_port_is_locked() -> None:
    """Flash would wear by what strangers say, and the lock would never end."""
    rig = Rig()
    guess(rig, 10)
    before = rig.kernel.state
    other = replace(LAB_KEYS, authentication_key=LAB_KEYS.master_key)
    for counter in range(5):
        refused = manager(rig, other, f"stranger {counter}").open()
        assert isinstance(refused, OpenRefused)
        assert refused.diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE
    assert rig.kernel.state == before


# --- the local port's password -------------------------------------------------------------------


def attempt(head: Head, password: bytes) -> bytes:
    """Sign on, want the programming mode, and give a password."""
    head.ask(REQUEST)
    head.ask(PROGRAMMING)
    return head.ask(password)


def test_guesses_in_the_programming_mode_lock_the_local_port() -> None:
    """It is the reader's password: ten false ones there are as good as ten false AARQs."""
    rig = Rig()
    head = Head(rig)
    for _ in range(10):
        assert parse_message(attempt(head, BAD_P1)) == BREAK
    assert rig.get(LOCAL, 124, 8) == enum(ProtectionStatus.TEMPORARILY_LOCKED)
    assert parse_message(attempt(head, GOOD_P1)) == BREAK
    locked = Client(rig, READER, READER_SAP, PortKind.HDLC, port=PortId("hdlc")).open()
    assert isinstance(locked, OpenRefused)
    assert locked.result is AssociationResult.REJECTED_TRANSIENT
    head.wait(60_000)
    assert attempt(head, GOOD_P1) == b"\x06"
    assert rig.get(LOCAL, 124, 9).value == 0


def test_of_passwords_that_come_at_once_only_the_first_is_looked_at() -> None:
    """A hundred sign-ons fit into one run of octets: the lock has to come between them."""
    rig = Rig()
    head = Head(rig)
    sign_on = REQUEST + PROGRAMMING
    answer = head.ask(sign_on + BAD_P1 + sign_on + GOOD_P1)
    assert b"\x06" not in answer
    assert rig.get(LOCAL, 124, 9).value == 2
    assert attempt(head, GOOD_P1) == b"\x06"


def test_a_password_outside_the_programming_mode_is_no_attempt() -> None:
    """The meter says nothing to it, so nobody learns anything by it."""
    rig = Rig()
    head = Head(rig)
    assert head.ask(BAD_P1) == b""
    assert rig.get(LOCAL, 124, 10).value == 0


# --- speaking for others -------------------------------------------------------------------------


@pytest.mark.parametrize("sap", [PUSH_SAP, PLAIN_PUSH_SAP])
def test_nobody_confirms_a_push_but_who_was_sent_it(sap: int) -> None:
    """A forged confirmation would make an alarm be forgotten that nobody has heard."""
    rig = pushing("tcp")
    assert rig.set(catalogue.PUSH_SETUP, 40, integer(sap), 9).name == "SUCCESS"
    confirmed(rig)
    ask(rig)
    plain = ClientSettings(pre_established=True, max_pdu_receive=0xFFFF)
    listener = Listener(rig, CIPHERED if sap == PUSH_SAP else plain, sap)
    listener.take()
    said = listener.heard[-1].invoke
    forged = DataNotificationConfirmApdu(DataNotificationConfirm(said)).encode()
    port = PortId("forger")
    rig.tick(opened={port: PortKind.WRAPPER})
    for line in (port, *(listener.ports if sap == PUSH_SAP else ())):
        rig.tick(rx={line: build_header(PLAIN_PUSH_SAP, 1, len(forged)) + forged})
        assert outcome(rig)[0] is Outcome.NONE
    listener.confirm()
    assert outcome(rig)[0] is Outcome.CONFIRMED


# --- the broadcast key ---------------------------------------------------------------------------


def _under_the_broadcast_key(keys: MeterKeys, plain: bytes, counter: int) -> bytes:
    """Return an InitiateRequest, or a GET, as who has only the broadcast key ciphers it."""
    unicast = KeySet(keys.block_cipher_key, keys.authentication_key)
    key = unicast.under(keys.broadcast_key, broadcast=True)
    both = Protection.AUTHENTICATED_ENCRYPTED
    octets = protect(key, TITLE, counter, both, plain)
    tag = GLO_BY_PLAIN[plain[0]]
    return Ciphered(tag, both, counter, octets, broadcast=True).encode()


def test_the_broadcast_key_opens_no_association() -> None:
    """Each meter of an area has it, so whoever takes it out of one is nobody in the others."""
    keys = replace(lab_keys(0), mechanism=MECHANISMS["hls-md5"])
    rig = Rig(keys=keys)
    thief = manager(rig, keys, "thief")
    aarq = Aarq(
        ApplicationContext.LN_CIPHERED,
        TITLE,
        Mechanism.HLS_MD5,
        bytes(16),
        _under_the_broadcast_key(keys, InitiateRequest(SUPPORTED, 1024).encode(), 0xFFFFFFF0),
    ).encode()
    thief.association.send(OpenRequest(), rig.now)
    link = WrapperLink.client(Peer(MANAGEMENT_SAP, 1))
    octets = build_header(MANAGEMENT_SAP, 1, len(aarq)) + aarq
    answer = rig.tick(rx={thief.port: octets}).tx[thief.port]
    (event,) = (each for each in link.receive(answer, rig.now) if isinstance(each, LinkData))
    (refused,) = thief.association.receive(event.apdu, rig.now)
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE
    assert isinstance(manager(rig, keys, "owner").open(), Opened)


def test_counters_under_the_broadcast_key_use_up_no_others() -> None:
    """Who has that key could else shut the head-end out, for good and beyond a power cut."""
    rig = Rig()
    client = manager(rig, LAB_KEYS, "port")
    assert isinstance(client.open(), Opened)
    get = _under_the_broadcast_key(LAB_KEYS, plain_get(NAME), 0xFFFFFFF0)
    rig.tick(rx={client.port: build_header(MANAGEMENT_SAP, 1, len(get)) + get})
    assert rig.kernel._counting._broadcast.last == 0xFFFFFFF0
    assert client.get(NAME).value == b"OPP0000000000001"
    rig.tick(closed=frozenset({client.port}))
    rig.boot()
    again = manager(rig, LAB_KEYS, "again", counter=100)
    assert isinstance(again.open(), Opened)
    answer = rig.tick(rx={again.port: build_header(MANAGEMENT_SAP, 1, len(get)) + get})
    assert answer.tx[again.port][8] == ApduTag.EXCEPTION_RESPONSE
