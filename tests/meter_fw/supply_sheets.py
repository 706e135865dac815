"""What the data sheets say of limiter, customer and event logs; see ``sheets``."""

from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    Data,
    array,
    bit_string,
    boolean,
    double_long,
    double_long_unsigned,
    enum,
    integer,
    long_unsigned,
    octet_string,
    structure,
    unsigned,
)

Sheet = dict[tuple[int, ObisCode, int], Data]
_NEVER = octet_string(b"\xff" * 9 + b"\x80\x00\xff")


def _attributes(class_id: int, code: ObisCode, *values: Data) -> Sheet:
    rows = {(class_id, code, index): value for index, value in enumerate(values, 2)}
    return {(class_id, code, 1): octet_string(code.to_bytes()), **rows}


def _column(class_id: int, code: ObisCode, index: int = 2) -> Data:
    name = octet_string(code.to_bytes())
    return structure(long_unsigned(class_id), name, integer(index), long_unsigned(0))


def _log(code: ObisCode, columns: tuple[Data, ...], kept: int, rows: tuple[Data, ...]) -> Sheet:
    return _attributes(
        7,
        code,
        array(*rows),
        array(*columns),
        double_long_unsigned(0),
        enum(1),
        columns[0],
        double_long_unsigned(len(rows)),
        double_long_unsigned(kept),
    )


def limiter() -> Sheet:
    """Return a limiter that nobody has set: nothing in force, a minute each way."""
    nothing = double_long_unsigned(0)
    power = structure(
        long_unsigned(3), octet_string(catalogue.ACTIVE_POWER_IMPORT.to_bytes()), integer(2)
    )
    script = structure(octet_string(bytes(6)), long_unsigned(0))
    return _attributes(
        71,
        catalogue.LIMITER,
        power,
        *(nothing, nothing, nothing),
        double_long_unsigned(60),
        double_long_unsigned(60),
        structure(long_unsigned(0), _NEVER, nothing),
        array(),
        boolean(False),
        structure(script, script),
    )


def supply(
    events: tuple[tuple[Data, int, int], ...],
    relay: tuple[tuple[Data, int, int, str], ...] = (),
) -> Sheet:
    """Return what a meter of an ordinary customer says.

    Args:
        events: stamp, code and value of each row of the standard event log.
        relay: stamp, code, control state and causes of each of the disconnect control's.
    """
    stamp = _column(8, catalogue.CLOCK)
    rows = tuple(structure(at, unsigned(code), double_long(value)) for at, code, value in events)
    moves = tuple(
        structure(at, unsigned(code), enum(control), bit_string(causes))
        for at, code, control, causes in relay
    )
    codes = (
        stamp,
        _column(1, catalogue.EVENT),
        _column(1, catalogue.EVENT_VALUE),
    )
    states = (
        stamp,
        _column(1, catalogue.RELAY_EVENT),
        _column(70, catalogue.DISCONNECT_CONTROL, 3),
        _column(1, catalogue.RELAY_CAUSES),
    )
    no = boolean(False)
    return {
        **limiter(),
        **_attributes(1, catalogue.CUSTOMER, structure(no, no, _NEVER, no, no)),
        **_log(catalogue.EVENT_LOG, codes, 100, rows),
        **_attributes(1, catalogue.EVENT, unsigned(events[-1][1])),
        **_attributes(1, catalogue.EVENT_VALUE, double_long(events[-1][2])),
        **_log(catalogue.RELAY_EVENT_LOG, states, 50, moves),
        **_attributes(1, catalogue.RELAY_EVENT, unsigned(relay[-1][1] if relay else 0)),
        **_attributes(1, catalogue.EVENT_COUNTER, double_long_unsigned(len(events))),
        **_attributes(1, catalogue.RELAY_EVENT_COUNTER, double_long_unsigned(len(relay))),
    }
