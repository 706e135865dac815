"""All objects of a meter, by logical name."""

from meter_fw import account, clock, disconnect, display, gateway, identity, metrology, orders
from meter_fw.association_ln import current_association
from meter_fw.factory import Factory
from meter_fw.server import CosemObject, Objects
from obis.code import ObisCode
from prepay.cut import BalanceMode


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
        *metrology.objects(),
        *disconnect.objects(),
        *account.objects(local=profile.mode is BalanceMode.LOCAL),
        *gateway.objects(),
        *orders.objects(),
        *display.objects(profile),
    ):
        if each.logical_name in found:
            raise ValueError(f"two objects are called {each.logical_name}")
        found[each.logical_name] = each
    association = current_association(found)
    found[association.logical_name] = association
    return found
