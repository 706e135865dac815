"""The command line that every driver has, the report it prints, and the deadline it keeps.

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

import harness
import operations

DEADLINE_SECONDS = 60.0
PUBLIC_CLIENT = 16
INVOCATION_COUNTER = (1, "0.0.43.1.0.255", 2)


def outcome(trace, action):
    """Run one action and put what became of it into an outcome."""
    result = {"ok": False, "value": None, "refused": None, "error": None}
    try:
        result["value"] = harness.jsonable(action())
        result["ok"] = True
    except harness.RefusedError as refusal:
        result["refused"] = refusal.reason
    except operations.IncompleteError as incomplete:
        result["value"] = harness.jsonable(incomplete.value)
        result["error"] = str(incomplete)
    except Exception as error:  # noqa: BLE001 - peers raise what they like; it is reported
        result["error"] = operations.describe(error)
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
    driver = driver_class(public, harness.Trace(), 0)
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
    found.add_argument("--max-pdu", type=int, default=0xFFFF, help="octets of the largest answer")
    found.add_argument(
        "--hdlc-information", type=int, help="octets of an information field, proposed both ways"
    )
    found.add_argument("--hdlc-window", type=int, default=1, help="window, proposed both ways")
    found.add_argument(
        "--hdlc-window-received", type=int, help="another one for what the server sends"
    )
    found.add_argument("--operations", default="object_list,release")
    found.add_argument("--deadline", type=float, default=DEADLINE_SECONDS)
    return found


def run(driver_class, version):
    """Do what the command line asks with a driver, and write the report."""
    arguments = parser().parse_args()
    names = [name for name in arguments.operations.split(",") if name]
    trace, opened = harness.Trace(), []
    shown = {key: harness.jsonable(value) for key, value in vars(arguments).items()}
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
            found = outcome(trace, lambda name=name: operations.operation(name)(opened[0]))
            report.document["operations"][name] = found
    for driver in opened:
        outcome(trace, driver.close)
    report.write()
