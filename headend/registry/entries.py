"""What an entry of the registry may say: each field checked, from text or from JSON.

| field | what it is |
|---|---|
| name | logical device name: 1 to 64 characters |
| serial | serial number: up to 64 characters |
| ean | of the point of delivery: 18 digits, the last one checks |
| profile | one of those that come with the program, empty where it is not known |
| port | port spec by which commands reach it; a path in it is made absolute |
| line | line or concentrator it shares with others: up to 64 characters |
| life | one of ``headend.registry.life.Life`` |
| tags | words of letters, digits and ``._:/+-``, up to 64 characters each |
| those of ``registry.ACCESS`` | how it is spoken to, as the options of the same names have it |
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from headend.context import ENVELOPES, MECHANISMS, PROTECTIONS
from headend.errors import PortUnusable
from headend.registry.ean import check_ean
from headend.registry.life import Life
from headend.registry.meters import ACCESS
from headend.store.registry import Entry
from headend.transports import PortSpec
from headend.transports.tcp import parse_address
from obis.values import field_names
from prepay.profile import profile_names

#: Characters of a name, a serial number, a line and a tag: the width of their columns.
LONGEST = 64
#: Characters of a port spec: a path may be long.
LONGEST_PORT = 1024
#: Tags of one meter.
MOST_TAGS = 64
_TAG = re.compile(r"\w[\w.:/+-]*")
_NUMBER = re.compile(r"[0-9]{1,6}")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_OVER_IP = ("tcp", "udp", "hdlc+tcp", "optical+tcp")


class FieldError(ValueError):
    """A field that says what it may not; the message says what it may."""


def entry(fields: Mapping[str, Any], before: Entry | None = None) -> Entry:
    """Return the entry that some fields make.

    Args:
        fields: by name, as text or as JSON has them; None or "" is empty.
        before: the entry that they change: what they do not name stays.

    Raises:
        FieldError: there is no name, or some of them say what they may not: all of these.
    """
    if before is None:
        before = Entry(check_name(fields.get("name")))
    said = {name for name in fields if name != "life" or fields[name] not in (None, "")}
    written: dict[str, Any] = {}
    access = dict(before.access)
    wrong: list[str] = []
    for name in (*_CHECKS, *sorted(ACCESS & fields.keys())):
        try:
            if name in said and name in _CHECKS:
                written[name] = _CHECKS[name](fields[name])
            elif name in said and fields[name] in (None, ""):
                access.pop(name, None)
            elif name in said:
                access[name] = _ACCESS_CHECKS[name](name, fields[name])
        except FieldError as error:
            wrong.append(str(error))
    if wrong:
        raise FieldError("; ".join(wrong))
    if "port" in written:
        written["transport"] = written.pop("port")
    kept = {name: getattr(before, name) for name in field_names(Entry)}
    return Entry(**kept | written | {"access": access})


def shown(value: object) -> str:
    """Return a value for an error: short, in ASCII, however long or deep it is."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return ascii(value[:40] if isinstance(value, str) else value)[:60]


def check_text(what: str, value: object, *, empty: bool = True, longest: int = LONGEST) -> str:
    """Return a short text that can be printed, shown in a table and written on one line.

    Raises:
        FieldError: it is none.
    """
    if value is None or value == "":
        if not empty:
            raise FieldError(f"no {what}")
        return ""
    if not isinstance(value, str):
        raise FieldError(f"{what}: {shown(value)} is no text")
    if len(value) > longest:
        raise FieldError(f"{what}: {len(value)} characters, {longest} at most")
    if not value.isprintable() or value != value.strip() or value[0] == "'":
        raise FieldError(
            f"{what}: {value[:40]!a} has a control character, a blank at an end or a ' before it"
        )
    return value


def check_name(value: object) -> str:
    """Return a logical device name.

    Raises:
        FieldError: it is none.
    """
    return check_text("name", value, empty=False)


