"""Finding an object by what people write: catalogue first, then the meter's own object list."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from headend.device import Device
from headend.errors import Refused, UsageError
from obis import catalogue
from obis.catalogue import CatalogueError
from obis.code import ObisCode, ObisError, ReducedCode, parse
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem import latest
from protocol.errors import AccessRefused, ActionRefused
from protocol.events import AttributeRef, MethodRef

if TYPE_CHECKING:  # most commands never need one
    from prepay.profile import Profile

_ASSOCIATION_LN = 15
_DISPLAY = (
    catalogue.DISPLAY_UPDATED,
    catalogue.DISPLAY_BALANCE,
    catalogue.DISPLAY_EMERGENCY,
)


class Listed(Struct, frozen=True):
    """An object in an association's object list."""

    class_id: int
    version: int
    code: ObisCode


class Wanted(Struct, frozen=True):
    """What the user wrote.

    Args:
        text: a code in any form, or a name of the catalogue.
        code: the code, None for a name.
        class_id: the interface class, None where the user did not say.
    """

    text: str
    code: ObisCode | ReducedCode | None
    class_id: int | None

    @classmethod
    def parse(cls, text: str, class_id: int | None) -> "Wanted":
        """Return what the user means, as far as it can be known without a meter.

        Raises:
            UsageError: neither a code nor a name.
        """
        try:
            return cls(text, parse(text), class_id)
        except ObisError as error:
            if any(entry.name == text.strip().lower() for entry in catalogue.CATALOGUE):
                return cls(text, None, class_id)
            raise UsageError(f"{error}, or a name that prepay objects shows") from error

    def find(self, device: Device) -> tuple[ObisCode, int]:
        """Return the object's code and class.

        Raises:
            Refused: neither the catalogue nor the meter has it.
        """
        if isinstance(self.code, ObisCode) and self.class_id is not None:
            return self.code, self.class_id
        return self._by_catalogue(device) or self._by_list(device)

    def _by_catalogue(self, device: Device) -> tuple[ObisCode, int] | None:
        try:
            entry = catalogue.find(self.text)
        except CatalogueError:
            return None
        code = entry.code
        if isinstance(self.code, ReducedCode) and any(d.matches(code) for d in _DISPLAY):
            profile = profile_of(device)
            if profile is not None:
                code = self.code.complete(profile.display.code_a, profile.display.code_b)
        return code, entry.class_id if self.class_id is None else self.class_id

    def _by_list(self, device: Device) -> tuple[ObisCode, int]:
        fits = [
            listed
            for listed in object_list(device)
            if self._fits(listed.code) and self.class_id in (None, listed.class_id)
        ]
        if not fits:
            raise Refused(
                f"unknown OBIS code: client {device.session.client} sees no object {self.text}; "
                "prepay objects lists what it sees"
            )
        if len(fits) > 1:
            names = ", ".join(str(listed.code) for listed in fits[:6])
            raise Refused(f"{self.text} fits {len(fits)} objects ({names}): write the full code")
        return fits[0].code, fits[0].class_id

    def _fits(self, code: ObisCode) -> bool:
        if isinstance(self.code, ReducedCode):
            return self.code.matches(code)
        return code == self.code


def object_list(device: Device) -> list[Listed]:
    """Return what the meter lists for this client.

    Raises:
        Refused: it lists nothing, or not in a form that is known.
    """
    listed = device.get(catalogue.CURRENT_ASSOCIATION, _ASSOCIATION_LN)
    if listed.tag is not Tag.ARRAY:
        raise Refused("the meter's object list is no array")
    return [_listed(element) for element in listed.value]


def _listed(element: Data) -> Listed:
    try:
        class_id, version, name = (member.value for member in element.value[:3])
        return Listed(int(class_id), int(version), ObisCode.from_bytes(name))
    except (TypeError, ValueError) as error:
        raise Refused("the meter's object list is not what this head-end knows") from error


def refusal(
    device: Device,
    ref: AttributeRef | MethodRef,
    error: AccessRefused | ActionRefused,
    asked: Literal["read", "write", "execute"],
) -> Refused:
    """Return a refusal in words: which right is missing, or what is not there.

    A meter has one answer for an object and for a member that it has not; its answer about the
    logical name, which every object has, tells them apart.
    """
    client, code = device.session.client, ref.logical_name
    kind = "method" if isinstance(ref, MethodRef) else "attribute"
    member = f"{code} {kind} {ref.index}"
    if error.result == DataAccessResult.READ_WRITE_DENIED:
        return Refused(f"client {client} may not {asked} {member} (read-write-denied)")
    if error.result == DataAccessResult.OBJECT_CLASS_INCONSISTENT:
        return Refused(f"{code} is not of class {ref.class_id} (object-class-inconsistent)")
    if error.result != DataAccessResult.OBJECT_UNDEFINED:
        return Refused(f"{member} of class {ref.class_id}: {error}")
    if ref.index != 1 or kind == "method":
        try:
            device.session.get(AttributeRef(ref.class_id, code, 1))
        except AccessRefused as other:
            seen = other.result is DataAccessResult.READ_WRITE_DENIED
        else:
            seen = True
        if seen:
            return Refused(f"object {code} has no {kind} {ref.index}")
    return Refused(f"client {client} does not see {code}, or the meter has none")


def profile_of(device: Device) -> "Profile | None":
    """Return the profile that a meter runs, None for a meter that is not ours."""
    from prepay.profile import ProfileError, load_profile

    name = device.profile()
    try:
        return load_profile(name) if name else None
    except ProfileError:
        return None


def name_of(code: ObisCode) -> str:
    """Return the catalogue's name of an object, empty where it has none."""
    return next((entry.name for entry in catalogue.CATALOGUE if entry.code == code), "")


def class_name(class_id: int) -> str:
    """Return the name of an interface class, empty for one that is not declared."""
    declared = latest(class_id)
    return "" if declared is None else declared.name
