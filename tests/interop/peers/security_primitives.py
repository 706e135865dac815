"""Computes with a peer's own security functions; run in that peer's environment.

Each line of standard input is a JSON object: ``what`` and its arguments, octets in hexadecimal.
Each is answered by a line of JSON on standard output: the result, or what was raised.
"""

import json
import sys


def octets(case, *names):
    """The octets of some arguments."""
    return [bytes.fromhex(case[name]) for name in names]


# --- pydlms-client -------------------------------------------------------------------------------


def _pydlms_context(case, **more):
    from cryptography.hazmat.primitives.asymmetric import ec
    from pydlms import SecurityContext
    from pydlms.security.ec import curve_for_suite, load_public_key
    from pydlms.security.general import GeneralAad

    suite = case["suite"]

    def private(name):
        return ec.derive_private_key(int(case[name], 16), curve_for_suite(suite))

    def public(name):
        return load_public_key(suite, bytes.fromhex(case[name]))

    if suite:
        more |= {
            "signing_key": private("signing"),
            "key_agreement_key": private("agreement"),
            "peer_signing_key": public("peer_signing"),
            "peer_key_agreement_key": public("peer_agreement"),
        }
    block, authentication, broadcast, master, own, theirs = octets(
        case, "block", "authentication", "broadcast", "master", "own_title", "peer_title"
    )
    context = SecurityContext(
        encryption_key=block,
        authentication_key=authentication,
        client_system_title=own,
        server_system_title=theirs,
        invocation_counter=case.get("counter", 0),
        suite=suite,
        broadcast_key=broadcast,
        master_key=master,
        general_aad=GeneralAad.WITH_HEADER if case["header"] else GeneralAad.SC_AK,
        **more,
    )
    context.set_dedicated_key(bytes.fromhex(case["dedicated"]))
    return context


def pydlms_seal(case):
    """An APDU in an envelope of pydlms-client's."""
    from pydlms.security import ciphering, general
    from pydlms.security.suites import SecurityControl

    context, plain = _pydlms_context(case), bytes.fromhex(case["plain"])
    recipient, how = context.server_system_title, case["how"]
    if how in ("glo", "ded", "broadcast"):
        control = SecurityControl(case["suite"], True, True, broadcast_key=how == "broadcast")
        return ciphering.wrap(context, plain, sc=control, dedicated=how == "ded").hex()
    if how in ("general-glo", "general-ded"):
        return ciphering.wrap_general_glo(context, plain, dedicated=how == "general-ded").hex()
    if how == "signed":
        return general.wrap_general_signing(context, plain, recipient, b"\x01\x02").hex()
    info = {
        "unstated": general.KeyInfo("none"),
        "identified": general.KeyInfo("identified", 0),
        "identified broadcast": general.KeyInfo("identified", 1),
        "wrapped": general.KeyInfo("wrapped"),
        "one-pass": general.KeyInfo("agreed", scheme=1),
        "static": general.KeyInfo("agreed", scheme=2),
    }[how.removeprefix("signed ")]
    apdu = general.wrap_general_ciphering(context, plain, recipient, info, b"\x01\x02\x03")
    if how.startswith("signed "):
        apdu = general.wrap_general_signing(context, apdu, recipient)
    return apdu.hex()


def pydlms_open(case):
    """What pydlms-client finds in an envelope."""
    from pydlms.security.ciphering import unwrap

    return unwrap(_pydlms_context(case), bytes.fromhex(case["apdu"])).plaintext.hex()


def pydlms_hls(case):
    """f(challenge) by pydlms-client."""
    from pydlms.security import hls

    secret, own, theirs, received, sent = octets(
        case, "secret", "own_title", "peer_title", "challenge", "own_challenge"
    )
    mechanism = case["mechanism"]
    if mechanism == 2:
        return hls.hls_manufacturer_aes(received, secret).hex()
    if mechanism in (3, 4):
        return hls.hash_response(hls.Mechanism(mechanism), received, secret).hex()
    if mechanism == 6:
        return hls.hls_sha256(secret, own, theirs, received, sent).hex()
    context = _pydlms_context(case)
    if mechanism == 7:
        return hls.hls_ecdsa_sign(context.signing_key, own, theirs, received, sent).hex()
    block, authentication = octets(case, "block", "authentication")
    return hls.hls_gmac(block, authentication, own, case["counter"], received, case["suite"]).hex()


