"""A meter of pydlms-client's simulator to write into, with methods, that says what it was asked.

See `answering` for what is asked of this script itself. Its APDUs have 256 octets at most.
"""

import answering
from pydlms.cosem.data import DlmsData
from pydlms.cosem.enums import ActionResult
from pydlms.security.hls import Mechanism
from pydlms.simulator import ActionFailure, ClientProfile, example_meter, serve

CLIENT = 2
#: Attributes to be written, each 2 of class 1.
WRITTEN = ("0.0.96.1.1.255", "0.0.96.1.2.255")
#: Method 1 gives back what it was given, method 2 refuses.
METHODS = (1, "0.0.96.1.3.255")
MAX_PDU = 256
METERS = []


def start(case):
    """A meter for the client of a case's password; its port."""
    meter = example_meter(max_pdu=MAX_PDU)
    meter.clients[CLIENT] = ClientProfile(Mechanism.LLS, secret=case["password"].encode())
    for name in WRITTEN:
        meter.add_object(1, name, {2: DlmsData.octet_string(b"")})
    meter.add_method(*METHODS, 1, lambda _, parameter: parameter)
    meter.add_method(*METHODS, 2, _refuse)
    METERS.append(meter)
    return serve(meter).server_address[1]


def _refuse(meter, parameter):
    raise ActionFailure(ActionResult.TEMPORARY_FAILURE)


def asked(case):
    """The kinds of services that the meter has been asked since: tag and choice, each once."""
    (meter,) = METERS
    found = dict.fromkeys(apdu[:2].hex() for apdu in meter.requests)
    meter.requests.clear()
    return list(found)


if __name__ == "__main__":
    answering.answer(globals())
