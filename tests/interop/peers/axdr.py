"""A peer's A-XDR: ``python axdr.py`` in its environment; which of the three it is, it finds out.

Each line of standard input is a JSON object, each is answered by one.

| it has | what is done | the answer has |
|---|---|---|
| ``octets`` | the peer decodes them, and encodes what it found | ``octets`` |
| ``read`` | the peer decodes them | ``plain``: lists, numbers and texts, octets in hexadecimal |
| ``moment`` | the same as ``octets``, by the peer's own class for moments | ``octets`` |
| ``value`` | the peer encodes a tag and its value, see ``told`` in the test | ``octets`` |
| ``template`` | the peer's class 62 decodes ``buffer`` by it | ``octets``, a list |

or ``raised`` and ``text``. Octets are hexadecimal.
"""

import json
import os
import sys

ARRAY, STRUCTURE, BITS, COMPACT = 1, 2, 4, 19
OCTETS = (9, 25, 26, 27)  # octet-string, date-time, date, time


# --- gurux-dlms ----------------------------------------------------------------------------------


class Gurux:
    """Its encoder takes a type and a value; of what it decodes it keeps the type in a class."""

    def __init__(self):
        from gurux_dlms.GXByteBuffer import GXByteBuffer
        from gurux_dlms.GXDLMSSettings import GXDLMSSettings
        from gurux_dlms.internal._GXCommon import _GXCommon
        from gurux_dlms.internal._GXDataInfo import _GXDataInfo

        self._buffer, self._common, self._info = GXByteBuffer, _GXCommon, _GXDataInfo
        self._settings = GXDLMSSettings(False, None)

    def read(self, octets):
        """Decode."""
        data, info = self._buffer(octets), self._info()
        found = self._common.getData(self._settings, data, info)
        if not info.complete:
            raise ValueError("incomplete")
        if data.position != len(data):
            raise ValueError(f"{len(data) - data.position} octets left")
        return found

    def reencode(self, octets):
        """Decode, and encode by the type that was decoded."""
        found = self.read(octets)
        # After a structure its own information is what the last member left: the tag it is.
        return self._encode(octets[0], found)

    def _encode(self, tag, value):
        written = self._buffer()
        self._common.setData(self._settings, written, tag, value)
        return bytes(written.array())

    def write(self, tag, value):
        """Encode a value without parts."""
        if tag == OCTETS[0]:
            value = bytearray.fromhex(value)
        elif tag in OCTETS or tag in (ARRAY, STRUCTURE, COMPACT):
            raise NotImplementedError("takes objects of its own")
        return self._encode(tag, value)


# --- pydlms-client -------------------------------------------------------------------------------


class Pydlms:
    """Everything is a DlmsData."""

    def __init__(self):
        from pydlms.cosem import compact_data, data, time

        self._data, self._compact = data, compact_data
        self._moments = dict(
            zip(OCTETS[1:], (time.CosemDateTime, time.CosemDate, time.CosemTime), strict=True)
        )

    def read(self, octets):
        """Decode."""
        return self._data.decode_data(octets)[0].to_python()

    def moment(self, octets):
        """Decode and encode a moment by its class."""
        return octets[:1] + self._moments[octets[0]].from_bytes(octets[1:]).to_bytes()

    def reencode(self, octets):
        """Decode and encode."""
        found, end = self._data.decode_data(octets)
        if end != len(octets):
            raise ValueError(f"{len(octets) - end} octets left")
        return self._data.encode_data(found)

    def write(self, tag, value):
        """Encode any value."""
        return self._data.encode_data(self._made(tag, value))

    def _made(self, tag, value):
        if tag in (ARRAY, STRUCTURE):
            return self._data.DlmsData(tag, [self._made(*each) for each in value])
        if tag == COMPACT:
            elements = [self._made(*each) for each in value["elements"]]
            return self._data.DlmsData(
                tag, self._data.CompactArray(self._description(*value["of"]), elements)
            )
        if tag in OCTETS:
            return self._data.DlmsData(tag, bytes.fromhex(value))
        if tag == BITS:
            return self._data.DlmsData(tag, [bit == "1" for bit in value])
        return self._data.DlmsData(tag, value)

    def _description(self, tag, members, length):
        described, kind = self._data.TypeDescription, self._data.DataType(tag)
        inner = [self._description(*member) for member in members]
        if tag == ARRAY:
            return described(kind, array_of=(length, inner[0]))
        return described(kind, members=tuple(inner))

    def template(self, template, buffer):
        """The values of a compact buffer."""
        return [
            self._data.encode_data(value).hex()
            for value in self._compact.decode_compact_buffer(template, buffer)
        ]


# --- dlms-cosem ----------------------------------------------------------------------------------


class DlmsCosem:
    """Its parser makes plain values, so the objects in between are taken from it."""

    def __init__(self):
        from dlms_cosem import dlms_data

        self._data = dlms_data

    def read(self, octets):
        """Decode."""
        (found,) = self._data.DlmsDataParser().parse(octets, limit=1)
        return found.to_python()

    def reencode(self, octets):
        """Decode and encode."""
        parser = self._data.DlmsDataParser()
        (found,) = parser.parse(octets, limit=1)
        return found.to_bytes()

    def write(self, tag, value):
        """Encode a value without parts."""
        if tag in OCTETS[:1]:
            value = bytes.fromhex(value)
        elif tag in OCTETS or tag in (ARRAY, STRUCTURE, COMPACT):
            raise NotImplementedError("takes objects of its own")
        return self._data.DlmsDataFactory.get_data_class(tag)(value).to_bytes()


def _peer():
    for made in (Gurux, Pydlms, DlmsCosem):
        try:
            return made()
        except ImportError:
            continue
    raise SystemExit("none of the peers is here")


def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "value", None) if hasattr(value, "value") else str(value)


def _answer(peer, line):
    asked = json.loads(line)
    try:
        if "octets" in asked:
            return {"octets": peer.reencode(bytes.fromhex(asked["octets"])).hex()}
        if "read" in asked:
            return {"plain": _plain(peer.read(bytes.fromhex(asked["read"])))}
        if "moment" in asked:
            return {"octets": peer.moment(bytes.fromhex(asked["moment"])).hex()}
        if "value" in asked:
            return {"octets": peer.write(*asked["value"]).hex()}
        template, buffer = (bytes.fromhex(asked[name]) for name in ("template", "buffer"))
        return {"octets": peer.template(template, buffer)}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
        return {"raised": type(error).__name__, "text": str(error)}


def main(stream):
    """Answer on a stream what was asked for."""
    peer = _peer()
    for line in sys.stdin:
        stream.write(json.dumps(_answer(peer, line)) + "\n")
        stream.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # peers print to standard output; that goes to standard error
        main(output)
