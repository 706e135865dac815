"""Shows a peer's interface classes: ``python classes.py tables`` and ``python classes.py values``.

``tables`` writes a JSON object: by "class.version" the attributes and methods that the peer has,
by name and type. ``values`` takes lines, each a JSON object with class, version, index and the
octets of a value, and answers each with the octets that the peer's own class writes back once it
has taken them, or with what it raised.
"""

import json
import os
import sys

OPEN = "any"  # the peer leaves the type open
VERSIONS = range(5)


# --- gurux-dlms ----------------------------------------------------------------------------------


class Gurux:
    """Its objects, made by its own factory; types are those of the outermost level only."""

    def __init__(self):
        from gurux_dlms._GXObjectFactory import _GXObjectFactory
        from gurux_dlms.enums import ObjectType
        from gurux_dlms.GXDLMSSettings import GXDLMSSettings
        from gurux_dlms.objects.GXDLMSObject import GXDLMSObject

        self._factory, self._kinds = _GXObjectFactory, ObjectType
        self._plain, self._settings = GXDLMSObject, GXDLMSSettings(True, None)

    def _make(self, kind, version):
        made = self._factory.createObject(self._kinds(kind))
        made.version = version
        return made

    def tables(self):
        found = {}
        for kind in self._kinds:
            try:
                made = self._make(kind, 0)
            except (ValueError, TypeError):
                continue
            if type(made) is self._plain:
                continue  # a number without a class
            for version in VERSIONS:
                made.version = version
                found[f"{int(kind)}.{version}"] = self._table(made)
        return found

    def _table(self, made):
        names, count = made.getNames(), made.getAttributeCount()
        return {
            "attributes": [
                {"name": str(names[place]) if place < len(names) else None, "type": kind}
                for place, kind in enumerate(map(self._type, [made] * count, range(1, count + 1)))
            ],
            "methods": [{"name": None}] * made.getMethodCount(),
        }

    @staticmethod
    def _type(made, index):
        from harness import TYPES

        try:
            number = int(made.getDataType(index))
        except ValueError:
            return "none"  # "Invalid attribute index"
        return OPEN if number == 0 else TYPES[number]

    def value(self, kind, version, index, octets):
        from gurux_dlms.GXByteBuffer import GXByteBuffer
        from gurux_dlms.internal._GXCommon import _GXCommon
        from gurux_dlms.internal._GXDataInfo import _GXDataInfo
        from gurux_dlms.ValueEventArgs import ValueEventArgs

        made = self._make(kind, version)
        info = _GXDataInfo()
        event = ValueEventArgs(self._settings, made, index)
        event.value = _GXCommon.getData(self._settings, GXByteBuffer(octets), info)
        made.setValue(self._settings, event)
        if int(event.error):
            raise ValueError(f"error {int(event.error)}")
        written = made.getValue(self._settings, ValueEventArgs(self._settings, made, index))
        buffer = GXByteBuffer()
        if isinstance(written, GXByteBuffer):
            written = written.array()
        _GXCommon.setData(self._settings, buffer, info.type_ if octets else 0, written)
        return bytes(buffer.array())


# --- pydlms-client -------------------------------------------------------------------------------


class Pydlms:
    """Its registry has names of every version it knows, its specs the types of the newest."""

    def __init__(self):
        from pydlms.cosem import interface_classes, model

        self._registry, self._specs = interface_classes.REGISTRY, model.SPECS

    def tables(self):
        return {
            f"{number}.{version}": self._table(declared)
            for (number, version), declared in self._registry.items()
        }

    def _table(self, declared):
        spec = self._spec(declared.class_id, declared.version)
        attributes = [
            {"name": name, "type": self._type(spec.attribute(name).type) if spec else OPEN}
            for name in declared.attributes
        ]
        methods = []
        for name in declared.methods:
            method = {"name": name}
            if spec:
                given, returned = spec.method(name).params, spec.method(name).returns
                method["parameter"] = self._type(given) if given else "null-data"
                method["returns"] = self._type(returned) if returned else None
            methods.append(method)
        return {"attributes": attributes, "methods": methods}

    def _spec(self, number, version):
        spec = self._specs.get(int(number))
        return spec if spec is not None and spec.version == version else None

    def _type(self, described):
        from pydlms.cosem import types

        match described:
            case types.Any():
                return OPEN
            case types.Struct():
                return ["structure", *(self._type(member) for _, member in described.fields)]
            case types.Array():
                return ["array", self._type(described.item)]
            case types.Integer() | types.Text():
                return described.tag.name.lower().replace("_", "-")
            case types.Boolean():
                return "boolean"
            case types.Enum():
                return "enum"
            case types.BitString():
                return "bit-string"
            case _:  # an octet-string, a logical name or a moment
                return "octet-string"

    def value(self, kind, version, index, octets):
        from pydlms.cosem.data import decode_data, encode_data

        spec = self._spec(kind, version)
        described = spec.attribute(index).type
        return encode_data(described.encode(described.decode(decode_data(octets)[0])))


def _peer():
    try:
        return Gurux()
    except ImportError:
        return Pydlms()


def _answer(peer, line):
    asked = json.loads(line)
    try:
        octets = peer.value(
            asked["class"], asked["version"], asked["index"], bytes.fromhex(asked["octets"])
        )
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
        return {"raised": type(error).__name__, "text": str(error)}
    return {"octets": octets.hex()}


def main(stream):
    """Answer on a stream what was asked for."""
    peer = _peer()
    if sys.argv[1] == "tables":
        json.dump(peer.tables(), stream)
        return
    for line in sys.stdin:
        stream.write(json.dumps(_answer(peer, line)) + "\n")
        stream.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # peers print to standard output; that goes to standard error
        main(output)
