"""Drives the classes of an account of pydlms-client 0.1.0; see `accounts`.

The library has names and types of these classes and no objects of them: what is written is data
put together by hand, and what is read has to be what its typed model takes.
"""

import importlib.metadata

import accounts
import running
from pydlms import DlmsData
from pydlms.cosem.enums import DataType
from pydlms_client_driver import PydlmsDriver

TYPES = {
    "int8": DlmsData.int8,
    "int16": DlmsData.int16,
    "int32": DlmsData.int32,
    "uint16": DlmsData.uint16,
}


class PydlmsAccounts(PydlmsDriver):
    """DlmsClient with typed data."""

    def put(self, class_id, obis, index, kind, value):
        """SET of a number."""
        self._ask(self._client.set, obis, class_id, index, TYPES[kind](value))

    def call(self, class_id, obis, index, kind, value):
        """ACTION with a number."""
        self._ask(self._client.action, obis, class_id, index, TYPES[kind](value))

    def invoke(self, obis):
        """Method invoke_credit."""
        self.call(112, obis, 3, "int8", 0)

    def life(self, index):
        """The methods of the account."""
        self.call(*accounts.ACCOUNT, index, "int8", 0)

    def price(self, obis, scale, price):
        """SET of unit_charge_passive, of one price."""
        register = bytes(int(group) for group in accounts.REGISTER.split("."))
        charge = DlmsData.structure(
            [
                DlmsData.structure([DlmsData.int8(3), DlmsData.int8(scale)]),
                DlmsData.structure(
                    [DlmsData.uint16(3), DlmsData.octet_string(register), DlmsData.int8(2)]
                ),
                DlmsData.array([row(price)]),
            ]
        )
        self._ask(self._client.set, obis, 113, 6, charge)

    def element(self, obis, price):
        """Method update_unit_charge: an element of the table."""
        self._ask(self._client.action, obis, 113, 1, row(price))

    def moment(self, obis, octets):
        """SET of unit_charge_activation_time as octets."""
        self._ask(self._client.set, obis, 113, 7, DlmsData.octet_string(octets))

    def pairs(self, bits):
        """SET of credit_charge_configuration: as it was read, with other bits."""
        situations = DlmsData(DataType.BIT_STRING, [bit == "1" for bit in bits])
        read = self._ask(self._client.get, accounts.ACCOUNT[1], 111, 11)
        rows = [DlmsData.structure([*list(one.value)[:2], situations]) for one in read.value]
        self._ask(self._client.set, accounts.ACCOUNT[1], 111, 11, DlmsData.array(rows))

    def token_to(self, percent):
        """SET of token_gateway_configuration, as it was read."""
        read = self._ask(self._client.get, accounts.ACCOUNT[1], 111, 12)
        rows = [
            DlmsData.structure([next(iter(one.value)), DlmsData.uint8(percent)])
            for one in read.value
        ]
        self._ask(self._client.set, accounts.ACCOUNT[1], 111, 12, DlmsData.array(rows))


def row(price):
    """An element of a charge table."""
    return DlmsData.structure([DlmsData.octet_string(b""), DlmsData.int16(price)])


if __name__ == "__main__":
    accounts.register()
    running.run(PydlmsAccounts, importlib.metadata.version("pydlms-client"))
