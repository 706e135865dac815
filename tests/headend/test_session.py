"""Sessions against the server's halves, over a real socket; and against peers that are wrong."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from headend.clock import system_clock
from headend.context import Context, Settings
from headend.errors import NoAnswer, Refused, UsageError
from headend.links import make_link, make_peer
from headend.reach import open_plain, reached
from headend.session import AssociationRefused, ExceptionAnswered, Patience, Session
from headend.transports import LinkKind
from obis import catalogue
from obis.code import ObisCode
from protocol import axdr
from protocol.association import Association, ServerPolicy
from protocol.association.settings import SUPPORTED
from protocol.axdr import Data
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    Mechanism,
    ServiceError,
    StateError,
)
from protocol.errors import AccessRefused, ActionRefused
from protocol.events import (
    AccessRequest,
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    ExceptionRaised,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkData,
    MethodRef,
    SetRequest,
    SetResponse,
)
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.security import CounterLease, ReplayGuard
from protocol.wrapper import WrapperLink

now = system_clock()
#: For peers that never answer.
SHORT = Patience(silence=150, whole=400, farewell=50)

LONG = AttributeRef(1, ObisCode.parse("0-0:96.13.0"), 2)
NAME = AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2)
ODD = AttributeRef(1, ObisCode.parse("0-0:96.13.1"), 2)
RELAY = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
LONG_VALUE = axdr.octet_string(bytes(range(256)) * 20)


class TinyServer:
    """Three objects behind the real server halves, on one connection."""

    def __init__(
        self,
        kind: LinkKind,
        connection: socket.socket,
        conformance: Conformance = SUPPORTED,
    ) -> None:
        self.written: list[Data] = []
        self.asked: list[AssociationEvent] = []
        self._connection = connection
        self._link: HdlcServer | WrapperLink = (
            WrapperLink.server({1})
            if kind is LinkKind.WRAPPER
            else HdlcServer(1, {1}, HdlcParameters())
        )
        policy = ServerPolicy(
            mechanism=Mechanism.LLS, secret=b"12345678", client_sap=2, conformance=conformance
        )
        self._association = Association.server(
            policy, os.urandom, CounterLease(0, 0), ReplayGuard()
        )

    def run(self) -> None:
        """Serve until the client leaves."""
        with self._connection, suppress(OSError):
            while octets := self._connection.recv(4096):
                for event in self._link.receive(octets, now()):
                    if isinstance(event, LinkData):
                        self._serve(event)
                while reply := self._link.outgoing():
                    self._connection.sendall(reply)

    def _serve(self, event: LinkData) -> None:
        for request in self._association.receive(event.apdu, now()):
            self.asked.append(request)
            answer = self._answer(request)
            if answer is not None:
                self._association.send(answer, now())
        while apdu := self._association.outgoing():
            self._link.send(LinkData(event.peer, apdu), now())

    def _answer(self, request: AssociationEvent) -> AssociationEvent | None:
        undefined = DataAccessResult.OBJECT_UNDEFINED
        match request:
            case GetListRequest():
                answers = [self._answer(each) for each in request.requests]
                results = tuple(each.result for each in answers if isinstance(each, GetResponse))
                if len(results) < len(answers):
                    return ExceptionRaised(StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON)
                return GetListResponse(results, request.invoke)
            case GetRequest(attribute=ref) if ref == LONG:
                return GetResponse(LONG_VALUE, request.invoke)
            case GetRequest(attribute=ref) if ref == NAME:
                return GetResponse(axdr.octet_string(b"TINY"), request.invoke)
            case AccessRequest():
                return ExceptionRaised(StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON)
            case GetRequest(attribute=ref) if ref == ODD:
                return ExceptionRaised(StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON)
            case GetRequest():
                return GetResponse(undefined, request.invoke)
            case SetRequest(attribute=ref) if ref == LONG:
                self.written.append(request.value)
                return SetResponse(DataAccessResult.SUCCESS, request.invoke)
            case SetRequest():
                return SetResponse(DataAccessResult.READ_WRITE_DENIED, request.invoke)
            case ActionRequest(method=ref) if ref == RELAY:
                return ActionResponse(
                    ActionResult.SUCCESS, request.parameter, invoke=request.invoke
                )
            case ActionRequest():
                return ActionResponse(ActionResult.OTHER_REASON, None, request.invoke)
        return None


@contextmanager
def serving(serve: Callable[[socket.socket], None], scheme: str) -> Iterator[str]:
    """Give the spec of a server that handles each connection in turn."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                serve(connection)

    thread = threading.Thread(target=run)
    thread.start()
    host, port = listener.getsockname()
    yield f"{scheme}:{host}:{port}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    assert not thread.is_alive()


