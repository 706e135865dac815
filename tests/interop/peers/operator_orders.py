"""What is asked of a peer about an operator's orders: refund, disconnect, connect; and a message.

A driver for the orders has, beside the usual, ``order(identity, kind, amount, moment)``, which
writes the transaction object with a structure of id, kind and one parameter: an amount, the 12
octets of a moment, or null-data. The message takes the usual ``write_octets``.
"""

import os
import time

import harness
import operations
from operations import DISCONNECT_CONTROL

MESSAGE = (1, "0.0.96.13.1.255")
TRANSACTION = (1, "0.0.128.0.0.255")
PLAN = (1, "0.0.128.2.1.255")
BALANCE = (112, "0.0.19.10.0.255", 2)
REFUND, DISCONNECT, CONNECT = 13, 14, 15
TEXT = b"Power is off on 3 December from 09:00 to 12:00"
#: Too long by one; not ASCII; a control character.
REFUSED = (b"x" * 129, "caf\u00e9".encode(), b"two\nlines")
#: 15 January 2027, 12:00, in the zone of the meter; the meter's clock stands before it.
LATER = bytes.fromhex("07eb010fff0c0000008000ff")


def new_id():
    """A transaction id: UUID version 7."""
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + b"\x70\x00\x80\x00" + os.urandom(6)


def text(driver):
    """Return the message as it is read."""
    found = driver.read(*MESSAGE, 2)[1]
    return harness.octets_of(found).decode() if found else ""


def said(call, *arguments):
    """Return how a write ends, in words."""
    try:
        call(*arguments)
    except harness.RefusedError as refused:
        return refused.reason
    return "success"


def operate_message(driver):
    """Write it, be refused what no display shows, and take it away."""
    found = [text(driver)]
    driver.write_octets(*MESSAGE, 2, TEXT)
    found.append(text(driver))
    refused = [said(driver.write_octets, *MESSAGE, 2, each) for each in REFUSED]
    found.append(text(driver))
    driver.write_octets(*MESSAGE, 2, b"")
    return {"texts": [*found, text(driver)], "refused": refused}


def outcome(driver):
    """Return kind, outcome and amount of the last transaction."""
    return [int(each) for each in driver.read(*TRANSACTION, 2)[1][1:4]]


def balance(driver):
    """Return the balance in minor units."""
    return int(driver.read(*BALANCE)[1])


def operate_refunds(driver):
    """Refund 3.00, the same again, more than there is, and less than nothing."""
    before, once = balance(driver), new_id()
    found = []
    for identity, amount in ((once, 300), (once, 300), (new_id(), before), (new_id(), -1)):
        ended = said(driver.order, identity, REFUND, amount, None)
        found.append([ended, before - balance(driver), outcome(driver)])
    return found


def relay(driver):
    """Return the control state and the kind of the plan that waits."""
    state = int(driver.read(*DISCONNECT_CONTROL, 3)[1])
    return [state, int(driver.read(*PLAN, 2)[1][0])]


def operate_switching(driver):
    """Disconnect, connect, the first again; a respectful one in a window, and a connect."""
    first, waits = new_id(), new_id()
    found = []
    for identity, kind, moment in (
        (first, DISCONNECT, None),
        (new_id(), CONNECT, None),
        (first, DISCONNECT, None),
        (waits, DISCONNECT, LATER),
        (new_id(), CONNECT, None),
    ):
        ended = said(driver.order, identity, kind, None, moment)
        found.append([ended, *relay(driver), outcome(driver)])
    return found


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
