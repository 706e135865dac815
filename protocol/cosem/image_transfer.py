"""Class 18, Image transfer, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    BIT_STRING,
    BOOLEAN,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    OCTET_STRING,
    ArrayOf,
    structure_of,
)


class ImageTransferStatus(IntEnum):
    """How far an image has come."""

    IMAGE_TRANSFER_NOT_INITIATED = 0
    IMAGE_TRANSFER_INITIATED = 1
    IMAGE_VERIFICATION_INITIATED = 2
    IMAGE_VERIFICATION_SUCCESSFUL = 3
    IMAGE_VERIFICATION_FAILED = 4
    IMAGE_ACTIVATION_INITIATED = 5
    IMAGE_ACTIVATION_SUCCESSFUL = 6
    IMAGE_ACTIVATION_FAILED = 7


#: An image that is ready to be activated; a signature that there is not is empty.
IMAGE_TO_ACTIVATE_INFO: Final = structure_of(
    image_to_activate_size=DOUBLE_LONG_UNSIGNED,
    image_to_activate_identification=OCTET_STRING,
    image_to_activate_signature=OCTET_STRING,
)
IMAGE_TRANSFER_INITIATE: Final = structure_of(
    image_identifier=OCTET_STRING,
    image_size=DOUBLE_LONG_UNSIGNED,
)
#: A block; all have the size of attribute 2 but the last, and are counted from 0.
IMAGE_BLOCK: Final = structure_of(
    image_block_number=DOUBLE_LONG_UNSIGNED,
    image_block_value=OCTET_STRING,
)

IMAGE_TRANSFER: Final = InterfaceClass(
    class_id=18,
    version=0,
    name="Image transfer",
    attributes=(
        Attribute(2, "image_block_size", DOUBLE_LONG_UNSIGNED),
        Attribute(3, "image_transferred_blocks_status", BIT_STRING),
        Attribute(4, "image_first_not_transferred_block_number", DOUBLE_LONG_UNSIGNED),
        Attribute(5, "image_transfer_enabled", BOOLEAN, Access.READ_WRITE),
        Attribute(6, "image_transfer_status", ENUM),
        Attribute(7, "image_to_activate_info", ArrayOf(IMAGE_TO_ACTIVATE_INFO)),
    ),
    methods=(
        Method(1, "image_transfer_initiate", IMAGE_TRANSFER_INITIATE),
        Method(2, "image_block_transfer", IMAGE_BLOCK),
        Method(3, "image_verify"),
        Method(4, "image_activate"),
    ),
)
