"""Opening and releasing: what a server accepts, what it refuses, and how it says so."""

from typing import Any

import pytest

from protocol.apdu import (
    Aare,
    Aarq,
    ConfirmedServiceError,
    ExceptionResponse,
    GetRequestNormal,
    InitiateRequest,
    InitiateResponse,
    Rlre,
    Rlrq,
    decode,
)
from protocol.association import SUPPORTED, Association, State
from protocol.association.channel import Envelope
from protocol.association.states import TRANSITIONS, StateMachine, Step
from protocol.codes import (
    ApplicationContext,
    AssociationResult,
    Conformance,
    InitiateError,
    Mechanism,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.errors import LocalProtocolError
from protocol.events import (
    AssociationEvent,
    ExceptionRaised,
    InvokeId,
    Opened,
    OpenRefused,
    Released,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from tests.protocol.association_tools import (
    BOTH,
    CLIENT_CHALLENGE,
    CLIENT_TITLE,
    CLOCK,
    GRANTED,
    KEYS,
    LN_CIPHERED,
    PASSWORD,
    SERVER_CHALLENGE,
    SERVER_TITLE,
    T0,
    HandClient,
    aarq,
    accepted,
    answer,
    initiate,
    make_server,
    only,
    open_plain,
    policy,
)

LLS: dict[str, Any] = {"mechanism": Mechanism.LLS}
GMAC: dict[str, Any] = {"mechanism": Mechanism.HLS_GMAC}
CIPHERED: dict[str, Any] = {"context": LN_CIPHERED}
IDENTIFIED: dict[str, Any] = {
    "calling_ap_title": CLIENT_TITLE,
    "mechanism": 5,
    "authentication_value": CLIENT_CHALLENGE,
}


# --- accepted ----------------------------------------------------------------------------------


def test_an_association_without_security() -> None:
    """The server intersects the conformance and names its own APDU size."""
    server = make_server(max_pdu_receive=500)
    (opened,) = server.receive(aarq(user_information=initiate(max_pdu=200).encode()), T0)
    aare = decode(only(server))
    assert isinstance(aare, Aare)
    assert (aare.context, aare.result) == (1, AssociationResult.ACCEPTED)
    assert aare.diagnostic == UserDiagnostic.NULL
    assert (aare.responding_ap_title, aare.mechanism, aare.authentication_value) == (
        b"",
        None,
        None,
    )
    assert InitiateResponse.decode(aare.user_information) == InitiateResponse(GRANTED, 500)
    assert opened == Opened(Mechanism.NONE, GRANTED, 200)
    assert server.is_open


def test_conformance_is_what_both_can_do() -> None:
    """Neither side gets a service that the other does not have."""
    mine, theirs = Conformance.GET | Conformance.SET, Conformance.GET | Conformance.ACTION
    server = make_server(conformance=mine)
    aare = accepted(server, aarq(user_information=initiate(theirs).encode()))
    assert InitiateResponse.decode(aare.user_information).conformance == Conformance.GET


def test_the_lowest_mechanism_may_be_named() -> None:
    """Mechanism 0 is what no mechanism is."""
    assert accepted(make_server(), aarq(mechanism=0)).result == AssociationResult.ACCEPTED


def test_a_password_opens() -> None:
    """LLS is over with the AARE."""
    server = make_server(**LLS)
    (opened,) = server.receive(aarq(mechanism=1, authentication_value=PASSWORD), T0)
    assert isinstance(opened, Opened)
    assert opened.mechanism == Mechanism.LLS
    assert server.is_open


def test_a_ciphered_aarq_gets_a_ciphered_answer() -> None:
    """In the same protection, under the server's title, which the AARE names."""
    server = make_server(**CIPHERED)
    client = HandClient(server)
    aare = accepted(server, client.aarq())
    assert (aare.context, aare.responding_ap_title) == (3, SERVER_TITLE)
    response, envelope = client.channel.open(
        aare.user_information, frozenset((8,)), InitiateResponse.decode
    )
    assert response == InitiateResponse(GRANTED, 1024)
    assert envelope == Envelope(BOTH)


def test_gmac_is_accepted_with_a_challenge() -> None:
    """Accepted, but authentication is required: nothing is open yet."""
    server = make_server(**GMAC)
    assert server.receive(aarq(**IDENTIFIED), T0) == []
    aare = decode(only(server))
    assert isinstance(aare, Aare)
    assert aare.result == AssociationResult.ACCEPTED
    assert aare.diagnostic == UserDiagnostic.AUTHENTICATION_REQUIRED
    assert (aare.mechanism, aare.authentication_value) == (5, SERVER_CHALLENGE)
    assert aare.responding_ap_title == SERVER_TITLE
    assert server.state == State.CHALLENGED


@pytest.mark.parametrize("max_pdu", [0, 12, 64, 65535])
def test_apdu_sizes_at_the_boundaries(max_pdu: int) -> None:
    """0 is no limit; 12 still holds a block of two octets."""
    server = make_server()
    open_plain(server, max_pdu=max_pdu)


# --- refused -----------------------------------------------------------------------------------

CONTEXT = UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED
TITLE = UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED
NAME_REQUIRED = UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED
NAME_UNKNOWN = UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED
FAILURE = UserDiagnostic.AUTHENTICATION_FAILURE
NO_REASON = UserDiagnostic.NO_REASON_GIVEN

REFUSED: list[Any] = [
    pytest.param({}, {"context": 3}, CONTEXT, None, id="ciphered context"),
    pytest.param({}, {"context": 2}, CONTEXT, None, id="short names"),
    pytest.param({}, {"context": 99}, CONTEXT, None, id="unheard-of context"),
    pytest.param(CIPHERED, {}, CONTEXT, None, id="plain context"),
    pytest.param(CIPHERED, {"context": 3}, TITLE, None, id="ciphered without a title"),
    pytest.param(
        CIPHERED, {"context": 3, "calling_ap_title": b"7 bytes"}, TITLE, None, id="short title"
    ),
    pytest.param(
        CIPHERED,
        {"context": 3, "calling_ap_title": SERVER_TITLE},
        TITLE,
        None,
        id="the server's own title",
    ),
    pytest.param(GMAC, IDENTIFIED | {"calling_ap_title": b""}, TITLE, None, id="GMAC, no title"),
    pytest.param(LLS, {}, NAME_REQUIRED, None, id="no mechanism"),
    pytest.param(LLS, {"mechanism": 0}, NAME_REQUIRED, None, id="the lowest mechanism"),
    pytest.param(
        {}, {"mechanism": 1, "authentication_value": PASSWORD}, NAME_UNKNOWN, None, id="LLS unasked"
    ),
    pytest.param(LLS, {"mechanism": 2}, NAME_UNKNOWN, None, id="HLS for LLS"),
    pytest.param(GMAC, IDENTIFIED | {"mechanism": 1}, NAME_UNKNOWN, None, id="LLS for GMAC"),
    pytest.param(LLS, {"mechanism": 1}, FAILURE, None, id="no password"),
    pytest.param(
        LLS, {"mechanism": 1, "authentication_value": b""}, FAILURE, None, id="empty password"
    ),
    pytest.param(
        LLS, {"mechanism": 1, "authentication_value": b"12345679"}, FAILURE, None, id="password"
    ),
    pytest.param(
        LLS, {"mechanism": 1, "authentication_value": b"1234567"}, FAILURE, None, id="prefix"
    ),
    pytest.param(
        GMAC, IDENTIFIED | {"authentication_value": None}, FAILURE, None, id="no challenge"
    ),
    pytest.param(
        GMAC, IDENTIFIED | {"authentication_value": bytes(7)}, FAILURE, None, id="short challenge"
    ),
    pytest.param(
        GMAC, IDENTIFIED | {"authentication_value": bytes(65)}, FAILURE, None, id="long challenge"
    ),
    pytest.param(
        {}, {"user_information": b""}, NO_REASON, InitiateError.OTHER, id="no user-information"
    ),
    pytest.param(
        {}, {"user_information": b"\x01\x00"}, NO_REASON, InitiateError.OTHER, id="cut short"
    ),
    pytest.param(
        {},
        {"user_information": initiate().encode() + b"\x00"},
        NO_REASON,
        InitiateError.OTHER,
        id="too long",
    ),
    pytest.param(
        {},
        {"user_information": InitiateResponse(GRANTED, 1024).encode()},
        NO_REASON,
        InitiateError.OTHER,
        id="an InitiateResponse",
    ),
]


def propose(**changes: Any) -> bytes:
    """Return an AARQ that proposes something else."""
    return aarq(user_information=initiate(**changes).encode())


PROPOSALS: list[Any] = [
    pytest.param({"dlms_version": 5}, InitiateError.DLMS_VERSION_TOO_LOW, id="version 5"),
    pytest.param({"dlms_version": 7}, InitiateError.DLMS_VERSION_TOO_LOW, id="version 7"),
    pytest.param({"dlms_version": 0}, InitiateError.DLMS_VERSION_TOO_LOW, id="version 0"),
    pytest.param(
        {"dedicated_key": bytes(15)}, InitiateError.REFUSED_BY_THE_VDE_HANDLER, id="dedicated key"
    ),
    pytest.param(
        {"conformance": Conformance(0)}, InitiateError.INCOMPATIBLE_CONFORMANCE, id="nothing"
    ),
    pytest.param(
        {"conformance": Conformance.READ | Conformance.WRITE},
        InitiateError.INCOMPATIBLE_CONFORMANCE,
        id="short name services",
    ),
    pytest.param({"max_pdu": 11}, InitiateError.PDU_SIZE_TOO_SHORT, id="11 octets"),
    pytest.param({"max_pdu": 1}, InitiateError.PDU_SIZE_TOO_SHORT, id="1 octet"),
]


def refusal(server: Association, apdu: bytes) -> Aare:
    """Check that an AARQ is refused, that nothing is left of it, and return the AARE."""
    (refused,) = server.receive(apdu, T0)
    aare = decode(only(server))
    assert isinstance(aare, Aare)
    assert isinstance(refused, OpenRefused)
    assert (refused.result, refused.diagnostic) == (aare.result, aare.diagnostic)
    assert aare.result == AssociationResult.REJECTED_PERMANENT
    assert server.state == State.IDLE
    return aare


@pytest.mark.parametrize(("setup", "fields", "diagnostic", "error"), REFUSED)
def test_refused_aarqs(
    setup: dict[str, Any],
    fields: dict[str, Any],
    diagnostic: UserDiagnostic,
    error: InitiateError | None,
) -> None:
    """Each has its diagnostic, and its initiate error where the InitiateRequest was wrong."""
    aare = refusal(make_server(**setup), aarq(**fields))
    assert aare.diagnostic == diagnostic
    if error is None:
        assert aare.user_information == b""
    else:
        assert ConfirmedServiceError.decode(aare.user_information).initiate_error == error


@pytest.mark.parametrize(("changes", "error"), PROPOSALS)
def test_refused_proposals(changes: dict[str, Any], error: InitiateError) -> None:
    """In a plain association."""
    aare = refusal(make_server(), propose(**changes))
    assert aare.diagnostic == NO_REASON
    assert ConfirmedServiceError.decode(aare.user_information).initiate_error == error


@pytest.mark.parametrize(
    ("changes", "error"),
    [*PROPOSALS, pytest.param({"max_pdu": 63}, InitiateError.PDU_SIZE_TOO_SHORT, id="63")],
)
def test_refused_proposals_in_a_ciphered_association(
    changes: dict[str, Any], error: InitiateError
) -> None:
    """The refusal itself is plain, and an HLS answer needs APDUs of 64 octets."""
    server = make_server(**CIPHERED)
    aare = refusal(server, HandClient(server).aarq(**changes))
    assert ConfirmedServiceError.decode(aare.user_information).initiate_error == error


@pytest.mark.parametrize(
    "setup",
    [
        {"protection": Protection.AUTHENTICATED},
        {"protection": Protection.ENCRYPTED},
        {"keys": KeySet(bytes(16), KEYS.authentication_key)},
        {"keys": KeySet(KEYS.block_cipher_key, bytes(16))},
    ],
    ids=["authenticated only", "encrypted only", "block cipher key", "authentication key"],
)
def test_an_aarq_that_is_ciphered_too_weakly_or_falsely(setup: dict[str, Any]) -> None:
    """It fails to authenticate, and its counter is not remembered."""
    guard = ReplayGuard()
    server = make_server(guard=guard, **CIPHERED)
    aare = refusal(server, HandClient(server, counter=9, **setup).aarq())
    assert aare.diagnostic == FAILURE
    assert guard.last == -1


def test_an_aarq_that_is_not_ciphered_where_it_has_to_be() -> None:
    """A plain InitiateRequest in a ciphered context fails to authenticate."""
    aare = refusal(make_server(**CIPHERED), aarq(context=3, calling_ap_title=CLIENT_TITLE))
    assert aare.diagnostic == FAILURE


def test_a_garbled_ciphered_initiate_request() -> None:
    """Genuine, but no InitiateRequest: that is no matter of authentication."""
    server = make_server(**CIPHERED)
    client = HandClient(server)
    sealed = client.channel.seal(b"\x01\x00", Envelope(BOTH))
    apdu = Aarq(3, CLIENT_TITLE, user_information=sealed).encode()
    assert refusal(server, apdu).diagnostic == NO_REASON


def test_a_replayed_aarq_is_told_the_counter() -> None:
    """Only an exception response can carry it."""
    server = make_server(**CIPHERED)
    apdu = HandClient(server, counter=41).aarq()
    accepted(server, apdu)
    server.reset()
    events = server.receive(apdu, T0)
    expected = (StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 42)
    assert events == [ExceptionRaised(*expected)]
    assert decode(only(server)) == ExceptionResponse(*expected)
    assert server.state == State.IDLE


def test_a_server_out_of_counters_answers_an_aarq() -> None:
    """By an exception, since it can cipher nothing any more."""
    server = make_server(counters=CounterLease(5, 5), **CIPHERED)
    reply = decode(answer(server, HandClient(server).aarq()))
    assert reply == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE
    )
    assert server.state == State.IDLE


@pytest.mark.parametrize("first", [aarq(context=3), propose(max_pdu=1), b"\x60\x02\xa1\x00", b"!"])
def test_after_a_refusal_the_next_client_is_welcome(first: bytes) -> None:
    """A refused one leaves the port as it found it."""
    server = make_server()
    answer(server, first)
    open_plain(server)


def test_a_malformed_aarq_gets_an_exception() -> None:
    """There is no AARE without a context to answer in; an open association is not touched."""
    server = make_server()
    open_plain(server)
    assert decode(answer(server, aarq()[:-1])) == ExceptionResponse(
        StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON
    )
    assert server.is_open


# --- again, and out ----------------------------------------------------------------------------


def test_an_aarq_opens_anew_what_is_open() -> None:
    """A client that lost its line just begins again; what it negotiated before is forgotten."""
    server = make_server()
    open_plain(server, max_pdu=64)
    (opened,) = server.receive(propose(max_pdu=128), T0)
    assert isinstance(opened, Opened)
    assert opened.max_pdu == 128


def test_a_refused_aarq_ends_what_was_open() -> None:
    """Whoever asks anew no longer has what he had."""
    server = make_server()
    open_plain(server)
    refusal(server, propose(max_pdu=1))


def test_a_new_aarq_ends_a_challenge() -> None:
    """The challenge of the first is no longer answered."""
    server = make_server(**GMAC)
    answer(server, aarq(**IDENTIFIED))
    answer(server, aarq(**IDENTIFIED))
    assert server.state == State.CHALLENGED


def test_release() -> None:
    """RLRQ is answered by RLRE, and it is over."""
    server = make_server()
    open_plain(server)
    assert server.receive(Rlrq().encode(), T0) == [Released()]
    assert decode(only(server)) == Rlre()
    assert server.state == State.IDLE


def test_release_while_challenged() -> None:
    """A client that cannot prove itself may be polite."""
    server = make_server(**GMAC)
    answer(server, aarq(**IDENTIFIED))
    assert server.receive(Rlrq().encode(), T0) == [Released()]
    assert server.state == State.IDLE


def test_release_of_nothing() -> None:
    """It is answered, and nothing has happened."""
    server = make_server()
    assert server.receive(Rlrq().encode(), T0) == []
    assert decode(only(server)) == Rlre()


def test_a_ciphered_release_gets_a_ciphered_answer() -> None:
    """The InitiateResponse of the association proves that it is the server that parts."""
    server = make_server(**CIPHERED)
    client = HandClient(server)
    client.open()
    sealed = client.channel.seal(initiate().encode(), Envelope(BOTH))
    rlre = decode(answer(server, Rlrq(0, sealed).encode()))
    assert isinstance(rlre, Rlre)
    opened = client.channel.open(rlre.user_information, frozenset((8,)), InitiateResponse.decode)
    assert opened[0] == InitiateResponse(GRANTED, 1024)
    assert server.state == State.IDLE


@pytest.mark.parametrize("information", [b"", initiate().encode()], ids=["none", "plain"])
def test_an_unproved_release_is_taken_at_its_word(information: bytes) -> None:
    """Some clients send it so, and whoever could forge it could cut the line as well."""
    server = make_server(**CIPHERED)
    HandClient(server).open()
    assert decode(answer(server, Rlrq(0, information).encode())) == Rlre()
    assert server.state == State.IDLE


def test_a_false_release_changes_nothing() -> None:
    """Neither one under another key nor one sent before."""
    server = make_server(**CIPHERED)
    client = HandClient(server)
    client.open()
    stranger = HandClient(server, counter=99, keys=KeySet(bytes(16), bytes(16)))
    sealed = stranger.channel.seal(initiate().encode(), Envelope(BOTH))
    assert decode(answer(server, Rlrq(0, sealed).encode())) == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR
    )
    again = HandClient(server, counter=1)
    sealed = again.channel.seal(initiate().encode(), Envelope(BOTH))
    assert decode(answer(server, Rlrq(0, sealed).encode())) == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 2
    )
    assert server.is_open


