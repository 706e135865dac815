"""The reading of a profile's file: strict, and exact about what is wrong and where.

The shape is checked first (every key known, present and of its type; ``schema_table``), then each
value is made into what the rules use, which checks its meaning. Money and prices are strings,
because a TOML float is a binary one.
"""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from obis import code as obis_code
from prepay.account_rules import MAX_CHARGES, RulesError
from prepay.account_schema import ChargeTables, DebtsTable, charge_of, debts_of
from prepay.charge import CREDIT_STEP, Charge
from prepay.credit import CreditRules, EmergencySelection
from prepay.cut import BalanceMode
from prepay.friendly import CalendarKind, WeeklyWindow
from prepay.money import CURRENCIES, Currency, parse_amount
from prepay.profile import (
    Commodity,
    Display,
    Indicator,
    Page,
    Place,
    Profile,
    ProfileError,
    Shown,
    StartCredit,
    StartRule,
)
from prepay.protection import ProtectionRules, Winter
from prepay.schema_table import Limits, NotPlain, Table, Text, model_of, read
from prepay.topup import TopUpLimits

#: Characters of a profile's file that are looked at.
MAX_LENGTH = 64 * 1024

_Octet = Annotated[int, Limits(ge=0, le=255)]
_Key = tuple[str | int, ...]
_AnyEnum = TypeVar("_AnyEnum", bound=Enum)
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([\w-]+)\s*=")
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){0,2}")


class _StartCredit(Table):
    amount: Text
    rule: Text


class _TopUp(Table):
    minimum: Text
    maximum: Text
    max_credit: Text | None = None
    order: Annotated[list[Text], Limits(max_length=MAX_CHARGES + 3)] | None = None


class _Credit(Table):
    limit: Text
    low_threshold: Text
    emergency_selection: Text
    emergency_amount: Text = "0"
    emergency_threshold: Text = "0"
    window_void_in_emergency: bool = False
    low_days: int = 0


class _Weekly(Table, keys={"start": "from", "end": "to"}):
    start: Text
    end: Text


class _Friendly(Table):
    weekly: Annotated[list[_Weekly], Limits(max_length=32)]
    holidays: Text
    sabbath: bool = False


class _Place(Table):
    latitude: Annotated[float, Limits(ge=-60, le=60)]  # further out the sun may not set
    longitude: Annotated[float, Limits(ge=-180, le=180)]


class _Protection(Table):
    threshold_w: int
    over: int
    rest: int
    months: int
    winter_from: Text
    winter_to: Text


class _Page(Table):
    code: Annotated[str, Limits(min_length=1, max_length=16)]
    shows: Text


class _Display(Table):
    code_a: _Octet
    code_b: _Octet
    indicator: Text
    pages: Annotated[list[_Page], Limits(min_length=1, max_length=32)]


class _File(Table):
    name: Annotated[str, Limits(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=32)]
    title: Text
    mode: Literal["central", "local"]
    commodity: Text
    currency: Text
    zone: Text
    phases: Literal[1, 3] = 1
    relay_control_mode: Annotated[int, Limits(ge=0, le=7)]
    start_credit: _StartCredit
    top_up: _TopUp
    credit: _Credit
    friendly: _Friendly
    display: _Display
    charges: ChargeTables
    debts: DebtsTable | None = None
    place: _Place | None = None
    protection: _Protection | None = None


def parse_profile(text: str, source: str) -> Profile:
    """Return the profile that a file's text describes.

    Args:
        text: TOML.
        source: the file's name, for messages; without ".toml" it has to be the profile's name.

    Raises:
        ProfileError: the first thing that is wrong, with its key and, where possible, its line.
    """
    document = _Document(source, text)
    file = document.read()
    if file.name != source.removesuffix(".toml"):
        raise document.error(("name",), f"{file.name!r} is not the name of the file")
    return _Builder(document, file).profile()


class _Document(Struct, frozen=True):
    source: str
    text: str

    def read(self) -> _File:
        if len(self.text) > MAX_LENGTH:
            raise self.error((), f"longer than {MAX_LENGTH} characters")
        try:
            document = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else None
            raise ProfileError(self.source, "", str(error), line) from None
        except ValueError as error:  # a whole number of thousands of digits
            raise self.error((), str(error)) from None
        except RecursionError:  # tomllib descends into nested arrays without a bound
            raise self.error((), "nested too deeply") from None
        try:
            return read(_File, document)
        except NotPlain:
            return self._judged(document)

    def _judged(self, document: dict[str, Any]) -> _File:
        """Return what pydantic makes of a file that is not plainly as it should be."""
        from pydantic import ValidationError

        try:
            return cast(_File, model_of(_File).model_validate(document))  # it has the same names
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise self.error(first["loc"], first["msg"]) from None
        except ValueError as error:  # a whole number of thousands of digits
            raise self.error((), str(error)) from None
        except RecursionError:
            raise self.error((), "nested too deeply") from None

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Turn what a rule refuses into a profile's error at this key."""
        try:
            yield
        except ValueError as error:
            raise self.error(key, str(error)) from error

    def error(self, key: _Key, reason: str) -> ProfileError:
        return ProfileError(self.source, _dotted(key), reason, self._line(key))

    def _line(self, key: _Key) -> int | None:
        """Return the line of a key, or of what holds it; tomllib does not tell."""
        lines: dict[_Key, int] = {}
        table: _Key = ()
        counts: dict[_Key, int] = {}
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = tuple(header[2].split("."))
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                lines.setdefault((*table, assignment[1]), number)
        holders = (key[:length] for length in range(len(key), 0, -1))
        return next((lines[holder] for holder in holders if holder in lines), None)


