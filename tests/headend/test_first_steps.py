"""What people meet first: one format for times, refusals with a next step, lists that fit."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from headend.cli import Invocation, main
from headend.commands.activate import activate
from headend.commands.deactivate import deactivate
from headend.commands.morning import morning
from headend.commands.status import status
from headend.commands.topup import top_up
from headend.context import Context, Settings, default_database
from headend.device import Device
from headend.errors import NoAnswer
from headend.reach import reached
from headend.reading.readable import readable
from headend.session import Patience
from headend.store import schema
from headend.times import meter_text
from headend.transports import LinkKind
from obis import catalogue
from obis.code import ObisCode
from protocol import axdr
from protocol.axdr import Data
from protocol.cosem_time import CosemDateTime
from tests.headend.accounts import use
from tests.headend.bench import SPECS, Bench
from tests.headend.test_cli import run
from tests.headend.test_session import serving, silent

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\Z")
#: The longest line of a list.
PAGE = 100


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """A meter with EUR 45.00, which the tests below do not change."""
    made = Bench("be-wal", LinkKind.HDLC)
    activate(made.context())
    top_up(made.context(), "25.00")
    yield made
    made.close()


@pytest.fixture(params=["be-wal", "il"])
def ended(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A meter of either mode whose prepayment has ended with something left."""
    made = Bench(request.param, LinkKind.HDLC)
    activate(made.context())
    top_up(made.context(), "150.00")
    deactivate(made.context())
    yield made
    made.close()


def alone(*words: str, **environment: str) -> Result:
    """Run a command that reaches no meter."""
    clean = {"PREPAY_PORT": "", "PREPAY_DB": "", "PREPAY_KEYS": "", **environment}
    return CliRunner().invoke(main, list(words), obj=Invocation(), env=clean)


def test_the_version_is_told() -> None:
    """As the other program tells it."""
    done = alone("--version")
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.fullmatch(r"prepay, version \d+\.\d+\.\d+\S*\n", done.stdout)


# --- times ---------------------------------------------------------------------------------------


def test_a_time_is_written_the_same_everywhere(bench: Bench) -> None:
    """ISO 8601 with seconds and offset: clock, status, a display code, the lists."""
    told = json.loads(run(bench, "status", "--json").stdout)
    listed = json.loads(run(bench, "transactions", "--json").stdout)["transactions"]
    shown = [
        run(bench, "clock").stdout.strip(),
        json.loads(run(bench, "clock", "--json").stdout)["clock"],
        run(bench, "read", "94.32.2 1").stdout.strip(),
        run(bench, "read", "clock").stdout.strip(),
        told["clock"],
        told["updated"],
        *(each["created"] for each in listed),
    ]
    assert [moment for moment in shown if not ISO.match(moment)] == []


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("07EA0B15061729011EFFC480", "2026-11-21T23:41:01+01:00"),
        ("07EA0B1506172901FFFFC4FF", "2026-11-21T23:41:01+01:00"),
        ("07EA0B1506172901008000FF", "2026-11-21T23:41:01"),
        ("FFFF0101FF000000FF8000FF", "****-01-01 00:00:00"),
        ("FFFFFFFFFFFFFFFFFF8000FF", "not specified"),
    ],
)
def test_a_time_with_wildcards_is_readable_too(octets: str, text: str) -> None:
    """Hundredths are dropped, what is not specified is said."""
    assert meter_text(CosemDateTime.from_bytes(bytes.fromhex(octets))) == text


# --- nobody there --------------------------------------------------------------------------------


def hang_up(connection: socket.socket) -> None:
    """Close at once."""
    connection.close()


@pytest.mark.parametrize("peer", [hang_up, silent])
@pytest.mark.parametrize(("scheme", "other"), [("tcp", "hdlc+tcp"), ("hdlc+tcp", "tcp")])
def test_a_peer_that_understands_nothing_may_speak_the_other_thing(
    scheme: str, other: str, peer: Callable[[socket.socket], None]
) -> None:
    """HDLC and the wrapper are both found on TCP ports, and mistaken for one another."""
    with serving(peer, scheme) as spec:
        patience = Patience(silence=200, whole=400, farewell=50)
        asking = Context(Settings(port=spec, client=16), patience=patience)
        hint = re.escape(f"(is it {other}: rather than {scheme}:?)")
        with pytest.raises(NoAnswer, match=hint), reached(asking):
            pass


