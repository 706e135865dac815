"""The part of the data sheets that is about money: charges, plan, settlement, tokens, registers."""

from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    Data,
    array,
    bit_string,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    long_,
    long_unsigned,
    octet_string,
    structure,
    unsigned,
)

Key = tuple[int, ObisCode, int]
Sheet = dict[Key, Data]

NEVER = octet_string(b"\xff" * 9 + b"\x80\x00\xff")
WILD = octet_string(b"\xff" * 12)


def _attributes(class_id: int, code: ObisCode, *values: Data) -> Sheet:
    name = octet_string(code.to_bytes())
    rows = {(class_id, code, index): value for index, value in enumerate(values, 2)}
    return {(class_id, code, 1): name, **rows}


def _column(class_id: int, code: ObisCode, data_index: int = 0) -> Data:
    name = octet_string(code.to_bytes())
    return structure(long_unsigned(class_id), name, integer(2), long_unsigned(data_index))


def tariff(scale: int, price: int) -> Data:
    """Return the price of imported energy, per kWh."""
    register = octet_string(catalogue.ACTIVE_ENERGY_IMPORT.to_bytes())
    return structure(
        structure(integer(3), integer(scale)),
        structure(long_unsigned(3), register, integer(2)),
        array(structure(octet_string(b""), long_(price))),
    )


#: An amount of 0 that is for no commodity.
NOTHING = structure(
    structure(integer(0), integer(0)),
    structure(long_unsigned(0), octet_string(bytes(6)), integer(0)),
    array(structure(octet_string(b""), long_(0))),
)


def charge(
    slot: int,
    kind: int,
    configuration: str,
    *,
    priority: int = 1,
    price: Data = NOTHING,
    paid: int = 0,
    period: int = 0,
    last: tuple[Data, int] = (NEVER, 0),
    proportion: int = 0,
) -> Sheet:
    """Return a charge of which nothing remains."""
    return _attributes(
        113,
        catalogue.CHARGES[slot],
        double_long(paid),
        enum(kind),
        unsigned(priority),
        price,
        price,
        WILD,
        double_long_unsigned(period),
        bit_string(configuration),
        last[0],
        double_long(last[1]),
        double_long(0),
        long_unsigned(proportion),
    )


def blank() -> Sheet:
    """Return a meter that planned and settled nothing, exports nothing and has one phase."""
    watt_hour, watt = structure(integer(0), enum(30)), structure(integer(0), enum(27))
    zero = double_long_unsigned(0)
    return {
        **_attributes(
            1,
            catalogue.SETTLEMENT,
            structure(
                octet_string(bytes(16)), NEVER, zero, zero, double_long(0), double_long(0), array()
            ),
        ),
        **_attributes(1, catalogue.PLAN, structure(enum(0), octet_string(bytes(16)), NEVER)),
        **_attributes(1, catalogue.CARRIED_OUT, array()),
        **_attributes(1, catalogue.MESSAGE, octet_string(b"")),
        **_attributes(3, catalogue.ACTIVE_ENERGY_EXPORT, zero, watt_hour),
        **_attributes(3, catalogue.ACTIVE_POWER_EXPORT, zero, watt),
        **_attributes(3, catalogue.PHASE_VOLTAGE[0], zero, structure(integer(-1), enum(35))),
        **_attributes(3, catalogue.PHASE_CURRENT[0], zero, structure(integer(-2), enum(33))),
        **_attributes(3, catalogue.PHASE_POWER[0], zero, watt),
    }


def tokens(*rows: tuple[Data, Data]) -> Sheet:
    """Return the token log; each row is its time and the rest."""
    last = structure(
        octet_string(bytes(16)), enum(0), enum(0), enum(0), double_long(0), double_long(0)
    )
    sort_by = _column(8, catalogue.CLOCK)
    parts = [_column(1, catalogue.LAST_TOKEN, index) for index in range(1, 7)]
    return {
        **_attributes(1, catalogue.LAST_TOKEN, rows[-1][1] if rows else last),
        **_attributes(
            7,
            catalogue.TOKEN_LOG,
            array(*(structure(stamp, *row.value) for stamp, row in rows)),
            array(sort_by, *parts),
            double_long_unsigned(0),
            enum(1),
            sort_by,
            double_long_unsigned(len(rows)),
            double_long_unsigned(32),
        ),
    }
