"""What is asked of a peer about plans: what waits, what was carried out, what was settled.

The usual methods of a driver do; the values are data of class 1.
"""

import operations

PLAN = (1, "0.0.128.2.1.255")
CARRIED_OUT = (1, "0.0.128.2.4.255")
SETTLEMENT = (1, "0.0.128.2.0.255")


def operate_planned(driver):
    """Read all three, the name of the one in question, and whether it is listed."""
    found = {
        "plan": driver.read(*PLAN, 2)[1],
        "carried_out": driver.read(*CARRIED_OUT, 2),
        "settlement": driver.read(*SETTLEMENT, 2)[1],
    }
    return {**found, "name": driver.read(*CARRIED_OUT, 1)[1]}


def register():
    """Put it among the operations."""
    operations.OPERATIONS["planned"] = operate_planned
