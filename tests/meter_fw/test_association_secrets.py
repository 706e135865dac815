"""The secrets of associations: changed by management, kept in flash, shown to nobody."""

from collections.abc import Callable

import pytest

from meter_fw.association_secrets import LEAST_HLS_SECRET, hls_secret, reader_password
from meter_fw.board import PortId
from meter_fw.line_state import MAX_SECRET
from meter_fw.policies import MANAGEMENT_SAP, READER_SAP
from meter_fw.view import Caller
from obis import catalogue
from obis.values import replace
from prepay.keys import MECHANISMS, MeterKeys, lab_keys
from protocol import cosem
from protocol.axdr import octet_string, unsigned
from protocol.codes import ActionResult, DataAccessResult, UserDiagnostic
from protocol.cosem.short_names import method_offset
from protocol.events import (
    ActionRequest,
    ActionResponse,
    MethodRef,
    Opened,
    OpenRefused,
    ShortName,
    WriteRequest,
    WriteResponse,
)
from protocol.iec21 import Command
from sim.flash import Cut, MemoryFlash, PowerCut, Tear
from tests.meter_fw.client import READER, Client
from tests.meter_fw.rig import MANAGER, PUBLIC, Rig
from tests.meter_fw.rig import READER as READING
from tests.meter_fw.test_readout import P1, PROGRAMMING, REQUEST, Head
from tests.meter_fw.test_security_lines import settings

ASSOCIATION = catalogue.CURRENT_ASSOCIATION
ACK = b"\x06"
NEW = b"another secret, of 31 octets..."
BY_SECRET = ["hls", "hls-md5", "hls-sha1", "hls-sha256"]
BY_KEY = [(suite, "hls-gmac") for suite in (0, 1, 2)] + [(1, "hls-ecdsa"), (2, "hls-ecdsa")]

#: Changes a secret; True when it was changed, False when that was refused with other-reason.
Change = Callable[[Rig, bytes], bool]


def keys_of(mechanism: str, suite: int = 0) -> MeterKeys:
    """The lab's keys with a mechanism."""
    return replace(lab_keys(suite), mechanism=MECHANISMS[mechanism])


def succeeded(result: ActionResult | DataAccessResult) -> bool:
    """Whether it was done; if not it has to be for a reason of the rule's own."""
    assert result.name in ("SUCCESS", "OTHER_REASON")
    return result.name == "SUCCESS"


def write_password(rig: Rig, secret: bytes) -> bool:
    """Attribute 7 of class 15."""
    return succeeded(rig.set(ASSOCIATION, 15, octet_string(secret), 7))


def call_hls(rig: Rig, secret: bytes) -> bool:
    """Method 2 of class 15."""
    return succeeded(rig.act(ASSOCIATION, 15, 2, octet_string(secret)))


def by_short_name(method: int) -> Change:
    """A method of class 12."""

    def change(rig: Rig, secret: bytes) -> bool:
        offset = method_offset(cosem.CLASSES[12, 2], method)
        request = WriteRequest((ShortName(0xFA00 + offset),), (octet_string(secret),))
        client = manager(rig, by_short_names=True)
        answer = client.say(request)
        assert isinstance(answer, WriteResponse)
        return succeeded(answer.results[0])

    return change


PASSWORDS = {"class 15": write_password, "class 12": by_short_name(5)}
HLS_SECRETS = {"class 15": call_hls, "class 12": by_short_name(6)}


def manager(rig: Rig, secret: bytes | None = None, *, by_short_names: bool = False) -> Client:
    """The management client, with an association open, under the meter's secret or another."""
    made = settings(rig.keys) if secret is None else settings(rig.keys, secret=secret)
    if by_short_names:
        made = replace(made, context=made.context.SN_CIPHERED)
    counter = rig.kernel.state.counters.received + 1000
    port = PortId(f"manager{counter}")
    client = Client(rig, made, MANAGEMENT_SAP, port=port, counter=counter)
    client.open()
    return client


