"""What the peer drivers are made of: the primitives of a driver, the octet trace, the ports.

A driver is a script run by the interpreter of its peer's own environment, so the modules in this
folder use the standard library and that peer only, and nothing of OpenPrepay. A driver gives the
primitives of `Driver`; `operations` has what is asked of each, written once, so that every peer
answers the same questions; `running` has the command line, the deadline and the report.
"""

REPLY_TIMEOUT_SECONDS = 8.0

RESULTS = {
    1: "hardware-fault",
    2: "temporary-failure",
    3: "read-write-denied",
    4: "object-undefined",
    9: "object-class-inconsistent",
    11: "object-unavailable",
    12: "type-unmatched",
    13: "scope-of-access-violated",
    14: "data-block-unavailable",
    15: "long-get-aborted",
    16: "no-long-get-in-progress",
    17: "long-set-aborted",
    18: "no-long-set-in-progress",
    19: "data-block-number-invalid",
    250: "other-reason",
}

TYPES = {
    0: "null-data",
    1: "array",
    2: "structure",
    3: "boolean",
    4: "bit-string",
    5: "double-long",
    6: "double-long-unsigned",
    9: "octet-string",
    10: "visible-string",
    12: "utf8-string",
    13: "bcd",
    15: "integer",
    16: "long",
    17: "unsigned",
    18: "long-unsigned",
    19: "compact-array",
    20: "long64",
    21: "long64-unsigned",
    22: "enum",
    23: "float32",
    24: "float64",
    25: "date-time",
    26: "date",
    27: "time",
}


class RefusedError(Exception):
    """The server answered, and its answer was no.

    Args:
        reason: a data access or action result code, or the name of another refusal.
    """

    def __init__(self, reason):
        self.reason = RESULTS.get(reason, str(reason))
        super().__init__(self.reason)


STATE_ERRORS = {1: "service-not-allowed", 2: "service-unknown"}
SERVICE_ERRORS = {
    1: "operation-not-possible",
    2: "service-not-supported",
    3: "other-reason",
    4: "pdu-too-long",
    5: "deciphering-error",
    6: "invocation-counter-error",
}


def exception_response(state_error, service_error):
    """The refusal that an exception response is, by the names of its two octets."""
    state = STATE_ERRORS.get(int(state_error), str(state_error))
    service = SERVICE_ERRORS.get(int(service_error), str(service_error))
    return RefusedError(f"exception-response {state} {service}")


class Trace:
    """The octets on the line, in order, adjacent pieces of one direction joined."""

    def __init__(self):
        self._pieces = []

    def record(self, direction, data):
        """Add octets; `direction` is "sent" or "received"."""
        if self._pieces and self._pieces[-1][0] == direction:
            self._pieces[-1][1] += data
        else:
            self._pieces.append([direction, bytearray(data)])

    def take(self):
        """Return what was recorded since the last call, as the report shows it."""
        pieces, self._pieces = self._pieces, []
        return [[direction, bytes(data).hex()] for direction, data in pieces]


class Driver:
    """One peer's client on one association. Subclasses wrap the peer's public interface.

    Attribute and method references are (class id, logical name as "0.0.1.0.0.255", index).
    """

    peer = ""
    discovers_counter_itself = False

    def __init__(self, arguments, trace, invocation_counter):
        self.arguments = arguments
        self.trace = trace
        self.invocation_counter = invocation_counter

    def connect(self):
        """Open the port, the link and the association."""
        raise NotImplementedError

    def objects(self):
        """Read the object list.

        Returns a list of {"class", "version", "obis", "attributes": {index: access mode},
        "methods": {index: access mode}}.
        """
        raise NotImplementedError

    def read(self, class_id, obis, index):
        """Read an attribute: (type name, value fit for JSON). Raises RefusedError."""
        raise NotImplementedError

    def write_octets(self, class_id, obis, index, octets):
        """Set an attribute to an octet-string. Raises RefusedError."""
        raise NotImplementedError

    def act(self, class_id, obis, index, octets=None):
        """Invoke a method with an octet-string, or with integer 0. Raises RefusedError."""
        raise NotImplementedError

    def rows_by_entry(self, obis, first, last):
        """Read the rows of a profile generic from one entry to another, counted from 1.

        Returns a list of rows, as `read` has the whole buffer. Raises RefusedError.
        """
        raise NotImplementedError

    def rows_by_range(self, obis, since, until):
        """Read the rows of a profile generic that lie within two aware datetimes.

        Returns a list of rows, as `read` has the whole buffer. Raises RefusedError.
        """
        raise NotImplementedError

    def release(self):
        """Release the association and disconnect the link; returns what the peer reports."""
        raise NotImplementedError

    def close(self):
        """Close the port, whatever state the line is in."""
        raise NotImplementedError


def jsonable(value):
    """Make a decoded value fit for JSON; octets become {"octets": hex}."""
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (bytes, bytearray)):
        return {"octets": bytes(value).hex()}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value)


def octets_of(value):
    """Undo `jsonable` for an octet-string."""
    if not isinstance(value, dict) or "octets" not in value:
        raise ValueError(f"not an octet-string: {value!r}")
    return bytes.fromhex(value["octets"])


def host_and_port(address):
    """Split "HOST:PORT"."""
    host, _, port = address.rpartition(":")
    return host, int(port)


class Port:
    """A TCP or serial port with a trace, for the peers that bring none of their own."""

    def __init__(self, arguments, trace):
        self._trace = trace
        self._serial = self._socket = None
        if arguments.transport == "serial":
            import serial

            self._serial = serial.Serial(arguments.address, 9600, timeout=REPLY_TIMEOUT_SECONDS)
        else:
            import socket

            self._socket = socket.create_connection(
                host_and_port(arguments.address), REPLY_TIMEOUT_SECONDS
            )

    def send(self, data):
        """Send all of `data`."""
        self._trace.record("sent", data)
        if self._serial is not None:
            self._serial.write(data)
        else:
            self._socket.sendall(data)

    def receive(self):
        """Receive what there is, at least one octet. Raises TimeoutError, EOFError."""
        if self._serial is not None:
            data = self._serial.read(max(1, self._serial.in_waiting))
            if not data:
                raise TimeoutError(f"nothing came in {REPLY_TIMEOUT_SECONDS} s")
        else:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("the server closed the connection")
        self._trace.record("received", data)
        return data

    def close(self):
        """Close the port."""
        (self._serial or self._socket).close()
