"""Our meter over UDP: read by somebody else's client."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.environments import HERE, PYDLMS
from tests.interop.processes import free_port, running, script

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 30


def test_pydlms_reads_both_logical_devices_over_udp(
    interpreters: dict[str, Path], tmp_path: Path
) -> None:
    """Behind one port; each tells its own name, and the list has both."""
    port = free_port()
    command = [*script("prepay-sim", "sim.cli"), "meter", "--json", "--name", "OPP0000000000001"]
    with running([*command, "--port", f"udp:127.0.0.1:{port}"], tmp_path, "meter") as meter:
        meter.first_line()
        pushes = HERE / "peers" / "pushes.py"
        done = subprocess.run(
            [interpreters[PYDLMS.name], "-B", pushes, "pydlms_reads", f"127.0.0.1:{port}"],
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    names = [bytes.fromhex(name) for name in json.loads(done.stdout)]
    assert names == [b"OPP0000000000001", b"OPPM000000000001"]
