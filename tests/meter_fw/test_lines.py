"""The lines: who is let in by which SAP, and what he may do through the line."""

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.lines import LOGICAL_DEVICE
from meter_fw.policies import MANAGEMENT_SAP, MAX_PDU, PUBLIC_SAP, READER_SAP
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol import axdr
from protocol.association import ClientSettings
from protocol.axdr import double_long, integer, octet_string
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    UserDiagnostic,
)
from protocol.cosem import vendor
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    MethodRef,
    Opened,
    OpenRefused,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.security import KeySet
from protocol.wrapper import build_header
from tests.meter_fw import rig as rig_clients
from tests.meter_fw.client import (
    DISCONNECT,
    DOOR,
    ENERGY,
    KEYS,
    KINDS,
    MANAGER,
    NAME,
    PUBLIC,
    READER,
    WHO,
    Client,
)
from tests.meter_fw.rig import Rig, number

# --- who is let in -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sap", WHO)
def test_each_of_the_three_clients_is_let_in_by_his_sap(kind: PortKind, sap: int) -> None:
    """The association tells him who he is, and what was negotiated."""
    client = Client(Rig(), WHO[sap], sap, kind)
    opened = client.open()
    assert isinstance(opened, Opened)
    assert (opened.mechanism, opened.max_pdu) == (WHO[sap].mechanism, MAX_PDU)
    partners = client.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 3))
    assert [part.value for part in partners.value] == [sap, LOGICAL_DEVICE]
    context = client.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 5))
    assert context.value[0].value == f"{opened.conformance:024b}"
    assert client.get(NAME).value == b"OPP0000000000001"


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_client_negotiates_reading_and_no_more(kind: PortKind) -> None:
    """SET and ACTION are not services of his association."""
    client = Client(Rig(), PUBLIC, PUBLIC_SAP, kind)
    opened = client.open()
    assert isinstance(opened, Opened)
    reading = Conformance.GET | Conformance.BLOCK_TRANSFER_GET | Conformance.SELECTIVE_ACCESS
    reading |= Conformance.MULTIPLE_REFERENCES | Conformance.GENERAL_BLOCK_TRANSFER
    assert opened.conformance == reading
    assert client.get(ENERGY) is DataAccessResult.OBJECT_UNDEFINED


