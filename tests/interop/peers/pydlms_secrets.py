"""pydlms-client changes the secrets of a meter's associations, by logical names and by short ones.

See `answering` for what is asked; a case has the keys and more, octets in hexadecimal.
"""

import answering
import harness
import pydlms_client_driver
from pydlms import DlmsClient, DlmsData
from pydlms.security.hls import Mechanism
from pydlms_security import client_of, refused, security

LOGICAL, SHORT = (15, "0.0.40.0.0.255"), (12, "0.0.40.0.0.255")


def _client(case):
    if not case.get("short names"):
        return client_of(case)
    mechanism = Mechanism(case["mechanism"])
    by_secret = mechanism not in (Mechanism.HLS_GMAC, Mechanism.HLS_ECDSA)
    client = DlmsClient.tcp(
        "127.0.0.1",
        case["port"],
        client_sap=1,
        logical_names=False,
        timeout=harness.REPLY_TIMEOUT_SECONDS,
        mechanism=mechanism,
        security=security(case),
        password=bytes.fromhex(case["secret"]) if by_secret else None,
    )
    client.trace = harness.Trace()
    client.link.transport.recorder = pydlms_client_driver.Recorder(client.trace)
    return client


def change(case):
    """Change a secret; why that was refused, what reading it gives, and the octets on the line."""
    new, short = DlmsData.octet_string(bytes.fromhex(case["new"])), case.get("short names")
    with _client(case) as client:
        if short:
            method = 5 if case["which"] == "password" else 6
            found = {"refused": refused(client.action, SHORT[1], SHORT[0], method, new)}
        elif case["which"] == "password":
            found = {
                "refused": refused(client.set, LOGICAL[1], LOGICAL[0], 7, new),
                "read": refused(client.get, LOGICAL[1], LOGICAL[0], 7),
            }
        else:
            found = {"refused": refused(client.action, LOGICAL[1], LOGICAL[0], 2, new)}
        return found | {"octets": client.trace.take()}


def open_management(case):
    """Open an association as the management client; its name of the meter."""
    with _client(case) as client:
        return client.get("0.0.42.0.0.255", 1, 2).to_python().decode()


def open_reader(case):
    """Open an association by low-level security; the meter's name."""
    client = DlmsClient.tcp(
        "127.0.0.1",
        case["port"],
        client_sap=2,
        timeout=harness.REPLY_TIMEOUT_SECONDS,
        mechanism=Mechanism.LLS,
        password=bytes.fromhex(case["password"]),
    )
    with client:
        return client.get("0.0.42.0.0.255", 1, 2).to_python().decode()


if __name__ == "__main__":
    answering.answer(globals())