def test_silence_at_an_address_that_was_asked_for_may_be_the_address() -> None:
    """On a line of several meters it mostly is."""
    with serving(silent, "hdlc+tcp") as spec:
        patience = Patience(silence=200, whole=400, farewell=50)
        settings = Settings(port=spec, client=16, physical=9, logical=2)
        asking = Context(settings, patience=patience)
        hint = re.escape("does anybody there have that --logical and --physical?)")
        with pytest.raises(NoAnswer, match=hint), reached(asking):
            pass


# --- refusals ------------------------------------------------------------------------------------

REFUSALS = {
    "an attribute that the class has not": (
        ["read", "1.8.0", "--attribute", "9"],
        "object 1-0:1.8.0*255 has no attribute 9",
    ),
    "an object that the client does not see": (
        ["--client", "16", "read", "1.8.0"],
        "client 16 does not see 1-0:1.8.0*255, or the meter has none",
    ),
    "an object that nobody has": (
        ["read", "1-0:99.99.99*255", "--class", "3"],
        "client 1 does not see 1-0:99.99.99*255, or the meter has none",
    ),
    "another class": (
        ["read", "1.8.0", "--class", "8"],
        "1-0:1.8.0*255 is not of class 8 (object-class-inconsistent)",
    ),
    "a code that is in no list": (["--client", "2", "read", "9.9.9"], "client 2 sees no object"),
    "a right to write": (
        ["--client", "2", "set", "0-0:1.0.0", "octet-string:00"],
        "client 2 may not write 0-0:1.0.0*255 attribute 2 (read-write-denied)",
    ),
    "a right to execute": (
        ["--client", "2", "action", "0-0:96.3.10"],
        "client 2 may not execute 0-0:96.3.10*255 method 1 (read-write-denied)",
    ),
    "a method that the class has not": (
        ["action", "0-0:96.3.10", "--method", "9"],
        "object 0-0:96.3.10*255 has no method 9",
    ),
    "a wrong password": (
        ["--client", "2", "--password", "wrong", "clock"],
        "(wrong key or password? --keys FILE, --password)",
    ),
    "a wrong mechanism": (
        ["--mechanism", "sha256", "clock"],
        "it wants another --mechanism: give --keys the file that the meter has",
    ),
    "a protection that is not enough": (
        ["--protection", "encrypted", "clock"],
        "or a --protection that the meter finds too weak",
    ),
    "an unknown client": (
        ["--client", "5", "clock"],
        "our meters have 1 management, 2 reader and 16 public",
    ),
    "another client's mechanism": (
        ["--client", "2", "--mechanism", "none", "clock"],
        "client 2 has lls on our meters: leave out --mechanism",
    ),
}


