"""What the peer drivers share: command line, operations, octet trace, hard deadline, report.

A driver is a script run by the interpreter of its peer's own environment, so this module and the
drivers beside it use the standard library and that peer only, and nothing of OpenPrepay. A driver
gives the six primitives of `Driver`; the operations are written once, here, so that every peer
answers the same questions.

The report is one JSON document on standard output::

    {"peer": .., "version": .., "arguments": {..}, "deadline_exceeded": false,
     "connect": OUTCOME | null, "operations": {name: OUTCOME}, "unfinished": [octets at a deadline]}

    OUTCOME = {"ok": bool, "value": any, "refused": str | null, "error": str | null,
               "octets": [["sent" | "received", hex], ..]}

`refused` is the server's own answer code by its DLMS name; `error` is everything else, with the
name of the exception's class. The exit status is 0 whenever a report was written.
"""

import argparse
import json
import os
import sys
import threading
import traceback

DEADLINE_SECONDS = 60.0
REPLY_TIMEOUT_SECONDS = 8.0
PUBLIC_CLIENT = 16
INVOCATION_COUNTER = (1, "0.0.43.1.0.255", 2)
CLOCK = (8, "0.0.1.0.0.255")
DISCONNECT_CONTROL = (70, "0.0.96.3.10.255")
LOGICAL_DEVICE_NAME = (1, "0.0.42.0.0.255")

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

    def act(self, class_id, obis, index):
        """Invoke a method with the parameter integer 0. Raises RefusedError."""
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


# --- operations ----------------------------------------------------------------------------------


def readable(association_version, mode):
    """Say whether an attribute's access mode allows a plain read (Association LN v0-2, v3)."""
    if association_version >= 3:
        return bool(mode & 1)
    return mode in (1, 3, 4, 6)


def association_version(objects):
    """Find the version of the current association in an object list; 1 if it is not listed."""
    for entry in objects:
        if entry["class"] == 15 and entry["obis"] == "0.0.40.0.0.255":
            return entry["version"]
    return 1


def operate_object_list(driver):
    """Read the object list."""
    return driver.objects()


def operate_read_all(driver):
    """Read every attribute that the object list calls readable, one by one."""
    objects = driver.objects()
    version = association_version(objects)
    rows, failures = [], 0
    for entry in objects:
        for index, mode in sorted(entry["attributes"].items()):
            if not readable(version, mode):
                continue
            row = {"class": entry["class"], "obis": entry["obis"], "index": index}
            driver.trace.take()
            try:
                row["type"], row["value"] = driver.read(entry["class"], entry["obis"], index)
            except Exception as error:  # noqa: BLE001 - whatever a peer raises is that row's result
                row["error"] = describe(error)
                row["octets"] = driver.trace.take()
                failures += 1
            rows.append(row)
    if failures:
        raise IncompleteError(f"{failures} of {len(rows)} attributes failed", rows)
    return rows


class IncompleteError(Exception):
    """An operation that failed in part; carries what it got."""

    def __init__(self, message, value):
        super().__init__(message)
        self.value = value


def operate_clock(driver):
    """Read the clock's time."""
    kind, value = driver.read(*CLOCK, 2)
    octets = octets_of(value)
    if len(octets) != 12:
        raise ValueError(f"a date-time has 12 octets, not {len(octets)}")
    return {"type": kind, "time": octets.hex()}


def _relay_state(driver):
    return {
        "output_state": driver.read(*DISCONNECT_CONTROL, 2)[1],
        "control_state": driver.read(*DISCONNECT_CONTROL, 3)[1],
    }


def operate_relay_off(driver):
    """remote_disconnect, then read back output_state and control_state."""
    driver.act(*DISCONNECT_CONTROL, 1)
    return _relay_state(driver)


def operate_relay_on(driver):
    """remote_reconnect, then read back output_state and control_state."""
    driver.act(*DISCONNECT_CONTROL, 2)
    return _relay_state(driver)


def operate_set_refused(driver):
    """SET the logical device name, which nobody may; a refusal is the success."""
    try:
        driver.write_octets(*LOGICAL_DEVICE_NAME, 2, b"ANOTHER NAME")
    except RefusedError as refusal:
        return {"refused": refusal.reason}
    raise AssertionError("the server accepted a SET of its logical device name")


def operate_set_accepted(driver):
    """Read the clock, SET it to what was read, read it back."""
    before = octets_of(driver.read(*CLOCK, 2)[1])
    driver.write_octets(*CLOCK, 2, before)
    after = octets_of(driver.read(*CLOCK, 2)[1])
    return {"before": before.hex(), "after": after.hex()}


def operate_release(driver):
    """RLRQ and, on HDLC, DISC."""
    return driver.release()


def operate_read(driver, class_id, obis, index):
    """Read one attribute."""
    kind, value = driver.read(int(class_id), obis, int(index))
    return {"type": kind, "value": value}


OPERATIONS = {
    "object_list": operate_object_list,
    "read_all": operate_read_all,
    "clock": operate_clock,
    "relay_off": operate_relay_off,
    "relay_on": operate_relay_on,
    "set_refused": operate_set_refused,
    "set_accepted": operate_set_accepted,
    "release": operate_release,
}


