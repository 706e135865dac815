"""gurux-dlms changes the secrets of a meter's associations by its own class 15.

See `answering` for what is asked; a case has the keys and more, octets in hexadecimal.
"""

import answering
from answering import refused
from gurux_dlms.enums import Authentication
from gurux_dlms.objects import GXDLMSAssociationLogicalName
from gurux_security import connected


def change(case):
    """Change a secret by ``updateSecret``; why that was refused, and the octets on the line."""
    association = GXDLMSAssociationLogicalName()
    association.secret = bytearray.fromhex(case["new"])
    # By this it chooses: attribute 7 for LOW, method 2 for the others, nothing for GMAC.
    kind = Authentication.LOW if case["which"] == "password" else Authentication(case["mechanism"])
    association.authenticationMechanismName.mechanismId = kind
    with connected(case) as driver:
        driver.trace.take()
        why = refused(driver.send, association.updateSecret(driver.client))
        return {"refused": why, "octets": driver.trace.take()}


def open_management(case):
    """Open an association as the management client; its name of the meter."""
    with connected(case) as driver:
        return bytes.fromhex(driver.read(1, "0.0.42.0.0.255", 2)[1]["octets"]).decode()


if __name__ == "__main__":
    answering.answer(globals())
