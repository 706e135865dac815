"""Draw docs/headend.svg: what a terminal shows of a meter that is topped up through ``serve``.

Nothing in it is made up: a meter and a head-end run in a folder that is gone afterwards.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PORT = 40590
#: What is typed; NAME is the meter's. Of a long answer so many lines are shown.
TYPED = (
    (f"prepay meters discover --port tcp:127.0.0.1:{PORT} --add --tag pilot", 6),
    ("prepay --meter NAME activate --queue --wait", 4),
    ("prepay --meter NAME topup 25.00 --queue --wait", 6),
    ("prepay commands", 8),
    ("prepay audit check", 3),
    ("prepay trace NAME", 14),
)
PATIENCE = 60


def started(words: list[str], folder: Path) -> "subprocess.Popen[str]":
    """Run a command of ours beside this one, once it says that it is ready."""
    made = subprocess.Popen(
        [Path(sys.executable).with_name(words[0]), *words[1:]],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(5)
    assert made.poll() is None, made.stderr and made.stderr.read()
    return made


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is this user's."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PREPAY_")}
    database, capture = folder / "headend.sqlite3", folder / "line.pcapng"
    return ours | {"PREPAY_DB": str(database), "PREPAY_CAPTURE": str(capture), "COLUMNS": "108"}


def answered(line: str, folder: Path) -> str:
    """Return what a command line prints."""
    name, *words = shlex.split(line)
    done = subprocess.run(
        [Path(sys.executable).with_name(name), *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def played(folder: Path) -> Text:
    """Return what the terminal shows in the end."""
    screen, name = Text(), "NAME"
    for typed, lines in TYPED:
        line = typed.replace("NAME", name)
        told = answered(line, folder).rstrip().split("\n")
        found = re.search(r"\bOPP\d+", " ".join(told))
        name = found[0] if found and name == "NAME" else name
        screen.append(f"$ {line}\n", style="bold green")
        screen.append("\n".join(told[:lines]) + "\n")
        if len(told) > lines:
            screen.append(f"... and {len(told) - lines} lines more\n", style="dim")
    return screen


def main() -> None:
    """Write the picture beside this script."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        meter = ["prepay-sim", "meter", "--profile", "be-wal", "--port", f"tcp:127.0.0.1:{PORT}"]
        running = [started(meter, folder), started(["prepay", "serve"], folder)]
        try:
            screen = played(folder)
        finally:
            for each in running:
                each.terminate()
                each.wait(PATIENCE)
    console = Console(record=True, width=108, file=StringIO(), force_terminal=True)
    console.print(screen)
    picture = console.export_svg(title="prepay, with prepay serve running in another terminal")
    # no fonts from elsewhere: whoever looks at the picture calls nobody
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    Path(__file__).with_name("headend.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
