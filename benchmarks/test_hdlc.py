"""HDLC: one information frame out, one found in a stream, one found behind noise."""

import random

import pytest

from benchmarks.comparing import Compare
from benchmarks.peers.timing import clock
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Control, Frame, FrameKind
from tests.protocol.association_tools import T0

pytestmark = pytest.mark.benchmark(group="HDLC", timer=clock)

#: An LLC header and an APDU, all below 0x7E so that no peer is led astray.
INFORMATION = bytes.fromhex("E6E700") + bytes(range(117))
SERVER, CLIENT = HdlcAddress(1), HdlcAddress(16)
RECEIVED = Frame(CLIENT, SERVER, Control(FrameKind.I, receive=1), INFORMATION).to_bytes()


def test_write_frame(compare: Compare) -> None:
    """A frame of 120 octets of information, made and written."""

    def call() -> bytes:
        return Frame(SERVER, CLIENT, Control(FrameKind.I), INFORMATION).to_bytes()

    case = {"octets": call().hex(), "information": INFORMATION.hex()}
    compare("HDLC: write a frame of 120 octets", call, "write frame", case)


def test_find_frame(compare: Compare) -> None:
    """The same size found in a clean stream and taken apart."""
    finder = FrameFinder(500)
    case = {"octets": RECEIVED.hex(), "information": INFORMATION.hex()}
    assert finder.receive(RECEIVED, T0)[0].information == INFORMATION
    title = "HDLC: find a frame of 120 octets"
    compare(title, lambda: finder.receive(RECEIVED, T0), "find frame", case)


def test_find_frame_behind_noise(compare: Compare) -> None:
    """A thousand octets that are no frame come first; no peer is asked, for not all get through."""
    finder = FrameFinder(500)
    stream = random.Random(46).randbytes(1000) + RECEIVED
    assert finder.receive(stream, T0)[-1].information == INFORMATION
    compare("HDLC: the same behind 1000 octets of noise", lambda: finder.receive(stream, T0))
