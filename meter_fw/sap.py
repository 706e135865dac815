"""The logical devices behind the meter's ports, and the object that lists them (class 17).

| SAP | logical device | objects |
|---|---|---|
| 1 | management | all |
| 2 | metering | clock, serial number, energy, power, daily readings; nothing can be written |

The metering device is for whoever reads and has nothing to do with money or relay. It has a
name and an association object of its own; clients, keys and counters are those of the meter.
"""

from collections.abc import Mapping
from typing import Final

from meter_fw.factory import Factory
from meter_fw.identity import data
from meter_fw.server import Attribute, CosemObject, Objects
from meter_fw.view import ANYBODY, Role
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from protocol.cosem.sap_assignment import SAP_ASSIGNMENT
from protocol.cosem.types import OCTET_STRING

MANAGEMENT_DEVICE: Final = 1
METERING_DEVICE: Final = 2
LOGICAL_DEVICES: Final = (MANAGEMENT_DEVICE, METERING_DEVICE)
_MAKER: Final = 3
#: What the metering device shares with the management one, beside its name.
_SHARED: Final = (
    catalogue.CLOCK,
    catalogue.SERIAL_NUMBER,
    catalogue.FIRMWARE_VERSION,
    catalogue.INVOCATION_COUNTER,
    catalogue.ACTIVE_ENERGY_IMPORT,
    catalogue.ACTIVE_POWER_IMPORT,
    catalogue.DAILY_PROFILE,
    catalogue.SAP_ASSIGNMENT,
)


def device_name(factory: Factory, logical: int) -> str:
    """Return the name of a logical device, unique like the meter's own.

    That of the metering device has an M behind the maker's letters: meters of ours are numbered.
    """
    if logical == MANAGEMENT_DEVICE:
        return factory.name
    mark = "N" if factory.name[_MAKER : _MAKER + 1] == "M" else "M"
    return factory.name[:_MAKER] + mark + factory.name[_MAKER + 1 :]


def objects() -> tuple[CosemObject, ...]:
    """Return the SAP assignment, which everybody may read."""
    return (
        CosemObject(
            SAP_ASSIGNMENT,
            catalogue.SAP_ASSIGNMENT,
            {
                2: Attribute(
                    lambda view: [
                        (sap, device_name(view.factory, sap).encode("ascii"))
                        for sap in LOGICAL_DEVICES
                    ],
                    ANYBODY,
                )
            },
        ),
    )


def metering_objects(management: Objects) -> dict[ObisCode, CosemObject]:
    """Return the metering device's objects, but for its association: those shared, to read."""
    name = data(
        catalogue.LOGICAL_DEVICE_NAME,
        OCTET_STRING,
        lambda view: device_name(view.factory, METERING_DEVICE).encode("ascii"),
        ANYBODY,
    )
    shared = {code: _read_only(management[code]) for code in _SHARED}
    return {catalogue.LOGICAL_DEVICE_NAME: name, **shared}


def _read_only(shown: CosemObject) -> CosemObject:
    attributes: Mapping[int, Attribute] = {
        index: replace(bound, set=None, writers=Role.NOBODY)
        for index, bound in shown.attributes.items()
    }
    return replace(shown, attributes=attributes, methods={})
