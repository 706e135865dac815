"""The meter's ports as its clients can read them: classes 19, 23 and 41, read only.

Each object says how the firmware speaks on a port of its kind. What the firmware does not know it
does not show: the speed of the HDLC port and the number of the TCP port are the board's.

| object | class | shown |
|---|---|---|
| 0-0:20.0.0 | 19 IEC local port setup | mode, rates, response time, address; no passwords |
| 0-0:22.0.0 | 23 IEC HDLC setup | windows, lengths, time-outs, physical address |
| 0-0:25.0.0 | 41 TCP-UDP setup | inactivity time-out |
"""

from typing import Final

from meter_fw.lines import HDLC_LIMITS
from meter_fw.readout import identification
from meter_fw.server import Attribute, CosemObject, Getter
from meter_fw.view import READERS
from obis import catalogue
from protocol.cosem.iec_hdlc_setup import IEC_HDLC_SETUP
from protocol.cosem.iec_local_port_setup import (
    IEC_LOCAL_PORT_SETUP,
    CommunicationSpeed,
    DefaultMode,
    ResponseTime,
)
from protocol.cosem.tcp_udp_setup import TCP_UDP_SETUP
from protocol.hdlc.server import DEFAULT_INACTIVITY_TIMEOUT, DEFAULT_INTER_OCTET_TIMEOUT
from protocol.wrapper import DEFAULT_IDLE_TIMEOUT

_SECOND: Final = 1000


def _readable(**getters: Getter) -> dict[int, Attribute]:
    """Bind attributes, given as ``a2`` for the second, to what they show."""
    return {int(name[1:]): Attribute(get, READERS) for name, get in getters.items()}


def objects() -> tuple[CosemObject, ...]:
    """Return the setups of the ports."""
    return (
        CosemObject(
            IEC_LOCAL_PORT_SETUP,
            catalogue.LOCAL_PORT_SETUP,
            _readable(
                a2=lambda view: DefaultMode.IEC_62056_21,
                a3=lambda view: CommunicationSpeed.BAUD_300,  # where every sign-on begins
                # the rate's figure in the identification counts as the enum does
                a4=lambda view: CommunicationSpeed(int(identification(view.factory).rate)),
                a5=lambda view: (
                    ResponseTime.MILLISECONDS_20
                    if identification(view.factory).quick
                    else ResponseTime.MILLISECONDS_200
                ),
                a6=lambda view: view.factory.serial.encode("ascii"),
            ),
        ),
        CosemObject(
            IEC_HDLC_SETUP,
            catalogue.HDLC_SETUP,
            _readable(
                a3=lambda view: HDLC_LIMITS.window_transmit,
                a4=lambda view: HDLC_LIMITS.window_receive,
                a5=lambda view: HDLC_LIMITS.transmit,
                a6=lambda view: HDLC_LIMITS.receive,
                a7=lambda view: DEFAULT_INTER_OCTET_TIMEOUT,
                a8=lambda view: DEFAULT_INACTIVITY_TIMEOUT // _SECOND,
                a9=lambda view: view.factory.physical,
            ),
        ),
        CosemObject(
            TCP_UDP_SETUP,
            catalogue.TCP_UDP_SETUP,
            _readable(a6=lambda view: DEFAULT_IDLE_TIMEOUT // _SECOND),
        ),
    )
