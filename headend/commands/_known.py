"""What is known of a meter before it is called: its profile, by which arguments are judged.

The registry knows it of a meter by name that was met, or imported with it. What is refused by it
costs no session, and is refused in the same words when a command is queued or tried out.
"""

from typing import TYPE_CHECKING

from headend.commands._amounts import amount_of
from headend.context import Context
from headend.errors import Refused

if TYPE_CHECKING:  # who gives a port only has it from the meter
    from prepay.profile import Profile


def profile_known(context: Context) -> "Profile | None":
    """Return the profile that the registry says a meter has; None where the meter is to say."""
    entry = context.registered
    if entry is None or not entry.profile:
        return None
    from prepay.profile import ProfileError, load_profile

    try:
        return load_profile(entry.profile)
    except ProfileError:
        return None


def amount_known(
    context: Context, text: str, *, signed: bool = False, zero: bool = False
) -> int | None:
    """Return an amount in minor units; None where nobody knows the currency yet.

    Args:
        context: the run of the command.
        text, signed, zero: as ``amount_of``.

    Raises:
        UsageError: no such amount, or one in no currency at all.
    """
    profile = profile_known(context)
    currency = None if profile is None else profile.currency
    minor = amount_of(text, currency, signed=signed, zero=zero)
    return None if profile is None else minor


def payment_known(context: Context, text: str) -> int | None:
    """Return a payment in minor units; None where nobody knows the profile yet.

    None also of a durable command: it was judged when it was queued, and is once more at its meter.

    Raises:
        UsageError: as ``amount_known``.
        Refused: the profile does not take it.
    """
    if context.queued_as is not None:
        return None
    profile = profile_known(context)
    if profile is not None:
        return payment_of(text, profile)
    amount_of(text)
    return None


def payment_of(text: str, profile: "Profile") -> int:
    """Return a payment in minor units, as a profile takes it.

    Raises:
        UsageError: no such amount.
        Refused: less or more than the profile takes at once.
    """
    from prepay.topup import TopUpError  # which came with the profile

    minor = amount_of(text, profile.currency)
    try:
        profile.top_up.check(minor, profile.currency)
    except TopUpError as error:
        raise Refused(str(error)) from error
    return minor
