"""Associations of every mechanism, suite and envelope, our client with our server."""

from typing import Any

import pytest

from obis.values import replace
from protocol.apdu import Aarq, ApduTag, InitiateRequest, decode
from protocol.association import Association, ClientSettings, ServerPolicy
from protocol.association.envelope import Envelope, Exchange, KeyKind, Signing, SigningPlace
from protocol.axdr import octet_string
from protocol.codes import (
    AssociationResult,
    Conformance,
    Mechanism,
    ProviderDiagnostic,
    UserDiagnostic,
)
from protocol.errors import ProtocolError, SecurityError
from protocol.events import (
    ActionRequest,
    ActionResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    Opened,
    OpenRefused,
    OpenRequest,
    Released,
    ReleaseRequest,
)
from protocol.security import (
    CounterLease,
    KeyUse,
    Protection,
    ReplayBook,
    ReplayGuard,
    SecurityMaterial,
    SecuritySuite,
    demands,
)
from tests.protocol.association_tools import (
    BOTH,
    CLIENT_TITLE,
    CLOCK,
    LN,
    LN_CIPHERED,
    RELAY,
    SERVER_TITLE,
    T0,
    Pipe,
    answer,
    only,
)
from tests.protocol.security_tools import (
    EXPIRED,
    SUITE_0,
    SUITE_1,
    SUITE_2,
    authority,
    certificate,
    client_certificate,
    client_material,
    entropy,
    keys,
    private_key,
    server_certificate,
    server_material,
)

SECRET = b"a secret of both"
OUTSIDE, INSIDE = SigningPlace.OUTSIDE, SigningPlace.INSIDE
ONE_PASS = Exchange(KeyKind.ONE_PASS)
#: Mechanisms that need neither keys nor certificates, and those that do.
MECHANISMS = list(Mechanism)


def pair(
    suite: SecuritySuite = SUITE_0,
    mechanism: Mechanism = Mechanism.NONE,
    context: Any = LN_CIPHERED,
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    guard: ReplayGuard | ReplayBook | None = None,
    counter: int = 1,
) -> Pipe:
    """Return a client and a server that know each other's keys."""
    common: dict[str, Any] = {
        "mechanism": mechanism,
        "context": context,
        "secret": SECRET,
        "keys": keys(suite),
        "max_pdu_receive": 1024,
    }
    settings = ClientSettings(
        **{
            **common,
            "system_title": CLIENT_TITLE,
            "material": client_material(suite),
            **(client or {}),
        }
    )
    policy = ServerPolicy(
        **{
            **common,
            "system_title": SERVER_TITLE,
            "material": server_material(suite),
            **(server or {}),
        }
    )
    return Pipe(
        Association.client(settings, entropy("client"), CounterLease(counter), ReplayGuard()),
        Association.server(
            policy, entropy("server"), CounterLease(1), ReplayGuard() if guard is None else guard
        ),
    )


def serve(pipe: Pipe) -> None:
    """Check that a GET and an ACTION pass, and that the association can be released."""
    pipe.open()
    assert pipe.send(GetRequest(CLOCK, invoke=InvokeId(3))) == [
        GetResponse(octet_string(b"value"), InvokeId(3))
    ]
    (done,) = pipe.send(ActionRequest(RELAY, octet_string(bytes(300)), InvokeId(4)))
    assert isinstance(done, ActionResponse)
    assert done.value == octet_string(bytes(300))
    assert pipe.send(ReleaseRequest()) == [Released()]


@pytest.mark.parametrize("context", [LN, LN_CIPHERED])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("suite", SecuritySuite)
def test_every_mechanism_in_every_suite(
    suite: SecuritySuite, mechanism: Mechanism, context: Any
) -> None:
    """Opened, used, released; ECDSA is not for suite 0."""
    if mechanism is Mechanism.HLS_ECDSA and suite is SUITE_0:
        with pytest.raises(ValueError, match="signing key"):
            pair(suite, mechanism, context)
        return
    serve(pair(suite, mechanism, context))


