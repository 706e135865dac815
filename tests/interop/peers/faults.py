"""Shows one fault of a peer, by itself: ``python faults.py NAME`` in that peer's environment.

Each function does what the peer's user would do and returns what came of it, as JSON. The names
and what they mean are in KNOWN_FAULTS.md; what is expected of each is in test_known_faults.py.
"""

import json
import os
import signal
import socket
import sys

TITLE = bytes.fromhex("4D4D4D0000BC614E")
BLOCK_KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
AUTHENTICATION_KEY = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
ENDLESS_SECONDS = 1


class EndlessError(Exception):
    """Something was still at work when its time was up."""


def attempt(action, *arguments):
    """Call it; what it raised, by class and text, or what it returned."""
    return attempt_for(ENDLESS_SECONDS, action, *arguments)


def attempt_for(seconds, action, *arguments):
    """The same, with another patience."""

    def ring(number, frame):
        raise EndlessError

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        return {"returned": str(action(*arguments))}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
        return {"raised": type(error).__name__, "text": str(error)}
    finally:
        signal.alarm(0)


# --- dlms-cosem ----------------------------------------------------------------------------------


def _cosem_connection(**more):
    from dlms_cosem.connection import DlmsConnection
    from dlms_cosem.security import HighLevelSecurityGmacAuthentication

    return DlmsConnection(
        client_system_title=TITLE,
        authentication=HighLevelSecurityGmacAuthentication(),
        global_encryption_key=BLOCK_KEY,
        global_authentication_key=AUTHENTICATION_KEY,
        client_invocation_counter=5,
        **more,
    )


def one_counter_twice():
    """The counters of the GMAC of HLS pass 3 and of the APDU that carries it."""
    connection = _cosem_connection()
    connection.meter_to_client_challenge = bytes(16)
    gmac = connection.authentication.hls_generate_reply_data(connection)
    _, apdu = connection.encrypt(b"the ACTION request")
    return {"gmac": int.from_bytes(gmac[1:5], "big"), "apdu": apdu}


def calling_title_without_ciphering():
    """The AARQ of an association without security."""
    from dlms_cosem.client import DlmsClient
    from dlms_cosem.security import NoSecurityAuthentication

    client = DlmsClient(transport=None, authentication=NoSecurityAuthentication())
    return client.dlms_connection.get_aarq().to_bytes().hex()


def aare_longer_than_127():
    """An AARE of 128 octets, its length in two octets as BER has it, and one of 127."""
    from dlms_cosem.protocol.acse import ApplicationAssociationResponse

    context, result = "a109060760857405080101", "a203020100a305a103020100"
    results = {}
    for size in (127, 128):
        rest = size - len(bytes.fromhex(context + result)) - 4
        # responding-AP-title as long as it takes; 88 02 .. is what goes before it elsewhere
        body = bytes.fromhex(context + result) + bytes([0xA4, rest + 2, 4, rest]) + bytes(rest)
        length = bytes([size]) if size < 128 else bytes([0x81, size])
        results[size] = attempt(ApplicationAssociationResponse.from_bytes, b"\x61" + length + body)
    return results


def general_glo_longer_than_127():
    """General-glo-ciphering of 205 octets of ciphered content."""
    from dlms_cosem.protocol.xdlms import GeneralGlobalCipher
    from dlms_cosem.security import SecurityControlField

    control = SecurityControlField(0, authenticated=True, encrypted=True)
    return GeneralGlobalCipher(TITLE, control, 1, bytes(200)).to_bytes()[:12].hex()


def first_counter_zero():
    """The server's first invocation counter is 0."""
    return attempt(_cosem_connection().update_meter_invocation_counter, 0)


def end_of_file():
    """The server closes the connection within a message."""
    from dlms_cosem.io import BlockingTcpIO

    ours, theirs = socket.socketpair()
    io = BlockingTcpIO("127.0.0.1", 0)
    io.tcp_socket = ours
    theirs.sendall(b"\x00\x01\x00\x01")
    theirs.close()
    return attempt(io.recv, 8)


