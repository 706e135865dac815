"""Shows the faults of gurux-dlms by short names: ``python gurux_short_name_faults.py NAME``."""

import json
import os
import sys

from gurux_dlms.enums import Authentication, DataType, InterfaceType, ObjectType, Security
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.objects import GXDLMSData, GXDLMSTokenGateway
from gurux_dlms.secure import GXDLMSSecureClient


def _client(mechanism=Authentication.NONE, interface=InterfaceType.PDU):
    return GXDLMSSecureClient(False, 1, 1, mechanism, None, interface)


def ciphered_read():
    """A READ in a ciphered association."""
    client = _client()
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.systemTitle = bytearray(b"CLI00001")
    client.ciphering.blockCipherKey = bytearray(range(16))
    client.ciphering.authenticationKey = bytearray(range(16))
    target = GXDLMSData("0.0.42.0.0.255", 0xFD00)
    try:
        client.read(target, 2)
    except AssertionError as error:
        return type(error).__name__
    return "read"


def _offset(kind):
    offset, count = [0], [0]
    GXDLMS.getActionInfo(kind, offset, count)
    return offset[0]


def offset_of_the_clock():
    """Where the methods of class 8 begin; right is 0x60."""
    return _offset(ObjectType.CLOCK)


def offset_of_a_profile():
    """Where the methods of class 7 begin; right is 0x58."""
    return _offset(ObjectType.PROFILE_GENERIC)


def offset_of_a_register():
    """Where the method of class 3 is; right is 0x28."""
    return _offset(ObjectType.REGISTER)


def method_of_class_115():
    """Entering a token."""
    target = GXDLMSTokenGateway("0.0.19.40.0.255")
    target.shortName = 0x100
    try:
        _client().method(target, 1, bytearray(1), DataType.OCTET_STRING)
    except ValueError as error:
        return type(error).__name__
    return "called"


def hls_pass_3():
    """The APDU of HLS pass 3: a WRITE, which has no way to bring pass 4."""
    client = _client(Authentication.HIGH_GMAC)
    client.ciphering.systemTitle = bytearray(b"CLI00001")
    client.ciphering.blockCipherKey = bytearray(range(16))
    client.ciphering.authenticationKey = bytearray(range(16))
    client.settings.setStoCChallenge(bytearray(range(16)))
    return bytes(client.getApplicationAssociationRequest()[0]).hex()


def long_write():
    """The first block of a WRITE of 2500 octets to a server that takes 1024."""
    client = _client()
    client.settings.maxPduSize = 1024
    target = GXDLMSData("0.0.128.0.0.255", 0x1200)
    target.value = bytearray(2500)
    target.setDataType(2, DataType.OCTET_STRING)
    return bytes(client.write(target, 2)[0]).hex()


if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # it prints to standard output
    stream.write(json.dumps(globals()[sys.argv[1]]()))
