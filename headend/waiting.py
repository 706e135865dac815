"""Waiting for a file or a socket to have something to read."""

import select


def readable(number: int, milliseconds: int) -> bool:
    """Wait until there is something to read, the end or an error included; False: nothing came.

    Args:
        number: of the open file; any number, where ``select`` takes none above 1023.
        milliseconds: how long at most; 0 only looks.
    """
    if not hasattr(select, "poll"):  # not on every system
        return bool(select.select([number], [], [], milliseconds / 1000)[0])
    waiting = select.poll()
    waiting.register(number, select.POLLIN)
    return bool(waiting.poll(milliseconds))