def octets_behind_a_value():
    """An empty array with one octet behind it."""
    from dlms_cosem.utils import parse_as_dlms_data

    return attempt(parse_as_dlms_data, bytes.fromhex("010002"))


def fcs_ends_in_a_flag():
    """How much of a frame is read when its frame check sequence ends in 0x7E."""
    from dlms_cosem.hdlc import address, frames
    from dlms_cosem.io import HdlcTransport

    server = address.HdlcAddress(1, None, "server", False)
    client = address.HdlcAddress(16, None, "client", False)
    for number in range(1 << 16):
        payload = b"\xe6\xe7\x00\xc4\x01\xc1\x00\x12" + number.to_bytes(2, "big")
        frame = frames.InformationFrame(client, server, payload, 0, 0, False, True).to_bytes()
        if frame[-2] == 0x7E:
            break
    waiting = bytearray(frame)

    class Line:
        """Hands out a frame as a serial port does."""

        def recv_until(self, end):
            """Octets up to the mark."""
            upto = waiting.index(end) + 1
            taken = bytes(waiting[:upto])
            del waiting[:upto]
            return taken

    read = HdlcTransport(16, 1, Line()).recv_frame()
    return {"frame": frame.hex(), "read": read.hex()}


def exception_response():
    """An exception response answers a SET, and then the client wants to release."""
    from dlms_cosem import exceptions, state
    from dlms_cosem.protocol.xdlms import ExceptionResponse

    found = {}
    for name in ("AWAITING_SET_RESPONSE", "AWAITING_ACTION_RESPONSE"):
        machine = state.DlmsConnectionState(current_state=getattr(state, name))
        found[name] = attempt(machine.process_event, ExceptionResponse(2, 2))
    assert exceptions.LocalDlmsProtocolError
    return found


def entry_descriptor():
    """A selection of the first entry of a profile."""
    from dlms_cosem.cosem.selective_access import EntryDescriptor

    return attempt(EntryDescriptor(1, 1).to_bytes)


def long_octet_string():
    """Octet-strings of 200 and of 2500 octets: how they begin, or that they cannot be made."""
    from dlms_cosem.dlms_data import OctetStringData

    return {size: attempt(_beginning, OctetStringData(bytes(size))) for size in (200, 2500)}


def _beginning(data):
    return data.to_bytes()[:4].hex()


def undecodable_types():
    """A bit-string and a utf8-string."""
    from dlms_cosem.utils import parse_as_dlms_data

    cases = {"bit-string": "040880", "utf8-string": "0c03455552"}
    return {name: attempt(parse_as_dlms_data, bytes.fromhex(case)) for name, case in cases.items()}


# --- gurux-dlms ----------------------------------------------------------------------------------


def _gurux_client(interface=None):
    from gurux_dlms.enums import Authentication, InterfaceType
    from gurux_dlms.secure import GXDLMSSecureClient

    interface = InterfaceType.WRAPPER if interface is None else interface
    return GXDLMSSecureClient(True, 1, 1, Authentication.NONE, None, interface)


def release_in_clear():
    """The RLRQ of a ciphered association, without its wrapper header."""
    from gurux_dlms.ConnectionState import ConnectionState
    from gurux_dlms.enums import Security

    client = _gurux_client()
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.blockCipherKey = bytearray(BLOCK_KEY)
    client.ciphering.authenticationKey = bytearray(AUTHENTICATION_KEY)
    client.settings.connected = ConnectionState.DLMS
    return bytes(client.releaseRequest()[0])[8:].hex()


def general_protection_without_keys():
    """The AARQ of an association without security, without its wrapper header."""
    return bytes(_gurux_client().aarqRequest()[0])[8:].hex()


