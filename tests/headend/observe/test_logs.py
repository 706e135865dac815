"""What a service logs: lines for machines and people, and never a secret."""

import io
import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from headend.observe import logs

SECRET = "000102030405060708090A0B0C0D0E0F"


@pytest.fixture(autouse=True)
def _nothing_bound() -> Iterator[None]:
    logs.unbind()
    yield
    logs.unbind()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the objects that were logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_object_with_all_that_is_bound() -> None:
    """Until something else is bound, or nothing."""
    stream = io.StringIO()
    log = logs.set_up("info", "json", stream)
    logs.bind(correlation="c1", meter="M1", attempt=2)
    log.info("begun")
    logs.bind(correlation="c2")
    log.info("begun", place="tcp:a:1")
    logs.unbind()
    log.info("over")
    first, second, third = lines(stream)
    moment = first.pop("timestamp")
    assert moment.endswith("Z")
    assert first == {
        "event": "begun", "level": "info", "correlation": "c1", "meter": "M1", "attempt": 2,
    }  # fmt: skip # an object
    assert (second["correlation"], second["place"], "meter" in second) == ("c2", "tcp:a:1", False)
    assert set(third) == {"event", "level", "timestamp"}


def test_each_thread_has_its_own() -> None:
    """Attempts run beside each other."""
    stream = io.StringIO()
    log = logs.set_up("info", "json", stream)
    met = threading.Barrier(2)

    def attempt(name: str) -> None:
        logs.bind(correlation=name)
        met.wait(5)
        log.info(name)

    threads = [threading.Thread(target=attempt, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(line["event"] == line["correlation"] for line in lines(stream))
    assert len(lines(stream)) == 2


@pytest.mark.parametrize(
    "name",
    ["key", "keys", "password", "block_cipher_key", "master", "KEY", "hls_secret", "sts_token"],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_value_named_as_a_secret_is_blotted_out(name: str, form: str) -> None:
    """Whoever logs it by mistake."""
    stream = io.StringIO()
    logs.set_up("info", form, stream).info("opened", **{name: SECRET})
    assert SECRET not in stream.getvalue()
    assert name in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_octets_and_objects_are_not_shown(form: str) -> None:
    """A key that is passed as octets or within an object is not shown either."""
    stream = io.StringIO()
    log = logs.set_up("info", form, stream)
    log.info("opened", secret_octets=b"\x01" * 16, octets=bytes.fromhex(SECRET))
    assert "16 octets" in stream.getvalue()
    assert "\\x01" not in stream.getvalue()
    if form == "json":
        log.info("opened", whole=object())
        assert lines(stream)[1]["whole"] == "<object>"


def test_an_idempotency_key_is_none() -> None:
    """Its name has the word in it; it opens nothing."""
    stream = io.StringIO()
    logs.set_up("info", "json", stream).info("queued", idempotency_key="order-7")
    assert lines(stream)[0]["idempotency_key"] == "order-7"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_has_no_local_variables(form: str) -> None:
    """There may be keys among them."""
    stream = io.StringIO()
    log = logs.set_up("info", form, stream)

    def unwrap(wrapped: str) -> None:
        raise ValueError("no such thing")

    try:
        unwrap("".join(reversed(SECRET)))
    except ValueError as error:
        log.error("a fault", exc_info=error)
    assert "ValueError: no such thing" in stream.getvalue()
    assert "in unwrap" in stream.getvalue()
    assert SECRET[::-1] not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_logged(level: str, told: list[str]) -> None:
    """From debug to error."""
    stream = io.StringIO()
    log = logs.set_up(level, "json", stream)
    for each in logs.LEVELS:
        getattr(log, each)(each)
    assert [line["event"] for line in lines(stream)] == told


def test_auto_is_json_where_nobody_looks() -> None:
    """And words on a terminal."""
    stream = io.StringIO()
    logs.set_up("info", "auto", stream).info("begun")
    assert lines(stream)[0]["event"] == "begun"
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign] # a terminal
    logs.set_up("info", "auto", stream).info("begun")
    assert not stream.getvalue().startswith("{")


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A pipe whose reader has gone."""
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w") as stream:
        log = logs.set_up("info", "json", stream)
        for _ in range(3):
            log.info("nobody reads this")


def test_a_console_line_fits_on_a_line() -> None:
    """Control characters of a meter's name make no line of their own in JSON."""
    stream = io.StringIO()
    log = logs.set_up("info", "json", stream)
    log.info("met", meter="M1\n{}\x1b[2J")
    assert len(stream.getvalue().splitlines()) == 1
