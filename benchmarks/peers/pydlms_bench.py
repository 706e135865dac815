"""Times pydlms-client; see `answering`."""

from functools import partial

from answering import answer, answers, octets
from pydlms import DlmsClient, DlmsData, SecurityContext
from pydlms.apdu.xdlms import Conformance
from pydlms.association import AssociationSettings, AssociationState
from pydlms.cosem.data import DataType, decode_data, encode_data
from pydlms.hdlc.address import HdlcAddress
from pydlms.hdlc.framing import FrameReader, HdlcFrame, encode_frame
from pydlms.link import ApduLink
from pydlms.security import gcm
from pydlms.security.suites import SecurityControl
from pydlms.simulator import ClientProfile, MeterSimulator, _Session

CONTAINERS = ("array", "structure")


def build(value):
    """Return a neutral value as this peer has it."""
    kind, content = value
    if kind in CONTAINERS:
        return getattr(DlmsData, kind)([build(one) for one in content])
    if kind == "null-data":
        return DlmsData.null()
    if kind == "octet-string":
        return DlmsData.octet_string(bytes.fromhex(content))
    return DlmsData(DataType[kind.upper().replace("-", "_")], content)


def decode(case):
    """A-XDR, reading."""
    raw = octets(case, "octets")
    value = build(case["value"])
    return lambda: decode_data(raw)[0], value


def encode(case):
    """A-XDR, writing."""
    value = build(case["value"])
    return lambda: encode_data(value), octets(case, "octets")


def protect(case):
    """AES-GCM, sealing."""
    control = SecurityControl.from_byte(0x30)
    arguments = [octets(case, name) for name in ("block_key", "authentication_key", "title")]
    plain, counter = octets(case, "plain"), case["counter"]
    return partial(gcm.encrypt, control, *arguments, counter, plain), octets(case, "protected")


def unprotect(case):
    """AES-GCM, opening."""
    control = SecurityControl.from_byte(0x30)
    arguments = [octets(case, name) for name in ("block_key", "authentication_key", "title")]
    sealed, counter = octets(case, "protected"), case["counter"]
    return partial(gcm.decrypt, control, *arguments, counter, sealed), octets(case, "plain")


def write_frame(case):
    """HDLC, one frame out; the frame is made in the call, as a client makes it."""
    information = octets(case, "information")
    server, client = HdlcAddress.server(1, size=1), HdlcAddress.client(16)
    frame = partial(HdlcFrame, server, client, 0x10, information)
    return lambda: encode_frame(frame()), octets(case, "octets")


def find_frame(case):
    """HDLC, one frame in."""
    reader, raw = FrameReader(), octets(case, "octets")
    return lambda: reader.feed(raw)[0].info, octets(case, "information")


class Scripted(ApduLink):
    """A link whose other end is a function."""

    def __init__(self, respond):
        self._respond = respond

    def connect(self):
        """Nothing to do."""

    def disconnect(self):
        """Nothing to do."""

    def send_apdu(self, apdu):
        """Hand it over."""
        self._answer = self._respond(apdu)

    def receive_apdu(self, timeout=None):
        """Take the answer."""
        return self._answer


def associated(case, respond):
    """Return a client in the middle of an association."""
    security = None
    if case["ciphered"]:
        security = SecurityContext(
            encryption_key=octets(case, "block_key"),
            authentication_key=octets(case, "authentication_key"),
            client_system_title=octets(case, "client_title"),
            server_system_title=octets(case, "server_title"),
            invocation_counter=1,
        )
    client = DlmsClient(Scripted(respond), AssociationSettings(security=security))
    client.association.state = AssociationState.ASSOCIATED
    client.association.negotiated_conformance = Conformance.GET
    client.association.server_max_pdu = 1024
    return client


def client_get(case):
    """A GET as the client sees it: request out, recorded answer in."""
    recorded = answers(case)
    client = associated(case, lambda apdu: next(recorded))
    return lambda: client.get("1.0.1.8.0.255", 3, 2).value, case["register"]


def pair_get(case):
    """A GET between this peer's client and its own simulator."""
    keys = [octets(case, name) for name in ("block_key", "authentication_key")]
    title = octets(case, "server_title")
    meter = MeterSimulator(title, *(keys if case["ciphered"] else ()))
    meter.add_object(3, "1.0.1.8.0.255", {2: DlmsData.uint32(case["register"])})
    session = _Session(associated=True, profile=ClientProfile(), ciphered=case["ciphered"])
    session.client_title = octets(case, "client_title")
    if meter.security is not None:
        meter.security.server_system_title = session.client_title

    client = associated(case, lambda apdu: meter.handle_all(apdu, session)[0])
    return lambda: client.get("1.0.1.8.0.255", 3, 2).value, case["register"]


if __name__ == "__main__":
    answer(
        "pydlms-client",
        {
            "decode": decode,
            "encode": encode,
            "protect": protect,
            "unprotect": unprotect,
            "write frame": write_frame,
            "find frame": find_frame,
            "client GET": client_get,
            "pair GET": pair_get,
        },
    )
