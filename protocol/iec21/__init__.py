"""IEC 62056-21: a meter's local port, reader and device, without a port or a clock.

Sign-on, then a readout (mode C), the programming mode, or HDLC (mode E); the readouts of modes A
and B, and the one that comes unasked (mode D). From the octets upwards: ``characters``,
``finder``, ``messages``, ``datasets``, ``state`` (the device's table and its theory), and the two
halves, ``device`` and ``reader``.

The book was not opened. What is said of it is what iec62056-21 0.0.2 and pydlms-client 0.1.0 do,
and what manuals of meters say in public.
"""

from protocol.iec21.characters import Parity
from protocol.iec21.datasets import DataSet, Value, format_block, parse_block
from protocol.iec21.device import DeviceTimes, TariffDevice
from protocol.iec21.messages import Command, Identification, Purpose
from protocol.iec21.reader import Reader, ReaderTimes

__all__ = [
    "Command",
    "DataSet",
    "DeviceTimes",
    "Identification",
    "Parity",
    "Purpose",
    "Reader",
    "ReaderTimes",
    "TariffDevice",
    "Value",
    "format_block",
    "parse_block",
]
