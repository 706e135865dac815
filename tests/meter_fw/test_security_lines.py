"""Security over the lines: every suite and mechanism, new keys, and who guesses too often."""

from typing import Any

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from obis import catalogue
from obis.values import replace
from prepay.keys import MECHANISMS, MeterKeys, lab_keys
from protocol.association import ClientSettings
from protocol.association.envelope import Signing
from protocol.axdr import Data, array, enum, integer, octet_string, structure
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    AssociationResult,
    Mechanism,
    UserDiagnostic,
)
from protocol.cosem.communication_port_protection import ProtectionStatus
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    MethodRef,
    Opened,
    OpenRefused,
)
from protocol.security import (
    KeySet,
    PrivateKey,
    Protection,
    SecurityMaterial,
    SecuritySuite,
    wrap_key,
)
from protocol.timing import Instant
from tests.meter_fw.client import NAME, PUBLIC, READER, TITLE, Client
from tests.meter_fw.rig import MANAGER, Rig
from tests.meter_fw.test_security_setup import CA, CLIENT_KEY

STATUS = AttributeRef(124, catalogue.NETWORK_PORT_PROTECTION, 8)


def settings(keys: MeterKeys, **changes: Any) -> ClientSettings:
    """How the management client of a meter with these keys opens."""
    suite = SecuritySuite(keys.suite)
    material = SecurityMaterial(broadcast_key=keys.broadcast_key, master_key=keys.master_key)
    if suite:
        material = replace(
            material,
            signing_key=PrivateKey(suite, keys.client.signing_key),
            agreement_key=PrivateKey(suite, keys.client.agreement_key),
            peer_signing_key=PrivateKey(suite, keys.meter.signing_key).public,
            peer_agreement_key=PrivateKey(suite, keys.meter.agreement_key).public,
        )
    made = ClientSettings(
        mechanism=Mechanism(keys.mechanism),
        context=ApplicationContext.LN_CIPHERED,
        secret=keys.secret,
        keys=KeySet(keys.block_cipher_key, keys.authentication_key, suite),
        system_title=TITLE,
        material=material,
    )
    return replace(made, **changes)


def manager(keys: MeterKeys, rig: Rig | None = None, **changes: Any) -> Client:
    """The management client of a meter with these keys."""
    return Client(rig or Rig(keys=keys), settings(keys, **changes), MANAGEMENT_SAP)


COMBINATIONS = [
    (suite, name) for suite in (0, 1, 2) for name in MECHANISMS if suite or name != "hls-ecdsa"
]


@pytest.mark.parametrize(("suite", "mechanism"), COMBINATIONS)
def test_management_gets_in_by_every_mechanism_of_every_suite(suite: int, mechanism: str) -> None:
    """And reads under the keys of that suite."""
    keys = replace(lab_keys(suite), mechanism=MECHANISMS[mechanism])
    client = manager(keys)
    opened = client.open()
    assert isinstance(opened, Opened)
    assert opened.mechanism == MECHANISMS[mechanism]
    assert client.get(NAME).value == b"OPP0000000000001"
    assert client.get(AttributeRef(64, catalogue.SECURITY_SETUP, 3)) == enum(suite)


@pytest.mark.parametrize(("suite", "mechanism"), COMBINATIONS)
def test_nobody_gets_in_with_another_secret(suite: int, mechanism: str) -> None:
    """Whichever secret the mechanism rests on; and the meter goes on to serve who has it."""
    keys = replace(lab_keys(suite), mechanism=MECHANISMS[mechanism])
    other = replace(keys, secret=b"\x13" * 16, authentication_key=keys.master_key)
    if suite:
        pairs = replace(keys.client, signing_key=keys.client.agreement_key)
        other = replace(other, client=pairs)
    rig = Rig(keys=keys)
    stranger = Client(rig, settings(other), MANAGEMENT_SAP)
    assert isinstance(stranger.open(), OpenRefused)
    owner = Client(rig, settings(keys), MANAGEMENT_SAP, port=PortId("other"), counter=100)
    assert isinstance(owner.open(), Opened)


