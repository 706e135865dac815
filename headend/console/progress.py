"""A progress bar on stderr, for people who look at a terminal; for anybody else there is none."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(label: str, total: int, *, shown: bool = True) -> Iterator[Callable[[str], None]]:
    """Give a function that notes one more step, and what was found by it.

    Args:
        label: what is going on.
        total: how many steps there are.
        shown: False where the output is for machines.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda note: None
        return
    from rich.console import Console  # 50 ms that only people have to pay
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=total)

        def step(note: str) -> None:
            bars.update(task, advance=1, description=f"{label} {note}" if note else label)

        yield step
