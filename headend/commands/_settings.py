"""What limiter, thresholds, tariff and message share: settings of a meter, written and read back.

A setting says how things shall be, so writing it twice does no harm, and a command whose answer
got lost is given again. What the meter has already is not written: it would be an event in its log.
"""

from headend.device import Device
from headend.errors import Refused, UsageError
from headend.reading.objects import refusal
from protocol.axdr import Data, encode
from protocol.errors import AccessRefused, ProtocolError
from protocol.events import AttributeRef


def put(device: Device, ref: AttributeRef, value: Data, *, held: Data | None = None) -> bool:
    """Write an attribute that is not so already, and read it back.

    Args:
        device: the meter.
        ref: the attribute.
        value: what it shall be.
        held: what it is, where that is known.

    Returns:
        Whether it was another before.

    Raises:
        Refused: the meter has no such attribute, does not take the value, or gives another back.
        UsageError: the value does not fit the type that the attribute has.
    """
    try:
        encode(value)
    except ProtocolError as error:
        raise UsageError(f"{ref.logical_name} attribute {ref.index}: {error}") from error
    if (get(device, ref) if held is None else held) == value:
        return False
    try:
        device.session.set(ref, value)
    except AccessRefused as error:
        raise refusal(device, ref, error, "write") from error
    if get(device, ref) != value:
        raise Refused(
            f"the meter does not give {ref.logical_name} attribute {ref.index} back as written"
        )
    return True


def get(device: Device, ref: AttributeRef) -> Data:
    """Read an attribute.

    Raises:
        Refused: in words.
    """
    try:
        return device.session.get(ref)
    except AccessRefused as error:
        raise refusal(device, ref, error, "read") from error


def number(device: Device, ref: AttributeRef) -> Data:
    """Read an attribute that is a whole number.

    Raises:
        Refused: it is none.
    """
    found = get(device, ref)
    if not isinstance(found.value, int) or isinstance(found.value, bool):
        raise Refused(f"{ref.logical_name} attribute {ref.index} is no number")
    return found
