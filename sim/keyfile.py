"""``prepay-sim keys``: a key file for a meter and its head-end."""

import os
from collections.abc import Callable
from typing import Any

import click

from obis.values import replace
from prepay.keys import (
    MECHANISMS,
    PROTECTIONS,
    SUITES,
    KeyPairs,
    MeterKeys,
    format_keys,
    lab_keys,
)

_EPILOG = """\b
Examples:
  prepay-sim keys --suite 1 --new > meter.keys
  prepay-sim meter --port tcp:127.0.0.1:4059 --keys meter.keys
  prepay --port tcp:127.0.0.1:4059 --keys meter.keys status

The file has both sides' secrets, because meter and head-end of a lab are one desk. Without --new
they are the published keys of the lab, which protect nothing.
"""


def new_keys(suite: int, entropy: Callable[[int], bytes]) -> MeterKeys:
    """Return keys that nobody knows yet.

    Args:
        suite: 0 to 2.
        entropy: returns as many random octets as it is asked for.
    """
    from protocol.security import PrivateKey, SecuritySuite

    def private() -> bytes:
        # Suite 0 has no curve; what stands in its place is never used.
        return PrivateKey.from_entropy(SecuritySuite(suite or 1), entropy).scalar

    lab = lab_keys(suite)
    symmetric: dict[str, Any] = {
        name: entropy(len(getattr(lab, name)))
        for name in ("block_cipher_key", "authentication_key", "broadcast_key", "master_key")
    }
    return replace(
        lab,
        **symmetric,
        secret=entropy(len(lab.secret)),
        token_key=entropy(len(lab.token_key)),
        password=entropy(8).hex().encode(),
        meter=KeyPairs(private(), private()),
        client=KeyPairs(private(), private()),
    )


@click.command("keys", epilog=_EPILOG)
@click.option(
    "--suite",
    type=click.Choice([str(suite) for suite in SUITES]),
    default="0",
    show_default=True,
    help="Security suite: 0 AES-128, 1 with P-256, 2 AES-256 with P-384.",
)
@click.option(
    "--mechanism",
    type=click.Choice(list(MECHANISMS)),
    default="hls-gmac",
    show_default=True,
    help="How client 1 proves who it is; hls-ecdsa needs suite 1 or 2.",
)
@click.option(
    "--protection",
    type=click.Choice(list(PROTECTIONS)),
    default="authenticated-encrypted",
    show_default=True,
    help="The least that the meter asks of the APDUs of client 1.",
)
@click.option("--new", "is_new", is_flag=True, help="Random keys, rather than the lab's.")
def keys(suite: str, mechanism: str, protection: str, is_new: bool) -> None:
    """Print a key file for --keys of prepay-sim meter and of prepay."""
    number = int(suite)
    if mechanism == "hls-ecdsa" and not number:
        raise click.UsageError("hls-ecdsa needs --suite 1 or 2")
    made = new_keys(number, os.urandom) if is_new else lab_keys(number)
    made = replace(made, mechanism=MECHANISMS[mechanism], protection=PROTECTIONS[protection])
    click.echo(format_keys(made), nl=False)
