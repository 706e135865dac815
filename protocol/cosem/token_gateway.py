"""Class 115, Token gateway, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them (types: the former alone).
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Tag
from protocol.cosem.interface import Attribute, InterfaceClass, Method
from protocol.cosem.types import DATE_TIME, ENUM, OCTET_STRING, ArrayOf, Simple, structure_of


class DeliveryMethod(IntEnum):
    """How a token came."""

    REMOTE = 0
    LOCAL = 1
    MANUAL = 2


class TokenStatusCode(IntEnum):
    """How far a token came, and whether it passed."""

    FORMAT_OK = 0
    AUTHENTICATION_OK = 1
    VALIDATION_OK = 2
    EXECUTION_OK = 3
    FORMAT_FAILED = 4
    AUTHENTICATION_FAILED = 5
    VALIDATION_FAILED = 6
    EXECUTION_FAILED = 7
    RECEIVED = 8  # and not yet processed


TOKEN_STATUS: Final = structure_of(status_code=ENUM, data_value=Simple(Tag.BIT_STRING))

TOKEN_GATEWAY: Final = InterfaceClass(
    class_id=115,
    version=0,
    name="Token gateway",
    attributes=(
        Attribute(2, "token", OCTET_STRING),
        Attribute(3, "token_time", DATE_TIME),
        Attribute(4, "token_description", ArrayOf(OCTET_STRING)),
        Attribute(5, "token_delivery_method", ENUM),
        Attribute(6, "token_status", TOKEN_STATUS),
    ),
    methods=(Method(1, "enter", OCTET_STRING),),
)
