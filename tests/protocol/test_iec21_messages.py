"""IEC 62056-21: characters, messages and data sets, read and written."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protocol.errors import DecodeError, EncodeError
from protocol.iec21 import Command, DataSet, Identification, Parity, Value, format_block
from protocol.iec21.characters import WRONG, block_check, decode, encode, time_on_wire
from protocol.iec21.datasets import MAX_ADDRESS, MAX_UNIT, MAX_VALUE, MAX_VALUES, parse_block
from protocol.iec21.finder import INTER_CHARACTER, MessageFinder
from protocol.iec21.messages import (
    BREAK,
    Acknowledge,
    DataMessage,
    Message,
    Mode,
    OptionSelect,
    Purpose,
    Repeat,
    SignOn,
    Telegram,
    parse_message,
)
from protocol.timing import Instant

T0 = Instant(1_700_000_000_000)

# --- what can be written -----------------------------------------------------------------------

_PRINTABLE = [chr(each) for each in range(0x20, 0x7F)]


def text(most: int, forbidden: str = "", least: int = 0) -> SearchStrategy[str]:
    """Printable characters but for some."""
    allowed = [each for each in _PRINTABLE if each not in forbidden]
    return st.text(st.sampled_from(allowed), min_size=least, max_size=most)


values = st.builds(Value, text(MAX_VALUE, "()*/!"), text(MAX_UNIT, "()*/!"))
sets = st.builds(
    DataSet,
    text(MAX_ADDRESS, "()/!", 1),
    st.lists(values, min_size=1, max_size=4).map(tuple),
)
identifications = st.builds(
    Identification,
    st.text(st.sampled_from("ABCXYZabcxyz"), min_size=3, max_size=3),
    st.sampled_from([each for each in _PRINTABLE if each not in "/!?\\"]),
    text(16, "/!\\"),
    st.sampled_from(["", "2", "2W", "0"]),
)
commands = st.builds(
    Command,
    st.builds("{}{}".format, st.sampled_from("PWREB"), st.integers(0, 9)),
    st.none() | text(128, "/"),
)
messages: SearchStrategy[Message] = st.one_of(
    st.builds(SignOn, text(32, "/!")),
    identifications,
    st.builds(OptionSelect, *(st.sampled_from("01259AZ"),) * 3),
    st.just(Acknowledge()),
    st.just(Repeat()),
    commands,
    st.builds(DataMessage, text(200, "/"), st.booleans()),
    st.builds(Telegram, identifications, st.lists(sets, max_size=4).map(tuple)),
)
parities = st.sampled_from(Parity)


def found(octets: bytes, *, option: bool = False, telegrams: bool = False) -> list[bytes]:
    """Return the messages in some octets."""
    finder = MessageFinder(0x10000)
    finder.acknowledgement = 6 if option else 1
    finder.telegrams = telegrams
    finder.push(octets, T0)
    return list(iter(finder.take, None))


# --- characters --------------------------------------------------------------------------------


def test_the_parity_of_a_published_answer() -> None:
    """The confirmation of 9600 Bd as an excerpt of the Green Book prints it (by pydlms-client)."""
    confirmation = OptionSelect("2", "5", "2").to_bytes()
    assert encode(confirmation, Parity.EVEN) == bytes.fromhex("06B235B28D0A")
    assert encode(confirmation, Parity.NONE) == bytes.fromhex("063235320D0A")


def test_the_block_check_of_published_commands() -> None:
    """Break and sign-off, as iec62056-21 and pydlms-client have them."""
    assert BREAK.to_bytes() == bytes.fromhex("0142300371")
    assert Command("B1").to_bytes() == bytes.fromhex("0142310370")
    assert Command("P0", "()").to_bytes() == bytes.fromhex("01503002282903 60".replace(" ", ""))


@given(st.binary(), parities)
def test_characters_come_back(octets: bytes, parity: Parity) -> None:
    """Seven bits go and come whole, and any single bit changed on the way is noticed (even)."""
    characters = bytes(each & 0x7F for each in octets)
    written = encode(characters, parity)
    assert decode(written, parity) == characters
    if written and parity is Parity.EVEN:
        for bit in range(8):
            changed = bytes((written[0] ^ 1 << bit,))
            assert decode(changed, parity)[0] & WRONG


@pytest.mark.parametrize(
    ("characters", "baud", "milliseconds"),
    [(0, 300, 0), (1, 300, 34), (30, 300, 1000), (6, 9600, 7)],
)
def test_how_long_characters_take(characters: int, baud: int, milliseconds: int) -> None:
    """Ten bits each, rounded up: the rate is never changed too early."""
    assert time_on_wire(characters, baud) == milliseconds


# --- messages ----------------------------------------------------------------------------------


@given(messages, parities)
def test_a_message_comes_back_through_the_line(message: Message, parity: Parity) -> None:
    """Parse and format are inverses, and the finder cuts each message out whole."""
    characters = message.to_bytes()
    assert parse_message(characters) == message
    # the parity shows itself at "/"; a line that has seen one knows it
    octets = encode(SignOn().to_bytes() + characters, parity)
    option, telegram = isinstance(message, OptionSelect), isinstance(message, Telegram)
    if telegram:
        octets = encode(characters, parity)
    assert found(octets, option=option, telegrams=telegram)[-1] == characters


@given(st.lists(sets, max_size=8).map(tuple))
def test_a_block_of_data_sets_comes_back(block: tuple[DataSet, ...]) -> None:
    """Whatever may be written is read as what it was."""
    assert parse_block(format_block(block)) == block
    readout = DataMessage.readout(block)
    again = parse_message(readout.to_bytes())
    assert isinstance(again, DataMessage)
    assert again.sets == block


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        (b"/?!\r\n", SignOn()),
        (b"/?00012345!\r\n", SignOn("00012345")),
        (b"/EMH5\\@01LZQJL0014E\r\n", None),  # as such meters send: an escape nobody registered
        (b"/ISk5\\2MT382-1000\r\n", Identification("ISk", "5", "MT382-1000", "2")),
        (b"/LGZ4ZMD1204407.B26\r\n", Identification("LGZ", "4", "ZMD1204407.B26")),
        (b"/XXXAident\r\n", Identification("XXX", "A", "ident")),
        (b"/ABC@ old\r\n", Identification("ABC", "@", " old")),
        (b"\x06050\r\n", OptionSelect("0", "5", "0")),
        (b"\x06252\r\n", OptionSelect("2", "5", "2")),
        (b"\x06\r\n050", None),
        (b"\x02(ERR)\x03\x50", None),  # wrong block check
        (b"\x02\x03\x03", DataMessage("")),
        (b"\x01B0\x03\x71", Command("B0")),
        (b"\x01B0\x04\x76", None),  # a command has no further block
        (b"\x01X0\x03\x6b", None),
        (b"/?\xe1!\r\n", None),  # a wrong parity
        (b"", None),
        (b"\x01", None),
        (b"hello\r\n", None),
    ],
)
def test_messages_as_meters_and_readers_send_them(
    characters: bytes, expected: Message | None
) -> None:
    """None: no message, and no other error than that."""
    if expected is None:
        with pytest.raises(DecodeError):
            parse_message(characters)
    else:
        assert parse_message(characters) == expected


@pytest.mark.parametrize(
    ("rate", "enhanced", "mode", "baud"),
    [
        ("5", "", Mode.C, 9600),
        ("5", "2", Mode.E, 9600),
        ("0", "W", Mode.C, 300),
        ("6", "2W", Mode.E, 19200),
        ("A", "", Mode.B, 600),
        ("F", "", Mode.B, 19200),
        ("@", "", Mode.A, None),
        ("7", "", Mode.A, None),
    ],
)
def test_an_identification_tells_the_mode(
    rate: str, enhanced: str, mode: Mode, baud: int | None
) -> None:
    """By its rate, and by the "2" behind a backslash."""
    said = Identification("OPP", rate, "x", enhanced)
    assert (said.mode, said.baud) == (mode, baud)


def test_a_small_third_letter_promises_to_be_quick() -> None:
    """20 ms in place of 200."""
    assert Identification("ISk", "5", "").quick
    assert not Identification("ISK", "5", "").quick


@pytest.mark.parametrize(
    ("option", "purpose"),
    [
        ("000", Purpose.READOUT),
        ("051", Purpose.PROGRAMMING),
        ("252", Purpose.HDLC),
        ("052", None),
        ("250", None),
        ("999", None),
    ],
)
def test_an_option_names_a_purpose(option: str, purpose: Purpose | None) -> None:
    """Protocol and mode together."""
    assert OptionSelect(*option).purpose is purpose


@pytest.mark.parametrize(
    ("asked", "own", "meant"),
    [
        ("", "123", True),
        ("", "", True),
        ("123", "123", True),
        ("000123", "123", True),
        ("123", "000123", True),
        ("1230", "123", False),
        ("124", "123", False),
        ("1", "", False),
        ("0", "0", True),
    ],
)
def test_whom_a_request_means(asked: str, own: str, meant: bool) -> None:
    """Leading zeros do not count; without an address everybody is meant."""
    assert SignOn(asked).is_for(own) is meant


@pytest.mark.parametrize(
    "make",
    [
        lambda: SignOn("a/b"),
        lambda: SignOn("1" * 33),
        lambda: SignOn("\r\n"),
        lambda: SignOn("é"),
        lambda: Identification("OP", "5", "x"),
        lambda: Identification("O1P", "5", "x"),
        lambda: Identification("OPP", "", "x"),
        lambda: Identification("OPP", "5", "x" * 17),
        lambda: Identification("OPP", "5", "a!b"),
        lambda: Identification("OPP", "5", "\\2"),
        lambda: Identification("OPP", "5", "é"),
        lambda: Command("X1"),
        lambda: Command("R"),
        lambda: Command("R1", "\x03"),
        lambda: OptionSelect("00", "5", "0"),
        lambda: DataMessage("\x03"),
        lambda: DataMessage("a/b"),
        lambda: Command("P1", "(a/b)"),
        lambda: OptionSelect("/", "5", "0"),
        lambda: DataSet("a", ()),
        lambda: DataSet("a(", (Value("1"),)),
        lambda: DataSet("a" * (MAX_ADDRESS + 1), (Value("1"),)),
        lambda: DataSet("a", (Value("1"),) * (MAX_VALUES + 1)),
        lambda: Value("1*2"),
        lambda: Value("1" * (MAX_VALUE + 1)),
        lambda: Value("1", "k)"),
        lambda: Value("\n"),
    ],
)
def test_what_cannot_be_written_is_refused(make: object) -> None:
    """Before it is on a line."""
    with pytest.raises(EncodeError):
        make()  # type: ignore[operator] # a table of calls


def test_a_password_is_not_shown() -> None:
    """Neither by the command that carries it nor by what it says when it cannot be written."""
    assert "secret" not in repr(Command("P1", "(secret)"))
    with pytest.raises(EncodeError) as error:
        Command("P1", "(secret\x03)")
    assert "secret" not in str(error.value)


# --- data sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1.8.0(000123.456*kWh)", [DataSet.of("1.8.0", "000123.456", "kWh")]),
        ("1-0:1.8.0*255(12*kWh)", [DataSet.of("1-0:1.8.0*255", "12", "kWh")]),
        ("F.F(00)C.1(7)", [DataSet.of("F.F", "00"), DataSet.of("C.1", "7")]),
        (
            "0-1:24.2.1(101209112500W)(12785.123*m3)",
            [DataSet("0-1:24.2.1", (Value("101209112500W"), Value("12785.123", "m3")))],
        ),
        ("(ERR01)", [DataSet.of("", "ERR01")]),
        ("()", [DataSet.of("", "")]),
        ("", []),
    ],
)
def test_lines_as_meters_write_them(line: str, expected: list[DataSet]) -> None:
    """Of a DSMR meter, a German one, and the plain form."""
    assert list(parse_block(line)) == expected


@pytest.mark.parametrize(
    "line", ["1.8.0", "1.8.0(", "1.8.0)", "1.8.0(1))", "1.8.0((1)", "a(1)b", "a(1*2*3)", "a!(1)"]
)
def test_lines_that_are_none(line: str) -> None:
    """A bracket too many or too few, or what ends a block."""
    with pytest.raises(DecodeError):
        parse_block(line)


# --- hostile octets ----------------------------------------------------------------------------


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_octets_are_messages_or_an_error(octets: bytes, option: bool, telegrams: bool) -> None:
    """Whatever comes, the finder ends, and the parser has one error only."""
    for characters in [*found(octets, option=option, telegrams=telegrams), octets]:
        try:
            message = parse_message(characters)
            if isinstance(message, DataMessage):
                assert isinstance(message.sets, tuple)
        except DecodeError:
            continue
        # Only a telegram may have more behind its end: the check of others.
        if not isinstance(message, Telegram):
            assert message.to_bytes() == characters


@given(commands | st.builds(DataMessage, text(60, "/")), st.integers(0, 400), st.integers(0, 7))
def test_one_wrong_bit_is_never_taken_for_the_message(
    message: Command | DataMessage, place: int, bit: int
) -> None:
    """Any bit with the parity; one of the seven by the block check alone."""
    characters = message.to_bytes()
    octets = bytearray(encode(characters, Parity.EVEN))
    octets[place % len(octets)] ^= 1 << bit
    with pytest.raises(DecodeError):
        parse_message(decode(bytes(octets), Parity.EVEN))
    checked = bytearray(characters)
    checked[place % len(checked)] ^= 1 << bit % 7
    with pytest.raises(DecodeError):
        parse_message(bytes(checked))


@given(st.binary(max_size=50), messages)
def test_a_message_is_found_behind_any_garbage(garbage: bytes, message: Message) -> None:
    """At the latest once the line has been silent for as long as no message is."""
    finder = MessageFinder(0x10000)
    finder.push(garbage, T0)
    while finder.take() is not None:
        pass
    finder.push(SignOn("9").to_bytes(), Instant(T0 + INTER_CHARACTER))
    assert finder.take() == SignOn("9").to_bytes()


def test_what_never_ends_takes_no_room() -> None:
    """Two million octets of one message leave nothing behind."""
    finder = MessageFinder(256)
    tracemalloc.start()
    for _ in range(20):
        finder.push(b"\x02" + b"x" * 9_999, T0)
        assert finder.take() is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_a_block_check_may_be_any_character() -> None:
    """Also "/" or SOH, which begin a message everywhere else."""
    for wanted in (0x2F, 0x01):
        data = chr(wanted ^ 0x03 ^ 0x40) + "\x40"
        message = DataMessage(data)
        characters = message.to_bytes()
        assert characters[-1] == wanted == block_check(characters[1:-1])
        assert found(characters) == [characters]
