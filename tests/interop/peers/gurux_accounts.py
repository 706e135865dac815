"""Drives the classes of an account of gurux-dlms 1.0.203; see `accounts`."""

import importlib.metadata

import accounts
import running
from gurux_client import GuruxDriver
from gurux_dlms import GXByteBuffer
from gurux_dlms.enums import DataType
from gurux_dlms.objects import GXDLMSAccount, GXDLMSRegister
from gurux_dlms.objects.GXChargeTable import GXChargeTable

TYPES = {
    "int8": DataType.INT8,
    "int16": DataType.INT16,
    "int32": DataType.INT32,
    "uint16": DataType.UINT16,
}
FIELDS = {
    (111, 7): "clearanceThreshold",
    (111, 16): "lowCreditThreshold",
    (111, 17): "nextCreditAvailableThreshold",
    (111, 18): "maxProvision",
    (111, 19): "maxProvisionPeriod",
    (113, 13): "proportion",
}


class Pairs(GXDLMSAccount):
    """An account whose credit_charge_configuration is given in octets."""

    def __init__(self, octets):
        super().__init__(accounts.ACCOUNT[1])
        self.octets = octets

    def getValue(self, settings, e):  # noqa: N802 - the library's name
        """What is written."""
        return self.octets if e.index == 11 else super().getValue(settings, e)


class GuruxAccounts(GuruxDriver):
    """GXDLMSSecureClient with its own GXDLMSAccount, GXDLMSCredit and GXDLMSCharge."""

    def put(self, class_id, obis, index, kind, value):
        """SET through the library's class, which has to be told the type of a number."""
        target = self._object(class_id, obis)
        setattr(target, FIELDS[class_id, index], value)
        target.setDataType(index, TYPES[kind])
        self._exchange(self._client.write(target, index))

    def call(self, class_id, obis, index, kind, value):
        """ACTION; of a credit by the library's own method."""
        target = self._object(class_id, obis)
        if class_id == 112:
            own = {1: target.updateAmount, 2: target.setAmountToValue}[index]
            self._exchange(own(self._client, value))
        else:
            self._exchange(self._client.method(target, index, value, TYPES[kind]))

    def invoke(self, obis):
        """Method invoke_credit, whose parameter this library sends as unsigned."""
        self._exchange(self._object(112, obis).invokeCredit(self._client, 0))

    def life(self, index):
        """The methods of the account, each by its name."""
        target = self._object(*accounts.ACCOUNT)
        own = {1: target.activate, 2: target.close, 3: target.reset}[index]
        self._exchange(own(self._client))

    def price(self, obis, scale, price):
        """SET of unit_charge_passive, of one price."""
        target = self._object(113, obis)
        charge = target.unitChargePassive
        charge.chargePerUnitScaling.commodityScale = 3
        charge.chargePerUnitScaling.priceScale = scale
        charge.commodity.target = GXDLMSRegister(accounts.REGISTER)
        charge.commodity.index = 2
        row = GXChargeTable()
        row.index, row.chargePerUnit = bytearray(), price
        charge.chargeTables = [row]
        self._exchange(self._client.write(target, 6))

    def element(self, obis, price):
        """Method update_unit_charge: an element of the table; the library has no method for it."""
        element = GXByteBuffer()
        for octet in (DataType.STRUCTURE, 2, DataType.OCTET_STRING, 0, DataType.INT16):
            element.setUInt8(octet)
        element.setUInt16(price)
        target = self._object(113, obis)
        self._exchange(self._client.method(target, 1, element.array(), DataType.STRUCTURE))

    def moment(self, obis, octets):
        """SET of unit_charge_activation_time as octets."""
        target = self._object(113, obis)
        target.unitChargeActivationTime = bytearray(octets)
        target.setDataType(7, DataType.OCTET_STRING)
        self._exchange(self._client.write(target, 7))

    def pairs(self, bits):
        """SET of credit_charge_configuration, in octets made here: see KNOWN_FAULTS.md, 48."""
        rows = self.read(*accounts.ACCOUNT, 11)[1]
        value = GXByteBuffer()
        value.setUInt8(DataType.ARRAY)
        value.setUInt8(len(rows))
        for credit, charge, _ in rows:
            value.set(bytearray([DataType.STRUCTURE, 3]))
            for name in (credit, charge):
                value.set(bytearray([DataType.OCTET_STRING, 6, *bytes.fromhex(name["octets"])]))
            value.set(bytearray([DataType.BITSTRING, 3, int(bits, 2) << 5]))
        self._exchange(self._client.write(Pairs(value.array()), 11))

    def token_to(self, percent):
        """SET of token_gateway_configuration, as it was read."""
        target = self._object(*accounts.ACCOUNT)
        reply = self._exchange(self._client.read(target, 12))
        self._client.updateValue(target, 12, reply.value)
        target.tokenGatewayConfigurations[0].tokenProportion = percent
        self._exchange(self._client.write(target, 12))


if __name__ == "__main__":
    accounts.register()
    running.run(GuruxAccounts, importlib.metadata.version("gurux-dlms"))
