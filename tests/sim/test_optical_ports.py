"""The ports of IEC 62056-21: a pseudo-terminal, a serial port, TCP."""

import os
import select
import socket
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from selectors import BaseSelector, DefaultSelector

import pytest

from meter_fw.board import PortId, PortKind
from sim.ports import open_port
from sim.ports.base import News, Port, PortError, PortSpecError, Rated
from sim.ports.optical import SerialPort
from sim.ports.pty import PtyPort


@pytest.fixture
def selector() -> Iterator[BaseSelector]:
    """A selector for one test."""
    with DefaultSelector() as made:
        yield made


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A serial port: the other end's descriptor, and the path of this one."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def turn(selector: BaseSelector, port: Port) -> News:
    """Let the port work once."""
    for key, mask in selector.select(1.0):
        key.data(mask)
    return port.collect()


def test_a_path_that_is_free_becomes_a_pseudo_terminal(
    selector: BaseSelector, tmp_path: Path
) -> None:
    """Clients reach it by the same words, and it is opened as a local port."""
    port = open_port(f"optical:{tmp_path / 'head'}", selector)
    assert isinstance(port, PtyPort)
    assert port.client_spec == f"optical:{tmp_path / 'head'}"
    assert list(port.collect().opened.values()) == [PortKind.OPTICAL]
    again = os.readlink(tmp_path / "head")
    port.close()
    os.symlink(again, tmp_path / "head")  # as a simulator that was killed leaves it
    port = open_port(f"optical:{tmp_path / 'head'}", selector)
    assert isinstance(port, PtyPort)
    port.close()


def test_a_serial_port_is_opened_and_changes_its_rate(
    selector: BaseSelector, terminal: tuple[int, str]
) -> None:
    """It begins at 300 Bd, with eight bits; octets pass both ways."""
    other, path = terminal
    port = open_port(f"optical:{path}", selector)
    assert isinstance(port, SerialPort)
    assert port.client_spec == f"optical:{path}"
    (line,) = port.collect().opened
    os.write(other, b"/?!\r\n\xff")
    assert turn(selector, port).rx == {line: b"/?!\r\n\xff"}
    port.send(line, b"answer\x80")
    port.send(PortId("another"), b"lost")
    select.select([other], [], [], 5)
    assert os.read(other, 100) == b"answer\x80"
    assert rate(path) == termios.B300
    assert isinstance(port, Rated)
    port.set_baud(line, 9600)
    port.set_baud(PortId("another"), 300)
    assert rate(path) == termios.B9600
    port.hang_up(line)
    port.close()
    port.close()


def rate(path: str) -> int:
    """The rate that a terminal is set to."""
    end = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        found: int = termios.tcgetattr(end)[5]
    finally:
        os.close(end)
    return found


def test_a_serial_port_has_one_owner(selector: BaseSelector, terminal: tuple[int, str]) -> None:
    """The second is told."""
    port = open_port(f"optical:{terminal[1]}", selector)
    with pytest.raises(PortError, match="cannot open"):
        open_port(f"optical:{terminal[1]}", selector)
    port.close()


@pytest.mark.parametrize("spec", ["optical:", "optical+tcp:", "optical+tcp:4061"])
def test_a_text_that_names_no_local_port_is_refused(selector: BaseSelector, spec: str) -> None:
    """Before anything is opened."""
    with pytest.raises(PortSpecError):
        open_port(spec, selector)


def test_a_path_that_is_something_else_is_refused(selector: BaseSelector, tmp_path: Path) -> None:
    """A file is neither a serial port nor ours to replace; nor is a device that is none."""
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", Path("/dev/null")):
        with pytest.raises(PortError):
            open_port(f"optical:{path}", selector)
    assert (tmp_path / "file").read_text() == "mine"


def test_over_tcp_each_connection_is_a_line(selector: BaseSelector) -> None:
    """Of a local port, at the address that clients are told."""
    port = open_port("optical+tcp:127.0.0.1:0", selector)
    scheme, host, number = port.client_spec.split(":")
    assert scheme == "optical+tcp"
    with socket.create_connection((host, int(number)), timeout=20):
        assert list(turn(selector, port).opened.values()) == [PortKind.OPTICAL]
    port.close()
