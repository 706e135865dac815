"""Short names: where an object's attributes and methods lie behind its base name.

Attribute n is at the base name + 8 (n - 1), method m at the base name + the offset of its class +
8 (m - 1). The offset of the methods is a fact of each class and version:

* in the older ones there is a gap behind the attributes, and the book alone knows how wide; the
  table has those on which jDLMS and ``pydlms-client`` agree, most of them ``gurux-dlms`` (Java and
  C) as well;
* in the newer ones method 1 follows the last attribute. Of the classes in the table 5, 11, 20, 40,
  64 and 70 are so, and so we take those to be that no public table has, the prepayment
  classes 111 to 115 among them.

``gurux-dlms`` for Python has the table too, but where a class is not the first of its group it
has the offset of another: 0x38 for the clock, 0x28 for a profile; and for class 64 that of
version 1 only.
"""

from typing import Final

from protocol.cosem.interface import InterfaceClass

_ASSOCIATION_SN: Final = 12
#: Octets of address space between two members.
STEP: Final = 8

#: Reserved base names: the current association, the script table that a broadcast reaches, the SAP
#: assignment, and the logical device name (which meters of Landis+Gyr answer at 0xFD08).
CURRENT_ASSOCIATION: Final = 0xFA00
BROADCAST_SCRIPTS: Final = 0xFB00
SAP_ASSIGNMENT: Final = 0xFC00
LOGICAL_DEVICE_NAME: Final = 0xFD00

#: Offset of method 1, by class and the version from which on it is so.
METHOD_OFFSETS: Final[dict[tuple[int, int], int]] = {
    (3, 0): 0x28,
    (4, 0): 0x38,
    (5, 0): 0x48,
    (6, 0): 0x30,
    (7, 0): 0x58,
    (8, 0): 0x60,
    (9, 0): 0x20,
    (10, 0): 0x20,  # jDLMS alone
    (11, 0): 0x10,
    (12, 0): 0x20,
    (15, 0): 0x60,  # pydlms-client and gurux-dlms: nobody needs it by short names
    (17, 0): 0x20,
    (18, 0): 0x40,
    (20, 0): 0x50,
    (40, 0): 0x38,
    (42, 0): 0x60,
    (61, 0): 0x28,
    (64, 0): 0x28,
    (64, 1): 0x30,
    (70, 0): 0x20,
    (72, 0): 0x60,
    (72, 1): 0x70,
}

#: Short name of method 8 of the current association, reply_to_HLS_authentication.
REPLY_TO_HLS_NAME: Final = CURRENT_ASSOCIATION + METHOD_OFFSETS[12, 0] + 7 * STEP


def attribute_offset(index: int) -> int:
    """Return how far behind the base name an attribute is."""
    return (index - 1) * STEP


def method_offset(declared: InterfaceClass, index: int) -> int:
    """Return how far behind the base name a method of a class is."""
    return first_method(declared) + (index - 1) * STEP


def first_method(declared: InterfaceClass) -> int:
    """Return the offset of method 1.

    A class whose later versions have outgrown the offset of an earlier one, such as push setup, has
    its methods behind the attributes. Only in class 12 from version 3 on two attributes lie where
    the methods 1 and 2 were, which are no more.
    """
    behind = len(declared.attributes) * STEP
    for version in range(declared.version, -1, -1):
        offset = METHOD_OFFSETS.get((declared.class_id, version))
        if offset is not None:
            return offset if declared.class_id == _ASSOCIATION_SN else max(offset, behind)
    return behind


def extent(declared: InterfaceClass) -> int:
    """Return how many octets of address space an object takes."""
    methods = first_method(declared) + len(declared.methods) * STEP
    return max(methods, len(declared.attributes) * STEP)
