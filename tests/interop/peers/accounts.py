"""What is asked of a peer about money: Account, Credits, Charges and Token gateway.

A driver for these has, beside the usual, methods that write and call with a value of a type, each
through the peer's own class or data:

* ``put(class_id, obis, index, type, value)`` with a type of ``PLAIN``;
* ``call(class_id, obis, index, type, value)`` likewise;
* ``price(obis, scale, price)``, which writes unit_charge_passive of a charge for energy;
* ``pairs(bits)``, which writes credit_charge_configuration with these bits for every charge;
* ``token_to(percent)``, which writes token_gateway_configuration;
* ``moment(obis, octets)``, which writes unit_charge_activation_time.

The token is made here, from its published table and nothing of ours.
"""

import hashlib
import hmac
import time

import harness
import operations

ACCOUNT = (111, "0.0.19.0.0.255")
CREDITS = {"token": (112, "0.0.19.10.0.255"), "emergency": (112, "0.0.19.10.1.255")}
CHARGES = [(113, f"0.0.19.20.{slot}.255") for slot in range(5)]
ENERGY, STANDING, COSTS = CHARGES[0], CHARGES[1], CHARGES[2]
GATEWAY = (115, "0.0.19.40.0.255")
TOKEN_LOG = (7, "0.0.128.2.2.255")
NAME = (1, "0.0.42.0.0.255", 2)
REGISTER = "1.0.1.8.0.255"
#: 1 January 2025, 00:00:00 UTC.
PAST = bytes.fromhex("07e901010300000000000000")
PLAIN = ("int8", "int16", "int32", "uint16")
#: That of the laboratory: 32 octets from 0x20 on.
TOKEN_KEY = bytes(range(0x20, 0x40))


def attributes(driver, reference, last):
    """Return every attribute, each read into the peer's own model of the class."""
    return {index: driver.read(*reference, index)[1] for index in range(1, last + 1)}


def number(driver, reference, index):
    """Return an attribute that is a number."""
    return int(driver.read(*reference, index)[1])


def operate_account(driver):
    """Read all of the account."""
    return attributes(driver, ACCOUNT, 19)


def operate_credits(driver):
    """Read all of both credits."""
    return {name: attributes(driver, found, 11) for name, found in CREDITS.items()}


def operate_charges(driver):
    """Read all of every charge."""
    return [attributes(driver, found, 13) for found in CHARGES]


def operate_amounts(driver):
    """Add to the balance, set it, and put it back; the emergency credit is not on offer."""
    token, found = CREDITS["token"], []
    before = number(driver, token, 2)
    for index, value in ((1, 250), (1, -50), (2, 4000), (2, before)):
        driver.call(*token, index, "int32", value)
        found.append(number(driver, token, 2))
    return {"before": before, "after": found}


def operate_emergency(driver):
    """With nothing left it is on offer, and is taken."""
    token, emergency, found = CREDITS["token"], CREDITS["emergency"], []
    before = number(driver, token, 2)
    driver.call(*token, 2, "int32", -100)
    found.append(number(driver, emergency, 8))
    driver.invoke(emergency[1])
    found.append(number(driver, emergency, 8))
    found.append(number(driver, ACCOUNT, 3))
    driver.call(*token, 2, "int32", before)
    found.append(number(driver, emergency, 8))
    return found


def operate_prices(driver):
    """Write a passive price and let it take over; change it by its element; then by time."""
    found = []
    driver.price(ENERGY[1], -2, 77)
    found.append([passive(driver, 5), passive(driver, 6)])
    driver.call(*ENERGY, 2, "int8", 0)
    found.append([passive(driver, 5), passive(driver, 6)])
    driver.element(ENERGY[1], 35)
    found.append([passive(driver, 5), passive(driver, 6)])
    driver.moment(ENERGY[1], PAST)
    found.append([passive(driver, 5), passive(driver, 6)])
    return found


