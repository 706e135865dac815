"""Which local day a moment lies in; asked for at each tick, and answered anew once a day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


class LocalDay:
    """Local days of one zone; remembers the edges of the day that was asked for last.

    Args:
        zone: where days begin at midnight.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._begin = self._end = 0  # s since 1970, none yet
        self._ordinal = 0

    def of(self, seconds: int) -> int:
        """Return the ordinal of the local day at a moment, s since 1970."""
        if not self._begin <= seconds < self._end:
            self._find(seconds)
        return self._ordinal

    def _find(self, seconds: int) -> None:
        local = datetime.fromtimestamp(seconds, self._zone)
        self._ordinal = local.toordinal()
        begin = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        end = begin + _DAY
        if begin.utcoffset() == end.utcoffset():
            self._begin, self._end = (begin - _EPOCH) // _SECOND, (end - _EPOCH) // _SECOND
        else:  # the clocks change on this day: somewhere they do it across midnight
            self._begin = self._end = 0
