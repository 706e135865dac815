"""HLS by GMAC: passes 3 and 4, and what happens before and without them."""

from typing import Any

import pytest

from obis.code import ObisCode
from protocol.apdu import (
    ActionRequestNormal,
    ActionResponseNormal,
    Apdu,
    ExceptionResponse,
    GetRequestNext,
    GetRequestNormal,
    SetRequestNormal,
    decode,
)
from protocol.association import REPLY_TO_HLS, Association, State
from protocol.axdr import null, octet_string, visible_string
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Mechanism,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.events import InvokeId, MethodRef, Opened, OpenRefused
from protocol.security import (
    CounterLease,
    KeySet,
    ReplayGuard,
    gmac_reply,
    verify_gmac_reply,
)
from tests.protocol.association_tools import (
    CLIENT_CHALLENGE,
    CLIENT_TITLE,
    CLOCK,
    KEYS,
    LN_CIPHERED,
    SERVER_CHALLENGE,
    SERVER_TITLE,
    T0,
    HandClient,
    aarq,
    answer,
    make_server,
    only,
    open_plain,
    pass_3,
)

IDENTIFIED: dict[str, Any] = {
    "calling_ap_title": CLIENT_TITLE,
    "mechanism": 5,
    "authentication_value": CLIENT_CHALLENGE,
}
NOT_NOW = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
REFUSED = OpenRefused(AssociationResult.REJECTED_PERMANENT, UserDiagnostic.AUTHENTICATION_FAILURE)


def challenged(
    *, guard: ReplayGuard | None = None, counters: CounterLease | None = None
) -> Association:
    """Return a server that waits for pass 3, not ciphered."""
    server = make_server(mechanism=Mechanism.HLS_GMAC, guard=guard, counters=counters)
    answer(server, aarq(**IDENTIFIED))
    assert server.state == State.CHALLENGED
    return server


def proof(
    counter: int = 1,
    title: bytes = CLIENT_TITLE,
    challenge: bytes = SERVER_CHALLENGE,
    keys: KeySet = KEYS,
) -> bytes:
    """Return f(StoC)."""
    return gmac_reply(keys, title, counter, challenge)


def test_a_true_proof_opens_and_is_returned() -> None:
    """The server answers f(CtoS) under its own title and counter."""
    server = challenged()
    (opened,) = server.receive(pass_3(proof(), InvokeId(9)).encode(), T0)
    reply = decode(only(server))
    assert isinstance(reply, ActionResponseNormal)
    assert (reply.result, reply.invoke.number) == (ActionResult.SUCCESS, 9)
    assert reply.value is not None
    assert reply.value == octet_string(gmac_reply(KEYS, SERVER_TITLE, 1, CLIENT_CHALLENGE))
    assert isinstance(opened, Opened)
    assert (opened.client_system_title, opened.server_system_title) == (CLIENT_TITLE, SERVER_TITLE)
    assert server.is_open


def test_passes_three_and_four_in_an_envelope() -> None:
    """In a ciphered context they are ciphered as everything else is."""
    server = make_server(mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED)
    client = HandClient(server)
    answer(server, client.aarq(Mechanism.HLS_GMAC))
    reply = client.ask(pass_3(proof(client.counters.next())))
    assert isinstance(reply, ActionResponseNormal)
    assert reply.value is not None
    value = reply.value
    assert isinstance(value, tuple)
    verify_gmac_reply(KEYS, SERVER_TITLE, CLIENT_CHALLENGE, value.value)
    assert server.is_open


@pytest.mark.parametrize(
    "parameter",
    [
        octet_string(proof(keys=KeySet(bytes(16), KEYS.authentication_key))),
        octet_string(proof(keys=KeySet(KEYS.block_cipher_key, bytes(16)))),
        octet_string(proof(challenge=CLIENT_CHALLENGE)),
        octet_string(proof(title=SERVER_TITLE)),
        octet_string(proof()[:-1]),
        octet_string(proof() + b"\x00"),
        octet_string(b"\x30" + proof()[1:]),
        octet_string(b""),
        visible_string("x" * 17),
        null(),
        None,
    ],
    ids=[
        "block cipher key",
        "authentication key",
        "our own challenge",
        "the server's title",
        "cut short",
        "too long",
        "another security control",
        "empty",
        "visible-string",
        "null-data",
        "no parameter",
    ],
)
def test_a_false_proof_ends_it(parameter: Any) -> None:
    """The ACTION fails, and the server is ready for the next client."""
    server = challenged()
    (refused,) = server.receive(
        ActionRequestNormal(InvokeId(), REPLY_TO_HLS, parameter).encode(), T0
    )
    assert decode(only(server)) == ActionResponseNormal(InvokeId(), ActionResult.OTHER_REASON)
    assert isinstance(refused, OpenRefused)
    assert (refused.result, refused.diagnostic) == (REFUSED.result, REFUSED.diagnostic)
    assert server.state == State.IDLE
    answer(server, aarq(**IDENTIFIED))
    answer(server, pass_3(proof()).encode())
    assert server.is_open


