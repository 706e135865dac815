"""A peer hears a push of our meter, says one of its own, or reads our meter over UDP.

Called with the name of a task and its arguments; prints one JSON document.
"""

import json
import sys
from datetime import UTC

KEY = bytes(range(16))
AUTHENTICATION = bytes(range(0xD0, 0xE0))
TITLE = b"MMM\x00\x00\xbcaN"


def plain(value):
    """Return a value as JSON has it."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex().upper()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    # gurux-dlms has a class of its own for bit-strings
    return str(value) if type(value).__name__ == "GXBitString" else value


def pydlms_hears(datagrams, framing="wrapper", title=None):
    """One datagram, or frame, after the other, through its push decoder."""
    from pydlms import SecurityContext
    from pydlms.push import PushDecoder

    security = SecurityContext(encryption_key=KEY, authentication_key=AUTHENTICATION)
    if title:  # what is in glo- ciphering does not say whose it is
        security.server_system_title = bytes.fromhex(title)
    decoder = PushDecoder(framing, security)
    (message,) = [
        found for each in datagrams.split(",") for found in decoder.feed(bytes.fromhex(each))
    ]
    note = message.notification
    if type(note).__name__ != "DataNotification":
        return {
            "service": type(note).__name__,
            "values": [plain(each.value) for each in message.records],
            "title": plain(message.system_title),
            "authenticated": message.authenticated,
        }
    return {
        "number": note.invoke_id,
        "confirmed": note.confirmed,
        "stamp": plain(note.date_time),
        "title": plain(message.system_title),
        "authenticated": message.authenticated,
        "body": plain(note.body.to_python()),
    }


def gurux_hears(datagrams, framing="wrapper"):
    """Through its client's getData, block by block, or frame by frame."""
    from gurux_dlms import GXByteBuffer, GXReplyData
    from gurux_dlms.enums import Authentication, InterfaceType, Security
    from gurux_dlms.secure import GXDLMSSecureClient

    kind = InterfaceType[framing.upper()]
    client = GXDLMSSecureClient(True, 102, 1, Authentication.NONE, None, kind)
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.blockCipherKey = KEY
    client.ciphering.authenticationKey = AUTHENTICATION
    client.ciphering.systemTitle = TITLE
    reply, notify = GXReplyData(), GXReplyData()
    for each in datagrams.split(","):
        client.getData(GXByteBuffer(bytes.fromhex(each)), reply, notify)
    heard = notify if notify.value is not None else reply
    return {"body": plain(heard.value)}


def dlms_cosem_hears(datagrams):
    """Its datagram, its general-glo, and its DataNotification, one inside the other."""
    from dlms_cosem import security
    from dlms_cosem.protocol import xdlms
    from dlms_cosem.protocol.wrappers import DlmsUdpMessage

    message = DlmsUdpMessage.from_bytes(bytes.fromhex(datagrams))
    ciphered = xdlms.GeneralGlobalCipher.from_bytes(message.data)
    inside = security.decrypt(
        security_control=ciphered.security_control,
        system_title=ciphered.system_title,
        invocation_counter=ciphered.invocation_counter,
        key=KEY,
        cipher_text=ciphered.ciphered_text,
        auth_key=AUTHENTICATION,
    )
    note = xdlms.DataNotification.from_bytes(inside)
    return {
        "number": note.long_invoke_id_and_priority.long_invoke_id,
        "confirmed": note.long_invoke_id_and_priority.confirmed,
        "title": plain(ciphered.system_title),
        "wports": [message.wrapper_header.source_wport, message.wrapper_header.destination_wport],
        "octets": plain(note.body),  # it decodes no bit-strings: see KNOWN_FAULTS.md
    }


def gurux_says(what, framing="wrapper"):
    """A DataNotification, or an EventNotification of an attribute."""
    from gurux_dlms import GXByteBuffer, GXDLMSNotify
    from gurux_dlms.enums import InterfaceType
    from gurux_dlms.objects import GXDLMSData

    notify = GXDLMSNotify(True, 102, 1, InterfaceType[framing.upper()])
    notify.setUseLogicalNameReferencing(True)
    if what == "data":
        body = GXByteBuffer(bytes.fromhex("020311050902AABB1600"))
        messages = notify.generateDataNotificationMessages(None, body)
    else:
        shown = GXDLMSData("0.0.96.11.0.255")
        shown.value = 5
        from gurux_dlms.enums import DataType

        shown.setDataType(2, DataType.UINT8)
        messages = notify.generateReport(None, [(shown, 2)])
    return [plain(message) for message in messages]


