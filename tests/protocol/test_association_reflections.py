"""What one side says turned against it: challenges, and APDUs of another association."""

from typing import Any

import pytest

from obis.values import replace
from protocol.apdu import Aare, Aarq, ApduTag, InitiateRequest, Rlrq, decode
from protocol.association import SUPPORTED
from protocol.association.envelope import Envelope, Signing, SigningPlace
from protocol.codes import Mechanism, ReleaseReason
from protocol.errors import SecurityError
from protocol.events import GetRequest, OpenRefused, OpenRequest
from protocol.security import (
    KeyUse,
    Protection,
    ReplayGuard,
    SharedBook,
    aes_reply,
)
from tests.protocol.association_tools import CLIENT_TITLE, CLOCK, LN, LN_CIPHERED, T0, answer
from tests.protocol.security_tools import SUITE_0, SUITE_1, keys
from tests.protocol.test_security_associations import SECRET, pair

OTHER = b"another block!!!"


@pytest.mark.parametrize(
    "reflect",
    [
        lambda challenge: challenge,
        lambda challenge: challenge + b"\0",
        lambda challenge: challenge + OTHER,
        lambda challenge: OTHER + challenge,
    ],
)
def test_a_server_that_has_its_answer_computed_by_us_is_refused(reflect: Any) -> None:
    """Mechanism 2 ciphers block by block, so our answer to these would hold its answer to ours."""
    pipe = pair(SUITE_0, Mechanism.HLS, LN)
    pipe.client.send(OpenRequest(), T0)
    aarq = decode(pipe.client.outgoing())
    assert isinstance(aarq, Aarq)
    ours = aarq.authentication_value
    assert ours is not None
    theirs = reflect(ours)
    assert aes_reply(ours, SECRET)[:16] in aes_reply(theirs, SECRET)
    aare = decode(answer(pipe.server, aarq.encode()))
    assert isinstance(aare, Aare)
    with pytest.raises(SecurityError, match="no challenge of its own"):
        pipe.client.receive(replace(aare, authentication_value=theirs).encode(), T0)
    assert pipe.client.outgoing() == b""


def test_the_global_key_is_no_dedicated_key() -> None:
    """Under it, whatever was ciphered in another association would count as new."""
    pipe = pair(SUITE_0)
    key = keys(SUITE_0).block_cipher_key
    pipe.client.send(OpenRequest(), T0)
    half: Any = pipe.client._half  # to propose what ours does not
    proposal = InitiateRequest(SUPPORTED, 1024, dedicated_key=key).encode()
    both = Protection.AUTHENTICATED_ENCRYPTED
    information = half._channel.seal(proposal, Envelope(both))
    aarq = Aarq(LN_CIPHERED, CLIENT_TITLE, user_information=information)
    (refused,) = pipe.server.receive(aarq.encode(), T0)
    assert isinstance(refused, OpenRefused)
    assert "dedicated" in refused.detail


def test_what_is_signed_and_not_ciphered_counts_once_in_all_associations() -> None:
    """It has no counter, so what the server shares between associations has to remember it."""
    book = SharedBook(ReplayGuard(), ReplayGuard())
    signed: dict[str, Any] = {
        "server": {"protection": Protection.NONE, "request_signed": True},
        "guard": book,
    }
    pipe = pair(SUITE_1, client={"signing": Signing(SigningPlace.OUTSIDE)}, **signed)
    pipe.open()
    half: Any = pipe.client._half  # ours ciphers as well
    request = bytes.fromhex("C001C1") + b"\0\x08" + CLOCK.logical_name.to_bytes() + b"\x02\0"
    envelope = Envelope(Protection.NONE, signing=Signing(SigningPlace.OUTSIDE), suite=SUITE_1)
    recorded = half._channel.seal(request, envelope)
    (asked,) = pipe.server.receive(recorded, T0)
    assert isinstance(asked, GetRequest)
    again = pair(SUITE_1, client={"signing": Signing(SigningPlace.OUTSIDE)}, counter=100, **signed)
    again.open()
    assert answer(again.server, recorded)[0] == ApduTag.EXCEPTION_RESPONSE


def test_a_shared_book_has_a_guard_for_the_broadcast_key_and_one_for_the_rest() -> None:
    """Whoever uses them: who has one key cannot use up the counters of the other."""
    others, broadcast = ReplayGuard(), ReplayGuard(7)
    book = SharedBook(others, broadcast)
    for title in (CLIENT_TITLE, b"somebody"):
        for use in KeyUse:
            expected = broadcast if use is KeyUse.BROADCAST else others
            assert book.guard(title, use) is expected


@pytest.mark.parametrize("opening", [True, False])
def test_the_broadcast_key_neither_opens_nor_ends_an_association(opening: bool) -> None:
    """Whoever has taken it out of another meter; and no counter counts that it came with."""
    guard = ReplayGuard()
    pipe = pair(SUITE_0, guard=guard)
    thief = pair(SUITE_0, client={"broadcast": True}, counter=500)
    if not opening:
        pipe.open()
    last = guard.last
    half: Any = thief.client._half  # ours never does that
    thief.client.send(OpenRequest(), T0)
    envelope = Envelope(Protection.AUTHENTICATED_ENCRYPTED, broadcast=True)
    information = half._channel.seal(InitiateRequest(SUPPORTED, 1024).encode(), envelope)
    if opening:
        apdu = Aarq(LN_CIPHERED, CLIENT_TITLE, user_information=information).encode()
    else:
        apdu = Rlrq(ReleaseReason.NORMAL, information).encode()
    (refused,) = pipe.server.receive(apdu, T0)
    assert isinstance(refused, OpenRefused) is opening
    assert guard.last == last
    assert pipe.server.is_open is not opening
