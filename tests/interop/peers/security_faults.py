"""Shows a fault of a peer's security by itself; see `answering` and KNOWN_FAULTS.md."""

import contextlib
import io

import answering


def gurux_wraps_a_key(case):
    """A key wrapped under a master key of the same length."""
    from gurux_dlms.secure import GXDLMSSecureClient

    return bytes(GXDLMSSecureClient.encrypt(bytes(case["length"]), bytes(case["length"]))).hex()


def gurux_prints_while_it_signs(case):
    """What it prints while it makes its proof of HLS by ECDSA."""
    from gurux_dlms.ecdsa.GXPrivateKey import GXPrivateKey
    from gurux_dlms.enums import Authentication
    from gurux_dlms.GXCiphering import GXCiphering
    from gurux_dlms.GXSecure import GXSecure

    class Settings:
        authentication = Authentication.HIGH_ECDSA
        cipher = GXCiphering(bytes(8))

    key = GXPrivateKey.fromRawBytes(bytearray.fromhex(case["signing"]))
    Settings.cipher.signingKeyPair = (key.getPublicKey(), key)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        GXSecure.secure(Settings, Settings.cipher, 1, bytes(32), bytes(80))
    return printed.getvalue()


def gurux_answers_an_aarq(case):
    """What its server says to the AARQ of its own client, without security."""
    from gurux_dlms.enums import Authentication, InterfaceType
    from gurux_dlms.GXServerReply import GXServerReply
    from gurux_dlms.objects import GXDLMSAssociationLogicalName
    from gurux_dlms.secure import GXDLMSSecureClient
    from gurux_dlms.secure.GXDLMSSecureServer import GXDLMSSecureServer

    class Server(GXDLMSSecureServer):
        def isTarget(self, server, client):  # noqa: N802 - the library's name
            return True

        def onValidateAuthentication(self, *_):  # noqa: N802 - the library's name
            return 0

    server = Server(True, InterfaceType.WRAPPER)
    association = GXDLMSAssociationLogicalName()
    association.objectList.append(association)
    server.items.append(association)
    server.initialize()
    wrapper = InterfaceType.WRAPPER
    client = GXDLMSSecureClient(True, 16, 1, Authentication.NONE, None, wrapper)
    (aarq,) = client.aarqRequest()
    answer = GXServerReply(aarq)
    server.handleRequest(answer)
    return bytes(answer.reply).hex()


def gurux_unwraps_a_key(case):
    """A key that it has wrapped itself, unwrapped by the function that its class 64 uses."""
    from gurux_dlms.secure import GXDLMSSecureClient

    key, master = bytes(range(16)), bytes(range(16, 32))
    return bytes(GXDLMSSecureClient.decrypt(master, GXDLMSSecureClient.encrypt(master, key))).hex()


def gurux_deciphers_with_a_false_tag(case):
    """An APDU of its own, authenticated or encrypted as well, with the tag's last bit turned."""
    from gurux_dlms.AesGcmParameter import AesGcmParameter
    from gurux_dlms.enums import Security
    from gurux_dlms.GXByteBuffer import GXByteBuffer
    from gurux_dlms.GXCiphering import GXCiphering
    from gurux_dlms.GXDLMSSettings import GXDLMSSettings

    def parameter():
        keys = bytearray(range(16)), bytearray(range(16, 32))
        made = AesGcmParameter(0xC8, bytearray(b"MMM00000"), *keys)
        made.security, made.invocationCounter = Security(case["security"]), 1
        return made

    settings = GXDLMSSettings(True, None)
    settings.cipher = GXCiphering(bytearray(b"SSS00000"))
    apdu = bytearray(GXCiphering.encrypt(parameter(), bytearray(b"genuine")))
    apdu[-1] ^= 1
    return bytes(GXCiphering.decrypt(settings, parameter(), GXByteBuffer(apdu))).decode()


def pydlms_meets_its_own_simulator(case):
    """Its client opens an association with its simulator, both with the same keys."""
    import pydlms_secured_simulator
    import pydlms_security
    from pydlms.simulator import serve

    server = serve(pydlms_secured_simulator.simulated(case["meter"]))
    try:
        with pydlms_security.connected(case["client"] | {"port": server.server_address[1]}):
            return "associated"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    answering.answer(globals())