def buffer_before_capture_objects():
    """A profile's buffer of one row is taken before its capture objects are known."""
    from gurux_dlms.objects import GXDLMSProfileGeneric

    profile = GXDLMSProfileGeneric("1.0.99.2.0.255")
    return attempt(_gurux_client().updateValue, profile, 2, [[1, 2]])


def _long_write(client):
    """The first packet of a SET of an octet-string of 2500 octets to a server that takes 1024."""
    from gurux_dlms.enums import DataType
    from gurux_dlms.objects import GXDLMSData

    client.maxReceivePDUSize = 1024
    target = GXDLMSData("0.0.128.0.0.255")
    target.value = bytearray(2500)
    target.setDataType(2, DataType.OCTET_STRING)
    return bytes(client.write(target, 2)[0])


def frame_of_512_octets():
    """The first segment of a long SET, the information fields being of 512 octets."""
    from gurux_dlms.enums import InterfaceType

    client = _gurux_client(InterfaceType.HDLC)
    client.hdlcSettings.maxInfoTX = 512
    return _long_write(client).hex()


def general_glo_longer_than_agreed():
    """The first block of a long SET under general protection, without its wrapper header."""
    from gurux_dlms.ConnectionState import ConnectionState
    from gurux_dlms.enums import Conformance, Security

    client = _gurux_client()
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.systemTitle = bytearray(TITLE)
    client.ciphering.blockCipherKey = bytearray(BLOCK_KEY)
    client.ciphering.authenticationKey = bytearray(AUTHENTICATION_KEY)
    client.settings.connected = ConnectionState.DLMS
    client.settings.negotiatedConformance = Conformance.GENERAL_PROTECTION
    return _long_write(client)[8:].hex()


def empty_array():
    """What an empty array and null-data are decoded to by a GET's reply."""
    from gurux_dlms import GXByteBuffer, GXReplyData

    client, found = _gurux_client(), []
    for octets in ("0100", "00"):
        apdu = bytes.fromhex("c401c100" + octets)
        packet = bytes.fromhex("000100010001") + len(apdu).to_bytes(2, "big") + apdu
        reply = GXReplyData()
        client.getData(GXByteBuffer(packet), reply, GXReplyData())
        found.append(reply.value)
    return found


# --- pydlms-client -------------------------------------------------------------------------------


def prepayment_types():
    """Its models of Account 11 and 12 and of Credit 11, given values of the right types."""
    from pydlms import DlmsData
    from pydlms.cosem.model import spec_for

    cases = {
        "111/11": DlmsData.array([]),
        "111/12": DlmsData.array([]),
        "112/11": DlmsData.octet_string(bytes.fromhex("07EA0101FF000000FF800000")),
    }
    found = {}
    for name, value in cases.items():
        class_id, index = (int(part) for part in name.split("/"))
        found[name] = attempt(spec_for(class_id).attribute(index).type.decode, value)
    return found


def window_received():
    """What becomes of the rows of three I frames that answer a GET, and then an RR."""
    from gurux_dlms.enums import InterfaceType

    client = _gurux_client(InterfaceType.HDLC)
    client.hdlcSettings.windowSizeRX = 3
    settings = client.settings
    settings.resetFrameSequence()
    settings.getNextSend(True)  # I, N(S) 0, N(R) 0, with the poll bit
    first = [attempt(settings.checkFrame, control, None) for control in (0x20, 0x22, 0x34)]
    settings.resetFrameSequence()
    settings.getNextSend(True)
    settings.checkFrame(0x30, None)  # I, N(S) 0, N(R) 1, with the final bit
    settings.getReceiverReady()
    behind = [attempt(settings.checkFrame, control, None) for control in (0x22, 0x24, 0x36)]
    return [first, behind]


