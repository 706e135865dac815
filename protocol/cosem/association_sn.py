"""Class 12, Association SN, versions 2 to 4.

Attributes of version 2 and methods as ``gurux-dlms`` and jDLMS agree on them; version 3 added the
users. Versions 3 and 4 have the same members; from version 4 on the modes of the rights are sets
of bits, as in class 15 from its version 3 on. In versions 0 and 1 there was no security setup.
Of the methods 1, 2 and 7 are of version 0: since then their numbers are reserved.
"""

from typing import Final

from obis.values import replace
from protocol.cosem.association_ln import ATTRIBUTE_ACCESS, METHOD_ACCESS
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    BIT_STRING,
    INTEGER,
    LOGICAL_NAME,
    LONG,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    VISIBLE_STRING,
    ArrayOf,
    structure_of,
)

#: One object of the object list. The base name is signed: 0xFA00 is -1536.
OBJECT_LIST_ELEMENT_SN: Final = structure_of(
    base_name=LONG,
    class_id=LONG_UNSIGNED,
    version=UNSIGNED,
    logical_name=LOGICAL_NAME,
)
#: The rights to one object.
ACCESS_RIGHT_ELEMENT: Final = structure_of(
    base_name=LONG,
    attribute_access=ArrayOf(ATTRIBUTE_ACCESS),
    method_access=ArrayOf(METHOD_ACCESS),
)
#: An object, wherever it is.
OBJECT_ID: Final = structure_of(class_id=LONG_UNSIGNED, logical_name=LOGICAL_NAME)
#: An attribute, wherever it is; index 0 is all of them.
ATTRIBUTE_ID: Final = structure_of(
    class_id=LONG_UNSIGNED, logical_name=LOGICAL_NAME, attribute_index=INTEGER
)
#: What may be done to an object, one bit a member, the first for member 1.
ACCESS_DESCRIPTION: Final = structure_of(
    read_attributes=BIT_STRING, write_attributes=BIT_STRING, methods=BIT_STRING
)
#: A user of the client side.
USER: Final = structure_of(id=UNSIGNED, name=VISIBLE_STRING)

ASSOCIATION_SN: Final = InterfaceClass(
    class_id=12,
    version=2,
    name="Association SN",
    attributes=(
        Attribute(2, "object_list", ArrayOf(OBJECT_LIST_ELEMENT_SN)),
        Attribute(3, "access_rights_list", ArrayOf(ACCESS_RIGHT_ELEMENT)),
        Attribute(4, "security_setup_reference", LOGICAL_NAME),
    ),
    methods=(
        Method(1, "getlist_by_classid", LONG_UNSIGNED, ArrayOf(OBJECT_LIST_ELEMENT_SN)),
        Method(2, "getobj_by_logicalname", OBJECT_ID, OBJECT_LIST_ELEMENT_SN),
        Method(3, "read_by_logicalname", ArrayOf(ATTRIBUTE_ID), ANY),
        Method(4, "get_attributes&methods", ArrayOf(OBJECT_ID), ArrayOf(ACCESS_DESCRIPTION)),
        Method(5, "change_LLS_secret", OCTET_STRING),
        Method(6, "change_HLS_secret", OCTET_STRING),
        Method(7, "get_HLS_challenge", ANY, OCTET_STRING),
        Method(8, "reply_to_HLS_authentication", OCTET_STRING, OCTET_STRING),
    ),
)

ASSOCIATION_SN_3: Final = replace(
    ASSOCIATION_SN,
    version=3,
    attributes=(
        *ASSOCIATION_SN.attributes,
        Attribute(5, "user_list", ArrayOf(USER), Access.READ_WRITE),
        Attribute(6, "current_user", USER),
    ),
    methods=(
        *ASSOCIATION_SN.methods,
        Method(9, "add_user", USER),
        Method(10, "remove_user", USER),
    ),
)

ASSOCIATION_SN_4: Final = replace(ASSOCIATION_SN_3, version=4)
