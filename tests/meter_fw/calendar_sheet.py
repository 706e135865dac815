"""The calendar's objects in the data sheets: the windows of Wallonia, the Sabbaths of Jerusalem."""

from obis import catalogue
from obis.code import ObisCode
from protocol.axdr import (
    Data,
    array,
    bit_string,
    boolean,
    enum,
    integer,
    long_unsigned,
    octet_string,
    structure,
)

ANY = "FF FF"
#: Halves of a month from and to, month and day, and when Sabbath's window opens in them.
OPENS = """
1555 0101 010F, 1605 0110 011F, 1620 0201 020F, 1635 0210 021D, 1645 0301 030F, 1655 0310 031F,
1805 0401 040F, 1815 0410 041E, 1825 0501 050F, 1835 0510 051F, 1845 0601 060F, 1855 0610 070F,
1845 0710 071F, 1830 0801 080F, 1810 0810 081F, 1750 0901 090F, 1730 0910 091E, 1715 0A01 0A0F,
1555 0A10 0A1F, 1545 0B01 0B0F, 1540 0B10 0C0F, 1545 0C10 0C1F
"""
CLOSES = """
1750 0101 010F, 1805 0110 011F, 1815 0201 020F, 1825 0210 021D, 1835 0301 030F, 1945 0310 031F,
2000 0401 040F, 2010 0410 041E, 2020 0501 050F, 2035 0510 051F, 2040 0601 060F, 2045 0610 070F,
2040 0710 071F, 2030 0801 080F, 2015 0810 081F, 1955 0901 090F, 1935 0910 091E, 1915 0A01 0A0F,
1855 0A10 0A1F, 1740 0B01 0B0F, 1730 0B10 0C0F, 1740 0C10 0C1F
"""


def objects(name: str) -> dict[tuple[int, ObisCode, int], Data]:
    """Return the attributes of a profile's calendar, as it is made."""
    never = octet_string(b"\xff" * 9 + b"\x80\x00\xff")
    rows = _wallonia() if name == "be-wal" else _jerusalem()
    values = {
        (10, catalogue.CALENDAR_SCHEDULE): array(*rows),
        (11, catalogue.CALENDAR_SPECIAL_DAYS): array(),
        (9, catalogue.CALENDAR_SCRIPTS): array(_script(1, opens=True), _script(2, opens=False)),
        (1, catalogue.CALENDAR_FROM): never,
        (1, catalogue.CALENDAR_UNTIL): never,
        (1, catalogue.CALENDAR_RUNS_OUT): boolean(False),
    }
    return {
        (class_id, code, index): value
        for (class_id, code), second in values.items()
        for index, value in ((1, octet_string(code.to_bytes())), (2, second))
    }


def _wallonia() -> list[Data]:
    return [_row(1, 2, "0800", "1111100", ANY, ANY), _row(2, 1, "1600", "1111100", ANY, ANY)]


def _jerusalem() -> list[Data]:
    told = [(1, "0000100", one) for one in OPENS.split(",")]
    told += [(2, "0000010", one) for one in CLOSES.split(",")]
    rows = []
    for index, (script, days, text) in enumerate(told, start=1):
        at, begin, end = text.split()
        rows.append(_row(index, script, at, days, begin, end))
    return rows


def _row(index: int, script: int, at: str, days: str, begin: str, end: str) -> Data:
    return structure(
        long_unsigned(index),
        boolean(True),
        octet_string(catalogue.CALENDAR_SCRIPTS.to_bytes()),
        long_unsigned(script),
        octet_string(bytes((int(at[:2]), int(at[2:]), 0, 0))),
        long_unsigned(0xFFFF),
        bit_string(days),
        bit_string(""),
        octet_string(bytes.fromhex(f"FFFF {begin} FF")),
        octet_string(bytes.fromhex(f"FFFF {end} FF")),
    )


def _script(identifier: int, *, opens: bool) -> Data:
    action = structure(
        enum(1),
        long_unsigned(1),
        octet_string(catalogue.FRIENDLY_WINDOW.to_bytes()),
        integer(2),
        boolean(opens),
    )
    return structure(long_unsigned(identifier), array(action))
