"""Answers that come twice, or late: a line of datagrams may bring them, and none is believed."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from headend.clock import system_clock
from headend.context import Context, Settings
from headend.reach import open_session
from headend.session import Patience
from obis.code import ObisCode
from protocol import axdr
from protocol.apdu import GetRequestNormal, decode
from protocol.association import Association, ClientSettings, ServerPolicy
from protocol.codes import ActionResult, ApplicationContext, Conformance, Mechanism
from protocol.codes import DataAccessResult as Result
from protocol.events import (
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    LinkData,
    MethodRef,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from protocol.udp import DatagramLink

now = system_clock()
PATIENCE = Patience(silence=2_000, whole=5_000, farewell=300)
COUNT = AttributeRef(1, ObisCode.parse("0-0:96.13.0"), 2)
METHOD = MethodRef(70, ObisCode.parse("0-0:96.3.10"), 1)
KEYS = KeySet(bytes(range(16)), bytes(range(16, 32)))
LONG = 600
#: Datagrams said before a new one, of those that went before it.
COPIES = 4
CIPHERED: dict[str, Any] = {
    "context": ApplicationContext.LN_CIPHERED,
    "mechanism": Mechanism.HLS_GMAC,
    "keys": KEYS,
    "protection": Protection.AUTHENTICATED_ENCRYPTED,
}
PLAIN: dict[str, Any] = {"mechanism": Mechanism.LLS, "secret": b"12345678"}


class Counting:
    """A server whose every answer is another number, on a line that says everything again."""

    def __init__(self, ways: dict[str, Any]) -> None:
        self.asked: list[int] = []
        self._count = 0
        self._link = DatagramLink.server({1})
        policy = ServerPolicy(
            system_title=b"MTR\0\0\0\0\2", client_sap=1, max_pdu_receive=200, **ways
        )
        guard = ReplayGuard()
        self._association = Association.server(policy, os.urandom, CounterLease(1), guard)
        self._said: list[bytes] = []

    def run(self, line: socket.socket) -> None:
        """Serve until the socket is closed."""
        with suppress(OSError):
            while True:
                octets, client = line.recvfrom(4096)
                if not octets:
                    return
                for event in self._link.receive(octets, now()):
                    if isinstance(event, LinkData):
                        self._serve(event)
                for answer in iter(self._link.outgoing, b""):
                    for datagram in (*self._said[-COPIES:], answer, answer):
                        line.sendto(datagram, client)
                    self._said.append(answer)

    def _serve(self, event: LinkData) -> None:
        if event.apdu[0] == 0xC0 and isinstance(request := decode(event.apdu), GetRequestNormal):
            self.asked.append(request.invoke.number)
        for one in self._association.receive(event.apdu, now()):
            if (answer := self._answer(one)) is not None:
                self._association.send(answer, now())
        for apdu in iter(self._association.outgoing, b""):
            self._link.send(LinkData(event.peer, apdu), now())

    def _answer(self, request: AssociationEvent) -> Any:
        match request:
            case GetRequest():
                self._count += 1
                return GetResponse(self._value())
            case GetListRequest():
                self._count += 1
                return GetListResponse((self._value(),) * len(request.requests))
            case SetRequest():
                return SetResponse(Result.SUCCESS)
            case ActionRequest():
                return ActionResponse(ActionResult.SUCCESS, request.parameter)
            case AccessRequest():
                self._count += 1
                return AccessResponse((GetResponse(self._value()),) * len(request.requests))
        return None

    def _value(self) -> axdr.Data:
        return axdr.octet_string(self._count.to_bytes(2, "big") * (LONG if self._count % 2 else 1))


@contextmanager
def served(ways: dict[str, Any]) -> Iterator[tuple[Counting, str]]:
    """Give a counting server and its address."""
    server = Counting(ways)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as line:
        line.bind(("127.0.0.1", 0))
        host, port = line.getsockname()
        thread = threading.Thread(target=server.run, args=(line,))
        thread.start()
        try:
            yield server, f"udp:{host}:{port}"
        finally:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as end:
                end.sendto(b"", (host, port))
            thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("ways", [PLAIN, CIPHERED], ids=["plain", "ciphered"])
def test_an_old_answer_is_never_taken_for_a_new_one(ways: dict[str, Any]) -> None:
    """Each GET, long or short, gives the next number, whatever the line says again before it.

    General blocks, which have no invoke id, are not asked for on such a line.
    """
    with served(ways) as (server, address):
        context = Context(Settings(port=address), now=now, patience=PATIENCE)
        settings = ClientSettings(
            system_title=b"CLI\0\0\0\0\1",
            max_pdu_receive=200,
            **ways,
        )
        with closing(open_session(context, 1, settings, CounterLease(1))) as session:
            assert session.opened is not None
            assert Conformance.GENERAL_BLOCK_TRANSFER not in session.opened.conformance
            for expected in range(1, 21):
                octets = session.get(COUNT).value
                assert int.from_bytes(octets[:2], "big") == expected
                assert len(octets) == 2 * (LONG if expected % 2 else 1)
            found = session.get_many([COUNT, COUNT])
            assert [one.value[:2] for one in found if isinstance(one, axdr.Data)] == [b"\0\x15"] * 2
            parameter = axdr.octet_string(bytes(500))
            assert session.action(METHOD, parameter) == parameter
            session.set(COUNT, parameter)
            for one in session.access((GetRequest(COUNT), GetRequest(COUNT))):
                assert isinstance(one, GetResponse)
                assert isinstance(one.result, axdr.Data)
                assert one.result.value[:2] == b"\0\x16"
    if ways is PLAIN:  # the numbers are in clear
        assert server.asked == [*range(2, 16), *range(1, 7)]
