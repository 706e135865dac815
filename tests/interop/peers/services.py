"""What is asked of a peer by lists, by ACCESS and in general blocks.

A driver for these has, beside the usual, `read_many`, `write_many`, `act_many` and `access`.
"""

import harness
import operations
from operations import CLOCK, DISCONNECT_CONTROL, LOGICAL_DEVICE_NAME, LONG, TOKEN_GATEWAY

NOWHERE = (1, "0.0.99.99.99.255")
SERIAL_NUMBER = (1, "0.0.96.1.0.255")
ASSOCIATION = (15, "0.0.40.0.0.255")
FEW = [(*LOGICAL_DEVICE_NAME, 2), (*NOWHERE, 2), (*CLOCK, 3), (*ASSOCIATION, 6)]


def operate_get_list(driver):
    """Read a few attributes at once, one of which is not there, and one by one."""
    together = driver.read_many(FEW)
    alone = [None if one[:2] == NOWHERE else driver.read(*one)[1] for one in FEW]
    return {"together": together, "alone": alone}


def operate_get_list_known(driver):
    """The same without the one that is not there."""
    known = [one for one in FEW if one[:2] != NOWHERE]
    return {"together": driver.read_many(known), "alone": [driver.read(*one)[1] for one in known]}


def operate_access_known(driver):
    """GETs alone, one of which is refused, in one request."""
    return driver.access([("get", *CLOCK, 3), ("get", *NOWHERE, 2), ("get", *CLOCK, 3)])


def operate_get_list_long(driver):
    """Read the object list and more at once, which fits into no APDU, and the list alone."""
    together = driver.read_many([(*LOGICAL_DEVICE_NAME, 2), (*ASSOCIATION, 2), (*CLOCK, 3)])
    return {"together": together, "alone": driver.read(*ASSOCIATION, 2)[1]}


def operate_set_list(driver):
    """Write the clock to what it says, and the device's name, which nobody may."""
    time = harness.octets_of(driver.read(*CLOCK, 2)[1])
    return driver.write_many([(*CLOCK, 2, time), (*LOGICAL_DEVICE_NAME, 2, b"ANOTHER")])


def operate_set_list_in_datablocks(driver):
    """The same with more than fits into an APDU, in datablocks."""
    time = harness.octets_of(driver.read(*CLOCK, 2)[1])
    members = [(*CLOCK, 2, time), (*LOGICAL_DEVICE_NAME, 2, LONG)]
    return driver.write_many(members, in_datablocks=True)


def operate_set_list_in_general_blocks(driver):
    """The same in general blocks."""
    time = harness.octets_of(driver.read(*CLOCK, 2)[1])
    return driver.write_many([(*CLOCK, 2, time), (*LOGICAL_DEVICE_NAME, 2, LONG)])


def operate_action_list(driver):
    """Open the relay, call what is not there, close it again; read what became of it."""
    members = [(*DISCONNECT_CONTROL, 1, None), (*NOWHERE, 1, None), (*DISCONNECT_CONTROL, 2, None)]
    results = driver.act_many(members)
    return {"results": results, "relay": driver.read(*DISCONNECT_CONTROL, 2)[1]}


def operate_action_list_in_pblocks(driver):
    """The same with a token that fits into no APDU, in pblocks."""
    members = [(*DISCONNECT_CONTROL, 1, None), (*TOKEN_GATEWAY, 1, LONG)]
    members.append((*DISCONNECT_CONTROL, 2, None))
    results = driver.act_many(members, in_datablocks=True)
    return {"results": results, "relay": driver.read(*DISCONNECT_CONTROL, 2)[1]}


def operate_access(driver):
    """GET, SET and ACTION in one request, one of each refused."""
    time = harness.octets_of(driver.read(*CLOCK, 2)[1])
    members = [("get", *LOGICAL_DEVICE_NAME, 2), ("get", *NOWHERE, 2), ("set", *CLOCK, 2, time)]
    members += [("set", *LOGICAL_DEVICE_NAME, 2, b"ANOTHER"), ("act", *DISCONNECT_CONTROL, 1)]
    members += [("act", *NOWHERE, 1), ("act", *DISCONNECT_CONTROL, 2)]
    return driver.access(members)


def operate_access_break(driver):
    """The list ends with the first request that fails."""
    members = [("get", *CLOCK, 3), ("get", *NOWHERE, 2), ("get", *CLOCK, 3)]
    return driver.access([*members, ("act", *DISCONNECT_CONTROL, 1)], break_on_error=True)


def operate_access_long(driver):
    """An answer that fits into no APDU: it comes in general blocks, several windows of them."""
    found = driver.access([("get", *ASSOCIATION, 2), ("get", *CLOCK, 3)])
    return {"together": found, "alone": driver.read(*ASSOCIATION, 2)[1]}


def operate_access_long_request(driver):
    """A request that fits into no APDU: it goes in general blocks, and so does its answer."""
    members = [("set", *LOGICAL_DEVICE_NAME, 2, LONG), ("get", *ASSOCIATION, 2)]
    return {"together": driver.access(members), "alone": driver.read(*ASSOCIATION, 2)[1]}


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
