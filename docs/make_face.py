"""Draw docs/face.svg: two looks at the same Walloon meter, as a terminal shows them."""

import re
from datetime import datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console, Group

from meter_fw.board import Lcd, Sign
from sim.face import Case, Face
from sim.screen import panel

BRUSSELS = ZoneInfo("Europe/Brussels")
CASE = Case("OPP3947180252970", "be-wal", "EUR")
LOOKS = (
    Face(
        CASE,
        Lcd("94.32.2 2", "20.00", "EUR", Sign.EURO_ARROW | Sign.FRIENDLY, "connected"),
        datetime(2026, 11, 23, 5, 32, 4, tzinfo=BRUSSELS),
        pulse=True,
    ),
    Face(
        CASE,
        Lcd(
            "94.32.2 2",
            "-6.05",
            "EUR",
            Sign.EURO_ARROW | Sign.LOW_CREDIT | Sign.RELAY_OPEN,
            "ready_for_reconnection",
        ),
        datetime(2026, 11, 26, 8, 1, tzinfo=BRUSSELS),
    ),
)


def main() -> None:
    """Write the picture beside this script."""
    console = Console(record=True, width=80, file=StringIO(), force_terminal=True)
    console.print(Group(*(panel(face, "utf-8") for face in LOOKS)))
    target = Path(__file__).with_name("face.svg")
    picture = console.export_svg(title="prepay-sim meter --profile be-wal")
    # no fonts from elsewhere: whoever looks at the picture calls nobody
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    target.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
