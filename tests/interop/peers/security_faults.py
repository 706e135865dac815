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
