"""The objects of the ports (classes 19, 23, 41): what they show is what the meter does."""

from collections.abc import Callable
from typing import Any

import pytest

from meter_fw.lines import HDLC_LIMITS
from meter_fw.readout import identification
from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.cosem import latest
from protocol.cosem.iec_local_port_setup import CommunicationSpeed, DefaultMode, ResponseTime
from protocol.hdlc import HdlcServer
from protocol.iec21.characters import BAUDS, INITIAL_BAUD
from protocol.iec21.device import DeviceTimes
from protocol.timing import Instant
from protocol.wrapper import WrapperLink
from tests.meter_fw.rig import MANAGER, PUBLIC, Rig

LOCAL, HDLC, TCP = (catalogue.LOCAL_PORT_SETUP, catalogue.HDLC_SETUP, catalogue.TCP_UDP_SETUP)
CLASSES = {LOCAL: 19, HDLC: 23, TCP: 41}


@pytest.fixture(scope="module")
def rig() -> Rig:
    """Return a meter; nothing here changes it."""
    return Rig("il")


@pytest.fixture(scope="module")
def shown(rig: Rig) -> Callable[[ObisCode, int], Any]:
    """Read an attribute as a plain value."""

    def read(name: ObisCode, index: int) -> Any:
        found = rig.get(name, CLASSES[name], index)
        declared = latest(CLASSES[name])
        assert isinstance(found, Data), found
        assert declared is not None
        attribute = declared.attribute(index)
        assert attribute is not None
        return attribute.type.from_data(found)

    return read


def test_the_hdlc_port_shows_what_it_offers(shown: Callable[[ObisCode, int], Any]) -> None:
    """Windows and lengths of its UA, and the address that it answers to."""
    offered = HDLC_LIMITS
    windows = (offered.window_transmit, offered.window_receive)
    lengths = (offered.transmit, offered.receive)
    assert (shown(HDLC, 3), shown(HDLC, 4)) == windows
    assert (shown(HDLC, 5), shown(HDLC, 6)) == lengths
    assert shown(HDLC, 9) == 1


def test_the_hdlc_ports_time_outs_are_those_of_its_link(
    shown: Callable[[ObisCode, int], Any],
) -> None:
    """After so many seconds without a frame the connection is gone, and not a moment before."""
    link = HdlcServer(1, {1}, HDLC_LIMITS)
    link.receive(bytes.fromhex("7EA0070321930F017E"), Instant(0))
    assert link.outgoing()
    timeout = shown(HDLC, 8) * 1000
    assert not link.receive(b"", Instant(timeout - 1))
    assert link.receive(b"", Instant(timeout))
    assert shown(HDLC, 7) == 500


def test_the_local_port_shows_how_its_sign_on_goes(
    rig: Rig, shown: Callable[[ObisCode, int], Any]
) -> None:
    """IEC 62056-21 at 300 Bd, the rate that its identification offers, and how soon it answers."""
    told = identification(rig.factory)
    assert shown(LOCAL, 2) == DefaultMode.IEC_62056_21
    bauds = {speed: int(speed.name.removeprefix("BAUD_")) for speed in CommunicationSpeed}
    assert bauds[CommunicationSpeed(shown(LOCAL, 3))] == INITIAL_BAUD
    assert bauds[CommunicationSpeed(shown(LOCAL, 4))] == BAUDS[told.rate]
    assert not told.quick
    assert shown(LOCAL, 5) == ResponseTime.MILLISECONDS_200
    assert DeviceTimes().reaction == 200
    assert shown(LOCAL, 6) == rig.factory.serial.encode()


def test_the_tcp_ports_time_out_is_that_of_its_link(shown: Callable[[ObisCode, int], Any]) -> None:
    """A client that says nothing for so long is forgotten."""
    link = WrapperLink.server({1})
    link.receive(bytes.fromhex("000100100001000100"), Instant(0))
    timeout = shown(TCP, 6) * 1000
    assert not link.receive(b"", Instant(timeout - 1))
    assert link.receive(b"", Instant(timeout))


@pytest.mark.parametrize("index", [7, 8, 9])
def test_passwords_are_not_read(rig: Rig, index: int) -> None:
    """Not even by the management client."""
    assert rig.get(LOCAL, 19, index, caller=MANAGER) == DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize(("name", "index"), [(HDLC, 2), (TCP, 2), (TCP, 3), (TCP, 4), (TCP, 5)])
def test_what_only_the_board_knows_is_not_shown(rig: Rig, name: ObisCode, index: int) -> None:
    """The speed of a UART, the number of a TCP port: the firmware was never told."""
    assert rig.get(name, CLASSES[name], index) == DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize("name", [LOCAL, HDLC, TCP])
def test_the_public_client_does_not_see_the_ports(rig: Rig, name: ObisCode) -> None:
    """They are for readers and the management client."""
    assert rig.get(name, CLASSES[name], 1, caller=PUBLIC) == DataAccessResult.OBJECT_UNDEFINED
