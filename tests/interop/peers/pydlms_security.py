"""pydlms-client as the management client of a meter: associations, and what class 64 can do.

See `answering` for what is asked; a case has the keys and more, octets in hexadecimal.
"""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import answering
import harness
import pydlms_client_driver
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydlms import DlmsClient, DlmsData, SecurityContext, ServiceError
from pydlms.cosem.model import KeyType
from pydlms.security.certificates import CertificateEntity, CertificateSelector, CertificateType
from pydlms.security.ec import curve_for_suite, load_public_key, public_key_bytes
from pydlms.security.general import GeneralAad, KeyInfo
from pydlms.security.hls import Mechanism
from pydlms.security.suites import SecurityPolicy

SECURITY_SETUP = (64, "0.0.43.0.0.255")
CLOCK = (8, "0.0.1.0.0.255")
RELAY = (70, "0.0.96.3.10.255")
NAME = (1, "0.0.42.0.0.255")
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
#: The key of general-ciphering, by the names of our ``--envelope``.
KEY_INFOS = {
    "identified": KeyInfo("identified", 0),
    "wrapped": KeyInfo("wrapped"),
    "one-pass": KeyInfo("agreed", scheme=1),
    "static": KeyInfo("agreed", scheme=2),
}


def envelope(name):
    """The options of an envelope, by the names of our ``--envelope`` and "signed " before."""
    signed, bare = name.startswith("signed"), name.removeprefix("signed").strip()
    options = {"use_dedicated_key": bare in ("ded", "general-ded")}
    if bare in KEY_INFOS:
        form, options["key_info"] = "general-ciphering", KEY_INFOS[bare]
    else:
        form = "general-glo" if bare.startswith("general") else "glo"
    options["protection"] = form + "+signing" if signed and bare else form
    if signed and not bare:
        options["protection"] = "general-signing"
    return options


def security(case):
    """A fresh security context."""
    suite, more = case["suite"], {}

    def private(name):
        return ec.derive_private_key(int(case[name], 16), curve_for_suite(suite))

    if suite:
        more = {
            "signing_key": private("signing"),
            "key_agreement_key": private("agreement"),
            "peer_signing_key": load_public_key(suite, bytes.fromhex(case["peer_signing"])),
            "peer_key_agreement_key": load_public_key(suite, bytes.fromhex(case["peer_agreement"])),
        }
    names = ("block", "authentication", "title", "broadcast", "master")
    block, authentication, title, broadcast, master = (bytes.fromhex(case[name]) for name in names)
    return SecurityContext(
        encryption_key=block,
        authentication_key=authentication,
        client_system_title=title,
        invocation_counter=case.get("counter", 1),
        suite=suite,
        broadcast_key=broadcast,
        master_key=master,
        general_aad=GeneralAad.WITH_HEADER,
        policy=SecurityPolicy(case.get("control", SecurityPolicy.AUTHENTICATED_ENCRYPTED)),
        **more,
    )


def client_of(case):
    """A client that has not been connected yet, with a trace of its octets."""
    mechanism, context = Mechanism(case["mechanism"]), security(case)
    options = envelope(case.get("envelope", "glo"))
    if mechanism not in (Mechanism.HLS_GMAC, Mechanism.HLS_ECDSA):
        options["password"] = bytes.fromhex(case["secret"])
    if mechanism == Mechanism.HLS_ECDSA:
        options["signing_key"] = context.signing_key
        options["server_public_key"] = context.peer_signing_key
    client = DlmsClient.tcp(
        "127.0.0.1",
        case["port"],
        client_sap=1,
        hdlc=case.get("hdlc", False),
        timeout=harness.REPLY_TIMEOUT_SECONDS,
        mechanism=mechanism,
        security=context,
        discover_invocation_counter=case.get("discover", False),
        **options,
    )
    client.trace = harness.Trace()
    client.link.transport.recorder = pydlms_client_driver.Recorder(client.trace)
    return client


@contextmanager
def connected(case):
    """A client with an open association, released at the end."""
    client = client_of(case)
    try:
        client.connect()
        yield client
        client.close()
    except BaseException as error:
        client.link.transport.close()
        error.octets = client.trace.take()
        raise


