"""General block transfer by itself: windows, streaming, and what is lost on the way."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.apdu import GeneralBlock
from protocol.association.blocks import BlockNumberError
from protocol.association.general_blocks import (
    MAX_STALLS,
    GeneralBlocks,
    GivenUpError,
    unconfirmed,
)
from protocol.association.requests import PduTooLongError
from protocol.errors import EncodeError, RemoteProtocolError

LIMIT = 17  # blocks of ten octets
APDU = bytes(range(95))


def client(window: int = 1, limit: int = LIMIT, most: int = 1000) -> GeneralBlocks:
    """A client's end."""
    return GeneralBlocks(True, window, limit, most)


def server(window: int = 1, limit: int = LIMIT, most: int = 1000) -> GeneralBlocks:
    """A server's end."""
    return GeneralBlocks(False, window, limit, most)


def take(end: GeneralBlocks, octets: bytes) -> tuple[list[bytes], bytes | None]:
    """Give a block to an end."""
    return end.receive(GeneralBlock.decode(octets))


def hexed(blocks: list[bytes]) -> list[str]:
    """Blocks as the published ones are written."""
    return [block.hex() for block in blocks]


# Octets of GeneralBlockTransferHandlerTest by EnergyICT, as chandangeek/Connexo_Code on GitHub has
# it: window 5, an answer in nine blocks whose lengths are in the long form.
PUBLISHED = (
    "e00500010000820002c402",
    "e045000200018200020102",
    "e045000300018200020304",
    "e045000400018200020506",
    "e045000500018200020708",
    "e00500060001820002090A",
    "e045000700028200020B0C",
    "e045000800028200020D0E",
    "e085000900028200010F",
)


def test_a_published_transfer() -> None:
    """A block without streaming is acknowledged, the last one not, and the APDU is whole."""
    end = client(window=5)
    answers, apdu = [], None
    for block in PUBLISHED:
        send, apdu = take(end, bytes.fromhex(block))
        answers += hexed(send)
    assert answers == ["e0850001000100", "e0850002000600"]
    assert apdu == bytes.fromhex("c4020102030405060708090A0B0C0D0E0F")


def test_a_published_loss() -> None:
    """Block 4 lost: what came after it is asked for again, at the end of the window."""
    end = client(window=5)
    lost = [block for place, block in enumerate(PUBLISHED[:6]) if place != 3]
    answers = [hexed(take(end, bytes.fromhex(block))[0]) for block in lost]
    assert answers == [["e0850001000100"], [], [], [], ["e0850002000300"]]


def test_the_published_sender_is_followed_too() -> None:
    """Asked for block 4 with a window of 1 we send it alone, and go on after the sixth then."""
    end = server(limit=9)  # blocks of two octets
    end.receive(GeneralBlock(True, False, 5, 1, 0, b"\xc0"))
    first = end.send(bytes.fromhex("c4020102030405060708090A0B0C0D0E0F"))
    assert [GeneralBlock.decode(block).number for block in first] == [1, 2, 3, 4, 5]
    sent, _ = take(end, bytes.fromhex("e0810002000300"))
    assert [GeneralBlock.decode(block).number for block in sent] == [4]
    assert not GeneralBlock.decode(sent[0]).streaming
    sent, _ = take(end, bytes.fromhex("e0850003000500"))
    assert [GeneralBlock.decode(block).number for block in sent] == [6, 7, 8, 9]


def converse(
    asks: GeneralBlocks, answers: GeneralBlocks, request: bytes, answer: bytes, lost: list[bool]
) -> tuple[list[bytes], list[bytes]]:
    """Let a request and its answer pass a line that loses some of the blocks, while it does."""
    fates = iter(lost)
    requests: list[bytes] = []
    replies: list[bytes] = []

    def arrives() -> bool:
        return not next(fates, False)

    asks.begin()
    up, down = asks.fit(request), list[bytes]()
    for _ in range(500):
        while up or down:
            if up:
                octets = up.pop(0)
                if octets[0] != 0xE0:
                    answers.begin()
                    requests.append(octets)
                    down += answers.fit(answer)
                elif arrives():
                    send, apdu = take(answers, octets)
                    down += send
                    if apdu is not None:
                        requests.append(apdu)
                        down += answers.fit(answer)
            if down:
                octets = down.pop(0)
                if octets[0] != 0xE0:
                    replies.append(octets)
                elif arrives():
                    send, apdu = take(asks, octets)
                    up += send
                    replies += [] if apdu is None else [apdu]
        if replies:
            break
        up = asks.recover()
        assert up, "nothing is owed, and yet there is no answer"
    return requests, replies


@settings(max_examples=300, deadline=None)
@example(1, 1, 21, 1, [place in (4, 7, 10) for place in range(11)])  # given up after three losses
@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(1, 150),
    st.integers(1, 150),
    st.lists(st.sampled_from([False, False, False, True]), max_size=40),
)
def test_whatever_is_lost_comes_in_the_end(
    window: int, other: int, asked: int, answered: int, lost: list[bool]
) -> None:
    """Requests and answers of any length, windows of any size: each comes once, and whole.

    The first block that answers a request in one APDU has to come: before it nobody knows of a
    transfer.
    """
    if asked <= LIMIT:
        lost = [False, *lost]
    request, answer = bytes(range(asked)), bytes(range(255, 255 - answered, -1))
    try:
        requests, replies = converse(client(window), server(other), request, answer, lost)
    except GivenUpError:
        # A line that loses nearly everything. One loss may count twice before anything new comes:
        # as a silence, and as the acknowledgement that comes again when the silence is filled.
        assert 2 * sum(lost) > MAX_STALLS
        return
    assert requests == [request]
    assert replies == [answer]


