"""The current association by short names (class 12): the same objects and rights as class 15 has.

It stands at the same logical name, 0-0:40.0.0, in the place of the other; which of them a client
sees is settled by its application context. The same secrets are changed as in class 15; there are
no users.
"""

from collections.abc import Mapping
from typing import Any, Final

from meter_fw import server
from meter_fw.association_ln import refuse_proof, rights_of
from meter_fw.association_secrets import change_hls_secret, change_password
from meter_fw.lists import MAX_VALUES
from meter_fw.server import Attribute, CosemObject, Method, Objects
from meter_fw.short_names import ShortNames
from meter_fw.view import ANYBODY, Change, Role, View
from obis import catalogue
from obis.code import ObisCode
from protocol import axdr
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.cosem.association_sn import ASSOCIATION_SN, OBJECT_ID
from protocol.cosem.types import LONG_UNSIGNED, Type, TypeMismatch, from_data
from protocol.errors import AccessRefused
from protocol.events import AttributeRef, GetRequest, GetResponse, SelectiveAccess

_BY_CLASS, _ONE_OBJECT = 1, 2
_READS: Final = frozenset((1, 3))  # read_only, read_and_write
_WRITES: Final = frozenset((2, 3))  # write_only, read_and_write


def by_short_names(objects: Objects) -> ShortNames:
    """Return the address space of a logical device, with its association."""
    return ShortNames(objects, lambda space: _Association(space).bound())


class _Association:
    def __init__(self, space: ShortNames) -> None:
        self._space = space

    def bound(self) -> CosemObject:
        """Return the object at 0-0:40.0.0."""
        return CosemObject(
            ASSOCIATION_SN,
            catalogue.CURRENT_ASSOCIATION,
            {
                2: Attribute(
                    self._list, ANYBODY, select=self._selected, selectors=(_BY_CLASS, _ONE_OBJECT)
                ),
                3: Attribute(self._rights_list, ANYBODY),
                4: Attribute(lambda view: catalogue.SECURITY_SETUP.to_bytes(), ANYBODY),
            },
            {
                3: Method(self._read_by_logicalname, ANYBODY),
                4: Method(self._get_attributes_and_methods, ANYBODY),
                5: Method(change_password, Role.MANAGEMENT),
                6: Method(change_hls_secret, Role.MANAGEMENT),
                8: Method(refuse_proof, Role.MANAGEMENT),
            },
        )

    def _seen(self, view: View) -> list[tuple[int, CosemObject]]:
        """Return the objects that the caller sees, with their base names, in their order."""
        assert view.caller is not None  # attributes are read by somebody
        shown: Mapping[ObisCode, CosemObject] = self._space.objects
        return sorted(
            (
                (self._space.base_names[name], each)
                for name, each in shown.items()
                if each.roles & view.caller.role
            ),
            key=lambda place: place[0],
        )

    def _list(self, view: View) -> list[Any]:
        return [
            (
                _signed(base),
                each.declaration.class_id,
                each.declaration.version,
                each.logical_name.to_bytes(),
            )
            for base, each in self._seen(view)
        ]

    def _selected(self, view: View, access: SelectiveAccess) -> list[Any]:
        """Return the objects of a class (selector 1), or one by class and logical name (2).

        jDLMS asks by the second, and takes the answer for an array as the whole list is.
        """
        if access.selector == _BY_CLASS:
            wanted = _typed(LONG_UNSIGNED, access.parameters)
            return [one for one in self._list(view) if one[1] == wanted]
        class_id, name = _typed(OBJECT_ID, access.parameters)
        return [one for one in self._list(view) if (one[1], one[3]) == (class_id, name)]

    def _rights_list(self, view: View) -> list[Any]:
        assert view.caller is not None
        role = view.caller.role
        return [(_signed(base), *rights_of(each, role)) for base, each in self._seen(view)]

    def _read_by_logicalname(self, view: View, wanted: list[Any]) -> Change:
        """Return the values of the attributes, as a structure; index 0 is a structure of all.

        So the digests of the book that we know have it; no public implementation serves it. One
        attribute that cannot be read refuses all of them.
        """
        values: list[Data] = []
        left = MAX_VALUES
        for class_id, name, index in wanted:
            value = self._value(view, class_id, ObisCode.from_bytes(name), index)
            left -= len(axdr.encode(value))
            if left < 0:
                raise AccessRefused(DataAccessResult.LONG_GET_ABORTED)
            values.append(value)
        return Change(view.state, value=axdr.structure(*values))

    def _value(self, view: View, class_id: int, name: ObisCode, index: int) -> Data:
        if index != 0:
            return self._read(view, AttributeRef(class_id, name, index))
        found = self._space.objects.get(name)
        if found is None:
            raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
        members = [one.index for one in found.declaration.attributes]
        return axdr.structure(
            *(self._read(view, AttributeRef(class_id, name, member)) for member in members)
        )

    def _read(self, view: View, attribute: AttributeRef) -> Data:
        response = server.answer(self._space.objects, view, GetRequest(attribute)).response
        assert isinstance(response, GetResponse)
        if isinstance(response.result, DataAccessResult):
            raise AccessRefused(response.result)
        return response.result

    def _get_attributes_and_methods(self, view: View, wanted: list[Any]) -> Change:
        """Return, for each object, a bit an attribute to read, to write, and a bit a method."""
        seen = {
            (each.declaration.class_id, each.logical_name.to_bytes()): each
            for _, each in self._seen(view)
        }
        assert view.caller is not None
        described = []
        for key in wanted:
            if tuple(key) not in seen:
                raise AccessRefused(DataAccessResult.OBJECT_UNDEFINED)
            attributes, methods = rights_of(seen[tuple(key)], view.caller.role)
            described.append(
                (
                    _bits(mode in _READS for _, mode, _ in attributes),
                    _bits(mode in _WRITES for _, mode, _ in attributes),
                    _bits(mode != 0 for _, mode in methods),
                )
            )
        return Change(view.state, value=described)


def _signed(base: int) -> int:
    return base - 0x10000 if base >= 0x8000 else base


def _bits(allowed: Any) -> str:
    return "".join("1" if one else "0" for one in allowed)


def _typed(declared: Type, data: Data) -> Any:
    try:
        return from_data(declared, data)
    except TypeMismatch as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
