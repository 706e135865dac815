"""Where a peer's interface classes differ from ours, and why: the tables of ``test_classes.py``.

``LABELS`` has the names that gurux-dlms gives attributes in words of its own, for people to read;
they are compared so that an attribute that moves is noticed. ``ABSENT`` has what a peer does not
know, ``TABLE`` where types and counts differ, ``VALUES`` which attributes do not write back what
they took. A row is a disagreement that was looked into; the reasons say who else has what we have.
"""

from typing import Final, NamedTuple

GURUX: Final = "gurux-dlms"
PYDLMS: Final = "pydlms-client"

#: gurux-dlms's words, by class and index, where they are not the book's.
LABELS: Final[dict[int, dict[int, str]]] = {
    3: {3: "scaler_and_unit"},
    4: {3: "scaler_and_unit"},
    5: {4: "scaler_and_unit"},
    8: {5: "begin", 6: "end", 7: "deviation", 8: "enabled"},
    15: {5: "x_dlms_context_info"},
    18: {7: "image_activate_info"},
    19: {
        3: "default_baud_rate",
        4: "proposed_baud_rate",
        6: "device_address",
        7: "password_1",
        8: "password_2",
        9: "password_5",
    },
    20: {
        2: "active_calendar_name",
        3: "active_season_profile",
        4: "active_week_profile_table",
        5: "active_day_profile_table",
        6: "passive_calendar_name",
        7: "passive_season_profile",
        8: "passive_week_profile_table",
        9: "passive_day_profile_table",
        10: "time",
    },
    22: {2: "executed_script_logical_name"},
    23: {
        2: "communication_speed",
        5: "maximum_info_length_transmit",
        6: "maximum_info_length_receive",
        7: "inter_charachter_timeout",
        8: "inactivity_timeout",
    },
    25: {2: "default_baud_rate", 3: "available_baud_rate", 4: "address_state"},
    27: {2: "communication_speed", 3: "initialisation_strings"},
    28: {6: "number_of_rings_in_listening_window", 7: "allowed_callers"},
    29: {6: "destinations"},
    40: {2: "object_list"},
    41: {
        2: "port",
        4: "maximum_segment_size",
        5: "maximum_simultaneous_connections",
        6: "inactivity_timeout",
    },
    42: {2: "data_link_layer_reference", 8: "use_dhcp"},
    45: {4: "default_quality_of_service_and_requested_quality_of_service"},
    47: {4: "circuit_switch_status", 5: "packet_switch_status"},
    48: {
        2: "data_link_layer_reference",
        4: "unicast_ip_address",
        5: "multicast_ip_address",
        6: "gateway_ip_address",
    },
    71: {
        3: "active_threshold",
        4: "normal_threshold",
        5: "emergency_threshold",
        6: "threshold_duration_min_over",
        7: "threshold_duration_min_under",
        9: "emergency_profile_group",
    },
    100: {4: "port", 5: "authentication", 6: "keys"},
    111: {
        2: "payment_mode",
        9: "credit_references",
        10: "charge_references",
        11: "credit_charge_configurations",
        12: "tokengateway_configurations",
        19: "max_provisionperiod",
    },
    112: {3: "type", 8: "status"},
    115: {3: "time", 4: "description", 5: "delivery_method", 6: "status"},
    124: {7: "port"},
}

#: The class versions that a peer does not know.
ABSENT: Final = {
    GURUX: {(62, 0), (62, 1), (68, 0), (116, 0)},
    PYDLMS: {
        *((12, version) for version in (2, 3)),
        (19, 0),
        (23, 0),
        *((40, version) for version in (0, 1)),
        (47, 0),
        (62, 0),
        (70, 1),
        (72, 0),
        (116, 0),
        (124, 0),
    },
}

_LABELLED = "fault 26: it reads and writes the structure that we have all the same"
_SN = "short names: compared with jDLMS and the digest of the book where they are declared"


