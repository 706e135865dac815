"""Class 116, IEC 62055-41 attributes, version 0: what an STS decoder is set up with.

Names and types as Gurux.DLMS.Net and a public digest of the Blue Book's part 2, edition 16, agree
on them (its table of the class; we read it in place of the book). Neither ``pydlms-client`` nor the
``gurux-dlms`` of Python has the class. The members of ``meter_PAN`` are Gurux.DLMS.Net's alone.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import (
    DOUBLE_LONG_UNSIGNED,
    LONG64_UNSIGNED,
    UNSIGNED,
    VISIBLE_STRING,
    ArrayOf,
    structure_of,
)


class EncryptionAlgorithm(IntEnum):
    """How tokens are enciphered, by the STS Association's numbers."""

    EA07 = 7
    EA11 = 11


#: The number of the meter that its tokens are made for.
METER_PAN: Final = structure_of(
    issuer_identification_number=DOUBLE_LONG_UNSIGNED,
    decoder_reference_number=LONG64_UNSIGNED,
    pan_check_digit=UNSIGNED,
)

IEC_62055_41_ATTRIBUTES: Final = InterfaceClass(
    class_id=116,
    version=0,
    name="IEC 62055-41 attributes",
    attributes=(
        Attribute(2, "meter_PAN", METER_PAN),
        Attribute(3, "commodity", VISIBLE_STRING),
        Attribute(4, "token_carrier_types", ArrayOf(UNSIGNED)),
        Attribute(5, "encryption_algorithm", UNSIGNED),
        # from here to 10 changed by key change tokens alone
        Attribute(6, "supply_group_code", DOUBLE_LONG_UNSIGNED),
        Attribute(7, "tariff_index", UNSIGNED),
        Attribute(8, "key_revision_number", UNSIGNED),
        Attribute(9, "key_type", UNSIGNED),
        Attribute(10, "key_expiry_number", UNSIGNED),
        Attribute(11, "no_of_kct_supported", UNSIGNED),
        Attribute(12, "STS_certificate_no", VISIBLE_STRING, Access.READ_WRITE),
    ),
)