def polls_in_a_window():
    """What is sent for a row of four I frames of which the first was lost, as control fields."""
    from pydlms.hdlc.address import HdlcAddress
    from pydlms.hdlc.connection import HdlcLink, HdlcParameters, HdlcState
    from pydlms.hdlc.framing import HdlcFrame, encode_frame
    from pydlms.transports.base import Transport

    server, client = HdlcAddress.server(1), HdlcAddress.client(16)

    def frame(number, final):
        control = 1 << 5 | final << 4 | number << 1
        return encode_frame(HdlcFrame(client, server, control, b"octets", True))

    class Recorded(Transport):
        """A row that is there already, and a record of what is sent."""

        def __init__(self):
            self.sent = []
            self.waiting = b"".join(frame(number, number == 3) for number in (1, 2, 3))

        def open(self):
            pass

        def close(self):
            pass

        def _write(self, data):
            self.sent.append(data.hex())

        def _read(self, max_bytes, timeout):
            data, self.waiting = self.waiting[:max_bytes], self.waiting[max_bytes:]
            return data

    transport = Recorded()
    link = HdlcLink(transport, 16, server, HdlcParameters(window_rx=7), timeout=0.1, retries=8)
    link.state, link.vs, link._awaiting = HdlcState.CONNECTED, 1, True
    attempt(link.receive_apdu)
    return transport.sent[:3]


def pydlms_window_over_hdlc():
    """An answer in windows of 3 general blocks from its own simulator, each waited for 0.2 s."""
    from pydlms import DlmsClient, DlmsData
    from pydlms.apdu.xdlms import Conformance
    from pydlms.simulator import example_meter, serve

    def read(window):
        meter = example_meter()
        meter.conformance = Conformance.GET | Conformance.GENERAL_BLOCK_TRANSFER
        meter.add_object(1, "0.0.96.1.0.255", {2: DlmsData.octet_string(bytes(600))})
        server = serve(meter, port=0, hdlc=True)
        try:
            place = ("127.0.0.1", server.server_address[1])
            client = DlmsClient.tcp(*place, hdlc=True, timeout=0.2, max_receive_pdu_size=100)
            settings = client.association.settings
            settings.propose_gbt, settings.gbt_window = True, window
            with client:
                return len(client.get("0.0.96.1.0.255", 1, 2).to_python())
        finally:
            server.shutdown()

    return [attempt_for(5, read, window) for window in (1, 3)]


def gurux_general_blocks():
    """Acknowledging a first block, and an answer whose blocks number on behind acknowledgements."""
    from gurux_dlms import GXByteBuffer, GXReplyData
    from gurux_dlms.enums import InterfaceType
    from gurux_dlms.GXDLMSClient import GXDLMSClient

    def take(block):
        client = GXDLMSClient(True, 16, 1, interfaceType=InterfaceType.WRAPPER)
        reply = GXReplyData()
        frame = bytes.fromhex("000100010010") + len(block).to_bytes(2, "big") + block
        client.getData(GXByteBuffer(frame), reply, None)
        return client, reply

    client, reply = take(bytes.fromhex("e00100010000 02 c401"))
    _, behind = take(bytes.fromhex("e08100030003 05 c701c10300"))
    return {
        "acknowledging": attempt(client.receiverReady, reply),
        "numbered on": int(behind.error),
    }


def gurux_access_that_writes():
    """An ACCESS with a SET."""
    from gurux_dlms.enums import AccessServiceCommandType
    from gurux_dlms.GXDLMSAccessItem import GXDLMSAccessItem
    from gurux_dlms.GXDLMSClient import GXDLMSClient
    from gurux_dlms.objects import GXDLMSData

    item = GXDLMSAccessItem(AccessServiceCommandType.SET, GXDLMSData("0.0.1.0.0.255"), 2)
    return attempt(GXDLMSClient(True).accessRequest, None, [item])


def gurux_write_list():
    """A SET with a list of one."""
    from gurux_dlms.GXDLMSClient import GXDLMSClient
    from gurux_dlms.GXWriteItem import GXWriteItem
    from gurux_dlms.objects import GXDLMSData

    item = GXWriteItem()
    item.target, item.index = GXDLMSData("0.0.42.0.0.255"), 2
    item.target.value = b"ANOTHER"
    return attempt(GXDLMSClient(True).writeList, [item])


