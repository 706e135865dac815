"""What a command works with: the user's settings, and the clock, chance and ports of its edge."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headend.clock import Clock, system_clock
from headend.errors import UsageError

if TYPE_CHECKING:  # each of these costs time that not every command has to pay
    from headend.session import Patience
    from headend.store import Store
    from headend.transports import PortSpec, TransportFactory
    from prepay.keys import MeterKeys


def default_database() -> Path:
    """Return where the database is when nobody says: in the user's data directory."""
    from platformdirs import user_data_path  # only where no --db is given

    return user_data_path("openprepay", appauthor=False) / "headend.sqlite3"


#: The values of ``--mechanism``, ``--envelope`` and ``--protection``; what they stand for is in
#: ``reach`` and ``security``, which no command has to import to show its help.
MECHANISMS = ("none", "lls", "gmac", "hls", "md5", "sha1", "sha256", "ecdsa")
ENVELOPES = (
    "glo",
    "general-glo",
    "ded",
    "general-ded",
    "identified",
    "wrapped",
    "one-pass",
    "static",
)
PROTECTIONS = ("authenticated", "encrypted", "authenticated-encrypted")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose.

    Args:
        port: port spec of the meter.
        db: URL of the database; None is the one in the user's data directory.
        keys: key file; None are the lab's keys, which are published.
        json: machine-readable output.
        trace: show the octets on the line.
        client: client SAP; None is what the mechanism has on our meters.
        logical: logical device (server SAP).
        physical: HDLC physical address; None is none in a 1-octet address, else 1.
        address_size: octets of the HDLC server address; None is the shortest that holds it.
        mechanism: one of ``MECHANISMS``; None is what the client has on our meters.
        envelope: one of ``ENVELOPES``.
        protection: one of ``PROTECTIONS``.
        sign: sign what the management client says.
        password: low-level password; None is the key file's.
        short_names: speak by short names (READ and WRITE).
    """

    port: str | None = None
    db: str | None = None
    keys: str | None = None
    json: bool = False
    trace: bool = False
    client: int | None = None
    logical: int = 1
    physical: int | None = None
    address_size: int | None = None
    mechanism: str | None = None
    envelope: str = "glo"
    protection: str = "authenticated-encrypted"
    sign: bool = False
    password: str | None = field(default=None, repr=False)
    short_names: bool = False


class Context:
    """One run of a command.

    Args:
        settings: what the user chose.
        now: the only clock; the system's unless told.
        entropy: gives that many random octets; the system's unless told.
        transports: opens ports; real ones unless told.
        store: an open database, which stays open; the one of the settings unless told.
        patience: how long to wait for answers; see ``headend.session``.
        trace: takes each line of the trace.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        now: Clock | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        transports: "TransportFactory | None" = None,
        store: "Store | None" = None,
        patience: "Patience | None" = None,
        trace: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.settings = settings
        self.now = now or system_clock()
        self.entropy = entropy
        self.patience = patience
        self.trace = trace
        self._transports = transports
        self._given_store = store

    @cached_property
    def store(self) -> "Store":
        """The database, opened when first asked for."""
        if self._given_store is not None:
            return self._given_store
        from headend.store import Store
        from headend.store.opening import default_url

        return Store(self.settings.db or default_url())

    @cached_property
    def keys(self) -> "MeterKeys":
        """The meter's keys.

        Raises:
            UsageError: the key file cannot be read or understood.
        """
        from prepay.keys import LAB_KEYS, KeyFileError, parse_keys

        if self.settings.keys is None:
            return LAB_KEYS
        path = Path(self.settings.keys)
        try:
            return parse_keys(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"key file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"key file {path}: not a text file") from error
        except KeyFileError as error:
            raise UsageError(f"key file {path}: {error}") from error

    @cached_property
    def port(self) -> "PortSpec":
        """Where the meter is.

        Raises:
            UsageError: no port was given, or it cannot be understood.
        """
        from headend.transports import PortSpec

        if not self.settings.port:
            raise UsageError("which meter? Give --port, such as serial:./meter0, or PREPAY_PORT")
        return PortSpec.parse(self.settings.port)

    @property
    def place(self) -> str:
        """Where the meter is, for the database: the port's place, and who is meant of its bus."""
        physical = self.settings.physical
        from headend.transports import LinkKind

        if physical is None or self.port.link is not LinkKind.HDLC:
            return self.port.place
        return f"{self.port.place}, physical {physical}"

    @cached_property
    def transports(self) -> "TransportFactory":
        """What opens ports."""
        from headend.transports import open_transport

        return self._transports or open_transport

    def elsewhere(self, port: str, *, physical: int | None, keys: str | None) -> "Context":
        """Return a context of the same run for another meter; the database is shared.

        Args:
            port: of that meter.
            physical: its HDLC physical address; None as in ``Settings``.
            keys: its key file; None is the same as here.
        """
        settings = replace(self.settings, port=port, physical=physical)
        if keys is not None:
            settings = replace(settings, keys=keys)
        other = Context(
            settings,
            now=self.now,
            entropy=self.entropy,
            transports=self.transports,
            store=self.store,
            patience=self.patience,
            trace=self.trace,
        )
        if keys is None:
            other.__dict__["keys"] = self.keys  # read once
        return other

    def close(self) -> None:
        """Let go of what was opened."""
        if self._given_store is None and "store" in self.__dict__:
            self.store.close()
