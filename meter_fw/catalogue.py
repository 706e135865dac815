"""All objects of a meter, by logical name.

They hold no state: each rule is given the view that it shows or changes. So all meters of one
profile and security suite share theirs.
"""

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from meter_fw import (
    account,
    calendar,
    clock,
    consumer_message,
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
from meter_fw.association_sn import by_short_names
from meter_fw.factory import Factory
from meter_fw.security_setup import security_setup
from meter_fw.server import CosemObject, Objects
from meter_fw.short_names import ShortNames
from obis.code import ObisCode
from prepay.profile import Profile

#: More profiles and suites than one process has meters of; the next model costs its making again.
MODELS = 32


class Model(Struct, frozen=True):
    """What the meters of one profile and security suite have in common.

    Args:
        devices: the objects of each logical device, by its SAP.
        spaces: where they lie by short names.
    """

    devices: Mapping[int, Objects]
    spaces: Mapping[int, ShortNames]


def model(factory: Factory) -> Model:
    """Return the objects of a meter, the same for each meter of its profile and suite.

    Raises:
        ValueError: two of them have the same logical name.
    """
    return _model(factory.profile, factory.keys.suite)


@lru_cache(maxsize=MODELS)
def _model(profile: Profile, suite: int) -> Model:
    devices = _devices(profile, suite)
    return Model(devices, {sap: by_short_names(objects) for sap, objects in devices.items()})


def _devices(profile: Profile, suite: int) -> Mapping[int, Objects]:
    management = _objects(profile, suite)
    metering = sap.metering_objects(management)
    association = current_association(metering)
    metering[association.logical_name] = association
    return {sap.MANAGEMENT_DEVICE: management, sap.METERING_DEVICE: metering}


def _objects(profile: Profile, suite: int) -> Objects:
    found: dict[ObisCode, CosemObject] = {}
    for each in (
        *clock.objects(),
        *identity.objects(),
        security_setup(suite),
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
        *consumer_message.objects(),
        *display.objects(profile),
    ):
        if each.logical_name in found:
            raise ValueError(f"two objects are called {each.logical_name}")
        found[each.logical_name] = each
    association = current_association(found)
    found[association.logical_name] = association
    return found
