"""Times gurux-dlms; see `answering`."""

from answering import answer, answers, octets
from gurux_dlms import (
    GXArray,
    GXByteBuffer,
    GXEnum,
    GXInt8,
    GXReplyData,
    GXStructure,
    GXUInt8,
    GXUInt16,
)
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.ConnectionState import ConnectionState
from gurux_dlms.enums import Authentication, DataType, InterfaceType, Security
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.internal._GXDataInfo import _GXDataInfo
from gurux_dlms.objects import GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

CONTAINERS = {"array": GXArray, "structure": GXStructure}
TYPES = {
    "null-data": lambda content: None,
    "integer": GXInt8,
    "unsigned": GXUInt8,
    "long-unsigned": GXUInt16,
    "enum": GXEnum,
    "octet-string": bytearray.fromhex,
}
GLO_GET_REQUEST = 0xC8


def build(value):
    """Return a neutral value as this peer has it."""
    kind, content = value
    if kind in CONTAINERS:
        made = CONTAINERS[kind]()
        made.extend(build(one) for one in content)
        return made
    return TYPES[kind](content)


def decode(case):
    """A-XDR, reading."""
    raw = octets(case, "octets")

    def call():
        return _GXCommon.getData(None, GXByteBuffer(raw), _GXDataInfo())

    return call, build(case["value"])


def encode(case):
    """A-XDR, writing."""
    value = build(case["value"])
    kind = DataType.ARRAY if isinstance(value, GXArray) else DataType.STRUCTURE

    def call():
        buffer = GXByteBuffer()
        _GXCommon.setData(None, buffer, kind, value)
        return buffer.array()

    return call, octets(case, "octets")


def parameters(case):
    """Return what it ciphers with."""
    keys = [octets(case, name) for name in ("title", "block_key", "authentication_key")]
    made = AesGcmParameter(GLO_GET_REQUEST, *(bytearray(key) for key in keys))
    made.security = Security.AUTHENTICATION_ENCRYPTION
    made.invocationCounter = case["counter"]
    return made


def client_of(case, interface):
    """Return a client that has associated."""
    client = GXDLMSSecureClient(True, 16, 1, Authentication.NONE, None, interface)
    client.settings.connected = ConnectionState.DLMS
    if case.get("ciphered"):
        ciphering = client.ciphering
        ciphering.security = Security.AUTHENTICATION_ENCRYPTION
        ciphering.systemTitle = bytearray(octets(case, "client_title"))
        ciphering.blockCipherKey = bytearray(octets(case, "block_key"))
        ciphering.authenticationKey = bytearray(octets(case, "authentication_key"))
        client.settings.sourceSystemTitle = bytearray(octets(case, "server_title"))
    return client


def protect(case):
    """AES-GCM, sealing; it always writes the envelope's seven octets of head as well."""
    plain, head = bytearray(octets(case, "plain")), len(octets(case, "head"))
    made = parameters(case)
    return lambda: bytes(GXCiphering.encrypt(made, plain))[head:], octets(case, "protected")


def unprotect(case):
    """AES-GCM, opening, the envelope included."""
    settings = client_of({}, InterfaceType.PDU).settings
    sealed = octets(case, "head") + octets(case, "protected")

    def call():
        return bytes(GXCiphering.decrypt(settings, parameters(case), GXByteBuffer(sealed)))

    return call, octets(case, "plain")


def write_frame(case):
    """HDLC, one frame out."""
    information = octets(case, "information")
    settings = client_of({}, InterfaceType.HDLC).settings

    def call():
        return bytes(GXDLMS.getHdlcFrame(settings, 0x10, GXByteBuffer(information)))

    return call, octets(case, "octets")


def find_frame(case):
    """HDLC, one frame in; the information stays in its buffer, so the control field is told."""
    raw = octets(case, "octets")
    settings = client_of({}, InterfaceType.HDLC).settings

    def call():
        settings.senderFrame, settings.receiverFrame = 0x10, 0x0E
        return GXDLMS.getHdlcData(False, settings, GXByteBuffer(raw), GXReplyData(), None)

    return call, 0x30


def client_get(case):
    """A GET as the client sees it: request out, recorded answer in."""
    recorded = answers(case)
    client = client_of(case, InterfaceType.PDU)
    register = GXDLMSRegister("1.0.1.8.0.255")

    def call():
        client.read(register, 2)
        reply = GXReplyData()
        client.getData(GXByteBuffer(next(recorded)), reply, GXReplyData())
        return reply.value

    return call, case["register"]


if __name__ == "__main__":
    answer(
        "gurux-dlms",
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
