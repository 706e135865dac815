"""Drives dlms-cosem 25.1.0 against a server; see `running` for command line and report.

Over the wrapper only: its HDLC reader stops at a frame whose FCS ends in 0x7E.
"""

import importlib.metadata
import logging
import re
import sys

import harness
import running
import structlog
from dlms_cosem import cosem, dlms_data, enumerations, exceptions, state, utils
from dlms_cosem.client import ActionError, DataResultError, DlmsClient
from dlms_cosem.cosem import selective_access
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.parsers import AssociationObjectListParser
from dlms_cosem.security import (
    HighLevelSecurityGmacAuthentication,
    LowLevelSecurityAuthentication,
    NoSecurityAuthentication,
)

# It refuses a meter whose first invocation counter is 0 unless told that -1 came before.
NO_COUNTER_YET = -1
WRAPPER_HEADER = 8
EXCEPTION_RESPONSE = b"\xd8"


class TracedIO:
    """The peer's own socket, with a trace."""

    def __init__(self, inner, trace):
        self._inner = inner
        self._trace = trace
        self.answer = b""

    def connect(self):
        """Open."""
        self._inner.connect()

    def disconnect(self):
        """Close."""
        self._inner.disconnect()

    def send(self, data):
        """Send all."""
        self.answer = b""
        self._trace.record("sent", data)
        self._inner.send(data)

    def recv(self, amount=1):
        """Receive exactly `amount` octets, which the peer's own loop does for ever at an end."""
        data = b""
        while len(data) < amount:
            piece = self._inner.tcp_socket.recv(amount - len(data))
            if not piece:
                raise EOFError("the server closed the connection")
            self._trace.record("received", piece)
            data += piece
        self.answer += data
        return data


class DlmsCosemDriver(harness.Driver):
    """DlmsClient over its TcpTransport."""

    peer = "dlms-cosem"

    def connect(self):
        """Connect and associate."""
        arguments = self.arguments
        if arguments.transport != "tcp":
            raise ValueError("dlms-cosem is a judge over the wrapper only")
        host, port = harness.host_and_port(arguments.address)
        socket = BlockingTcpIO(host, port, timeout=harness.REPLY_TIMEOUT_SECONDS)
        self._io = TracedIO(socket, self.trace)
        transport = TcpTransport(arguments.client, arguments.logical, self._io)
        self._client = DlmsClient(
            transport,
            self._authentication(),
            **self._security(),
            max_pdu_size=arguments.max_pdu,
            timeout=10,
        )
        self._client.connect()
        self._client.associate()

    def _authentication(self):
        if self.arguments.mechanism == "lls":
            return LowLevelSecurityAuthentication(self.arguments.password.encode())
        if self.arguments.mechanism == "gmac":
            return HighLevelSecurityGmacAuthentication(challenge_length=32)
        return NoSecurityAuthentication()

    def _security(self):
        if self.arguments.mechanism != "gmac":
            return {}
        return {
            "encryption_key": self.arguments.block_key,
            "authentication_key": self.arguments.auth_key,
            "client_system_title": self.arguments.system_title,
            "client_initial_invocation_counter": self.invocation_counter,
            "meter_initial_invocation_counter": NO_COUNTER_YET,
        }

    def objects(self):
        """The object list; the library's own parser must take it too."""
        octets = self._get(15, "0.0.40.0.0.255", 2)
        AssociationObjectListParser.parse_bytes(octets)
        return [
            {
                "class": class_id,
                "version": version,
                "obis": ".".join(str(group) for group in name),
                "attributes": {entry[0]: entry[1] for entry in rights[0]},
                "methods": {entry[0]: int(entry[1]) for entry in rights[1]},
            }
            for class_id, version, name, rights in utils.parse_as_dlms_data(octets)
        ]

    def read(self, class_id, obis, index):
        """GET and decode; a type that the library does not decode is left as octets."""
        octets = self._get(class_id, obis, index)
        try:
            value = utils.parse_as_dlms_data(octets)
        except NotImplementedError:  # BitStringData, UTF8StringData: see KNOWN_FAULTS.md
            value = octets
        return harness.TYPES[octets[0]], harness.jsonable(value)

    def _get(self, class_id, obis, index):
        try:
            return self._ask(self._client.get, self._attribute(class_id, obis, index))
        except DataResultError as error:
            raise harness.RefusedError(_code(str(error))) from error

    def _ask(self, service, *arguments):
        """Call a service, and see the exception response that the library has no way to tell of.

        It makes an IndexError of one that answers a GET, and after one that answers a SET or an
        ACTION it waits for ever for another answer; see KNOWN_FAULTS.md.
        """
        try:
            return service(*arguments)
        except (IndexError, exceptions.LocalDlmsProtocolError):
            answer = self._io.answer[WRAPPER_HEADER:]
            if answer[:1] != EXCEPTION_RESPONSE:
                raise
            self._client.dlms_connection.clear_buffer()
            self._client.dlms_connection.state.current_state = state.READY
            raise harness.exception_response(answer[1], answer[2]) from None

    def _attribute(self, class_id, obis, index):
        interface = enumerations.CosemInterface(class_id)
        return cosem.CosemAttribute(interface, _name(obis), index)

    def write_octets(self, class_id, obis, index, octets):
        """SET."""
        data = dlms_data.OctetStringData(octets).to_bytes()
        attribute = self._attribute(class_id, obis, index)
        response = self._ask(self._client.set, attribute, data)
        if response.result:
            raise harness.RefusedError(int(response.result))

    def act(self, class_id, obis, index, octets=None):
        """ACTION."""
        parameter = dlms_data.IntegerData(0)
        if octets is not None:
            parameter = dlms_data.OctetStringData(octets)
        interface = enumerations.CosemInterface(class_id)
        method = cosem.CosemMethod(interface, _name(obis), index)
        try:
            self._ask(self._client.action, method, parameter.to_bytes())
        except ActionError as error:
            text = str(error).rpartition(": ")[2]
            raise harness.RefusedError(text.lower().replace("_", "-")) from error

    def rows_by_entry(self, obis, first, last):
        """Its entry descriptor has no encoding: see KNOWN_FAULTS.md."""
        return self._rows(obis, selective_access.EntryDescriptor(first, last))

    def rows_by_range(self, obis, since, until):
        """GET by range."""
        clock = self._attribute(8, "0.0.1.0.0.255", 2)
        restricting = CaptureObject(clock)
        return self._rows(obis, selective_access.RangeDescriptor(restricting, since, until))

    def _rows(self, obis, access):
        try:
            octets = self._ask(self._client.get, self._attribute(7, obis, 2), access)
        except DataResultError as error:
            raise harness.RefusedError(_code(str(error))) from error
        return utils.parse_as_dlms_data(octets)

    def release(self):
        """RLRQ."""
        answer = self._client.release_association()
        return {"status": None if answer.reason is None else answer.reason.name.lower()}

    def close(self):
        """Close the port."""
        self._client.disconnect()


def _name(obis):
    return cosem.Obis(*(int(group) for group in obis.split(".")))


def _code(text):
    found = re.search(r": (\d+)>", text)
    return int(found.group(1)) if found else text


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    running.run(DlmsCosemDriver, importlib.metadata.version("dlms-cosem"))