@pytest.mark.parametrize(
    "mechanism", [mechanism for mechanism in Mechanism if mechanism >= Mechanism.HLS]
)
def test_a_false_proof_is_refused_and_the_port_serves_the_next(mechanism: Mechanism) -> None:
    """Whoever has another secret or key is told so by pass 4; then comes one who has the true."""
    false = {
        "secret": b"another secret",
        "keys": replace(keys(SUITE_1), authentication_key=bytes(16)),
        "material": replace(
            client_material(SUITE_1), signing_key=private_key(SUITE_1, "somebody signs")
        ),
    }
    pipe = pair(SUITE_1, mechanism, LN, false)
    (refused,) = pipe.send(OpenRequest())
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == UserDiagnostic.AUTHENTICATION_FAILURE
    honest = pair(SUITE_1, mechanism, LN, counter=100).client
    serve(Pipe(honest, pipe.server))


@pytest.mark.parametrize(
    "mechanism", [mechanism for mechanism in Mechanism if mechanism >= Mechanism.HLS]
)
def test_a_server_that_cannot_prove_itself(mechanism: Mechanism) -> None:
    """A server that takes anything, and has another secret or key, does not get past pass 4."""
    pipe = pair(SUITE_1, mechanism, LN)
    pipe.client.send(OpenRequest(), T0)
    (reply,) = [only_answer(pipe, pipe.client.outgoing())]
    pipe.client.receive(reply, T0)
    reply = only_answer(pipe, pipe.client.outgoing())
    garbled = bytearray(reply)
    garbled[-1] ^= 1
    with pytest.raises(SecurityError, match="false"):
        pipe.client.receive(bytes(garbled), T0)
    assert not pipe.client.is_open


def only_answer(pipe: Pipe, apdu: bytes) -> bytes:
    """Return the server's answer to an APDU of the client's."""
    return answer(pipe.server, apdu)


ENVELOPES: dict[str, dict[str, Any]] = {
    "glo": {},
    "general-glo": {"general_ciphering": True},
    "ded": {"dedicated_key": True},
    "general-ded": {"dedicated_key": True, "general_ciphering": True},
    "broadcast": {"broadcast": True},
    "general-glo broadcast": {"broadcast": True, "general_ciphering": True},
    "general-ciphering, nothing said": {"exchange": Exchange(KeyKind.UNSTATED)},
    "general-ciphering, identified": {"exchange": Exchange(KeyKind.IDENTIFIED)},
    "general-ciphering, broadcast": {
        "exchange": Exchange(KeyKind.IDENTIFIED),
        "broadcast": True,
    },
    "general-ciphering, wrapped": {"exchange": Exchange(KeyKind.WRAPPED)},
}
AGREED: dict[str, dict[str, Any]] = {
    "one-pass": {"exchange": ONE_PASS},
    "static unified": {"exchange": Exchange(KeyKind.STATIC_UNIFIED)},
    "signed glo": {"signing": Signing(OUTSIDE)},
    "signed general-glo": {"signing": Signing(OUTSIDE), "general_ciphering": True},
    "signed ded": {"signing": Signing(OUTSIDE), "dedicated_key": True},
    "signed inside general-glo": {"signing": Signing(INSIDE), "general_ciphering": True},
    "signed general-ciphering": {"signing": Signing(OUTSIDE), "exchange": ONE_PASS},
    "signed inside general-ciphering": {"signing": Signing(INSIDE), "exchange": ONE_PASS},
}
IN_A_SUITE = [
    *(pytest.param(SUITE_0, how, id=f"0 {name}") for name, how in ENVELOPES.items()),
    *(
        pytest.param(suite, how, id=f"{int(suite)} {name}")
        for suite in (SUITE_1, SUITE_2)
        for name, how in (ENVELOPES | AGREED).items()
    ),
]


