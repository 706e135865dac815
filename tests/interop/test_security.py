"""Whole associations of pydlms-client with our server: mechanisms, suites and envelopes."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.association import Association, ServerPolicy
from protocol.axdr import octet_string
from protocol.codes import ActionResult, ApplicationContext, Mechanism
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    GetRequest,
    GetResponse,
    LinkData,
)
from protocol.security import CounterLease, PrivateKey, ReplayBook, SecuritySuite, demands
from protocol.wrapper import WrapperLink
from tests.interop.environments import HERE, PYDLMS
from tests.protocol.association_tools import CLIENT_TITLE, SERVER_TITLE, T0
from tests.protocol.security_tools import (
    SUITE_0,
    SUITE_1,
    SUITE_2,
    client_material,
    entropy,
    keys,
    private_key,
    server_material,
)

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 30.0
SECRET = b"a secret of both"
VALUE = b"a value of ours."
LN, LN_CIPHERED = ApplicationContext.LN, ApplicationContext.LN_CIPHERED


class Server:
    """Our association behind a TCP port, for one client after the other.

    Args:
        policy: what is asked of them.
    """

    def __init__(self, policy: ServerPolicy) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._association = Association.server(
            policy, entropy("server"), CounterLease(1), ReplayBook()
        )
        self.heard: list[AssociationEvent] = []
        self.tags: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE_SECONDS)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        link = WrapperLink.server({1})
        while octets := connection.recv(4096):
            for event in link.receive(octets, T0):
                if isinstance(event, LinkData):
                    for reply in self._answers(event.apdu):
                        self.tags.append((event.apdu[0], reply[0]))
                        link.send(LinkData(event.peer, reply), T0)
            connection.sendall(link.outgoing())

    def _answers(self, apdu: bytes) -> Iterator[bytes]:
        for event in self._association.receive(apdu, T0):
            self.heard.append(event)
            if isinstance(event, GetRequest):
                self._association.send(GetResponse(octet_string(VALUE)), T0)
            if isinstance(event, ActionRequest):
                self._association.send(ActionResponse(ActionResult.SUCCESS), T0)
        while reply := self._association.outgoing():
            yield reply


@contextmanager
def serving(suite: SecuritySuite, **changes: Any) -> Iterator[Server]:
    """Run a server of a suite until the block is left."""
    fields: dict[str, Any] = {
        "keys": keys(suite),
        "system_title": SERVER_TITLE,
        "secret": SECRET,
        "material": server_material(suite),
        "max_pdu_receive": 2048,
    }
    server = Server(ServerPolicy(**(fields | changes)))
    try:
        yield server
    finally:
        server.close()


def scalar(key: PrivateKey | None) -> str:
    """Return the octets of a private key, in hexadecimal."""
    assert key is not None
    return key.scalar.hex()


def case(suite: SecuritySuite, port: int, **more: Any) -> dict[str, Any]:
    """Return the client's keys, as the peer's script wants them."""
    material, globally = client_material(suite), keys(suite)
    found: dict[str, Any] = {
        "what": "pydlms_associate",
        "port": port,
        "suite": int(suite),
        "block": globally.block_cipher_key.hex(),
        "authentication": globally.authentication_key.hex(),
        "broadcast": material.broadcast_key.hex(),
        "master": material.master_key.hex(),
        "dedicated": (b"D" * suite.key_length).hex(),
        "own_title": CLIENT_TITLE.hex(),
        "peer_title": SERVER_TITLE.hex(),
        "secret": SECRET.hex(),
        "counter": 1,
        "header": True,
        "mechanism": 0,
        "ciphered": True,
        "protection_form": "glo",
        "use_dedicated": False,
        "key_info": None,
    }
    if suite:
        found |= {
            "signing": scalar(material.signing_key),
            "agreement": scalar(material.agreement_key),
            "peer_signing": private_key(suite, "server signs").public.point.hex(),
            "peer_agreement": private_key(suite, "server agrees").public.point.hex(),
        }
    return found | more


@pytest.fixture(scope="module")
def peer(interpreters: dict[str, Path]) -> Iterator["subprocess.Popen[str]"]:
    """A process of pydlms-client's for all the associations."""
    process = subprocess.Popen(
        [str(interpreters[PYDLMS.name]), "-B", str(HERE / "peers" / "security_primitives.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.communicate(timeout=PATIENCE_SECONDS)


def associate(peer: "subprocess.Popen[str]", told: dict[str, Any]) -> Any:
    """Have the peer open an association, use it and release it."""
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write(json.dumps(told) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline())


def check(done: Any) -> None:
    """Check that everything was done."""
    assert done.get("returned"), done
    assert done["returned"]["read"] == [VALUE.hex()] * 2


WAYS = [
    *((SUITE_0, Mechanism(number), ciphered) for number in range(7) for ciphered in (False, True)),
    *((suite, Mechanism(number), True) for suite in (SUITE_1, SUITE_2) for number in (0, 5, 6, 7)),
    (SUITE_1, Mechanism.HLS_ECDSA, False),
    (SUITE_2, Mechanism.HLS_ECDSA, False),
]


@pytest.mark.parametrize(("suite", "mechanism", "ciphered"), WAYS)
def test_every_mechanism(
    peer: "subprocess.Popen[str]", suite: SecuritySuite, mechanism: Mechanism, ciphered: bool
) -> None:
    """It proves itself, believes our proof, reads, invokes and releases."""
    context = LN_CIPHERED if ciphered else LN
    with serving(suite, mechanism=mechanism, context=context) as server:
        told = case(suite, server.port, mechanism=int(mechanism), ciphered=ciphered)
        check(associate(peer, told))


FORMS: list[tuple[str, dict[str, Any], int]] = [
    ("glo", {}, 200),
    ("ded", {"use_dedicated": True}, 208),
    ("general-glo", {"protection_form": "general-glo"}, 219),
    ("general-ded", {"protection_form": "general-glo", "use_dedicated": True}, 220),
    ("identified", {"protection_form": "general-ciphering", "key_info": "identified"}, 221),
    ("wrapped", {"protection_form": "general-ciphering", "key_info": "wrapped"}, 221),
]
SIGNED_FORMS: list[tuple[str, dict[str, Any], int]] = [
    ("one-pass", {"protection_form": "general-ciphering", "key_info": "one-pass"}, 221),
    ("static", {"protection_form": "general-ciphering", "key_info": "static"}, 221),
    ("signed glo", {"protection_form": "glo+signing"}, 223),
    ("signed ded", {"protection_form": "glo+signing", "use_dedicated": True}, 223),
    (
        "signed one-pass",
        {"protection_form": "general-ciphering+signing", "key_info": "one-pass"},
        223,
    ),
]


@pytest.mark.parametrize(
    ("suite", "name", "told", "tag"),
    [
        *((SUITE_0, *form) for form in FORMS),
        *((suite, *form) for suite in (SUITE_1, SUITE_2) for form in FORMS + SIGNED_FORMS),
    ],
)
def test_every_envelope(
    peer: "subprocess.Popen[str]",
    suite: SecuritySuite,
    name: str,
    told: dict[str, Any],
    tag: int,
) -> None:
    """HLS pass 3 and services in it; it takes our answers, which come in the same."""
    del name
    with serving(suite, mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED) as server:
        check(associate(peer, case(suite, server.port, mechanism=5, **told)))
        asked = [tags for tags in server.tags if tags[0] == tag]
    assert len(asked) >= 2
    if tag >= 219:
        assert {answered for _, answered in asked} == {tag}


def test_a_policy_of_signatures_both_ways(peer: "subprocess.Popen[str]") -> None:
    """Security policy 0xFC of version 1: all of it on requests and on responses."""
    asked = demands(0xFC, 1)
    with serving(
        SUITE_2,
        context=LN_CIPHERED,
        protection=asked.request,
        response_protection=asked.response,
        request_signed=asked.request_signed,
        response_signed=asked.response_signed,
    ) as server:
        check(associate(peer, case(SUITE_2, server.port, protection_form="glo+signing")))
        done = associate(peer, case(SUITE_2, server.port, counter=100))
    assert "raised" in done


def test_a_signature_alone(peer: "subprocess.Popen[str]") -> None:
    """Signed and not ciphered, where the policy asks for no more: answered likewise."""
    with serving(SUITE_1, context=LN_CIPHERED, protection=demands(0x90, 1).request) as server:
        check(associate(peer, case(SUITE_1, server.port, protection_form="general-signing")))
        assert (223, 223) in server.tags


def test_a_false_secret_and_then_the_next(peer: "subprocess.Popen[str]") -> None:
    """It is refused, and the port serves it with the true one."""
    for mechanism in (3, 5, 7):
        with serving(SUITE_1, mechanism=Mechanism(mechanism), context=LN_CIPHERED) as server:
            false = case(SUITE_1, server.port, mechanism=mechanism, secret=b"false".hex())
            false["authentication"] = bytes(16).hex()
            assert "raised" in associate(peer, false)
            check(associate(peer, case(SUITE_1, server.port, mechanism=mechanism, counter=100)))
