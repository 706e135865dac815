"""The course by the rules alone: hand-worked, and how little a long one costs."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.charge import Charge, ChargeType, Tariff, When
from prepay.course import Course, Deed, Move, Place
from prepay.credit import CreditRules, EmergencySelection
from prepay.cut import Reason
from prepay.demand import Demand
from prepay.friendly import WeeklyWindow
from prepay.holdings import adjust
from prepay.money import EUR
from prepay.purse import Opening, Readings, blank, open_account, top_up
from prepay.schedule import Schedule, Tables, renumbered, weekly_entries

BRUSSELS = ZoneInfo("Europe/Brussels")
MINUTE = 60_000
#: EUR 1.00 a kWh: ten cents are 100 Wh.
ENERGY = Charge(
    "energy", ChargeType.CONSUMPTION, register="1-0:1.8.0", tariffs=(Tariff.per_kwh("1.00"),)
)
PLAIN = CreditRules(low_threshold=200)
NIGHTS = tuple(WeeklyWindow.parse(f"{day} 16:00", f"{day} 20:00") for day in ("Mon", "Tue"))


def ms(local: str) -> int:
    """Return a local time of Brussels as ms since 1970."""
    return int(datetime.fromisoformat(local).replace(tzinfo=BRUSSELS).timestamp()) * 1000


def course(
    start: str,
    watt_hours: list[int],
    balance: int,
    credit: CreditRules = PLAIN,
    charges: tuple[Charge, ...] = (ENERGY,),
    fed_in: list[int] | None = None,
    windows: tuple[WeeklyWindow, ...] = NIGHTS,
) -> Course:
    """Return the course of a household that is opened with a balance, by slots of a minute."""
    rules = AccountRules(EUR, credit, charges)
    at = ms(start)
    opened = open_account(
        rules,
        blank(rules),
        Opening(balance_brought=balance),
        Readings((0,)),
        date.fromisoformat(start[:10]).toordinal(),
        at,
    )
    schedule = Schedule(BRUSSELS, Tables(renumbered(weekly_entries(windows))))
    demand = Demand.of(at, MINUTE, watt_hours, fed_in or ())
    return Course(rules, Place(BRUSSELS, schedule), demand, opened, at)


def paying(amount: int) -> Deed:
    """Return the deed of paying an amount."""

    def deed(one: Course) -> None:
        one.purse = top_up(one.rules, one.purse, amount, one.now).purse

    return deed


def test_supply_is_cut_at_the_end_of_the_minute_that_uses_the_credit_up() -> None:
    """EUR 1.00 at 10 Wh a minute is used up after 100 minutes: 11:40; low from 10:00 on."""
    house = course("2026-11-23T10:00", [10] * 600, 100)
    house.run(ms("2026-11-23T12:00"))
    assert house.moves == [Move(ms("2026-11-23T11:40"), False, False, Reason.USED_UP)]
    assert house.lows == [ms("2026-11-23T10:00")]
    assert (house.purse.balance, house.imported) == (0, 1000)


def test_a_window_holds_the_cut_back_and_the_balance_goes_on_falling() -> None:
    """Used up at 17:00, in the window; cut at 20:00, EUR 1.80 below zero."""
    house = course("2026-11-23T15:20", [10] * 600, 100)
    house.run(ms("2026-11-23T23:00"))
    assert house.moves == [Move(ms("2026-11-23T20:00"), False, False, Reason.USED_UP)]
    assert house.purse.balance == -180


def test_a_payment_brings_supply_back_at_its_own_second() -> None:
    """What was not used while it was dark is not charged for."""
    house = course("2026-11-23T10:00", [10] * 600, 100, windows=())
    house.run(ms("2026-11-23T13:00"), [(ms("2026-11-23T12:00") + 7000, paying(50))])
    assert [(move.at, move.on) for move in house.moves] == [
        (ms("2026-11-23T11:40"), False),
        (ms("2026-11-23T12:00") + 7000, True),
        (ms("2026-11-23T12:50"), False),
    ]
    assert house.imported == 1500


def test_the_advance_moves_the_floor_once_it_is_taken() -> None:
    """Automatic, EUR 0.50: supply ends at EUR -0.50, which is 50 minutes later."""
    credit = replace(PLAIN, emergency_amount=50, emergency_selection=EmergencySelection.AUTOMATIC)
    house = course("2026-11-23T10:00", [10] * 600, 100, credit, windows=())
    house.run(ms("2026-11-23T15:00"))
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T12:30"), False)]


def test_a_button_takes_the_advance_only_when_it_is_offered() -> None:
    """Pressed at 10:30 it is not there yet; pressed in the dark it brings supply back."""
    credit = replace(PLAIN, emergency_amount=50, emergency_selection=EmergencySelection.BUTTON)
    house = course("2026-11-23T10:00", [10] * 600, 100, credit, windows=())
    presses = [(ms("2026-11-23T10:30"), Course.press), (ms("2026-11-23T12:00"), Course.press)]
    house.run(ms("2026-11-23T15:00"), presses)
    assert [(move.at, move.on) for move in house.moves] == [
        (ms("2026-11-23T11:40"), False),
        (ms("2026-11-23T12:00"), True),
        (ms("2026-11-23T12:50"), False),
    ]


def test_a_charge_for_time_may_use_the_credit_up_at_midnight() -> None:
    """EUR 0.30 a day: opened with 1.00, 0.70 are left, 0.40, 0.10, and none on the fourth day."""
    standing = Charge("standing", ChargeType.TIME, 2, amount=30, period_days=1)
    house = course("2026-11-23T10:00", [0] * 7200, 100, charges=(ENERGY, standing), windows=())
    house.run(ms("2026-11-27T10:00"))
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-26T00:00"), False)]
    assert house.purse.balance == -50


def test_what_is_fed_in_keeps_supply_on() -> None:
    """10 Wh in and 10 Wh out a minute at the same price cost nothing; 20 Wh out last 100 min."""
    worth = Charge(
        "feed-in",
        ChargeType.CONSUMPTION,
        register="1-0:2.8.0",
        tariffs=(Tariff.per_kwh("-1.00"),),
    )
    house = course(
        "2026-11-23T10:00",
        [10] * 100 + [20] * 200,
        100,
        charges=(ENERGY, worth),
        fed_in=[10] * 300,
        windows=(),
    )
    house.run(ms("2026-11-23T15:00"))
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T13:20"), False)]
    assert house.exported == 2000


def test_a_balance_that_lasts_for_too_few_days_is_low() -> None:
    """14.40 a day at 10 Wh a minute. The first day of a meter's life is not on record.

    So recent use is known when the third begins: 40.00 are 11.20 then, not a day's use; 60.00 are
    31.20, and fall below two days' use of 28.80 with the 241st cent.
    """
    credit = replace(PLAIN, low_threshold=0, low_days=3)
    house = course("2026-11-23T00:00", [10] * 2880, 4000, credit, windows=())
    house.run(ms("2026-11-25T00:00"))
    assert house.lows == [ms("2026-11-25T00:00")]
    house = course("2026-11-23T00:00", [10] * 8640, 6000, replace(credit, low_days=2), windows=())
    house.run(ms("2026-11-27T00:00"))
    assert house.lows == [ms("2026-11-25T04:01")]


def test_an_operator_opens_and_closes_whatever_credit_says() -> None:
    """In a window, too; and his leave does not close for who has used everything up."""
    house = course("2026-11-23T16:00", [10] * 600, 100)

    def opened(one: Course) -> None:
        one.operator_open = True

    def closed(one: Course) -> None:
        one.operator_open = False

    def spent(one: Course) -> None:
        one.purse = adjust(one.purse, -100)

    deeds = [
        (ms("2026-11-23T17:00"), opened),
        (ms("2026-11-23T20:30"), spent),
        (ms("2026-11-23T21:00"), closed),
    ]
    house.run(ms("2026-11-23T22:00"), deeds)
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T17:00"), False)]


def test_what_waits_in_a_window_is_collected_when_it_ends() -> None:
    """Not collected in windows: 39 of 40 minutes until 16:00 are, the rest at 20:00, and cut."""
    waits = replace(ENERGY, when=When(friendly=False))
    house = course("2026-11-23T15:20", [10] * 600, 100, charges=(waits,))
    house.run(ms("2026-11-23T19:59"))
    assert house.purse.balance == 61
    house.run(ms("2026-11-23T23:00"))
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T20:00"), False)]
    assert house.purse.balance == -180


def test_what_waits_while_minimum_supply_lasts_is_collected_with_the_next_slot() -> None:
    """Limited at 11:40; paid at 12:00:30, twenty minutes are collected for at 12:01."""
    waits = replace(ENERGY, when=When(limited=False))
    house = course("2026-11-23T10:00", [10] * 121 + [0] * 99, 100, charges=(waits,), windows=())
    house.protected = True
    house.run(ms("2026-11-23T13:00"), [(ms("2026-11-23T12:00") + 30_000, paying(15))])
    assert [(move.at, move.on, move.limited) for move in house.moves] == [
        (ms("2026-11-23T11:40"), True, True),
        (ms("2026-11-23T12:00") + 30_000, True, False),
        (ms("2026-11-23T12:01"), True, True),
    ]
    assert house.purse.balance == -6


def test_in_a_window_that_is_void_nothing_waits() -> None:
    """The advance is in use from 17:00 on: what the window kept waiting is collected then."""
    credit = replace(
        PLAIN,
        emergency_amount=500,
        emergency_selection=EmergencySelection.BUTTON,
        window_void_in_emergency=True,
    )
    waits = replace(ENERGY, when=When(friendly=False))
    house = course("2026-11-23T16:00", [10] * 600, 0, credit, (waits,))
    house.run(ms("2026-11-23T17:00"))
    assert house.purse.balance == 0
    house.run(ms("2026-11-23T18:00"), [(ms("2026-11-23T17:00"), Course.press)])
    assert house.purse.balance == -120
    assert not house.moves


def test_each_rate_has_its_price() -> None:
    """EUR 1.00 and 2.00 a kWh: 50 minutes at ten cents a slot of 100 Wh, then 25 at twenty."""
    rates = replace(ENERGY, tariffs=(Tariff.per_kwh("1.00"), Tariff.per_kwh("2.00")))
    house = course("2026-11-23T10:00", [10] * 600, 100, charges=(rates,), windows=())

    def second(one: Course) -> None:
        one.rate = 1

    house.run(ms("2026-11-23T13:00"), [(ms("2026-11-23T10:50"), second)])
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T11:15"), False)]
    assert house.readings.imported == (750, 500, 250, 0, 0)


def test_what_is_left_of_a_collection_counts_for_the_next_crossing() -> None:
    """0.33 cents a minute: after a look at the second, one cent is used up with the fourth."""
    cheap = replace(ENERGY, tariffs=(Tariff.per_kwh("0.10"),))
    house = course("2026-11-23T10:00", [33] * 60, 1, charges=(cheap,), windows=())
    house.run(ms("2026-11-23T10:02"))
    house.run(ms("2026-11-23T11:00"))
    assert [(move.at, move.on) for move in house.moves] == [(ms("2026-11-23T10:04"), False)]


def test_a_price_below_zero_lifts_the_balance_out_of_what_was_low() -> None:
    """EUR 1.00 and paid a cent a minute: 2.00 are reached at 11:40; taken away, it is low anew."""
    worth = replace(ENERGY, tariffs=(Tariff.per_kwh("-1.00"),))
    house = course("2026-11-23T10:00", [10] * 600, 100, charges=(worth,), windows=())

    def spent(one: Course) -> None:
        one.purse = adjust(one.purse, -50)

    house.run(ms("2026-11-23T12:00"), [(ms("2026-11-23T11:41"), spent)])
    assert house.lows == [ms("2026-11-23T10:00"), ms("2026-11-23T11:41")]


def test_a_course_may_be_cut_into_pieces() -> None:
    """A year in one run and the same year week by week end alike."""
    days = 28
    watt_hours = [(n * 7919) % 13 for n in range(days * 1440)]
    start = ms("2027-03-15T00:00")  # a clock change is in it
    deeds = [(start + k * 3 * 24 * 60 * MINUTE + 5000, paying(1500)) for k in range(9)]
    whole = course("2027-03-15T00:00", watt_hours, 500)
    whole.run(start + days * 1440 * MINUTE, deeds)
    pieces = course("2027-03-15T00:00", watt_hours, 500)
    for piece in range(1, days * 4 + 1):
        until = start + piece * 360 * MINUTE
        pieces.run(until, [deed for deed in deeds if until - 360 * MINUTE < deed[0] <= until])
    assert whole.moves
    assert (pieces.moves, pieces.purse.totals) == (whole.moves, whole.purse.totals)
