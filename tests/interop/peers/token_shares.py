"""What is asked of a peer about token_gateway_configuration: written, refused, and what it does.

A driver for these has, beside those of `accounts`, ``share(rows)``, which writes the attribute
with rows of a logical name and a percentage, through the peer's own class or data.
"""

import accounts
import harness
import operations

TOKEN, EMERGENCY = accounts.CREDITS["token"], accounts.CREDITS["emergency"]
#: Rows that contradict the account: 101 % together, one credit twice, a charge, 101 % alone.
REFUSED = (
    [(TOKEN[1], 71), (EMERGENCY[1], 30)],
    [(TOKEN[1], 50), (TOKEN[1], 50)],
    [(accounts.ENERGY[1], 10)],
    [(TOKEN[1], 101)],
)


def shares(driver):
    """Return what the attribute says, a logical name in hexadecimal digits."""
    rows = driver.read(*accounts.ACCOUNT, 12)[1] or []
    return [[harness.octets_of(name).hex(), int(part)] for name, part in rows]


def operate_shares_written(driver):
    """Write shares in either order, none at all, and the one of before; read each back."""
    found = [shares(driver)]
    for rows in (
        [(TOKEN[1], 70), (EMERGENCY[1], 30)],
        [(EMERGENCY[1], 40), (TOKEN[1], 60)],
        [],
        [(TOKEN[1], 100)],
    ):
        driver.share(rows)
        found.append(shares(driver))
    return found


def operate_shares_refused(driver):
    """Write what is refused; what was there stays."""
    said = []
    for rows in REFUSED:
        try:
            driver.share(rows)
        except harness.RefusedError as refused:
            said.append(refused.reason)
        else:
            said.append("success")
    return {"said": said, "left": shares(driver)}


def money(driver):
    """Return balance, what is left of the emergency credit, available, to clear, credit in use."""
    return [
        accounts.number(driver, TOKEN, 2),
        accounts.number(driver, EMERGENCY, 2),
        *(accounts.number(driver, accounts.ACCOUNT, index) for index in (5, 6, 3)),
    ]


def operate_shares_at_work(driver):
    """Use the emergency credit up and top up three times, 30 % of which repay it."""
    before = accounts.number(driver, TOKEN, 2)
    driver.share([(TOKEN[1], 70), (EMERGENCY[1], 30)])
    driver.call(*TOKEN, 2, "int32", 0)
    driver.invoke(EMERGENCY[1])
    driver.call(*TOKEN, 2, "int32", -1200)
    found = [money(driver)]
    name = driver.read(*accounts.NAME)[1]
    name = bytes.fromhex(name["octets"]) if isinstance(name, dict) else str(name).encode()
    for amount in (1000, 2000, 2000):
        said = accounts.taken(driver, accounts.lab_token(name, amount))
        found.append([said, *money(driver)])
    driver.share([(TOKEN[1], 100)])
    driver.call(*TOKEN, 2, "int32", before)
    return found


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