@pytest.mark.parametrize(("suite", "how"), IN_A_SUITE)
@pytest.mark.parametrize("mechanism", [Mechanism.NONE, Mechanism.HLS_GMAC])
def test_every_envelope(suite: SecuritySuite, how: dict[str, Any], mechanism: Mechanism) -> None:
    """Services and HLS passes go and come back in it, and an answer longer than an APDU does."""
    pipe = pair(suite, mechanism, client=how)
    pipe.application = lambda request: (
        GetResponse(octet_string(bytes(5000)))
        if isinstance(request, GetRequest)
        else ActionResponse(0, None)  # type: ignore[arg-type] # 0 is success
    )
    pipe.open()
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(octet_string(bytes(5000)))]
    assert max(map(len, pipe.to_client)) <= 1024
    assert max(map(len, pipe.to_server)) <= 1024
    assert pipe.send(ReleaseRequest()) == [Released()]


@pytest.mark.parametrize(("suite", "how"), IN_A_SUITE)
def test_the_length_of_an_envelope_is_foretold(suite: SecuritySuite, how: dict[str, Any]) -> None:
    """Blocks are cut by it: at each boundary of a length it is right to the octet."""
    pipe = pair(suite, client=how)
    pipe.open()
    channel = pipe.client._half._channel  # type: ignore[attr-defined] # nobody else can see it
    settings = pipe.client._half._settings  # type: ignore[attr-defined] # likewise
    envelope = settings.envelope(Conformance.GENERAL_PROTECTION)
    for length in (1, 10, 80, 100, 105, 110, 127, 128, 150, 200, 230, 255, 256, 1000, 65535):
        plain = bytes((ApduTag.GET_REQUEST,)) + bytes(length - 1)
        assert len(channel.seal(plain, envelope)) == envelope.length(length), length


@pytest.mark.parametrize(
    ("how", "tags"),
    [
        ({}, (200, 204)),
        ({"general_ciphering": True}, (219, 219)),
        ({"dedicated_key": True}, (208, 212)),
        ({"dedicated_key": True, "general_ciphering": True}, (220, 220)),
        ({"exchange": ONE_PASS}, (221, 221)),
        ({"signing": Signing(OUTSIDE)}, (223, 223)),
        ({"signing": Signing(INSIDE), "exchange": ONE_PASS}, (221, 221)),
    ],
)
def test_the_answer_comes_in_the_envelope_of_the_request(
    how: dict[str, Any], tags: tuple[int, int]
) -> None:
    """Tag for tag."""
    pipe = pair(SUITE_1, client=how)
    pipe.open()
    pipe.send(GetRequest(CLOCK))
    assert (pipe.to_server[-1][0], pipe.to_client[-1][0]) == tags


def test_what_comes_under_the_broadcast_key_is_answered_under_the_unicast_key() -> None:
    """Everybody has the broadcast key."""
    pipe = pair(SUITE_0, client={"broadcast": True})
    pipe.open()
    pipe.send(GetRequest(CLOCK))
    assert pipe.to_server[-1][2] == 0x70
    assert pipe.to_client[-1][2] == 0x30


def test_a_dedicated_key_is_a_new_one_each_time() -> None:
    """And it is not the key that everything else is under."""
    pipe = pair(SUITE_2, client={"dedicated_key": True})
    found = []
    for _ in range(2):
        pipe.open()
        found.append(pipe.client._half._channel.dedicated_key)  # type: ignore[attr-defined]
        pipe.send(ReleaseRequest())
    assert found[0] != found[1]
    assert {len(key) for key in found} == {32}


@pytest.mark.parametrize(("key", "answered"), [("global", 207), ("dedicated", 215)])
def test_hls_pass_3_beside_a_dedicated_key(key: str, answered: int) -> None:
    """Our client sends it under the global key; our meter takes either, and answers in the same."""
    pipe = pair(SUITE_0, Mechanism.HLS_GMAC, client={"dedicated_key": True})
    if key == "dedicated":
        half: Any = pipe.client._half  # to send what ours does not
        post = half._post

        def send(apdu: bytes, envelope: Envelope | None) -> None:
            if apdu[:1] == bytes((ApduTag.ACTION_REQUEST,)) and envelope is not None:
                envelope = replace(envelope, is_dedicated=True)
            post(apdu, envelope)

        half._post = send
    pipe.open()
    assert pipe.to_client[-1][0] == answered
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]
    assert pipe.to_client[-1][0] == 212