def gurux_alarms(title, counter, name, code):
    """Ciphered, of a system title: a DataNotification with a meter's name, and an event's code."""
    from gurux_dlms import GXByteBuffer, GXCiphering, GXDLMSNotify
    from gurux_dlms.ConnectionState import ConnectionState
    from gurux_dlms.enums import Conformance, DataType, InterfaceType, Security
    from gurux_dlms.objects import GXDLMSData

    notify = GXDLMSNotify(True, 102, 1, InterfaceType.WRAPPER)
    notify.setUseLogicalNameReferencing(True)
    cipher = GXCiphering(bytes.fromhex(title))
    cipher.security = Security.AUTHENTICATION_ENCRYPTION
    cipher.blockCipherKey, cipher.authenticationKey = KEY, AUTHENTICATION
    cipher.invocationCounter = int(counter)
    notify.setCipher(cipher)
    # without both it has no envelope for a ciphered event
    notify.settings.connected = ConnectionState.DLMS
    notify.settings.negotiatedConformance |= Conformance.GENERAL_PROTECTION
    octets = name.encode()
    body = bytes((2, 2, 9, len(octets))) + octets + b"\x11\x05"
    messages = notify.generateDataNotificationMessages(None, GXByteBuffer(body))
    shown = GXDLMSData("0.0.96.11.0.255")
    shown.value = int(code)
    shown.setDataType(2, DataType.UINT8)
    return [plain(each) for each in (*messages, *notify.generateReport(None, [(shown, 2)]))]


def gurux_pushes(title, counter, name, *events):
    """Of a push setup, ciphered: its list, who, energy, and code and counter of each event."""
    from gurux_dlms import GXDateTime
    from gurux_dlms.enums import DataType, InterfaceType, Security
    from gurux_dlms.objects import GXDLMSCaptureObject, GXDLMSData, GXDLMSPushSetup, GXDLMSRegister
    from gurux_dlms.secure import GXDLMSSecureNotify

    notify = GXDLMSSecureNotify(True, 102, 1, InterfaceType.WRAPPER)
    cipher = notify.ciphering
    cipher.systemTitle = bytes.fromhex(title)
    cipher.security = Security.AUTHENTICATION_ENCRYPTION
    cipher.blockCipherKey, cipher.authenticationKey = KEY, AUTHENTICATION
    cipher.invocationCounter = int(counter)
    found = []
    for said, event in enumerate(events):
        push, energy = GXDLMSPushSetup("0.0.25.9.0.255"), GXDLMSRegister("1.0.1.8.0.255")
        who = GXDLMSData("0.0.42.0.0.255")
        who.value = name.encode()
        who.setDataType(2, DataType.OCTET_STRING)
        code, number = GXDLMSData("0.0.96.11.0.255"), GXDLMSData("0.0.96.15.0.255")
        code.value, number.value = map(int, event.split("."))
        energy.value = 4711 + said
        code.setDataType(2, DataType.UINT8)
        for each in (number, energy):
            each.setDataType(2, DataType.UINT32)
        push.pushObjectList = [
            (each, GXDLMSCaptureObject(2, 0)) for each in (push, who, energy, code, number)
        ]
        moment = GXDateTime(f"11/22/2026 08:00:{said:02}", "%m/%d/%Y %H:%M:%S").value
        found += notify.generatePushSetupMessages(moment, push)
    return [plain(each) for each in found]


def pydlms_repeats(title, counter, number, times):
    """One DataNotification, ciphered anew under one counter after the other."""
    from pydlms import SecurityContext
    from pydlms.apdu.xdlms import DataNotification
    from pydlms.cosem.data import DlmsData
    from pydlms.cosem.enums import DataType
    from pydlms.security.ciphering import wrap_general_glo
    from pydlms.wrapper import encode_wrapper

    stamp = bytes.fromhex("07EA0B160701360261FFC400")
    note = DataNotification(0x40000000 | int(number), DlmsData(DataType.UNSIGNED, 5), stamp)
    found = []
    for turn in range(int(times)):
        security = SecurityContext(
            encryption_key=KEY,
            authentication_key=AUTHENTICATION,
            client_system_title=bytes.fromhex(title),
            invocation_counter=int(counter) + turn,
        )
        found.append(encode_wrapper(1, 102, wrap_general_glo(security, note.to_bytes())))
    return [plain(each) for each in found]


