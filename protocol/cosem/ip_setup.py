"""Classes 42, IPv4 setup, and 48, IPv6 setup, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them but for two places, where
the first speaks alone: the members of ``IP_options`` and of ``neighbor_discovery_setup`` (on the
former ``DlmsSPODES-project`` agrees with it). The parameter of ``add_IPv6_address`` is as
``pydlms-client`` and Gurux.DLMS.Net have it. ``gurux-dlms`` writes multicast IPv4 addresses as
long-unsigned, into which they do not fit.
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Tag
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    BOOLEAN,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    Simple,
    structure_of,
)


class AddressConfigMode(IntEnum):
    """Where an IPv6 address comes from."""

    AUTO_CONFIGURATION = 0
    DHCP_V6 = 1
    MANUAL = 2
    NEIGHBOUR_DISCOVERY = 3


class IPv6AddressType(IntEnum):
    """Which list an address is added to or removed from."""

    UNICAST = 0
    MULTICAST = 1
    GATEWAY = 2


#: An IPv4 address: its four octets as a number, the first the most significant.
IPV4_ADDRESS: Final = DOUBLE_LONG_UNSIGNED
IPV6_ADDRESS: Final = Simple(Tag.OCTET_STRING, 16)
IP_OPTION: Final = structure_of(
    ip_option_type=UNSIGNED,
    ip_option_length=UNSIGNED,
    ip_option_data=OCTET_STRING,
)
NEIGHBOR_DISCOVERY_SETUP: Final = structure_of(
    max_retry=UNSIGNED,
    retry_wait_time=LONG_UNSIGNED,  # ms
    send_period=DOUBLE_LONG_UNSIGNED,  # s
)
_TYPED_ADDRESS: Final = structure_of(address_type=ENUM, address=IPV6_ADDRESS)

_RW: Final = Access.READ_WRITE

IPV4_SETUP: Final = InterfaceClass(
    class_id=42,
    version=0,
    name="IPv4 setup",
    attributes=(
        Attribute(2, "DL_reference", LOGICAL_NAME, _RW),
        Attribute(3, "IP_address", IPV4_ADDRESS, _RW),
        Attribute(4, "multicast_IP_address", ArrayOf(IPV4_ADDRESS), _RW),
        Attribute(5, "IP_options", ArrayOf(IP_OPTION), _RW),
        Attribute(6, "subnet_mask", IPV4_ADDRESS, _RW),
        Attribute(7, "gateway_IP_address", IPV4_ADDRESS, _RW),
        Attribute(8, "use_DHCP_flag", BOOLEAN, _RW),
        Attribute(9, "primary_DNS_address", IPV4_ADDRESS, _RW),
        Attribute(10, "secondary_DNS_address", IPV4_ADDRESS, _RW),
    ),
    methods=(
        Method(1, "add_mc_IP_address", IPV4_ADDRESS),
        Method(2, "delete_mc_IP_address", IPV4_ADDRESS),
        Method(3, "get_nbof_mc_IP_addresses", returns=LONG_UNSIGNED),
    ),
)
IPV6_SETUP: Final = InterfaceClass(
    class_id=48,
    version=0,
    name="IPv6 setup",
    attributes=(
        Attribute(2, "DL_reference", LOGICAL_NAME, _RW),
        Attribute(3, "address_config_mode", ENUM, _RW),
        Attribute(4, "unicast_IPv6_addresses", ArrayOf(IPV6_ADDRESS), _RW),
        Attribute(5, "multicast_IPv6_addresses", ArrayOf(IPV6_ADDRESS), _RW),
        Attribute(6, "gateway_IPv6_addresses", ArrayOf(IPV6_ADDRESS), _RW),
        Attribute(7, "primary_DNS_address", OCTET_STRING, _RW),  # empty: none
        Attribute(8, "secondary_DNS_address", OCTET_STRING, _RW),
        Attribute(9, "traffic_class", UNSIGNED, _RW),
        Attribute(10, "neighbor_discovery_setup", ArrayOf(NEIGHBOR_DISCOVERY_SETUP), _RW),
    ),
    methods=(
        Method(1, "add_IPv6_address", _TYPED_ADDRESS),
        Method(2, "remove_IPv6_address", _TYPED_ADDRESS),
    ),
)