def operation(name):
    """Find the operation of a name; "read:CLASS:OBIS:ATTRIBUTE" is the one with arguments."""
    if name.startswith("read:"):
        reference = name.split(":")[1:]
        if len(reference) != 3:
            raise ValueError("read:CLASS:OBIS:ATTRIBUTE, with a logical name like 0.0.1.0.0.255")
        return lambda driver: operate_read(driver, *reference)
    return OPERATIONS[name]


# --- running -------------------------------------------------------------------------------------


def describe(error):
    """One line for an exception: its class, its text and the peer's line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames and not isinstance(error, RefusedError):
        where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})"
    return f"{type(error).__name__}: {str(error).strip()}{where}"


def outcome(trace, action):
    """Run one action and put what became of it into an outcome."""
    result = {"ok": False, "value": None, "refused": None, "error": None}
    try:
        result["value"] = jsonable(action())
        result["ok"] = True
    except RefusedError as refusal:
        result["refused"] = refusal.reason
    except IncompleteError as incomplete:
        result["value"] = jsonable(incomplete.value)
        result["error"] = str(incomplete)
    except Exception as error:  # noqa: BLE001 - peers raise what they like; it is reported
        result["error"] = describe(error)
        traceback.print_exc(file=sys.stderr)
    result["octets"] = trace.take()
    return result


class Report:
    """The one JSON document, written once, at the end or at the deadline."""

    def __init__(self, document, trace):
        self.document = document
        self._trace = trace
        self._stream = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # peers print to standard output; that goes to standard error
        self._once = threading.Lock()

    def write(self):
        """Write the document if nobody has yet."""
        if self._once.acquire(blocking=False):
            self._stream.write(json.dumps(self.document) + "\n")
            self._stream.flush()

    def at_deadline(self):
        """Write what there is and end the process; nothing may hang."""
        self.document["deadline_exceeded"] = True
        self.document["unfinished"] = self._trace.take()
        self.write()
        os._exit(0)


def discovered_counter(driver_class, arguments):
    """Read the invocation counter as the public client, as a head-end does before it ciphers."""
    public = argparse.Namespace(**vars(arguments))
    public.client, public.mechanism = PUBLIC_CLIENT, "none"
    driver = driver_class(public, Trace(), 0)
    try:
        driver.connect()
        _, value = driver.read(*INVOCATION_COUNTER)
        driver.release()
    finally:
        driver.close()
    return int(value)


def first_counter(driver_class, arguments):
    """The invocation counter to begin with."""
    if arguments.mechanism != "gmac":
        return 0
    if arguments.invocation_counter is not None:
        return arguments.invocation_counter
    if driver_class.discovers_counter_itself:
        return None
    return discovered_counter(driver_class, arguments) + 1


def parser():
    """The command line that every driver has."""
    found = argparse.ArgumentParser()
    found.add_argument("--transport", choices=["tcp", "hdlc+tcp", "serial"], required=True)
    found.add_argument("--address", required=True, help="HOST:PORT, or the path of a serial port")
    found.add_argument("--client", type=int, default=PUBLIC_CLIENT)
    found.add_argument("--server-address-size", type=int, choices=[1, 2, 4], default=1)
    found.add_argument("--physical", type=int, default=1)
    found.add_argument("--logical", type=int, default=1)
    found.add_argument("--mechanism", choices=["none", "lls", "gmac"], default="none")
    found.add_argument("--password", default="")
    found.add_argument("--block-key", type=bytes.fromhex, default=b"")
    found.add_argument("--auth-key", type=bytes.fromhex, default=b"")
    found.add_argument("--system-title", type=bytes.fromhex, default=b"OPP\0\0\0\0\1")
    found.add_argument(
        "--invocation-counter", type=int, help="without it the meter's is read publicly first"
    )
    found.add_argument("--dedicated-key", action="store_true", help="where the peer has them")
    found.add_argument("--operations", default="object_list,release")
    found.add_argument("--deadline", type=float, default=DEADLINE_SECONDS)
    return found


def run(driver_class, version):
    """Do what the command line asks with a driver, and write the report."""
    arguments = parser().parse_args()
    names = [name for name in arguments.operations.split(",") if name]
    trace, opened = Trace(), []
    shown = {key: jsonable(value) for key, value in vars(arguments).items()}
    report = Report(
        {
            "peer": driver_class.peer,
            "version": version,
            "arguments": shown,
            "deadline_exceeded": False,
            "connect": None,
            "operations": {},
        },
        trace,
    )
    timer = threading.Timer(arguments.deadline, report.at_deadline)
    timer.daemon = True
    timer.start()

    def connect():
        driver = driver_class(arguments, trace, first_counter(driver_class, arguments))
        opened.append(driver)
        driver.connect()

    report.document["connect"] = outcome(trace, connect)
    if report.document["connect"]["ok"]:
        for name in names:
            found = outcome(trace, lambda name=name: operation(name)(opened[0]))
            report.document["operations"][name] = found
    for driver in opened:
        outcome(trace, driver.close)
    report.write()


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
