"""OBIS codes: six numbers that name a register, and the ways people write them down.

A code is A-B:C.D.E*F, each group 0..255. Meters print it reduced, without the groups that go
without saying: "1.8.0", "94.32.2 1", "94.32.2.1". What was left out comes from the profile.

| written | read as |
|---|---|
| ``1-0:1.8.0*255``, ``1-0:1.8.0.255``, ``1.0.1.8.0.255`` | the full code |
| ``1-0:1.8.0`` | the full code, F = 255 |
| ``94.32.2*1``, ``94.32.2 1``, ``94.32.2.1`` | reduced: C, D, E and F |
| ``1.8.0``, ``1.8``, ``0:1.8.0``, ``1-1.8.0``, ``1.8*1`` | reduced: what is there |

Parsing and formatting are inverses: ``parse(str(code)) == code`` for each code of either kind,
the F group included.
"""

import re
from typing import NamedTuple, Self

#: The value of a group that is not used; what F is when nobody writes it.
UNUSED = 255

_FULL = re.compile(
    r"(?P<a>\d{1,3})-(?P<b>\d{1,3}):"
    r"(?P<c>\d{1,3})\.(?P<d>\d{1,3})\.(?P<e>\d{1,3})(?:[*. ](?P<f>\d{1,3}))?",
    re.ASCII,
)
_DOTTED = re.compile(
    r"(?P<a>\d{1,3})\.(?P<b>\d{1,3})\."
    r"(?P<c>\d{1,3})\.(?P<d>\d{1,3})\.(?P<e>\d{1,3})\.(?P<f>\d{1,3})",
    re.ASCII,
)
# Without E only "*" can announce F: "1.8 1" and "1.8.1" would be read by some as C.D.E.
_REDUCED = re.compile(
    r"(?:(?P<a>\d{1,3})-)?(?:(?P<b>\d{1,3}):)?"
    r"(?P<c>\d{1,3})\.(?P<d>\d{1,3})"
    r"(?:\.(?P<e>\d{1,3})(?:[*. ](?P<f>\d{1,3}))?|\*(?P<f_without_e>\d{1,3}))?",
    re.ASCII,
)


class ObisError(ValueError):
    """A text, octet string or number that is no OBIS code; the message says what to write."""


class ObisCode(NamedTuple):
    """A full OBIS code. Make one with ``parse``, ``from_bytes`` or ``of``, which check.

    The plain constructor does not check its numbers, because the decoder of a long object list
    calls it with octets, which cannot be wrong.
    """

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = UNUSED

    @classmethod
    def of(cls, a: int, b: int, c: int, d: int, e: int, f: int = UNUSED) -> Self:
        """Return the code of six numbers.

        Raises:
            ObisError: a number is not within 0..255.
        """
        for group, number in zip("ABCDEF", (a, b, c, d, e, f), strict=True):
            _check_group(group, number)
        return cls(a, b, c, d, e, f)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the code that ``text`` writes in full; a missing F is 255.

        Raises:
            ObisError: not a code, a group above 255, or a reduced code.
        """
        stripped = text.strip()
        match = _FULL.fullmatch(stripped) or _DOTTED.fullmatch(stripped)
        if match is not None:
            written = zip("ABCDEF", match.groups(), strict=True)
            return cls(
                *(UNUSED if text is None else _number(group, text) for group, text in written)
            )
        if _REDUCED.fullmatch(stripped):
            raise ObisError(
                f"{_shown(text)} is a reduced OBIS code: write all groups, such as 1-0:1.8.0*255"
            )
        raise _not_a_code(text)

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Return the code of a logical name.

        Raises:
            ObisError: not 6 octets.
        """
        if len(octets) != 6:
            raise ObisError(f"a logical name has 6 octets, not {len(octets)}: give all of A to F")
        return cls(*octets)

    def to_bytes(self) -> bytes:
        """Return the 6 octets of the logical name.

        Raises:
            ObisError: a group is not within 0..255.
        """
        try:
            return bytes(self)
        except ValueError as error:
            raise ObisError(f"each group of {self} has to be within 0..255") from error

    def reduce(self) -> "ReducedCode":
        """Return the code without A and B, and without F where F is 255."""
        return ReducedCode(None, None, self.c, self.d, self.e, None if self.f == UNUSED else self.f)

    def display(self, separator: str = " ") -> str:
        """Return the code as meters print it: "1.8.0", "94.32.2 1"."""
        return self.reduce().display(separator)

    def __str__(self) -> str:
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}*{self.f}"


