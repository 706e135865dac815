"""The negotiation of an HDLC link's parameters."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import hdlc
from protocol.errors import DecodeError, EncodeError
from protocol.hdlc.parameters import HdlcParameters

lengths = st.integers(1, 2030)
windows = st.integers(1, 7)
parameters = st.builds(HdlcParameters, lengths, lengths, windows, windows)


def test_the_defaults_are_stated_as_published() -> None:
    """The information field of the UA in the DLMS UA's examples (G. Kmethy)."""
    published = "8180140502008006020080070400000001080400000001"
    assert HdlcParameters().to_information().hex() == published


@given(parameters)
def test_read_is_the_inverse_of_state(stated: HdlcParameters) -> None:
    """What one side states, the other reads."""
    assert HdlcParameters.from_information(stated.to_information()) == stated


@pytest.mark.parametrize(
    ("information", "transmit", "receive"),
    [
        pytest.param("", 128, 128, id="absent field: the defaults"),
        pytest.param("818000", 128, 128, id="no groups: the defaults"),
        pytest.param("81800305019A", 154, 128, id="one octet, receive absent"),
        pytest.param("81800306019A", 128, 154, id="one octet, transmit absent"),
        pytest.param("818008050207EE060207EE", 2030, 2030, id="two octets"),
        pytest.param("81800C05040000010006040000FFFF", 256, 2030, id="four octets, beyond 2030"),
        pytest.param("81800806020100050200FF", 255, 256, id="another order"),
        pytest.param("818003050120FF0501FF", 32, 128, id="user data behind the parameters"),
        pytest.param("818003050120FE0501FF", None, None, id="something else behind them"),
        pytest.param("8180070901AAF0026161", 128, 128, id="unknown groups are skipped"),
        pytest.param("81800AFF0001010501400601", None, None, id="cut in a group"),
        pytest.param("8180060501010601", None, None, id="cut in the last group"),
        pytest.param("818003050100", None, None, id="a length of 0"),
        pytest.param("818003070100", None, None, id="a window of 0"),
        pytest.param("8180050503010000", None, None, id="three octets"),
        pytest.param("81800405000600", None, None, id="no octets"),
        pytest.param("81800405018006", None, None, id="a group without a length"),
        pytest.param("818002050180", None, None, id="longer than it says"),
        pytest.param("818004050180", None, None, id="shorter than it says"),
        pytest.param("8080030501 80", None, None, id="another format identifier"),
        pytest.param("8181030501 80", None, None, id="another group identifier"),
        pytest.param("81", None, None, id="one octet only"),
        pytest.param("8180", None, None, id="no length"),
    ],
)
def test_stated_parameters(information: str, transmit: int | None, receive: int | None) -> None:
    """Every way to code them, and each way to get it wrong."""
    field = bytes.fromhex(information)
    if transmit is None or receive is None:
        with pytest.raises(DecodeError):
            HdlcParameters.from_information(field)
    else:
        assert HdlcParameters.from_information(field) == HdlcParameters(transmit, receive)


@given(st.binary(max_size=40))
def test_any_field_is_read_or_refused(information: bytes) -> None:
    """Arbitrary octets give parameters in range, or the named error."""
    for field in (information, b"\x81\x80" + bytes((len(information),)) + information):
        try:
            stated = HdlcParameters.from_information(field)
        except DecodeError:
            continue
        assert 1 <= stated.transmit <= 2030
        assert 1 <= stated.receive <= 2030
        assert 1 <= stated.window_transmit <= 7
        assert 1 <= stated.window_receive <= 7


@given(parameters, parameters)
def test_both_sides_agree(one: HdlcParameters, other: HdlcParameters) -> None:
    """What one side may send after negotiation is what the other takes."""
    mine, theirs = one.agree(other), other.agree(one)
    assert mine.transmit == theirs.receive == min(one.transmit, other.receive)
    assert mine.receive == theirs.transmit == min(one.receive, other.transmit)
    window = min(one.window_transmit, other.window_receive)
    assert mine.window_transmit == theirs.window_receive == window
    window = min(one.window_receive, other.window_transmit)
    assert mine.window_receive == theirs.window_transmit == window


@pytest.mark.parametrize(("transmit", "receive"), [(0, 128), (128, 0), (2031, 128), (128, 2031)])
def test_lengths_out_of_range_are_refused(transmit: int, receive: int) -> None:
    """1 and 2030 are the bounds."""
    HdlcParameters(1, 2030)
    with pytest.raises(EncodeError):
        HdlcParameters(transmit, receive)


@pytest.mark.parametrize(
    ("information", "transmit", "receive"),
    [
        pytest.param("818006070103080105", 3, 5, id="one octet each, and each its own"),
        pytest.param("81800C070400000007080400000002", 7, 2, id="four octets"),
        pytest.param("818003070102", 2, 1, id="the other absent"),
        pytest.param("818006070108080400000100"[:18], 7, None, id="cut"),
        pytest.param("818009070108080400000100", 7, 7, id="beyond 7: taken as 7"),
        pytest.param("818003080100", None, None, id="a window of 0"),
    ],
)
def test_stated_windows(information: str, transmit: int, receive: int | None) -> None:
    """They are bounded by the modulus of the numbers."""
    field = bytes.fromhex(information)
    if receive is None:
        with pytest.raises(DecodeError):
            HdlcParameters.from_information(field)
    else:
        stated = HdlcParameters.from_information(field)
        assert (stated.window_transmit, stated.window_receive) == (transmit, receive)


@pytest.mark.parametrize("windows", [(0, 1), (1, 0), (8, 1), (1, 8)])
def test_windows_out_of_range_are_refused(windows: tuple[int, int]) -> None:
    """1 and 7 are the bounds."""
    HdlcParameters(128, 128, 1, 7)
    with pytest.raises(EncodeError):
        HdlcParameters(128, 128, *windows)


def test_the_parameters_can_be_had_without_the_link() -> None:
    """A command over TCP knows of them, and imports no client and no checksum."""
    code = (
        "import sys, protocol.hdlc.parameters\n"
        "link = [name for name in sys.modules if name.startswith(('protocol.hdlc.', 'crcmod'))]\n"
        "print(*link)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "protocol.hdlc.parameters\n"


def test_what_the_room_offers_is_there() -> None:
    """Each by the name under which it is offered; anything else is no attribute."""
    assert [getattr(hdlc, name).__name__ for name in hdlc.__all__] == hdlc.__all__
    with pytest.raises(AttributeError, match="HdlcServant"):
        hdlc.HdlcServant  # type: ignore[attr-defined]  # noqa: B018 - the attempt itself
