"""Has iec62056-21 0.0.2 read a local port: ``python iec62056_21_reader.py WHAT HOST:PORT``.

WHAT is a function of this file; it prints one JSON object. See KNOWN_FAULTS.md for what the peer
cannot do by itself.
"""

import json
import sys

from iec62056_21 import constants
from iec62056_21.client import Iec6205621Client
from iec62056_21.exceptions import Iec6205621ParseError
from iec62056_21.messages import CommandMessage, DataSet, IdentificationMessage
from iec62056_21.utils import bcc_valid

PASSWORD = "12345678"
#: Seconds that it waits for an answer.
PATIENCE = 8


def connected(address, device=""):
    """A client with a connection."""
    host, _, port = address.rpartition(":")
    client = Iec6205621Client.with_tcp_transport((host, int(port)), device_address=device)
    client.transport.timeout = PATIENCE
    client.transport.socket.settimeout(PATIENCE)
    client.connect()
    return client


def shown(response):
    """Data sets as lists."""
    return [[each.address, each.value, each.unit] for each in response.data]


def readout(address, device=""):
    """The standard readout, with whatever it makes of the identification."""
    client = connected(address, device)
    response = client.standard_readout()
    found = {
        "manufacturer": client.manufacturer_id,
        "identification": client.identification,
        "baud": client.switchover_baudrate,
        "sets": shown(response),
    }
    client.disconnect()
    return found


def repeated(address):
    """The readout once more, after NAK."""
    client = connected(address)
    first = client.standard_readout()
    client.transport.send(constants.NACK.encode(constants.ENCODING))
    second = client.read_response()
    client.disconnect()
    return {"first": shown(first), "second": shown(second)}


def entered(address, password):
    """A client in programming mode, and what the meter said to the password.

    Its own ``send_password`` raises (fault), so the command is put together from its parts.
    """
    client = connected(address)
    challenge = client.access_programming_mode()
    data = DataSet(address="", value=password)
    client.transport.send(CommandMessage("P", 1, data).to_bytes())
    return client, challenge


def programming(address):
    """Registers read, one that is not there, one written, and the break."""
    client, challenge = entered(address, PASSWORD)
    found = {"challenge": [challenge.command, challenge.command_type, challenge.data_set.value]}
    found["acknowledged"] = client._recv_ack() == constants.ACK
    found["energy"] = shown_one(client.read_single_value("1.8.0"))
    found["name"] = shown_one(client.read_single_value("0-0:42.0.0*255", ""))
    found["missing"] = shown_one(client.read_single_value("9.9.9"))
    client.transport.send(CommandMessage.for_single_write("1.8.0", "0").to_bytes())
    found["written"] = shown_one(client.read_response().data[0])
    client.send_break()
    client.disconnect()
    return found


def shown_one(data_set):
    """One data set as a list."""
    return [data_set.address, data_set.value, data_set.unit]


def wrong_password(address):
    """What the meter says to it: the peer has no class for a break without data."""
    client, _ = entered(address, "87654321")
    answer = b"".join(client.transport.recv(1) for _ in range(len(constants.BREAK) + 1))
    client.disconnect()
    return {"answer": answer.hex(), "valid": bcc_valid(answer.decode(constants.ENCODING))}


def send_password(_address):
    """Its own method, without a line (fault)."""
    client = Iec6205621Client(transport=None)
    try:
        client.send_password("(12345678)")
    except TypeError as error:
        return {"raised": type(error).__name__}
    return {"raised": None}


def identification(_address):
    """What it makes of an identification with mode E (fault)."""
    message = IdentificationMessage.from_bytes(b"/OPP5\\2OpenPrepay\r\n")
    return {"identification": message.identification}


def read_break(_address):
    """What it makes of a break (fault)."""
    try:
        CommandMessage.from_bytes(b"\x01B0\x03\x71")
    except Iec6205621ParseError as error:
        return {"raised": str(error)}
    return {"raised": None}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
