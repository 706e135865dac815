"""Profiles: the files that come with the package, and files that strangers write."""

import re
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obis import code as obis_code
from prepay.credit import EmergencySelection
from prepay.cut import BalanceMode
from prepay.friendly import CalendarKind
from prepay.profile import (
    Indicator,
    Page,
    Profile,
    ProfileError,
    Shown,
    StartCredit,
    StartRule,
    load_profile,
    profile_names,
)
from prepay.profile_schema import MAX_LENGTH, parse_profile
from prepay.topup import TopUpLimits


def text_of(name: str) -> str:
    """Return a shipped profile as it is written."""
    return (resources.files("prepay") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")


GOOD = text_of("be-wal")
ISRAEL = text_of("il")


def test_profiles_are_found_in_sorted_order() -> None:
    """One file each."""
    assert profile_names() == sorted(profile_names())
    assert {"be-wal", "il"} <= set(profile_names())


@pytest.mark.parametrize("name", profile_names())
class TestEveryProfile:
    """What holds for each file in the folder."""

    def test_it_loads(self, name: str) -> None:
        """Under its own name, twice the same."""
        assert load_profile(name).name == name
        assert load_profile(name) == load_profile(name)

    def test_each_figure_carries_the_mark_of_its_source(self, name: str) -> None:
        """doc, pub or open, on its line or, for a table of windows, on the line above."""
        for line in text_of(name).splitlines():
            if re.match(r"(?!name|title|weekly = \[$)\w+\s*=", line):
                assert re.search(r"# (doc|pub|open)\b", line), line
        above, windows, _ = text_of(name).partition("weekly = [\n")
        comments = [line for line in above.splitlines()[-4:] if line.startswith("#")]
        assert not windows or re.match(r"# (doc|pub|open)\b", comments[0])

    def test_its_display_codes_are_obis_codes(self, name: str) -> None:
        """And fit the sixteen places of the display."""
        for page in load_profile(name).display.pages:
            obis_code.parse(page.code)

    def test_a_first_top_up_is_possible_and_the_meter_can_return(self, name: str) -> None:
        """A control mode with transition h, so that a top-up brings the supply back."""
        profile = load_profile(name)
        profile.top_up.check(profile.top_up.minimum, profile.currency)
        assert profile.relay_control_mode in (5, 6, 7)


def test_wallonia_in_figures() -> None:
    """Each of them, as the operator and others publish it."""
    profile = load_profile("be-wal")
    assert profile.mode is BalanceMode.CENTRAL
    assert (profile.currency.code, profile.zone.key) == ("EUR", "Europe/Brussels")
    assert profile.start_credit == StartCredit(2000, StartRule.RAISE_TO)
    assert profile.top_up == TopUpLimits(500, 25000)
    assert profile.credit.limit == 0
    assert profile.credit.low_threshold == 500
    assert profile.credit.emergency_amount == 1200
    assert profile.credit.emergency_selection is EmergencySelection.BUTTON
    assert profile.credit.window_void_in_emergency
    assert profile.holidays is CalendarKind.NONE
    assert profile.display.indicator is Indicator.ARROW
    assert profile.display.pages == (
        Page("1.8.0", Shown.ENERGY),
        Page("94.32.2 1", Shown.UPDATED),
        Page("94.32.2 2", Shown.BALANCE),
        Page("94.32.2 3", Shown.EMERGENCY),
    )
    assert (profile.display.code_a, profile.display.code_b) == (0, 0)


def test_israel_in_figures() -> None:
    """Each of them, as the operator and others publish it."""
    profile = load_profile("il")
    assert profile.mode is BalanceMode.LOCAL
    assert (profile.currency.code, profile.zone.key) == ("ILS", "Asia/Jerusalem")
    assert profile.top_up == TopUpLimits(10000, 300000)
    assert profile.credit.limit == -5000
    assert not profile.credit.has_emergency
    assert profile.holidays is CalendarKind.ISRAEL
    assert profile.place is not None
    assert profile.tariff.price_per_kwh == Decimal("0.60")
    assert profile.display.indicator is Indicator.NONE


@pytest.mark.parametrize(
    ("rule", "old", "first"),
    [
        (StartRule.RAISE_TO, 0, 2000),
        (StartRule.RAISE_TO, 350, 2000),
        (StartRule.RAISE_TO, -700, 2000),
        (StartRule.RAISE_TO, 2500, 2500),
        (StartRule.ADD, 350, 2350),
    ],
)
def test_the_first_balance(rule: StartRule, old: int, first: int) -> None:
    """Raised to the start credit, or the start credit on top."""
    assert StartCredit(2000, rule).first_balance(old) == first


@pytest.mark.parametrize(
    ("name", "charges", "order"),
    [
        (
            "be-wal",
            ["energy", "standing", "costs", "interest", "principal"],
            ("balance", "debts", "credit"),
        ),
        (
            "il",
            ["energy", "standing", "fee", "vat", "costs", "interest", "principal"],
            ("fee", "vat", "debts", "credit"),
        ),
    ],
)
def test_the_charges_and_the_order_of_a_top_up(
    name: str, charges: list[str], order: tuple[str, ...]
) -> None:
    """Slots are places in the list: a meter in the field knows its charges by them."""
    profile = load_profile(name)
    assert [charge.name for charge in profile.charges] == charges
    assert (profile.order, profile.account.order) == (order, order)
    assert profile.phases == 1


def edited(old: str, new: str, text: str = GOOD) -> str:
    """Return a good file with one thing changed."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('amount = "20.00"', "amount = 20.00", "start_credit.amount", "string"),
        ('amount = "20.00"', 'amount = "20.005"', "start_credit.amount", "decimals"),
        ('amount = "20.00"', 'amount = "-1.00"', "start_credit.amount", "negative"),
        ('amount = "20.00"', 'amonut = "20.00"', "start_credit.amount", "required"),
        ('rule = "raise_to"', 'rule = "double"', "start_credit.rule", "raise_to, add"),
        ('mode = "central"', 'mode = "thin"', "mode", "'central' or 'local'"),
        ('commodity = "electricity"', 'commodity = "beer"', "commodity", "electricity, gas"),
        ('currency = "EUR"', 'currency = "XXX"', "currency", "EUR, ILS"),
        ('zone = "Europe/Brussels"', 'zone = "Europe/Bruges"', "zone", "no time zone"),
        ('zone = "Europe/Brussels"', 'zone = "../../etc/passwd"', "zone", "no time zone"),
        ('zone = "Europe/Brussels"', 'zone = "Europe"', "zone", "no time zone"),
        ('zone = "Europe/Brussels"', 'zone = "\\u0000"', "zone", "no time zone"),
        ("phases = 1", "phases = 2", "phases", "1 or 3"),
        ('price = "0.35"', 'price = "0.40001"', "charges[0].price", "16-bit"),
        ('price = "0.35"', "price = 0.35", "charges[0].price", "string"),
        ('price = "0.35"', 'tariff = "0.35"', "charges[0].tariff", "not permitted"),
        ("relay_control_mode = 6", "relay_control_mode = 8", "relay_control_mode", "7"),
        ("relay_control_mode = 6", 'relay_control_mode = "6"', "relay_control_mode", "integer"),
        ("relay_control_mode = 6", "relay_control_mode = true", "relay_control_mode", "integer"),
        ('maximum = "250.00"', 'maximum = "4.00"', "top_up", "least top-up"),
        ('limit = "0.00"', 'limit = "1.00"', "credit", "limit: "),
        ('"12.00"', '"0.00"', "credit", "emergency_selection: "),
        ('"button"', '"knob"', "credit.emergency_selection", "none, automatic, button"),
        ("emergency = true", 'emergency = "yes"', "credit.window_void_in_emergency", "bool"),
        ('holidays = "none"', 'holidays = "bavaria"', "friendly.holidays", "none, israel"),
        ('holidays = "none"', 'holidays = "none"\nsabbath = true', "place", "sunset"),
        ('holidays = "none"', 'holidays = "none"\nsabbath = 1', "friendly.sabbath", "bool"),
        ('holidays = "none"', 'holidays = "israel"', "place", "sunset"),
        ('"Fri 16:00"', '"Vrijdag 16:00"', "friendly.weekly[4]", "Fri 16:00"),
        ('"Fri 16:00", to', '"Fri 16:00", until', "friendly.weekly[4].to", "required"),
        ("code_a = 0", "code_a = 256", "display.code_a", "255"),
        ('indicator = "arrow"', 'indicator = "lamp"', "display.indicator", "arrow, none"),
        ('"94.32.2 3"', '"94.32.2.3.4.5.6"', "display.pages[3].code", "OBIS"),
        ('"94.32.2 3"', '"94.32.2 1234567890"', "display.pages[3].code", "16 characters"),
        ('shows = "power"', 'shows = "all"', "display.pages[2].shows", "energy, power"),
        ('name = "be-wal"', 'name = "be-vla"', "name", "not the name of the file"),
        ('name = "be-wal"', 'name = "../x"', "name", "pattern"),
        ("code_b = 0", "code_b = 0\ncolour = 1", "display.colour", "not permitted"),
    ],
)
def test_what_is_wrong_is_named_with_file_key_reason_and_line(
    old: str, new: str, key: str, reason: str
) -> None:
    """The line is that of the key, or of the table that misses it."""
    name, text = ("il", ISRAEL) if old not in GOOD else ("be-wal", GOOD)
    wrong = edited(old, new, text)
    with pytest.raises(ProfileError) as refused:
        parse_profile(wrong, f"{name}.toml")
    assert refused.value.key == key
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"{name}.toml")
    if key != "place":  # which is not in the file at all
        assert refused.value.line is not None
        last = re.findall(r"\w+", key)[-1]
        first = next(part for part in re.findall(r"[a-z_]+", key))
        shown = wrong.splitlines()[refused.value.line - 1]
        assert last in shown or first in shown or "weekly" in shown


def test_the_message_in_full() -> None:
    """One line that a person can act on."""
    with pytest.raises(ProfileError) as refused:
        parse_profile(edited('maximum = "250.00"', 'maximum = "250,00"'), "be-wal.toml")
    line = GOOD.splitlines().index(next(row for row in GOOD.splitlines() if "250.00" in row)) + 1
    assert str(refused.value) == (
        f"be-wal.toml, line {line}: top_up.maximum: "
        "'250,00' is not a plain amount: a decimal point, not a comma"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "name =",
        "name = 'a'\nname = 'b'",
        "[[[[",
        "a = " + "[" * 5000,
        "a = " + "[" * 20000 + "]" * 20000,
        "a = " + "{a=" * 5000,
        "a = " + "9" * 10000,
        ".".join("a" * 5000) + " = 1",
        "a = 1979-13-45",
        "x" * (MAX_LENGTH + 1),
        "[display]\npages = 1",
        "display = 1\nfriendly = []\ncredit = 'x'",
        GOOD + "\n[[friendly.weekly]]\nfrom = 'Mon 00:00'",
    ],
)
def test_hostile_files_are_refused_by_name(text: str) -> None:
    """Nesting, long numbers, half a file: never a traceback of another type, never a long line."""
    with pytest.raises(ProfileError) as refused:
        parse_profile(text, "x.toml")
    assert len(str(refused.value)) < 500


def test_too_many_windows_or_pages_are_refused() -> None:
    """Bounded, as in a meter's memory."""
    window = '    { from = "Mon 16:00", to = "Tue 08:00" },\n'
    with pytest.raises(ProfileError, match=r"friendly\.weekly"):
        parse_profile(edited(window, window * 30), "be-wal.toml")
    page = '\n[[display.pages]]\ncode = "1.8.0"\nshows = "energy"\n'
    with pytest.raises(ProfileError, match=r"display\.pages"):
        parse_profile(GOOD + page * 40, "be-wal.toml")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_garbled_file_is_a_profile_or_refused(data: st.DataObject) -> None:
    """Any piece of a good file replaced by anything."""
    start = data.draw(st.integers(0, len(GOOD)))
    length = data.draw(st.integers(0, 40))
    middle = data.draw(st.one_of(st.text(max_size=10), st.text("[]{}=\"'.\n0-#", max_size=10)))
    try:
        profile = parse_profile(GOOD[:start] + middle + GOOD[start + length :], "be-wal.toml")
    except ProfileError:
        return
    assert isinstance(profile, Profile)


@pytest.mark.parametrize("name", ["", "nowhere", "../pyproject", "be-wal.toml", "x" * 10000])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    """And never looked for in the file system."""
    with pytest.raises(ProfileError, match="only be-wal, ") as refused:
        load_profile(name)
    assert len(str(refused.value)) < 200
