"""Both halves of an association talk to each other."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import decode
from protocol.association import Association, State
from protocol.axdr import Data, octet_string, unsigned
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    DataAccessResult,
    Mechanism,
    UserDiagnostic,
)
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    InvokeId,
    MethodRef,
    Opened,
    OpenRefused,
    OpenRequest,
    Released,
    ReleaseRequest,
    Request,
    Response,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from tests.protocol.association_tools import (
    CLIENT_TITLE,
    CLOCK,
    GRANTED,
    LN_CIPHERED,
    RELAY,
    SERVER_TITLE,
    WAYS,
    Pipe,
    make_client,
    make_server,
)
from tests.strategies import data, obis_codes

protections = st.sampled_from([Protection(0x10), Protection(0x20), Protection(0x30)])
sizes = st.integers(64, 200) | st.sampled_from([0xFFFF, 127, 128, 255, 256])
long_strings = st.builds(
    lambda unit, times: octet_string(unit * times),
    st.binary(min_size=1, max_size=9),
    st.integers(1, 100),
)
values = data() | long_strings
names = obis_codes()
indexes = st.integers(0, 255)
classes = st.integers(0, 0xFFFF)
# reply_to_HLS_authentication is the association's own.
methods = st.builds(MethodRef, st.integers(16, 0xFFFF), names, indexes)
attributes = st.builds(AttributeRef, classes, names, indexes)
invokes = st.builds(InvokeId, st.integers(0, 15), st.just(True), st.booleans())
# It is in the first APDU, whole, so it has to be short.
accesses = st.none() | st.builds(SelectiveAccess, indexes, st.integers(0, 255).map(unsigned))

dialogues = st.one_of(
    st.tuples(
        st.builds(GetRequest, attributes, accesses, invokes),
        st.builds(GetResponse, values | st.sampled_from(DataAccessResult)),
    ),
    st.tuples(
        st.builds(SetRequest, attributes, values, accesses, invokes),
        st.builds(SetResponse, st.sampled_from(DataAccessResult)),
    ),
    st.tuples(
        st.builds(ActionRequest, methods, st.none() | values, invokes),
        st.builds(ActionResponse, st.just(ActionResult.SUCCESS), st.none() | values),
    ),
)


def ends(
    mechanism: Mechanism, context: ApplicationContext, **both: Any
) -> tuple[Association, Association]:
    """Return a client and a server that agree."""
    return (
        make_client(mechanism=mechanism, context=context, **both),
        make_server(mechanism=mechanism, context=context, **both),
    )


@pytest.mark.parametrize(("mechanism", "context"), WAYS)
def test_every_way_to_open_ask_and_part(mechanism: Mechanism, context: ApplicationContext) -> None:
    """Both sides see the same association."""
    client, server = ends(mechanism, context)
    pipe = Pipe(client, server)
    opened = pipe.open()
    assert pipe.requests == [opened]
    assert (opened.mechanism, opened.conformance, opened.max_pdu) == (mechanism, GRANTED, 1024)
    assert client.is_open
    assert server.is_open
    if mechanism == Mechanism.HLS_GMAC or context == LN_CIPHERED:
        assert opened.client_system_title == CLIENT_TITLE
        assert opened.server_system_title == SERVER_TITLE
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]
    assert pipe.send(SetRequest(CLOCK, octet_string(b"x"))) == [
        SetResponse(DataAccessResult.SUCCESS)
    ]
    assert pipe.send(ActionRequest(RELAY)) == [ActionResponse(ActionResult.SUCCESS)]
    assert pipe.send(ReleaseRequest()) == [Released()]
    assert pipe.requests[-1:] == [Released()]
    assert (client.state, server.state) == (State.IDLE, State.IDLE)
    pipe.open()


def echoed(response: Response, invoke: InvokeId) -> Response:
    """Return a response under the invoke id of its request."""
    match response:
        case GetResponse():
            return GetResponse(response.result, invoke)
        case SetResponse():
            return SetResponse(response.result, invoke)
        case ActionResponse():
            return ActionResponse(response.result, response.value, invoke)


@settings(max_examples=150)
@given(
    st.sampled_from(WAYS),
    protections,
    st.booleans(),
    sizes,
    sizes,
    st.lists(dialogues, min_size=1, max_size=4),
)
def test_whatever_is_said_is_understood(
    way: tuple[Mechanism, ApplicationContext],
    protection: Protection,
    general: bool,
    client_takes: int,
    server_takes: int,
    script: list[tuple[Request, Response]],
) -> None:
    """Any value, in any protection, through APDUs of any size, none longer than agreed."""
    mechanism, context = way
    client = make_client(
        mechanism=mechanism,
        context=context,
        protection=protection,
        general_ciphering=general,
        max_pdu_receive=client_takes,
    )
    server = make_server(
        mechanism=mechanism,
        context=context,
        protection=protection,
        max_pdu_receive=server_takes,
    )
    responses = iter([response for _, response in script])
    pipe = Pipe(client, server, lambda request: next(responses))
    pipe.open()
    del pipe.to_server[:], pipe.to_client[:], pipe.requests[:]
    for request, response in script:
        (heard,) = pipe.send(request)
        assert repr(heard) == repr(echoed(response, request.invoke))  # a float may be NaN
    assert repr(pipe.requests) == repr([request for request, _ in script])
    assert all(len(apdu) <= server_takes for apdu in pipe.to_server)
    assert all(len(apdu) <= client_takes for apdu in pipe.to_client)
    if context == LN_CIPHERED:
        assert all((apdu[0] == 219) is general for apdu in pipe.to_server + pipe.to_client)


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 129, 254, 255, 256, 65534, 65535, 65536])
@pytest.mark.parametrize("context", list({context for _, context in WAYS}))
def test_lengths_at_the_boundaries_of_their_encoding(
    length: int, context: ApplicationContext
) -> None:
    """Both ways."""
    value = octet_string(bytes(length))
    heard: list[Data] = []

    def meter(request: Request) -> Response:
        if isinstance(request, SetRequest):
            heard.append(request.value)
            return SetResponse(DataAccessResult.SUCCESS)
        return GetResponse(value)

    client, server = ends(Mechanism.NONE, context, max_assembly=100_000, max_pdu_receive=2000)
    pipe = Pipe(client, server, meter)
    pipe.open()
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(value)]
    assert pipe.send(SetRequest(CLOCK, value)) == [SetResponse(DataAccessResult.SUCCESS)]
    assert heard == [value]


def test_counters_are_never_used_twice() -> None:
    """Neither by the client nor by the server, HLS proofs included, over associations."""
    counters, guards = (CounterLease(5), CounterLease(9)), (ReplayGuard(), ReplayGuard())
    used: list[tuple[str, int]] = []
    for _ in range(3):
        client = make_client(
            mechanism=Mechanism.HLS_GMAC,
            context=LN_CIPHERED,
            counters=counters[0],
            guard=guards[0],
        )
        server = make_server(
            mechanism=Mechanism.HLS_GMAC,
            context=LN_CIPHERED,
            counters=counters[1],
            guard=guards[1],
        )
        pipe = Pipe(client, server)
        pipe.open()
        pipe.send(GetRequest(CLOCK))
        pipe.send(ReleaseRequest())
        for who, apdus in (("client", pipe.to_server), ("server", pipe.to_client)):
            for apdu in map(decode, apdus):
                counter = getattr(apdu, "counter", None)
                if counter is not None:
                    used.append((who, counter))
    assert len(used) == 3 * 2 * 2  # pass 3 and GET, pass 4 and its response
    assert len(set(used)) == len(used)
    # AARQ, proof, pass 3, GET and RLRQ, three times.
    assert counters[0].next() == 5 + 3 * 5
    assert guards[1].last == 5 + 3 * 5 - 1


@pytest.mark.parametrize(
    ("mine", "theirs", "diagnostic"),
    [
        (
            {"mechanism": Mechanism.LLS, "secret": b"wrong"},
            {"mechanism": Mechanism.LLS},
            UserDiagnostic.AUTHENTICATION_FAILURE,
        ),
        (
            {"mechanism": Mechanism.HLS_GMAC, "keys": KeySet(bytes(16), bytes(16))},
            {"mechanism": Mechanism.HLS_GMAC},
            UserDiagnostic.AUTHENTICATION_FAILURE,
        ),
        (
            {"context": LN_CIPHERED, "keys": KeySet(bytes(16), bytes(16))},
            {"context": LN_CIPHERED},
            UserDiagnostic.AUTHENTICATION_FAILURE,
        ),
        ({}, {"mechanism": Mechanism.LLS}, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
        (
            {},
            {"context": LN_CIPHERED},
            UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
        ),
    ],
    ids=["password", "key for HLS", "key for ciphering", "mechanism", "context"],
)
def test_who_disagrees_is_refused(
    mine: dict[str, Any], theirs: dict[str, Any], diagnostic: UserDiagnostic
) -> None:
    """Both sides say so by the same event, and the next client is welcome."""
    server = make_server(**theirs)
    pipe = Pipe(make_client(**mine), server)
    (refused,) = pipe.send(OpenRequest())
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == diagnostic
    heard = pipe.requests[-1]
    assert isinstance(heard, OpenRefused)
    assert heard.diagnostic == diagnostic
    assert isinstance(Pipe(make_client(**theirs), server).open(), Opened)
