"""Two notifications that are one: by sender, number, moment and values."""

from collections.abc import Iterator

import pytest

from headend.listener.news import (
    EVENT,
)
from headend.listener.reception import WINDOW_MS
from headend.store import Store, notifications
from obis.values import replace
from protocol.axdr import (
    structure,
    unsigned,
)
from protocol.cosem_time import CosemDateTime
from protocol.events import DataNotification, EventNotification, LongInvokeId
from protocol.timing import Instant
from tests.headend.pushes import met, stamp
from tests.headend.test_listen import T0


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """A database."""
    opened = Store(database)
    yield opened
    opened.close()


UNDATED = [b"", CosemDateTime().to_bytes()]


@pytest.mark.parametrize("undated", UNDATED, ids=["none", "wild"])
def test_without_a_moment_the_same_is_one_within_the_window_wherever_it_begins(
    store: Store, undated: bytes
) -> None:
    """Also over the edge between two windows; and a window later it is another."""
    desk, source, _ = met(store)
    event = EventNotification(EVENT, unsigned(48), undated)
    edge = T0 - T0 % WINDOW_MS + WINDOW_MS
    desk.now = Instant(edge - 1)
    times = []
    for moment in (edge - 1, edge, edge - 2 + WINDOW_MS, edge - 1 + WINDOW_MS):
        desk.now = Instant(moment)
        desk.hear(*source.say(event))
        times.append([row.times for row in desk.rows() if row.meter][:2])
    assert [row[0] for row in times] == [1, 2, 3, 1]


def test_two_of_one_second_are_two_by_their_hundredths_and_by_their_bodies(store: Store) -> None:
    """Of a meter whose number stands still."""
    desk, source, name = met(store)
    first = DataNotification(structure(unsigned(1)), LongInvokeId(1), stamp(1))
    later = replace(first, date_time=stamp(1)[:8] + b"\x38" + stamp(1)[9:])
    other = replace(first, body=structure(unsigned(2)))
    heard = desk.hear(*(each for one in (first, later, other, first) for each in source.say(one)))
    assert [each.again for each in heard] == [False, False, False, True]
    with store.read() as db:
        found = [row.times for row in notifications.newest(db, 10) if row.meter == name]
    assert found == [1, 1, 2]


def test_flags_do_not_make_two_of_one(store: Store) -> None:
    """Whether it is to be confirmed is how it is sent, not what it is."""
    desk, source, _ = met(store)
    first = DataNotification(structure(unsigned(1)), LongInvokeId(1, confirmed=False), stamp(1))
    urgent = replace(first, invoke=LongInvokeId(1, confirmed=True, high_priority=True))
    heard = desk.hear(*source.say(first), *source.say(urgent))
    assert [(each.again, each.confirmed) for each in heard] == [(False, False), (True, True)]
