"""Class 15, Association LN, versions 0 to 3.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.

| version | what is new |
|---|---|
| 0 | methods are allowed or not, by a boolean |
| 1 | the right to a method is an enum; authenticated access; the reference to the security setup |
| 2 | users |
| 3 | each mode is a set of bits, carried as an enum still |

The name of a context or of a mechanism is a structure in version 0, and may be an octet-string from
version 1 on (``DlmsSPODES-project``); both are read in every version. The name of a user is a
visible-string to ``gurux-dlms``, any string to ``pydlms-client``.
"""

from enum import IntEnum, IntFlag
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    BOOLEAN,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    NULL,
    OCTET_STRING,
    UNSIGNED,
    UTF8_STRING,
    VISIBLE_STRING,
    ArrayOf,
    ChoiceOf,
    StructureOf,
    Type,
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


class AttributeAccessBit(IntFlag):
    """What an association may do to an attribute, of version 3, and how it has to be protected."""

    NO_ACCESS = 0
    READ = 0x01
    WRITE = 0x02
    AUTHENTICATED_REQUEST = 0x04
    ENCRYPTED_REQUEST = 0x08
    DIGITALLY_SIGNED_REQUEST = 0x10
    AUTHENTICATED_RESPONSE = 0x20
    ENCRYPTED_RESPONSE = 0x40
    DIGITALLY_SIGNED_RESPONSE = 0x80


class MethodAccessBit(IntFlag):
    """What an association may do to a method, of version 3; bit 1 is not used."""

    NO_ACCESS = 0
    ACCESS = 0x01
    AUTHENTICATED_REQUEST = 0x04
    ENCRYPTED_REQUEST = 0x08
    DIGITALLY_SIGNED_REQUEST = 0x10
    AUTHENTICATED_RESPONSE = 0x20
    ENCRYPTED_RESPONSE = 0x40
    DIGITALLY_SIGNED_RESPONSE = 0x80


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
#: The right to one method. Version 0 has a boolean here, and some meters of version 1 still do.
METHOD_ACCESS: Final = structure_of(
    method_id=INTEGER,
    access_mode=ChoiceOf((ENUM, BOOLEAN)),
)


def _element(method_access: Type) -> StructureOf:
    return structure_of(
        class_id=LONG_UNSIGNED,
        version=UNSIGNED,
        logical_name=LOGICAL_NAME,
        access_rights=structure_of(
            attribute_access=ArrayOf(ATTRIBUTE_ACCESS),
            method_access=ArrayOf(method_access),
        ),
    )


#: One object of the object list, and as version 0 writes it: a method allowed or not.
OBJECT_LIST_ELEMENT: Final = _element(METHOD_ACCESS)
OBJECT_LIST_ELEMENT_0: Final = _element(
    structure_of(method_id=INTEGER, access_mode=ChoiceOf((BOOLEAN, ENUM)))
)
#: A user of the client, and the ways to ask for a part of the object list (selectors 2 to 4).
USER: Final = structure_of(id=UNSIGNED, name=ChoiceOf((VISIBLE_STRING, UTF8_STRING)))
CLASS_LIST: Final = ArrayOf(LONG_UNSIGNED)
OBJECT_ID: Final = structure_of(class_id=LONG_UNSIGNED, logical_name=LOGICAL_NAME)
OBJECT_ID_LIST: Final = ArrayOf(OBJECT_ID)
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


def _attributes(element: StructureOf) -> tuple[Attribute, ...]:
    return (
        Attribute(2, "object_list", ArrayOf(element)),
        Attribute(
            3, "associated_partners_id", structure_of(client_sap=INTEGER, server_sap=LONG_UNSIGNED)
        ),
        Attribute(4, "application_context_name", OBJECT_IDENTIFIER),
        Attribute(5, "xDLMS_context_info", XDLMS_CONTEXT_INFO),
        Attribute(6, "authentication_mechanism_name", OBJECT_IDENTIFIER),
        Attribute(7, "secret", OCTET_STRING, Access.WRITE),
        Attribute(8, "association_status", ENUM),
    )


def _methods(element: StructureOf) -> tuple[Method, ...]:
    return (
        Method(1, "reply_to_HLS_authentication", OCTET_STRING, OCTET_STRING),
        Method(2, "change_HLS_secret", OCTET_STRING),
        Method(3, "add_object", element),
        Method(4, "remove_object", element),
    )


_SECURITY: Final = Attribute(9, "security_setup_reference", LOGICAL_NAME)
_USERS: Final = (
    Attribute(10, "user_list", ArrayOf(USER)),  # none: any user
    Attribute(11, "current_user", USER),
)
_USER_METHODS: Final = (
    Method(5, "add_user", USER),
    Method(6, "remove_user", USER),
)


def _with_users(version: int) -> InterfaceClass:
    return InterfaceClass(
        class_id=15,
        version=version,
        name="Association LN",
        attributes=(*_attributes(OBJECT_LIST_ELEMENT), _SECURITY, *_USERS),
        methods=(*_methods(OBJECT_LIST_ELEMENT), *_USER_METHODS),
    )


ASSOCIATION_LN_0: Final = InterfaceClass(
    class_id=15,
    version=0,
    name="Association LN",
    attributes=_attributes(OBJECT_LIST_ELEMENT_0),
    methods=_methods(OBJECT_LIST_ELEMENT_0),
)
#: Version 1, which our meter has.
ASSOCIATION_LN: Final = InterfaceClass(
    class_id=15,
    version=1,
    name="Association LN",
    attributes=(*_attributes(OBJECT_LIST_ELEMENT), _SECURITY),
    methods=_methods(OBJECT_LIST_ELEMENT),
)
ASSOCIATION_LN_2: Final = _with_users(2)
ASSOCIATION_LN_3: Final = _with_users(3)