def pydlms_verify_ecdsa(case):
    """Whether pydlms-client takes a proof of mechanism 7; its challenges are what it sees."""
    from pydlms.security import hls

    own, theirs, received, sent, proof = octets(
        case, "own_title", "peer_title", "challenge", "own_challenge", "proof"
    )
    key = _pydlms_context(case).peer_signing_key
    hls.hls_ecdsa_verify(key, theirs, own, sent, received, proof)
    return "true"


def pydlms_agree(case):
    """key_agreement by pydlms-client: without an answer its offer; with it the key too."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from pydlms.security import keyagreement
    from pydlms.security.ec import curve_for_suite

    context, suite = _pydlms_context(case), case["suite"]
    ephemeral = ec.derive_private_key(int(case["ephemeral"], 16), curve_for_suite(suite))
    keyagreement._generate_ephemeral = lambda suite: ephemeral
    _, offer = keyagreement.make_offer(context.signing_key, suite, case["key_id"])
    if "answer" not in case:
        return {"offer": offer.hex()}
    answer = keyagreement.key_agreement_data({case["key_id"]: bytes.fromhex(case["answer"])})
    client, server = octets(case, "own_title", "peer_title")
    keys = keyagreement.agree(
        suite, {case["key_id"]: ephemeral}, context.peer_signing_key, answer, client, server
    )
    (key,) = keys.values()
    return {"offer": offer.hex(), "key": key.hex()}


def pydlms_keywrap(case):
    """A wrapped key and an unwrapped one."""
    from pydlms.security.provider import SoftwareProvider

    master, key, wrapped = octets(case, "master", "key", "wrapped")
    software = SoftwareProvider()
    return [software.aes_wrap(master, key).hex(), software.aes_unwrap(master, wrapped).hex()]


def pydlms_certificate(case):
    """What pydlms-client reads in a certificate, and in a certificate signing request."""
    from pydlms.security.certificates import load_certificate, load_certificate_request
    from pydlms.security.ec import public_key_bytes

    certificate, request = octets(case, "certificate", "request")
    found = load_certificate(certificate, case["suite"])
    asked = load_certificate_request(request, case["suite"])
    return {
        "title": found.system_title.hex(),
        "point": public_key_bytes(found.public_key).hex(),
        "signs": found.can_sign,
        "agrees": found.can_agree,
        "asked": str(asked is not None),
    }


def pydlms_associate(case):
    """Open an association over TCP, read twice, invoke once, release; what came of each."""
    from pydlms import DlmsClient, DlmsData
    from pydlms.security.general import KeyInfo
    from pydlms.security.hls import Mechanism

    mechanism = Mechanism(case["mechanism"])
    context = _pydlms_context(case) if case["ciphered"] or mechanism in (5, 7) else None
    kinds = {
        "identified": KeyInfo("identified", 0),
        "wrapped": KeyInfo("wrapped"),
        "one-pass": KeyInfo("agreed", scheme=1),
        "static": KeyInfo("agreed", scheme=2),
    }
    options = {"mechanism": mechanism, "security": context, "protection": case["protection_form"]}
    options["ciphered_context"] = case["ciphered"]
    options["use_dedicated_key"] = case["use_dedicated"]
    options["key_info"] = kinds.get(case["key_info"])
    if mechanism not in (0, 5, 7):
        options["password"] = bytes.fromhex(case["secret"])
    if mechanism == 6 and context is None:
        options["client_system_title"] = bytes.fromhex(case["own_title"])
    if mechanism == 7:
        options["signing_key"] = context.signing_key
        options["server_public_key"] = context.peer_signing_key
    if context is not None:
        context.dedicated_key = None
        context.server_system_title = None
        context.peer_title_pinned = False
    client = DlmsClient.tcp("127.0.0.1", case["port"], client_sap=1, timeout=10, **options)
    client.connect()
    found = [client.get("0.0.1.0.0.255", 8, 2).to_python().hex() for _ in range(2)]
    client.action("0.0.96.3.10.255", 70, 1, DlmsData.int8(0))
    client.close()
    return {"read": found, "release": client.association.release_status}


# --- gurux-dlms -----------------------------------------------------------------------------------


def _gurux_parameters(case):
    from gurux_dlms.AesGcmParameter import AesGcmParameter
    from gurux_dlms.CountType import CountType
    from gurux_dlms.enums import Security
    from gurux_dlms.objects.enums import SecuritySuite

    title, block, authentication = octets(case, "own_title", "block", "authentication")
    parameters = AesGcmParameter(0, title, block, authentication)
    parameters.security = Security(case["protection"])
    parameters.securitySuite = SecuritySuite(case["suite"])
    parameters.invocationCounter = case["counter"]
    parameters.type_ = CountType.DATA | CountType.TAG
    return parameters


def gurux_seal(case):
    """The protected octets by gurux-dlms, without control octet and counter."""
    from gurux_dlms.GXDLMSChippering import GXDLMSChippering

    plain = bytes.fromhex(case["plain"])
    return bytes(GXDLMSChippering.encryptAesGcm(_gurux_parameters(case), plain)).hex()


def gurux_seal_general(case):
    """The same with the header of general-ciphering in the authenticated data."""
    from gurux_dlms.GXDLMSChippering import GXDLMSChippering

    parameters = _gurux_parameters(case)
    parameters.recipientSystemTitle = bytes.fromhex(case["peer_title"])
    plain = bytes.fromhex(case["plain"])
    return bytes(GXDLMSChippering.encryptAesGcm(parameters, plain)).hex()


def gurux_open(case):
    """What gurux-dlms finds in a glo- or general-glo APDU."""
    from gurux_dlms.GXByteBuffer import GXByteBuffer
    from gurux_dlms.GXDLMSChippering import GXDLMSChippering

    data = GXByteBuffer(bytes.fromhex(case["apdu"]))
    return bytes(GXDLMSChippering.decryptAesGcm(None, _gurux_parameters(case), data)).hex()


class _Settings:
    """As much of gurux-dlms's settings as its HLS looks at."""

    def __init__(self, authentication, cipher):
        self.authentication = authentication
        self.cipher = cipher