def gets_in(rig: Rig, sap: int, secret: bytes) -> bool:
    """Whether a client opens an association with a secret."""
    if sap == MANAGEMENT_SAP:
        return manager(rig, secret).association.is_open
    made = replace(READER, secret=secret)
    port = PortId(f"reader{len(secret)}{secret[:2]!r}")
    opened = Client(rig, made, READER_SAP, port=port).open()
    if isinstance(opened, OpenRefused):
        assert opened.diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE
    return isinstance(opened, Opened)


# --- the reader's password -----------------------------------------------------------------------


@pytest.mark.parametrize("way", PASSWORDS)
def test_a_new_password_is_the_only_one_and_outlives_a_power_cut(way: str) -> None:
    """Written by logical names, or by the method that short names have for it."""
    rig = Rig()
    assert PASSWORDS[way](rig, NEW)
    for _ in range(2):
        assert gets_in(rig, READER_SAP, NEW)
        assert not gets_in(rig, READER_SAP, rig.keys.password)
        rig.boot()


def test_a_reader_who_is_in_stays_in_when_his_password_changes() -> None:
    """It is in effect from the next association on."""
    rig = Rig()
    reader = Client(rig, READER, READER_SAP, port=PortId("in"))
    reader.open()
    assert write_password(rig, NEW)
    assert reader.association.is_open


def test_the_local_port_wants_the_new_password_too() -> None:
    """Its programming mode has the reader's password; the session under way learns of it."""
    rig = Rig()
    head = Head(rig)
    head.ask(REQUEST)
    head.ask(PROGRAMMING)
    assert write_password(rig, b"ANOTHER1")
    assert head.ask(P1) != ACK
    head.ask(REQUEST)
    head.ask(PROGRAMMING)
    assert head.ask(Command("P1", "(ANOTHER1)").to_bytes()) == ACK


# --- the secret of HLS ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", HLS_SECRETS)
@pytest.mark.parametrize("mechanism", BY_SECRET)
def test_a_new_hls_secret_is_the_only_one_and_outlives_a_power_cut(
    mechanism: str, way: str
) -> None:
    """For each mechanism that rests on a secret."""
    rig = Rig(keys=keys_of(mechanism))
    assert HLS_SECRETS[way](rig, NEW)
    for _ in range(2):
        assert gets_in(rig, MANAGEMENT_SAP, NEW)
        assert not gets_in(rig, MANAGEMENT_SAP, rig.keys.secret)
        rig.boot()


def test_the_association_in_which_the_secret_changes_goes_on() -> None:
    """And changes it again."""
    rig = Rig(keys=keys_of("hls-sha256"))
    client = manager(rig)
    method = MethodRef(15, ASSOCIATION, 2)
    for secret in (NEW, NEW[::-1]):
        done = client.say(ActionRequest(method, octet_string(secret)))
        assert isinstance(done, ActionResponse)
        assert done.result is ActionResult.SUCCESS
    assert gets_in(rig, MANAGEMENT_SAP, NEW[::-1])


@pytest.mark.parametrize("way", HLS_SECRETS)
@pytest.mark.parametrize(("suite", "mechanism"), BY_KEY)
def test_a_mechanism_of_keys_has_no_secret_to_change(suite: int, mechanism: str, way: str) -> None:
    """GMAC and ECDSA: the security setup changes their keys."""
    rig = Rig(keys=keys_of(mechanism, suite))
    before = rig.kernel.state.hls_secret
    assert not HLS_SECRETS[way](rig, NEW)
    assert rig.kernel.state.hls_secret == before


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 15, 16, 64, 65, 200])
def test_the_length_of_a_secret_has_bounds(length: int) -> None:
    """Of a password 1 to 64 octets, of a secret of HLS 16 to 64; else nothing changes."""
    rig = Rig(keys=keys_of("hls-md5"))
    secret = bytes(range(1, 1 + length))
    assert write_password(rig, secret) is (1 <= length <= MAX_SECRET)
    assert call_hls(rig, secret) is (LEAST_HLS_SECRET <= length <= MAX_SECRET)
    state, factory = rig.kernel.state, rig.factory
    changed = 1 <= length <= MAX_SECRET
    assert reader_password(factory, state) == (secret if changed else rig.keys.password)
    changed = LEAST_HLS_SECRET <= length <= MAX_SECRET
    assert hls_secret(factory, state) == (secret if changed else rig.keys.secret)


