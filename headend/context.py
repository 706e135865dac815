"""What a command works with: the user's settings, and the clock, chance and ports of its edge."""

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from headend.clock import Clock, system_clock
from headend.errors import KeysUnusable, NoMasterKey, UsageError
from headend.lazy import lazy
from obis.values import hiding, replace

if TYPE_CHECKING:  # each of these costs time that not every command has to pay
    from headend.claims import Claims
    from headend.observe.watching import Watch
    from headend.session import Patience
    from headend.store import Store
    from headend.store.entry import Entry
    from headend.transports import PortSpec, TransportFactory
    from headend.vault import Held, Masters, Vault
    from headend.vault.pairs import Unjudged
    from prepay.keys import MeterKeys
    from protocol.events import AttributeRef
    from protocol.timing import Instant


def default_database() -> Path:
    """Return where the database is when nobody says: in the user's data directory."""
    from platformdirs import user_data_path  # only where no --db is given

    return user_data_path("openprepay", appauthor=False) / "headend.sqlite3"


#: How long a command waits for another one that speaks to its meter.
LOCK_PATIENCE_MS = 30_000

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


class Settings(Struct, frozen=True):
    """What the user chose.

    Args:
        port: port spec of the meter.
        meter: its name or EAN in the registry, which knows port and access then; None is by port.
        db: URL of the database; None is the one in the user's data directory.
        keys: key file; None are the lab's keys, which are published.
        json: machine-readable output.
        trace: show the octets on the line.
        capture: file that they are written down in; None is none.
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
        given: names of what was chosen in so many words: the registry does not overrule it, even
            where it is the default.
    """

    port: str | None = None
    meter: str | None = None
    db: str | None = None
    keys: str | None = None
    json: bool = False
    trace: bool = False
    capture: str | None = None
    client: int | None = None
    logical: int = 1
    physical: int | None = None
    address_size: int | None = None
    mechanism: str | None = None
    envelope: str = "glo"
    protection: str = "authenticated-encrypted"
    sign: bool = False
    password: str | None = None
    short_names: bool = False
    given: frozenset[str] = frozenset()

    __repr__ = hiding("password")