def passive(driver, index):
    """Return scale and price of a unit charge."""
    scaling, _, table = driver.read(*ENERGY, index)[1]
    return [int(scaling[1]), int(table[0][1])]


def operate_remaining(driver):
    """Set a debt, change it, see it in the account; collect; pay it off."""
    found = []
    driver.call(*COSTS, 5, "int32", 1000)
    found.append([number(driver, COSTS, 12), number(driver, ACCOUNT, 8)])
    driver.call(*COSTS, 4, "int32", -400)
    found.append([number(driver, COSTS, 12), number(driver, ACCOUNT, 8)])
    for charge in (ENERGY, STANDING):
        driver.call(*charge, 3, "int8", 0)
    driver.call(*COSTS, 5, "int32", 0)
    return found


def operate_terms(driver):
    """Write what the account and a charge take, read it, and put it back."""
    asked = {7: ("int32", 300), 16: ("int32", 800), 17: ("int32", 100), 18: ("uint16", 900)}
    before = {index: number(driver, ACCOUNT, index) for index in (*asked, 19)}
    for index, (kind, value) in asked.items():
        driver.put(*ACCOUNT, index, kind, value)
    driver.put(*ACCOUNT, 19, "int32", 86_400)
    after = {index: number(driver, ACCOUNT, index) for index in (*asked, 19)}
    for index, (kind, _) in asked.items():
        driver.put(*ACCOUNT, index, kind, before[index])
    driver.put(*COSTS, 13, "uint16", 2000)
    share = number(driver, COSTS, 13)
    driver.put(*COSTS, 13, "uint16", 3500)
    return {"before": before, "after": after, "share": share}


def operate_situations(driver):
    """Charge nothing in friendly hours, then everything always again."""
    found = []
    for bits in ("110", "111"):
        driver.pairs(bits)
        found.append([row[2] for row in driver.read(*ACCOUNT, 11)[1]])
    driver.token_to(100)
    return {"pairs": found, "gateway": driver.read(*ACCOUNT, 12)[1]}


def lab_token(name, amount):
    """Return a token of an id of now: version, id, amount, and the first half of an HMAC."""
    moment = time.time_ns()
    stamp = (moment // 1_000_000).to_bytes(6, "big")
    identity = stamp + b"\x70\x00\x80" + moment.to_bytes(8, "big")[1:]
    body = b"\x01" + identity + amount.to_bytes(4, "big")
    message = b"OpenPrepay lab token 1" + bytes([len(name)]) + name + body
    return body + hmac.new(TOKEN_KEY, message, hashlib.sha256).digest()[:16]


def taken(driver, octets):
    """Return what entering a token was answered."""
    try:
        driver.act(*GATEWAY, 1, octets)
    except harness.RefusedError as refused:
        return refused.reason
    return "success"


def operate_tokens(driver):
    """Enter a token, once more, and a false one; read the gateway and its log."""
    name = driver.read(*NAME)[1]
    name = bytes.fromhex(name["octets"]) if isinstance(name, dict) else str(name).encode()
    token = lab_token(name, 1500)
    balance = [number(driver, CREDITS["token"], 2)]
    said = []
    for octets in (token, token, token[:-1] + bytes([token[-1] ^ 1])):
        said.append(taken(driver, octets))
        said.append(attributes(driver, GATEWAY, 6)[6])
        balance.append(number(driver, CREDITS["token"], 2))
    driver.objects()
    rows = driver.read(*TOKEN_LOG, 2)[1][-3:]
    return {"balance": balance, "said": said, "log": [row[2:] for row in rows]}


def operate_life(driver):
    """Close the account, reset it, and open it again."""
    found = [driver.read(*ACCOUNT, 2)[1]]
    for index in (2, 3, 1):
        driver.life(index)
        found.append(driver.read(*ACCOUNT, 2)[1])
    return [[int(each) for each in one] for one in found]


def register():
    """Put them among the operations."""
    prefix = "operate_"
    for name, found in globals().items():
        if name.startswith(prefix):
            operations.OPERATIONS[name[len(prefix) :]] = found