def context(spec: str, patience: Patience | None = None, **settings: object) -> Context:
    """Return a run of a command at a port."""
    made = Settings(port=spec, **settings)  # type: ignore[arg-type] # a table of the tests'
    return Context(made, now=now, patience=patience)


KINDS = {LinkKind.WRAPPER: "tcp", LinkKind.HDLC: "hdlc+tcp"}


@contextmanager
def session(
    kind: LinkKind, conformance: Conformance = SUPPORTED
) -> Iterator[tuple[Session, TinyServer]]:
    """Give an open session with the tiny server, and the server."""
    servers: list[TinyServer] = []

    def serve(connection: socket.socket) -> None:
        servers.append(TinyServer(kind, connection, conformance))
        servers[-1].run()

    with serving(serve, KINDS[kind]) as spec:
        opened = open_plain(context(spec), Mechanism.LLS)
        try:
            yield opened, servers[0]
        finally:
            opened.close()


@pytest.mark.parametrize("kind", KINDS)
def test_get_set_and_action_go_through(kind: LinkKind) -> None:
    """Short values and long ones, which take blocks and segments."""
    with session(kind) as (opened, server):
        assert opened.get(NAME) == axdr.octet_string(b"TINY")
        assert opened.get(LONG) == LONG_VALUE
        opened.set(LONG, LONG_VALUE)
        assert server.written == [LONG_VALUE]
        assert opened.action(RELAY, axdr.integer(0)) == axdr.integer(0)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_are_errors_that_say_how(kind: LinkKind) -> None:
    """Each service has its own result, and the session goes on afterwards."""
    with session(kind) as (opened, _):
        with pytest.raises(AccessRefused) as refused:
            opened.get(AttributeRef(1, catalogue.CLOCK, 2))
        assert refused.value.result is DataAccessResult.OBJECT_UNDEFINED
        with pytest.raises(AccessRefused) as refused:
            opened.set(NAME, axdr.null())
        assert refused.value.result is DataAccessResult.READ_WRITE_DENIED
        with pytest.raises(ActionRefused) as failed:
            opened.action(MethodRef(70, catalogue.DISCONNECT_CONTROL, 2), axdr.integer(0))
        assert failed.value.result is ActionResult.OTHER_REASON
        with pytest.raises(ExceptionAnswered, match="other reason"):
            opened.get(ODD)
        assert opened.get(NAME) == axdr.octet_string(b"TINY")


TIME = AttributeRef(8, catalogue.CLOCK, 2)


def asked(server: TinyServer) -> list[tuple[AttributeRef, ...]]:
    """Return what was asked for by each GET, in its order."""
    members = (
        request.requests if isinstance(request, GetListRequest) else (request,)
        for request in server.asked
    )
    found = (
        tuple(each.attribute for each in some if isinstance(each, GetRequest)) for some in members
    )
    return [some for some in found if some]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_foreseen_is_asked_at_once_and_told_once(kind: LinkKind) -> None:
    """Values; who asks again asks the meter, and so does who asks for what was refused."""
    with session(kind) as (opened, server):
        opened.foresee((NAME, TIME))
        assert opened.get(NAME) == axdr.octet_string(b"TINY")
        with pytest.raises(AccessRefused) as refused:
            opened.get(TIME)
        assert refused.value.result is DataAccessResult.OBJECT_UNDEFINED
        assert asked(server) == [(NAME, TIME), (TIME,)]
        opened.get(NAME)
        assert asked(server) == [(NAME, TIME), (TIME,), (NAME,)]


@pytest.mark.parametrize("change", ["set", "action", "access"])
def test_what_was_foreseen_is_nothing_worth_once_something_was_changed(change: str) -> None:
    """Whatever is written or executed may have changed it, even where it is refused."""
    with session(LinkKind.WRAPPER) as (opened, server):
        opened.foresee((NAME, LONG))
        with suppress(AccessRefused, Refused):
            if change == "set":
                opened.set(NAME, axdr.null())
            elif change == "action":
                opened.action(RELAY, axdr.integer(0))
            else:
                opened.access([GetRequest(NAME)])
        opened.get(NAME)
        assert asked(server) == [(NAME, LONG), (NAME,)]


