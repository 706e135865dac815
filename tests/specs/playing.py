"""The words of a table and what they do: what a household, an operator and a head-end do.

``VOCABULARY`` at the end has a line for each; ``tests/specs/README.md`` tells them to people.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from meter_fw.board import Button
from meter_fw.cells import CLOCK
from meter_fw.nvram import Journal
from meter_fw.state import Clock
from meter_fw.view import milliseconds
from obis import catalogue
from obis.values import replace
from prepay.keys import LAB_KEYS
from prepay.money import AmountError, parse_amount
from prepay.tokens.vend import vend_lab
from prepay.transactions import Kind, Outcome
from protocol.axdr import double_long_unsigned, integer, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from tests.meter_fw.rig import number
from tests.specs import accounts
from tests.specs.accounts import GIVEN, MONEY, WHEN
from tests.specs.bench import Bench, Impossible, words
from tests.specs.reading import Row, moment_of

#: A clock without a battery begins here, as many a real one does.
_RESET: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """The meter refused an event; the message is its reason."""


class Play(Bench):
    """A bench on which the rows of a table are played."""

    def play(self, row: Row) -> None:
        """Let time pass up to a row and do what it says; ``logged`` is what came of it.

        Raises:
            Impossible: it cannot be done, or is not in the vocabulary.
        """
        self.logged, self.remarks = [], []
        self.pass_until(row.time)
        for event in row.events:
            try:
                self._do(event)
            except Refused as refusal:
                self.remarks.append(f"refused: {refusal}")
        if self.powered:
            self.logged = self._news() + self.remarks

    def _do(self, event: str) -> None:
        for pattern, action in VOCABULARY:
            found = pattern.fullmatch(event)
            if found:
                if not self.powered and action is not Play.power_back:
                    raise Impossible(f"{event!r}: there is no power")
                given = {name: text for name, text in found.groupdict().items() if text is not None}
                action(self, **given)
                return
        raise Impossible(f"{event!r} is not in the vocabulary")

    def amount(self, text: str | None) -> int:
        """Return a written amount in minor units, 0 for none."""
        try:
            return parse_amount(text or "0", self.factory.profile.currency, allow_negative=True)
        except AmountError as error:
            raise Impossible(str(error)) from error

    def stamp_of(self, moment: datetime) -> CosemDateTime:
        """Return a wall time as it goes over the line."""
        return CosemDateTime.from_datetime(self._aware(moment))

    def time_passes(self) -> None:
        """Only time passes."""

    def uses(self, kwh: str) -> None:
        """Energy, all at once."""
        if not self.contact:
            raise Impossible("no energy flows: the relay is open")
        self.tick(pulses=_watt_hours(kwh))

    def feeds_in(self, kwh: str) -> None:
        """Energy into the network, all at once."""
        if not self.contact:
            raise Impossible("no energy flows: the relay is open")
        self.tick(exported=_watt_hours(kwh))

    def draws(self, watts: str) -> None:
        """A load from now on."""
        self.load = int(watts)
        self.tick()

    def snapshot_comes(
        self, sequence: str, balance: str, emergency: str | None = None, stamp: str | None = None
    ) -> None:
        """The head-end says what the balance is, as of now or of an earlier moment."""
        given = self.snapshot(int(sequence), self.amount(balance), self.amount(emergency))
        if stamp:
            as_of = CosemDateTime.from_datetime(self._aware(moment_of(stamp)))
            given = replace(given, as_of=as_of)
        self.ordered(Kind.SNAPSHOT, given)

    def armed(self, sequence: str, until: str) -> None:
        """The head-end gives leave to cut."""
        expiry = CosemDateTime.from_datetime(self._aware(moment_of(until)))
        self.ordered(Kind.ARM, vendor.Arm(int(sequence), expiry))

    def disarmed(self) -> None:
        """It takes that back."""
        self.ordered(Kind.DISARM)

    def adjusted(self, amount: str) -> None:
        """A correction by the operator."""
        self.ordered(Kind.ADJUST, self.amount(amount))

    def refunded(self, amount: str) -> None:
        """What the customer gets back."""
        self.ordered(Kind.REFUND, self.amount(amount))

    def disconnected_after_window(self, until: str) -> None:
        """The operator's disconnect that respects friendly hours, by id."""
        latest = CosemDateTime.from_datetime(self._aware(moment_of(until)))
        self.ordered(Kind.DISCONNECT, latest)

    def customer(self, flag: str, since: str | None = None) -> None:
        """What is due to the customer: protected since some time, never cut, or neither."""
        began = CosemDateTime()
        if since:
            began = CosemDateTime.from_datetime(self._aware(moment_of(since)))
        asked = vendor.Customer(flag == "protect", flag == "never cut", began)
        self.ordered(Kind.CUSTOMER, asked)

    def withdrawn(self) -> None:
        """The operator ends minimum supply."""
        self.ordered(Kind.WITHDRAW)

    def ordered(self, kind: Kind, parameters: Any = None) -> None:
        """The head-end orders something under a new id."""
        self._ids += 1
        self._again = lambda number=self._ids: self._send(number, kind, parameters)
        self._again()

    def _send(self, number: int, kind: Kind, parameters: Any) -> None:
        result = self.order(number, kind, parameters)
        if result is DataAccessResult.OTHER_REASON:
            raise Refused(words(Outcome(self.last_outcome().outcome)))
        self.accepted(result)

    def accepted(self, result: DataAccessResult | ActionResult) -> None:
        """Take an answer.

        Raises:
            Refused: it is a refusal.
        """
        if result not in (DataAccessResult.SUCCESS, ActionResult.SUCCESS):
            raise Refused(words(result))

    def ordered_again(self) -> None:
        """The last order comes once more, under its old id."""
        if self._again is None:
            raise Impossible("nothing was ordered yet")
        self._again()

    def token_comes(self, amount: str, how: str = "pushed") -> None:
        """A token, over the line or keyed in."""
        self._ids += 1
        self._tokens.append(self.token(self._ids, self.amount(amount)))
        self.token_again(how)

    def token_again(self, how: str = "pushed") -> None:
        """The last token once more; whoever keys it in is answered by the display alone."""
        if not self._tokens:
            raise Impossible("there was no token yet")
        if how == "keyed":
            self.tick(keyed=(self._tokens[-1].hex(),))
            taken = self.kernel.state.gateway.outcome is Outcome.DONE
        else:
            taken = self.enter(self._tokens[-1]) is ActionResult.SUCCESS
        if not taken:
            raise Refused(words(self.kernel.state.gateway.outcome))

    def token_of_another(self, amount: str) -> None:
        """A true token that was bought for another meter."""
        self._ids += 1
        foreign = vend_lab(
            LAB_KEYS.token_key, b"OPP0000000000002", number(self._ids), self.amount(amount)
        )
        if self.enter(foreign) is not ActionResult.SUCCESS:
            raise Refused(words(self.kernel.state.gateway.outcome))

    def pressed(self) -> None:
        """A hand on the button."""
        self.press(Button.SELECT)

    def operator(self, what: str) -> None:
        """The operator's own command at class 70."""
        method = 1 if what == "disconnects" else 2
        self.accepted(self.act(catalogue.DISCONNECT_CONTROL, 70, method, integer(0)))

    def clock_set(self, moment: str, second: str | None = None) -> None:
        """The meter's clock is set."""
        aware = self._aware(moment_of(moment, second=bool(second)))
        octets = CosemDateTime.from_datetime(aware).to_bytes()
        self.accepted(self.set(catalogue.CLOCK, 8, octet_string(octets)))

    def sticks(self) -> None:
        """The contact no longer follows its coil."""
        self.stuck = True

    def comes_loose(self) -> None:
        """It will follow the next pulse."""
        self.stuck = False

    def cover_moved(self, what: str) -> None:
        """Somebody opens the meter's cover, or puts it back."""
        self.cover_open = what == "opened"
        self.tick()

    def limited_to(self, watts: str) -> None:
        """The head-end writes a threshold of its own, 0 for none."""
        value = double_long_unsigned(int(watts))
        result = self.set(catalogue.LIMITER, 71, value, 4)
        if result is not DataAccessResult.SUCCESS:
            raise Refused(words(result))

    def pulse_lost(self) -> None:
        """The next pulse that should move the contact does nothing."""
        self._lost = True

    def power_cut(self) -> None:
        """The mains fail, with the warning that a board gives."""
        self.tick(failing=True)
        self.powered = False

    def power_back(self, battery: str | None = None) -> None:
        """The meter boots; without a battery its clock has begun anew and knows nothing."""
        if self.powered:
            raise Impossible("there is power already")
        if battery:
            offset = milliseconds(_RESET) - self.now
            journal = Journal(self.flash)
            journal.mount()
            journal.commit({CLOCK.key(): CLOCK.encode(Clock(offset, known=False))})
        self.powered = True
        self.boot()