def test_a_server_out_of_counters_can_still_be_left() -> None:
    """The RLRE just proves nothing any more."""
    server = make_server(counters=CounterLease(1, 2), **CIPHERED)
    client = HandClient(server)
    client.open()
    sealed = client.channel.seal(initiate().encode(), Envelope(BOTH))
    assert decode(answer(server, Rlrq(0, sealed).encode())) == Rlre()
    assert server.state == State.IDLE


def test_reset_forgets() -> None:
    """When the link goes, so does the association, and what it had still to say."""
    server = make_server()
    open_plain(server)
    server.receive(Rlrq().encode(), T0)
    server.reset()
    assert only(server) == b""
    assert server.state == State.IDLE
    assert server.wake_at() is None


def test_nothing_but_an_aarq_opens() -> None:
    """A service without an association is not possible now."""
    server = make_server()
    events: list[AssociationEvent] = server.receive(
        GetRequestNormal(InvokeId(), CLOCK).encode(), T0
    )
    code = (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
    assert events == [ExceptionRaised(*code)]
    assert decode(only(server)) == ExceptionResponse(*code)


# --- the table, and the settings ---------------------------------------------------------------


def test_every_state_can_be_reached_and_left() -> None:
    """The table has no dead end and no island."""
    reached = {State.IDLE}
    for _ in State:
        reached |= {new for state in reached for new in TRANSITIONS[state].values()}
    assert reached == set(State)
    assert all(set(steps.values()) - {state} for state, steps in TRANSITIONS.items())


def test_steps_outside_the_table_are_refused() -> None:
    """And leave the state alone."""
    for state in State:
        for step in Step:
            machine = StateMachine()
            machine.state = state
            if machine.allows(step):
                machine.take(step)
                assert machine.state == TRANSITIONS[state][step]
                continue
            with pytest.raises(LocalProtocolError, match=step.name):
                machine.take(step)
            assert machine.state == state


@pytest.mark.parametrize(
    "changes",
    [
        {"mechanism": Mechanism.HLS_MD5, "secret": b""},
        {"mechanism": Mechanism.HLS_SHA256, "system_title": b""},
        {"mechanism": Mechanism.HLS_ECDSA},
        {"request_signed": True},
        {"context": LN_CIPHERED, "response_signed": True},
        {"response_protection": Protection.AUTHENTICATED},
        {"mechanism": Mechanism.HLS_GMAC, "keys": None},
        {"mechanism": Mechanism.HLS_GMAC, "system_title": b"short"},
        {"context": 2},
        {"context": 4},
        {"context": LN_CIPHERED, "keys": None},
        {"mechanism": Mechanism.LLS, "secret": b""},
        {"conformance": Conformance.ATTRIBUTE_0_GET},
        {"max_pdu_receive": 63},
        {"max_pdu_receive": 65536},
        {"challenge_length": 7},
        {"challenge_length": 65},
    ],
)
def test_settings_that_do_not_fit_together(changes: dict[str, Any]) -> None:
    """They are refused when they are made, not when a client comes."""
    if isinstance(changes.get("context"), int):
        changes = changes | {"context": ApplicationContext(changes["context"])}
    with pytest.raises(ValueError, match=r"\w"):
        policy(**changes)


def test_settings_do_not_show_secrets() -> None:
    """Neither the password nor the keys."""
    shown = repr(policy(secret=b"hush-hush"))
    assert "hush" not in shown
    assert KEYS.block_cipher_key.hex() not in shown


def test_an_initiate_request_is_what_the_tests_think() -> None:
    """The tools propose everything that is supported."""
    assert initiate() == InitiateRequest(SUPPORTED, 1024)
