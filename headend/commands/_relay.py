"""What connect and disconnect share: an operator's order to the relay.

The order is not a transaction: it says where the relay shall be, so giving it twice does no harm,
and when the answer is lost the relay itself is asked.
"""

from headend.context import Context
from headend.device import Device
from headend.errors import NoAnswer, Refused
from headend.line import open_line
from headend.report import Report
from protocol.errors import ActionRefused

DISCONNECT, RECONNECT = 1, 2
_ATTEMPTS = 3


def move(context: Context, method: int) -> Report:
    """Order the relay and report where it is.

    Args:
        context: the run of the command.
        method: ``DISCONNECT`` or ``RECONNECT``, the methods of class 70.

    Raises:
        Refused: the relay's control mode does not allow it.
        NoAnswer: also when the order went out and its answer got lost for good.
    """
    with open_line(context) as line:
        for attempt in range(_ATTEMPTS):
            try:
                _order(line.device, method)
                relay, causes = line.device.relay(), line.device.relay_causes()
                break
            except NoAnswer:
                if attempt == _ATTEMPTS - 1:
                    raise
                line.drop()
        data = {"meter": line.meter.name, "relay": relay, "relay_causes": causes}
        held = f", held open by: {', '.join(causes)}" if causes else ""
        return Report(data, (f"{line.meter.name}: relay {relay.replace('_', ' ')}{held}",))


def _order(device: Device, method: int) -> None:
    if _is_there(device, method):
        return
    try:
        device.move_relay(method)
    except ActionRefused as error:
        raise Refused(f"the relay does not take that order now: {error}") from error


def _is_there(device: Device, method: int) -> bool:
    by_operator = "operator" in device.relay_causes()
    return by_operator if method == DISCONNECT else device.relay() == "connected"
