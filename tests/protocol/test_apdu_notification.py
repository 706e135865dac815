"""DataNotification, its confirmation and EventNotification as octets."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.code import ObisCode
from protocol.apdu import (
    Apdu,
    Ciphered,
    DataNotificationApdu,
    DataNotificationConfirmApdu,
    EventNotificationApdu,
    decode,
)
from protocol.axdr import octet_string, unsigned
from protocol.errors import DecodeError, EncodeError, RemoteProtocolError
from protocol.events import (
    AttributeRef,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    LongInvokeId,
)
from protocol.udp import split
from tests.strategies import data, obis_codes

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "notifications.json").read_text("utf-8")
)
STAMP = bytes.fromhex("07E0071302082728410000" + "00")
BODY = unsigned(5)

flags = st.booleans()
invokes = st.builds(LongInvokeId, st.integers(0, 0xFFFFFF), flags, flags, flags, flags)
times = st.sampled_from((b"", STAMP)) | st.binary(min_size=12, max_size=12)
attributes = st.builds(AttributeRef, st.integers(0, 0xFFFF), obis_codes(), st.integers(0, 255))
NOTIFICATIONS = st.one_of(
    st.builds(DataNotification, data(), invokes, times).map(DataNotificationApdu),
    st.builds(DataNotificationConfirm, invokes, times).map(DataNotificationConfirmApdu),
    st.builds(EventNotification, attributes, data(), times).map(EventNotificationApdu),
)


@given(NOTIFICATIONS)
def test_every_notification_reads_as_it_was_written(apdu: Apdu) -> None:
    """With and without a time, of any value."""
    octets = apdu.encode()
    assert repr(decode(octets)) == repr(apdu)  # repr, because a float may be NaN
    assert decode(octets).encode() == octets


@given(NOTIFICATIONS, st.data())
def test_no_notification_survives_a_cut_or_an_addition(apdu: Apdu, draw: st.DataObject) -> None:
    """But for the confirmation, whose time may be missing altogether."""
    octets = apdu.encode()
    cut = draw.draw(st.integers(0, len(octets) - 1))
    if not (isinstance(apdu, DataNotificationConfirmApdu) and cut == 5):
        with pytest.raises(RemoteProtocolError):
            decode(octets[:cut])
    with pytest.raises(RemoteProtocolError):
        decode(octets + b"\x00")


@given(st.sampled_from((15, 16, 194)), st.binary(max_size=60))
def test_no_octets_raise_anything_but_a_remote_error(tag: int, octets: bytes) -> None:
    """Whatever a stranger says."""
    with contextlib.suppress(RemoteProtocolError):
        decode(bytes((tag,)) + octets)


@pytest.mark.parametrize("case", VECTORS["data_notifications"], ids=lambda case: case["name"])
def test_published_data_notifications(case: dict[str, Any]) -> None:
    """Of meters of several makers; ours has one form of the time only."""
    found = decode(bytes.fromhex(case["apdu"]))
    assert isinstance(found, DataNotificationApdu)
    assert found.notification.invoke.number == case["number"]
    assert found.notification.date_time == bytes.fromhex(case["time"])
    assert decode(found.encode()) == found


def test_the_published_event_notification() -> None:
    """0-0:97.98.20, an alarm register, without a time."""
    case = VECTORS["event_notification"]
    found = decode(bytes.fromhex(case["apdu"]))
    assert isinstance(found, EventNotificationApdu)
    reference = AttributeRef(case["class"], ObisCode.parse(case["code"]), case["attribute"])
    assert (found.notification.attribute, found.notification.time) == (reference, b"")
    assert found.notification.value.value == case["value"]
    assert found.encode() == bytes.fromhex(case["apdu"])


def test_the_published_datagrams_of_a_gas_meter() -> None:
    """From wPort 1 to wPort 1, general-glo-ciphered, with a counter that rises."""
    title, last = bytes.fromhex(VECTORS["system_title"]), VECTORS["first_counter"] - 1
    for datagram in VECTORS["datagrams"]:
        found = split(bytes.fromhex(datagram))
        assert found is not None
        header, apdu = found
        assert (header.source, header.destination, header.length) == (1, 1, 70)
        ciphered = decode(apdu)
        assert isinstance(ciphered, Ciphered)
        assert (ciphered.title, ciphered.counter > last) == (title, True)
        last = ciphered.counter


@pytest.mark.parametrize(
    ("octets", "time"),
    [
        ("0F 00000001 00 1105", b""),
        ("0F 00000001 0C" + STAMP.hex() + "1105", STAMP),
        ("0F 00000001 09 0C" + STAMP.hex() + "1105", STAMP),
        ("0F 00000001 01" + STAMP.hex() + "1105", STAMP),
    ],
    ids=["none", "an octet-string", "tagged, as Kaifa has it", "flagged, as dlms-cosem writes it"],
)
def test_the_forms_of_the_time_that_are_read(octets: str, time: bytes) -> None:
    """The first two are written as well."""
    found = decode(bytes.fromhex(octets))
    assert found == DataNotificationApdu(
        DataNotification(BODY, LongInvokeId(1, confirmed=False), time)
    )


@pytest.mark.parametrize("length", ["0B", "0D", "81", "FF", "090B", "0909"])
def test_a_time_of_another_length_is_none(length: str) -> None:
    """Twelve octets or none."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(f"0F 00000001 {length}") + bytes(13) + b"\x11\x05")


