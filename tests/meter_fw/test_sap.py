"""The logical devices: who they are, what each shows, and that they are apart."""

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from meter_fw.sap import device_name
from obis import catalogue
from protocol.association import Association
from protocol.axdr import integer, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkData,
    Opened,
    OpenRequest,
    Peer,
)
from protocol.security import CounterLease, ReplayGuard
from protocol.wrapper import WrapperLink
from tests.meter_fw.client import DISCONNECT, ENERGY, NAME, WHO, Client, entropy
from tests.meter_fw.rig import Rig, factory

METERING = 2
SAPS = AttributeRef(17, catalogue.SAP_ASSIGNMENT, 2)
ACCOUNT = AttributeRef(111, catalogue.ACCOUNT, 2)
PARTNERS = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 3)
LIST = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2)


class Metering(Client):
    """A client of the metering device."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peer = Peer(self.sap, METERING)
        self.link = WrapperLink.client(self.peer)
        self.link.send(LinkConnect(self.peer), self.rig.now)


@pytest.mark.parametrize("sap", WHO)
def test_each_client_is_let_in_to_the_metering_device_as_to_the_other(sap: int) -> None:
    """By the same mechanism; the association names the device."""
    client = Metering(Rig(), WHO[sap], sap)
    assert isinstance(client.open(), Opened)
    assert [part.value for part in client.get(PARTNERS).value] == [sap, METERING]
    assert client.get(NAME) == octet_string(b"OPPM000000000001")


def test_the_public_client_finds_both_devices_in_the_list() -> None:
    """At the management device and at the metering device alike."""
    for kind in (Client, Metering):
        client = kind(Rig(), WHO[PUBLIC_SAP], PUBLIC_SAP)
        client.open()
        listed = [[part.value for part in row.value] for row in client.get(SAPS).value]
        assert listed == [[1, b"OPP0000000000001"], [2, b"OPPM000000000001"]]


def test_the_metering_device_shows_readings_and_no_money() -> None:
    """To the reader; its object list says the same."""
    rig = Rig()
    client = Metering(rig, WHO[READER_SAP], READER_SAP)
    client.open()
    assert client.get(ENERGY) == rig.get(catalogue.ACTIVE_ENERGY_IMPORT, 3)
    assert client.get(ACCOUNT) is DataAccessResult.OBJECT_UNDEFINED
    listed = {row.value[2].value for row in client.get(LIST).value}
    assert catalogue.DAILY_PROFILE.to_bytes() in listed
    assert not listed & {
        code.to_bytes() for code in (catalogue.ACCOUNT, catalogue.DISCONNECT_CONTROL)
    }


def test_nothing_of_the_metering_device_can_be_written_or_called() -> None:
    """Not by the management client either."""
    rig = Rig()
    client = Metering(rig, WHO[MANAGEMENT_SAP], MANAGEMENT_SAP)
    client.open()
    before = rig.kernel.state.relay
    called = client.say(ActionRequest(DISCONNECT, integer(0)))
    assert isinstance(called, ActionResponse)
    assert called.result is ActionResult.OBJECT_UNDEFINED
    assert rig.kernel.state.relay == before
    metering = rig.kernel._model.devices[METERING]
    for shown in metering.values():
        if shown.declaration.class_id != 15:
            assert not shown.methods
            assert not any(bound.set for bound in shown.attributes.values())


def test_both_devices_are_served_side_by_side_on_one_stream() -> None:
    """Each answer comes from the device that was asked."""
    rig = Rig()
    port = PortId("port")
    rig.tick(opened={port: PortKind.WRAPPER})
    ends = {}
    for logical in (1, METERING):
        peer = Peer(PUBLIC_SAP, logical)
        link = WrapperLink.client(peer)
        link.send(LinkConnect(peer), rig.now)
        ends[peer] = (
            link,
            Association.client(WHO[PUBLIC_SAP], entropy, CounterLease(1), ReplayGuard()),
        )
    for event in (OpenRequest(), GetRequest(NAME)):
        octets = b""
        for peer, (link, association) in ends.items():
            association.send(event, rig.now)
            link.send(LinkData(peer, association.outgoing()), rig.now)
            octets += link.outgoing()
        answers = rig.tick(rx={port: octets}).tx[port]
        names = []
        for link, association in ends.values():
            for heard in link.receive(answers, rig.now):
                if isinstance(heard, LinkData):
                    names += association.receive(heard.apdu, rig.now)
    assert names == [
        GetResponse(octet_string(b"OPP0000000000001")),
        GetResponse(octet_string(b"OPPM000000000001")),
    ]


@pytest.mark.parametrize(
    ("name", "second"), [("OPP0000000000001", "OPPM000000000001"), ("OPPM1", "OPPN1"), ("X", "XM")]
)
def test_the_second_name_is_never_the_first(name: str, second: str) -> None:
    """Nor longer than a name may be."""
    from obis.values import replace

    assert device_name(replace(factory(), name=name), METERING) == second