@pytest.mark.parametrize("protection", [Protection.AUTHENTICATED, Protection.ENCRYPTED])
def test_a_request_has_to_be_protected_as_the_policy_says(protection: Protection) -> None:
    """Where the policy says only half of it, half is enough; the rest never is."""
    half = replace(lab_keys(0), protection=1 if protection is Protection.AUTHENTICATED else 2)
    weak = manager(half, protection=protection)
    assert isinstance(weak.open(), Opened)
    assert client_reads(weak)
    strict = manager(lab_keys(0), protection=protection)
    assert isinstance(strict.open(), OpenRefused)


def client_reads(client: Client) -> bool:
    """Whether the client gets the meter's name."""
    return bool(client.get(NAME).value == b"OPP0000000000001")


@pytest.mark.parametrize("suite", [1, 2])
def test_a_policy_with_signatures_takes_signed_requests_alone(suite: int) -> None:
    """It is switched on over the line, and counts from the next association on."""
    keys = lab_keys(suite)
    rig = Rig(keys=keys)
    client = manager(keys, rig)
    client.open()
    everything = 0xFC
    activate = MethodRef(64, catalogue.SECURITY_SETUP, 1)
    done = client.say(ActionRequest(activate, enum(everything)))
    assert isinstance(done, ActionResponse)
    assert done.result is ActionResult.SUCCESS
    unsigned = Client(rig, settings(keys), MANAGEMENT_SAP, port=PortId("unsigned"), counter=100)
    unsigned.open()
    assert not unsigned.association.is_open or not isinstance(unsigned.heard[-1], Opened)
    signed = Client(
        rig,
        settings(keys, signing=Signing()),
        MANAGEMENT_SAP,
        port=PortId("signed"),
        counter=200,
    )
    assert isinstance(signed.open(), Opened)
    assert client_reads(signed)


@pytest.mark.parametrize("suite", [0, 2])
def test_a_new_key_counts_from_the_next_association_on(suite: int) -> None:
    """The one in which it came ends under the old; on the same connection, with new counters."""
    keys = lab_keys(suite)
    rig = Rig(keys=keys)
    client = manager(keys, rig)
    client.open()
    new = keys.block_cipher_key[::-1]
    entry = structure(enum(0), octet_string(wrap_key(keys.master_key, new)))
    transfer = MethodRef(64, catalogue.SECURITY_SETUP, 2)
    done = client.say(ActionRequest(transfer, array(entry)))
    assert isinstance(done, ActionResponse)
    assert done.result is ActionResult.SUCCESS
    assert client_reads(client)
    old = Client(rig, settings(keys), MANAGEMENT_SAP, port=PortId("old"), counter=500)
    assert isinstance(old.open(), OpenRefused)
    changed = replace(keys, block_cipher_key=new)
    fresh = Client(rig, settings(changed), MANAGEMENT_SAP, port=PortId("new"), counter=1)
    assert isinstance(fresh.open(), Opened)
    assert client_reads(fresh)
    rig.boot()
    again = Client(rig, settings(changed), MANAGEMENT_SAP, port=PortId("b"), counter=50)
    assert isinstance(again.open(), Opened)


def test_a_certificate_of_the_client_counts_when_he_opens() -> None:
    """His old key opens nothing any more; who comes with another title has the factory's."""
    keys = replace(lab_keys(1), mechanism=MECHANISMS["hls-ecdsa"])
    rig = Rig(keys=keys)
    for certificate in (CA.certificate, CA.issue_for(TITLE, CLIENT_KEY)):
        given = octet_string(certificate)
        taken = rig.act(catalogue.SECURITY_SETUP, 64, 6, given, caller=MANAGER)
        assert taken is ActionResult.SUCCESS
    assert isinstance(manager(keys, rig).open(), OpenRefused)
    certified = replace(settings(keys).material, signing_key=CLIENT_KEY)
    new = settings(keys, material=certified)
    port = PortId("new")
    assert isinstance(Client(rig, new, MANAGEMENT_SAP, port=port, counter=100).open(), Opened)
    other, port = settings(keys, system_title=b"OPPHEAD9"), PortId("other")
    assert isinstance(Client(rig, other, MANAGEMENT_SAP, port=port, counter=200).open(), Opened)


