"""What windows and lengths bring on a line that takes its time to turn round.

``python -m benchmarks.bench_windows [--delay MS]`` prints a table: seconds for a request of 4000
octets and its answer of as many, with our client and with that of pydlms-client, each in turn at
our server over TCP, which waits before each of its turns as a modem or a gateway does.
"""

import argparse
import json
import socket
import subprocess
import threading
import time

from protocol.events import LinkConnect, LinkData, LinkEvent, Peer
from protocol.hdlc import HdlcClient, HdlcParameters, HdlcServer
from sim.realtime import line_clock
from tests.interop.environments import CHECKOUT, PYDLMS, default_directory, ensure_all

PEER = Peer(16, 1, 17)
OCTETS = 4000
CASES = [(length, window) for length in (128, 512, 2030) for window in (1, 3, 7)]


def serve(listener: socket.socket, delay: float) -> None:
    """Serve one connection; each APDU is answered with its reverse."""
    server = HdlcServer(17, {1}, HdlcParameters(2030, 2030, 7, 7))
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while data := connection.recv(65536):
            for event in server.receive(data, line_clock()):
                if isinstance(event, LinkData):
                    server.send(LinkData(event.peer, event.apdu[::-1]), line_clock())
            if octets := server.outgoing():
                time.sleep(delay)
                connection.sendall(octets)


def exchange(client: HdlcClient, connection: socket.socket, event: LinkEvent) -> None:
    """Send an event and wait for the first that comes back."""
    client.send(event, line_clock())
    while True:
        if octets := client.outgoing():
            connection.sendall(octets)
        if client.receive(connection.recv(65536), line_clock()):
            return


def ours(port: int, length: int, window: int) -> float:
    """Return the seconds of our client."""
    client = HdlcClient(PEER, 2, HdlcParameters(length, length, window, window))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        exchange(client, connection, LinkConnect(PEER))
        began = time.monotonic()
        exchange(client, connection, LinkData(PEER, bytes(OCTETS)))
        return time.monotonic() - began


def pydlms(port: int, length: int, window: int) -> float:
    """Return the seconds of pydlms-client, as it measures them itself."""
    python = ensure_all(default_directory())[PYDLMS.name]
    driver = CHECKOUT / "tests" / "interop" / "peers" / "pydlms_hdlc_link.py"
    command = [str(python), "-B", str(driver), "--port", str(port), "--length", str(length)]
    command += ["--window", str(window), str(window), f"echo:{OCTETS}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    seconds: float = json.loads(done.stdout)["seconds"][0]
    return seconds


def main() -> None:
    """Measure each case with both clients, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=30.0, help="ms before each turn")
    delay = parser.parse_args().delay / 1000
    print("| information | window | ours | pydlms-client |\n| ---: | ---: | ---: | ---: |")
    for length, window in CASES:
        found = []
        for client in (ours, pydlms):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                thread = threading.Thread(target=serve, args=(listener, delay))
                thread.start()
                found.append(client(listener.getsockname()[1], length, window))
                thread.join()
        print(f"| {length} | {window} | {found[0]:.2f} s | {found[1]:.2f} s |")


if __name__ == "__main__":
    main()