class Row(NamedTuple):
    """A disagreement.

    Args:
        peer: whose.
        class_id: of which class.
        place: "attributes" or "methods" for their count; else such a place, "attribute 3".
        reason: why we do not follow.
    """

    peer: str
    class_id: int
    place: str
    reason: str


TABLE: Final = (
    Row(GURUX, 4, "methods", "fault 26: none, though it names reset"),
    *(
        Row(GURUX, number, f"attribute {index}", _LABELLED)
        for number, index in ((4, 3), (5, 4), (7, 6), (21, 3), (22, 2), (28, 6), (45, 4))
    ),
    Row(GURUX, 12, "attributes", "knows version 2 only; " + _SN),
    Row(GURUX, 12, "methods", "knows version 2 only; " + _SN),
    Row(GURUX, 40, "attribute 13", "says date-time, and octet-string of every other moment"),
    Row(PYDLMS, 7, "methods", "counts two reserved ones, which no version in use has"),
    Row(PYDLMS, 12, "methods", "does not count add_user and remove_user; " + _SN),
    *(
        Row(PYDLMS, 12, f"method {index}", "calls reserved what gurux-dlms names; " + _SN)
        for index in (1, 2, 7)
    ),
    Row(PYDLMS, 12, "method 4", "another wording; " + _SN),
    Row(PYDLMS, 40, "attribute 2", "fault 25: four members; gurux-dlms has more"),
    Row(PYDLMS, 111, "attribute 11", "fault 17"),
    Row(PYDLMS, 111, "attribute 12", "fault 17"),
    Row(PYDLMS, 112, "attribute 11", "fault 17"),
)

_NO_SERVER = "its server side is not whole: it fails, or writes nothing back, without a client"
_WEEKDAY = "drops the day of the week"
_BITS = "writes 8 bits back, whatever came"
_REFERENCE = "takes the reference for a name to look up among its objects, and writes none back"

#: Attributes that do not write back what they took, by class and index.
VALUES: Final[dict[str, dict[tuple[int, int], str]]] = {
    GURUX: {
        (3, 3): "reckons the scaler by a logarithm of floats: 126 comes back as 125",
        (4, 3): "as class 3",
        (5, 4): "as class 3",
        (7, 2): "fault 13: wants the capture objects first",
        (10, 2): _WEEKDAY,
        (11, 2): _WEEKDAY,
        (15, 2): _NO_SERVER,
        (15, 4): "takes no octets that are not the name of a context",
        (15, 6): "takes no octets that are not the name of a mechanism",
        (15, 10): _NO_SERVER,
        (21, 4): "writes the array of actions as a structure",
        (22, 4): _WEEKDAY,
        (28, 7): "attribute 7 is named and cannot be set; Gurux.DLMS.Net can",
        (42, 4): "writes IPv4 addresses as long-unsigned, of which they would need two",
        (44, 3): "refuses option numbers that it does not know",
        (44, 4): "cannot write back what it took",
        (44, 5): "knows a name with a password only",
        (47, 2): "cannot write back a visible-string that it took",
        (48, 7): "takes addresses of 16 octets only, and we an empty one as well",
        (48, 8): "as attribute 7",
        (64, 2): "changed by security_activate alone, here as there",
        (64, 6): _NO_SERVER,
        (71, 2): _REFERENCE,
        (72, 3): "takes an unsigned for the octets of the data information block",
        (100, 3): "takes the octets of the server's name for hexadecimal digits",
        (100, 6): "cannot write back what it took",
        (111, 11): _BITS,
        (112, 7): _BITS,
        (113, 5): _REFERENCE,
        (113, 6): _REFERENCE,
        (113, 9): _BITS,
        (124, 7): _REFERENCE,
    },
    PYDLMS: {
        (47, 8): "writes a moment back as an octet-string, however it came",
        (62, 3): "fault 25: knows no restriction; Gurux.DLMS.Net does",
        (111, 11): "fault 17",
        (111, 12): "fault 17",
        (112, 11): "fault 17",
        (113, 10): "as class 47",
    },
}