def check_port(value: object) -> str | None:
    """Return a port spec with its path made absolute; None where there is none.

    Raises:
        FieldError: it is none; the message says how one is written.
    """
    text = check_text("port", value, longest=LONGEST_PORT)
    if not text:
        return None
    try:
        spec = PortSpec.parse(text)
        if spec.scheme in _OVER_IP:
            parse_address(spec.address)
        _ = spec.hdlc
    except PortUnusable as error:
        raise FieldError(str(error)) from error
    query = str(spec).removeprefix(f"{spec.scheme}:{spec.address}")
    return spec.place + query


def check_tags(value: object) -> tuple[str, ...]:
    """Return tags, sorted and each once: from a list, or from a text with blanks between.

    Raises:
        FieldError: not a tag, or too many.
    """
    found = (value or "").split() if isinstance(value, str | None) else value
    if not isinstance(found, Iterable) or isinstance(found, Mapping):
        raise FieldError(f"tags: {shown(value)} is no list of words")
    tags = sorted({check_tag(each) for each in found})
    if len(tags) > MOST_TAGS:
        raise FieldError(f"tags: {len(tags)} of them, {MOST_TAGS} at most")
    return tuple(tags)


def check_tag(value: object) -> str:
    """Return a tag.

    Raises:
        FieldError: it is none.
    """
    if not isinstance(value, str) or len(value) > LONGEST or not _TAG.fullmatch(value):
        raise FieldError(
            f"tag {shown(value)}: letters, digits and ._:/+- inside, up to {LONGEST} of them"
        )
    return value


def _ean(value: object) -> str | None:
    if value is None or value == "":
        return None
    try:
        return check_ean(value if isinstance(value, str) else "")
    except ValueError as error:
        raise FieldError(str(error)) from error


def _profile(value: object) -> str:
    name = check_text("profile", value)
    if name and name not in _profiles():
        known = ", ".join(_profiles())
        raise FieldError(f"{name[:40]!a} is no profile, only {known} are")
    return name


@cache
def _profiles() -> tuple[str, ...]:
    return tuple(profile_names())


def _life(value: object) -> str:
    if not isinstance(value, str) or value not in list(Life):
        raise FieldError(f"{shown(value)} is no life: those are {', '.join(Life)}")
    return str(value)


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "serial": lambda value: check_text("serial", value),
    "ean": _ean,
    "profile": _profile,
    "port": check_port,
    "line": lambda value: check_text("line", value) or None,
    "life": _life,
    "tags": check_tags,
}


def _number(least: int, most: int) -> Callable[[str, object], int]:
    def check(name: str, value: object) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
            raise FieldError(f"{name}: {shown(value)} is no number")
        number = int(str(value)) if isinstance(value, str) else value
        assert isinstance(number, int)  # one of the two it was
        if not least <= number <= most:
            raise FieldError(f"{name}: {number} is not in {least} to {most}")
        return number

    return check


def _one_of(known: tuple[str, ...]) -> Callable[[str, object], str]:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise FieldError(f"{name}: {shown(value)} is none of {', '.join(known)}")
        return value

    return check


def _size(name: str, value: object) -> int:
    size = _number(1, 4)(name, value)
    if size == 3:
        raise FieldError(f"{name}: 3 is none of 1, 2, 4")
    return size


def _flag(name: str, value: object) -> bool:
    word = str(value).lower()
    if word not in _YES + _NO:
        raise FieldError(f"{name}: {shown(value)} is neither yes nor no")
    return word in _YES


_ACCESS_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "client": _number(1, 127),
    "logical": _number(0, 0x3FFF),
    "physical": _number(0, 0x3FFF),
    "address_size": _size,
    "mechanism": _one_of(MECHANISMS),
    "envelope": _one_of(ENVELOPES),
    "protection": _one_of(PROTECTIONS),
    "sign": _flag,
    "short_names": _flag,
}
assert _ACCESS_CHECKS.keys() == ACCESS