class Context:
    """One run of a command.

    Args:
        settings: what the user chose; for a meter by name ``settings`` has the registry's as well.
        now: the only clock; the system's unless told.
        entropy: gives that many random octets; the system's unless told.
        transports: opens ports; real ones unless told.
        store: an open database, which stays open; the one of the settings unless told.
        patience: how long to wait for answers; see ``headend.session``.
        trace: takes each line of the trace.
        masters: the vault's master keys; looked for in their places unless told.
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
        masters: "Masters | None" = None,
    ) -> None:
        self.chosen = settings
        self.now = now or system_clock()
        self.entropy = entropy
        self.patience = patience
        self.trace = trace
        self._transports = transports
        self._given_store = store
        self._masters = masters
        #: Of a durable command: nothing of it is sent for the first time after this moment ...
        self.not_after: Instant | None = None
        #: ... nor once somebody has withdrawn it; asked just before an order is first sent.
        self.cancelled: Callable[[], bool] = lambda: False
        #: How long a management session waits for another command that speaks to the same meter.
        self.lock_patience_ms = LOCK_PATIENCE_MS
        #: Which command this is, and the id that its log lines and captured packets have.
        self.command = self.correlation = ""
        #: The transaction of a durable command, whose own rows in the audit log tell of what it
        #: orders, empty where it has none; None: somebody gives the command himself.
        self.queued_as: str | None = None
        #: Whether nothing of this command can have been done before this run: not so of a durable
        #: one whose attempt before this one failed, or died.
        self.first: bool = True
        #: Is told of each session and what goes over its line; None where nobody watches.
        self.watch: Watch | None = None
        #: What will be asked of a meter of ours first, by who keeps its balance: with its name.
        self.foreseen: Mapping[str, Sequence[AttributeRef]] = {}
        #: Called where a command goes to its meter, its parameters judged and nothing done yet:
        #: a rehearsal (``headend.engine.arguments``) raises here, and so goes no further.
        self.set_out: Callable[[], None] = lambda: None
        #: Stands for the meter's key for signatures where nobody knows which one it has.
        self.unjudged: Unjudged | None = None
        #: Asked before a session is opened; raises ``Cancelled`` or ``Expired``.
        self.permit: Callable[[], None] = lambda: None

    @property
    def from_outside(self) -> bool:
        """Whether nobody in this process has opened the database."""
        return self._given_store is None and "store" not in self.__dict__

    @lazy
    def store(self) -> "Store":
        """The database, opened when first asked for."""
        if self._given_store is not None:
            return self._given_store
        from headend.store import Store
        from headend.store.opening import default_url

        return Store(self.chosen.db or default_url())

    @lazy
    def claims(self) -> "Claims":
        """The locks that this run holds: one session with a meter at a time, whoever opens it."""
        from headend.claims import Claims

        return Claims(self.store.locks, self.lock_patience_ms)

    @lazy
    def registered(self) -> "Entry | None":
        """What the registry says of the meter that was given by name; None for one by port.

        Raises:
            UsageError: there is none of that name.
        """
        if self.chosen.meter is None:
            return None
        from headend.registry.finding import find  # with it comes the database

        with self.store.look() as db:
            return find(db, self.chosen.meter)

    @lazy
    def settings(self) -> Settings:
        """What the user chose; for a meter by name, what the registry says where nobody chose.

        Raises:
            UsageError: there is none of that name.
        """
        if self.registered is None:
            return self.chosen
        from headend.registry.finding import applied

        return applied(self.chosen, self.registered)

    @lazy
    def keys(self) -> "MeterKeys":
        """The meter's keys: the key file's, else the vault's, else the lab's.

        Raises:
            KeysUnusable: the key file, or the master key, cannot be read or understood.
            Refused: the vault's cannot be opened.
        """
        from prepay.keys import LAB_KEYS, KeyFileError, parse_keys

        if self.settings.keys is None:
            return LAB_KEYS if self.held is None else self.held.keys
        path = Path(self.settings.keys)
        try:
            return parse_keys(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise KeysUnusable(f"key file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise KeysUnusable(f"key file {path}: not a text file") from error
        except KeyFileError as error:
            raise KeysUnusable(f"key file {path}: {error}") from error

    @lazy
    def held(self) -> "Held | None":
        """What the vault has of the meter that was given by name.

        None where it has no keys of it, or they come from a file.

        Raises:
            UsageError, Refused: as ``keys``.
        """
        if self.settings.keys is not None or self.registered is None:
            return None
        return self.vault.held(self.registered.name) if self.registered.has_keys else None

    @lazy
    def vault(self) -> "Vault":
        """The keys of meters in the database.

        Raises:
            NoMasterKey: there is none, or it cannot be used.
        """
        from headend.vault import Vault, masters

        try:
            found = self._masters or masters.find(os.environ)
        except UsageError as error:
            raise NoMasterKey(str(error)) from error
        return Vault(self.store, found, self.entropy)

    @lazy
    def caller(self) -> str:
        """Who runs this, for the audit log: the system's user unless somebody else is set."""
        try:
            return getpass.getuser()[:64].encode("utf-8", "replace").decode()  # octets may be none
        except (KeyError, OSError):  # nobody that the system knows by name
            return "unknown"

    @lazy
    def port(self) -> "PortSpec":
        """Where the meter is.

        Raises:
            UsageError: no port was given, or it cannot be understood.
            Refused: the meter is retired.
        """
        from headend.transports import PortSpec

        if self.registered is not None:
            from headend.registry.life import check_reachable

            check_reachable(self.registered.name, self.registered.life)
        if not self.settings.port:
            if self.registered is not None:
                name = self.registered.name
                raise UsageError(f"{name} has no port: prepay meters set {name} --port SPEC")
            raise UsageError(
                "which meter? Give --meter NAME, or --port, such as serial:./meter0, or PREPAY_PORT"
            )
        return PortSpec.parse(self.settings.port)

    @property
    def place(self) -> str:
        """Where the meter is, for the database: the port's place, and who is meant of its bus."""
        physical = self.settings.physical
        from headend.transports import LinkKind

        if physical is None or self.port.link is not LinkKind.HDLC:
            return self.port.place
        return f"{self.port.place}, physical {physical}"

    @property
    def names(self) -> tuple[str, ...]:
        """What is known of the meter by which it is locked: its place, and its name if told."""
        return self.place, *(() if self.registered is None else (self.registered.name,))

    @lazy
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
        settings = replace(self.settings, meter=None, port=port, physical=physical)
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
            masters=self._masters,
        )
        other.command, other.correlation, other.watch = self.command, self.correlation, self.watch
        other.caller, other.queued_as = self.caller, self.queued_as
        if keys is None:
            other.__dict__["keys"] = self.keys  # read once
        other.__dict__["claims"] = self.claims  # what this run holds it need not wait for
        return other

    def close(self) -> None:
        """Let go of what was opened."""
        if self._given_store is None and "store" in self.__dict__:
            self.store.close()
