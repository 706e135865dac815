"""gurux-dlms as the management client of a meter: associations, and its class 64 and 124.

See `answering` for what is asked; a case has the keys and more, octets in hexadecimal.
"""

from contextlib import contextmanager

import answering
import harness
import running
from answering import refused
from gurux_client import GuruxDriver
from gurux_dlms.ecdsa.GXPrivateKey import GXPrivateKey
from gurux_dlms.ecdsa.GXPublicKey import GXPublicKey
from gurux_dlms.enums import Authentication
from gurux_dlms.objects import GXDLMSCommunicationPortProtection, GXDLMSSecuritySetup
from gurux_dlms.objects.enums import SecuritySuite

CLOCK = (8, "0.0.1.0.0.255")
RELAY = (70, "0.0.96.3.10.255")
NAME = (1, "0.0.42.0.0.255")
PORT_PROTECTION = "0.0.44.2.1.255"
ECDSA = 7


class SecuredDriver(GuruxDriver):
    """The driver of the matrix with any mechanism and suite.

    Args:
        case: what is asked for.
    """

    def __init__(self, case):
        words = ["--transport", "hdlc+tcp" if case.get("hdlc") else "tcp"]
        words += ["--address", f"127.0.0.1:{case['port']}", "--client", "1", "--mechanism", "gmac"]
        words += ["--block-key", case["block"], "--auth-key", case["authentication"]]
        words += ["--system-title", case["title"]]
        arguments = running.parser().parse_args(words)
        super().__init__(arguments, harness.Trace(), case.get("counter", 1))
        self.case = case

    def _build(self):
        client, case = super()._build(), self.case
        client.authentication = Authentication(case["mechanism"])
        client.password = bytearray.fromhex(case["secret"])
        ciphering = client.ciphering
        ciphering.securitySuite = SecuritySuite(case["suite"])
        if case["mechanism"] == ECDSA:
            theirs = GXPublicKey.fromRawBytes(b"\x04" + bytes.fromhex(case["peer_signing"]))
            own = GXPrivateKey.fromRawBytes(bytearray.fromhex(case["signing"]))
            ciphering.signingKeyPair = (theirs, own)
        if case.get("envelope") == "ded":
            ciphering.dedicatedKey = bytearray(b"D" * len(ciphering.blockCipherKey))
        return client

    def send(self, packets):
        """Send what a class of the library's has made."""
        self._exchange(packets)

    @property
    def client(self):
        """The library's client."""
        return self._client


@contextmanager
def connected(case):
    """A driver with an open association, released at the end."""
    driver = SecuredDriver(case)
    try:
        driver.connect()
        yield driver
        driver.release()
    except BaseException as error:
        error.octets = driver.trace.take()
        raise
    finally:
        driver.close()


def use(case):
    """Read, set what may be set and what may not, move the relay, release."""
    with connected(case) as driver:
        name = harness.octets_of(driver.read(*NAME, 2)[1])
        clock = harness.octets_of(driver.read(*CLOCK, 2)[1])
        return {
            "name": name.decode(),
            "set accepted": refused(driver.write_octets, *CLOCK, 2, clock),
            "set refused": refused(driver.write_octets, *NAME, 2, b"ANOTHER"),
            "relay off": refused(driver.act, *RELAY, 1),
            "relay": driver.read(*RELAY, 2)[1],
            "tags": [] if case.get("hdlc") else answering.service_tags(driver.trace),
        }


def transfer(case):
    """Transfer keys, wrapped by this peer with the master key of the case."""
    keys = [(int(name), bytearray.fromhex(key)) for name, key in case["keys"].items()]
    master = bytearray.fromhex(case["master"])
    with connected(case) as driver:
        setup = GXDLMSSecuritySetup()
        packets = setup.globalKeyTransfer(driver.client, master, keys)
        return refused(driver.send, packets)


def read_setup(case):
    """Every attribute of class 64 and 124, taken by this peer's own classes too."""
    with connected(case) as driver:
        setup, guard = GXDLMSSecuritySetup(), GXDLMSCommunicationPortProtection(PORT_PROTECTION)
        setup.version = 1 if case["suite"] else 0
        for known in (setup, guard):
            driver.client.objects.append(known)
        of_setup = range(2, 7 if case["suite"] else 6)
        return {
            "setup": [driver.read(64, setup.logicalName, index)[1] for index in of_setup],
            "protection": [driver.read(124, PORT_PROTECTION, index)[1] for index in range(2, 11)],
        }


if __name__ == "__main__":
    answering.answer(globals())
