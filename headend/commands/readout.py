"""Read out a meter's local port (IEC 62056-21), without DLMS."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import ExitCode, UsageError
from headend.report import Report, show
from headend.transports.optical import OpticalTransport
from obis import catalogue
from obis.catalogue import CatalogueError
from obis.code import ObisError
from obis.values import replace
from protocol.iec21 import DataSet


@click.command("readout")
@click.option(
    "--register",
    "registers",
    metavar="CODE",
    multiple=True,
    help="Read one register, with the password of the reader, in place of the whole readout."
    " May be given more than once.",
)
@click.option(
    "--listen",
    type=click.IntRange(1, 86_400),
    metavar="SECONDS",
    help="Ask nothing: wait for a readout that the meter sends by itself.",
)
@with_context
def command(context: Context, registers: tuple[str, ...], listen: int | None) -> Report:
    """Read out a meter's local port, as a reading head does: no keys, no DLMS.

    The port has to be an optical one: optical:PATH for a reading head on a serial port, or
    optical+tcp:HOST:PORT.

    Example: prepay --port optical:/dev/ttyUSB0 readout

    Exit code 1: the meter refused a register.
    """
    if registers and listen:
        raise UsageError("--register asks and --listen does not: give one of them")
    report = readout(context, registers, listen)
    if any("refused" in row for row in report.data["registers"]):
        show(report, as_json=context.settings.json)
        raise click.exceptions.Exit(ExitCode.REFUSED)
    return report


def readout(context: Context, registers: tuple[str, ...] = (), listen: int | None = None) -> Report:
    """Read the local port out.

    Args:
        context: the run of the command.
        registers: addresses of registers to be read one by one; without any the whole readout.
        listen: seconds to wait for a readout that comes unasked; None asks for one.

    Raises:
        UsageError: the port is no local port.
        NoAnswer, Refused: see there.
    """
    context.set_out()
    port = context.port
    if not port.scheme.startswith("optical"):
        raise UsageError(
            f"a readout needs optical:PATH or optical+tcp:HOST:PORT, not {port.scheme}:"
        )
    quiet = replace(port, options=(*port.options, ("sign-on", "no")))
    transport = context.transports(quiet, context.now)
    assert isinstance(transport, OpticalTransport)  # by its scheme
    try:
        if registers:
            return _registers(context, transport, registers)
        found = transport.readout() if listen is None else transport.listen(listen * 1000)
    finally:
        transport.close()
    said = found.identification
    mode = said.mode.name if listen is None else "D"
    data: dict[str, Any] = {
        "manufacturer": said.manufacturer,
        "identification": said.text,
        "baud": said.baud,
        "mode": mode,
        "registers": [_row(each) for each in found.sets],
    }
    heading = f"{said.manufacturer} {said.text}, mode {mode}"
    return Report(data, (heading, ""), _COLUMNS, [_cells(row) for row in data["registers"]])


_COLUMNS = ("address", "value", "unit", "name")


def _registers(context: Context, transport: OpticalTransport, addresses: tuple[str, ...]) -> Report:
    password = context.settings.password
    secret = context.keys.password if password is None else password.encode("utf-8")
    found = transport.registers(list(addresses), secret)
    rows = [
        {"address": address, "refused": answer} if isinstance(answer, str) else _row(answer)
        for address, answer in zip(addresses, found, strict=True)
    ]
    return Report({"registers": rows}, (), _COLUMNS, [_cells(row) for row in rows])


def _row(found: DataSet) -> dict[str, Any]:
    row: dict[str, Any] = {
        "address": found.address,
        "value": found.text,
        "unit": found.unit,
        "name": _name(found.address),
    }
    if len(found.values) > 1:
        row["more"] = [{"value": value.text, "unit": value.unit} for value in found.values[1:]]
    return row


def _name(address: str) -> str:
    try:
        return catalogue.find(address).name
    except (ObisError, CatalogueError):  # a maker's own, or of a profile that shows other codes
        return ""


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "refused" in row:
        return row["address"], "", "", row["refused"]
    more = "".join(f", {each['value']}" for each in row.get("more", ()))
    return row["address"], row["value"] + more, row["unit"], row["name"]
