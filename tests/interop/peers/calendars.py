"""What is asked of a peer about the calendar tables, classes 10 and 11.

A driver for these has `entries`, `set_entries`, `insert_entry`, `delete_entry`, `switch_entry`,
and `special_days`, `set_special_days`, `insert_special_day`, `delete_special_day`: rows are lists
of plain values, times and dates as text.
"""

import operations

SCHEDULE = (10, "0.1.12.0.1.255")
SPECIAL_DAYS = (11, "0.1.11.0.2.255")
SCRIPTS = "0.1.10.0.106.255"
#: index, enabled, script, time, weekdays, day_ids, begin, end
ENTRY = [900, True, 1, "13:30", "0000100", "01", "2031-05-01", "2031-05-31"]
CLOSING = [901, True, 2, "23:59", "0000100", "01", "2031-05-01", "2031-05-31"]
#: index, date, day_id
DAY = [7, "2031-05-29", 1]
OTHER = [8, "2031-12-25", 1]


def operate_entries(driver):
    """One by one: what stands, a row more, the row disabled and enabled, and gone."""
    before = driver.entries()
    driver.insert_entry(ENTRY)
    inserted = driver.entries()
    driver.switch_entry(ENTRY[0], on=False)
    disabled = driver.entries()
    driver.switch_entry(ENTRY[0], on=True)
    enabled = driver.entries()
    driver.delete_entry(ENTRY[0])
    return {
        "before": before,
        "inserted": inserted,
        "disabled": disabled,
        "enabled": enabled,
        "after": driver.entries(),
    }


def operate_all_entries(driver):
    """The whole table: two rows more, and as it was."""
    before = driver.entries()
    driver.set_entries([*before, ENTRY, CLOSING])
    written = driver.entries()
    driver.set_entries(before)
    return {"before": before, "written": written, "after": driver.entries()}


def operate_special_days(driver):
    """One by one: a day, another in its place, and gone."""
    before = driver.special_days()
    driver.insert_special_day(DAY)
    inserted = driver.special_days()
    driver.insert_special_day([DAY[0], OTHER[1], OTHER[2]])
    replaced = driver.special_days()
    driver.delete_special_day(DAY[0])
    return {
        "before": before,
        "inserted": inserted,
        "replaced": replaced,
        "after": driver.special_days(),
    }


def operate_all_special_days(driver):
    """The whole table: two days, and none."""
    before = driver.special_days()
    driver.set_special_days([*before, DAY, OTHER])
    written = driver.special_days()
    driver.set_special_days(before)
    return {"before": before, "written": written, "after": driver.special_days()}


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