# --- guessing ------------------------------------------------------------------------------------


def guess(rig: Rig, times: int) -> OpenRefused:
    """Try a false password so often on one connection."""
    client = Client(rig, replace(READER, secret=b"guess"), READER_SAP, port=PortId("guess"))
    refused = [client.open() for _ in range(times)]
    assert all(isinstance(one, OpenRefused) for one in refused)
    last = refused[-1]
    assert isinstance(last, OpenRefused)
    return last


def test_who_guesses_ten_times_locks_the_port_and_waits() -> None:
    """Then the right password does not help either, until the time is over."""
    rig = Rig()
    assert guess(rig, 10).diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE
    locked = Client(rig, READER, READER_SAP, port=PortId("reader")).open()
    assert isinstance(locked, OpenRefused)
    assert locked.result is AssociationResult.REJECTED_TRANSIENT
    rig.now = Instant(rig.now + 30_000)
    rig.tick()
    reader = Client(rig, READER, READER_SAP, port=PortId("later"))
    assert isinstance(reader.open(), Opened)
    assert reader.get(STATUS) == enum(ProtectionStatus.UNLOCKED)
    assert reader.get(replace(STATUS, index=9)).value == 0
    assert reader.get(replace(STATUS, index=10)).value == 10


def test_nine_guesses_and_a_good_one_lock_nothing() -> None:
    """A user who mistypes is not a burglar."""
    rig = Rig()
    guess(rig, 9)
    assert isinstance(Client(rig, READER, READER_SAP, port=PortId("good")).open(), Opened)
    guess(rig, 9)
    assert isinstance(Client(rig, READER, READER_SAP, port=PortId("fine")).open(), Opened)


def test_a_power_cut_does_not_open_a_locked_port() -> None:
    """The failures are in flash before they are answered."""
    rig = Rig()
    guess(rig, 10)
    rig.boot()
    locked = Client(rig, READER, READER_SAP, port=PortId("reader")).open()
    assert isinstance(locked, OpenRefused)
    assert locked.result is AssociationResult.REJECTED_TRANSIENT


def test_the_clock_does_not_open_a_locked_port() -> None:
    """It runs on the board's time, which nobody can set."""
    rig = Rig()
    guess(rig, 10)
    later = rig.stamp("2027-11-23T12:00").to_bytes()
    rig.set(catalogue.CLOCK, 8, octet_string(later))
    locked = Client(rig, READER, READER_SAP, port=PortId("reader")).open()
    assert isinstance(locked, OpenRefused)
    assert locked.result is AssociationResult.REJECTED_TRANSIENT


def test_a_locked_network_leaves_the_local_port_and_the_public_client_alone() -> None:
    """So nobody is shut out from here by somebody out there, and the display's data stay public."""
    rig = Rig()
    guess(rig, 10)
    local = Client(rig, READER, READER_SAP, PortKind.HDLC, port=PortId("local"))
    assert isinstance(local.open(), Opened)
    public = Client(rig, PUBLIC, PUBLIC_SAP, port=PortId("public"))
    assert isinstance(public.open(), Opened)


def test_management_unlocks_a_port_by_the_method_reset() -> None:
    """From whichever port: where it proves by a key, this one is not locked for it."""
    rig = Rig()
    guess(rig, 10)
    reset = rig.act(catalogue.NETWORK_PORT_PROTECTION, 124, 1, integer(0), caller=MANAGER)
    assert reset is ActionResult.SUCCESS
    assert isinstance(Client(rig, READER, READER_SAP, port=PortId("reader")).open(), Opened)


@pytest.mark.parametrize("value", [enum(3), enum(255)])
def test_a_mode_that_there_is_not_is_not_taken(value: Data) -> None:
    """Nor is a number of attempts that would lock the port before the first."""
    rig = Rig()
    result = rig.set(catalogue.NETWORK_PORT_PROTECTION, 124, value, 2)
    assert result.name == "OTHER_REASON"