@pytest.mark.parametrize("protection", [0, 1, 2, 3])
def test_no_secret_is_taken_that_may_have_come_in_clear(protection: int) -> None:
    """The policy has to ask for encrypted requests."""
    rig = Rig(keys=replace(keys_of("hls-sha1"), protection=protection))
    encrypted = protection in (2, 3)
    assert write_password(rig, NEW) is encrypted
    assert call_hls(rig, NEW) is encrypted


@pytest.mark.parametrize("caller", [PUBLIC, READING])
def test_nobody_else_changes_a_secret(caller: Caller) -> None:
    """The reader may not even change his own: it would go in clear."""
    rig = Rig()
    before = rig.kernel.state
    denied = rig.set(ASSOCIATION, 15, octet_string(NEW), 7, caller=caller)
    assert denied is DataAccessResult.READ_WRITE_DENIED
    result = rig.act(ASSOCIATION, 15, 2, octet_string(NEW), caller=caller)
    assert result is ActionResult.READ_WRITE_DENIED
    assert rig.kernel.state == before


@pytest.mark.parametrize("method", [None, 2])
def test_another_type_than_an_octet_string_is_unmatched(method: int | None) -> None:
    """And so is the integer that stands for a parameter that was left out."""
    rig = Rig(keys=keys_of("hls"))
    if method is None:
        result = rig.set(ASSOCIATION, 15, unsigned(1), 7)
        assert result is DataAccessResult.TYPE_UNMATCHED
    else:
        assert rig.act(ASSOCIATION, 15, method) is ActionResult.TYPE_UNMATCHED


# --- flash, and who may see it -------------------------------------------------------------------


def test_nobody_reads_a_secret_and_none_shows() -> None:
    """Not by GET, not in the object's values, not in the state."""
    rig = Rig(keys=keys_of("hls-sha256"))
    assert write_password(rig, NEW)
    assert call_hls(rig, NEW[::-1])
    for caller in (MANAGER, READING, PUBLIC):
        assert rig.get(ASSOCIATION, 15, 7, caller=caller) is DataAccessResult.READ_WRITE_DENIED
    state = rig.kernel.state
    shown = repr(state) + repr(rig.kernel.view)
    for secret in (NEW, NEW[::-1], NEW.ljust(MAX_SECRET, b"\0")):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
    assert "length=31" in repr(state.password), "what shows is how long it is"


@pytest.mark.parametrize("tear", list(Tear))
def test_a_power_cut_leaves_the_old_password_or_the_new(tear: Tear) -> None:
    """At every flash operation of the change; and the reader gets in with one of the two."""
    whole = MemoryFlash(2, 32 * 1024)
    rig = Rig(flash=whole)
    before = whole.operations
    write_password(rig, NEW)
    cut_at = range(before, whole.operations)
    assert cut_at
    for operation in cut_at:
        flash = MemoryFlash(2, 32 * 1024)
        rig = Rig(flash=flash)
        flash.cut_at(Cut(operation, tear))
        answered = False
        try:
            answered = write_password(rig, NEW)
        except PowerCut:
            flash.power_on()
        rig.boot()
        found = [gets_in(rig, READER_SAP, secret) for secret in (NEW, rig.keys.password)]
        assert sorted(found) == [False, True]
        assert found[0] or not answered, "what was answered holds"