class _Builder(Struct, frozen=True):
    """Makes the values of the rules from the texts of a file, key by key."""

    document: _Document
    file: _File

    def profile(self) -> Profile:
        file = self.file
        place = Place(file.place.latitude, file.place.longitude) if file.place else None
        holidays = self._holidays()
        if place is None and (holidays is CalendarKind.ISRAEL or file.friendly.sabbath):
            raise self.document.error(("place",), "this holiday calendar needs a place for sunset")
        try:
            return self._profile(place, holidays)
        except RulesError as error:
            raise self.document.error(error.where, str(error)) from error

    def _profile(self, place: Place | None, holidays: CalendarKind) -> Profile:
        file = self.file
        return Profile(
            name=file.name,
            title=file.title,
            mode=BalanceMode[file.mode.upper()],
            commodity=self._choice(Commodity, file.commodity, "commodity"),
            currency=self._currency,
            zone=self._zone(),
            start_credit=StartCredit(
                self._amount(file.start_credit.amount, "start_credit", "amount"),
                self._choice(StartRule, file.start_credit.rule, "start_credit", "rule"),
            ),
            top_up=self._top_up(),
            credit=self._credit(),
            charges=self._charges(),
            order=(CREDIT_STEP,) if file.top_up.order is None else tuple(file.top_up.order),
            debts=debts_of(file.debts, self._currency, self.document.at),
            weekly=self._weekly(),
            sabbath=file.friendly.sabbath,
            holidays=holidays,
            place=place,
            relay_control_mode=file.relay_control_mode,
            display=self._display(),
            protection=self._protection(),
            phases=file.phases,
        )

    @property
    def _currency(self) -> Currency:
        if self.file.currency not in CURRENCIES:
            raise self.document.error(
                ("currency",), f"{self.file.currency!a} is not one of {', '.join(CURRENCIES)}"
            )
        return CURRENCIES[self.file.currency]

    def _amount(self, text: str, *key: str, allow_negative: bool = False) -> int:
        with self.document.at(*key):
            return parse_amount(text, self._currency, allow_negative=allow_negative)

    def _choice(self, kind: type[_AnyEnum], value: str, *key: str | int) -> _AnyEnum:
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(str(choice.value) for choice in kind)
            raise self.document.error(key, f"{value!a} is not one of {choices}") from None

    def _zone(self) -> ZoneInfo:
        name = self.file.zone
        try:
            if _ZONE.fullmatch(name):
                return ZoneInfo(name)
        except (ValueError, ZoneInfoNotFoundError, OSError):  # OSError: a folder of zones
            pass
        raise self.document.error(("zone",), f"{name!a} is no time zone such as Europe/Brussels")

    def _top_up(self) -> TopUpLimits:
        minimum = self._amount(self.file.top_up.minimum, "top_up", "minimum")
        maximum = self._amount(self.file.top_up.maximum, "top_up", "maximum")
        greatest = self.file.top_up.max_credit
        most = None if greatest is None else self._amount(greatest, "top_up", "max_credit")
        with self.document.at("top_up"):
            return TopUpLimits(minimum, maximum, most)

    def _charges(self) -> tuple[Charge, ...]:
        return tuple(
            charge_of(table, place, self._currency, self.document.at)
            for place, table in enumerate(self.file.charges)
        )

    def _credit(self) -> CreditRules:
        table = self.file.credit
        amounts = {
            key: self._amount(getattr(table, key), "credit", key, allow_negative=True)
            for key in ("limit", "low_threshold", "emergency_amount", "emergency_threshold")
        }
        selection = self._choice(
            EmergencySelection, table.emergency_selection, "credit", "emergency_selection"
        )
        with self.document.at("credit"):
            return CreditRules(
                **amounts,
                emergency_selection=selection,
                window_void_in_emergency=table.window_void_in_emergency,
                low_days=table.low_days,
            )

    def _weekly(self) -> tuple[WeeklyWindow, ...]:
        windows = []
        for index, window in enumerate(self.file.friendly.weekly):
            with self.document.at("friendly", "weekly", index):
                windows.append(WeeklyWindow.parse(window.start, window.end))
        return tuple(windows)

    def _holidays(self) -> CalendarKind:
        try:
            return CalendarKind[self.file.friendly.holidays.upper()]
        except KeyError:
            kinds = ", ".join(kind.name.lower() for kind in CalendarKind)
            reason = f"{self.file.friendly.holidays!a} is not one of {kinds}"
            raise self.document.error(("friendly", "holidays"), reason) from None

    def _protection(self) -> ProtectionRules | None:
        table = self.file.protection
        if table is None:
            return None
        with self.document.at("protection", "winter_from"):
            winter = Winter.parse(table.winter_from, table.winter_to)
        with self.document.at("protection"):
            return ProtectionRules(table.threshold_w, table.over, table.rest, table.months, winter)

    def _display(self) -> Display:
        table = self.file.display
        pages = []
        for index, page in enumerate(table.pages):
            with self.document.at("display", "pages", index, "code"):
                obis_code.parse(page.code)
            shows = self._choice(Shown, page.shows, "display", "pages", index, "shows")
            pages.append(Page(page.code, shows))
        indicator = self._choice(Indicator, table.indicator, "display", "indicator")
        return Display(tuple(pages), table.code_a, table.code_b, indicator)


def _dotted(key: _Key) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")
