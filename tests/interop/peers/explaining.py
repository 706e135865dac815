"""What gurux-dlms makes of APDUs and values, as its translator writes them in XML.

``python explaining.py`` in gurux-dlms's environment reads ``{"pdus": [hex], "values": [hex]}`` from
standard input and prints the XML of each as JSON, null where the translator raises.
"""

import json
import os
import sys

from gurux_dlms import GXByteBuffer
from gurux_dlms.enums import TranslatorOutputType
from gurux_dlms.GXDLMSTranslator import GXDLMSTranslator


def attempt(action, octets):
    """The XML, or null: whatever a peer raises is no answer."""
    try:
        return str(action(octets))
    except Exception:  # noqa: BLE001 - whatever a peer raises is the answer
        return None


def main():
    """Translate what standard input asks for."""
    asked = json.load(sys.stdin)
    translator = GXDLMSTranslator(TranslatorOutputType.SIMPLE_XML)
    translator.comments = False
    return {
        "pdus": [attempt(translator.pduToXml, bytearray.fromhex(each)) for each in asked["pdus"]],
        "values": [
            attempt(translator.dataToXml, GXByteBuffer(bytes.fromhex(each)))
            for each in asked["values"]
        ],
    }


if __name__ == "__main__":
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the translator prints to standard output; that goes to standard error
    with stream:
        json.dump(main(), stream)
