"""Lets the HDLC client of pydlms-client 0.1.0 talk to a bare HDLC server; prints what came of it.

One JSON object on standard output; the steps are those of the command line, in their order:

    echo:N      send N octets in I frames and take the answer
    ui          send the octets of "ui" in one UI frame to the server
    broadcast   the same to the all-station address
    trigger     let the server push, and take what comes
    push        send "push me" in I frames, take the answer and the push that came before it
"""

import argparse
import json
import time

from pydlms.hdlc.address import HdlcAddress
from pydlms.hdlc.connection import HdlcLink, HdlcParameters
from pydlms.transports.tcp import TcpTransport

TIMEOUT_SECONDS = 0.4


def octets(count):
    """An APDU of so many octets that begins with a tag and repeats after 251."""
    return bytes((0xC4, *(index % 251 for index in range(count - 1))))


def step(link, what):
    """Do one step and say what came of it."""
    kind, _, argument = what.partition(":")
    if kind == "echo":
        link.send_apdu(octets(int(argument)))
        return link.receive_apdu() == octets(int(argument))[::-1]
    if kind in ("ui", "broadcast"):
        link.send_unconfirmed(b"ui", broadcast=kind == "broadcast")
        return True
    if kind == "trigger":
        count = link.trigger_pushes(TIMEOUT_SECONDS)
        return [link.receive_push(TIMEOUT_SECONDS).hex() for _ in range(count)]
    link.send_apdu(b"push me")
    return [link.receive_apdu().hex(), link.receive_push(TIMEOUT_SECONDS).hex()]


def main():
    """Connect, do the steps, disconnect."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--window", type=int, nargs=2, default=(1, 1))
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--user-data", type=bytes.fromhex, default=b"")
    parser.add_argument("steps", nargs="+")
    arguments = parser.parse_args()
    link = HdlcLink(
        TcpTransport("127.0.0.1", arguments.port),
        16,
        HdlcAddress.server(1, 17, 2),
        HdlcParameters(arguments.length, arguments.length, *arguments.window),
        timeout=TIMEOUT_SECONDS,
        retries=8,
        busy_interval=0.02,
        snrm_user_data=arguments.user_data,
    )
    link.connect()
    results, seconds = [], []
    for what in arguments.steps:
        began = time.monotonic()
        results.append(step(link, what))
        seconds.append(time.monotonic() - began)
    found = {
        "negotiated": [
            link.negotiated.max_info_tx,
            link.negotiated.max_info_rx,
            link.negotiated.window_tx,
            link.negotiated.window_rx,
        ],
        "steps": results,
        "seconds": seconds,
    }
    link.disconnect()
    link.transport.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
