"""Throughput of the links: frame check, frames found, frames made, wrapper frames.

Run with ``pytest benchmarks/bench_links.py``. Each case works on 128 or 2030 octets.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from protocol.events import Peer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Control, Frame, FrameKind, frame_check
from protocol.timing import Instant
from protocol.wrapper import WrapperLink, build_header

NOW = Instant(0)
SIZES = pytest.mark.parametrize("size", [128, 2030])


def _frame(size: int) -> Frame:
    return Frame(HdlcAddress(1, 17, 4), HdlcAddress(16), Control(FrameKind.I), bytes(size))


@SIZES
def test_frame_check(benchmark: BenchmarkFixture, size: int) -> None:
    """CRC-16/X.25 over one information field."""
    benchmark(frame_check, bytes(size))


@SIZES
def test_frame_is_made(benchmark: BenchmarkFixture, size: int) -> None:
    """One frame to octets."""
    benchmark(_frame(size).to_bytes)


@SIZES
def test_frame_is_found(benchmark: BenchmarkFixture, size: int) -> None:
    """One frame out of octets, in one piece."""
    octets, finder = _frame(size).to_bytes(), FrameFinder(500)
    assert len(benchmark(finder.receive, octets, NOW)) == 1


@SIZES
def test_frame_is_found_octet_by_octet(benchmark: BenchmarkFixture, size: int) -> None:
    """The worst that a serial port does."""
    octets, finder = _frame(size).to_bytes(), FrameFinder(500)

    def run() -> int:
        return sum(len(finder.receive(octets[i : i + 1], NOW)) for i in range(len(octets)))

    assert benchmark(run) == 1


@SIZES
def test_wrapper_frame_is_read(benchmark: BenchmarkFixture, size: int) -> None:
    """One APDU from a stream."""
    link = WrapperLink.server({1})
    octets = build_header(16, 1, size) + bytes(size)
    link.receive(octets, NOW)
    assert len(benchmark(link.receive, octets, NOW)) == 1


def test_noise_that_always_looks_like_a_frame(benchmark: BenchmarkFixture) -> None:
    """4096 octets of headers with a true check, each claiming the longest frame."""
    header = b"\xa7\xff\x02\x23\x21\x10"
    claim = b"\x7e" + header + frame_check(header).to_bytes(2, "little")
    finder = FrameFinder(500)
    benchmark(finder.receive, (claim * 456)[:4096], NOW)


def test_wrapper_header_is_made(benchmark: BenchmarkFixture) -> None:
    """Eight octets."""
    assert len(benchmark(build_header, Peer(16, 1).client, 1, 100)) == 8
