"""A year of a meter's life by the rules alone: the year of `bench_year`, and the same ledger.

``python -m benchmarks.bench_course [--runs N] [--profile]`` prints the CPU time of a course over
35,040 quarter-hours with Sabbaths, holidays and two top-ups a week, once with the figures of the
profile il and once with a standing charge, a fee and VAT. The running sums of the demand are made
anew each time; the load and the tables of windows are given, as they are to a kernel. Before that
the very same year goes through ``kernel.tick``, and has to end in the same ledger.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable

from benchmarks.bench_year import DAYS, FIRST, MORNING, PAY_DAYS, START_CREDIT, TOP_UP, Year
from obis.values import replace
from prepay.charge import Charge
from prepay.course import Course, Deed, Place
from prepay.demand import Demand
from prepay.profile import Profile, load_profile
from prepay.purse import Opening, Readings, blank, open_account, top_up
from sim.load import QUARTER

#: Amounts in agorot and a proportion, of charges that the profile has without any.
FIGURES = {"standing": 30_00, "fee": 50, "vat": 500}


def with_figures() -> Profile:
    """Return il with something to collect in each charge."""

    def figured(charge: Charge) -> Charge:
        figure = FIGURES.get(charge.name, 0)
        if charge.name == "vat":
            return replace(charge, proportion=figure)
        return replace(charge, amount=figure) if figure else charge

    il = load_profile("il")
    return replace(il, charges=tuple(map(figured, il.charges)))


def paying(amount: int) -> Deed:
    """Return the deed of paying."""

    def deed(course: Course) -> None:
        course.purse = top_up(course.rules, course.purse, amount, course.now).purse

    return deed


def maker(year: Year) -> Callable[[], Course]:
    """Return what lives through the same year by the rules alone, anew at each call."""
    profile, start = year.factory.profile, int(year.start)
    rules, place = profile.account, Place(profile.zone, year.factory.calendar)
    opening = Opening(START_CREDIT, start_credit=False)
    pay = paying(TOP_UP[year.profile])
    deeds = [
        (start + (day * 96 + MORNING + 1) * QUARTER, pay)
        for day in range(DAYS)
        if day % 7 in PAY_DAYS
    ]

    def live() -> Course:
        demand = Demand.of(start, QUARTER, year.load)
        nothing, today = Readings((0,)), FIRST.toordinal()
        purse = open_account(rules, blank(rules), opening, nothing, today, start)
        course = Course(rules, place, demand, purse, start)
        course.run(demand.end, deeds)
        return course

    return live


def ledger(course: Course) -> str:
    """Return what the course came to, in one line."""
    totals = course.purse.totals
    return (
        f"{course.imported} Wh, paid {totals.started + totals.paid}, charged {totals.charged}, "
        f"balance {totals.balance}, {len(course.moves)} moves of the relay"
    )


def measure(live: Callable[[], Course], runs: int) -> list[float]:
    """Return the CPU seconds of so many runs."""
    found = []
    for _ in range(runs):
        began = time.process_time()
        live()
        found.append(time.process_time() - began)
    return found


def main() -> None:
    """Measure, with the kernel's ledger for a judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20, help="of which the best counts")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    for name, figures in (("il", None), ("il with figures", with_figures())):
        year = Year("il", figures)
        live = maker(year)
        year.run()
        course, state = live(), year.kernel.state
        assert course.purse.totals == state.totals
        assert [charge.paid for charge in course.purse.charges] == [
            charge.paid for charge in state.charges
        ]
        assert (course.imported, len(course.moves)) == (state.energy.imported, year.moves)
        times = sorted(measure(live, options.runs))
        print(
            f"{name}: {times[0] * 1e3:.1f} ms the best of {len(times)} "
            f"({times[len(times) // 2] * 1e3:.1f} ms the median)"
        )
        print(f"  {ledger(course)}; the kernel's is the same")
        if options.profile:
            profiled = cProfile.Profile()
            profiled.runcall(live)
            pstats.Stats(profiled).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
