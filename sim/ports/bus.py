"""One line with several meters on it, as on RS-485: each hears every octet but its own.

The line is a port like any other, a pseudo-terminal or HDLC over TCP; a ``Station`` is the end of
one meter. What one meter sends reaches the client and all its neighbours, so each has to know by
the addresses what is meant for it.
"""

from meter_fw.board import PortId
from sim.ports.base import News, Port


class Bus:
    """The line.

    Args:
        port: where its clients come.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._stations: list[Station] = []

    @property
    def client_spec(self) -> str:
        """What a client gives to reach the line; the meter it tells by its physical address."""
        return self._port.client_spec

    def station(self) -> "Station":
        """Return the end of another meter on this line."""
        self._stations.append(Station(self))
        return self._stations[-1]

    def listen(self) -> None:
        """Let every station hear what the port brings."""
        news = self._port.collect()
        if news:
            for station in self._stations:
                station.hear(news)

    def send(self, sender: "Station", line: PortId, data: bytes) -> None:
        """Put octets on the line: the client hears them, and every station but their sender."""
        self._port.send(line, data)
        for station in self._stations:
            if station is not sender:
                station.hear(News(rx={line: data}))

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


class Station:
    """One meter's end of a bus; a ``sim.ports.base.Port``."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._news = News()

    @property
    def client_spec(self) -> str:
        """That of the line."""
        return self._bus.client_spec

    def hear(self, news: News) -> None:
        """Keep what happened on the line until it is collected."""
        self._news = News.together([self._news, news])

    def collect(self) -> News:
        """Return, once, what this station has heard."""
        self._bus.listen()
        news, self._news = self._news, News()
        return news

    def send(self, line: PortId, data: bytes) -> None:
        """Put octets on the line."""
        self._bus.send(self, line, data)

    def hang_up(self, line: PortId) -> None:
        """Do nothing: one meter of several cannot end the line."""

    def close(self) -> None:
        """Give the line back; it is the same for all."""
        self._bus.close()