def test_a_dedicated_key_that_others_may_have_read() -> None:
    """Authenticated and not encrypted, or not even that: the proposal is refused."""
    for weak in (Protection.AUTHENTICATED, Protection.NONE):
        server = {"protection": Protection.NONE}
        pipe = pair(SUITE_0, client={"protection": BOTH, "dedicated_key": True}, server=server)
        information = InitiateRequest(Conformance.GET, 1024, dedicated_key=bytes(16)).encode()
        if weak:
            pipe.client.send(OpenRequest(), T0)
            half: Any = pipe.client._half  # to send what ours does not
            information = half._channel.seal(information, Envelope(weak))
        apdu = Aarq(3, CLIENT_TITLE, user_information=information).encode()
        (refused,) = pipe.server.receive(apdu, T0)
        assert isinstance(refused, OpenRefused)
        assert "dedicated" in refused.detail


def test_the_key_that_is_named_is_the_key_that_is_used() -> None:
    """Without a tag nothing else would tell a changed key set bit from a true one."""
    encrypted = {"protection": Protection.ENCRYPTED}
    how = encrypted | {"exchange": Exchange(KeyKind.IDENTIFIED)}
    pipe = pair(SUITE_0, client=how, server=encrypted)
    pipe.open()
    pipe.client.send(GetRequest(CLOCK), T0)
    apdu = bytearray(pipe.client.outgoing())
    control = apdu.index(bytes.fromhex("2000000002"))
    apdu[control] |= 0x40
    assert answer(pipe.server, bytes(apdu)) == bytes.fromhex("D80105")


# --- policies --------------------------------------------------------------------------------


def by_policy(number: int, version: int) -> dict[str, Any]:
    """Return a server's settings for a security policy."""
    asked = demands(number, version)
    return {
        "protection": asked.request,
        "response_protection": asked.response,
        "request_signed": asked.request_signed,
        "response_signed": asked.response_signed,
    }


@pytest.mark.parametrize("protection", [Protection.AUTHENTICATED, Protection.ENCRYPTED, BOTH])
@pytest.mark.parametrize(
    ("number", "version"),
    [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0x04, 1), (0x08, 1), (0x0C, 1), (0x24, 1), (0x6C, 1)],
)
def test_what_a_policy_demands_of_requests(
    number: int, version: int, protection: Protection
) -> None:
    """What has less is refused at the AARQ already; what has as much is answered with as much."""
    server = by_policy(number, version)
    pipe = pair(SUITE_0, client={"protection": protection}, server=server)
    (opened,) = pipe.send(OpenRequest())
    if not protection.meets(server["protection"]):
        assert isinstance(opened, OpenRefused)
        return
    assert isinstance(opened, Opened)
    pipe.send(GetRequest(CLOCK))
    assert pipe.to_client[-1][2] == protection | server["response_protection"]


@pytest.mark.parametrize("number", [0x20, 0x40, 0x60])
def test_a_policy_demands_of_responses_alone(number: int) -> None:
    """Plain requests, in a ciphered context: the answers are protected all the same."""
    pipe = pair(SUITE_0, server=by_policy(number, 1))
    plain = InitiateRequest(Conformance.GET, 1024).encode()
    aare = answer(pipe.server, Aarq(3, CLIENT_TITLE, user_information=plain).encode())
    assert pipe.server.is_open
    assert b"\x28\x1f" in aare or b"\x28\x13" in aare  # glo-initiate-response
    (request,) = pipe.server.receive(bytes.fromhex("C001C100080000010000FF0200"), T0)
    assert isinstance(request, GetRequest)
    pipe.server.send(GetResponse(octet_string(b"value")), T0)
    reply = only(pipe.server)
    assert reply[0] == ApduTag.GLO_GET_RESPONSE
    assert reply[2] == demands(number, 1).response