@pytest.mark.parametrize(
    ("conformance", "attributes", "told"),
    [
        (SUPPORTED & ~Conformance.MULTIPLE_REFERENCES, (NAME, TIME), []),
        (SUPPORTED, (NAME,), []),
        (SUPPORTED, (NAME, ODD), [(NAME, ODD)]),
    ],
    ids=["one reference at a time", "only one", "an exception"],
)
def test_a_meter_that_tells_nothing_at_once_is_asked_one_by_one(
    conformance: Conformance,
    attributes: tuple[AttributeRef, ...],
    told: list[tuple[AttributeRef, ...]],
) -> None:
    """Other meters than ours take one reference in a GET, or stumble over one of a list."""
    with session(LinkKind.WRAPPER, conformance) as (opened, server):
        opened.foresee(attributes)
        assert asked(server) == told
        assert opened.get(NAME) == axdr.octet_string(b"TINY")
        assert asked(server) == [*told, (NAME,)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_association_is_one_clear_line(kind: LinkKind) -> None:
    """A wrong password, and the port is free for the next client."""

    def serve(connection: socket.socket) -> None:
        TinyServer(kind, connection).run()

    with serving(serve, KINDS[kind]) as spec:
        with pytest.raises(AssociationRefused, match="authentication"):
            open_plain(context(spec, password="wrong"), Mechanism.LLS)
        open_plain(context(spec), Mechanism.LLS).close()


def test_closing_twice_does_no_harm() -> None:
    """The second time there is nothing to do."""
    with session(LinkKind.HDLC) as (opened, _):
        opened.close()
        opened.close()


# --- peers that are wrong ----------------------------------------------------------------------


def silent(connection: socket.socket) -> None:
    """Take everything and say nothing."""
    with connection:
        while connection.recv(4096):
            pass


def talking(octets: bytes) -> Callable[[socket.socket], None]:
    """Return a peer that answers everything with the same octets."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(4096):
                connection.sendall(octets)

    return serve


WRONG = {
    "silence": silent,
    "hangs up": lambda connection: connection.close(),
    "noise": talking(b"\xff\x00noise" * 50),
    "flags": talking(b"\x7e" * 300),
    "an HTTP server": talking(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an empty APDU": talking(bytes.fromhex("0001000100020000")),
    "half an APDU": talking(bytes.fromhex("000100010002FFFF61")),
    "an AARE that is none": talking(bytes.fromhex("00010001000200026100")),
    "a GET response": talking(bytes.fromhex("0001000100020005C401C10012")),
}


@pytest.mark.parametrize("scheme", KINDS.values())
@pytest.mark.parametrize("name", WRONG)
def test_a_peer_that_is_no_meter_is_no_answer_in_time(name: str, scheme: str) -> None:
    """Whatever it says or does not say: one clear error, no hang, no traceback."""
    with serving(WRONG[name], scheme) as spec:
        began = now()
        with pytest.raises(NoAnswer):
            open_plain(context(spec, SHORT), Mechanism.LLS)
        assert now() - began < 10_000


def test_dripping_octets_do_not_hold_a_session_for_ever() -> None:
    """An answer that never ends is given up, although something always comes."""

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while True:
                connection.sendall(b"\x7e")
                connection.settimeout(0.02)
                with suppress(TimeoutError):
                    if not connection.recv(4096):
                        return

    with serving(drip, "hdlc+tcp") as spec, pytest.raises(NoAnswer):
        open_plain(context(spec, SHORT), Mechanism.NONE)


# --- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "frame_start"),
    [
        ({}, "7ea0??03 05"),
        ({"physical": 17}, "7ea0??0223 05"),
        ({"address_size": 2}, "7ea0??0203 05"),
        ({"address_size": 4, "physical": 17}, "7ea0??00020023 05"),
        ({"logical": 200}, "7ea0??02900001 05"),
    ],
)
def test_hdlc_addresses_follow_the_options(settings: dict[str, int], frame_start: str) -> None:
    """As short as will do, unless the options say otherwise."""
    made = Settings(**settings)  # type: ignore[arg-type] # a table of the tests'
    peer = make_peer(made, 2)
    link, peer = make_link(LinkKind.HDLC, peer, made)
    link.send(LinkConnect(peer), now())
    sent = link.outgoing().hex()
    wanted = frame_start.replace(" ", "")
    assert all(w in ("?", s) for w, s in zip(wanted, sent, strict=False)), sent


def test_addresses_that_do_not_fit_are_wrong_usage() -> None:
    """Said before anything is sent."""
    made = Settings(logical=300, address_size=1)
    with pytest.raises(UsageError, match="--address-size"):
        make_link(LinkKind.HDLC, make_peer(made, 1), made)


def test_a_plain_client_needs_no_database() -> None:
    """Reading with a password, or as the public client, opens no store."""

    def serve(connection: socket.socket) -> None:
        TinyServer(LinkKind.WRAPPER, connection).run()

    with serving(serve, "tcp") as spec:
        run = context(spec, client=2)
        with reached(run) as device:
            assert device.name() == "TINY"
        assert "store" not in vars(run)