def test_windows_grow_to_what_the_other_side_takes() -> None:
    """One block until it says how many, then as many; all but the last of them streaming."""
    end = client()
    (first,) = end.send(APDU)
    assert not GeneralBlock.decode(first).streaming
    sent, _ = end.receive(GeneralBlock(True, False, 3, 1, 1))
    blocks = [GeneralBlock.decode(block) for block in sent]
    assert [(block.number, block.streaming) for block in blocks] == [
        (2, True),
        (3, True),
        (4, False),
    ]
    assert all(len(block) <= LIMIT for block in sent)


def test_what_fits_goes_as_it_is() -> None:
    """And in blocks when it answers what came in blocks."""
    end = server()
    assert end.fit(APDU[:LIMIT]) == [APDU[:LIMIT]]
    end.receive(GeneralBlock(True, False, 1, 1, 0, b"\xc0"))
    assert end.in_blocks
    assert len(end.fit(b"\xc4")) == 1
    assert end.fit(b"\xc4")[0][0] == 0xE0


def test_a_new_request_ends_the_old_one() -> None:
    """Block 1 with other octets is another APDU, in the middle of either direction."""
    end = server()
    end.receive(GeneralBlock(False, False, 1, 1, 0, b"old"))
    assert end.receive(GeneralBlock(True, False, 1, 1, 0, b"new")).apdu == b"new"
    assert end.send(APDU)
    assert end.receive(GeneralBlock(True, False, 1, 1, 0, b"next")).apdu == b"next"


def test_a_block_twice_counts_once() -> None:
    """It is acknowledged again and not collected again."""
    end = server()
    first = GeneralBlock(False, False, 1, 1, 0, b"one ")
    assert end.receive(first).send
    assert end.receive(first).send
    assert end.receive(GeneralBlock(True, False, 1, 2, 0, b"two")).apdu == b"one two"
    assert end.receive(GeneralBlock(True, False, 1, 2, 0, b"two")) == ([], None)


def test_what_is_collected_is_bounded() -> None:
    """Beyond the bound the transfer is forgotten, and the next one begins afresh."""
    end = server(most=20)
    end.receive(GeneralBlock(False, True, 1, 1, 0, bytes(15)))
    with pytest.raises(PduTooLongError):
        end.receive(GeneralBlock(False, True, 1, 2, 0, bytes(6)))
    assert end.receive(GeneralBlock(True, False, 1, 1, 0, bytes(20))).apdu == bytes(20)


def test_a_transfer_that_does_not_get_on_is_given_up() -> None:
    """The same acknowledgement again and again, or silence again and again."""
    end = client()
    end.send(APDU)
    for _ in range(MAX_STALLS):
        assert end.receive(GeneralBlock(True, False, 1, 1, 0)).send
    with pytest.raises(GivenUpError):
        end.receive(GeneralBlock(True, False, 1, 1, 0))
    end.send(APDU)
    for _ in range(MAX_STALLS):
        assert end.recover()
    with pytest.raises(GivenUpError):
        end.recover()


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (GeneralBlock(True, False, 1, 1, 9), BlockNumberError),
        (GeneralBlock(True, False, 1, 0, 0, b"\xc4"), RemoteProtocolError),
    ],
    ids=["an acknowledgement of what was not sent", "a block without a number"],
)
def test_blocks_that_cannot_be(block: GeneralBlock, error: type[RemoteProtocolError]) -> None:
    """The other side is told, and the exchange is over."""
    end = client()
    end.send(APDU[:5])
    with pytest.raises(error):
        end.receive(block)
    assert not end.is_sending


def test_a_client_is_not_thanked_for_nothing() -> None:
    """An acknowledgement where nothing was sent in blocks."""
    with pytest.raises(GivenUpError):
        client().receive(GeneralBlock(True, False, 1, 1, 0))


def test_unconfirmed_blocks_are_not_acknowledged() -> None:
    """Window 0: nothing goes back, and a gap is the end."""
    blocks = [GeneralBlock.decode(block) for block in unconfirmed(APDU, LIMIT)]
    assert {(block.window, block.streaming) for block in blocks} == {(0, False)}
    end = client()
    taken = [end.receive(block) for block in blocks]
    assert all(not one.send for one in taken)
    assert taken[-1].apdu == APDU
    end.receive(blocks[0])
    with pytest.raises(BlockNumberError):
        end.receive(blocks[2])


def test_more_blocks_than_numbers() -> None:
    """65,535 are the most."""
    with pytest.raises(EncodeError):
        client(limit=8).send(bytes(65536))
    with pytest.raises(EncodeError):
        client(limit=7).send(b"\xc4")


@pytest.mark.parametrize("end", [client, server])
def test_an_empty_first_block_does_not_complete_an_apdu(end: Callable[[], GeneralBlocks]) -> None:
    """In place of one that had octets it is no acknowledgement either: an APDU has a tag."""
    made = end()
    made.receive(GeneralBlock(False, True, 1, 1, 0, APDU[:10]))
    with pytest.raises(BlockNumberError):
        made.receive(GeneralBlock(True, False, 1, 1, 0, b""))
    assert made.receive(GeneralBlock(True, False, 1, 1, 0, APDU)).apdu == APDU