def refused(service, *arguments):
    """Why a service was refused; None when it was not."""
    return answering.refused(asked, service, *arguments)


def asked(service, *arguments):
    """Call a service of the library's, with a refusal as the drivers have it."""
    try:
        service(*arguments)
    except ServiceError as error:
        raise pydlms_client_driver.refusal(error) from error


def use(case):
    """Read, set what may be set and what may not, move the relay, release.

    The tags are those of the APDUs between the association's own, each with its answer's; over
    HDLC there are none.
    """
    with connected(case) as client:
        name = client.get(NAME[1], NAME[0], 2).to_python()
        clock = client.get(CLOCK[1], CLOCK[0], 2).to_python()
        found = {
            "name": name.decode(),
            "set accepted": refused(
                client.set, CLOCK[1], CLOCK[0], 2, DlmsData.octet_string(clock)
            ),
            "set refused": refused(
                client.set, NAME[1], NAME[0], 2, DlmsData.octet_string(b"ANOTHER")
            ),
            "relay off": refused(client.action, RELAY[1], RELAY[0], 1, DlmsData.int8(0)),
            "relay": client.get(RELAY[1], RELAY[0], 2).to_python(),
        }
        found["tags"] = [] if case.get("hdlc") else answering.service_tags(client.trace)
    return found | {"release": client.association.release_status}


def read_by_password(case):
    """Open an association by low-level security and read the meter's name."""
    client = DlmsClient.tcp(
        "127.0.0.1",
        case["port"],
        client_sap=2,
        timeout=harness.REPLY_TIMEOUT_SECONDS,
        mechanism=Mechanism.LLS,
        password=case["password"],
    )
    try:
        client.connect()
        return client.get(NAME[1], NAME[0], 2).to_python().decode()
    finally:
        client.link.transport.close()


def read(case):
    """Attributes of one object."""
    with connected(case) as client:
        return [client.get(case["obis"], case["class"], index).to_python() for index in case["of"]]


def act(case):
    """Call a method with integer 0."""
    with connected(case) as client:
        return refused(client.action, case["obis"], case["class"], case["method"], DlmsData.int8(0))


# --- class 64 ------------------------------------------------------------------------------------


def transfer(case):
    """Transfer keys, wrapped with the master key of the case."""
    keys = {int(name): bytes.fromhex(key) for name, key in case["keys"].items()}
    with connected(case) as client:
        return refused(client.transfer_keys, keys)


def agree(case):
    """Agree on keys; returns them, as this side has reckoned them."""
    with connected(case) as client:
        return {str(int(name)): key for name, key in client.agree_keys(case["keys"]).items()}


def activate(case):
    """Ask for security policies, one after the other; why each was refused, and what is left."""
    with connected(case) as client:
        found = [
            refused(lambda wanted=wanted: client.security_activate(wanted))
            for wanted in case["policies"]
        ]
        return {"refused": found, "policy": client.get(SECURITY_SETUP[1], 64, 2).to_python()}


