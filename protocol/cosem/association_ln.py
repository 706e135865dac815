"""Class 15, Association LN, version 1.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them. Rights are coded as in
versions 1 and 2; from version 3 on each mode is a set of bits.
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Tag
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    NULL,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    Simple,
    bits,
    structure_of,
)


class AttributeAccessMode(IntEnum):
    """What an association may do to an attribute; authenticated means with protected APDUs."""

    NO_ACCESS = 0
    READ_ONLY = 1
    WRITE_ONLY = 2
    READ_AND_WRITE = 3
    AUTHENTICATED_READ_ONLY = 4
    AUTHENTICATED_WRITE_ONLY = 5
    AUTHENTICATED_READ_AND_WRITE = 6


class MethodAccessMode(IntEnum):
    """What an association may do to a method."""

    NO_ACCESS = 0
    ACCESS = 1
    AUTHENTICATED_ACCESS = 2


class AssociationStatus(IntEnum):
    """How far an association has come."""

    NON_ASSOCIATED = 0
    ASSOCIATION_PENDING = 1
    ASSOCIATED = 2


#: The rights to one attribute; access selectors are None where there are none.
ATTRIBUTE_ACCESS: Final = structure_of(
    attribute_id=INTEGER,
    access_mode=ENUM,
    access_selectors=ChoiceOf((NULL, ArrayOf(INTEGER))),
)
#: The right to one method. Version 0 had a boolean here, and some meters of version 1 still do.
METHOD_ACCESS: Final = structure_of(
    method_id=INTEGER,
    access_mode=ChoiceOf((ENUM, Simple(Tag.BOOLEAN))),
)
#: One object of the object list.
OBJECT_LIST_ELEMENT: Final = structure_of(
    class_id=LONG_UNSIGNED,
    version=UNSIGNED,
    logical_name=LOGICAL_NAME,
    access_rights=structure_of(
        attribute_access=ArrayOf(ATTRIBUTE_ACCESS),
        method_access=ArrayOf(METHOD_ACCESS),
    ),
)
#: A name such as 2.16.756.5.8.1.1: its arcs, or their BER encoding as an octet-string.
OBJECT_IDENTIFIER: Final = ChoiceOf(
    (
        structure_of(
            joint_iso_ctt=UNSIGNED,
            country=UNSIGNED,
            country_name=LONG_UNSIGNED,
            identified_organization=UNSIGNED,
            dlms_ua=UNSIGNED,
            application_context=UNSIGNED,
            context_id=UNSIGNED,
        ),
        OCTET_STRING,
    )
)
#: What was negotiated.
XDLMS_CONTEXT_INFO: Final = structure_of(
    conformance=bits(24),
    max_receive_pdu_size=LONG_UNSIGNED,
    max_send_pdu_size=LONG_UNSIGNED,
    dlms_version_number=UNSIGNED,
    quality_of_service=INTEGER,
    cyphering_info=OCTET_STRING,
)

ASSOCIATION_LN: Final = InterfaceClass(
    class_id=15,
    version=1,
    name="Association LN",
    attributes=(
        Attribute(2, "object_list", ArrayOf(OBJECT_LIST_ELEMENT)),
        Attribute(
            3, "associated_partners_id", structure_of(client_sap=INTEGER, server_sap=LONG_UNSIGNED)
        ),
        Attribute(4, "application_context_name", OBJECT_IDENTIFIER),
        Attribute(5, "xDLMS_context_info", XDLMS_CONTEXT_INFO),
        Attribute(6, "authentication_mechanism_name", OBJECT_IDENTIFIER),
        Attribute(7, "secret", OCTET_STRING, Access.WRITE),
        Attribute(8, "association_status", ENUM),
        Attribute(9, "security_setup_reference", LOGICAL_NAME),
    ),
    methods=(
        Method(1, "reply_to_HLS_authentication", OCTET_STRING, OCTET_STRING),
        Method(2, "change_HLS_secret", OCTET_STRING),
        Method(3, "add_object", OBJECT_LIST_ELEMENT),
        Method(4, "remove_object", OBJECT_LIST_ELEMENT),
    ),
)
