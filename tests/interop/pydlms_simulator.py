"""Runs pydlms-client's meter simulator from its own environment.

It serves either plain or ciphered clients, and one framing per process, so there are four of it.
Its identity: system title ``5059440000000001``, logical device name ``PYD1000000000001``, suite 0.
Server addresses on HDLC are taken as they come; the wrapper's server wPort likewise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.driving import AUTHENTICATION_KEY, BLOCK_KEY, LLS_PASSWORD, Line
from tests.interop.processes import free_port, running

SYSTEM_TITLE = bytes.fromhex("5059440000000001")
_PLAIN = ["--client", "16:0", "--client", f"2:1:{LLS_PASSWORD}"]
_CIPHERED = ["--client", "1:5", "--key", BLOCK_KEY, "--auth-key", AUTHENTICATION_KEY]


@contextmanager
def pydlms_simulator(
    interpreter: Path, directory: Path, *, hdlc: bool, ciphered: bool
) -> Iterator[Line]:
    """Run the simulator on a free port.

    Args:
        interpreter: of the environment of pydlms-client.
        directory: where its output goes.
        hdlc: HDLC over TCP in place of the wrapper.
        ciphered: client 1 with HLS GMAC and our test keys; else 16 with nothing and 2 with LLS.
    """
    port = free_port()
    command = [str(interpreter.with_name("pydlms")), "simulate", "--port", str(port)]
    command += ["--hdlc"] if hdlc else []
    command += _CIPHERED if ciphered else _PLAIN
    with running(command, directory, f"pydlms-{hdlc:d}{ciphered:d}") as process:
        process.listens(port)
        yield Line("hdlc+tcp" if hdlc else "tcp", f"127.0.0.1:{port}")