class Authority:
    """A certification authority.

    Args:
        suite: of its curve.
        name: its common name.
    """

    def __init__(self, suite, name):
        self._key = ec.generate_private_key(curve_for_suite(suite))
        self._hash = hashes.SHA256() if suite == 1 else hashes.SHA384()
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self.issue(name, self._key.public_key())

    def issue(self, name, public, signs=None, days=365):
        """A certificate for a common name: to sign, to agree on keys, or None: to issue."""
        begin = datetime.now(UTC) - timedelta(days=1)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        usage = dict.fromkeys(USAGES, False)
        usage[{None: "key_cert_sign", True: "digital_signature", False: "key_agreement"}[signs]] = (
            True
        )
        builder = x509.CertificateBuilder(self._name, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        return builder.sign(self._key, self._hash)


def commission(case):
    """Give the meter an authority, new key pairs with certificates, and the client's certificate.

    Returns its new public keys, what it lists and exports, and why it refused what it should.
    """
    suite, title = case["suite"], case["title"].upper()
    ours = ec.derive_private_key(int(case["new_signing"], 16), curve_for_suite(suite))
    authority, stranger = Authority(suite, "Test CA"), Authority(suite, "Another CA")
    found = {"points": {}}
    with connected(case) as client:
        meter = client.association.server_system_title
        found["orphan"] = refused(
            client.import_certificate, authority.issue(title, ours.public_key(), signs=True)
        )
        client.import_certificate(authority.certificate)
        for kind, signs in ((KeyType.DIGITAL_SIGNATURE, True), (KeyType.KEY_AGREEMENT, False)):
            client.generate_key_pair(kind)
            public = client.certificate_request(kind).public_key()
            found["points"][kind.name] = public_key_bytes(public).hex()
            client.import_certificate(authority.issue(meter.hex().upper(), public, signs=signs))
        mine = authority.issue(title, ours.public_key(), signs=True)
        found["stranger"] = refused(
            client.import_certificate, stranger.issue(title, ours.public_key(), signs=True)
        )
        found["second authority"] = refused(client.import_certificate, stranger.certificate)
        found["another's key"] = refused(
            client.import_certificate,
            authority.issue(meter.hex().upper(), ours.public_key(), signs=True),
        )
        found["expired"] = refused(
            client.import_certificate, authority.issue(title, ours.public_key(), True, days=0.5)
        )
        client.import_certificate(mine)
        listed = client.get(SECURITY_SETUP[1], 64, 6).to_python()
        found["listed"] = [entry[:2] for entry in listed]
        found["exported"] = _exported(client, meter, listed[-1], mine)
    return found


def _exported(client, meter, mine_listed, mine):
    """Whether what it exports is what it lists, and what it was given."""
    by_serial = CertificateSelector.by_serial_issuer(mine_listed[2], mine_listed[3])
    client_side = CertificateSelector.by_entity_type(
        CertificateEntity.CLIENT,
        CertificateType.DIGITAL_SIGNATURE,
        client.association.security.client_system_title,
    )
    its_own = CertificateSelector.by_entity_type(
        CertificateEntity.SERVER, CertificateType.KEY_AGREEMENT, meter
    )
    return {
        "by serial": client.export_certificate(by_serial).certificate == mine,
        "by entity": client.export_certificate(client_side).certificate == mine,
        "its own": client.export_certificate(its_own).system_title == meter,
    }


def certificates(case):
    """Every certificate of the meter, exported one by one, and whether the authority issued it.

    The case has the authority's certificate, DER in hexadecimal. That one is only listed: the
    library exports none without a system title.
    """
    authority = x509.load_der_x509_certificate(bytes.fromhex(case["authority"]))
    found = []
    with connected(case) as client:
        for entry in client.get(SECURITY_SETUP[1], 64, 6).to_python():
            if entry[0] == CertificateEntity.CERTIFICATION_AUTHORITY:
                same = entry[4] == authority.subject.public_bytes()
                found.append({"entity": entry[0], "type": entry[1], "same": same})
                continue
            by_serial = CertificateSelector.by_serial_issuer(entry[2], entry[3])
            exported = client.export_certificate(by_serial).certificate
            exported.verify_directly_issued_by(authority)
            usage = exported.extensions.get_extension_for_class(x509.KeyUsage).value
            found.append(
                {
                    "entity": int(entry[0]),
                    "type": int(entry[1]),
                    "name": exported.subject.rfc4514_string(),
                    "signs": usage.digital_signature,
                    "agrees": usage.key_agreement,
                    "point": public_key_bytes(exported.public_key()).hex(),
                }
            )
    return found


def remove(case):
    """Remove the client's signing certificate; what is left, and why a second time is refused."""
    selector = CertificateSelector.by_entity_type(
        CertificateEntity.CLIENT, CertificateType.DIGITAL_SIGNATURE, bytes.fromhex(case["title"])
    )
    with connected(case) as client:
        client.remove_certificate(selector)
        again = refused(client.remove_certificate, selector)
        listed = client.get(SECURITY_SETUP[1], 64, 6).to_python()
        return {"listed": [entry[:2] for entry in listed], "again": again}


if __name__ == "__main__":
    answering.answer(globals())