def test_there_is_one_try() -> None:
    """A true proof after a false one comes too late."""
    server = challenged()
    answer(server, pass_3(proof(challenge=b"false")).encode())
    assert decode(answer(server, pass_3(proof()).encode())) == NOT_NOW
    assert server.state == State.IDLE


METHOD_2 = MethodRef(15, ObisCode(0, 0, 40, 0, 0, 255), 2)
ELSEWHERE = MethodRef(15, ObisCode(0, 0, 40, 0, 1, 255), 1)


@pytest.mark.parametrize(
    "request_",
    [
        GetRequestNormal(InvokeId(), CLOCK),
        GetRequestNext(InvokeId(), 1),
        SetRequestNormal(InvokeId(), CLOCK, None, null()),
        ActionRequestNormal(InvokeId(), METHOD_2, octet_string(proof())),
        ActionRequestNormal(InvokeId(), ELSEWHERE, octet_string(proof())),
    ],
    ids=["GET", "GET next", "SET", "method 2", "another association"],
)
def test_nothing_else_passes_before_pass_three(request_: Apdu) -> None:
    """And it does not spoil the chance to prove oneself."""
    server = challenged()
    assert decode(answer(server, request_.encode())) == NOT_NOW
    assert server.state == State.CHALLENGED
    answer(server, pass_3(proof()).encode())
    assert server.is_open


def test_an_unconfirmed_pass_three_proves_nothing() -> None:
    """Pass 4 could not be given."""
    server = challenged()
    assert answer(server, pass_3(proof(), InvokeId(confirmed=False)).encode()) == b""
    assert server.state == State.CHALLENGED


def test_a_proof_without_a_challenge() -> None:
    """In an open association there is nothing to reply to."""
    server = make_server()
    open_plain(server)
    assert decode(answer(server, pass_3(proof()).encode())) == NOT_NOW
    assert server.is_open


@pytest.mark.parametrize(
    ("last", "counter", "opens", "then"),
    [
        (-1, 0, True, 0),
        (10, 11, True, 11),
        (10, 500, True, 500),
        (10, 10, False, 10),
        (10, 3, False, 10),
    ],
)
def test_the_counter_of_a_plain_proof(last: int, counter: int, opens: bool, then: int) -> None:
    """It has to be new, and is remembered."""
    guard = ReplayGuard(last)
    server = challenged(guard=guard)
    answer(server, pass_3(proof(counter)).encode())
    assert server.is_open is opens
    assert guard.last == then


@pytest.mark.parametrize(
    ("offset", "opens"),
    [(-2, False), (-1, False), (0, True), (1, True), (2, True), (3, True)],
    ids=["long used", "used before", "the AARQ's", "its own", "its envelope's", "one ahead"],
)
def test_the_counter_of_a_ciphered_proof(offset: int, opens: bool) -> None:
    """Clients disagree on it; it only has to be above what was accepted before the AARQ."""
    guard = ReplayGuard(99)
    server = make_server(mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED, guard=guard)
    client = HandClient(server, counter=100)
    answer(server, client.aarq(Mechanism.HLS_GMAC))
    client.counters.next()
    client.ask(pass_3(proof(100 + offset)))
    assert server.is_open is opens
    assert guard.last == max(102, 100 + offset if opens else 0)


def test_a_false_proof_does_not_move_the_guard() -> None:
    """An invented counter would lock the true client out."""
    guard = ReplayGuard(10)
    server = challenged(guard=guard)
    answer(server, pass_3(proof(0xFFFFFFF0, challenge=b"false")).encode())
    assert guard.last == 10


def test_a_server_out_of_counters_proves_nothing() -> None:
    """It says so, and nothing is open."""
    server = challenged(counters=CounterLease(3, 3))
    assert decode(answer(server, pass_3(proof()).encode())) == NOT_NOW
    assert not server.is_open
