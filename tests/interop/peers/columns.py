"""What is asked of a peer about the columns of a profile: some of them, by entry and by range.

A driver for these has, beside the usual, `columns_by_entry` (profile, first and last row, last
column; from the first column on) and `columns_by_range` (profile, since, until, and the columns as
places among the capture objects).
"""

from datetime import timedelta

import harness
import operations
from operations import TRANSACTION_LOG, moment

#: Of the transactions: the first two columns; and two of them in another order.
FEW, TURNED = 2, (2, 0)


def operate_columns(driver):
    """The whole buffer, the first columns of its second row, and two columns by range, turned."""
    name = TRANSACTION_LOG[1]
    buffer = driver.read(*TRANSACTION_LOG, 2)[1]
    since = moment(buffer[0]).replace(microsecond=0)
    until = moment(buffer[-1]).replace(microsecond=0) + timedelta(seconds=1)
    return {
        "buffer": buffer,
        "by_entry": harness.jsonable(driver.columns_by_entry(name, 2, 2, FEW)),
        "by_range": harness.jsonable(driver.columns_by_range(name, since, until, TURNED)),
    }


def register():
    """Put it among the operations."""
    operations.OPERATIONS["columns"] = operate_columns