@pytest.mark.parametrize(
    ("word", "invoke"),
    [
        ("00000000", LongInvokeId(0, confirmed=False)),
        ("00FFFFFF", LongInvokeId(0xFFFFFF, confirmed=False)),
        ("10000001", LongInvokeId(1, self_descriptive=True, confirmed=False)),
        ("20000001", LongInvokeId(1, break_on_error=True, confirmed=False)),
        ("40000001", LongInvokeId(1)),
        ("80000001", LongInvokeId(1, confirmed=False, high_priority=True)),
    ],
)
def test_the_bits_of_the_long_invoke_id(word: str, invoke: LongInvokeId) -> None:
    """As dlms-cosem and pydlms-client agree on them."""
    octets = bytes.fromhex(f"10 {word} 00")
    apdu = DataNotificationConfirmApdu(DataNotificationConfirm(invoke))
    assert (decode(octets), apdu.encode()) == (apdu, octets)


def test_the_reserved_bits_of_the_long_invoke_id_mean_nothing() -> None:
    """Bits 24 to 27 are read over."""
    assert decode(bytes.fromhex("10 4F000001 00")) == decode(bytes.fromhex("10 40000001 00"))


@pytest.mark.parametrize(
    "apdu",
    [
        DataNotificationApdu(DataNotification(BODY, LongInvokeId(0x1000000))),
        DataNotificationApdu(DataNotification(BODY, LongInvokeId(-1))),
        DataNotificationApdu(DataNotification(BODY, date_time=bytes(11))),
        DataNotificationConfirmApdu(DataNotificationConfirm(LongInvokeId(), bytes(13))),
        EventNotificationApdu(
            EventNotification(AttributeRef(1, ObisCode(0, 0, 1, 0, 0, 255), 2), BODY, bytes(5))
        ),
    ],
)
def test_what_does_not_fit_is_not_written(apdu: Apdu) -> None:
    """A number of more than 24 bits, a time of another length."""
    with pytest.raises(EncodeError):
        apdu.encode()


def test_a_confirmation_may_end_after_its_number() -> None:
    """Whatever its sender thinks of the time."""
    assert decode(bytes.fromhex("1040000007")) == DataNotificationConfirmApdu(
        DataNotificationConfirm(LongInvokeId(7))
    )


def test_a_long_body_is_a_body() -> None:
    """Of boundary lengths."""
    for length in (127, 128, 255, 256, 65_535):
        said = DataNotificationApdu(DataNotification(octet_string(bytes(length))))
        assert decode(said.encode()) == said