@pytest.mark.parametrize(("signed", "does"), [(None, False), (OUTSIDE, True), (INSIDE, True)])
def test_a_policy_that_demands_signed_requests(signed: SigningPlace | None, does: bool) -> None:
    """An unsigned one is a deciphering error; the association stands, and the next may be."""
    how = {"signing": signed and Signing(signed), "general_ciphering": True}
    pipe = pair(SUITE_1, client=how, server=by_policy(0x1C, 1))
    pipe.open()
    (response,) = pipe.send(GetRequest(CLOCK))
    assert isinstance(response, GetResponse) is does
    assert pipe.server.is_open


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2])
def test_a_policy_that_demands_signed_responses(suite: SecuritySuite) -> None:
    """They are, whether their request was or not."""
    pipe = pair(suite, server=by_policy(0x8C, 1))
    pipe.open()
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]
    assert pipe.to_client[-1][0] == ApduTag.GENERAL_SIGNING


def test_what_is_signed_and_not_ciphered_is_taken_once() -> None:
    """Where the policy asks for a signature alone; a recorded one is good for nothing."""
    pipe = pair(SUITE_1, server=by_policy(0x10, 1))
    pipe.open()
    channel = pipe.client._half._channel  # type: ignore[attr-defined] # ours never sends it
    plain = bytes.fromhex("C001C100080000010000FF0200")
    apdu = channel.seal(plain, Envelope(Protection.NONE, signing=Signing(), suite=SUITE_1))
    assert apdu[0] == ApduTag.GENERAL_SIGNING
    (request,) = pipe.server.receive(apdu, T0)
    assert isinstance(request, GetRequest)
    pipe.server.send(GetResponse(octet_string(b"value")), T0)
    reply = only(pipe.server)
    assert reply[0] == ApduTag.GENERAL_SIGNING
    assert b"value" in reply
    assert answer(pipe.server, apdu) == bytes.fromhex("D80105")
    assert answer(pipe.server, plain) == bytes.fromhex("D80105")


