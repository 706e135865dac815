"""The head-end's half against meters that answer whatever they like.

Each has the right keys, so that what it says comes through to the decoders: wrong block numbers,
endless blocks, answers to what was not asked, bombs, and openings that are not what they should
be. A client raises what belongs to the protocol, stays within its bounds, and can begin anew.
"""

from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import pytest

from headend.listener.ears import Ear, Identity, Memory
from headend.transports import LinkKind
from protocol import axdr
from protocol.apdu import (
    ActionResponsePblock,
    GeneralBlock,
    GetResponseDatablock,
    ReadBlock,
    ReadResponseApdu,
)
from protocol.association import Association
from protocol.association.channel import SecureChannel
from protocol.association.envelope import Envelope, Exchange, KeyKind, Signing
from protocol.codes import ApplicationContext, Conformance, Mechanism
from protocol.errors import (
    CountersExhausted,
    EncodeError,
    LocalProtocolError,
    RemoteProtocolError,
)
from protocol.events import (
    AccessRequest,
    ActionListRequest,
    ActionRequest,
    GetListRequest,
    GetRequest,
    InvokeId,
    LongInvokeId,
    Opened,
    OpenRequest,
    ReadRequest,
    SetRequest,
    ShortName,
    WriteRequest,
)
from protocol.security import CounterLease, Protection, ReplayGuard, SecuritySuite
from protocol.timing import Instant
from protocol.wrapper import build_header
from tests.fuzz.campaign import scaled
from tests.fuzz.hostile import APDU_BOMBS, VALUE_BOMBS, mutate
from tests.meter_fw.client import KEYS, entropy
from tests.protocol.association_tools import CLOCK, LN, LN_CIPHERED, RELAY, T0, Pipe
from tests.protocol.test_security_associations import pair

CONVERSATIONS, ANSWERS, HEARD = 60, 8, 1_500
#: A client that got an APDU says so many at most: a window of general blocks.
MOST_SAID: Final = 64
BOTH: Final = Protection.AUTHENTICATED_ENCRYPTED
_CALM: Final = InvokeId()
_LONG: Final = axdr.octet_string(bytes(5_000))
_VALUES: Final = (
    *map(axdr.encode, (axdr.null(), _LONG, axdr.structure(*[axdr.integer(1)] * 20))),
    *VALUE_BOMBS,
)


def _answers() -> tuple[bytes, ...]:
    """Return plain answers of every service, to whatever was asked."""
    answers = [b"\xc5\x01\xc1\0", b"\xc5\x05\xc1\x02\0\0", b"\xc7\x03\xc1\x02\0\0\0\0"]
    answers += [b"\xd8\1\6\0\0\0\1", b"\xd8\1\1", b"\x0e\1\1\1", b"\x0d\x01\0", b"\x63\x03\x80\1\0"]
    clock = b"\0\x08" + CLOCK.logical_name.to_bytes() + b"\2"
    for value in _VALUES:
        answers += [b"\xc4\1\xc1\0" + value, b"\xc7\1\xc1\0\1\0" + value]
        answers += [b"\xc4\3\xc1\2\0" + value + b"\1\4", b"\x0c\2\0" + value + b"\1\4"]
        answers += [b"\xda\x40\0\0\1\0\0\2" + value + value + b"\2\1\0\1\0"]
        answers += [b"\x0f\x40\0\0\1\0" + value, b"\xc2\0" + clock + value]
    for number in (0, 1, 2, 3, 0xFFFFFFFF):
        octets = number.to_bytes(4, "big")
        answers += [b"\xc5\2\xc1" + octets, b"\xc5\3\xc1\0" + octets, b"\xc7\4\xc1" + octets]
        for last in (False, True):
            for raw in (b"", b"\x09\x81\xff", b"x" * 900):
                short, window = number & 0xFFFF, number & 63
                answers += [
                    GetResponseDatablock(_CALM, last, number, raw).encode(),
                    ActionResponsePblock(_CALM, last, number, raw).encode(),
                    ReadResponseApdu((ReadBlock(last, short, raw),)).encode(),
                    GeneralBlock(last, False, window, short, 0, raw).encode(),
                    GeneralBlock(last, True, 0, short, short, raw).encode(),
                ]
    return tuple(answers)