def _watt_hours(kwh: str) -> int:
    whole, _, part = kwh.partition(".")
    return int(whole + part.ljust(3, "0"))


_KWH: Final = r"(?P<kwh>\d+(?:\.\d{1,3})?) kWh"

#: The words of a table, one line each: what is written, and what is done.
_WORDS: Final[list[tuple[str, Callable[..., None]]]] = [
    ("nothing|time passes", Play.time_passes),
    *accounts.WORDS,
    (rf"uses {_KWH}", Play.uses),
    (rf"feed-in {_KWH}", Play.feeds_in),
    (r"load (?P<watts>\d+) W", Play.draws),
    (
        rf"snapshot (?P<sequence>\d+)(?: as of (?P<stamp>{WHEN}))?: {GIVEN}",
        Play.snapshot_comes,
    ),
    (rf"arm (?P<sequence>\d+) until (?P<until>{WHEN})", Play.armed),
    ("disarm", Play.disarmed),
    (rf"adjust (?P<amount>{MONEY})", Play.adjusted),
    (rf"refund (?P<amount>{MONEY})", Play.refunded),
    (
        rf"operator disconnects after the window, until (?P<until>{WHEN})",
        Play.disconnected_after_window,
    ),
    (rf"(?P<flag>protect)(?: since (?P<since>{WHEN}))?", Play.customer),
    ("(?P<flag>never cut|neither protected nor never cut)", Play.customer),
    ("withdraw minimum supply", Play.withdrawn),
    ("the contact sticks", Play.sticks),
    ("the contact comes loose", Play.comes_loose),
    ("the next pulse is lost", Play.pulse_lost),
    ("the cover is (?P<what>opened|closed)", Play.cover_moved),
    (r"limit (?P<watts>\d+) W", Play.limited_to),
    ("the same (?:order|snapshot) again", Play.ordered_again),
    (rf"(?:(?P<how>keyed|pushed) )?token (?P<amount>{MONEY})", Play.token_comes),
    (rf"a token of another meter (?P<amount>{MONEY})", Play.token_of_another),
    ("the same token(?: (?P<how>keyed|pushed))? again", Play.token_again),
    ("press", Play.pressed),
    ("operator (?P<what>disconnects|reconnects)", Play.operator),
    (rf"clock set to (?P<moment>{WHEN})(?P<second> \(2nd\))?", Play.clock_set),
    ("power cut", Play.power_cut),
    ("power back(?:, (?P<battery>battery lost))?", Play.power_back),
]
VOCABULARY: Final = [(re.compile(pattern), action) for pattern, action in _WORDS]
