"""Clients for a meter on the bench: our own client halves, and the octets between them."""

from dataclasses import dataclass, field
from typing import Any

from meter_fw.board import PortId, PortKind
from meter_fw.lines import LOGICAL_DEVICE
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from obis import catalogue
from prepay.keys import LAB_KEYS
from protocol.association import Association, ClientSettings
from protocol.codes import (
    ApplicationContext,
    Mechanism,
)
from protocol.events import (
    AssociationEvent,
    AttributeRef,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkData,
    MethodRef,
    OpenRequest,
    Peer,
    SelectiveAccess,
)
from protocol.hdlc import HdlcClient, HdlcParameters
from protocol.link import Link
from protocol.security import CounterLease, KeySet, ReplayGuard
from protocol.wrapper import WrapperLink
from tests.meter_fw.rig import Rig

KEYS = KeySet(LAB_KEYS.block_cipher_key, LAB_KEYS.authentication_key)
TITLE = b"HEAD\0\0\0\1"
PUBLIC = ClientSettings()
READER = ClientSettings(mechanism=Mechanism.LLS, secret=LAB_KEYS.password)
MANAGER = ClientSettings(
    mechanism=Mechanism.HLS_GMAC,
    context=ApplicationContext.LN_CIPHERED,
    keys=KEYS,
    system_title=TITLE,
)
WHO = {PUBLIC_SAP: PUBLIC, READER_SAP: READER, MANAGEMENT_SAP: MANAGER}
KINDS = [PortKind.HDLC, PortKind.WRAPPER]
NAME = AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2)
ENERGY = AttributeRef(3, catalogue.ACTIVE_ENERGY_IMPORT, 2)
DOOR = AttributeRef(1, catalogue.TRANSACTION, 2)
DISCONNECT = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)


def entropy(length: int) -> bytes:
    """Return octets that are anything but random."""
    return bytes(range(1, length + 1))


@dataclass
class Client:
    """Both halves of a client on one port of a meter, pumped until nobody has more to say.

    Args:
        rig: the meter.
        settings: how he opens.
        sap: his SAP.
        kind: what is spoken on the port.
        port: which one; opened if the meter has not got it yet.
        counter: his first invocation counter.
        shared: whether others speak on this port too.
    """

    rig: Rig
    settings: ClientSettings = PUBLIC
    sap: int = PUBLIC_SAP
    kind: PortKind = PortKind.WRAPPER
    port: PortId = PortId("port")
    counter: int = 1
    shared: bool = False
    heard: list[AssociationEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        hdlc = self.kind is PortKind.HDLC
        self.peer = Peer(self.sap, LOGICAL_DEVICE, 1 if hdlc else 0)
        wrapper = WrapperLink.client(self.peer)
        self.link: Link = HdlcClient(self.peer, 4, HdlcParameters(512, 512)) if hdlc else wrapper
        self.association = Association.client(
            self.settings, entropy, CounterLease(self.counter), ReplayGuard()
        )
        if not self.shared:
            self.rig.tick(opened={self.port: self.kind})
        self.link.send(LinkConnect(self.peer), self.rig.now)
        self.pump()

    def say(self, event: AssociationEvent) -> AssociationEvent:
        """Send an event and return the last thing that came of it."""
        self.association.send(event, self.rig.now)
        self.pump()
        return self.heard[-1]

    def open(self) -> AssociationEvent:
        """Ask for the association."""
        return self.say(OpenRequest())

    def get(self, attribute: AttributeRef, access: SelectiveAccess | None = None) -> Any:
        """GET, and return the value or the refusal."""
        response = self.say(GetRequest(attribute, access))
        assert isinstance(response, GetResponse), response
        return response.result

    def pump(self) -> None:
        """Exchange octets until there is nothing more to say."""
        for _ in range(1000):
            while apdu := self.association.outgoing():
                self.link.send(LinkData(self.peer, apdu), self.rig.now)
            octets = self.link.outgoing()
            if not octets:
                return
            answer = self.rig.tick(rx={self.port: octets}).tx.get(self.port, b"")
            for event in self.link.receive(answer, self.rig.now):
                if isinstance(event, LinkData):
                    self.heard += self.association.receive(event.apdu, self.rig.now)
        raise AssertionError("a conversation without an end")


def plain_get(attribute: AttributeRef) -> bytes:
    """Return the APDU of a GET, plain."""
    class_id = attribute.class_id.to_bytes(2, "big")
    return b"\xc0\x01\xc1" + class_id + attribute.logical_name.to_bytes() + b"\x02\x00"
