"""A whole GET of a register: by the client alone on recorded answers, and by both halves."""

from itertools import count
from typing import Any

import pytest

from benchmarks.comparing import SCRIPTS, Compare
from benchmarks.peers.timing import ROUNDS, clock
from obis import catalogue
from protocol.apdu import GetResponseNormal
from protocol.association import Association
from protocol.association.channel import Envelope, SecureChannel
from protocol.axdr import Data, double_long_unsigned
from protocol.codes import Mechanism
from protocol.events import AttributeRef, GetRequest, GetResponse, InvokeId
from protocol.security import CounterLease, ReplayGuard
from tests.protocol.association_tools import (
    BOTH,
    CLIENT_TITLE,
    KEYS,
    LN,
    LN_CIPHERED,
    SERVER_TITLE,
    T0,
    Pipe,
    make_client,
    make_server,
)

pytestmark = pytest.mark.benchmark(group="GET", timer=clock)

REGISTER = AttributeRef(3, catalogue.ACTIVE_ENERGY_IMPORT, 2)
VALUE = 12_345_678
#: A recorded answer is used once, for its counter may not come again.
ITERATIONS = 40
ANSWERS = ITERATIONS * (ROUNDS + 1) * (1 + len(SCRIPTS)) + 2
CIPHERED = [pytest.param(False, id="plain"), pytest.param(True, id="ciphered")]
NAMES = {False: "plain", True: "ciphered with suite 0"}
CASE: dict[str, Any] = {
    "block_key": KEYS.block_cipher_key.hex(),
    "authentication_key": KEYS.authentication_key.hex(),
    "client_title": CLIENT_TITLE.hex(),
    "server_title": SERVER_TITLE.hex(),
    "register": VALUE,
}


def pipe(ciphered: bool) -> Pipe:
    """Return an open association between our two halves."""
    way: dict[str, Any] = {"mechanism": Mechanism.NONE, "context": LN}
    if ciphered:
        way = {"mechanism": Mechanism.HLS_GMAC, "context": LN_CIPHERED}
    made = Pipe(make_client(**way), make_server(**way))
    made.open()
    return made


def recorded(ciphered: bool, *, counting: bool = False, general: bool = False) -> list[bytes]:
    """Return answers with rising counters.

    Args:
        ciphered: authenticated and encrypted, or plain.
        counting: invoke ids 1 to 15, 0 and so on, as pydlms-client has them; else always 1.
        general: general-glo-ciphering, which dlms-cosem wants, rather than glo.
    """
    counters = CounterLease(1000)  # above what opening has used
    channel = SecureChannel(KEYS, SERVER_TITLE, CLIENT_TITLE, counters, ReplayGuard(), BOTH)
    answers = []
    for number in range(1, ANSWERS + 1):
        invoke = InvokeId(number % 16 if counting else 1)
        apdu = GetResponseNormal(invoke, double_long_unsigned(VALUE)).encode()
        answers.append(channel.seal(apdu, Envelope(BOTH, general)) if ciphered else apdu)
    return answers


def client_get(client: Association, answer: bytes) -> int:
    """Return the register's value, from an answer that is there already."""
    client.send(GetRequest(REGISTER, None, InvokeId(1)), T0)
    client.outgoing()
    (response,) = client.receive(answer, T0)
    assert isinstance(response, GetResponse)
    assert isinstance(response.result, Data)
    return int(response.result.value)


def pair_get(client: Association, server: Association, number: int) -> int:
    """Return the register's value, from a server that is asked."""
    client.send(GetRequest(REGISTER, None, InvokeId(number % 16)), T0)
    server.receive(client.outgoing(), T0)
    server.send(GetResponse(double_long_unsigned(VALUE)), T0)
    (response,) = client.receive(server.outgoing(), T0)
    assert isinstance(response, GetResponse)
    assert isinstance(response.result, Data)
    return int(response.result.value)


@pytest.mark.parametrize("ciphered", CIPHERED)
def test_client_get(compare: Compare, ciphered: bool) -> None:
    """Request out, answer in, value decoded: what every client does."""
    answers = iter(recorded(ciphered))
    client = pipe(ciphered).client
    assert client_get(client, next(answers)) == VALUE
    case = CASE | {"ciphered": ciphered, "answers": _hex(recorded(ciphered))}
    special = {
        "pydlms-client": {"answers": _hex(recorded(ciphered, counting=True))},
        "dlms-cosem": {"answers": _hex(recorded(ciphered, general=True))},
    }
    compare(
        f"GET by the client, {NAMES[ciphered]}",
        lambda: client_get(client, next(answers)),
        "client GET",
        case,
        iterations=ITERATIONS,
        peers=special,
    )


@pytest.mark.parametrize("ciphered", CIPHERED)
def test_pair_get(compare: Compare, ciphered: bool) -> None:
    """Both halves in one process; of the peers only pydlms-client has a server that answers."""
    made, numbers = pipe(ciphered), count()
    assert pair_get(made.client, made.server, next(numbers)) == VALUE
    compare(
        f"GET by client and server, {NAMES[ciphered]}",
        lambda: pair_get(made.client, made.server, next(numbers)),
        "pair GET",
        CASE | {"ciphered": ciphered},
        iterations=ITERATIONS,
    )


def _hex(answers: list[bytes]) -> list[str]:
    return [answer.hex() for answer in answers]