ANSWERED: Final = _answers()
REQUESTS: Final = (
    GetRequest(CLOCK),
    GetListRequest((GetRequest(CLOCK),) * 2),
    SetRequest(CLOCK, _LONG),
    ActionRequest(RELAY, axdr.integer(0)),
    ActionRequest(RELAY, _LONG),
    ActionListRequest((ActionRequest(RELAY, axdr.integer(0)),) * 2),
    AccessRequest((GetRequest(CLOCK), ActionRequest(RELAY, None)), LongInvokeId(1)),
)
BY_NAME: Final = (
    ReadRequest((ShortName(0x100), ShortName(8))),
    ReadRequest((ShortName(0x100),)),
    WriteRequest((ShortName(8),), (_LONG,)),
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a client speaks to such a meter."""

    name: str
    suite: SecuritySuite = SecuritySuite.SUITE_0
    context: ApplicationContext = LN_CIPHERED
    how: tuple[tuple[str, Any], ...] = ()

    def pair(self, mechanism: Mechanism) -> Pipe:
        """Return the client and a server that will be hostile."""
        names = {"short_names": self.by_name}
        return pair(self.suite, mechanism, self._ln, client=self._how, server=names)

    @property
    def by_name(self) -> bool:
        """Whether by short names."""
        return self.context in (ApplicationContext.SN, ApplicationContext.SN_CIPHERED)

    @property
    def _ln(self) -> ApplicationContext:
        ciphered = self.context in (LN_CIPHERED, ApplicationContext.SN_CIPHERED)
        return LN_CIPHERED if ciphered else LN

    @property
    def _how(self) -> dict[str, Any]:
        return {**dict(self.how), "context": self.context}


SUITE_0, SUITE_1, SUITE_2 = SecuritySuite
WAYS: Final = (
    Way("plain", context=LN),
    Way("ciphered"),
    Way("general blocks", how=(("general_blocks", True),)),
    Way("general-glo, suite 2", SUITE_2, how=(("general_ciphering", True),)),
    Way("dedicated key", SUITE_1, how=(("dedicated_key", True),)),
    Way("signed", SUITE_1, how=(("signing", Signing()),)),
    Way("agreed key", SUITE_1, how=(("exchange", Exchange(KeyKind.ONE_PASS)),)),
    Way("short names", context=ApplicationContext.SN),
    Way("short names, ciphered", context=ApplicationContext.SN_CIPHERED),
)


def hear(client: Association, apdu: bytes, now: Instant) -> bool:
    """Give a client an APDU; say whether it goes on."""
    try:
        client.receive(apdu, now)
    except (RemoteProtocolError, CountersExhausted):
        return False
    said = sum(1 for _ in iter(client.outgoing, b""))
    assert said <= MOST_SAID
    return True


def answer(random: Random, way: Way, pipe: Pipe) -> bytes:
    """Return one answer of a hostile meter."""
    plain = random.choice(ANSWERED)
    if random.random() < 0.6:
        plain = mutate(random, plain)
    server: Any = pipe.server._half  # its keys
    client: Any = pipe.client._half  # the envelope that it expects
    envelope = client._settings.envelope(Conformance.GENERAL_PROTECTION)
    if envelope is None or server._channel is None or not plain or random.random() < 0.05:
        return plain
    sealed: bytes = server._channel.seal(plain, envelope)
    return mutate(random, sealed) if random.random() < 0.05 else sealed


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_client_survives_what_a_meter_answers(way: Way) -> None:
    """In every service; and a new association with an honest meter works."""
    random = Random(way.name)
    for _ in range(scaled(CONVERSATIONS)):
        pipe, now = way.pair(Mechanism.NONE), T0
        pipe.open()
        for _ in range(ANSWERS):
            with suppress(LocalProtocolError, EncodeError):  # it still waits for the last answer
                pipe.client.send(random.choice(BY_NAME if way.by_name else REQUESTS), now)
            list(iter(pipe.client.outgoing, b""))
            now = Instant(now + random.choice((0, 1, 4_000)))
            due = pipe.client.wake_at()
            if due is not None and due <= now and not hear(pipe.client, b"", now):
                break
            if not hear(pipe.client, answer(random, way, pipe), now):
                break
        pipe.client.reset()
        pipe.server.reset()
        assert isinstance(pipe.open(), Opened)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_client_survives_how_a_meter_opens(way: Way) -> None:
    """AARE and pass 4 of every mechanism, damaged: there is an association or an error."""
    random = Random(f"opening, {way.name}")
    mechanisms = [each for each in Mechanism if way.suite or each is not Mechanism.HLS_ECDSA]
    for _ in range(scaled(CONVERSATIONS)):
        pipe = way.pair(random.choice(mechanisms))
        pipe.client.send(OpenRequest(), T0)
        damaged = random.randrange(2)
        for place in range(3):
            apdu = pipe.client.outgoing()
            if not apdu:
                break
            pipe.server.receive(apdu, T0)
            said = pipe.server.outgoing()
            said = mutate(random, said) if place == damaged else said
            try:
                pipe.client.receive(said, T0)
            except (RemoteProtocolError, CountersExhausted):
                break


@pytest.mark.parametrize("kind", [LinkKind.WRAPPER, LinkKind.DATAGRAMS])
def test_a_listener_survives_what_it_hears(kind: LinkKind) -> None:
    """Ciphered or not, whole or in blocks, by whoever: it is heard, or told why it was not."""
    random = Random(kind.name)
    counters, now = CounterLease(1), Instant(0)
    identity = Identity(lambda: KEYS, lambda: b"LISTENER", CounterLease(1), entropy)
    meter = SecureChannel(KEYS, b"MTR\0\0\0\0\1", b"", counters, ReplayGuard(), Protection.NONE)
    memory = Memory()
    ear = Ear(kind, "somebody", identity, memory)
    for _ in range(scaled(HEARD)):
        apdu = random.choice(ANSWERED if random.random() < 0.7 else APDU_BOMBS)
        apdu = mutate(random, apdu) if random.random() < 0.6 else apdu
        if apdu and random.random() < 0.4:
            weak = random.choice((BOTH, BOTH, BOTH, Protection.ENCRYPTED, Protection.AUTHENTICATED))
            apdu = meter.seal(apdu, Envelope(weak, random.random() < 0.9))
        pieces = [apdu[start : start + 50] for start in range(0, len(apdu), 50)]
        if random.random() < 0.2 and pieces:
            last = random.choice((1, len(pieces), len(pieces)))
            apdu = b""
            for number, piece in enumerate(pieces, 1):
                block = GeneralBlock(number == last, False, 0, number, 0, piece).encode()
                apdu += build_header(1, 102, len(block)) + block
        octets = build_header(1, random.choice((102, 103, 1, 0)), len(apdu)) + apdu
        octets = mutate(random, octets) if random.random() < 0.05 else octets
        now = Instant(now + 1)
        for heard in ear.receive(octets, now):
            assert (heard.notification is None) == bool(heard.why)
        list(iter(ear.link.outgoing, b""))
        if ear.link.broken:
            ear = Ear(kind, "somebody", identity, memory)
