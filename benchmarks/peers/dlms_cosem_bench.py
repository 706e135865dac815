"""Times dlms-cosem; see `answering`."""

import logging
from functools import partial

import structlog
from answering import answer, answers, octets
from dlms_cosem import cosem, dlms_data, enumerations, security
from dlms_cosem.connection import DlmsConnection, make_conformance
from dlms_cosem.hdlc.address import HdlcAddress
from dlms_cosem.hdlc.frames import InformationFrame
from dlms_cosem.protocol.xdlms import GetRequestNormal
from dlms_cosem.security import SecurityControlField
from dlms_cosem.utils import parse_as_dlms_data

CONTAINERS = {"array": dlms_data.DataArray, "structure": dlms_data.DataStructure}
TYPES = {
    "integer": dlms_data.IntegerData,
    "unsigned": dlms_data.UnsignedIntegerData,
    "long-unsigned": dlms_data.UnsignedLongData,
    "enum": dlms_data.EnumData,
    "octet-string": dlms_data.OctetStringData,
}


def build(value):
    """Return a neutral value as this peer has it."""
    kind, content = value
    if kind in CONTAINERS:
        return CONTAINERS[kind]([build(one) for one in content])
    if kind == "null-data":
        return dlms_data.NullData(None)
    return TYPES[kind](bytes.fromhex(content) if kind == "octet-string" else content)


def plain(value):
    """Return a neutral value as this peer decodes it: without types."""
    kind, content = value
    if kind in CONTAINERS:
        return [plain(one) for one in content]
    return bytes.fromhex(content) if kind == "octet-string" else content


def decode(case):
    """A-XDR, reading."""
    raw = octets(case, "octets")
    return lambda: parse_as_dlms_data(raw), plain(case["value"])


def encode(case):
    """A-XDR, writing."""
    value = build(case["value"])
    return value.to_bytes, octets(case, "octets")


def protect(case):
    """AES-GCM, sealing."""
    control = SecurityControlField(0, authenticated=True, encrypted=True)
    title, counter = octets(case, "title"), case["counter"]
    key, authentication = octets(case, "block_key"), octets(case, "authentication_key")
    text = octets(case, "plain")
    call = partial(security.encrypt, control, title, counter, key, text, authentication)
    return call, octets(case, "protected")


def unprotect(case):
    """AES-GCM, opening."""
    control = SecurityControlField(0, authenticated=True, encrypted=True)
    title, counter = octets(case, "title"), case["counter"]
    key, authentication = octets(case, "block_key"), octets(case, "authentication_key")
    text = octets(case, "protected")
    call = partial(security.decrypt, control, title, counter, key, text, authentication)
    return call, octets(case, "plain")


def write_frame(case):
    """HDLC, one frame out; the frame is made in the call, as a client makes it."""
    information = octets(case, "information")
    server, client = HdlcAddress(1, None, "server"), HdlcAddress(16, None, "client")
    return lambda: InformationFrame(server, client, information).to_bytes(), octets(case, "octets")


def find_frame(case):
    """HDLC, one frame in: parsing alone, for its finding wants a conversation around it."""
    raw = octets(case, "octets")
    return lambda: InformationFrame.from_bytes(raw).payload, octets(case, "information")


def client_get(case):
    """A GET as the client sees it: request out, recorded answer in, value decoded."""
    recorded = answers(case)
    keys = {}
    if case["ciphered"]:
        keys = {
            "global_encryption_key": octets(case, "block_key"),
            "global_authentication_key": octets(case, "authentication_key"),
            "client_system_title": octets(case, "client_title"),
            "meter_system_title": octets(case, "server_title"),
            "client_invocation_counter": 1,
            "meter_invocation_counter": 0,
        }
    conformance = make_conformance(keys.get("global_encryption_key"), False)
    connection = DlmsConnection.with_pre_established_association(conformance, **keys)

    def call():
        attribute = cosem.CosemAttribute(
            enumerations.CosemInterface.REGISTER, cosem.Obis(1, 0, 1, 8, 0), 2
        )
        connection.send(GetRequestNormal(cosem_attribute=attribute))
        connection.receive_data(next(recorded))
        return parse_as_dlms_data(connection.next_event().data)

    return call, case["register"]


if __name__ == "__main__":
    # Its log is on by default; a client that is timed has turned it off.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    answer(
        "dlms-cosem",
        {
            "decode": decode,
            "encode": encode,
            "protect": protect,
            "unprotect": unprotect,
            "write frame": write_frame,
            "find frame": find_frame,
            "client GET": client_get,
        },
    )
