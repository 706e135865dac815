"""Every service, suite, envelope and port, with octets that nobody should send.

An attacker opens an association as well as he can, and then says whatever he likes. The meter
raises nothing, answers no more than it may, changes nothing for who may only read, and serves the
next client.
"""

from random import Random

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from prepay.keys import lab_keys
from tests.fuzz.campaign import MOST_ANSWERED, scaled
from tests.fuzz.services import Attacker, apdus, say
from tests.meter_fw.client import NAME, PUBLIC, Client
from tests.meter_fw.rig import NAME as NAME_PLATE
from tests.meter_fw.rig import Rig

#: How many APDUs an attacker says, in associations of so many.
SAID, AT_ONCE = 120, 30

ATTACKERS = [
    *(Attacker(kind, PUBLIC_SAP) for kind in PortKind),
    *(Attacker(kind, READER_SAP) for kind in PortKind),
    *(Attacker(kind, MANAGEMENT_SAP, suite) for kind in PortKind for suite in (0, 1, 2)),
    *(Attacker(PortKind.WRAPPER, sap, short=True) for sap in (PUBLIC_SAP, READER_SAP)),
    *(Attacker(PortKind.UDP, MANAGEMENT_SAP, suite, short=True) for suite in (0, 1, 2)),
    Attacker(PortKind.WRAPPER, MANAGEMENT_SAP, 0, changes=(("dedicated_key", True),)),
    Attacker(PortKind.HDLC, MANAGEMENT_SAP, 2, changes=(("dedicated_key", True),)),
]


@pytest.mark.parametrize("attacker", ATTACKERS, ids=str)
@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_a_meter_survives_every_service(attacker: Attacker, profile: str) -> None:
    """Whoever asks; and who may only read has moved neither money nor relay."""
    random = Random(f"{attacker} {profile}")
    rig = Rig(profile, keys=lab_keys(attacker.suite))
    before = rig.balance, rig.relay, rig.coils[:]
    said = 0
    for place in range(1, 2 + scaled(SAID) // AT_ONCE):
        client = attacker.open(rig, place)
        if client is None:
            break  # he has changed the keys, or shut himself out
        for _ in range(AT_ONCE):
            for apdu in apdus(random, attacker, client):
                assert say(random, client, apdu) <= MOST_ANSWERED
                said += 1
    assert said
    if attacker.sap != MANAGEMENT_SAP:
        assert (rig.balance, rig.relay, rig.coils) == before
    rig.tick(closed=frozenset(rig.kernel._ports.lines))
    client = Client(rig, PUBLIC, PUBLIC_SAP, port=PortId("next"))
    client.open()
    assert client.get(NAME).value == NAME_PLATE.encode()
