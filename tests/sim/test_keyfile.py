"""``prepay-sim keys``: what it prints is a key file, and a new one is new."""

from itertools import count

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from prepay.keys import MECHANISMS, PROTECTIONS, format_keys, lab_keys, parse_keys
from sim.cli import main
from sim.keyfile import new_keys

COMBINATIONS = [
    (suite, mechanism)
    for suite in (0, 1, 2)
    for mechanism in MECHANISMS
    if suite or mechanism != "hls-ecdsa"
]


def printed(*words: str) -> str:
    """Run the command."""
    result = CliRunner().invoke(main, ["keys", *words], standalone_mode=False)
    assert result.exception is None or result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("suite", "mechanism"), COMBINATIONS)
def test_what_is_printed_reads_back_as_what_was_asked_for(suite: int, mechanism: str) -> None:
    """Without --new they are the lab's."""
    keys = parse_keys(printed("--suite", str(suite), "--mechanism", mechanism))
    assert (keys.suite, keys.mechanism) == (suite, MECHANISMS[mechanism])
    assert keys.block_cipher_key == lab_keys(suite).block_cipher_key


@pytest.mark.parametrize("suite", ["0", "1", "2"])
def test_new_keys_are_new_each_time_and_none_is_the_labs(suite: str) -> None:
    """None of them twice in a file either."""
    first, second = (parse_keys(printed("--suite", suite, "--new")) for _ in range(2))
    lab = lab_keys(int(suite))
    names = ["block_cipher_key", "authentication_key", "broadcast_key", "master_key", "secret"]
    names += ["token_key", "password"]
    values = [getattr(keys, name) for keys in (first, second, lab) for name in names]
    if suite != "0":
        pairs = [side for keys in (first, second, lab) for side in (keys.meter, keys.client)]
        values += [key for pair in pairs for key in (pair.signing_key, pair.agreement_key)]
    assert len(set(values)) == len(values)


def test_ecdsa_needs_a_suite_that_has_a_curve() -> None:
    """Said before a file is printed that could not be used."""
    result = CliRunner().invoke(main, ["keys", "--mechanism", "hls-ecdsa"], standalone_mode=False)
    assert result.exit_code != 0
    assert "suite" not in result.stdout


@given(
    st.sampled_from([0, 1, 2]),
    st.sampled_from(sorted(PROTECTIONS.values())),
    st.text(st.characters(codec="ascii"), min_size=1, max_size=64),
)
def test_format_and_parse_are_inverses(suite: int, protection: int, password: str) -> None:
    """Whatever the password has in it."""
    from obis.values import replace

    numbers = count(1)
    keys = new_keys(suite, lambda length: next(numbers).to_bytes(length, "big"))
    keys = replace(keys, protection=protection, password=password.encode())
    read = parse_keys(format_keys(keys))
    if not suite:
        keys = replace(keys, meter=read.meter, client=read.client)
    assert read == keys