def pydlms_alarms(title, counter, code):
    """An event's code, ciphered, of a system title."""
    from pydlms import SecurityContext
    from pydlms.apdu.xdlms import AttributeDescriptor, EventNotificationRequest
    from pydlms.cosem.data import DlmsData
    from pydlms.cosem.enums import DataType
    from pydlms.obis import ObisCode
    from pydlms.security.ciphering import wrap_general_glo
    from pydlms.wrapper import encode_wrapper

    security = SecurityContext(
        encryption_key=KEY,
        authentication_key=AUTHENTICATION,
        client_system_title=bytes.fromhex(title),
        invocation_counter=int(counter),
    )
    attribute = AttributeDescriptor(1, ObisCode(0, 0, 96, 11, 0, 255), 2)
    event = EventNotificationRequest(attribute, DlmsData(DataType.UNSIGNED, int(code)), None)
    return [plain(encode_wrapper(1, 102, wrap_general_glo(security, event.to_bytes())))]


def pydlms_says(what, framing="wrapper"):
    """A DataNotification with a time, or an EventNotification."""
    from pydlms.apdu.xdlms import AttributeDescriptor, DataNotification, EventNotificationRequest
    from pydlms.cosem.data import DlmsData
    from pydlms.cosem.enums import DataType
    from pydlms.obis import ObisCode
    from pydlms.wrapper import encode_wrapper

    five = DlmsData(DataType.UNSIGNED, 5)
    stamp = bytes.fromhex("07EA0B160701360261FFC400")
    if what == "data":
        apdu = DataNotification(0x40000007, five, stamp)
    else:
        attribute = AttributeDescriptor(70, ObisCode(0, 0, 96, 3, 10, 255), 3)
        apdu = EventNotificationRequest(attribute, five, stamp)
    if framing == "hdlc":
        return [plain(_ui_frame(apdu.to_bytes()))]
    return [plain(encode_wrapper(1, 102, apdu.to_bytes()))]


def _ui_frame(apdu):
    from pydlms.hdlc.address import HdlcAddress
    from pydlms.hdlc.framing import LLC_RESPONSE, FrameType, HdlcFrame, encode_frame

    ends = HdlcAddress.client(102), HdlcAddress.server(1, 17, 2)
    return encode_frame(HdlcFrame(*ends, FrameType.UI, LLC_RESPONSE + apdu))


def dlms_cosem_says(what):
    """A DataNotification with a time: 01 stands where the octets of the time should be counted."""
    from datetime import datetime

    from dlms_cosem.protocol import xdlms
    from dlms_cosem.protocol.wrappers import DlmsUdpMessage, WrapperHeader
    from dlms_cosem.protocol.xdlms.data_notification import LongInvokeIdAndPriority

    moment = datetime(2026, 11, 22, 0, 54, 2, tzinfo=UTC)
    apdu = xdlms.DataNotification(LongInvokeIdAndPriority(7), moment, b"\x11\x05").to_bytes()
    return [plain(DlmsUdpMessage(apdu, WrapperHeader(1, 102, len(apdu))).to_bytes())]


def pydlms_reads(address):
    """The names and the clock of both logical devices, over UDP."""
    from pydlms import DlmsClient

    host, port = address.rsplit(":", 1)
    found = []
    for logical in (1, 2):
        client = DlmsClient.udp(host, int(port), client_sap=16, server_logical=logical, timeout=8)
        client.connect()
        found.append(plain(client.get("0.0.42.0.0.255", 1, 2).to_python()))
        client.close()
    return found


TASKS = {
    each.__name__: each
    for each in (
        pydlms_hears,
        gurux_hears,
        dlms_cosem_hears,
        gurux_alarms,
        gurux_pushes,
        pydlms_alarms,
        pydlms_repeats,
        gurux_says,
        pydlms_says,
        dlms_cosem_says,
        pydlms_reads,
    )
}

if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    printed, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(TASKS[task](*arguments)), file=printed)
