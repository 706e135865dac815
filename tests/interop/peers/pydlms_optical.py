"""Has pydlms-client 0.1.0 read a local port: ``python pydlms_optical.py WHAT URL``.

WHAT is a function of this file; URL a path or a pyserial URL. It prints one JSON object.
"""

import json
import sys

from pydlms import DlmsClient
from pydlms.exceptions import FramingError
from pydlms.security.hls import Mechanism
from pydlms.transports.serial import OpticalTransport, parse_data_message

PATIENCE = 8.0


def readout(url):
    """A mode C readout."""
    transport = OpticalTransport(url, timeout=PATIENCE)
    try:
        found = transport.read_mode_c()
    finally:
        transport.close()
    return {
        "manufacturer": found.identification.manufacturer,
        "identification": found.identification.identification,
        "baud": found.identification.baud,
        "mode_e": found.identification.mode_e,
        "sets": [[each.address, each.value, each.unit] for each in found.data_sets],
    }


def hdlc(url):
    """Mode E: a value as the reader, with the meter's confirmation checked by the peer."""
    client = DlmsClient.optical(
        url,
        client_sap=2,
        mechanism=Mechanism.LLS,
        password="12345678",
        timeout=PATIENCE,
    )
    client.connect()
    name = client.get("0.0.42.0.0.255", 1, 2).to_python()
    energy = client.get("1.0.1.8.0.255", 3, 2).to_python()
    identification = client.link.transport.identification
    client.close()
    return {"name": bytes(name).hex(), "energy": energy, "mode_e": identification.mode_e}


def asterisk(_url):
    """A line with "*" in its address (fault)."""
    block = b"\x021-0:1.8.0*255(000123.4*kWh)\r\n!\r\n\x03"
    check = 0
    for octet in block[1:]:
        check ^= octet
    try:
        parse_data_message(block + bytes((check,)))
    except FramingError as error:
        return {"raised": str(error)}
    return {"raised": None}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
