"""Drives pydlms-client 0.1.0 against a server; see `running` for command line and report."""

import importlib.metadata

import harness
import running
from pydlms import DlmsClient, DlmsData, SecurityContext, ServiceError
from pydlms.apdu.xdlms import (
    ExceptionResponse,
    date_time_value,
    entry_descriptor,
    range_descriptor,
)
from pydlms.cosem.model import spec_for
from pydlms.hdlc.connection import HdlcParameters
from pydlms.security.hls import Mechanism

# Class and index of attributes that its typed model has wrong; see KNOWN_FAULTS.md.
MISTAKEN = {(40, 2), (111, 11), (111, 12), (112, 11)}
MECHANISMS = {"none": Mechanism.NONE, "lls": Mechanism.LLS, "gmac": Mechanism.HLS_GMAC}


class Recorder:
    """Stands where pydlms has its FrameRecorder, and keeps the octets on the line only."""

    def __init__(self, trace):
        self._trace = trace

    def record(self, direction, data):
        """Called by the transport ("TX", "RX") and the association ("TX-APDU", "RX-APDU")."""
        if direction in ("TX", "RX"):
            self._trace.record("sent" if direction == "TX" else "received", bytes(data))


class PydlmsDriver(harness.Driver):
    """DlmsClient over its own transports."""

    peer = "pydlms-client"
    discovers_counter_itself = True
    logical_names = True

    def connect(self):
        """Open everything; the library reads 0-0:43.1.x itself before it ciphers."""
        self._client = self._build()
        self._client.link.transport.recorder = Recorder(self.trace)
        self._client.connect()

    def _build(self):
        arguments = self.arguments
        options = {"client_sap": arguments.client, "server_logical": arguments.logical}
        options.update(mechanism=MECHANISMS[arguments.mechanism])
        options.update(logical_names=self.logical_names)
        options.update(timeout=harness.REPLY_TIMEOUT_SECONDS)
        options.update(max_receive_pdu_size=arguments.max_pdu)
        if arguments.mechanism == "lls":
            options.update(password=arguments.password)
        if arguments.mechanism == "gmac":
            options.update(
                security=SecurityContext(
                    encryption_key=arguments.block_key,
                    authentication_key=arguments.auth_key,
                    client_system_title=arguments.system_title,
                    invocation_counter=self.invocation_counter or 0,
                ),
                discover_invocation_counter=self.invocation_counter is None,
                use_dedicated_key=arguments.dedicated_key,
            )
        if arguments.transport != "tcp":
            size = arguments.server_address_size
            options.update(
                address_size=size, server_physical=None if size == 1 else arguments.physical
            )
            size, window = arguments.hdlc_information or 128, arguments.hdlc_window
            received = arguments.hdlc_window_received or window
            options.update(hdlc_parameters=HdlcParameters(size, size, window, received))
        if arguments.transport == "serial":
            return DlmsClient.serial(arguments.address, 9600, **options)
        host, port = harness.host_and_port(arguments.address)
        return DlmsClient.tcp(host, port, hdlc=arguments.transport == "hdlc+tcp", **options)

    def objects(self):
        """The association view, as pydlms decodes it."""
        return [
            {
                "class": int(entry.class_id),
                "version": entry.version,
                "obis": str(entry.logical_name),
                "attributes": {
                    access.attribute_id: int(access.access_mode)
                    for access in entry.rights.attributes
                },
                "methods": {
                    access.method_id: int(access.access_mode) for access in entry.rights.methods
                },
            }
            for entry in self._client.get_association_view()
        ]

    def read(self, class_id, obis, index):
        """GET, decode; the library's own model of the class must take the value as well."""
        data = self._ask(self._client.get, obis, class_id, index)
        described = spec_for(class_id)
        if described is not None and (class_id, index) not in MISTAKEN:
            attribute = described.attribute(index)
            attribute.type.decode(data, attribute.name)
        return harness.TYPES[int(data.tag)], harness.jsonable(data.to_python())

    def write_octets(self, class_id, obis, index, octets):
        """SET."""
        self._ask(self._client.set, obis, class_id, index, DlmsData.octet_string(octets))

    def act(self, class_id, obis, index, octets=None):
        """ACTION."""
        parameter = DlmsData.int8(0) if octets is None else DlmsData.octet_string(octets)
        self._ask(self._client.action, obis, class_id, index, parameter)

    def rows_by_entry(self, obis, first, last):
        """GET by entry, every row with one cell for each capture object."""
        return self._ask(self._client.read_profile, obis, entry_descriptor(first, last)).rows

    def rows_by_range(self, obis, since, until):
        """GET by range, every row with one cell for each capture object."""
        between = range_descriptor(date_time_value(since), date_time_value(until))
        return self._ask(self._client.read_profile, obis, between).rows

    def _ask(self, service, *arguments):
        try:
            return service(*arguments)
        except ServiceError as error:
            raise refusal(error) from error

    def release(self):
        """RLRQ and DISC; pydlms says whether the RLRE proved itself."""
        self._client.close()
        return {"status": self._client.association.release_status}

    def close(self):
        """Close the port."""
        self._client.link.transport.close()


def refusal(error):
    """The result code, or what else the server answered."""
    result = error.result
    if isinstance(result, ExceptionResponse):
        return harness.exception_response(result.state_error, result.service_error)
    return harness.RefusedError(int(result) if isinstance(result, int) else str(error))


if __name__ == "__main__":
    running.run(PydlmsDriver, importlib.metadata.version("pydlms-client"))