# --- what a stranger may try ------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "how"), IN_A_SUITE)
def test_no_octet_of_an_envelope_may_be_changed(suite: SecuritySuite, how: dict[str, Any]) -> None:
    """Each octet in turn: an exception, no request, and the association goes on."""
    pipe = pair(suite, client=how)
    pipe.open()
    pipe.client.send(GetRequest(CLOCK), T0)
    apdu = pipe.client.outgoing()
    step = max(1, len(apdu) // 40)
    for index in range(0, len(apdu), step):
        garbled = bytearray(apdu)
        garbled[index] ^= 1
        events = pipe.server.receive(bytes(garbled), T0)
        assert not any(isinstance(event, GetRequest) for event in events), index
        assert only(pipe.server)[0] == ApduTag.EXCEPTION_RESPONSE
    (request,) = pipe.server.receive(apdu, T0)
    assert isinstance(request, GetRequest)


@pytest.mark.parametrize(("suite", "how"), IN_A_SUITE)
def test_no_request_is_taken_twice(suite: SecuritySuite, how: dict[str, Any]) -> None:
    """Not with the same octets: whatever the key, and with a book or a single guard."""
    for guard in (ReplayGuard(), ReplayBook()):
        pipe = pair(suite, client=how, guard=guard)
        pipe.open()
        pipe.send(GetRequest(CLOCK))
        assert answer(pipe.server, pipe.to_server[-1])[:3] == bytes.fromhex("D80106")


def test_a_book_counts_by_client_and_key() -> None:
    """A counter used under the broadcast key is free under the unicast key, and the reverse."""
    book = ReplayBook()
    pipe = pair(SUITE_0, client={"broadcast": True}, guard=book, counter=50)
    pipe.open()
    pipe.send(GetRequest(CLOCK))
    assert book.lasts == {
        (CLIENT_TITLE, KeyUse.UNICAST): 50,
        (CLIENT_TITLE, KeyUse.BROADCAST): 51,
    }
    serve(pair(SUITE_0, guard=book, counter=51))
    late = pair(SUITE_0, guard=book, counter=20)
    (refused,) = late.send(OpenRequest())
    assert not isinstance(refused, Opened)


def test_a_book_has_an_end() -> None:
    """A client that invents titles is refused, and nobody's counters are forgotten for it."""
    book = ReplayBook(limit=1)
    serve(pair(SUITE_0, guard=book))
    other = pair(SUITE_0, client={"system_title": b"another!"}, guard=book, counter=500)
    (refused,) = other.send(OpenRequest())
    assert isinstance(refused, OpenRefused)
    assert set(book.lasts) == {(CLIENT_TITLE, KeyUse.UNICAST)}


@pytest.mark.parametrize(
    ("how", "without"),
    [
        ({"broadcast": True}, "broadcast_key"),
        ({"exchange": Exchange(KeyKind.WRAPPED)}, "master_key"),
        ({"exchange": ONE_PASS}, "agreement_key"),
        ({"exchange": ONE_PASS}, "peer_signing_key"),
        ({"exchange": Exchange(KeyKind.STATIC_UNIFIED)}, "peer_agreement_key"),
        ({"signing": Signing()}, "peer_signing_key"),
    ],
)
def test_a_server_without_the_key(how: dict[str, Any], without: str) -> None:
    """A deciphering error, and it serves the next that it has a key for."""
    nothing = b"" if without in ("broadcast_key", "master_key") else None
    lacking = replace(server_material(SUITE_1), **{without: nothing})  # type: ignore[arg-type]
    pipe = pair(SUITE_1, client=how, server={"material": lacking})
    pipe.open()
    pipe.client.send(GetRequest(CLOCK), T0)
    assert answer(pipe.server, pipe.client.outgoing()) == bytes.fromhex("D80105")
    serve(Pipe(pair(SUITE_1, counter=100).client, pipe.server))


@pytest.mark.parametrize(
    ("client", "server"), [(SUITE_0, SUITE_1), (SUITE_1, SUITE_0), (SUITE_2, SUITE_1)]
)
def test_suites_do_not_mix(client: SecuritySuite, server: SecuritySuite) -> None:
    """Not even where the keys have the same length."""
    pipe = Pipe(pair(client).client, pair(server).server)
    (refused,) = pipe.send(OpenRequest())
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == UserDiagnostic.AUTHENTICATION_FAILURE


@pytest.mark.parametrize("how", [{"exchange": ONE_PASS}, {"signing": Signing()}])
def test_an_apdu_for_somebody_else(how: dict[str, Any]) -> None:
    """True in every way, but another is named as its recipient, or as who sends it."""
    for wrong in ("peer_title", "own_title"):
        pipe = pair(SUITE_1, client=how)
        pipe.open()
        half: Any = pipe.client._half  # to send what ours does not
        setattr(half._channel, wrong, b"somebody")
        pipe.client.send(GetRequest(CLOCK), T0)
        assert answer(pipe.server, pipe.client.outgoing()) == bytes.fromhex("D80105")


def test_the_header_of_general_ciphering_may_be_left_out_of_the_tag() -> None:
    """If both sides do; if one does, nothing passes."""
    left_out = {
        "material": replace(client_material(SUITE_1), authenticates_header=False),
        "exchange": ONE_PASS,
    }
    other = {"material": replace(server_material(SUITE_1), authenticates_header=False)}
    serve(pair(SUITE_1, client=left_out, server=other))
    pipe = pair(SUITE_1, client=left_out)
    pipe.open()
    (refused,) = pipe.send(GetRequest(CLOCK))
    assert not isinstance(refused, GetResponse)


def test_a_client_takes_no_answer_to_another_transaction() -> None:
    """An answer says which request it is for."""
    pipe = pair(SUITE_1, client={"exchange": ONE_PASS})
    pipe.open()
    pipe.client.send(GetRequest(CLOCK), T0)
    pipe.client.outgoing()
    channel = pipe.server._half._channel  # type: ignore[attr-defined] # to send what ours does not
    envelope = Envelope(BOTH, exchange=Exchange(KeyKind.IDENTIFIED, bytes(8)), suite=SUITE_1)
    with pytest.raises(SecurityError, match="transaction"):
        pipe.client.receive(channel.seal(bytes.fromhex("C401C1000905") + b"value", envelope), T0)


# --- certificates ------------------------------------------------------------------------------


def trusting(material: SecurityMaterial, suite: SecuritySuite) -> SecurityMaterial:
    """Return material that knows nobody's key, but an authority."""
    return replace(material, peer_signing_key=None, authorities=(authority(suite),))


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2])
def test_keys_by_certificate(suite: SecuritySuite) -> None:
    """Neither side knows the other's key: AARQ and AARE bring certificates; signing uses them."""
    client = replace(client_material(suite), certificate=client_certificate(suite))
    server = replace(server_material(suite), certificate=server_certificate(suite))
    serve(
        pair(
            suite,
            Mechanism.HLS_ECDSA,
            client={"material": trusting(client, suite), "signing": Signing()},
            server={"material": trusting(server, suite)},
        )
    )


