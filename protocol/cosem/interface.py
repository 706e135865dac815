"""How an interface class is declared: attributes and methods, one line each, no behaviour."""

from enum import Flag, auto

from msgspec import Struct
from msgspec.structs import force_setattr

from obis.values import replace
from protocol.cosem.types import LOGICAL_NAME, NULL, TRIGGER, Type


class Access(Flag):
    """What can usefully be done to an attribute. A hint: the object list of an association rules.

    An attribute that the class computes by itself is READ, one that configures it READ_WRITE.
    """

    READ = auto()
    WRITE = auto()
    READ_WRITE = READ | WRITE


class Attribute(Struct, frozen=True):
    """An attribute of a class.

    Args:
        index: from 1; attribute 1 is the logical name in every class.
        name: as the Blue Book writes it.
        type: its type description.
        access: what can usefully be done to it.
    """

    index: int
    name: str
    type: Type
    access: Access = Access.READ


class Method(Struct, frozen=True):
    """A method of a class.

    Args:
        index: from 1.
        name: as the Blue Book writes it.
        parameter: the type of what it takes.
        returns: the type of what it gives back.
    """

    index: int
    name: str
    parameter: Type = TRIGGER
    returns: Type = NULL


class InterfaceClass(Struct, frozen=True):
    """A version of an interface class; attribute 1, the logical name, is added by itself.

    Args:
        class_id: 0..65535.
        version: 0..255.
        name: as the Blue Book writes it.
        attributes: from index 2 on, without gaps.
        methods: from index 1 on, without gaps.

    Raises:
        ValueError: indices have gaps, or a name comes twice.
    """

    class_id: int
    version: int
    name: str
    attributes: tuple[Attribute, ...]
    methods: tuple[Method, ...] = ()

    def __post_init__(self) -> None:
        if not self.attributes or self.attributes[0].index != 1:
            logical_name = Attribute(1, "logical_name", LOGICAL_NAME)
            force_setattr(self, "attributes", (logical_name, *self.attributes))
        for members in (self.attributes, self.methods):
            indices = [member.index for member in members]
            if indices != list(range(1, len(members) + 1)):
                raise ValueError(f"class {self.class_id}: indices {indices} have gaps")
            if len({member.name for member in members}) != len(members):
                raise ValueError(f"class {self.class_id}: a name comes twice")

    def attribute(self, key: int | str) -> Attribute | None:
        """Return the attribute of this index or name, None if the class has none."""
        return next((one for one in self.attributes if key in (one.index, one.name)), None)

    def method(self, key: int | str) -> Method | None:
        """Return the method of this index or name, None if the class has none."""
        return next((one for one in self.methods if key in (one.index, one.name)), None)

    def typed(self, **types: Type) -> "InterfaceClass":
        """Return the class with attributes, by name, narrowed to the types an object has.

        For example ``REGISTER.typed(value=DOUBLE_LONG)``.

        Raises:
            ValueError: the class has no attribute of such a name.
        """
        unknown = types.keys() - {attribute.name for attribute in self.attributes}
        if unknown:
            raise ValueError(f"class {self.class_id} has no attribute {', '.join(sorted(unknown))}")
        narrowed = tuple(
            replace(one, type=types.get(one.name, one.type)) for one in self.attributes
        )
        return replace(self, attributes=narrowed)
