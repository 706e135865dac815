"""What is asked of a peer: each operation takes a driver and returns a value fit for JSON."""

import os
import traceback
from datetime import datetime, timedelta, timezone

import harness

CLOCK = (8, "0.0.1.0.0.255")
DISCONNECT_CONTROL = (70, "0.0.96.3.10.255")
LOGICAL_DEVICE_NAME = (1, "0.0.42.0.0.255")
TOKEN_GATEWAY = (115, "0.0.19.40.0.255")
TRANSACTION = (1, "0.0.128.0.0.255")
TRANSACTION_LOG = (7, "0.0.128.0.1.255")
#: More than twice the APDU of 1024 octets that the meter takes, and not the same octets all over.
LONG = bytes(number * 7 % 251 for number in range(2500))


def describe(error):
    """One line for an exception: its class, its text and the peer's line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames and not isinstance(error, harness.RefusedError):
        where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})"
    return f"{type(error).__name__}: {str(error).strip()}{where}"


def readable(association_version, mode):
    """Say whether an attribute's access mode allows a plain read (Association LN v0-2, v3)."""
    if association_version >= 3:
        return bool(mode & 1)
    return mode in (1, 3, 4, 6)


def association_version(objects):
    """Find the version of the current association in an object list; 1 if it is not listed."""
    for entry in objects:
        if entry["class"] == 15 and entry["obis"] == "0.0.40.0.0.255":
            return entry["version"]
    return 1


def operate_object_list(driver):
    """Read the object list."""
    return driver.objects()


def operate_read_all(driver):
    """Read every attribute that the object list calls readable, one by one."""
    objects = driver.objects()
    version = association_version(objects)
    rows, failures = [], 0
    for entry in objects:
        for index, mode in sorted(entry["attributes"].items()):
            if not readable(version, mode):
                continue
            row = {"class": entry["class"], "obis": entry["obis"], "index": index}
            driver.trace.take()
            try:
                row["type"], row["value"] = driver.read(entry["class"], entry["obis"], index)
            except Exception as error:  # noqa: BLE001 - whatever a peer raises is that row's result
                row["error"] = describe(error)
                row["octets"] = driver.trace.take()
                failures += 1
            rows.append(row)
    if failures:
        raise IncompleteError(f"{failures} of {len(rows)} attributes failed", rows)
    return rows


class IncompleteError(Exception):
    """An operation that failed in part; carries what it got."""

    def __init__(self, message, value):
        super().__init__(message)
        self.value = value


def operate_clock(driver):
    """Read the clock's time."""
    kind, value = driver.read(*CLOCK, 2)
    octets = harness.octets_of(value)
    if len(octets) != 12:
        raise ValueError(f"a date-time has 12 octets, not {len(octets)}")
    return {"type": kind, "time": octets.hex()}


def _relay_state(driver):
    return {
        "output_state": driver.read(*DISCONNECT_CONTROL, 2)[1],
        "control_state": driver.read(*DISCONNECT_CONTROL, 3)[1],
    }


def operate_relay_off(driver):
    """remote_disconnect, then read back output_state and control_state."""
    driver.act(*DISCONNECT_CONTROL, 1)
    return _relay_state(driver)


def operate_relay_on(driver):
    """remote_reconnect, then read back output_state and control_state."""
    driver.act(*DISCONNECT_CONTROL, 2)
    return _relay_state(driver)


def operate_set_refused(driver):
    """SET the logical device name, which nobody may; a refusal is the success."""
    try:
        driver.write_octets(*LOGICAL_DEVICE_NAME, 2, b"ANOTHER NAME")
    except harness.RefusedError as refusal:
        return {"refused": refusal.reason}
    raise AssertionError("the server accepted a SET of its logical device name")


def operate_set_accepted(driver):
    """Read the clock, SET it to what was read, read it back."""
    before = harness.octets_of(driver.read(*CLOCK, 2)[1])
    driver.write_octets(*CLOCK, 2, before)
    after = harness.octets_of(driver.read(*CLOCK, 2)[1])
    return {"before": before.hex(), "after": after.hex()}


def operate_action_long(driver):
    """Enter a token that is none and fits into no APDU; a refusal is the success."""
    try:
        driver.act(*TOKEN_GATEWAY, 1, LONG)
    except harness.RefusedError as refusal:
        return {"refused": refusal.reason}
    raise AssertionError("the server accepted 2500 octets for a token")


def operate_set_long(driver):
    """SET a structure to an octet-string that fits into no APDU; a refusal is the success."""
    try:
        driver.write_octets(*TRANSACTION, 2, LONG)
    except harness.RefusedError as refusal:
        return {"refused": refusal.reason}
    raise AssertionError("the server accepted 2500 octets for a transaction")


def operate_by_entry(driver):
    """Read a profile's first entry, an entry that is not there, and the whole for comparison."""
    obis = TRANSACTION_LOG[1]
    buffer = driver.read(*TRANSACTION_LOG, 2)[1]
    first = harness.jsonable(driver.rows_by_entry(obis, 1, 1))
    beyond = harness.jsonable(driver.rows_by_entry(obis, len(buffer) + 1, len(buffer) + 9))
    return {"buffer": buffer, "first": first, "beyond": beyond}


def moment(row):
    """The time in a row's first column, which has a deviation and no wildcards."""
    octets = harness.octets_of(row[0])
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    zone = timezone(timedelta(minutes=-deviation))
    year, hundredths = int.from_bytes(octets[:2], "big"), octets[8]
    microsecond = 0 if hundredths == 0xFF else hundredths * 10_000
    hour, minute, second = octets[5:8]
    return datetime(year, octets[2], octets[3], hour, minute, second, microsecond, tzinfo=zone)


def operate_by_range(driver):
    """Read a profile's rows up to the first one's second, of a year before, and the whole."""
    obis = TRANSACTION_LOG[1]
    buffer = driver.read(*TRANSACTION_LOG, 2)[1]
    since = moment(buffer[0]).replace(microsecond=0)
    until = since + timedelta(seconds=1)
    found = harness.jsonable(driver.rows_by_range(obis, since, until))
    year = timedelta(days=365)
    before = harness.jsonable(driver.rows_by_range(obis, since - year, until - year))
    within = [row for row in buffer if since <= moment(row) <= until]
    return {"buffer": buffer, "within": within, "found": found, "before": before}


def operate_release(driver):
    """RLRQ and, on HDLC, DISC."""
    return driver.release()


def operate_read(driver, class_id, obis, index):
    """Read one attribute."""
    kind, value = driver.read(int(class_id), obis, int(index))
    return {"type": kind, "value": value}


OPERATIONS = {
    "object_list": operate_object_list,
    "read_all": operate_read_all,
    "clock": operate_clock,
    "relay_off": operate_relay_off,
    "relay_on": operate_relay_on,
    "set_refused": operate_set_refused,
    "set_accepted": operate_set_accepted,
    "action_long": operate_action_long,
    "set_long": operate_set_long,
    "by_entry": operate_by_entry,
    "by_range": operate_by_range,
    "release": operate_release,
}


def operation(name):
    """Find the operation of a name; "read:CLASS:OBIS:ATTRIBUTE" is the one with arguments."""
    if name.startswith("read:"):
        reference = name.split(":")[1:]
        if len(reference) != 3:
            raise ValueError("read:CLASS:OBIS:ATTRIBUTE, with a logical name like 0.0.1.0.0.255")
        return lambda driver: operate_read(driver, *reference)
    return OPERATIONS[name]