@pytest.mark.parametrize(("words", "said"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refusal_says_what_was_missing(bench: Bench, words: list[str], said: str) -> None:
    """In one line, exit code 1."""
    done = run(bench, *words)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert said in done.stderr


def test_a_wrong_key_says_what_to_try(bench: Bench, tmp_path: Path) -> None:
    """The meter cannot decipher, and does not say whose fault that is."""
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[management]\nblock_cipher_key = "{"5A" * 16}"\n')
    done = run(bench, "--keys", str(keys), "clock")
    assert done.exit_code == 1
    assert "wrong key or password? --keys FILE" in done.stderr


def test_each_command_that_needs_prepayment_says_what_to_do_without(ended: Bench) -> None:
    """To end what has ended there is nothing to do; to pay, prepayment has to begin."""
    over = run(ended, "deactivate")
    assert (over.exit_code, over.stderr) == (
        1,
        "prepay: prepayment is not active on this meter: nothing to deactivate\n",
    )
    assert "prepay activate" in run(ended, "topup", "150").stderr


# --- status --------------------------------------------------------------------------------------


def test_status_is_for_the_reader_too(bench: Bench) -> None:
    """Who only reads needs neither keys nor the database, and sees the same."""
    whole = json.loads(run(bench, "status", "--json").stdout)
    context = bench.context()
    reader = Context(
        Settings(port=SPECS[bench.kind], client=2),
        now=context.now,
        entropy=context.entropy,
        transports=context.transports,
        patience=context.patience,
    )
    assert dict(status(reader).data) == whole
    assert "store" not in vars(reader)


def test_status_is_not_for_the_public(bench: Bench) -> None:
    """It sees no balance."""
    done = run(bench, "--client", "16", "status")
    assert done.exit_code == 2
    assert "leave out --client and --mechanism" in done.stderr


def test_what_has_been_settled_is_no_balance_any_more(ended: Bench) -> None:
    """The meter keeps its last figures; the status says what became of them."""
    told = status(ended.context()).data
    left = {"be-wal": "170.00", "il": "150.00"}[ended.profile]
    assert (told["balance"], told["emergency_credit"], told["settled"]) == ("0.00", "0.00", left)
    shown = run(ended, "status").stdout
    assert f"settled at deactivation: {told['currency']} {left}" in shown
    activate(ended.context())
    again = status(ended.context()).data
    assert again["settled"] is None
    assert again["balance"] == {"be-wal": "20.00", "il": "0.00"}[ended.profile]


def test_the_reader_sees_a_last_balance_as_such() -> None:
    """It does not know the ledger, so it says what the meter says, and of when that is."""
    own = Bench("be-wal", LinkKind.HDLC)
    activate(own.context())
    deactivate(own.context())
    assert "as it was when prepayment ended" in run(own, "--client", "2", "status").stdout
    own.close()


# --- reading -------------------------------------------------------------------------------------

READINGS = [
    ("token credit", 2, "45.00 EUR"),
    ("token credit", 3, "token"),
    ("token credit", 7, "visual indication, may receive tokens"),
    ("token credit", 8, "in use"),
    ("emergency credit", 3, "emergency"),
    ("account", 2, "prepayment, active"),
    ("account", 4, "in credit, next credit enabled"),
    ("account", 5, "45.00 EUR"),
    ("account", 14, "not specified"),
    ("account", 15, "EUR, 10^-2, monetary"),
    ("active energy import", 3, "10^0 Wh"),
    ("94.32.2 2", 3, "10^-2 EUR"),
    ("disconnect control", 3, "connected"),
    ("token gateway", 5, "remote"),
    ("balance mode", 2, "central"),
    ("relay causes", 2, "none"),
]


@pytest.mark.parametrize(("name", "attribute", "text"), READINGS)
def test_a_value_is_read_in_words(bench: Bench, name: str, attribute: int, text: str) -> None:
    """Money in its currency, enumerations by their names; JSON has the raw value besides."""
    words = ("--client", "2", "read", name, "--attribute", str(attribute))
    assert run(bench, *words).stdout == f"{text}\n"
    told = json.loads(run(bench, "--json", *words).stdout)
    assert told["text"] == text
    assert told["raw"] != text


class _Odd:
    """A session with a meter that answers every question the same."""

    def __init__(self, answer: Data) -> None:
        self._answer = answer

    def get(self, attribute: object, access: object = None) -> Data:
        return self._answer


ODD = {
    "an unknown state": (70, 3, axdr.enum(200), axdr.null(), "200"),
    "a scaler that is none": (
        3, 2, axdr.double_long(5), axdr.structure(axdr.long_(1000), axdr.enum(30)), None,
    ),
    "a scaler and no unit": (3, 3, axdr.structure(axdr.integer(0)), axdr.null(), None),
    "a register that is no number": (3, 2, axdr.null(), axdr.null(), None),
    "an amount of an account that is none": (112, 2, axdr.null(), axdr.null(), None),
    "a mode alone": (111, 2, axdr.structure(axdr.enum(1)), axdr.null(), None),
    "a mode of octets": (
        111, 2, axdr.structure(axdr.octet_string(b"x"), axdr.enum(9)), axdr.null(), "b'x', 9",
    ),
    "bits beyond those declared": (111, 4, axdr.bit_string("1" + "0" * 8 + "1"), axdr.null(),
                                   "in credit, bit 9"),
}  # fmt: skip # a table


@pytest.mark.parametrize(("class_id", "index", "value", "answer", "text"), ODD.values(), ids=ODD)
def test_what_a_stranger_answers_is_no_traceback(
    class_id: int, index: int, value: Data, answer: Data, text: str | None
) -> None:
    """Then there are no words, and the raw value is shown."""
    odd: Any = _Odd(answer)
    code = ObisCode.parse("1-0:3.3.3*255")
    assert readable(Device(odd), code, class_id, index, value).text == text


def test_the_amounts_of_an_account_that_does_not_say_its_currency_are_raw() -> None:
    """Nor is there a profile to say it: nobody knows what the number counts."""
    for account in (axdr.null(), axdr.octet_string(b"nobody's")):
        odd: Any = _Odd(account)
        code, amount = catalogue.TOKEN_CREDIT, axdr.double_long(5)
        assert readable(Device(odd), code, 112, 2, amount).text is None


# --- what has been done --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watt_hours", "kwh", "cost"), [(6_034, "6.034", "2.11"), (6_000, "6.0", "2.10")]
)
def test_deactivation_says_what_the_rest_cost(watt_hours: int, kwh: str, cost: str) -> None:
    """The energy since the last morning, also when the command is repeated."""
    own = Bench("be-wal", LinkKind.WRAPPER)
    activate(own.context())
    use(own, 12, 1_000)
    morning(own.context())
    use(own, 2, watt_hours)
    identity = "01a20000000070008000000000000001"
    for _ in range(2):
        report = deactivate(own.context(), identity)
        assert f"energy since the last reading: {kwh} kWh, EUR {cost}" in report.lines
        assert (report.data["watt_hours"], report.data["energy_cost"]) == (watt_hours, cost)
    own.close()


def test_deactivation_without_energy_says_nothing_of_it(ended: Bench) -> None:
    """Nothing was priced, or the meter did it itself."""
    activate(ended.context())
    assert not any("energy" in line for line in deactivate(ended.context()).lines)


@pytest.mark.parametrize("name", ["ledger", "transactions", "meters"])
def test_a_list_fits_a_page_and_cuts_no_id(
    ended: Bench, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a long outcome in it; a page is as wide as COLUMNS says."""
    monkeypatch.setenv("COLUMNS", str(PAGE))
    with ended.store.begin() as db:
        db.connection.driver_connection.execute(  # type: ignore[union-attr]  # SQLite has one
            "UPDATE transactions SET outcome = 'contained in snapshot 4294967295'"
        )
    shown = run(ended, name).stdout
    assert max(map(len, shown.splitlines())) <= PAGE
    with ended.store.begin() as db:
        booked = set(db.execute(select(schema.posts.c.transaction_id)).scalars())
        ordered = set(db.execute(select(schema.transactions.c.id)).scalars())
    ids = {"ledger": booked, "transactions": ordered, "meters": set()}[name]
    assert {identity for identity in ids if identity not in shown} == set()
    assert ("times are the head-end's (UTC)" in shown) == bool(ids)


def test_one_post_is_one_post() -> None:
    """And two are two."""
    own = Bench("be-wal", LinkKind.HDLC)
    activate(own.context())
    assert "in 1 post\n" in run(own, "ledger").stdout
    top_up(own.context(), "25.00")
    assert "in 2 posts\n" in run(own, "ledger").stdout
    own.close()


# --- help ----------------------------------------------------------------------------------------


def test_help_says_where_the_database_is(tmp_path: Path) -> None:
    """The very path, so that it can be saved, or deleted."""
    assert default_database().name in alone("--help").stdout
    moved = alone("--help", XDG_DATA_HOME=str(tmp_path)).stdout
    assert sys.platform != "linux" or str(tmp_path) in moved


@pytest.mark.parametrize(
    ("name", "step"), [("activate", "prepay topup"), ("morning", "prepay ledger"),
                       ("topup", "prepay settle"), ("deactivate", "prepay ledger")],
)  # fmt: skip # a table
def test_the_help_of_a_money_command_ends_with_the_next_step(name: str, step: str) -> None:
    """And where the rarer options are."""
    shown = alone(name, "--help").stdout
    assert step in shown.partition("Next: ")[2].partition("\n\n")[0]
    assert "--client, --mechanism, --trace" in shown.partition("More options")[2]


@pytest.mark.parametrize("name", ["ledger", "meters", "transactions"])
def test_a_list_offers_no_options_about_a_meter(name: str, tmp_path: Path) -> None:
    """They are taken, because the environment may have them, and not listed."""
    shown = alone(name, "--help").stdout
    assert "--db" in shown
    assert not any(option in shown for option in ("--port", "--keys", "--client"))
    assert alone(name, "--port", "tcp:x:1", "--db", str(tmp_path / "x.db")).exit_code == 0


@pytest.mark.parametrize("words", ["read 1.8.0", "clock", "objects", "status"])
@pytest.mark.parametrize("client", ["2", "16"])
def test_who_only_reads_imports_no_database(words: str, client: str) -> None:
    """It costs more time than the reading itself; nor are tables or profiles drawn for nothing."""
    arguments = ["--port", "tcp:127.0.0.1:1", "--client", client, *words.split()]
    program = (
        "import sys\n"
        "from headend.cli import main\n"
        f"try: main({arguments})\n"
        "except SystemExit: pass\n"
        "sys.exit(' '.join({'sqlalchemy', 'alembic', 'rich', 'pydantic'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
