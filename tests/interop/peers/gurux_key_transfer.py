"""gurux-dlms deciphers a key transfer that was on the line, and makes the same one itself.

Its own class 64 cannot unwrap a key (KNOWN_FAULTS.md, 61), but wrapping by RFC 3394 has no chance
in it: who wraps the same key under the same master key has the same octets.
"""

import answering
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.enums import Authentication, InterfaceType
from gurux_dlms.GXByteBuffer import GXByteBuffer
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.objects import GXDLMSSecuritySetup
from gurux_dlms.secure import GXDLMSSecureClient


def deciphered(case):
    """An APDU in a global envelope, under the keys of a case."""
    settings = GXDLMSSettings(True, None)
    settings.cipher = GXCiphering(bytes.fromhex(case["title"]))
    title, block, authentication = (
        bytearray.fromhex(case[name]) for name in ("title", "block", "authentication")
    )
    parameter = AesGcmParameter(0, title, block, authentication)
    apdu = GXByteBuffer(bytearray.fromhex(case["apdu"]))
    return bytes(GXCiphering.decrypt(settings, parameter, apdu)).hex()


def made(case):
    """The ACTION by which its class 64 transfers a key."""
    client = GXDLMSSecureClient(True, 1, 1, Authentication.NONE, None, InterfaceType.WRAPPER)
    keys = [(int(case["key_id"]), bytearray.fromhex(case["key"]))]
    master = bytearray.fromhex(case["master"])
    (frame,) = GXDLMSSecuritySetup().globalKeyTransfer(client, master, keys)
    return bytes(frame)[answering.WRAPPER_HEADER :].hex()


if __name__ == "__main__":
    answering.answer(globals())
