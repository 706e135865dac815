"""``prepay decode``: octets in any notation, whole traces, keys, exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headend.cli import Invocation, main
from headend.commands._hex import lines_of
from headend.commands.decode import split
from headend.errors import UsageError
from headend.transports import LinkKind
from tests.headend.bench import SPECS, Bench
from tests.headend.test_cli import prepay

GET = "C001C100080000010000FF0200"
CIPHERED = "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"
TITLE = "4D4D4D0000BC614E"


def decode(*words: str, given: str | None = None) -> Result:
    """Run the command, with ``given`` on standard input."""
    return CliRunner().invoke(
        main, ["decode", *words], obj=Invocation(), input=given, env={"PREPAY_KEYS": ""}
    )


def told(*words: str, given: str | None = None) -> list[dict[str, Any]]:
    """Return the messages of the JSON object."""
    done = decode("--json", *words, given=given)
    messages: list[dict[str, Any]] = json.loads(done.stdout)["messages"]
    return messages


def test_a_request_is_explained_row_by_row() -> None:
    """Offset, octets, meaning; indented by what belongs to what."""
    done = decode(GET)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "0000   C0                      get-request",
        "0001   01                        type: get-request-normal",
        "0002   C1                          invoke-id-and-priority: 1, confirmed, high priority",
        "0003                               cosem-attribute-descriptor: time",
        "0003   00 08                         class-id: 8 Clock",
        "0005   00 00 01 00 00 FF             instance-id: 0-0:1.0.0*255 clock",
        "000B   02                            attribute-id: 2 time",
        "000C   00                          access-selection: none",
    ]


@pytest.mark.parametrize(
    "written",
    [
        GET,
        GET.lower(),
        " ".join(GET[i : i + 2] for i in range(0, len(GET), 2)),
        ":".join(GET[i : i + 2] for i in range(0, len(GET), 2)),
        ", ".join("0x" + GET[i : i + 2] for i in range(0, len(GET), 2)),
        "".join("\\x" + GET[i : i + 2] for i in range(0, len(GET), 2)),
        f"{GET[:12]}\n{GET[12:]}",
        f"# a remark\n{GET}  # another",
        "00000000  c0 01 c1 00 08 00 00 01  00 00 ff 02 00           |.............|\n0000000d\n",
        "00000000: c001 c100 0800 0001 0000 ff02 00         .............\n",
        "0000   c0 01 c1 00 08 00 00 01   ........\n0008   00 00 ff 02 00   .....\n",
        "00000000: c001 c100 0800 0001 0000 ff02 00         a|b  |c|....|\n",
        "{0xC0,0x01,0xC1,0x00,0x08,0x00,0x00,0x01,0x00,0x00,0xFF,0x02,0x00}",
        f"TX: {GET}",
    ],
)
def test_hexadecimal_is_read_in_any_usual_notation(written: str) -> None:
    """On standard input; each is the same request."""
    (message,) = told("-", given=written)
    assert message["octets"] == GET
    assert message["faults"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("C0 01 XY", "line 1: '0' is no hexadecimal"),
        ("C00", "line 1: 3 hexadecimal digits are no whole octets"),
        ("# nothing", "no octets"),
        ("\xc0\x01\x00", "are these the octets themselves? Try xxd -p FILE"),
        ("0" * (1 << 24), "too many octets"),
        ("00" * ((1 << 20) + 1), "too many octets"),
    ],
)
def test_what_is_no_hexadecimal_is_wrong_usage(text: str, said: str) -> None:
    """One line, exit code 2."""
    done = decode("-", given=text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert said.removeprefix("line 1: '0'") in done.stderr


def test_a_fault_is_exit_code_1_and_what_is_before_it_is_shown() -> None:
    """With its place and its reason."""
    done = decode(GET[:-4])
    assert done.exit_code == 1
    assert "class-id: 8 Clock" in done.stdout
    assert "!! cut short: 1 octets are announced here, 0 are left" in done.stdout
    (message,) = told(GET[:-4])
    assert message["faults"] == [
        {"offset": 11, "reason": "cut short: 1 octets are announced here, 0 are left"}
    ]


def test_the_octets_of_the_json_are_the_input() -> None:
    """The own octets of all parts, from the top down."""

    def own(parts: list[dict[str, Any]]) -> str:
        return "".join(part["octets"] + own(part.get("parts", [])) for part in parts)

    (message,) = told(CIPHERED, "--title", TITLE)
    assert own(message["parts"]) == CIPHERED
    inside = message["parts"][0]["parts"][2]["inside"]
    assert own(inside["parts"]) == inside["octets"] == "C0010000080000010000FF0200"


def test_the_lab_keys_are_tried_and_given_keys_have_to_fit(tmp_path: Path) -> None:
    """A wrong key that was given is a fault; one that was only tried is none."""
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[management]\nblock_cipher_key = "{"00" * 16}"\n')
    assert "get-request-normal" in decode(CIPHERED, "--title", TITLE).stdout
    assert decode(CIPHERED).exit_code == 0
    given = decode(CIPHERED, "--title", TITLE, "--keys", str(keys))
    assert given.exit_code == 1
    assert "the authentication tag is false" in given.stdout
    assert "00" * 16 not in given.stdout + given.stderr


@pytest.mark.parametrize("title", ["", "00", "XY", "00" * 9])
def test_a_title_that_is_none_is_wrong_usage(title: str) -> None:
    """Eight octets."""
    assert decode(GET, "--title", title).exit_code == 2


@pytest.mark.parametrize("kind", list(LinkKind)[:2])
def test_our_own_trace_is_explained_from_sign_on_to_release(kind: LinkKind) -> None:
    """A ciphered session of the head-end with a meter: deciphered, typed, without a fault."""
    if kind not in SPECS:
        pytest.skip("no bench speaks it")
    bench = Bench("be-wal", kind)
    trace = prepay("--port", SPECS[kind], "--trace", "read", "1.8.0", bench=bench).stderr
    bench.close()
    done = decode("-", given=trace)
    assert done.exit_code == 0, done.stdout
    assert "instance-id: 1-0:1.8.0*255 active energy import" in done.stdout
    assert "-- deciphered with system title" in done.stdout
    assert "2.16.756.5.8.2.5 hls-gmac" in done.stdout
    assert "sent 1: " in done.stdout
    assert "received 2: " in done.stdout


def test_pieces_of_a_frame_in_one_direction_are_one_message() -> None:
    """A port gives octets as they come."""
    frame = "7EA0070321930F017E"
    messages = told("-", given=f"> {frame[:6]}\n> {frame[6:]}\n< {frame}\n")
    assert [(each["direction"], each["octets"]) for each in messages] == [
        (">", frame), ("<", frame),
    ]  # fmt: skip # a table


def test_lines_without_direction_are_messages_if_any_is_one_by_itself() -> None:
    """Otherwise one message that was broken into lines; an empty line always separates."""
    assert len(split(lines_of(f"{GET}\nC401C1000600001391"))) == 2
    assert len(split(lines_of(f"{GET[:10]}\n{GET[10:]}"))) == 1
    assert len(split(lines_of(f"{GET[:10]}\n{GET[10:]}\n\n{GET}"))) == 2
    assert len(split(lines_of(f"{GET[:10]}\n{GET[10:-4]}"))) == 1


def test_directions_are_written_in_many_ways() -> None:
    """With a time stamp before them or not."""
    text = f"TX: {GET}\nRX: {GET}\n12:30:01.5 > {GET}\n[2026-11-22 10:00:00] <- {GET}\nrecv {GET}"
    assert [line.direction for line in lines_of(text)] == [">", "<", ">", "<", "<"]
    assert {line.octets.hex().upper() for line in lines_of(text)} == {GET}


def test_what_a_command_says_beside_its_trace_is_passed_over() -> None:
    """As in the example of the help; what has a direction has to be hexadecimal still."""
    assert [line.direction for line in lines_of(f"> {GET}\n< {GET}\n0 Wh\n")] == [">", "<"]
    with pytest.raises(UsageError, match="line 2"):
        lines_of(f"> {GET}\n< C4 01 XY")


def test_the_help_names_the_option_for_the_keys() -> None:
    """Although no meter is asked."""
    assert "--keys FILE " in decode("--help").stdout
    assert "--port" not in decode("--help").stdout.partition("Options:")[2].partition("--trace")[0]


def test_what_octets_are_can_be_said() -> None:
    """A bare value begins like an APDU."""
    (message,) = told("--as", "data", "0203110516020000")
    assert message["form"] == "data"
    assert message["parts"][0]["type"] == "structure"


def test_no_octets_at_all_are_wrong_usage() -> None:
    """Neither as argument nor on standard input."""
    assert decode().exit_code == 2
    with pytest.raises(UsageError, match="no octets"):
        split([])
