"""Meters of pydlms-client's simulator that take new keys, unwrapped by that library.

Its simulator has no class 64, so method 2 is added here: what it is given is taken apart by the
library's own decoder, each key is unwrapped by its `unwrap_key`, and ciphering and proofs go on
under the new keys by its own code. See `answering` for what is asked of this script.
"""

from collections import Counter

import answering
from pydlms.cosem.data import DlmsData
from pydlms.cosem.enums import ActionResult
from pydlms.exceptions import DlmsError
from pydlms.security.keywrap import KeyId, unwrap_key
from pydlms.simulator import ActionFailure, serve
from pydlms_secured_simulator import name_the_suite, simulated

SECURITY_SETUP, KEY_TRANSFER = 64, 2
#: The association of whoever asks, and where it names its security setup.
ASSOCIATION, SETUP_REFERENCE = (15, "0.0.40.0.0.255"), 9
NAME = (1, "0.0.42.0.0.255")
AARQ = 0x60
#: Where the library keeps each key.
PLACES = {
    KeyId.GLOBAL_UNICAST_ENCRYPTION: "encryption_key",
    KeyId.GLOBAL_BROADCAST_ENCRYPTION: "broadcast_key",
    KeyId.AUTHENTICATION: "authentication_key",
    KeyId.MASTER: "master_key",
}
METERS = {}
SUITES = {}


class KeyedMeter:
    """A meter at work, and what became of its keys.

    Args:
        case: its keys and name; ``at_once``, whether a key is in force behind the answer or from
            the next association on; ``unheard`` and ``lost``, by key id how many requests never
            arrive and how many answers; ``setup``, where its security setup is, and
            ``reference``, what the association says about that, empty for nothing.
    """

    def __init__(self, case):
        self._meter = simulated(case)
        self._at_once, self._waiting, self._losing = case["at_once"], {}, False
        self._unheard, self._lost = Counter(case["unheard"]), Counter(case["lost"])
        self.transferred, self.heard = [], []
        self._meter.add_object(*NAME, {2: DlmsData.octet_string(case["name"].encode())})
        self._meter.add_method(SECURITY_SETUP, case["setup"], KEY_TRANSFER, self._transfer)
        if case["reference"]:
            reference = DlmsData.octet_string(bytes.fromhex(case["reference"]))
            self._meter.add_object(*ASSOCIATION, {SETUP_REFERENCE: reference})
        self._serve, self._meter.handle_all = self._meter.handle_all, self._handle
        self.server = serve(self._meter)

    def _transfer(self, meter, parameters):
        self._note(meter.requests[-1], meter.security)
        for entry in parameters.value:
            key_id, wrapped = (member.value for member in entry.value)
            if self._takes(self._unheard, key_id):
                raise ConnectionError
            try:
                self._waiting[KeyId(key_id)] = unwrap_key(meter.security.master_key, wrapped)
            except (DlmsError, ValueError) as error:
                raise ActionFailure(ActionResult.OTHER_REASON) from error
            self.transferred.append(key_id)
            self._losing = self._takes(self._lost, key_id)

    def _note(self, apdu, security):
        title = security.server_system_title  # the other side's, whichever this one is
        keys = security.encryption_key, security.authentication_key, security.master_key
        named = zip(("block", "authentication", "master"), keys, strict=True)
        noted = {name: key.hex() for name, key in named}
        self.heard.append(noted | {"apdu": apdu.hex(), "title": title.hex()})

    @staticmethod
    def _takes(counted, key_id):
        counted[str(key_id)] -= 1
        return counted[str(key_id)] >= 0

    def _handle(self, apdu, session):
        if apdu[0] == AARQ:
            self._apply()
        answers = self._serve(apdu, session)
        if self._at_once:
            self._apply()
        if self._losing:
            self._losing = False
            raise ConnectionError
        return answers

    def _apply(self):
        for key_id, key in self._waiting.items():
            setattr(self._meter.security, PLACES[key_id], key)
        self._waiting.clear()
        security = self._meter.security
        SUITES[security.encryption_key] = security.suite
        self._meter.encryption_key = security.encryption_key
        self._meter.authentication_key = security.authentication_key

    def keys(self):
        """The keys that are in force at the next association, by key id."""
        held = {int(key_id): getattr(self._meter.security, name) for key_id, name in PLACES.items()}
        waiting = {int(key_id): key for key_id, key in self._waiting.items()}
        return {key_id: key.hex() for key_id, key in (held | waiting).items()}


def start(case):
    """A meter with the keys of a case; its port."""
    SUITES[bytes.fromhex(case["block"])] = case["suite"]
    METERS[case["name"]] = found = KeyedMeter(case)
    return found.server.server_address[1]


def keys(case):
    """What keys a meter has, and which it has unwrapped, in order."""
    found = METERS[case["name"]]
    return {"keys": found.keys(), "transferred": found.transferred}


def heard(case):
    """The key transfers that a meter heard: as on the line, whose, and the keys of then."""
    return METERS[case["name"]].heard


if __name__ == "__main__":
    name_the_suite(SUITES)
    answering.answer(globals())
