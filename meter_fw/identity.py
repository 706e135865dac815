"""Who the meter is: names, versions and its invocation counter."""

from collections.abc import Callable
from typing import Any

from meter_fw.factory import FIRMWARE_VERSION
from meter_fw.server import Attribute, CosemObject
from meter_fw.view import ANYBODY, READERS, Role, View
from obis import catalogue
from obis.code import ObisCode
from protocol.cosem.data import DATA
from protocol.cosem.types import (
    DOUBLE_LONG_UNSIGNED,
    OCTET_STRING,
    VISIBLE_STRING,
    Type,
)


def data(
    logical_name: ObisCode, kind: Type, get: Callable[[View], Any], readers: Role = READERS
) -> CosemObject:
    """Return a Data object whose value is of type ``kind``."""
    return CosemObject(DATA.typed(value=kind), logical_name, {2: Attribute(get, readers)})


def objects() -> tuple[CosemObject, ...]:
    """Return the meter's identity."""
    return (
        data(
            catalogue.LOGICAL_DEVICE_NAME,
            OCTET_STRING,
            lambda view: view.factory.name.encode("ascii"),
            ANYBODY,
        ),
        data(catalogue.SERIAL_NUMBER, OCTET_STRING, lambda view: view.factory.serial.encode()),
        data(catalogue.FIRMWARE_VERSION, VISIBLE_STRING, lambda view: FIRMWARE_VERSION),
        # the last counter accepted from the management client: its next must be greater
        data(
            catalogue.INVOCATION_COUNTER,
            DOUBLE_LONG_UNSIGNED,
            lambda view: max(view.state.counters.received, 0),
            ANYBODY,
        ),
    )
