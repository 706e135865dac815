"""Meters of pydlms-client's simulator with any suite and mechanism, each on a port of its own.

The simulator's command line has suite 0 alone, so this script puts it together from the library.
The arguments are JSON objects with the keys; prints one JSON line, the ports, and runs until it is
stopped. As it is, its proof by HLS-GMAC names suite 0 whatever the suite is, and its own client
refuses that (KNOWN_FAULTS.md, 47); here it is told the suite.
"""

import json
import sys
import threading

from cryptography.hazmat.primitives.asymmetric import ec
from pydlms import SecurityContext
from pydlms.security import hls
from pydlms.security.ec import curve_for_suite, load_public_key
from pydlms.security.general import GeneralAad
from pydlms.security.hls import Mechanism
from pydlms.simulator import ClientProfile, example_meter, serve

SYSTEM_TITLE = bytes.fromhex("5059440000000001")


def simulated(case):
    """A meter with the keys of a case."""
    suite, more, client_signs = case["suite"], {}, None
    if suite:
        curve = curve_for_suite(suite)
        client_signs = load_public_key(suite, bytes.fromhex(case["peer_signing"]))
        more = {
            "signing_key": ec.derive_private_key(int(case["signing"], 16), curve),
            "key_agreement_key": ec.derive_private_key(int(case["agreement"], 16), curve),
            "peer_signing_key": client_signs,
            "peer_key_agreement_key": load_public_key(suite, bytes.fromhex(case["peer_agreement"])),
        }
    meter = example_meter(system_title=SYSTEM_TITLE)
    names = ("block", "authentication", "broadcast", "master")
    block, authentication, broadcast, master = (bytes.fromhex(case[name]) for name in names)
    meter.encryption_key, meter.authentication_key = block, authentication
    meter.signing_key = more.get("signing_key")
    meter.security = SecurityContext(
        block,
        authentication,
        client_system_title=SYSTEM_TITLE,
        invocation_counter=1,
        suite=suite,
        broadcast_key=broadcast,
        master_key=master,
        general_aad=GeneralAad.WITH_HEADER,
        **more,
    )
    meter.last_client_ic = 0
    meter.clients[1] = ClientProfile(
        Mechanism(case["mechanism"]),
        secret=bytes.fromhex(case["secret"]),
        ciphered=True,
        client_public_key=client_signs,
    )
    return meter


def name_the_suite(suites):
    """Have the proof by HLS-GMAC name the suite of the block cipher key under which it is made."""
    plain = hls.hls_gmac

    def gmac(key, authentication, title, counter, challenge, suite=0, **more):
        suite = suites.get(key, suite)
        return plain(key, authentication, title, counter, challenge, suite, **more)

    hls.hls_gmac = gmac


def main(arguments):
    """Serve each case."""
    cases = [json.loads(argument) for argument in arguments]
    name_the_suite({bytes.fromhex(case["block"]): case["suite"] for case in cases})
    servers = [serve(simulated(case)) for case in cases]
    print(json.dumps([server.server_address[1] for server in servers]), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