REFUSALS = [
    # whose SAP, how he opens, diagnostic
    (READER_SAP, PUBLIC, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
    (
        READER_SAP,
        replace(READER, secret=b"87654321"),
        UserDiagnostic.AUTHENTICATION_FAILURE,
    ),
    (READER_SAP, MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (PUBLIC_SAP, READER, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED),
    (PUBLIC_SAP, MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (MANAGEMENT_SAP, PUBLIC, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (MANAGEMENT_SAP, READER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (
        MANAGEMENT_SAP,
        replace(MANAGER, system_title=b"OPP\0\0\0\0\1"),  # the meter's own
        UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED,
    ),
    (
        MANAGEMENT_SAP,
        replace(MANAGER, keys=KeySet(bytes(16), KEYS.authentication_key)),
        UserDiagnostic.AUTHENTICATION_FAILURE,
    ),
]
#: What nobody at an unknown SAP can get past; the laboratory's password least of all.
UNKNOWN = [
    (PUBLIC, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
    (READER, UserDiagnostic.AUTHENTICATION_FAILURE),
    (MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
]


@pytest.mark.parametrize(("sap", "settings", "diagnostic"), REFUSALS)
def test_a_client_who_opens_otherwise_is_told_why_not(
    sap: int, settings: ClientSettings, diagnostic: UserDiagnostic
) -> None:
    """In the AARE; and he may try again on the same line."""
    client = Client(Rig(), settings, sap)
    refused = client.open()
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic is diagnostic
    again = Client(client.rig, WHO[sap], sap, counter=100, shared=True)
    assert isinstance(again.open(), Opened)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sap", [3, 15, 17, 100])
@pytest.mark.parametrize(("settings", "diagnostic"), UNKNOWN)
def test_an_unknown_sap_is_refused_at_the_aarq(
    kind: PortKind, sap: int, settings: ClientSettings, diagnostic: UserDiagnostic
) -> None:
    """As if another password were due: it learns nothing, and the meter holds no role for it."""
    refused = Client(Rig(), settings, sap, kind).open()
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic is diagnostic


def test_a_wport_of_16_bits_is_just_as_unknown() -> None:
    """Nothing about it is too large for an answer."""
    refused = Client(Rig(), PUBLIC, 0xFFFF).open()
    assert isinstance(refused, OpenRefused)


def test_another_logical_device_does_not_answer() -> None:
    """There are two, at 1 and 2."""
    rig = Rig()
    rig.tick(opened={PortId("port"): PortKind.WRAPPER})
    octets = build_header(PUBLIC_SAP, 3, 3) + b"\xc0\x01\x01"
    assert not rig.tick(rx={PortId("port"): octets}).tx


def test_without_an_association_nothing_is_served() -> None:
    """The client hears that the service is not allowed now."""
    rig = Rig()
    rig.tick(opened={PortId("port"): PortKind.WRAPPER})
    request = bytes.fromhex("C001C1000100002A0000FF0200")
    octets = build_header(PUBLIC_SAP, 1, len(request)) + request
    answer = rig.tick(rx={PortId("port"): octets}).tx[PortId("port")]
    assert answer[8:] == bytes.fromhex("D80101")


# --- rights through the line -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_writes_nothing_and_calls_nothing(kind: PortKind) -> None:
    """He is answered with a denial, and the meter is as it was."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    client = Client(rig, READER, READER_SAP, kind)
    client.open()
    before = rig.kernel.state
    order = vendor.Order(number(2), Kind.ADJUST, 500).to_data()
    written = client.say(SetRequest(DOOR, order))
    assert isinstance(written, SetResponse)
    assert written.result is DataAccessResult.READ_WRITE_DENIED
    for method, parameter in (
        (DISCONNECT, integer(0)),
        (MethodRef(112, catalogue.TOKEN_CREDIT, 1), double_long(500)),
        (MethodRef(115, catalogue.TOKEN_GATEWAY, 1), octet_string(rig.token(3, 500))),
    ):
        called = client.say(ActionRequest(method, parameter))
        assert isinstance(called, ActionResponse)
        assert called.result is ActionResult.READ_WRITE_DENIED
    assert replace(rig.kernel.state, counters=before.counters) == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_management_client_orders_and_the_effect_is_in_flash_with_the_answer(
    kind: PortKind,
) -> None:
    """Switched off right after the reply, the meter has it."""
    rig = Rig("il")
    client = Client(rig, MANAGER, MANAGEMENT_SAP, kind)
    client.open()
    order = vendor.Order(number(1), Kind.ACTIVATE, rig.snapshot(0, 500)).to_data()
    done = client.say(SetRequest(DOOR, order))
    assert isinstance(done, SetResponse)
    assert done.result is DataAccessResult.SUCCESS
    rig.boot()
    assert rig.balance == 500


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_pdu", [64, 128, 0xFFFF])
def test_a_long_buffer_comes_in_blocks_and_is_the_same(kind: PortKind, max_pdu: int) -> None:
    """However short the APDUs that the client takes."""
    rig = Rig()
    for identity in range(70):
        rig.order(identity, Kind.DISARM)
    client = Client(rig, replace(READER, max_pdu_receive=max_pdu), READER_SAP, kind)
    client.open()
    log = AttributeRef(7, catalogue.TRANSACTION_LOG, 2)
    assert client.get(log) == rig.get(catalogue.TRANSACTION_LOG, 7)
    objects = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2)
    assert client.get(objects) == rig.get(
        catalogue.CURRENT_ASSOCIATION, 15, caller=rig_clients.READER
    )
    last = SelectiveAccess(
        2,
        axdr.structure(
            *(axdr.double_long_unsigned(64), axdr.double_long_unsigned(0)),
            *(axdr.long_unsigned(2), axdr.long_unsigned(2)),
        ),
    )
    assert client.get(log, last) == axdr.array(axdr.structure(octet_string(number(69))))
