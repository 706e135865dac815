"""A meter of ours on the line: who it is, what the database knows of it, its profile's rules."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from headend.context import Context
from headend.device import Device
from headend.errors import NoAnswer, Refused, UsageError
from headend.reach import Reached, mechanism_of, reach
from headend.registry.life import Life, check_reachable
from headend.store import StoreError, meters, transactions
from headend.store.meters import Meter
from headend.store.transactions import Transaction
from prepay.cut import BalanceMode
from prepay.money import format_amount
from prepay.profile import Profile, ProfileError, load_profile
from protocol.codes import Mechanism
from protocol.timing import Instant


class Line:
    """A meter of ours, reached, and reached again when the line has broken.

    Args:
        context: the run of the command.

    Raises:
        Refused: the meter is not one whose balance this head-end can keep or top up.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._reached: Reached | None = None
        context.set_out()
        if mechanism_of(context) < Mechanism.HLS:
            raise UsageError(
                "this command needs the management client: leave out --client and --mechanism"
            )
        self.seen = True  # whether the database knows that the meter has answered
        self.balance: int | None = None  # in our books, once a transaction has ended here
        self.booked = 0  # the same, as it was when the books were last opened
        self.newest: Instant | None = None  # when a transaction was last planned before that
        self._claims = ExitStack()  # from the first session to the last one
        try:
            self._claims.enter_context(context.claims.claim(*context.names))
            self._reached = reach(context)
            self._standing = self._reached.standing
            self.meter = self._describe(self._reached)
            self._claims.enter_context(context.claims.claim(self.meter.name))
            self.profile = self._profile()
        except BaseException:  # whatever it was: the port is given back
            self.close()
            raise

    @property
    def device(self) -> Device:
        """The meter; reached again if the line was given up."""
        if self._reached is None:
            self._reached = reach(self.context)
            if self._reached.name != self.meter.name:
                name = self._reached.name
                self.close()
                raise NoAnswer(f"no answer from {self.meter.name}: {name} answers in its place")
        return self._reached.device

    @property
    def central(self) -> bool:
        """Whether the head-end keeps the balance."""
        return self.meter.mode == BalanceMode.CENTRAL.name.lower()

    @property
    def now(self) -> Instant:
        """The head-end's time."""
        return self.context.now()

    def open_transactions(self) -> Sequence[Transaction]:
        """Return the meter's transactions whose outcome is to be found out, oldest first.

        What was read when the meter's turn began is told once: then this run may have changed it.
        """
        standing, self._standing = self._standing, None
        if standing is not None and not standing.waiting:
            return []
        with self.context.store.read() as db:
            return transactions.of_meter(db, self.meter.id, only_open=True)

    def refresh(self) -> Meter:
        """Return what the database knows of the meter now."""
        with self.context.store.read() as db:
            self.meter = meters.by_id(db, self.meter.id)
        return self.meter

    def money(self, amount: int) -> str:
        """Return an amount with its currency, for people: "EUR 25.00"."""
        return f"{self.profile.currency.code} {self.decimal(amount)}"

    def decimal(self, amount: int) -> str:
        """Return an amount as a decimal string."""
        return format_amount(amount, self.profile.currency)

    def drop(self) -> None:
        """Give the session up; ``device`` opens a new one."""
        reached, self._reached = self._reached, None
        if reached is not None:
            with suppress(NoAnswer):
                reached.session.close()

    def close(self) -> None:
        """Release the meter."""
        try:
            self.drop()
            if not self.seen:
                self.seen = True
                with suppress(StoreError), self.context.store.begin() as db:
                    meters.hold(db, self.meter.id, self.now)
        finally:
            self._claims.close()

    def _describe(self, reached: Reached) -> Meter:
        """Ask a meter that is new here what it is, and write that down."""
        if reached.standing is not None:
            known: Meter | None = reached.standing.meter
        else:
            with self.context.store.read() as db:
                known = meters.by_name(db, reached.name)
        if known is not None and known.port == self.context.place and _is_described(known):
            check_reachable(known.name, known.life)
            self.seen = False  # to be noted with whatever is written next
            return known
        with self.context.store.begin() as db:
            meter = meters.meet(db, reached.name, self.context.place, self.context.now())
            check_reachable(meter.name, meter.life)
            if meter.life == Life.REGISTERED:
                meters.commission(db, meter)
        if meter.mode != meters.FOREIGN:
            return meter
        device = reached.device
        profile = device.profile()
        if not profile:
            raise Refused(f"{meter.name} has no profile: this head-end cannot keep its balance")
        mode, serial = device.mode(), device.serial()
        for what, noted, told in (
            ("profile", meter.profile, profile),
            ("serial number", meter.serial, serial),
        ):
            if noted not in ("", told):
                raise Refused(
                    f"{meter.name} is registered with {what} {noted}, and says {told}: which is "
                    f"wrong? prepay meters set {meter.name} --{what.split()[0]} {told}"
                )
        with self.context.store.begin() as db:
            meters.describe(db, meter, serial=serial, profile=profile, mode=mode.name.lower())
            return meters.by_id(db, meter.id)

    def _profile(self) -> Profile:
        try:
            return load_profile(self.meter.profile)
        except ProfileError as error:
            raise Refused(f"{self.meter.name}: {error}") from error


def _is_described(meter: Meter) -> bool:
    return meter.mode != meters.FOREIGN and meter.life != Life.REGISTERED


@contextmanager
def open_line(context: Context) -> Iterator[Line]:
    """Reach a meter of ours and settle what is open with it before anything else.

    Raises:
        OutcomeUnknown: the line broke while an earlier transaction was being settled.
    """
    from headend.orders import settle_open  # it needs this module

    line = Line(context)
    try:
        settle_open(line)
        yield line
    finally:
        line.close()