FALSE_CERTIFICATES: dict[str, tuple[str, dict[str, Any]]] = {
    "another title": (b"another!".hex(), {}),
    "by somebody else": (CLIENT_TITLE.hex(), {"issuer": "mallory"}),
    "not for signatures": (CLIENT_TITLE.hex(), {"signs": False, "agrees": True}),
    "expired": (CLIENT_TITLE.hex(), {"until": EXPIRED}),
}


@pytest.mark.parametrize("name", FALSE_CERTIFICATES)
def test_certificates_that_are_not_to_be_trusted(name: str) -> None:
    """The AARE says calling-AE-qualifier-not-recognized, and the port serves the next."""
    subject, how = FALSE_CERTIFICATES[name]
    false = certificate(SUITE_1, subject.upper(), "client signs", **how)
    server = {"material": trusting(server_material(SUITE_1), SUITE_1)}
    client = {"material": replace(client_material(SUITE_1), certificate=false)}
    pipe = pair(SUITE_1, Mechanism.HLS_ECDSA, client=client, server=server)
    (refused,) = pipe.send(OpenRequest())
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED
    true = replace(client_material(SUITE_1), certificate=client_certificate(SUITE_1))
    honest = pair(SUITE_1, Mechanism.HLS_ECDSA, client={"material": true}, counter=100)
    serve(Pipe(honest.client, pipe.server))


@pytest.mark.parametrize("qualifier", [b"\x30\x00", bytes(64), bytes(65), b"\x30" * 5000])
def test_octets_that_are_no_certificate(qualifier: bytes) -> None:
    """Refused by name, whatever they are."""
    pipe = pair(SUITE_1, Mechanism.HLS_ECDSA, LN)
    apdu = Aarq(1, CLIENT_TITLE, 7, bytes(32), b"", qualifier).encode()
    (refused,) = pipe.server.receive(apdu, T0)
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == UserDiagnostic.CALLING_AE_QUALIFIER_NOT_RECOGNIZED


def test_the_bare_key_will_do_where_it_is_known() -> None:
    """X || Y in the AARQ, and it is the one that the server has."""
    pipe = pair(SUITE_1, Mechanism.HLS_ECDSA, LN)
    key = private_key(SUITE_1, "client signs").public.point
    information = InitiateRequest(Conformance.GET, 1024).encode()
    apdu = Aarq(1, CLIENT_TITLE, 7, bytes(32), information, key).encode()
    assert pipe.server.receive(apdu, T0) == []
    assert only(pipe.server)[0] == ApduTag.AARE


# --- opening -----------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [LN, LN_CIPHERED])
def test_an_association_that_nobody_answers(context: Any) -> None:
    """No AARE, unconfirmed requests are served, and confirmed ones are not."""
    pipe = pair(SUITE_0, Mechanism.LLS, context, client={"response_allowed": False})
    pipe.client.send(OpenRequest(), T0)
    assert pipe.client.is_open
    (opened,) = pipe.server.receive(only(pipe.client), T0)
    assert isinstance(opened, Opened)
    assert only(pipe.server) == b""
    pipe.client.send(ActionRequest(RELAY, invoke=InvokeId(confirmed=False)), T0)
    (request,) = pipe.server.receive(only(pipe.client), T0)
    assert isinstance(request, ActionRequest)
    pipe.server.send(ActionResponse(0), T0)  # type: ignore[arg-type] # 0 is success
    assert only(pipe.server) == b""


