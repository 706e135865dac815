"""What is asked of a peer about supply: the limiter, the disconnect control and the event logs.

A driver for these has, beside the usual, `limit`, which writes the limiter's attributes through
the peer's own class or data, by name.
"""

import operations
from operations import DISCONNECT_CONTROL

LIMITER = (71, "0.0.17.0.0.255")
LOGS = {
    "events": (7, "0.0.99.98.0.255"),
    "relay_events": (7, "0.0.99.98.2.255"),
}
EVENT = (1, "0.0.96.11.0.255")
RELAY_EVENT = (1, "0.0.96.11.2.255")
#: By the number of their attribute.
WRITTEN = {4: 5000, 5: 900, 6: 30, 7: 45}
GROUPS = [3, 7]


def limiter(driver):
    """Return every attribute of the limiter."""
    return {index: driver.read(*LIMITER, index)[1] for index in range(1, 12)}


def operate_limiter(driver):
    """Read all of it, each attribute into the peer's own model of the class."""
    return limiter(driver)


def operate_limiter_written(driver):
    """Write the thresholds, the durations and the groups; read; put it back as it was."""
    before = limiter(driver)
    driver.limit({**WRITTEN, 9: GROUPS})
    after = limiter(driver)
    driver.limit({**{index: int(before[index]) for index in WRITTEN}, 9: []})
    return {"before": before, "after": after, "restored": limiter(driver)}


def operate_relay(driver):
    """Open and close the relay; what it says of itself, and the last code, after each."""
    said = []
    for method in (1, 2):
        driver.act(*DISCONNECT_CONTROL, method)
        states = [driver.read(*DISCONNECT_CONTROL, index)[1] for index in (2, 3, 4)]
        said.append([*states, driver.read(*RELAY_EVENT, 2)[1]])
    return said


def operate_logs(driver):
    """Read both logs whole, by entry, and what they hold at how many rows."""
    driver.objects()  # a library may decode a buffer only of an object that it has listed
    found = {}
    for name, log in LOGS.items():
        used = int(driver.read(*log, 7)[1])
        found[name] = {
            "columns": driver.read(*log, 3)[1],
            "rows": driver.read(*log, 2)[1],
            "used": used,
            "kept": int(driver.read(*log, 8)[1]),
            "last": driver.rows_by_entry(log[1], used, used),
        }
    found["event"] = driver.read(*EVENT, 2)[1]
    found["relay_event"] = driver.read(*RELAY_EVENT, 2)[1]
    return found


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