def gurux_hls(case):
    """f(challenge) by gurux-dlms; the secret is put together as its client does it."""
    from gurux_dlms.enums import Authentication
    from gurux_dlms.GXCiphering import GXCiphering
    from gurux_dlms.GXSecure import GXSecure
    from gurux_dlms.objects.enums import SecuritySuite

    secret, own, theirs, received, sent, block, authentication = octets(
        case,
        "secret",
        "own_title",
        "peer_title",
        "challenge",
        "own_challenge",
        "block",
        "authentication",
    )
    mechanism = case["mechanism"]
    cipher = GXCiphering(own)
    cipher.blockCipherKey, cipher.authenticationKey = block, authentication
    cipher.securitySuite = SecuritySuite(case["suite"])
    signed = own + theirs + received + sent
    given = {5: own, 6: secret + signed, 7: signed}.get(mechanism, secret)
    if mechanism == 7:
        key = _gurux_private(case)
        cipher.signingKeyPair = (key.getPublicKey(), key)
    settings = _Settings(Authentication(mechanism), cipher)
    return bytes(GXSecure.secure(settings, cipher, case["counter"], received, given)).hex()


def _gurux_private(case):
    from gurux_dlms.ecdsa.GXPrivateKey import GXPrivateKey

    return GXPrivateKey.fromRawBytes(bytearray.fromhex(case["signing"]))


def gurux_sign(case):
    """A signature by gurux-dlms."""
    from gurux_dlms.ecdsa.GXEcdsa import GXEcdsa

    return bytes(GXEcdsa(_gurux_private(case)).sign(bytes.fromhex(case["plain"]))).hex()


def gurux_verify(case):
    """Whether gurux-dlms takes a signature."""
    from gurux_dlms.ecdsa.GXEcdsa import GXEcdsa
    from gurux_dlms.ecdsa.GXPublicKey import GXPublicKey

    key = GXPublicKey.fromRawBytes(b"\x04" + bytes.fromhex(case["peer_signing"]))
    signature, plain = octets(case, "signature", "plain")
    return str(GXEcdsa(key).verify(signature, plain))


def gurux_keywrap(case):
    """A wrapped key by gurux-dlms."""
    from gurux_dlms.secure import GXDLMSSecureClient

    master, key = octets(case, "master", "key")
    return bytes(GXDLMSSecureClient.encrypt(master, key)).hex()


def main():
    """Do what each line of standard input asks for."""
    answers, sys.stdout = sys.stdout, sys.stderr  # some peers print
    for line in sys.stdin:
        case = json.loads(line)
        try:
            done = {"returned": globals()[case["what"]](case)}
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
            done = {"raised": type(error).__name__, "text": str(error)}
        print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