def test_an_association_that_nobody_answers_is_refused_in_silence() -> None:
    """No AARE even then; confirmed requests get nothing either."""
    server = pair(SUITE_0, Mechanism.NONE, LN).server
    silent = InitiateRequest(Conformance(0), 1024, response_allowed=False).encode()
    (refused,) = server.receive(Aarq(1, user_information=silent).encode(), T0)
    assert isinstance(refused, OpenRefused)
    assert only(server) == b""
    silent = InitiateRequest(Conformance.GET, 1024, response_allowed=False).encode()
    server.receive(Aarq(1, user_information=silent).encode(), T0)
    assert server.is_open
    events = server.receive(bytes.fromhex("C001C100080000010000FF0200"), T0)
    assert not any(isinstance(event, GetRequest) for event in events)
    assert only(server) == b""


def test_hls_cannot_go_unanswered() -> None:
    """It is refused, in silence too."""
    server = pair(SUITE_0, Mechanism.HLS_MD5, LN).server
    silent = InitiateRequest(Conformance.GET, 1024, response_allowed=False).encode()
    (refused,) = server.receive(Aarq(1, b"", Mechanism.HLS_MD5, bytes(16), silent).encode(), T0)
    assert isinstance(refused, OpenRefused)
    assert only(server) == b""


@pytest.mark.parametrize(
    ("changes", "diagnostic"),
    [
        ({"called_ap_title": b"somebody"}, UserDiagnostic.CALLED_AP_TITLE_NOT_RECOGNIZED),
        ({"protocol_version": False}, ProviderDiagnostic.NO_COMMON_ACSE_VERSION),
    ],
)
def test_further_diagnostics(changes: dict[str, Any], diagnostic: Any) -> None:
    """Another server is meant; another version of ACSE is wanted."""
    server = pair(SUITE_0, Mechanism.NONE, LN).server
    information = InitiateRequest(Conformance.GET, 1024).encode()
    apdu = Aarq(1, user_information=information, **changes).encode()
    aare = decode(answer(server, apdu))
    assert aare.result == AssociationResult.REJECTED_PERMANENT  # type: ignore[union-attr]
    assert aare.diagnostic == diagnostic  # type: ignore[union-attr]


def test_the_server_that_is_meant() -> None:
    """Its own title does no harm, and a user's number neither."""
    serve(pair(client={"called_ap_title": SERVER_TITLE, "user_id": 7}))


@pytest.mark.parametrize(
    "changes",
    [
        {"dedicated_key": True, "context": LN},
        {"signing": Signing()},
        {"exchange": ONE_PASS, "context": LN},
        {"dedicated_key": True, "broadcast": True},
        {"broadcast": True, "material": SecurityMaterial()},
        {"response_allowed": False, "mechanism": Mechanism.HLS_GMAC},
        {"protection": Protection.NONE},
        {"material": SecurityMaterial(master_key=bytes(32))},
        {"material": client_material(SUITE_1)},
        {"mechanism": Mechanism.HLS_ECDSA},
    ],
)
def test_client_settings_that_do_not_fit_together(changes: dict[str, Any]) -> None:
    """They are refused when they are made."""
    context = changes.get("context", LN_CIPHERED)
    mechanism = changes.get("mechanism", Mechanism.NONE)
    with pytest.raises(ValueError, match=r"\w"):
        pair(SUITE_0, mechanism, context, changes)


def test_no_key_shows() -> None:
    """Not in what settings, material and errors say of themselves."""
    pipe = pair(SUITE_1, client={"exchange": ONE_PASS})
    settings = pipe.client._half._settings  # type: ignore[attr-defined] # what is shown of it
    shown = repr(settings)
    held = settings.material
    for secret in (
        SECRET,
        held.broadcast_key,
        held.master_key,
        held.signing_key.scalar,
        settings.keys.block_cipher_key,
    ):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
    with pytest.raises(ProtocolError) as caught:
        pair(SUITE_0).client.send(GetRequest(CLOCK), T0)
    assert "key" not in str(caught.value)
