"""Drives gurux-dlms 1.0.203 against a server; see `running` for command line and report.

`GXDLMSClient` has no transport of its own: it makes packets and takes replies, and the loop that
carries them over a socket or a serial port is ours.
"""

import importlib.metadata

import harness
import running
from gurux_dlms import GXByteBuffer, GXDLMSException, GXDLMSExceptionResponse, GXReplyData
from gurux_dlms.enums import Authentication, DataType, InterfaceType, ObjectType, Security
from gurux_dlms.GXDLMSConfirmedServiceError import GXDLMSConfirmedServiceError
from gurux_dlms.objects import GXDLMSData, GXDLMSObject
from gurux_dlms.secure import GXDLMSSecureClient

MECHANISMS = {
    "none": Authentication.NONE,
    "lls": Authentication.LOW,
    "gmac": Authentication.HIGH_GMAC,
}
EMPTY_ARRAY = b"\x01\x00"


class GuruxDriver(harness.Driver):
    """GXDLMSSecureClient with a port and a packet loop."""

    peer = "gurux-dlms"
    logical_names = True

    def connect(self):
        """SNRM where there is HDLC, AARQ, and for HLS the passes 3 and 4."""
        self._client = self._build()
        self._port = harness.Port(self.arguments, self.trace)
        snrm = self._client.snrmRequest()
        if snrm:
            self._client.parseUAResponse(self._exchange(snrm).data)
        self._client.parseAareResponse(self._exchange(self._client.aarqRequest()).data)
        if self._client.isAuthenticationRequired:
            reply = self._exchange(self._client.getApplicationAssociationRequest())
            self._client.parseApplicationAssociationResponse(reply.data)

    def _build(self):
        arguments = self.arguments
        hdlc = arguments.transport != "tcp"
        client = GXDLMSSecureClient(
            self.logical_names,
            arguments.client,
            arguments.logical,
            MECHANISMS[arguments.mechanism],
            arguments.password if arguments.mechanism == "lls" else None,
            InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
        )
        client.maxReceivePDUSize = arguments.max_pdu
        if hdlc and arguments.hdlc_information:
            client.hdlcSettings.maxInfoTX = arguments.hdlc_information
            client.hdlcSettings.maxInfoRX = arguments.hdlc_information
        client.hdlcSettings.windowSizeTX = arguments.hdlc_window
        client.hdlcSettings.windowSizeRX = arguments.hdlc_window_received or arguments.hdlc_window
        size = arguments.server_address_size
        if hdlc and size > 1:
            client.serverAddress = client.getServerAddress(
                arguments.logical, arguments.physical, size
            )
            client.serverAddressSize = size
        if arguments.mechanism == "gmac":
            ciphering = client.ciphering
            ciphering.security = Security.AUTHENTICATION_ENCRYPTION
            ciphering.systemTitle = bytearray(arguments.system_title)
            ciphering.blockCipherKey = bytearray(arguments.block_key)
            ciphering.authenticationKey = bytearray(arguments.auth_key)
            ciphering.invocationCounter = self.invocation_counter
            if arguments.dedicated_key:
                ciphering.dedicatedKey = bytearray(range(16, 32))  # the global one would be refused
        return client

    def _exchange(self, packets):
        """Send each packet and collect its reply, blocks and segments included."""
        reply = GXReplyData()
        for packet in packets if isinstance(packets, list) else [packets]:
            reply.clear()
            self._carry(packet, reply)
            while reply.isMoreData():
                ready = None if reply.isStreaming() else self._client.receiverReady(reply)
                self._carry(ready, reply)
        return reply

    def _carry(self, packet, reply):
        received = GXByteBuffer()
        if packet:
            self._port.send(bytes(packet))
        try:
            while not self._client.getData(received, reply, GXReplyData()):
                received.set(bytearray(self._port.receive()))
        except GXDLMSExceptionResponse as error:
            refusal = error.exceptionStateError, error.exceptionServiceError
            raise harness.exception_response(*refusal) from error
        except GXDLMSConfirmedServiceError as error:
            raise harness.RefusedError(f"confirmed-service-error: {error}") from error
        except GXDLMSException as error:
            raise harness.RefusedError(_code(error.errorCode)) from error
        if reply.error:
            raise harness.RefusedError(_code(reply.error))

    def objects(self):
        """The object list; the library's own parser must take it too."""
        reply = self._exchange(self._client.getObjectsRequest())
        self._client.parseObjects(reply.data, onlyKnownObjects=False)
        return [
            {
                "class": class_id,
                "version": version,
                "obis": ".".join(str(group) for group in name),
                "attributes": {entry[0]: entry[1] for entry in rights[0]},
                "methods": {entry[0]: int(entry[1]) for entry in rights[1]},
            }
            for class_id, version, name, rights in reply.value
        ]

    def read(self, class_id, obis, index):
        """GET; the decoded value must also be one that the library's own class takes."""
        target = self._object(class_id, obis)
        reply = self._exchange(self._client.read(target, index))
        # Not reply.valueType, which is "none" for a structure or an array.
        kind = harness.TYPES[reply.data.array()[0]]
        value = harness.jsonable(reply.value)
        if type(target) is not GXDLMSObject:
            if class_id == ObjectType.PROFILE_GENERIC and index == 2:
                self.read(class_id, obis, 3)  # it decodes the buffer by its capture objects
            self._client.updateValue(target, index, reply.value)
        return kind, value

    def _object(self, class_id, obis):
        found = self._client.objects.findByLN(ObjectType(class_id), obis)
        if found is None:
            found = self._client.createObject(ObjectType(class_id))
            found.logicalName = obis
        return found

    def write_octets(self, class_id, obis, index, octets):
        """SET; a Data object of another class takes octets that the class's own would interpret."""
        if index != 2:
            raise ValueError("only attribute 2 can be set so")
        target = self._write_target(class_id, obis)
        target.value = bytearray(octets)
        target.setDataType(index, DataType.OCTET_STRING)
        self._exchange(self._client.write(target, index))

    def _write_target(self, class_id, obis):
        target = GXDLMSData(obis)
        target.objectType = ObjectType(class_id)
        return target

    def act(self, class_id, obis, index, octets=None):
        """ACTION."""
        target = self._object(class_id, obis)
        parameter = (0, DataType.INT8)
        if octets is not None:
            parameter = (bytearray(octets), DataType.OCTET_STRING)
        self._exchange(self._client.method(target, index, *parameter))

    def rows_by_entry(self, obis, first, last):
        """GET by entry; an index of 1 is the first entry."""
        profile = self._object(ObjectType.PROFILE_GENERIC, obis)
        return self._rows(self._client.readRowsByEntry(profile, first, last - first + 1))

    def rows_by_range(self, obis, since, until):
        """GET by range."""
        profile = self._object(ObjectType.PROFILE_GENERIC, obis)
        return self._rows(self._client.readRowsByRange(profile, since, until))

    def _rows(self, packets):
        reply = self._exchange(packets)
        # It decodes an empty array to None, as it does null-data: see KNOWN_FAULTS.md.
        return [] if bytes(reply.data.array()) == EMPTY_ARRAY else reply.value

    def release(self):
        """RLRQ as this peer sends it by default, then DISC on HDLC."""
        self._exchange(self._client.releaseRequest())
        disc = self._client.disconnectRequest()
        if disc:
            self._exchange(disc)
        return {"status": "released"}

    def close(self):
        """Close the port."""
        self._port.close()


def _code(error):
    return int(error) if isinstance(error, int) else str(error)


if __name__ == "__main__":
    running.run(GuruxDriver, importlib.metadata.version("gurux-dlms"))
