"""Runs pydlms-client's meter simulator from its own environment.

It serves one framing per process, and the clients named on its command line are either all plain
or all ciphered, so there are four of it. The public client 16 is served by all.
Its identity: system title ``5059440000000001``, logical device name ``PYD1000000000001``, suite 0.
Server addresses on HDLC are taken as they come; the wrapper's server wPort likewise.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.interop.driving import AUTHENTICATION_KEY, BLOCK_KEY, LLS_PASSWORD, Line
from tests.interop.processes import free_port, running

SYSTEM_TITLE = bytes.fromhex("5059440000000001")
_PLAIN = ["--client", f"2:1:{LLS_PASSWORD}"]
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
        ciphered: client 1 with HLS GMAC and our test keys; else 2 with LLS.
    """
    port = free_port()
    command = [str(interpreter.with_name("pydlms")), "simulate", "--port", str(port)]
    command += ["--hdlc"] if hdlc else []
    command += _CIPHERED if ciphered else _PLAIN
    with running(command, directory, f"pydlms-{hdlc:d}{ciphered:d}") as process:
        process.listens(port)
        yield Line("hdlc+tcp" if hdlc else "tcp", f"127.0.0.1:{port}")


Simulators = dict[tuple[str, bool], Line]


@contextmanager
def all_pydlms_simulators(interpreter: Path, directory: Path) -> Iterator[Simulators]:
    """Run all four; their lines by transport and whether they cipher."""
    with ExitStack() as stack:
        lines: Simulators = {}
        for hdlc in (False, True):
            for ciphered in (False, True):
                simulator = pydlms_simulator(interpreter, directory, hdlc=hdlc, ciphered=ciphered)
                line = stack.enter_context(simulator)
                lines[line.transport, ciphered] = line
        yield lines