def gurux_structure_type():
    """The type that is reported of a structure; 2 is right."""
    from gurux_dlms.GXByteBuffer import GXByteBuffer
    from gurux_dlms.GXReplyData import GXReplyData

    reply = GXReplyData()
    frame = bytes.fromhex("000100010001000A C401C100 0202 0F00 161E")
    _gurux_client().getData(GXByteBuffer(frame), reply, None)
    return int(reply.valueType)


def gurux_prints():
    """What comes out on standard output while an APDU is deciphered."""
    import contextlib
    import io

    from gurux_dlms.AesGcmParameter import AesGcmParameter
    from gurux_dlms.CountType import CountType
    from gurux_dlms.enums import Security
    from gurux_dlms.GXByteBuffer import GXByteBuffer
    from gurux_dlms.GXDLMSChippering import GXDLMSChippering

    def parameters():
        made = AesGcmParameter(0, TITLE, BLOCK_KEY, AUTHENTICATION_KEY)
        made.security, made.type_ = Security.AUTHENTICATION, CountType.DATA | CountType.TAG
        return made

    plain = bytes.fromhex("C001C100080000010000FF0200")
    sealed = bytes(GXDLMSChippering.encryptAesGcm(parameters(), plain))
    apdu = bytes((0xC8, 5 + len(sealed), 0x10)) + bytes(4) + sealed
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        GXDLMSChippering.decryptAesGcm(None, parameters(), GXByteBuffer(apdu))
    return printed.getvalue()


def gurux_signs_alike():
    """Two signatures of the same octets, with `random` put back in between."""
    import random

    from gurux_dlms.ecdsa.GXEcdsa import GXEcdsa
    from gurux_dlms.ecdsa.GXPrivateKey import GXPrivateKey

    key = GXPrivateKey.fromRawBytes(bytearray(range(1, 33)))
    signatures = []
    for _ in range(2):
        random.seed(7)
        signatures.append(bytes(GXEcdsa(key).sign(b"the same")).hex())
    return signatures


def gurux_short_names_conformance():
    """The AARQ by short names, without its wrapper header."""
    from gurux_dlms.enums import Authentication, InterfaceType
    from gurux_dlms.secure import GXDLMSSecureClient

    client = GXDLMSSecureClient(False, 1, 1, Authentication.NONE, None, InterfaceType.WRAPPER)
    return bytes(client.aarqRequest()[0])[8:].hex()


def pydlms_short_names_conformance():
    """What the simulator offers by itself, and what it should in a context of short names."""
    from pydlms.apdu.xdlms import Conformance
    from pydlms.simulator import _parser, meter_from_args

    meter = meter_from_args(_parser().parse_args([]))
    return {"offered": str(meter.conformance), "due": str(Conformance.default_sn())}


FAULTS = {
    function.__name__: function
    for function in (
        one_counter_twice,
        calling_title_without_ciphering,
        aare_longer_than_127,
        general_glo_longer_than_127,
        first_counter_zero,
        end_of_file,
        octets_behind_a_value,
        fcs_ends_in_a_flag,
        exception_response,
        undecodable_types,
        entry_descriptor,
        long_octet_string,
        frame_of_512_octets,
        general_glo_longer_than_agreed,
        empty_array,
        release_in_clear,
        general_protection_without_keys,
        buffer_before_capture_objects,
        prepayment_types,
        window_received,
        polls_in_a_window,
        pydlms_window_over_hdlc,
        gurux_general_blocks,
        gurux_access_that_writes,
        gurux_write_list,
        gurux_structure_type,
        gurux_prints,
        gurux_signs_alike,
        gurux_short_names_conformance,
        pydlms_short_names_conformance,
    )
}

if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # peers print to standard output; that goes to standard error
    with stream:
        json.dump(FAULTS[sys.argv[1]](), stream)
