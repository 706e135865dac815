"""Finding meters: on a bus by their physical addresses, or on a range of ports.

One address after the other is asked, as the public client and in one association at a time, for
its logical device name and its serial number. Neither is authenticated: who is found is registered
and no more, and is commissioned when it answers under its keys. Each address has a bounded time,
and nobody is asked whom another command is speaking to.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from headend.context import Context
from headend.device import Device
from headend.errors import HeadendError, NoAnswer, Refused, UsageError
from headend.reach import open_plain
from headend.registry.entries import FieldError, check_name, check_text, entry, shown
from headend.registry.life import Life
from headend.registry.meters import access_of
from headend.session import AssociationRefused, Patience
from headend.store import registry
from headend.store.connection import Connection
from headend.store.locks import Busy
from headend.store.registry import Entry
from headend.transports import LinkKind, PortSpec
from obis.values import replace
from protocol.codes import Mechanism
from protocol.errors import ProtocolError
from protocol.timing import Instant

#: Addresses of one run: at a second and a half for each that is silent, half an hour.
MOST_ADDRESSES = 1024
#: Milliseconds that a farewell may take, and that another command may keep an address.
_FAREWELL, _BUSY = 500, 500
_PORTS = re.compile(r"(?P<before>.+:)(?P<first>[0-9]{1,5})-(?P<last>[0-9]{1,5})(?P<after>\?.*)?")
_RANGE = re.compile(r"(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?")
_OVER_IP = ("tcp", "udp", "hdlc+tcp", "optical+tcp")


class Address(Struct, frozen=True):
    """Where a meter may be.

    Args:
        port: port spec.
        physical: HDLC physical address; None where none is asked for.
    """

    port: str
    physical: int | None = None

    def __str__(self) -> str:
        return self.port if self.physical is None else f"{self.port}, physical {self.physical}"


class Found(Struct, frozen=True):
    """Who answered at an address.

    Args:
        address: where.
        name: logical device name; empty where it is not told, or cannot be used as one.
        serial: serial number; empty where it is not told.
        note: what else there is to say: why there is no name, or what was done with it.
    """

    address: Address
    name: str = ""
    serial: str = ""
    note: str = ""


def addresses(port: str, physical: str | None) -> list[Address]:
    """Return the addresses that a port or a range of them, and a range of a bus, make.

    Args:
        port: port spec, perhaps with a range: ``tcp:HOST:4059-4080``.
        physical: HDLC physical addresses: ``1-16``; None asks for none.

    Raises:
        UsageError: no range, an empty one, or more than ``MOST_ADDRESSES``.
    """
    ports = _ports(port)
    units: Sequence[int | None] = [None]
    if physical is not None:
        found = _RANGE.fullmatch(physical)
        if found is None:
            raise UsageError(f"{physical[:40]!r} is no range of addresses: write one as 1-16")
        units = _span(int(found["first"]), int(found["last"] or found["first"]), 1, 0x3FFF)
        if PortSpec.parse(ports[0]).link is not LinkKind.HDLC:
            raise UsageError(f"a port {ports[0]} has no physical addresses: leave out --addresses")
    count = len(ports) * len(units)
    if count > MOST_ADDRESSES:
        raise UsageError(f"{count} addresses, {MOST_ADDRESSES} at most: ask in parts")
    return [Address(each, unit) for each in ports for unit in units]


def _ports(port: str) -> list[str]:
    scheme = port.partition(":")[0]
    found = _PORTS.fullmatch(port) if scheme in _OVER_IP else None
    if found is None:
        PortSpec.parse(port)
        return [port]
    span = _span(int(found["first"]), int(found["last"]), 1, 0xFFFF)
    made = [f"{found['before']}{number}{found['after'] or ''}" for number in span]
    PortSpec.parse(made[0])
    return made


def _span(first: int, last: int, least: int, most: int) -> range:
    if not least <= first <= last <= most:
        raise UsageError(f"{first}-{last} is no range: it goes up, and is in {least} to {most}")
    return range(first, last + 1)


def discover(
    context: Context, asked: Sequence[Address], seconds: float
) -> Iterator[tuple[Address, Found | None]]:
    """Ask each address in turn, and give who answered, or None.

    Args:
        context: the run of the command; its settings are those of every address.
        asked: where.
        seconds: how long the silence of one may last; all of one address takes four times that.

    Raises:
        PortUnusable, NoAnswer: there is one port for all of them, and it cannot be opened.
    """
    ports = {address.port for address in asked}
    if len(ports) == 1:  # else a port that is not there looks like a bus of silent meters
        context.transports(PortSpec.parse(ports.pop()), context.now).close()
    silence = int(seconds * 1000)
    patience = Patience(silence=silence, whole=2 * silence, farewell=min(silence, _FAREWELL))
    for address in asked:
        yield address, _ask(context, address, patience)


def _ask(context: Context, address: Address, patience: Patience) -> Found | None:
    """Return who answers at an address; None of silence."""
    settings = replace(context.chosen, meter=None, port=address.port, physical=address.physical)
    there = Context(
        settings,
        now=context.now,
        entropy=context.entropy,
        transports=context.transports,
        store=context.store,
        patience=patience,
        trace=context.trace,
    )
    try:
        with context.store.locks.hold(there.place, _BUSY):
            return _introduced(there, address)
    except AssociationRefused:
        return Found(address, note="answers, and has no public client")
    except Busy as error:
        return Found(address, note=f"not asked: {error}")
    except NoAnswer:
        return None
    except UsageError:  # the port or the address: no other answer is to be had by asking on
        raise
    except (HeadendError, ProtocolError) as error:
        return Found(address, note=f"answers, but {error}")


def _introduced(context: Context, address: Address) -> Found:
    session = open_plain(context, Mechanism.NONE)
    try:
        device = Device(session)
        name, serial = _told(device.name), _told(device.serial)
    finally:
        session.close()
    try:
        check_name(name)
        check_text("serial", serial)
    except FieldError as error:
        return Found(address, note=f"answers, and cannot be registered: {error}")
    return Found(address, name, serial)


def _told(question: Callable[[], str]) -> str:
    try:
        return question()
    except Refused:
        return ""


# --- what is done with them --------------------------------------------------------------------


def register(
    db: Connection,
    found: Iterable[Found],
    chosen: Mapping[str, Any],
    now: Instant,
) -> list[Found]:
    """Register who was found, and say of each what was done; who is known gets line and tags.

    Args:
        db: one database transaction.
        found: who answered.
        chosen: further fields of each of them: tags, line, access.
        now: the head-end's time.
    """
    told, first = [], dict[str, Address]()
    for each in found:
        note = each.note
        if each.name in first:
            note = f"not registered: the same name as at {first[each.name]}"
        elif each.name:
            first[each.name] = each.address
            note = _register(db, each, chosen, now)
        told.append(replace(each, note=note))
    return told


def _register(db: Connection, found: Found, chosen: Mapping[str, Any], now: Instant) -> str:
    fields = {**chosen, "name": found.name, "port": found.address.port}
    if found.address.physical is not None:
        fields["physical"] = found.address.physical
    if found.serial:
        fields["serial"] = found.serial
    before = registry.by_name(db, found.name)
    if before is None:
        registry.add(db, [entry(fields)], now)
        return "added"
    note = known_as(before, found)
    if note == before.life and before.life != Life.RETIRED:
        return _given(db, before, chosen)
    if note:
        return note
    fields["tags"] = list(dict.fromkeys([*before.tags, *chosen.get("tags", ())]))
    life = Life.REGISTERED if before.life == Life.MET else before.life
    made = entry({**fields, "life": life}, before)
    registry.put(db, before.id, made)
    return "registered" if before.life == Life.MET else "its port noted"


def _given(db: Connection, known: Entry, chosen: Mapping[str, Any]) -> str:
    """Give a meter that is where it was its line and tags; return what is to be said of it."""
    fresh = [tag for tag in chosen.get("tags", ()) if tag not in known.tags]
    line = chosen.get("line") if chosen.get("line") != (known.line or "") else None
    if not fresh and line is None:
        return known.life
    fields = {"tags": [*known.tags, *fresh], **({} if line is None else {"line": line})}
    registry.put(db, known.id, entry(fields, known))
    told = [*([] if line is None else [f"line {line}"]), *(f"tag {tag}" for tag in fresh)]
    return f"{known.life}; given {', '.join(told)}"


def known_as(known: Entry, found: Found) -> str:
    """Return what is to be said of one that the registry knows; empty where it has no port yet."""
    if known.life == Life.RETIRED:
        return "retired"
    if known.serial and found.serial and known.serial != found.serial:
        return f"known with another serial number, {shown(known.serial)}"
    if known.transport is None:
        return ""
    here = entry({"name": found.name, "port": found.address.port}).transport
    if known.transport == here and known.access.get("physical") == found.address.physical:
        return known.life
    there = Address(known.transport, known.access.get("physical"))
    return f"registered at {there}: prepay meters set {known.name} --port moves it"


def chosen_fields(context: Context, line: str | None, tags: Sequence[str]) -> dict[str, Any]:
    """Return the fields that everybody who is found gets.

    Raises:
        UsageError: one of them says what it may not.
    """
    fields: dict[str, Any] = dict(access_of(context.chosen))
    if line is not None:
        fields["line"] = line
    if tags:
        fields["tags"] = list(tags)
    try:
        entry({**fields, "name": "x"})
    except FieldError as error:
        raise UsageError(str(error)) from error
    return fields