class ReducedCode(NamedTuple):
    """An OBIS code with groups left out (None); C and D are always there.

    At least one of A, B and E is missing, else it would be a full code. Make one with ``of`` or
    ``parse``, which check.
    """

    a: int | None
    b: int | None
    c: int
    d: int
    e: int | None = None
    f: int | None = None

    @classmethod
    def of(
        cls,
        c: int,
        d: int,
        e: int | None = None,
        f: int | None = None,
        *,
        a: int | None = None,
        b: int | None = None,
    ) -> Self:
        """Return the reduced code of the groups that are given.

        Raises:
            ObisError: a number is not within 0..255, or A, B and E are all given.
        """
        if a is not None and b is not None and e is not None:
            raise ObisError("A, B and E are all given, so this is a full code: use ObisCode")
        for group, number in zip("ABCDEF", (a, b, c, d, e, f), strict=True):
            if number is not None:
                _check_group(group, number)
        return cls(a, b, c, d, e, f)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the reduced code that ``text`` writes.

        Raises:
            ObisError: not a code, a group above 255, or a full code.
        """
        stripped = text.strip()
        if _FULL.fullmatch(stripped) or _DOTTED.fullmatch(stripped):
            raise ObisError(
                f"{_shown(text)} is a full OBIS code: leave A and B out, such as 94.32.2 1"
            )
        match = _REDUCED.fullmatch(stripped)
        if match is None:
            raise _not_a_code(text)
        a, b, c, d, e, f, f_without_e = match.groups()
        return cls(
            a=_optional("A", a),
            b=_optional("B", b),
            c=_number("C", c),
            d=_number("D", d),
            e=_optional("E", e),
            f=_optional("F", f or f_without_e),
        )

    def complete(self, a: int, b: int, e: int = UNUSED, f: int = UNUSED) -> ObisCode:
        """Return the full code; an argument counts only where the group was left out.

        Raises:
            ObisError: a number is not within 0..255.
        """
        return ObisCode.of(
            a if self.a is None else self.a,
            b if self.b is None else self.b,
            self.c,
            self.d,
            e if self.e is None else self.e,
            f if self.f is None else self.f,
        )

    def matches(self, code: ObisCode) -> bool:
        """Say whether ``code`` has each of the groups that this one has."""
        return all(ours in (None, theirs) for ours, theirs in zip(self, code, strict=True))

    def display(self, separator: str = " ") -> str:
        """Return C.D.E, then ``separator`` and F where there is one; "*" where E is missing."""
        text = f"{self.c}.{self.d}"
        if self.e is not None:
            text += f".{self.e}"
        else:
            separator = "*"
        return text if self.f is None else f"{text}{separator}{self.f}"

    def __str__(self) -> str:
        area = "" if self.a is None else f"{self.a}-"
        channel = "" if self.b is None else f"{self.b}:"
        return area + channel + self.display("*")


def parse(text: str) -> ObisCode | ReducedCode:
    """Return the code that ``text`` writes, full or reduced.

    Raises:
        ObisError: not a code, or a group above 255.
    """
    stripped = text.strip()
    if _FULL.fullmatch(stripped) or _DOTTED.fullmatch(stripped):
        return ObisCode.parse(stripped)
    return ReducedCode.parse(stripped)


def _check_group(group: str, number: int) -> None:
    if not 0 <= number <= 255:
        raise ObisError(f"group {group} is {number}: each group has to be within 0..255")


def _number(group: str, digits: str) -> int:
    number = int(digits)
    _check_group(group, number)
    return number


def _optional(group: str, digits: str | None) -> int | None:
    return None if digits is None else _number(group, digits)


def _shown(text: str) -> str:
    """Return a piece of ``text`` that is fit for a message, however long it is."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _not_a_code(text: str) -> ObisError:
    return ObisError(
        f"{_shown(text)} is no OBIS code: write numbers 0..255 as 1-0:1.8.0*255, "
        "1.0.1.8.0.255, 1.8.0 or 94.32.2 1"
    )
