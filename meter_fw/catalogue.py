"""All objects of a meter, by logical name."""

from collections.abc import Mapping

from meter_fw import (
    account,
    calendar,
    clock,
    disconnect,
    display,
    events,
    gateway,
    identity,
    limiter,
    metrology,
    orders,
    port_protection,
    ports,
    push_setup,
    registers,
    sap,
)
from meter_fw.association_ln import current_association
from meter_fw.factory import Factory
from meter_fw.security_setup import security_setup
from meter_fw.server import CosemObject, Objects
from obis.code import ObisCode


def build_devices(factory: Factory) -> Mapping[int, Objects]:
    """Return the objects of each logical device, by its SAP.

    Raises:
        ValueError: two of them have the same logical name.
    """
    management = build_objects(factory)
    metering = sap.metering_objects(management)
    association = current_association(metering)
    metering[association.logical_name] = association
    return {sap.MANAGEMENT_DEVICE: management, sap.METERING_DEVICE: metering}


def build_objects(factory: Factory) -> Objects:
    """Return the objects that a meter of this profile carries.

    Raises:
        ValueError: two of them have the same logical name.
    """
    profile = factory.profile
    found: dict[ObisCode, CosemObject] = {}
    for each in (
        *clock.objects(),
        *identity.objects(),
        security_setup(factory.keys.suite),
        *sap.objects(),
        *push_setup.objects(),
        *port_protection.objects(),
        *ports.objects(),
        *metrology.objects(),
        *registers.objects(profile),
        *disconnect.objects(),
        *limiter.objects(),
        *events.objects(),
        *account.objects(profile),
        *gateway.objects(),
        *orders.objects(),
        *calendar.objects(),
        *display.objects(profile),
    ):
        if each.logical_name in found:
            raise ValueError(f"two objects are called {each.logical_name}")
        found[each.logical_name] = each
    association = current_association(found)
    found[association.logical_name] = association
    return found
